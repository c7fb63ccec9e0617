"""Detectors by hand: RetinaNet with ResNeXt50 as MLPerf has it, Mask R-CNN with ResNet-50. Regions are made up."""

from __future__ import annotations

import torch
from pictures import Body
from torch import nn


class Still(nn.Module):
    """A frozen batch norm: nothing to learn, nothing that a FLOP counter sees."""

    def __init__(self, _width):
        super().__init__()

    def forward(self, x):
        return x * 2.0


def frozen(body):
    """Stem and first stage do not learn."""
    for part in (body.stem, body.stages[0]):
        part.requires_grad_(requires_grad=False)
    return body


class Pyramid(nn.Module):
    """Lin et al. 2017: each stage to one width, with what is above it added."""

    def __init__(self, widths):
        super().__init__()
        self.inner = nn.ModuleList(nn.Conv2d(w, 256, 1) for w in widths)
        self.outer = nn.ModuleList(nn.Conv2d(256, 256, 3, padding=1) for _ in widths)

    def forward(self, stages):
        inner = [one(x) for one, x in zip(self.inner, stages, strict=True)]
        for i in range(len(inner) - 2, -1, -1):
            inner[i] = inner[i] + nn.functional.interpolate(inner[i + 1], size=inner[i].shape[-2:])
        return [one(x) for one, x in zip(self.outer, inner, strict=True)]


def tower(depth, last):
    """Convolutions that all levels of a pyramid share."""
    return nn.Sequential(
        *(p for _ in range(depth) for p in (nn.Conv2d(256, 256, 3, padding=1), nn.ReLU())),
        nn.Conv2d(256, last, 3, padding=1),
    )


class Retinanet(nn.Module):
    def __init__(self, classes=264, anchors=9):
        super().__init__()
        self.body, self.pyramid = frozen(Body(groups=32, width=128, norm=Still)), Pyramid((512, 1024, 2048))
        self.p6, self.p7 = nn.Conv2d(256, 256, 3, 2, 1), nn.Conv2d(256, 256, 3, 2, 1)
        self.classes, self.boxes = tower(4, anchors * classes), tower(4, anchors * 4)

    def forward(self, x):
        levels = self.pyramid(self.body(x)[1:])
        levels.append(self.p6(levels[-1]))
        levels.append(self.p7(levels[-1].relu()))
        return [head(level) for level in levels for head in (self.classes, self.boxes)]


class MaskRcnn(nn.Module):
    def __init__(self, classes=91, regions=512, masked=128):
        super().__init__()
        self.regions, self.masked = regions, masked
        self.body, self.pyramid = frozen(Body(norm=Still)), Pyramid((256, 512, 1024, 2048))
        self.seen = nn.Conv2d(256, 256, 3, padding=1)
        self.objects, self.moves = nn.Conv2d(256, 3, 1), nn.Conv2d(256, 12, 1)
        self.box = nn.Sequential(nn.Linear(256 * 49, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU())
        self.names, self.boxes = nn.Linear(1024, classes), nn.Linear(1024, 4 * classes)
        self.mask = nn.Sequential(
            *(p for _ in range(4) for p in (nn.Conv2d(256, 256, 3, padding=1), nn.ReLU())),
            nn.ConvTranspose2d(256, 256, 2, 2), nn.ReLU(), nn.Conv2d(256, classes, 1),
        )  # fmt: skip

    def forward(self, x):
        levels = self.pyramid(self.body(x))
        levels.append(nn.functional.max_pool2d(levels[-1], 1, 2))
        shared = [self.seen(level).relu() for level in levels]
        found = [head(level) for level in shared for head in (self.objects, self.moves)]
        some = levels[0].mean()
        pooled = self.box(some * x.new_empty(len(x) * self.regions, 256 * 49))
        masks = self.mask(some * x.new_empty(len(x) * self.masked, 256, 14, 14))
        return [*found, self.names(pooled), self.boxes(pooled), masks]


MODELS = {
    "ssd-retinanet-resnext50": lambda b: (Retinanet(), [torch.empty(b, 3, 800, 800)]),
    "mask-r-cnn-r50-fpn": lambda b: (MaskRcnn(), [torch.empty(b, 3, 800, 1216)]),
}
