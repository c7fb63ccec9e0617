"""Convolutional networks by hand: ResNet-50 and its kin, EfficientNet-B0, the 3D U-Net of MLPerf."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn


class Bottleneck(nn.Module):
    def __init__(self, into, width, out, stride, groups=1, norm=nn.BatchNorm2d):
        super().__init__()
        self.one, self.norm1 = nn.Conv2d(into, width, 1, bias=False), norm(width)
        self.two, self.norm2 = nn.Conv2d(width, width, 3, stride, 1, groups=groups, bias=False), norm(width)
        self.three, self.norm3 = nn.Conv2d(width, out, 1, bias=False), norm(out)
        self.around = None
        if into != out or stride > 1:
            self.around = nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), norm(out))

    def forward(self, x):
        y = self.norm1(self.one(x)).relu()
        y = self.norm2(self.two(y)).relu()
        return (self.norm3(self.three(y)) + (self.around(x) if self.around else x)).relu()


class Body(nn.Module):
    """A residual network without its classifier; hands on what each of its four stages makes."""

    def __init__(self, groups=1, width=64, norm=nn.BatchNorm2d):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), norm(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.stages, into = nn.ModuleList(), 64
        for i, count in enumerate((3, 4, 6, 3)):
            blocks = []
            for j in range(count):
                stride = 2 if i and not j else 1
                blocks.append(Bottleneck(into, width << i, 256 << i, stride, groups, norm))
                into = 256 << i
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x):
        x, made = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            made.append(x)
        return made


class Resnet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.classes = Body(), nn.Linear(2048, 1000)

    def forward(self, x):
        return self.classes(self.body(x)[-1].mean((2, 3)))


class Inverted(nn.Module):
    """An inverted bottleneck with a depthwise convolution and squeeze-and-excitation."""

    def __init__(self, into, out, kernel, stride, expansion):
        super().__init__()
        wide, few = into * expansion, into // 4
        self.open = nn.Sequential()
        if expansion > 1:
            self.open = nn.Sequential(nn.Conv2d(into, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.SiLU())
        self.depth = nn.Sequential(
            nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.SiLU()
        )
        self.squeeze = nn.Sequential(nn.Conv2d(wide, few, 1), nn.SiLU(), nn.Conv2d(few, wide, 1), nn.Sigmoid())
        self.close = nn.Sequential(nn.Conv2d(wide, out, 1, bias=False), nn.BatchNorm2d(out))
        self.residual = stride == 1 and into == out

    def forward(self, x):
        y = self.depth(self.open(x))
        y = self.close(y * self.squeeze(y.mean((2, 3), keepdim=True)))
        return x + y if self.residual else y


def efficientnet_b0():
    """Tan and Le 2019, table 1."""
    stages = [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
              (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)]  # fmt: skip
    parts, into = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.SiLU()], 32
    for expansion, kernel, stride, out, count in stages:
        for i in range(count):
            parts.append(Inverted(into, out, kernel, 1 if i else stride, expansion))
            into = out
    top = [nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*parts, *top, nn.Linear(1280, 1000))


def pair(into, out, stride=1):
    """Two convolutions of a volume, each with a norm."""
    parts = []
    for i, s in ((into, stride), (out, 1)):
        parts += [nn.Conv3d(i, out, 3, s, 1, bias=False), nn.InstanceNorm3d(out, affine=True), nn.ReLU()]
    return nn.Sequential(*parts)


class Unet3d(nn.Module):
    """MLPerf's: six levels down to an edge of 4, five up."""

    def __init__(self, widths=(32, 64, 128, 256, 320, 320)):
        super().__init__()
        self.first = pair(1, widths[0])
        steps = list(pairwise(widths))
        self.down = nn.ModuleList(pair(i, o, 2) for i, o in steps)
        self.wide = nn.ModuleList(nn.ConvTranspose3d(o, i, 2, 2) for i, o in reversed(steps))
        self.up = nn.ModuleList(pair(2 * i, i) for i, _ in reversed(steps))
        self.last = nn.Conv3d(widths[0], 3, 1)

    def forward(self, x):
        x, skips = self.first(x), []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for wide, up in zip(self.wide, self.up, strict=True):
            x = up(torch.cat([wide(x), skips.pop()], 1))
        return self.last(x)


MODELS = {
    "resnet-50": lambda b: (Resnet(), [torch.empty(b, 3, 224, 224)]),
    "efficientnet-b0": lambda b: (efficientnet_b0(), [torch.empty(b, 3, 224, 224)]),
    "unet-3d": lambda b: (Unet3d(), [torch.empty(b, 1, 128, 128, 128)]),
}
