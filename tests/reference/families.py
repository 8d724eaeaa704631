"""The cases of test_torch_families.py: for each family, how the reference builds and runs it."""

import importlib
import os
import tempfile
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
    detects: bool = False  # the reference gives offsets and scores instead
    folded: bool = False  # batch norms go into the convolutions before the file is written

    def tensors(self, model):
        if self.folded:
            return importlib.import_module("yolox_torch").folded(model)
        if self.package != "transformers":
            return model.state_dict()
        # What is published are saved files, whose names are not those of the code's newest version.
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            safetensors = importlib.import_module("safetensors.torch")
            return safetensors.load_file(os.path.join(folder, "model.safetensors"))


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


def _huggingface_cnns(everything):
    yield _huggingface_cnn("MobileNetV1", 64, {}, "mobilenet_v1")
    yield _huggingface_cnn("MobileNetV2", 64, {}, "mobilenet_v2")
    yield _huggingface_cnn("EfficientNet", 64, dict(
        width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280, image_size=224,
        dropout_rate=0.2), "efficientnet_b0")
    yield _huggingface_cnn("ResNet", 64, {}, "resnet50")


def _efficientnets(everything):
    yield _torchvision("efficientnet_b0", 64, _features, "efficientnet_b0")
    yield _timm("efficientnet_b0", 64, _timm_features, "efficientnet_b0")
    yield _timm("tf_efficientnet_b0", 65, _timm_features, "efficientnet_b0",
                ";padding=tf_same;epsilon=0.001")
    yield _timm("efficientnet_b7", 64, _timm_features, "efficientnet_b7")
    if everything:
        for number in range(1, 8):
            name = "efficientnet_b%d" % number
            yield _torchvision(name, 97, _features, name)
            if number < 7:
                yield _timm(name, 97, _timm_features, name)


def _vggs(everything):
    yield _torchvision("vgg11", 64, _features, "vgg11", num_classes=5)
    yield _torchvision("vgg13_bn", 97, _features, "vgg13_bn", num_classes=5)
    if everything:
        for name in ("vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg16_bn", "vgg19_bn"):
            yield _torchvision(name, 64, _features, name)
        yield _timm("vgg16", 224, _timm_features, "vgg16")


def _cls(model, x):
    return model.forward_features(x)[:, 0], model(x) if model.num_classes else None


def _vits(everything):
    yield _timm("vit_tiny_patch16_224", 224, _cls, "vit_w192d3_patch16_224", depth=3)
    yield _timm("deit_tiny_distilled_patch16_224", 224, _cls, depth=3)
    yield _timm("vit_small_patch14_reg4_dinov2", 56, _cls, depth=3, img_size=56)
    yield _timm("vit_small_patch14_dinov2", 70, _cls, depth=3, img_size=70)
    yield _timm("vit_base_patch32_clip_224", 224, _cls, depth=2)
    yield _huggingface("Dinov2", 56, dict(image_size=56, patch_size=14, hidden_size=128,
                                          num_attention_heads=2, num_hidden_layers=2))
    yield _huggingface("Dinov2", 56, dict(image_size=56, patch_size=14, hidden_size=128,
                                          num_attention_heads=2, num_hidden_layers=2,
                                          use_swiglu_ffn=True), label=" SwiGLU")
    yield _timm("vit_giant_patch14_dinov2", 56, _cls, depth=1, img_size=56)
    yield _huggingface("CLIPVision", 64, dict(
        image_size=64, patch_size=16, hidden_size=128, num_attention_heads=2,
        num_hidden_layers=2, intermediate_size=256, projection_dim=48))


def _huggingface(name, side, config, architecture="", label=""):
    def build():
        transformers = importlib.import_module("transformers")
        kind = getattr(transformers, name + "Config")(**config)
        projected = name == "CLIPVision"
        return getattr(transformers, name + "Model" + ("WithProjection" if projected else ""))(kind)

    def reference(model, x):
        out = model(pixel_values=x)
        return out.image_embeds if name == "CLIPVision" else out.last_hidden_state[:, 0], None
    return Case("huggingface " + name + label, "transformers", build, reference, side,
                "input=%d" % side, architecture)


def _huggingface_cnn(name, side, config, architecture):
    """With its classifier, as what is published has it; the embedding stands before it."""
    def build():
        transformers = importlib.import_module("transformers")
        kind = getattr(transformers, name + "Config")(num_labels=7, **config)
        return getattr(transformers, name + "ForImageClassification")(kind)

    def reference(model, x):
        out = model(pixel_values=x, output_hidden_states=True)
        body = getattr(model, model.base_model_prefix)
        return _mean(body(x).last_hidden_state), out.logits
    return Case("huggingface " + name, "transformers", build, reference, side,
                "input=%d" % side, architecture)


def _open_clip(name, config, side, options=""):
    def build():
        open_clip = importlib.import_module("open_clip")
        text = dict(context_length=8, vocab_size=64, width=64, heads=1, layers=1)
        return open_clip.model.CLIP(vision_cfg=dict(config, image_size=side), text_cfg=text,
                                    embed_dim=48, quick_gelu="quick" in name)
    return Case("open_clip " + name, "open_clip", build,
                lambda model, x: (model.visual(x), None), side, "input=%d%s" % (side, options))


def _clips(everything):
    small = dict(layers=2, width=128, patch_size=16)
    yield _open_clip("ViT", small, 64)
    yield _open_clip("ResNet", dict(layers=(1, 2, 1, 1), width=64, head_width=64), 64)
    yield _timm("resnet50_clip", 64, lambda model, x: (model(x), None), "clip_resnet50", img_size=64)
    yield _open_clip("ViT quick", small, 64, ";activation=quick_gelu")


def _detected(model, x):
    found = model(x)
    return found[..., :4], found[..., 4:]


def _yolox(size, folded=False):
    def build():
        return importlib.import_module("yolox_torch").Yolox(size)
    return Case("yolox %s%s" % (size, " folded" if folded else ""), "torch", build, _detected, 64,
                "input=64", "yolox_" + size, detects=True, folded=folded)


def _detectors(everything):
    for size in ("nano", "tiny", "m"):
        yield _yolox(size)
    yield _yolox("tiny", folded=True)
    if everything:
        for size in ("s", "l", "x"):
            yield _yolox(size)


def cases(everything):
    return [case for family in (_resnets, _mobilenets, _huggingface_cnns, _efficientnets, _vggs,
                                _vits, _clips, _detectors)
            for case in family(everything)]


def by_name(name):
    return next(case for case in cases(True) if case.name == name)
