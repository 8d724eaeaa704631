"""The other side of test_torch_families.py: random models of the reference packages, in torch."""

import importlib

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


def _randomised(model):
    """Norms get statistics as after training; fresh ones would hide a wrong fold."""
    import torch
    generator = torch.Generator().manual_seed(2)

    def uniform(tensor, low, high):
        tensor.data.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    for module in model.modules():
        if getattr(module, "running_var", None) is not None:
            uniform(module.running_mean, -0.2, 0.2)
            uniform(module.running_var, 0.5, 1.5)
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.LayerNorm)) and \
                module.weight is not None:
            uniform(module.weight, 0.7, 1.3)
            uniform(module.bias, -0.2, 0.2)
    for name, parameter in model.named_parameters():
        if name.endswith("gamma") or "lambda" in name:  # layer scale: near 0 when fresh
            uniform(parameter, 0.2, 1.0)
        elif "pos" in name.split(".")[-1] or "position" in name or name.endswith("_token"):
            uniform(parameter, -0.5, 0.5)
    return model.eval()


def export(name, path):
    import torch
    torch.manual_seed(1)
    case = families.by_name(name)
    model = _randomised(case.build())
    _models.clear()
    _models[name] = model
    safetensors_io.save(path, {key: value.detach().numpy()
                               for key, value in case.tensors(model).items()})


def run(name, pixels, mean, std):
    """Embedding and logits (or None) of the model exported last, computed in float64."""
    import torch
    x = torch.from_numpy(pixels).double() / 255
    x = (x - torch.tensor(mean).double()) / torch.tensor(std).double()
    model = _models[name].double()
    with torch.no_grad():
        results = families.by_name(name).reference(model, x.permute(0, 3, 1, 2))
    return [None if one is None else one.numpy() for one in results]
