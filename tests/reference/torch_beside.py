"""libimgret's torch plugin in a Python whose torch is another libtorch: errors, and no crash.

Usage: torch_beside.py WEIGHTS {same|torch-first|imgret-first}. "same" prints "same" or "other": whether
this Python's torch and the plugin (IMGRET_PLUGIN_PATH) are of one libtorch.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "bindings", "python"))
weights, mode = sys.argv[1:]


def libtorch_of_this_process():
    with open("/proc/self/maps") as maps:
        return {os.path.realpath(line.split()[-1]) for line in maps if "/libtorch_cpu.so" in line}


def libtorch_of_the_plugin():
    plugin = os.path.join(os.environ["IMGRET_PLUGIN_PATH"], "imgret_torch.so")
    listed = subprocess.run(["ldd", plugin], capture_output=True, text=True).stdout
    return {os.path.realpath(line.split()[2]) for line in listed.splitlines()
            if "libtorch_cpu.so" in line}


def use_torch():
    import torch
    layer = torch.nn.Conv2d(3, 4, 3)
    total = layer(torch.ones(2, 3, 64, 64)).sum()
    total.backward()
    assert torch.isfinite(layer.weight.grad).all()


def dimension_of_a_vector(imgret):
    with imgret.Extractor("torch:" + weights, threads=2) as extractor:
        return len(extractor.extract([picture()])[0])


def picture():
    return os.environ["IMGRET_TEST_PICTURE"]


if mode == "same":
    import torch  # noqa: F401
    print("same" if libtorch_of_this_process() == libtorch_of_the_plugin() else "other")
elif mode == "torch-first":
    use_torch()
    import imgret
    try:
        imgret.Extractor("torch:" + weights)
    except imgret.UnsupportedError as error:
        print(error)
        named = {os.path.realpath(word.rstrip(",")) for word in str(error).split()}
        assert libtorch_of_this_process() <= named
    else:
        raise AssertionError("a second libtorch was loaded")
    assert len(imgret.Extractor("classic").extract([picture()])[0]) > 0
    use_torch()
else:
    import imgret
    assert dimension_of_a_vector(imgret) == 64
    for _ in range(2):
        try:
            import torch  # noqa: F401, F811
        except ImportError as error:
            print(error)
            assert "there cannot be two" in str(error)
        else:
            raise AssertionError("a second libtorch was loaded")
    assert dimension_of_a_vector(imgret) == 64
