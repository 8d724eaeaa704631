"""The vision transformer written from the paper, in numpy, float64: an independent reference."""

import numpy
from math import sqrt

try:
    from scipy.special import erf
except ImportError:
    from math import erf as scalar_erf
    erf = numpy.vectorize(scalar_erf)


def layer_norm(x, weight, bias, epsilon=1e-6):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / numpy.sqrt(variance + epsilon) * weight + bias


def softmax(x):
    x = numpy.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def gelu(x):
    return 0.5 * x * (1 + erf(x / sqrt(2)))


def tokens(w, image, heads):
    """All tokens of one picture (3 x H x W, normalised) after the last norm."""
    w = {name: values.astype(numpy.float64) for name, values in w.items()}
    width, _, patch, _ = w["patch_embed.proj.weight"].shape
    rows, columns = image.shape[1] // patch, image.shape[2] // patch
    patches = image.reshape(3, rows, patch, columns, patch).transpose(1, 3, 0, 2, 4)
    x = patches.reshape(rows * columns, -1) @ w["patch_embed.proj.weight"].reshape(width, -1).T
    x = x + w["patch_embed.proj.bias"]
    x = numpy.concatenate([w["cls_token"][0], x]) + w["pos_embed"][0]
    depth = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("blocks."))
    for i in range(depth):
        def p(name):
            return w["blocks.%d.%s" % (i, name)]
        y = layer_norm(x, p("norm1.weight"), p("norm1.bias"))
        qkv = y @ p("attn.qkv.weight").T + p("attn.qkv.bias")
        q, k, v = (part.reshape(len(x), heads, -1).transpose(1, 0, 2)
                   for part in numpy.split(qkv, 3, axis=1))
        mixed = softmax(q @ k.transpose(0, 2, 1) / sqrt(width // heads)) @ v
        mixed = mixed.transpose(1, 0, 2).reshape(len(x), width)
        x = x + mixed @ p("attn.proj.weight").T + p("attn.proj.bias")
        y = layer_norm(x, p("norm2.weight"), p("norm2.bias"))
        y = gelu(y @ p("mlp.fc1.weight").T + p("mlp.fc1.bias"))
        x = x + y @ p("mlp.fc2.weight").T + p("mlp.fc2.bias")
    return layer_norm(x, w["norm.weight"], w["norm.bias"])
