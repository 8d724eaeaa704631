"""The torch plugin against PyTorch on random ViTs, beside a Python that has imported torch.

Usage: test_torch_vit.py PLUGIN {torch-first|plugin-first}. Exit 77: PyTorch is not installed.
"""

import ctypes
import sys
import tempfile

try:
    import numpy
except ImportError:
    print("skipped: no numpy")
    sys.exit(77)

if sys.argv[2] == "torch-first":
    try:
        import torch
    except ImportError:
        print("skipped: no torch")
        sys.exit(77)

import safetensors_io
from plugin import Plugin

WIDTH, HEADS, DEPTH, PATCH, SIDE, CLASSES = 192, 3, 3, 8, 48, 11


def random_weights(seed):
    rng = numpy.random.default_rng(seed)
    tokens = (SIDE // PATCH) ** 2 + 1

    def draw(*shape, scale=0.1, centre=0.0):
        return (centre + scale * rng.standard_normal(shape)).astype(numpy.float32)

    w = {"cls_token": draw(1, 1, WIDTH), "pos_embed": draw(1, tokens, WIDTH, scale=1),
         "patch_embed.proj.weight": draw(WIDTH, 3, PATCH, PATCH),
         "patch_embed.proj.bias": draw(WIDTH), "head.weight": draw(CLASSES, WIDTH),
         "head.bias": draw(CLASSES)}
    norms = ["norm"]
    for i in range(DEPTH):
        b = "blocks.%d." % i
        norms += [b + "norm1", b + "norm2"]
        for name, out, inside in (("attn.qkv", 3 * WIDTH, WIDTH), ("attn.proj", WIDTH, WIDTH),
                                  ("mlp.fc1", 4 * WIDTH, WIDTH), ("mlp.fc2", WIDTH, 4 * WIDTH)):
            w[b + name + ".weight"] = draw(out, inside)
            w[b + name + ".bias"] = draw(out)
    for name in norms:
        w[name + ".weight"] = draw(WIDTH, centre=1.0)
        w[name + ".bias"] = draw(WIDTH)
    return w


def reference(w, pixels):
    """PyTorch's own multi_head_attention_forward and friends, in float64."""
    import torch
    from torch.nn import functional as F
    w = {name: torch.from_numpy(values).double() for name, values in w.items()}
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).double() / 255
    x = F.conv2d((x - 0.5) / 0.5, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"],
                 stride=PATCH).flatten(2).transpose(1, 2)
    x = torch.cat([w["cls_token"].expand(len(x), -1, -1), x], 1) + w["pos_embed"]
    for i in range(DEPTH):
        b = "blocks.%d." % i
        y = F.layer_norm(x, (WIDTH,), w[b + "norm1.weight"], w[b + "norm1.bias"], 1e-6)
        y = y.transpose(0, 1)
        y, _ = F.multi_head_attention_forward(
            y, y, y, WIDTH, HEADS, w[b + "attn.qkv.weight"], w[b + "attn.qkv.bias"], None, None,
            False, 0.0, w[b + "attn.proj.weight"], w[b + "attn.proj.bias"], training=False)
        x = x + y.transpose(0, 1)
        y = F.layer_norm(x, (WIDTH,), w[b + "norm2.weight"], w[b + "norm2.bias"], 1e-6)
        y = F.gelu(F.linear(y, w[b + "mlp.fc1.weight"], w[b + "mlp.fc1.bias"]))
        x = x + F.linear(y, w[b + "mlp.fc2.weight"], w[b + "mlp.fc2.bias"])
    x = F.layer_norm(x, (WIDTH,), w["norm.weight"], w["norm.bias"], 1e-6)
    logits = F.linear(x[:, 0], w["head.weight"], w["head.bias"])
    return x[:, 0].numpy(), logits.numpy()


def main():
    pixels = numpy.random.default_rng(7).integers(0, 256, (3, SIDE, SIDE, 3), numpy.uint8)
    weights = random_weights(1)
    plugin = Plugin(sys.argv[1])
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        safetensors_io.save(file.name, weights)
        model = plugin.load(file.name, "", threads=2)
        embeddings, logits = model.run(pixels)
        try:
            import torch
        except ImportError:
            print("skipped: no torch")
            sys.exit(77)
        threads = torch.get_num_threads()
        wanted, wanted_logits = reference(weights, pixels)
        error = abs(embeddings - wanted).max() / abs(wanted).max()
        logit_error = abs(logits - wanted_logits).max() / abs(wanted_logits).max()
        again, _ = model.run(pixels)  # after torch has run on this side
        assert numpy.array_equal(again, embeddings), "another answer after torch was used"
        assert torch.get_num_threads() == threads, "the plugin changed torch's thread count"
        model.unload()
    print("largest error, relative: embedding %.1e, logits %.1e" % (error, logit_error))
    assert error < 1e-5 and logit_error < 1e-5


main()
