"""YOLOX (Ge et al. 2021) in torch, under the tensor names of Megvii's files: a reference to measure against.

A network is built from the two numbers of the paper, depth and width. What it gives is what Megvii's
head gives before its boxes are decoded: for each place of strides 8, 16 and 32 four offsets, and the
sigmoids of object and classes.
"""

import torch
from torch import nn

SIZES = {"nano": (0.33, 0.25), "tiny": (0.33, 0.375), "s": (0.33, 0.5), "m": (0.67, 0.75),
         "l": (1.0, 1.0), "x": (1.33, 1.25)}


class BaseConv(nn.Module):
    def __init__(self, inside, out, kernel, stride=1, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(inside, out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=1e-3)

    def forward(self, x):
        x = self.bn(self.conv(x))
        return x * torch.sigmoid(x)


class Separable(nn.Module):
    def __init__(self, inside, out, kernel, stride=1):
        super().__init__()
        self.dconv = BaseConv(inside, inside, kernel, stride, inside)
        self.pconv = BaseConv(inside, out, 1)

    def forward(self, x):
        return self.pconv(self.dconv(x))


class Bottleneck(nn.Module):
    def __init__(self, width, wide, adds):
        super().__init__()
        self.conv1, self.conv2, self.adds = BaseConv(width, width, 1), wide(width, width, 3), adds

    def forward(self, x):
        y = self.conv2(self.conv1(x))
        return x + y if self.adds else y


class Stage(nn.Module):
    """A cross-stage partial layer: half of the width goes through the blocks."""

    def __init__(self, inside, out, count, wide, adds=True):
        super().__init__()
        self.conv1, self.conv2 = BaseConv(inside, out // 2, 1), BaseConv(inside, out // 2, 1)
        self.conv3 = BaseConv(out, out, 1)
        self.m = nn.Sequential(*(Bottleneck(out // 2, wide, adds) for _ in range(count)))

    def forward(self, x):
        return self.conv3(torch.cat([self.m(self.conv1(x)), self.conv2(x)], 1))


class Pyramid(nn.Module):
    """The maxima of 5, 9 and 13 places, beside what they are of."""

    def __init__(self, width):
        super().__init__()
        self.conv1, self.conv2 = BaseConv(width, width // 2, 1), BaseConv(width * 2, width, 1)

    def forward(self, x):
        x = self.conv1(x)
        pools = [nn.functional.max_pool2d(x, side, 1, side // 2) for side in (5, 9, 13)]
        return self.conv2(torch.cat([x] + pools, 1))


class Focus(nn.Module):
    def __init__(self, out):
        super().__init__()
        self.conv = BaseConv(12, out, 3)

    def forward(self, x):
        return self.conv(torch.cat([x[..., row::2, column::2]
                                    for column in (0, 1) for row in (0, 1)], 1))


class Darknet(nn.Module):
    def __init__(self, width, depth, wide):
        super().__init__()
        self.stem = Focus(width)
        for stage, (blocks, factor) in enumerate(((1, 1), (3, 2), (3, 4), (1, 8)), 2):
            inside, out = width * factor, width * factor * 2
            parts = [wide(inside, out, 3, 2)]
            parts += [Pyramid(out)] if stage == 5 else []
            parts += [Stage(out, out, blocks * depth, wide, adds=stage < 5)]
            setattr(self, "dark%d" % stage, nn.Sequential(*parts))

    def forward(self, x):
        x = self.dark2(self.stem(x))
        x8 = self.dark3(x)
        x16 = self.dark4(x8)
        return x8, x16, self.dark5(x16)


class Neck(nn.Module):
    def __init__(self, width, depth, wide):
        super().__init__()
        a, b, c = 4 * width, 8 * width, 16 * width
        self.backbone = Darknet(width, depth, wide)
        self.lateral_conv0, self.reduce_conv1 = BaseConv(c, b, 1), BaseConv(b, a, 1)
        self.bu_conv2, self.bu_conv1 = wide(a, a, 3, 2), wide(b, b, 3, 2)
        self.C3_p4 = Stage(2 * b, b, depth, wide, adds=False)
        self.C3_p3 = Stage(2 * a, a, depth, wide, adds=False)
        self.C3_n3 = Stage(2 * a, b, depth, wide, adds=False)
        self.C3_n4 = Stage(2 * b, c, depth, wide, adds=False)

    def forward(self, x):
        def doubled(y):
            return y.repeat_interleave(2, 2).repeat_interleave(2, 3)

        x8, x16, x32 = self.backbone(x)
        top = self.lateral_conv0(x32)
        middle = self.reduce_conv1(self.C3_p4(torch.cat([doubled(top), x16], 1)))
        out8 = self.C3_p3(torch.cat([doubled(middle), x8], 1))
        out16 = self.C3_n3(torch.cat([self.bu_conv2(out8), middle], 1))
        return out8, out16, self.C3_n4(torch.cat([self.bu_conv1(out16), top], 1))


class Head(nn.Module):
    def __init__(self, width, wide, classes):
        super().__init__()
        own = 4 * width

        def twice():
            return nn.ModuleList(nn.Sequential(wide(own, own, 3), wide(own, own, 3))
                                 for _ in range(3))

        def last(count):
            return nn.ModuleList(nn.Conv2d(own, count, 1) for _ in range(3))

        self.stems = nn.ModuleList(BaseConv(own << level, own, 1) for level in range(3))
        self.cls_convs, self.reg_convs = twice(), twice()
        self.cls_preds, self.reg_preds, self.obj_preds = last(classes), last(4), last(1)

    def forward(self, levels):
        rows = []
        for i, x in enumerate(levels):
            x = self.stems[i](x)
            box = self.reg_convs[i](x)
            parts = [self.reg_preds[i](box), torch.sigmoid(self.obj_preds[i](box)),
                     torch.sigmoid(self.cls_preds[i](self.cls_convs[i](x)))]
            rows.append(torch.cat(parts, 1).flatten(2))
        return torch.cat(rows, 2).transpose(1, 2)


class Yolox(nn.Module):
    def __init__(self, size, classes=7):
        super().__init__()
        depth, width = SIZES[size]
        wide = Separable if size == "nano" else BaseConv
        self.backbone = Neck(int(width * 64), max(round(depth * 3), 1), wide)
        self.head = Head(int(width * 64), wide, classes)

    def forward(self, x):
        """`x` red, green, blue in 0..255, though the network wants blue first."""
        return self.head(self.backbone(x.flip(1)))


def folded(model):
    """The tensors with each batch norm in its convolution, as deployed files have them."""
    tensors = dict(model.state_dict())
    for name, module in model.named_modules():
        if isinstance(module, BaseConv):
            norm = module.bn
            scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
            tensors[name + ".conv.weight"] = (module.conv.weight.double() *
                                              scale.view(-1, 1, 1, 1)).float()
            tensors[name + ".conv.bias"] = (norm.bias.double() -
                                            norm.running_mean.double() * scale).float()
            for key in [key for key in tensors if key.startswith(name + ".bn.")]:
                del tensors[key]
    return tensors
