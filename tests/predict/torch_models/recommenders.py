"""Recommenders by hand: DLRM's dot products and DCNv2's low-rank crosses, with small tables."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

ROWS, DIM, DENSE, BOTTOM = [100] * 26, 128, 13, (512, 256, 128)
TOP, CROSSES, RANK = (1024, 1024, 512, 256, 1), 3, 512


def mlp(widths):
    return nn.Sequential(*(p for i, o in pairwise(widths) for p in (nn.Linear(i, o), nn.ReLU())))


class Dlrm(nn.Module):
    def __init__(self, crosses=0):
        super().__init__()
        vectors = len(ROWS) + 1
        self.tables = nn.ModuleList(nn.Embedding(rows, DIM) for rows in ROWS)
        self.bottom = mlp((DENSE, *BOTTOM))
        width = vectors * DIM if crosses else DIM + vectors * (vectors - 1) // 2
        self.narrow = nn.ModuleList(nn.Linear(width, RANK, bias=False) for _ in range(crosses))
        self.widen = nn.ModuleList(nn.Linear(RANK, width) for _ in range(crosses))
        self.top = mlp((width, *TOP))

    def forward(self, dense, rows):
        low = self.bottom(dense)
        vectors = torch.stack([low, *(table(rows[:, i]) for i, table in enumerate(self.tables))], 1)
        if not self.narrow:
            dots = vectors @ vectors.transpose(1, 2)
            many = len(ROWS) + 1
            return self.top(torch.cat([low, dots.flatten(1)[:, : many * (many - 1) // 2]], 1))
        first = x = vectors.flatten(1)
        for narrow, widen in zip(self.narrow, self.widen, strict=True):
            x = first * widen(narrow(x)) + x
        return self.top(x)


def _inputs(b):
    return [torch.empty(b, DENSE), torch.empty(b, len(ROWS), dtype=torch.int64)]


MODELS = {"dlrm": lambda b: (Dlrm(), _inputs(b)), "dcnv2": lambda b: (Dlrm(CROSSES), _inputs(b))}
