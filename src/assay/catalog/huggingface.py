"""Reads a Hugging Face config.json: no network, no transformers, and never code that came with a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from assay.catalog.hf_families import FAMILIES, shape_of
from assay.catalog.hf_keys import Keys
from assay.codec import Raw, read_json
from assay.errors import InputError
from assay.model import Model, TransformerShape

_TEXT: Final = ("text_config", "llm_config", "language_config")  # where multimodal models keep the language model
_SIGHT: Final = ("vision_config", "audio_config", "speech_config")  # parts that are not read

_SHARED: Final = ("tie_word_embeddings", "dtype", "torch_dtype", "quantization_config")

# Values a family's code assumes where its published files are silent.
_ASSUMED: Final[dict[str, Raw]] = {
    "gemma3_text": {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 262_208},
    "gpt_oss": {"sliding_window": 128},
    "gemma2": {"sliding_window": 4096},
}


def read_config(path: Path) -> Model:
    """The model that a config.json, or a folder with one in it, describes."""
    file = path if path.suffix == ".json" else path / "config.json"
    raw = read_json(file)
    name = file.resolve().parent.name if file.name == "config.json" else file.stem
    return from_config(raw, name=name, where=str(file))


def from_config(raw: Raw, *, name: str, where: str) -> Model:
    """The model that the keys of a config describe.

    A model_type that is not known is read by its keys alone, with low confidence. Keys that were not understood are
    listed, and cost a known family its high confidence. Raises InputError, naming the key that is missing or wrong.
    """
    inner, unseen = _text_part(raw, where), tuple(key for key in _SIGHT if raw.get(key))
    family = _model_type(inner, raw, where)
    keys = Keys({**_ASSUMED.get(family, {}), **inner}, where, family)
    try:
        shape = shape_of(keys)
    except ValueError as error:  # a noun refused what the keys allowed
        raise InputError(str(error), where=where, hint="check the sizes in this file") from None
    stored_as = _stored_as(keys)
    unread = (*unseen, *(key for key in keys.unread() if key not in _SIGHT))
    return Model(
        name=name,
        family="transformer",
        shape=shape,
        kind=_kind(shape, family),
        confidence="low" if family not in FAMILIES else "medium" if unread else "high",
        stored_as=stored_as,
        unread=unread,
    )


def _text_part(raw: Raw, where: str) -> Raw:
    """The language model's own keys; of the whole's, only those that reach into it."""
    for key in _TEXT:
        part = raw.get(key)
        if part is not None:
            if not isinstance(part, Mapping):
                what = f"{key}: an object is wanted, this is a {type(part).__name__}"
                raise InputError(what, where=where, hint="write it in braces")
            return {shared: raw[shared] for shared in _SHARED if shared in raw} | dict(part)
    return raw


def _model_type(inner: Raw, raw: Raw, where: str) -> str:
    found = inner.get("model_type", raw.get("model_type", ""))
    if not isinstance(found, str):
        raise InputError("model_type: a word is wanted", where=where, hint=f"known: {', '.join(FAMILIES)}")
    return found


def _stored_as(keys: Keys) -> str:
    """The number format of the published weights: what the quantization says, or the dtype."""
    word, method = keys.text("dtype").removeprefix("torch."), keys.table("quantization_config")
    if method is None:
        return _SHORT.get(word, word)
    inside = Keys(method, f"{keys.where}: quantization_config", keys.model_type)
    bits = inside.maybe("bits")
    return inside.text("quant_method", "quantized") + (f" {bits} bit" if bits else "")


_SHORT: Final = {"bfloat16": "bf16", "float16": "fp16", "half": "fp16", "float32": "fp32", "float8_e4m3fn": "fp8"}


def _kind(shape: TransformerShape, model_type: str) -> str:
    blocks = (*shape.encoder, *shape.blocks)
    if shape.encoder:
        return "encoder-decoder"
    if not shape.causal:
        return "vit" if model_type == "vit" else "encoder"
    if any(block.attention.kind == "linear" for block in blocks):
        return "hybrid"
    return "moe" if any(block.ffn.experts for block in blocks) else "dense"
