"""Modules as users write them, for `assay trace`: some are fine, each of the others is wrong in its own way."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import register_flop_formula

# --- what can be traced -----------------------------------------------------------------------------------------------


def encoder():
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
    return nn.TransformerEncoder(layer, 3)


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.both = nn.Transformer(64, 4, 2, 2, 128, batch_first=True)

    def forward(self, source, target):
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        return self.both(source, target, tgt_mask=mask)


translator = Translator


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.drop = heads, nn.Dropout(0.1)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, d)
        x = x + self.drop(self.out(y))
        return x + self.mlp(self.norm2(x))


class Gpt(nn.Module):
    """GPT-2's layers; the output matrix is the embedding."""

    def __init__(self, vocab=211, width=64, heads=4, layers=3, positions=32):
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocab, width), nn.Embedding(positions, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocab, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids, labels=None):
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))
        return logits if labels is None else functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


gpt = Gpt


def gpt2():
    return Gpt(50257, 768, 12, 12, 1024)


class Bottleneck(nn.Module):
    def __init__(self, inside, width, stride):
        super().__init__()
        wide = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(inside, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, wide, 1, bias=False), nn.BatchNorm2d(wide)
        self.relu = nn.ReLU(inplace=True)
        self.down = None
        if stride != 1 or inside != wide:
            self.down = nn.Sequential(nn.Conv2d(inside, wide, 1, stride, bias=False), nn.BatchNorm2d(wide))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(y)))))
        y += x if self.down is None else self.down(x)
        return self.relu(y)


class Resnet50(nn.Module):
    """ResNet-50 v1.5: the stride in the 3×3 convolution."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
                                  nn.MaxPool2d(3, 2, 1))  # fmt: skip
        layers, inside = [], 64
        for width, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for i in range(count):
                layers.append(Bottleneck(inside, width, stride if i == 0 else 1))
                inside = 4 * width
        self.layers, self.pool, self.fc = nn.Sequential(*layers), nn.AdaptiveAvgPool2d(1), nn.Linear(2048, 1000)

    def forward(self, x):
        return self.fc(self.pool(self.layers(self.stem(x))).flatten(1))


resnet50 = Resnet50


def mlp(*widths):
    layers = [layer for i, o in pairwise(widths) for layer in (nn.Linear(i, o), nn.ReLU())]
    return nn.Sequential(*layers)


class Dlrm(nn.Module):
    def __init__(self, rows=(1000, 200, 50), width=16):
        super().__init__()
        self.tables = nn.ModuleList(nn.EmbeddingBag(n, width, mode="sum") for n in rows)
        self.bottom = mlp(13, 64, width)
        self.top = mlp(width + len(rows) * (len(rows) + 1) // 2, 64, 1)

    def forward(self, dense, ids):
        x = self.bottom(dense)
        stacked = torch.stack([x, *(table(one) for table, one in zip(self.tables, ids.unbind(1), strict=True))], 1)
        dots = torch.bmm(stacked, stacked.transpose(1, 2))
        i, j = torch.tril_indices(dots.shape[1], dots.shape[2], -1, device=dots.device)
        return torch.sigmoid(self.top(torch.cat([x, dots[:, i, j]], 1)))


dlrm = Dlrm


def clicks(batch):
    return {"dense": torch.empty(batch, 13), "ids": torch.zeros(batch, 3, 4, dtype=torch.long)}


def lstm():
    return nn.LSTM(16, 32, num_layers=2, batch_first=True)


class Moe(nn.Module):
    """Two of four experts for each token, as grouped matrix products."""

    def __init__(self, width=64, wide=128, experts=4, chosen=2):
        super().__init__()
        self.chosen, self.router = chosen, nn.Linear(width, experts, bias=False, dtype=torch.bfloat16)
        self.up = nn.Parameter(torch.empty(experts, width, wide, dtype=torch.bfloat16))
        self.down = nn.Parameter(torch.empty(experts, wide, width, dtype=torch.bfloat16))

    def forward(self, x):
        tokens = x.flatten(0, 1).to(self.up.dtype)
        weight, expert = self.router(tokens).softmax(-1).topk(self.chosen)
        order = expert.flatten().argsort()
        ends = torch.histc(expert.flatten().float(), self.up.shape[0]).cumsum(0).int()
        grouped = getattr(functional, "grouped_mm", None) or torch._grouped_mm
        hidden = functional.silu(grouped(tokens[order // self.chosen], self.up, offs=ends))
        out = grouped(hidden, self.down, offs=ends) * weight.flatten()[order].unsqueeze(1)
        return torch.zeros_like(out[: len(tokens)]).index_add(0, order // self.chosen, out).view_as(x)


moe = Moe


def depthwise():
    convolutions = nn.Conv2d(8, 32, 3, 2, 1), nn.Conv2d(32, 32, 3, 1, 1, groups=32), nn.ConvTranspose2d(32, 8, 2, 2)
    return nn.Sequential(*convolutions, nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4))


@dataclass
class Output:
    scores: torch.Tensor
    picks: torch.Tensor
    more: dict


class Mixed(nn.Module):
    """In place, views, several formats, integer results, a frozen layer and a buffer; its output is a dataclass."""

    def __init__(self):
        super().__init__()
        self.low, self.fc = nn.Linear(16, 16, dtype=torch.bfloat16), nn.Linear(16, 8)
        self.frozen = nn.Linear(8, 8)
        self.frozen.requires_grad_(False)
        self.register_buffer("scale", torch.ones(8))

    def forward(self, x, mask):
        y = self.low(x.bfloat16()).float().view(x.shape[0], 16)
        y.mul_(2).masked_fill_(~mask.unsqueeze(1), 0)
        y = self.frozen(self.fc(y)) * self.scale
        return Output(scores=y, picks=y.argmax(-1), more={"twice": (2 * y,)})


mixed = Mixed


class Contrastive(nn.Module):
    """Each sample against each other: what it does grows with the square of the batch."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(16, 32)

    def forward(self, x):
        y = self.fc(x)
        return functional.cross_entropy(y @ y.T, torch.arange(len(y), device=y.device))


contrastive = Contrastive


class EachAlone(nn.Module):
    """A loop over the samples."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(16, 8)

    def forward(self, x):
        return torch.stack([self.fc(one) for one in x])


each_alone = EachAlone


class Fourier(nn.Module):
    def __init__(self):
        super().__init__()
        self.filter = nn.Parameter(torch.empty(33, dtype=torch.complex64))

    def forward(self, x):
        return torch.fft.irfft(torch.fft.rfft(x) * self.filter, n=64)


fourier = Fourier


def scheduled():
    """Reads a number out of a tensor while it is built, as libraries of pictures do."""
    return nn.Sequential(*(nn.Sequential(nn.Linear(8, 8), nn.Dropout(p.item())) for p in torch.linspace(0, 0.5, 3)))


class Spectrum(nn.Module):
    """Ends in an operation whose work nobody has written down."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        y = self.fc(x)
        return torch.linalg.eigvalsh(y.transpose(1, 2) @ y)


spectrum = Spectrum


@torch.library.custom_op("nets::product", mutates_args=())
def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a @ b


@product.register_fake
def _(a, b):
    return a.new_empty(a.shape[0], b.shape[1])


@register_flop_formula(torch.ops.nets.product)
def _(a, b, *_, out_shape=None, **__):
    return 2 * a[0] * a[1] * b[1]


class Told(nn.Module):
    """An operation of its own, whose work it says."""

    def __init__(self):
        super().__init__()
        self.fc, self.other = nn.Linear(8, 8), nn.Parameter(torch.empty(8, 4), requires_grad=False)

    def forward(self, x):
        return self.fc(x).sum() + product(x, self.other).sum()


told = Told


def stack():
    return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 4))


class LayerDrop(nn.Module):
    """Leaves layers out by chance, as models of speech do."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))

    def forward(self, x):
        for layer in self.layers:
            if torch.rand([]) >= 0.5:
                x = layer(x)
        return x


layer_drop = LayerDrop


class OnHost(nn.Module):
    """Adds a constant that lies in the host's memory."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        return self.fc(x) + torch.ones(8, device="cpu")


on_host = OnHost


def moe32():
    return Moe().float()


# --- what cannot ------------------------------------------------------------------------------------------------------


@torch.library.custom_op("nets::secret", mutates_args=())
def secret(x: torch.Tensor) -> torch.Tensor:
    return x * 2


@secret.register_fake
def _(x):
    return torch.empty_like(x)


secret.register_autograd(lambda ctx, grad: grad * 2)


class Custom(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.inner = nn.Sequential(Secret())

    def forward(self, x):
        return self.inner(self.fc(x))


class Secret(nn.Module):
    def forward(self, x):
        return torch.ops.nets.secret(x)


custom = Custom


class Choosing(nn.Module):
    """Keeps what is above zero: how much that is only data can tell."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        y = self.fc(x)
        return y[y > 0].sum()


choosing = Choosing


def on_gpu():
    return nn.Linear(8, 8).to("cuda")


def from_file():
    return torch.load("weights.pt")


def raising():
    message = "no such size"
    raise ValueError(message)


def wanting(width):
    return nn.Linear(width, 8)


def nothing():
    return 3


constant = 5
