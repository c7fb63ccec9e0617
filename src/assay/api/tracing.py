"""Tracing: a module of the user's becomes a model file, and its work in figures beside torch's own count."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay.catalog.models import model
from assay.codec import decode
from assay.errors import InputError
from assay.files import toml_text, write_text
from assay.measure import trace_inputs
from assay.measure.inventory.interpreter import find
from assay.measure.trace import Seen, look
from assay.model import Model, TracedOp, TracedShape

_CLOSE = 5e-4  # of torch's count: what differs by less is the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A traced module: the model, the file it was written to, and what was found beside it."""

    model: Model
    shape: TracedShape
    path: Path
    loss: str
    notes: tuple[str, ...]
    torch_flop: Mapping[str, float]  # of torch's own counter, by phase, at the batch; empty where it fails
    differs: tuple[str, ...]  # where ours are not torch's, and why

    def flop(self, phase: str) -> float:
        """Operations of one phase at the batch that was traced."""
        return sum(total(op, "flop", self.shape.batch) for op in self.shape.ops if op.phase == phase)

    def moved_bytes(self, phase: str) -> float:
        """Bytes that one phase reads and writes at the batch that was traced."""
        return sum(total(op, "moved_bytes", self.shape.batch) for op in self.shape.ops if op.phase == phase)

    def heaviest(self, count: int = 5) -> list[TracedOp]:
        """The operations with most FLOP; of those without, most bytes."""
        b = self.shape.batch
        return sorted(self.shape.ops, key=lambda op: (-total(op, "flop", b), -total(op, "moved_bytes", b)))[:count]


def total(op: TracedOp, size: str, batch: float) -> float:
    """A size of all equal operations at a batch."""
    return float(op.count.at(batch) * getattr(op, size).at(batch))


def trace(
    factory: str, inputs: str, *, python: str | None = None, out: Path | str | None = None, batch: int | None = None,
) -> Traced:  # fmt: skip
    """Trace the module that `module:function` builds, and write it as a model file (TOML, or JSON by the file's name).

    `inputs` as "x=float32[8,3,224,224]", or "module:function" that takes a batch and returns what forward is given.
    """
    path = Path(out) if out is not None else Path(f"{_name(factory)}.toml")
    if path.suffix not in (".toml", ".json"):
        raise InputError("a model file is TOML or JSON", where=str(path), hint=f"write --out {path.stem}.toml")
    given = trace_inputs.parse(inputs, batch)
    seen = look(factory, given, find(python))
    shape = decode(seen.shape, TracedShape, factory)
    write_text(path, _text(factory, inputs, seen, path))
    ours = {phase: _by_op(shape, phase) for phase in ("forward", "backward")}
    return Traced(
        model=model(path), shape=shape, path=path, loss=seen.loss, notes=(*seen.notes, *_problem(seen)),
        torch_flop={phase: float(sum(ops.values())) for phase, ops in seen.counter.items() if phase in ours},
        differs=tuple(_differences(ours, seen)),
    )  # fmt: skip


def _name(factory: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", factory.partition(":")[2].lower()).strip("-") or "module"


def _text(factory: str, inputs: str, seen: Seen, path: Path) -> str:
    """The model file: what it is, where it is from, and its shape with an operation a line."""
    title = f"assay trace {factory} --inputs {inputs!r}, {seen.module} in PyTorch {seen.torch}"
    raw = {
        "schema": 1, "kind": "model", "name": path.stem, "family": "traced", "sourced_by": "trace",
        "source": {"trace": {
            "kind": "derived", "title": title,
            "date": f"{datetime.now(UTC):%Y-%m-%d}", "confidence": "high", "note": f"backward from {seen.loss}",
        }},
        "shape": seen.shape,
    }  # fmt: skip
    if path.suffix == ".json":
        return json.dumps(raw, indent=1, ensure_ascii=False) + "\n"
    return toml_text(raw)


def _by_op(shape: TracedShape, phase: str) -> dict[str, float]:
    """FLOP by PyTorch's name of the operation."""
    found: dict[str, float] = {}
    for op in shape.ops:
        if op.phase == phase and op.flop.at(shape.batch):
            name = _torch_name(op)
            found[name] = found.get(name, 0.0) + total(op, "flop", shape.batch)
    return found


def _torch_name(op: TracedOp) -> str:
    """A convolution's gradients are two of ours, and one of PyTorch's."""
    words = op.name.split(" ")
    return next((word for word in words if word == "convolution_backward"), words[-1])


def _differences(ours: Mapping[str, Mapping[str, float]], seen: Seen) -> Any:
    if "problem" in seen.counter:
        return
    for phase, mine in ours.items():
        theirs = seen.counter.get(phase, {})
        for op in dict.fromkeys((*mine, *theirs)):
            left, right = mine.get(op, 0.0), float(theirs.get(op, 0.0))
            if abs(left - right) > _CLOSE * max(left, right):
                unknown = "no reason is known" if right else "it has no formula for this operation"
                why = next((text for start, text in seen.why.items() if op.startswith(start)), unknown)
                yield f"{op} ({phase}): {left:.4g} FLOP here, {right:.4g} in torch's counter: {why}"


def _problem(seen: Seen) -> list[str]:
    problem = seen.counter.get("problem")
    return (
        [f"torch's own counter fails on this module ({problem}), so nothing stands beside our count"] if problem else []
    )
