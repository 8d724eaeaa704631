# test_convert_pth.sh: the line of docs/models.md that converts a .pth: its numbers arrive, its code is
# not run.
. tests/reference/python.sh
for candidate in ${IMGRET_TEST_PYTHON:-python3 /usr/bin/python3} ${IMGRET_TEST_OTHER_TORCH:-}; do
    "$candidate" -c 'import torch, safetensors.torch' 2> /dev/null && converter=$candidate && break
done
if [ -z "${converter:-}" ]; then
    echo "1..0 # SKIP no Python with torch and safetensors (IMGRET_TEST_PYTHON)"
    exit 0
fi
code=$(sed -n "s/^python3 -c '\(import sys, torch, .*\)' resnet50.pth resnet50.safetensors$/\1/p" docs/models.md)
cd "$TMPDIR" || exit 1
"$converter" - << 'END'
import collections, os, torch
torch.manual_seed(1)
def draw(*shape):
    return torch.rand(*shape) - 0.5
w, inside = collections.OrderedDict(), 16
def conv(name, norm, out, inside, side):
    w[name + ".weight"] = draw(out, inside, side, side)
    for part, value in (("weight", 1.0), ("bias", 0.1), ("running_mean", 0.1), ("running_var", 1.0)):
        w["%s.%s" % (norm, part)] = torch.full((out,), value)
    w[norm + ".num_batches_tracked"] = torch.tensor(5)
conv("conv1", "bn1", 16, 3, 3)
for stage, width in enumerate((16, 32, 64), 1):
    for block in range(3):
        name = "layer%d.%d." % (stage, block)
        conv(name + "conv1", name + "bn1", width, inside, 3)
        conv(name + "conv2", name + "bn2", width, width, 3)
        inside = width
w["linear.weight"], w["linear.bias"] = draw(10, 64), draw(10)
torch.save(w, "good.pth")
class Runs:
    def __reduce__(self):
        return os.system, ("touch was-run",)
torch.save({"conv1.weight": draw(16, 3, 3, 3), "more": Runs()}, "bad.pth")
END
echo 1..3
failed=0
tell() { # NUMBER NAME; the status of what went before
    [ $? = 0 ] && echo "ok $1 - $2" || { echo "not ok $1 - $2"; failed=1; }
}
[ -n "$code" ] && "$converter" -c "$code" good.pth good.safetensors
tell 1 "a checkpoint of tensors is converted"
"$IMGRET" model inspect good.safetensors > inspected && grep -q resnet inspected
tell 2 "and is a network"
! "$converter" -c "$code" bad.pth bad.safetensors 2> said && [ ! -e was-run ] && [ ! -e bad.safetensors ]
tell 3 "a pickle that runs a program is refused and runs none"
exit $failed
