"""The model that a published row means: its own shape, the catalog's of that name, or a typical one for its size."""

from __future__ import annotations

import math
from dataclasses import replace

from assay.counting import parameters
from assay.errors import InputError
from assay.model import Attention, Block, FeedForward, Model, TransformerShape
from assay.published import PublishedRow

_DEFAULT_VOCAB = 51200
_SIZES, _VOCABULARIES = 0.5, 0.05  # how far the same model's are apart: rounded, with its positions, padded
_NO_TOKENS = ("convnet", "dlrm", "diffusion", "rnn")  # families that a depth and a width do not describe


def model_of(row: PublishedRow, known: Model | None) -> tuple[Model, tuple[str, ...]]:
    """The row's shape; the catalog's where the row names a model but no shape; a typical one for its size at last."""
    if known is not None and _alike(row, known):
        return _with_vocab(row, known), () if row.layers else (f"shape of {known.name}",)
    if row.layers and row.hidden and row.family not in _NO_TOKENS:
        return _shaped(row, row.layers, row.hidden, known), ()
    if known is not None:
        return known, (f"shape of {known.name}",)
    if row.params_b and row.family in ("dense", "encoder", "vit", ""):
        # 12·L·h² parameters with h ≈ 128·L, as published families have (Kaplan et al. 2020: little depends on it).
        layers = max(2, round((row.params_b * 1e9 / (12 * 128**2)) ** (1 / 3)))
        hidden = max(128, 128 * round((row.params_b * 1e9 / 12 / layers) ** 0.5 / 128))
        return _shaped(row, layers, hidden, None), (f"shape typical of {row.params_b:g} B parameters",)
    raise InputError(f'model "{row.model}" is not in the catalog and the row states no shape')


def _alike(row: PublishedRow, known: Model) -> bool:
    """Whether the catalog's model is what the row states, with more detail: experts, windows, tied matrices."""
    shape = known.shape
    if not isinstance(shape, TransformerShape) or row.family not in ("moe", "dense"):
        return False
    first = shape.blocks[0]
    said = [(row.layers, shape.layers), (row.hidden, shape.hidden)]
    if row.family == "dense":  # of experts and latent attention sources count differently
        said += [(row.heads, first.attention.heads), (row.kv_heads, first.attention.kv_heads)]
        said += [(row.ffn_hidden, first.ffn.hidden)]
        if row.experts or not _dense_decoder(shape) or not _near(row.params_b, parameters(shape) / 1e9, _SIZES):
            return False
    return all(stated in (None, ours) for stated, ours in said) and _near(row.vocab, shape.vocab, _VOCABULARIES)


def _dense_decoder(shape: TransformerShape) -> bool:
    return shape.causal and not shape.encoder and not any(block.ffn.experts for block in shape.blocks)


def _near(stated: float | None, ours: float, within: float) -> bool:
    return stated is None or abs(stated / ours - 1.0) <= within


def _with_vocab(row: PublishedRow, known: Model) -> Model:
    """As many words as the row says: sources pad them differently."""
    shape = known.shape
    if not isinstance(shape, TransformerShape) or row.vocab in (None, shape.vocab) or row.family != "dense":
        return known
    return replace(known, shape=replace(shape, vocab=row.vocab))


def _shaped(row: PublishedRow, layers: int, hidden: int, known: Model | None) -> Model:
    base = known.shape if known is not None and isinstance(known.shape, TransformerShape) else None
    heads = row.heads or max(1, hidden // 128)
    kv = row.kv_heads or (
        base.blocks[0].attention.kv_heads if base and row.heads == base.blocks[0].attention.heads else heads
    )
    width = row.ffn_hidden or 4 * hidden
    causal = row.family not in ("encoder", "vit")
    pictures = row.family == "vit"
    vocab = row.vocab or (base.vocab if base else _DEFAULT_VOCAB)
    gated = _gated(row, layers, hidden, heads, kv, width, vocab) if row.ffn_hidden and not pictures else False
    block = Block(
        count=layers, attention=Attention(heads=heads, kv_heads=kv, head_dim=max(1, hidden // heads)),
        ffn=FeedForward(
            hidden=width, gated=gated, experts=row.experts or 0, experts_per_token=row.topk or 0 if row.experts else 0
        ),
    )  # fmt: skip
    shape = TransformerShape(
        hidden=hidden, vocab=vocab, blocks=(block,), causal=causal, tied=not gated, norm_bias=not gated,
        positions=0 if gated else (row.seq_len or 2048), head=not pictures, embedding_params=0 if pictures else None,
    )  # fmt: skip
    return Model(name=row.model or row.id, family="transformer", shape=shape)


def _gated(row: PublishedRow, layers: int, hidden: int, heads: int, kv: int, width: int, vocab: int) -> bool:
    """Whether the MLP has three matrices: whichever count comes closer to the stated size; unstated, by its width."""
    attention = 2.0 * hidden * hidden * (1.0 + kv / heads)
    mlps = max(row.experts or 1, 1)
    counts = {
        gated: layers * (attention + mlps * (3 if gated else 2) * hidden * width) + vocab * hidden
        for gated in (False, True)
    }
    if not row.params_b:
        return width < 4 * hidden
    told = row.params_b * 1e9
    return abs(math.log(counts[True] / told)) < abs(math.log(counts[False] / told))
