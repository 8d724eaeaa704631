"""The torch plugin against torchvision, timm, open_clip and others: random weights, every family, as TAP.

Usage: test_torch_families.py PLUGIN [--all] [TEXT]. Runs the cases whose name contains TEXT; --all
adds the large members of each family. A case whose package is missing is skipped with its name.
The reference computes in float64; what counts is the largest error over the largest value. Two
things must hold, or a case would measure nothing: the reference in float32 is near that too, and two
pictures give different vectors.
"""

import concurrent.futures
import multiprocessing
import os
import sys
import tempfile

try:
    import numpy
except ImportError:
    print("1..0 # SKIP no Python package numpy")
    sys.exit(0)

import families
import reference
from plugin import Plugin

ERROR_MAX = 1e-4


def error_of(ours, theirs):
    assert ours.shape == theirs.shape, "shape %s, %s wanted" % (ours.shape, theirs.shape)
    assert numpy.isfinite(theirs).all() and abs(theirs).max() > 0
    return abs(ours - theirs).max() / abs(theirs).max()


def normalisation(info):
    """As the plugin says it: mean and std."""
    parts = dict(part.split("=", 1) for part in info.identity.decode().split(";"))
    return [[float(value) for value in parts[key].split(",")] for key in ("mean", "std")]


def check(plugin, there, case):
    pixels = reference.pictures(case.side)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "weights.safetensors")
        there.submit(reference.export, case.name, path).result()
        ours = plugin.load(path, case.options, threads=2)
        if case.detects:
            found = ours.detect(pixels)
            embeddings, logits = found[..., :4], found[..., 4:]
        else:
            embeddings, logits = ours.run(pixels)
        mean, std = normalisation(ours.info)
        architecture = ours.info.architecture.decode()
        ours.unload()
    (wanted, wanted_logits), single = there.submit(reference.run, case.name, pixels, mean,
                                                   std).result()
    assert not case.architecture or architecture == case.architecture, architecture
    errors = [error_of(embeddings, wanted)]
    text = "%s: %s %.1e" % (architecture, "offsets" if case.detects else "embedding", errors[0])
    if wanted_logits is not None:
        errors.append(error_of(logits, wanted_logits))
        text += ", %s %.1e" % ("scores" if case.detects else "logits", errors[1])
    own = error_of(single[0], wanted)
    text += ", the reference's own float32 %.1e" % own
    assert own <= ERROR_MAX / 2, text + ": these weights are no measure"
    assert error_of(wanted[0], wanted[1]) > 100 * ERROR_MAX, "the picture hardly counts"
    return max(errors), text


def main():
    arguments = [text for text in sys.argv[2:] if text != "--all"]
    cases = [case for case in families.cases("--all" in sys.argv)
             if not arguments or arguments[0] in case.name]
    print("1..%d" % len(cases), flush=True)
    # The reference's torch stays in a process of its own: it may be another version than ours.
    apart = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, apart) as there:
        missing = {package: there.submit(reference.missing, package).result()
                   for package in {case.package for case in cases}}
        plugin, failed = Plugin(sys.argv[1]), 0
        for number, case in enumerate(cases, 1):
            if missing[case.package]:
                print("ok %d - %s # SKIP no Python package %s" %
                      (number, case.name, missing[case.package]), flush=True)
                continue
            try:
                error, text = check(plugin, there, case)
                good = error <= ERROR_MAX
            except Exception as failure:  # one line each, and the other cases go on
                good, text = False, "%s: %s" % (type(failure).__name__, failure)
            failed += not good
            print("%sok %d - %s\n# %s" % ("" if good else "not ", number, case.name, text),
                  flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
