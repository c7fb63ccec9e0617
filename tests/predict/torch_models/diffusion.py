"""Latent-diffusion UNets with their text encoder, DiT and Swin by hand."""

from __future__ import annotations

import torch
from torch import nn


class Looks(nn.Module):
    """Attention as matrices in memory, so that every product is counted."""

    def __init__(self, hidden, heads, context=None, qkv_bias=False, inner=None):
        super().__init__()
        inner = inner or hidden
        self.heads = heads
        self.q = nn.Linear(hidden, inner, bias=qkv_bias)
        self.k = nn.Linear(context or hidden, inner, bias=qkv_bias)
        self.v = nn.Linear(context or hidden, inner, bias=qkv_bias)
        self.out = nn.Linear(inner, hidden)

    def forward(self, x, context=None, bias=None):
        at = x if context is None else context
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (self.q(x), self.k(at), self.v(at)))
        scores = q @ k.transpose(2, 3)
        if bias is not None:
            scores = scores + bias
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


def mlp(hidden, wide):
    return nn.Sequential(nn.Linear(hidden, wide), nn.GELU(), nn.Linear(wide, hidden))


# --- Stable Diffusion -------------------------------------------------------------------------------------------------


class Res(nn.Module):
    def __init__(self, into, out, time=1280):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(32, into), nn.Conv2d(into, out, 3, padding=1)
        self.time = nn.Linear(time, out)
        self.norm2, self.conv2 = nn.GroupNorm(32, out), nn.Conv2d(out, out, 3, padding=1)
        self.around = nn.Conv2d(into, out, 1) if into != out else nn.Identity()

    def forward(self, x, t):
        y = self.conv1(nn.functional.silu(self.norm1(x))) + self.time(t)[:, :, None, None]
        return self.around(x) + self.conv2(nn.functional.silu(self.norm2(y)))


class Reads(nn.Module):
    """Tokens of one resolution: self-attention, cross-attention to the text, GEGLU."""

    def __init__(self, hidden, heads, context):
        super().__init__()
        self.norm, self.into, self.back = (
            nn.GroupNorm(32, hidden), nn.Conv2d(hidden, hidden, 1), nn.Conv2d(hidden, hidden, 1)
        )  # fmt: skip
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(3))
        self.own, self.cross = Looks(hidden, heads), Looks(hidden, heads, context)
        self.up, self.down = nn.Linear(hidden, 8 * hidden), nn.Linear(4 * hidden, hidden)

    def forward(self, x, text):
        y = self.into(self.norm(x)).flatten(2).transpose(1, 2)
        y = y + self.own(self.norms[0](y))
        y = y + self.cross(self.norms[1](y), text)
        value, gate = self.up(self.norms[2](y)).chunk(2, -1)
        y = y + self.down(value * nn.functional.gelu(gate))
        return x + self.back(y.transpose(1, 2).unflatten(2, x.shape[2:]))


class Unet(nn.Module):
    """The text encoder runs beside it and does not learn."""

    def __init__(self, context, heads, text_layers):
        super().__init__()
        widths, read = (320, 640, 1280, 1280), lambda i, w: Reads(w, heads(w), context) if i < 3 else None
        self.beside = nn.Sequential(*(Told(context, context // 64) for _ in range(text_layers)))
        self.first, self.last = nn.Conv2d(4, 320, 3, padding=1), nn.Conv2d(320, 4, 3, padding=1)
        self.time = nn.Sequential(nn.Linear(320, 1280), nn.SiLU(), nn.Linear(1280, 1280))
        self.norm = nn.GroupNorm(32, 320)
        self.down, self.up, into, skips = nn.ModuleList(), nn.ModuleList(), 320, [320]
        for i, width in enumerate(widths):
            for _ in range(2):
                self.down.append(nn.ModuleList([Res(into, width), read(i, width) or nn.Identity()]))
                into = width
                skips.append(into)
            if i < 3:
                self.down.append(nn.Conv2d(into, into, 3, 2, 1))
                skips.append(into)
        self.middle = nn.ModuleList([Res(1280, 1280), Reads(1280, heads(1280), context), Res(1280, 1280)])
        for i, width in reversed(list(enumerate(widths))):
            for _ in range(3):
                self.up.append(nn.ModuleList([Res(into + skips.pop(), width), read(i, width) or nn.Identity()]))
                into = width
            if i:
                self.up.append(nn.Conv2d(into, into, 3, padding=1))

    def forward(self, x, t, text):
        with torch.no_grad():
            text = self.beside(text)
        t = nn.functional.silu(self.time(t))
        x = self.first(x)
        skips = [x]
        for part in self.down:
            x = part(x) if isinstance(part, nn.Conv2d) else self._block(part, x, t, text)
            skips.append(x)
        x = self.middle[2](self.middle[1](self.middle[0](x, t), text), t)
        for part in self.up:
            if isinstance(part, nn.Conv2d):
                x = part(nn.functional.interpolate(x, scale_factor=2))
            else:
                x = self._block(part, torch.cat([x, skips.pop()], 1), t, text)
        return self.last(nn.functional.silu(self.norm(x)))

    @staticmethod
    def _block(part, x, t, text):
        x = part[0](x, t)
        return part[1](x, text) if isinstance(part[1], Reads) else x


class Told(nn.Module):
    """A layer of a text encoder, or of any transformer with norms before."""

    def __init__(self, hidden, heads):
        super().__init__()
        self.norm1, self.looks = nn.LayerNorm(hidden), Looks(hidden, heads, qkv_bias=True)
        self.norm2, self.mlp = nn.LayerNorm(hidden), mlp(hidden, 4 * hidden)

    def forward(self, x):
        x = x + self.looks(self.norm1(x))
        return x + self.mlp(self.norm2(x))


# --- DiT --------------------------------------------------------------------------------------------------------------


class Modulated(nn.Module):
    def __init__(self, hidden, heads):
        super().__init__()
        self.looks, self.mlp = Looks(hidden, heads, qkv_bias=True), mlp(hidden, 4 * hidden)
        self.vectors = nn.Linear(hidden, 6 * hidden)
        self.norm = nn.LayerNorm(hidden, elementwise_affine=False)

    def forward(self, x, condition):
        a, b, c, d, e, f = self.vectors(nn.functional.silu(condition))[:, None].chunk(6, -1)
        x = x + c * self.looks(self.norm(x) * (1 + b) + a)
        return x + f * self.mlp(self.norm(x) * (1 + e) + d)


class Dit(nn.Module):
    def __init__(self, depth, hidden, heads, tokens=256):
        super().__init__()
        self.patches = nn.Conv2d(4, hidden, 2, 2)
        self.places = nn.Parameter(torch.empty(1, tokens, hidden), requires_grad=False)
        self.time = nn.Sequential(nn.Linear(256, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.labels = nn.Embedding(1001, hidden)
        self.blocks = nn.ModuleList(Modulated(hidden, heads) for _ in range(depth))
        self.vectors, self.last = nn.Linear(hidden, 2 * hidden), nn.Linear(hidden, 32)
        self.norm = nn.LayerNorm(hidden, elementwise_affine=False)

    def forward(self, x, t, label):
        x = self.patches(x).flatten(2).transpose(1, 2) + self.places
        condition = self.time(t) + self.labels(label)
        for block in self.blocks:
            x = block(x, condition)
        shift, scale = self.vectors(nn.functional.silu(condition))[:, None].chunk(2, -1)
        return self.last(self.norm(x) * (1 + scale) + shift)


# --- Swin -------------------------------------------------------------------------------------------------------------


class Windowed(nn.Module):
    def __init__(self, hidden, heads, window=7):
        super().__init__()
        self.window = window
        self.norm1, self.norm2, self.mlp = nn.LayerNorm(hidden), nn.LayerNorm(hidden), mlp(hidden, 4 * hidden)
        self.looks = Looks(hidden, heads, qkv_bias=True)
        self.places = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))

    def forward(self, x):
        n, h, w, c = x.shape
        k, places = self.window, self.window**2
        bias = self.places.sum(0).reshape(1, -1, 1, 1).expand(1, -1, places, places)
        y = self.norm1(x).reshape(n, h // k, k, w // k, k, c).transpose(2, 3).reshape(-1, places, c)
        y = self.looks(y, bias=bias).reshape(n, h // k, w // k, k, k, c).transpose(2, 3).reshape(n, h, w, c)
        x = x + y
        return x + self.mlp(self.norm2(x))


class Merge(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.norm, self.narrow = nn.LayerNorm(4 * hidden), nn.Linear(4 * hidden, 2 * hidden, bias=False)

    def forward(self, x):
        n, h, w, c = x.shape
        x = x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(2, 3).reshape(n, h // 2, w // 2, 4 * c)
        return self.narrow(self.norm(x))


class Swin(nn.Module):
    def __init__(self, depths=(2, 2, 18, 2), hidden=128, heads=4):
        super().__init__()
        self.patches, self.norm = nn.Conv2d(3, hidden, 4, 4), nn.LayerNorm(hidden)
        parts = []
        for i, depth in enumerate(depths):
            parts += [Merge(hidden << i - 1)] if i else []
            parts += [Windowed(hidden << i, heads << i) for _ in range(depth)]
        self.parts, width = nn.Sequential(*parts), hidden << len(depths) - 1
        self.last, self.classes = nn.LayerNorm(width), nn.Linear(width, 1000)

    def forward(self, x):
        x = self.parts(self.norm(self.patches(x).permute(0, 2, 3, 1)))
        return self.classes(self.last(x).mean((1, 2)))


def _noisy(b, context):
    return [torch.empty(b, 4, 64, 64), torch.empty(b, 320), torch.empty(b, 77, context)]


def _labelled(b):
    return [torch.empty(b, 4, 32, 32), torch.empty(b, 256), torch.empty(b, dtype=torch.int64)]


MODELS = {
    "stable-diffusion-v2": lambda b: (Unet(1024, lambda w: w // 64, 23), _noisy(b, 1024)),
    "stable-diffusion-v1.5": lambda b: (Unet(768, lambda _: 8, 12), _noisy(b, 768)),
    "dit-xl-2": lambda b: (Dit(28, 1152, 16), _labelled(b)),
    "dit-b-2": lambda b: (Dit(12, 768, 12), _labelled(b)),
    "dit-s-2": lambda b: (Dit(12, 384, 6), _labelled(b)),
    "swin-base": lambda b: (Swin(), [torch.empty(b, 3, 224, 224)]),
}
