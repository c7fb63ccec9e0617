"""Models of sequences by hand: decoders (dense, experts, latent attention), BERT, T5, ViT, LSTM and RNN-T."""

from __future__ import annotations

import torch
from diffusion import Looks, Told
from torch import nn

HIDDEN, HEADS, WIDE, VOCAB, LENGTH, WRITES = 256, 4, 1024, 1000, 64, 40


class Grouped(nn.Module):
    """Attention with fewer heads of keys and values, and no biases."""

    def __init__(self, hidden, heads, kv_heads, width):
        super().__init__()
        self.heads, self.kv_heads, self.width = heads, kv_heads, width
        self.qkv = nn.Linear(hidden, (heads + 2 * kv_heads) * width, bias=False)
        self.out = nn.Linear(heads * width, hidden, bias=False)

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (-1, self.width)).transpose(1, 2).split(
            [self.heads, self.kv_heads, self.kv_heads], 1
        )  # fmt: skip
        k, v = (t.repeat_interleave(self.heads // self.kv_heads, 1) for t in (k, v))
        return self.out(((q @ k.transpose(2, 3)).softmax(-1) @ v).transpose(1, 2).flatten(2))


class Latent(nn.Module):
    """Multi-head latent attention (DeepSeek-V2, §2.1)."""

    def __init__(self, hidden, heads, head, rope, value, q_rank, kv_rank):
        super().__init__()
        self.sizes, self.rope, self.kv_rank = (heads, head, value), rope, kv_rank
        self.q_down, self.q_norm = nn.Linear(hidden, q_rank, bias=False), nn.RMSNorm(q_rank)
        self.q_up = nn.Linear(q_rank, heads * head, bias=False)
        self.kv_down, self.kv_norm = nn.Linear(hidden, kv_rank + rope, bias=False), nn.RMSNorm(kv_rank)
        self.kv_up = nn.Linear(kv_rank, heads * (head - rope + value), bias=False)
        self.out = nn.Linear(heads * value, hidden, bias=False)

    def forward(self, x):
        heads, head, value = self.sizes
        q = self.q_up(self.q_norm(self.q_down(x))).unflatten(-1, (heads, head)).transpose(1, 2)
        latent, rope = self.kv_down(x).split([self.kv_rank, self.rope], -1)
        kv = self.kv_up(self.kv_norm(latent)).unflatten(-1, (heads, -1)).transpose(1, 2)
        k, v = kv.split([head - self.rope, value], -1)
        k = torch.cat([k, rope[:, None].expand(-1, heads, -1, -1)], -1)
        return self.out(((q @ k.transpose(2, 3)).softmax(-1) @ v).transpose(1, 2).flatten(2))


class Swiglu(nn.Module):
    def __init__(self, hidden, wide):
        super().__init__()
        self.up, self.down = nn.Linear(hidden, 2 * wide, bias=False), nn.Linear(wide, hidden, bias=False)

    def forward(self, x):
        value, gate = self.up(x).chunk(2, -1)
        return self.down(value * nn.functional.silu(gate))


class Experts(nn.Module):
    """Two of eight experts a token, each as often as the others; and one that every token visits."""

    def __init__(self, hidden, wide, experts=8, visited=2):
        super().__init__()
        self.experts, self.visited = experts, visited
        self.router, self.shared = nn.Linear(hidden, experts, bias=False), Swiglu(hidden, wide)
        self.up = nn.Parameter(torch.empty(experts, hidden, 2 * wide))
        self.down = nn.Parameter(torch.empty(experts, wide, hidden))

    def forward(self, x):
        rows = x.flatten(0, 1)
        weighed = rows * self.router(rows).softmax(-1).sum(-1, keepdim=True)
        sent = weighed.repeat_interleave(self.visited, 0).unflatten(0, (self.experts, -1))
        value, gate = torch.bmm(sent, self.up).chunk(2, -1)
        back = torch.bmm(value * nn.functional.silu(gate), self.down)
        return back.flatten(0, 1).unflatten(0, (len(rows), self.visited)).sum(1).view_as(x) + self.shared(x)


class Decoder(nn.Module):
    def __init__(self, attention, ffn, layers=2):
        super().__init__()
        self.embedding, self.last = nn.Embedding(VOCAB, HIDDEN), nn.RMSNorm(HIDDEN)
        self.norms = nn.ModuleList(nn.RMSNorm(HIDDEN) for _ in range(2 * layers))
        self.attention = nn.ModuleList(attention() for _ in range(layers))
        self.ffn = nn.ModuleList(ffn() for _ in range(layers))
        self.head = nn.Linear(HIDDEN, VOCAB, bias=False)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for i, (looks, ffn) in enumerate(zip(self.attention, self.ffn, strict=True)):
            x = x + looks(self.norms[2 * i](x))
            x = x + ffn(self.norms[2 * i + 1](x))
        return self.head(self.last(x))


class Bert(nn.Module):
    """With its pooler, which only parameters are counted of, and no language head."""

    def __init__(self, layers=2):
        super().__init__()
        self.words, self.places, self.kinds = (nn.Embedding(n, HIDDEN) for n in (VOCAB, 512, 2))
        self.norm = nn.LayerNorm(HIDDEN)
        self.blocks = nn.Sequential(*(Told(HIDDEN, HEADS) for _ in range(layers)))
        self.pooler = nn.Linear(HIDDEN, HIDDEN)

    def forward(self, tokens):
        return self.blocks(self.norm(self.words(tokens)))


class T5(nn.Module):
    """The first generation: ReLU, no biases, an output tied to the embedding."""

    def __init__(self, layers=2):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, HIDDEN)
        own = lambda: Grouped(HIDDEN, HEADS, HEADS, 64)  # noqa: E731
        plain = lambda: nn.Sequential(  # noqa: E731
            nn.Linear(HIDDEN, WIDE, bias=False), nn.ReLU(), nn.Linear(WIDE, HIDDEN, bias=False)
        )
        self.reads = nn.ModuleList(nn.ModuleList([own(), plain()]) for _ in range(layers))
        self.writes = nn.ModuleList(nn.ModuleList([own(), self._cross(), plain()]) for _ in range(layers))
        self.norms = nn.ModuleList(nn.RMSNorm(HIDDEN) for _ in range(5 * layers + 2))
        self.places = nn.ModuleList(nn.Embedding(32, HEADS) for _ in range(2))

    @staticmethod
    def _cross():
        looks = Looks(HIDDEN, HEADS)
        looks.out = nn.Linear(HIDDEN, HIDDEN, bias=False)
        return looks

    def forward(self, source, target):
        x, y = self.embedding(source), self.embedding(target)
        for own, ffn in self.reads:
            x = x + own(x)
            x = x + ffn(x)
        for own, cross, ffn in self.writes:
            y = y + own(y)
            y = y + cross(y, x)
            y = y + ffn(y)
        return y @ self.embedding.weight.t()


class Vit(nn.Module):
    def __init__(self, hidden=768, heads=12, layers=12):
        super().__init__()
        self.patches, self.token = nn.Conv2d(3, hidden, 16, 16), nn.Parameter(torch.empty(1, 1, hidden))
        self.places, self.last = nn.Parameter(torch.empty(1, 197, hidden)), nn.LayerNorm(hidden)
        self.blocks = nn.Sequential(*(Told(hidden, heads) for _ in range(layers)))
        self.classes = nn.Linear(hidden, 1000)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        return self.classes(self.last(self.blocks(x))[:, 0])


# --- step by step -----------------------------------------------------------------------------------------------------


class Lstm(nn.Module):
    """Two layers read both ways and projected, every step scored over the vocabulary."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, 128)
        self.layers = nn.LSTM(128, 256, num_layers=2, bidirectional=True, proj_size=64, batch_first=True)
        self.outputs = nn.Linear(128, VOCAB)

    def forward(self, tokens):
        return self.outputs(self.layers(self.embedding(tokens))[0])


class Rnnt(nn.Module):
    """MLPerf's: an encoder that halves time after two layers, a prediction network, and a joint network."""

    def __init__(self):
        super().__init__()
        self.before = nn.LSTM(240, 1024, num_layers=2, batch_first=True)
        self.after = nn.LSTM(2048, 1024, num_layers=3, batch_first=True)
        self.embedding, self.prediction = nn.Embedding(1023, 512), nn.LSTM(512, 512, num_layers=2, batch_first=True)
        self.of_encoder, self.of_prediction = nn.Linear(1024, 512), nn.Linear(512, 512)
        self.outputs = nn.Linear(512, 1024)

    def forward(self, sound, labels):
        x = self.before(sound)[0]
        x = self.after(x.unflatten(1, (-1, 2)).flatten(2))[0]
        y = nn.functional.pad(self.embedding(labels), (0, 0, 1, 0))
        y = self.prediction(y)[0]
        pairs = self.of_encoder(x)[:, :, None] + self.of_prediction(y)[:, None]
        return self.outputs(pairs.relu())


def _words(b, length=LENGTH):
    return torch.empty(b, length, dtype=torch.int64)


MODELS = {
    "decoder": lambda b: (Decoder(lambda: Grouped(HIDDEN, HEADS, 2, 64), lambda: Swiglu(HIDDEN, WIDE)), [_words(b)]),
    "experts": lambda b: (Decoder(lambda: Grouped(HIDDEN, HEADS, 2, 64), lambda: Experts(HIDDEN, 512)), [_words(b)]),
    "latent": lambda b: (
        Decoder(lambda: Latent(HIDDEN, HEADS, 96, 32, 64, 128, 64), lambda: Swiglu(HIDDEN, WIDE)), [_words(b)]
    ),
    "bert": lambda b: (Bert(), [_words(b)]),
    "t5": lambda b: (T5(), [_words(b), _words(b, WRITES)]),
    "vit-b-16": lambda b: (Vit(), [torch.empty(b, 3, 224, 224)]),
    "lstm": lambda b: (Lstm(), [_words(b)]),
    "rnn-t": lambda b: (Rnnt(), [torch.empty(b, 410, 240), _words(b, 50)]),
}  # fmt: skip
