"""The TorchScript side of test_torch_script.py: modules to export, and what they themselves give."""

import torch
from torch import nn

SIDE = 64
ANCHORS = (SIDE // 8) ** 2 + (SIDE // 16) ** 2 + (SIDE // 32) ** 2


class Vector(nn.Module):
    """N x 12, from a small network with all that freezing folds."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(),
                                  nn.Conv2d(8, 12, 3, 2, 1), nn.BatchNorm2d(12), nn.SiLU())

    def forward(self, x):
        return self.body(x).mean((2, 3))


class Map(Vector):
    def forward(self, x):
        return self.body(x)


class Tokens(Vector):
    """N x (1 + 16 x 16) x 12: a class token before the places."""

    def forward(self, x):
        x = self.body(x).flatten(2).transpose(1, 2)
        return torch.cat([x.amax(1, keepdim=True), x], 1)


class Both(Vector):
    """An embedding, and the logits of five classes."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        x = self.body(x).mean((2, 3))
        return x, self.head(x)


class One(Vector):
    """Gives one row, whatever the batch."""

    def forward(self, x):
        return self.body(x)[:1].mean((2, 3))


class Boxes(Vector):
    """As YOLOX exports: anchors x (5 + 3), offsets small."""
    size, decodes = 8, False

    def forward(self, x):
        places = self.body(x).flatten(1)[:, :self.size]
        rows = torch.arange(ANCHORS, dtype=x.dtype).view(1, ANCHORS, 1) / ANCHORS
        y = torch.sigmoid(places.unsqueeze(1) + rows)
        if self.decodes:
            y = torch.cat([y[..., :2] * SIDE, y[..., 2:]], 2)
        return y


class Decoded(Boxes):
    decodes = True


class ValuesFirst(Boxes):
    """As YOLOv8 exports: (4 + 4) x anchors, in pixels, no objectness."""
    decodes = True

    def forward(self, x):
        return super().forward(x).transpose(1, 2)


class Cube(Vector):
    def forward(self, x):
        return self.body(x).unsqueeze(0)


class Nothing(Vector):
    def forward(self, x):
        assert x.shape[2] == 32, "only pictures of 32 px"
        return self.body(x)


class Loud(Vector):
    def forward(self, x):
        print("a module prints this")
        return self.body(x).mean((2, 3))


class Text(Vector):
    def forward(self, x):
        return "a text"


class Empty(Vector):
    def forward(self, x):
        return ()


class NoValue(Vector):
    def forward(self, x):
        return None


class Whole(Vector):
    def forward(self, x):
        return self.body(x).mean((2, 3)).to(torch.int64)


class Scalar(Vector):
    def forward(self, x):
        return self.body(x).mean()


class Endless(Vector):
    """More than any machine's memory."""

    def forward(self, x):
        return torch.zeros([x.shape[0], 1 << 45])


class Fickle(Vector):
    """Another shape for another picture: white ones give a map, red ones none, blue ones raise."""

    def forward(self, x):
        y = self.body(x)
        if bool(x.min() > 2):
            return y.flatten(1)
        if bool(x[:, 0].min() > 2):
            return y.mean((2, 3))[:0]
        if bool(x[:, 2].min() > 2):
            assert y.numel() < 0, "no blue pictures"
        return y.mean((2, 3))


class NotFinite(Vector):
    """A black picture has no vector."""

    def forward(self, x):
        y = self.body(x).mean((2, 3))
        dark = (x.flatten(1).max(1)[0] < -1.7).to(x.dtype) * float("inf")
        return torch.where((dark > 0).unsqueeze(1), dark.unsqueeze(1) - dark.unsqueeze(1), y)


def _make(name):
    torch.manual_seed(3)
    model = globals()[name]().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return model


def export(name, path, how="trace"):
    model = _make(name)
    if how == "pickle":
        torch.save(model.state_dict(), path)
    elif how == "script":
        torch.jit.script(model).save(path)
    else:
        torch.jit.trace(model, torch.rand(2, 3, SIDE, SIDE), check_trace=False).save(path)


def run(name, pixels, mean, std):
    x = torch.from_numpy(pixels).double() / 255
    x = (x - torch.tensor(mean).double()) / torch.tensor(std).double()
    with torch.no_grad():
        out = _make(name).double()(x.permute(0, 3, 1, 2))
    return [part.numpy() for part in (out if isinstance(out, tuple) else (out,))]
