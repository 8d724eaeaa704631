"""The cases of test_torch_families.py: for each family, how the reference builds and runs it."""

import importlib
from dataclasses import dataclass
from typing import Callable


@dataclass
class Case:
    name: str
    package: str
    build: Callable
    reference: Callable  # model, pixels -> embedding, logits or None
    side: int
    options: str = ""
    architecture: str = ""  # what the plugin is to call it; "" for any

    def tensors(self, model):
        return model.state_dict()


def _torchvision(name, side, reference, architecture="", options="", **arguments):
    def build():
        models = importlib.import_module("torchvision.models")
        return getattr(models, name)(weights=None, **arguments)
    return Case("torchvision " + name, "torchvision", build, reference, side,
                "input=%d%s" % (side, options), architecture)


def _timm(name, side, reference, architecture="", options="", **arguments):
    def build():
        return importlib.import_module("timm").create_model(name, pretrained=False, **arguments)
    return Case("timm " + name, "timm", build, reference, side,
                "input=%d%s" % (side, options), architecture)


def _mean(features):
    return features.mean((2, 3))


def _resnet(model, x):
    x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        x = stage(x)
    return _mean(x), model.fc(_mean(x))


def _features(model, x):
    """torchvision's VGG, MobileNet and EfficientNet."""
    return _mean(model.features(x)), model(x)


def _timm_features(model, x):
    return _mean(model.forward_features(x)), model(x)


def _resnets(everything):
    yield _torchvision("resnet18", 64, _resnet, "resnet18")
    yield _torchvision("resnet50", 97, _resnet, "resnet50", num_classes=7)
    yield _timm("resnet34", 64, _timm_features, "resnet34")
    yield _timm("resnet26", 64, _timm_features, "resnet26")
    if everything:
        for name in ("resnet34", "resnet101", "resnet152", "resnext50_32x4d", "wide_resnet50_2"):
            yield _torchvision(name, 224, _resnet, name)


def _mobilenets(everything):
    yield _torchvision("mobilenet_v2", 64, _features, "mobilenet_v2")
    yield _torchvision("mobilenet_v3_large", 64, _features, "mobilenet_v3_large")
    yield _torchvision("mobilenet_v3_small", 97, _features, "mobilenet_v3_small")
    yield _timm("mobilenetv2_100", 64, _timm_features, "mobilenet_v2")
    yield _timm("mobilenetv3_large_100", 64, _timm_features, "mobilenet_v3_large")
    yield _timm("mobilenetv3_small_100", 64, _timm_features, "mobilenet_v3_small")


def _efficientnets(everything):
    yield _torchvision("efficientnet_b0", 64, _features, "efficientnet_b0")
    yield _timm("efficientnet_b0", 64, _timm_features, "efficientnet_b0")
    yield _timm("tf_efficientnet_b0", 65, _timm_features, "efficientnet_b0",
                ";padding=tf_same;epsilon=0.001")
    if everything:
        for number in range(1, 8):
            name = "efficientnet_b%d" % number
            yield _torchvision(name, 97, _features, name)
            yield _timm(name, 97, _timm_features, name)


def cases(everything):
    return [case for family in (_resnets, _mobilenets, _efficientnets)
            for case in family(everything)]


def by_name(name):
    return next(case for case in cases(True) if case.name == name)
