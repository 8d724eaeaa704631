"""The torch plugin against torchvision, timm and open_clip: random weights, every family, as TAP.

Usage: test_torch_families.py PLUGIN [--all] [TEXT]. Runs the cases whose name contains TEXT; --all
adds the large members of each family. A case whose package is missing is skipped with its name.
The reference computes in float64; what counts is the largest error over the largest value.
"""

import importlib
import os
import sys
import tempfile

try:
    import numpy
    import torch
except ImportError as missing:
    print("1..0 # SKIP no Python package %s" % missing.name)
    sys.exit(0)

import families
import safetensors_io
from plugin import Plugin

ERROR_MAX = 1e-4


def randomised(model, seed):
    """Norms get statistics as after training; fresh ones would hide a wrong fold."""
    generator = torch.Generator().manual_seed(seed)

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
        elif "pos_embed" in name or "position" in name or name.endswith("_token"):
            uniform(parameter, -0.5, 0.5)
    return model.eval()


def prepared(pixels, info):
    """As the case's own identity says it: mean and std."""
    parts = dict(part.split("=", 1) for part in info.identity.decode().split(";"))
    mean, std = (torch.tensor([float(v) for v in parts[key].split(",")], dtype=torch.float64)
                 for key in ("mean", "std"))
    x = torch.from_numpy(pixels).double() / 255
    return ((x - mean) / std).permute(0, 3, 1, 2)


def error_of(ours, theirs):
    theirs = theirs.numpy()
    assert ours.shape == theirs.shape, "shape %s, %s wanted" % (ours.shape, theirs.shape)
    assert numpy.isfinite(theirs).all() and abs(theirs).max() > 0
    return abs(ours - theirs).max() / abs(theirs).max()


def check(plugin, case):
    torch.manual_seed(1)
    model = randomised(case.build(), 2)
    pixels = numpy.random.default_rng(7).integers(0, 256, (2, case.side, case.side, 3),
                                                  numpy.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "weights.safetensors")
        tensors = {name: values.numpy() for name, values in case.tensors(model).items()}
        safetensors_io.save(path, tensors)
        ours = plugin.load(path, case.options, threads=2)
        embeddings, logits = ours.run(pixels)
        x, architecture = prepared(pixels, ours.info), ours.info.architecture.decode()
        ours.unload()
    with torch.no_grad():
        wanted, wanted_logits = case.reference(model.double(), x)
    assert not case.architecture or architecture == case.architecture, architecture
    text = "%s: embedding %.1e" % (architecture, error_of(embeddings, wanted))
    errors = [error_of(embeddings, wanted)]
    if wanted_logits is not None:
        errors.append(error_of(logits, wanted_logits))
        text += ", logits %.1e" % errors[1]
    return max(errors), text


def main():
    arguments = [text for text in sys.argv[2:] if text != "--all"]
    cases = [case for case in families.cases("--all" in sys.argv)
             if not arguments or arguments[0] in case.name]
    print("1..%d" % len(cases), flush=True)
    plugin, failed = Plugin(sys.argv[1]), 0
    for number, case in enumerate(cases, 1):
        try:
            importlib.import_module(case.package)
        except ImportError as missing:
            print("ok %d - %s # SKIP no Python package %s" % (number, case.name, missing.name))
            continue
        try:
            error, text = check(plugin, case)
            good = error <= ERROR_MAX
        except Exception as failure:  # one line each, and the other cases go on
            good, text = False, "%s: %s" % (type(failure).__name__, failure)
        failed += not good
        print("%sok %d - %s\n# %s" % ("" if good else "not ", number, case.name, text), flush=True)
    sys.exit(1 if failed else 0)


main()
