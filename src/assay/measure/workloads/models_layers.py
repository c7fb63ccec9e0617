"""What the models of train-step are built of.

A model is a tree of parts: modules by name, and a function from input to output. PyTorch is handed in, never imported:
this file is also read where there is none. `How` says in which of the ways that give the same result a model computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """Ways to compute the same: attention with its scores in memory or not, activations kept or computed again."""

    eager: bool = False
    recompute: bool = False


def part(torch: Any, forward: Any, **parts: Any) -> Any:
    """A module that holds `parts` and whose forward pass is `forward(module, *inputs)`; a bare tensor is a constant."""
    return _part(torch)(forward, parts)


@lru_cache(maxsize=1)
def _part(torch: Any) -> Any:
    class Part(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, run: Any, parts: dict[str, Any]) -> None:
            super().__init__()
            self.run = run
            for name, one in parts.items():
                if isinstance(one, torch.Tensor) and not isinstance(one, torch.nn.Parameter):
                    self.register_buffer(name, one, persistent=False)
                else:
                    setattr(self, name, one)

        def forward(self, *inputs: Any) -> Any:
            return self.run(self, *inputs)

    return Part


def layer(torch: Any, how: How, forward: Any, **parts: Any) -> Any:
    """A part whose activations are computed again in the backward pass, where that was asked for."""
    if not how.recompute:
        return part(torch, forward, **parts)
    from functools import partial

    def again(one: Any, *inputs: Any) -> Any:
        return torch.utils.checkpoint.checkpoint(partial(forward, one), *inputs, use_reentrant=False)

    return part(torch, again, **parts)


def chain(torch: Any, layers: list[Any]) -> Any:
    """Layers one after the other; each is handed, after the first, the same further inputs."""

    def forward(one: Any, x: Any, *more: Any) -> Any:
        for each in one.layers:
            x = each(x, *more)
        return x

    return part(torch, forward, layers=torch.nn.ModuleList(layers))


def attention(
    torch: Any, how: How, *, hidden: int, heads: int, kv_heads: int, bias: bool, causal: bool, rotate: int = 0
) -> Any:
    """Multi-head or grouped-query attention (arXiv 2305.13245); `rotate`: positions that are told by rotation."""
    size = hidden // heads
    widths = (hidden, kv_heads * size, kv_heads * size)
    core = _scores(torch, causal) if how.eager else _fused(torch, causal)

    def forward(one: Any, x: Any) -> Any:
        split = [y.unflatten(-1, (-1, size)).transpose(1, 2) for y in one.qkv(x).split(widths, dim=-1)]
        q, k, v = split
        if rotate:
            q, k = _turned(torch, q, one.cos, one.sin), _turned(torch, k, one.cos, one.sin)
        if kv_heads != heads:
            k, v = (y.repeat_interleave(heads // kv_heads, dim=1) for y in (k, v))
        return one.out(core(q, k, v).transpose(1, 2).flatten(-2))

    turns = dict(zip(("cos", "sin"), _turns(torch, rotate, size), strict=True)) if rotate else {}
    qkv, out = (linear(torch, hidden, wide, bias=bias) for wide in (sum(widths), hidden))
    return part(torch, forward, qkv=qkv, out=out, **turns)


def _fused(torch: Any, causal: bool) -> Any:
    return lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)


def _scores(torch: Any, causal: bool) -> Any:
    """As it is written in arXiv 1706.03762, §3.2.1, softmax in fp32."""

    def core(q: Any, k: Any, v: Any) -> Any:
        scores = (q @ k.transpose(-2, -1)).float() * q.shape[-1] ** -0.5
        if causal:
            hidden = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).triu(1)
            scores = scores.masked_fill(hidden, float("-inf"))
        return scores.softmax(-1).to(v.dtype) @ v

    return core


def _turns(torch: Any, positions: int, size: int) -> tuple[Any, Any]:
    """Cosine and sine of each position's angles (RoPE, arXiv 2104.09864, §3.2.2; base 10 000)."""
    angles = torch.outer(torch.arange(positions).float(), 1e4 ** (-torch.arange(0, size, 2).float() / size))
    return angles.cos(), angles.sin()


def _turned(torch: Any, x: Any, cos: Any, sin: Any) -> Any:
    a, b = x.chunk(2, dim=-1)
    c, s = cos[: x.shape[-2]].to(x.dtype), sin[: x.shape[-2]].to(x.dtype)
    return torch.cat((a * c - b * s, b * c + a * s), dim=-1)


def mlp(torch: Any, *, hidden: int, wide: int, gated: bool, bias: bool) -> Any:
    """Two matrices with GELU between, or three with a gate (SwiGLU, arXiv 2002.05202)."""
    up, down = linear(torch, hidden, wide * (2 if gated else 1), bias=bias), linear(torch, wide, hidden, bias=bias)
    functional = torch.nn.functional

    def forward(one: Any, x: Any) -> Any:
        if gated:
            gate, value = one.up(x).chunk(2, dim=-1)
            return one.down(functional.silu(gate) * value)
        return one.down(functional.gelu(one.up(x), approximate="tanh"))

    return part(torch, forward, up=up, down=down)


def linear(torch: Any, into: int, out: int, bias: bool = True) -> Any:
    """A matrix for `initialise` to fill: to fill it twice costs half a minute where there are a billion parameters."""
    return _blank(torch)[0](into, out, bias=bias)


def embedding(torch: Any, rows: int, width: int) -> Any:
    """A vector for each of so many things; `initialise` fills it, too."""
    return _blank(torch)[1](rows, width)


@lru_cache(maxsize=1)
def _blank(torch: Any) -> tuple[Any, Any]:
    class Linear(torch.nn.Linear):  # type: ignore[misc]
        def reset_parameters(self) -> None:
            pass

    class Embedding(torch.nn.Embedding):  # type: ignore[misc]
        def reset_parameters(self) -> None:
            pass

    return Linear, Embedding


def initialise(torch: Any, model: Any) -> Any:
    """Normal weights of 0.02 and zero biases, as GPT-2 has them; from PyTorch's seed, on the host."""
    for one in model.modules():
        if isinstance(one, torch.nn.Linear | torch.nn.Embedding):
            torch.nn.init.normal_(one.weight, std=0.02)
            if getattr(one, "bias", None) is not None:
                torch.nn.init.zeros_(one.bias)
    return model
