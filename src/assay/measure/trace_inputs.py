"""What `assay trace --inputs` says: tensors by name, number format and shape, or a function that makes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import InputError, did_you_mean, shown

# Number formats as people write them -> as PyTorch calls them.
FORMATS = {
    "float": "float32", "fp32": "float32", "f32": "float32", "half": "float16", "fp16": "float16", "f16": "float16",
    "bf16": "bfloat16", "double": "float64", "fp64": "float64", "f64": "float64", "int": "int32", "i32": "int32",
    "long": "int64", "i64": "int64", "short": "int16", "byte": "uint8", "u8": "uint8",
    **{name: name for name in ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8",
                               "bool", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2")},
}  # fmt: skip

_EXAMPLE = 'write --inputs "x=float32[8,3,224,224]": name, number format, shape; the first number is the batch'
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_ONE = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)\s*=\s*)?(?P<rest>.+)", re.DOTALL)
_TENSOR = re.compile(r"(?P<fixed>fixed\s+)?(?P<format>[A-Za-z]\w*)\s*\[(?P<shape>[^\]]*)\]")
_WORDS = {"true": True, "True": True, "false": False, "False": False, "none": None, "None": None}
_BATCH = 4  # of inputs that a function makes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One input: its shape as it was written, and which dimension of it is the batch."""

    name: str  # empty: by position
    dtype: str
    shape: tuple[int, ...]
    batch_dim: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a module is given, for so many samples; `function` makes it, or `tensors` and `values` say it."""

    batch: int
    function: str = ""
    tensors: tuple[Tensor, ...] = ()
    values: tuple[tuple[str, Any], ...] = ()  # numbers and switches by name

    def request(self) -> dict[str, Any]:
        """As the interpreter that traces is told."""
        if self.function:
            return {"function": self.function, "batch": self.batch}
        told: list[dict[str, Any]] = [
            {"name": t.name, "dtype": t.dtype, "shape": list(t.shape), "batch_dim": t.batch_dim} for t in self.tensors
        ]
        return {"tensors": [*told, *({"name": n, "value": v} for n, v in self.values)], "batch": self.batch}


def parse(spec: str, batch: int | None = None) -> Inputs:
    """Inputs as a person writes them.

    >>> parse("ids=int64[4,128], mask=bool[4,128]").batch
    4
    >>> parse("x=float32[100,*8,40], freqs=fixed float32[100,64], scale=0.5").tensors[0]
    Tensor(name='x', dtype='float32', shape=(100, 8, 40), batch_dim=1)
    >>> parse("nets:batch", 16)
    Inputs(batch=16, function='nets:batch', tensors=(), values=())
    """
    text = spec.strip()
    if _FUNCTION.fullmatch(text):
        return Inputs(batch=batch or _BATCH, function=text)
    tensors, values = list[Tensor](), list[tuple[str, Any]]()
    for part in _parts(text):
        match = _ONE.fullmatch(part)
        name, rest = (match["name"] or "", match["rest"].strip()) if match else ("", part)
        if any(name and name == known for known in (*(t.name for t in tensors), *(n for n, _ in values))):
            raise InputError(f'"{name}" is there twice', where="--inputs", hint="keep one of them")
        if found := _TENSOR.fullmatch(rest):
            tensors.append(_tensor(name, found))
        else:
            values.append((name, _value(rest)))
    return Inputs(batch=_samples(tensors, batch), tensors=tuple(tensors), values=tuple(values))


def _parts(text: str) -> list[str]:
    """What stands between commas that are in no brackets."""
    parts = [part.strip() for part in re.split(r",(?![^\[\]]*\])", text)]
    if not all(parts):
        raise InputError(
            "an input is missing" if any(parts) else "there are no inputs", where="--inputs", hint=_EXAMPLE
        )
    return parts


def _tensor(name: str, found: re.Match[str]) -> Tensor:
    dtype = FORMATS.get(found["format"])
    if dtype is None:
        hint = did_you_mean(found["format"], FORMATS) or f"known: {', '.join(dict.fromkeys(FORMATS.values()))}"
        raise InputError(f'"{found["format"]}" is no number format', where="--inputs", hint=hint)
    words = [word.strip() for word in found["shape"].split(",")] if found["shape"].strip() else []
    starred = [i for i, word in enumerate(words) if "*" in word]
    sizes = [word.replace("*", "").strip().replace("_", "") for word in words]
    if len(starred) > 1 or not all(size.isdecimal() and int(size) > 0 for size in sizes):
        what = f"{found[0].strip()} is no shape"
        raise InputError(what, where="--inputs", hint="write whole numbers, and * before the one that is the batch")
    if found["fixed"] and starred:
        raise InputError(f"{found[0]} is fixed, and has a batch", where="--inputs", hint="leave out fixed, or the *")
    whole = not sizes or bool(found["fixed"])
    return Tensor(
        name=name, dtype=dtype, shape=tuple(map(int, sizes)),
        batch_dim=None if whole else (starred[0] if starred else 0),
    )  # fmt: skip


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise InputError(f"{shown(text)} is no tensor and no number", where="--inputs", hint=_EXAMPLE)


def _samples(tensors: Sequence[Tensor], batch: int | None) -> int:
    """Samples of these inputs: the batch of the first one, which divides that of every other."""
    sizes = [(t, t.shape[t.batch_dim]) for t in tensors if t.batch_dim is not None]
    if not sizes:
        raise InputError("no input has a batch", where="--inputs", hint=_EXAMPLE)
    samples = batch or sizes[0][1]
    for tensor, size in sizes:
        if size % samples:
            what = f"{tensor.name or tensor.dtype} has {size} where {samples} samples are meant"
            hint = f'mark the batch with *, as in {tensor.name or "x"}={tensor.dtype}[10,*{samples}], or write "fixed" '
            raise InputError(what, where="--inputs", hint=hint + "before the format of what has no batch")
    return samples
