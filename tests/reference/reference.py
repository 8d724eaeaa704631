"""The other side of test_torch_families.py: random models of the reference packages, in torch."""

import importlib

import numpy

import families
import safetensors_io

_models = {}


def missing(package):
    """The first package that cannot be imported, or None."""
    for name in ("torch", package):
        try:
            importlib.import_module(name)
        except ImportError as failure:
            return failure.name or name
    return None


def pictures(side):
    """Two of side x side that have little in common: one of noise, one of ramps and squares."""
    generator = numpy.random.default_rng(7)
    noise = generator.integers(0, 256, (side, side, 3), numpy.uint8)
    ramp = numpy.arange(side) * 255 // side
    drawn = numpy.zeros_like(noise)
    drawn[..., 0] = ramp
    drawn[..., 1] = 255 - ramp[:, None]
    drawn[side // 4:side // 2, side // 3:, 2] = 255
    return numpy.stack([noise, drawn])


def _uniform(tensor, low, high, generator):
    import torch
    tensor.data.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)


def _normed(model, case):
    """Batch norms get statistics in the size of what reaches them. Invented ones will not do: in a
    deep network the picture is lost under the shifts (torchvision's EfficientNet, MobileNet), or
    grows until float32 itself cannot say the output (timm's EfficientNet-B7). With a training's own,
    channel by channel, deep networks of random weights are chaotic in the same way; and with gates
    of squeeze and excitation as strong as they start."""
    import torch
    generator = torch.Generator().manual_seed(4)

    def settle(norm, inputs):
        size = inputs[0].pow(2).mean()
        _uniform(norm.running_mean, -0.2, 0.2, generator)
        norm.running_mean *= size.sqrt()
        _uniform(norm.running_var, 0.5, 1.5, generator)
        norm.running_var *= size

    for name, parameter in model.named_parameters():
        if any(part in name for part in (".se.", ".fc1.", ".fc2.", "squeeze_excite")):
            parameter.data *= 0.5
    hooks = [module.register_forward_pre_hook(settle) for module in model.modules()
             if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    x = torch.from_numpy(pictures(case.side)).permute(0, 3, 1, 2).float()
    x = x if case.detects else x / 64 - 2
    with torch.no_grad():
        case.reference(model, x)
    for hook in hooks:
        hook.remove()


def _randomised(model, case):
    """What is 0 or 1 in a fresh model gets values as after training, or a mistake would not show."""
    import torch
    generator = torch.Generator().manual_seed(2)
    for module in model.modules():
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.LayerNorm)) and \
                module.weight is not None:
            _uniform(module.weight, 0.7, 1.3, generator)
            _uniform(module.bias, -0.2, 0.2, generator)
    for name, parameter in model.named_parameters():
        if name.endswith("gamma") or "lambda" in name:  # layer scale: near 0 when fresh
            _uniform(parameter, 0.2, 1.0, generator)
        elif "pos" in name.split(".")[-1] or "position" in name or name.endswith("_token"):
            _uniform(parameter, -0.5, 0.5, generator)
    model.eval()
    if any(module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        _normed(model, case)
    return model


def export(name, path):
    import torch
    torch.manual_seed(1)
    case = families.by_name(name)
    model = _randomised(case.build(), case)
    _models.clear()
    _models[name] = model
    safetensors_io.save(path, {key: value.detach().numpy()
                               for key, value in case.tensors(model).items()})


def run(name, pixels, mean, std):
    """Embedding and logits (or None) of the model exported last, in float64 and in float32."""
    import torch
    x = torch.from_numpy(pixels).double() / 255
    x = (x - torch.tensor(mean).double()) / torch.tensor(std).double()
    x = x.permute(0, 3, 1, 2)
    case, model = families.by_name(name), _models[name]
    with torch.no_grad():
        single = case.reference(model, x.float())
        double = case.reference(model.double(), x)
    return [[None if one is None else one.numpy() for one in results]
            for results in (double, single)]
