"""The vision transformer of timm's files in plain torch, float32: what Python users run."""

import torch
from torch.nn import functional as F


def load(tensors):
    return {name: torch.from_numpy(values.astype("float32")) for name, values in tensors.items()}


def _linear(w, name, x):
    return F.linear(x, w[name + ".weight"], w[name + ".bias"])


def _norm(w, name, x):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], 1e-6)


def _attention(w, block, x, heads):
    count, tokens, width = x.shape
    qkv = _linear(w, block + "attn.qkv", x).reshape(count, tokens, 3, heads, width // heads)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    mixed = ((q * (width // heads) ** -0.5) @ k.transpose(-2, -1)).softmax(-1) @ v
    return _linear(w, block + "attn.proj", mixed.transpose(1, 2).reshape(count, tokens, width))


def forward(w, x):
    """`x` count x 3 x side x side, normalised. Embeddings (the class token) and logits."""
    width, _, patch, _ = w["patch_embed.proj.weight"].shape
    x = F.conv2d(x, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=patch)
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([w["cls_token"].expand(len(x), -1, -1), x], 1) + w["pos_embed"]
    depth = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("blocks."))
    for i in range(depth):
        block = "blocks.%d." % i
        x = x + _attention(w, block, _norm(w, block + "norm1", x), width // 64)
        x = x + _linear(w, block + "mlp.fc2",
                        F.gelu(_linear(w, block + "mlp.fc1", _norm(w, block + "norm2", x))))
    embedding = _norm(w, "norm", x)[:, 0]
    return embedding, _linear(w, "head", embedding)
