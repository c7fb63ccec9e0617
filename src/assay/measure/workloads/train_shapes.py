"""What train-step can train, as data: its nets, the same in a catalog file's words, and the model FLOP of a sample.

Needs nothing but the standard library, so that a prediction can be made of a setting before it is tried; the sizes that
can be chosen by name are in train_presets.py.
`table(net, seq_len)` is the `[shape]` of a model file of the catalog: TransformerShape, ConvShape or DlrmShape read it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """A decoder transformer: GPT-2's layers, or with `modern` Llama's (RMSNorm, rotary positions, no biases)."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    mlp: int
    vocab: int
    gated: bool
    modern: bool
    tied: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Vit:
    """A vision transformer that reads the class from a token of its own (arXiv 2010.11929)."""

    layers: int
    hidden: int
    heads: int
    mlp: int
    image_px: int = 224
    patch_px: int = 16
    classes: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dit:
    """A diffusion transformer with adaLN-Zero over latents of 4 channels (arXiv 2212.09748)."""

    layers: int
    hidden: int
    heads: int
    mlp: int
    image_px: int = 32  # of the latent: 8 × fewer than the picture's
    patch_px: int = 2
    classes: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Resnet:
    """A residual network (arXiv 1512.03385); bottlenecks with the stride in the 3×3 convolution (v1.5)."""

    blocks: tuple[int, ...]
    bottleneck: bool
    width: int = 64
    image_px: int = 224
    classes: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dlrm:
    """A recommender: tables, two MLPs and dot products between them (arXiv 1906.00091)."""

    rows: tuple[int, ...]
    dim: int
    bottom: tuple[int, ...]
    top: tuple[int, ...]
    dense: int = 13


Net = Decoder | Vit | Dit | Resnet | Dlrm
FAMILIES = {"decoder": Decoder, "vit": Vit, "dit": Dit, "resnet": Resnet, "dlrm": Dlrm}

LATENT_CHANNELS, FREQUENCIES = 4, 256  # of a DiT's input, and of the sinusoids its time step is told in
FIELDS = ("layers", "hidden", "heads", "kv_heads", "mlp", "vocab", "gated", "image_px", "classes")


def resized(net: Net, said: dict[str, int]) -> Net:
    """The net with other sizes; what followed a size before follows it still (MLP the width, KV heads the heads)."""
    for name in said:
        if name not in {f.name for f in fields(net)}:
            raise SystemExit(f"{name}: a {type(net).__name__.lower()} has none; leave it out")
    follow: dict[str, int] = {}
    if isinstance(net, Decoder | Vit | Dit) and "hidden" in said:
        follow["mlp"] = net.mlp * said["hidden"] // net.hidden
    if isinstance(net, Decoder) and "heads" in said and net.kv_heads == net.heads:
        follow["kv_heads"] = said["heads"]
    changed = {**follow, **said}
    if "gated" in changed:
        changed["gated"] = bool(changed["gated"])
    return _possible(replace(net, **changed))  # type: ignore[arg-type]


def _possible(net: Net) -> Net:
    if isinstance(net, Decoder | Vit | Dit):
        if net.hidden % net.heads:
            raise SystemExit(f"heads: {net.heads} do not divide a hidden width of {net.hidden}; write a divisor")
        if isinstance(net, Decoder) and net.heads % net.kv_heads:
            raise SystemExit(f"kv_heads: {net.kv_heads} do not divide {net.heads} heads; write a divisor")
        if isinstance(net, Decoder) and net.modern and net.hidden // net.heads % 2:
            raise SystemExit(f"heads: rotary positions need heads of even width; {net.hidden} / {net.heads} is odd")
    if isinstance(net, Vit | Dit) and net.image_px % net.patch_px:
        raise SystemExit(f"image_px: {net.image_px} is no multiple of the patch, {net.patch_px}; write one")
    return net


def tokens(net: Net, seq_len: int | None) -> int | None:
    """Tokens that one sample is to a transformer; None for what is none."""
    if isinstance(net, Vit | Dit):
        return (net.image_px // net.patch_px) ** 2 + isinstance(net, Vit)
    return seq_len if isinstance(net, Decoder) else None


def flop_per_sample(net: Net, seq_len: int | None = None) -> float:
    """Model FLOP of one sample, forward and backward; what recomputation adds is not counted.

    Six for each weight that multiplies and each time it does, and 12·s·h a token and layer for attention over s tokens,
    nothing taken off for the causal mask (Chowdhery et al. 2022, PaLM, appendix B; Narayanan et al. 2021, §5.1). Of
    every net the backward pass counts as twice the forward pass, also where no gradient of its input is needed.
    """
    if isinstance(net, Resnet):
        products = sum(k * k * i * o * px * px for i, o, k, px in convolutions(net))
        return 6.0 * (products + features(net) * net.classes)
    if isinstance(net, Dlrm):
        mlps = _mlp((net.dense, *net.bottom)) + _mlp((_crossed(net), *net.top))
        return 6.0 * (mlps + (len(net.rows) + 1) ** 2 * net.dim)
    return _transformer_flop(net, tokens(net, seq_len) or 0)


def _transformer_flop(net: Decoder | Vit | Dit, s: int) -> float:
    h, kv = net.hidden, net.hidden
    if isinstance(net, Decoder):
        kv = net.hidden // net.heads * net.kv_heads
    matrices = 3 if isinstance(net, Decoder) and net.gated else 2
    layer = 2 * h * h + 2 * h * kv + matrices * h * net.mlp
    body = net.layers * s * (6.0 * layer + 12.0 * s * h)
    if isinstance(net, Decoder):
        return body + 6.0 * s * h * net.vocab
    if isinstance(net, Vit):
        return body + 6.0 * ((s - 1) * 3 * net.patch_px**2 * h + h * net.classes)
    patch = LATENT_CHANNELS * net.patch_px**2
    conditions = 6 * h * h * net.layers + 2 * h * h + FREQUENCIES * h + h * h  # once a sample, not once a token
    return body + 6.0 * (s * 3 * patch * h + conditions)  # the output is noise and variance: twice a patch


def convolutions(net: Resnet) -> list[tuple[int, int, int, int]]:
    """Every convolution: channels in and out, kernel, output in pixels."""
    px, into = net.image_px // 4, net.width
    rows = [(3, net.width, 7, net.image_px // 2)]
    for stage, count in enumerate(net.blocks):
        width = net.width * 2**stage
        out = width * (4 if net.bottleneck else 1)
        for block in range(count):
            before, px = px, px // 2 if stage and not block else px
            if net.bottleneck:
                rows += [(into, width, 1, before), (width, width, 3, px), (width, out, 1, px)]
            else:
                rows += [(into, width, 3, px), (width, out, 3, px)]
            if not block and (stage or into != out):
                rows.append((into, out, 1, px))
            into = out
    return rows


def features(net: Resnet) -> int:
    """Width before the classifier."""
    return (net.width << len(net.blocks) - 1) * (4 if net.bottleneck else 1)


def _mlp(widths: tuple[int, ...]) -> int:
    return sum(i * o for i, o in pairwise(widths))


def _crossed(net: Dlrm) -> int:
    """What the top MLP reads: the dense features' vector, and the dot product of every pair of vectors."""
    vectors = len(net.rows) + 1
    return net.dim + vectors * (vectors - 1) // 2


# --- in the catalog's words -------------------------------------------------------------------------------------------


def family(net: Net) -> str:
    """The catalog's family of this net."""
    return {Resnet: "convnet", Dlrm: "dlrm"}.get(type(net), "transformer")


def table(net: Net, seq_len: int | None = None) -> dict[str, Any]:
    """The shape as a catalog file says it under `[shape]`; its parameters are counted exactly."""
    if isinstance(net, Resnet):
        rows = convolutions(net)
        layers = [{"count": 1, "channels_in": i, "channels_out": o, "kernel": k, "out_px": px} for i, o, k, px in rows]
        norms = sum(2 * row[1] for row in rows)
        return {"image_px": net.image_px, "classes": net.classes, "features": features(net), "norm_params": norms,
                "layers": layers}  # fmt: skip
    if isinstance(net, Dlrm):
        return {"tables_rows": list(net.rows), "embedding_dim": net.dim, "dense_features": net.dense,
                "bottom_mlp": list(net.bottom), "top_mlp": list(net.top)}  # fmt: skip
    kv_heads = net.kv_heads if isinstance(net, Decoder) else net.heads
    biased = not (isinstance(net, Decoder) and net.modern)
    attention = {"heads": net.heads, "kv_heads": kv_heads, "head_dim": net.hidden // net.heads,
                 "qkv_bias": biased, "out_bias": biased}  # fmt: skip
    ffn = {"hidden": net.mlp, "gated": isinstance(net, Decoder) and net.gated, "bias": biased}
    block: dict[str, Any] = {"count": net.layers, "attention": attention, "ffn": ffn}
    about = _about(net, block, tokens(net, seq_len) or 0)
    return {"hidden": net.hidden, "norm_bias": biased, "max_seq_len": tokens(net, seq_len), **about, "blocks": [block]}


def _about(net: Decoder | Vit | Dit, block: dict[str, Any], s: int) -> dict[str, Any]:
    """What the three kinds do not have in common; a DiT's layers are also changed."""
    h = net.hidden
    if isinstance(net, Decoder):
        return {"vocab": net.vocab, "tied": net.tied, "positions": 0 if net.modern else s}
    if isinstance(net, Vit):
        patches = 3 * net.patch_px**2 * h + h + h  # its projection with a bias, and the class token
        return {"vocab": net.classes, "causal": False, "head_bias": True, "embedding_params": 0, "positions": s,
                "extra_params": patches}  # fmt: skip
    patch = LATENT_CHANNELS * net.patch_px**2
    block["norms"] = 0  # adaLN: scale and shift come from the condition, by a matrix in every layer
    block["attention"]["extra_params"] = 6 * h * h + 6 * h
    told = (FREQUENCIES + 1) * h + (h + 1) * h + (net.classes + 1) * h  # time step, and class or none
    extra = (patch + 1) * h + told + (h + 1) * 2 * h + (h + 1) * 2 * patch
    return {"vocab": 1, "causal": False, "head": False, "embedding_params": 0, "final_norms": 0, "extra_params": extra}
