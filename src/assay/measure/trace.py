"""A module of the user's, traced in the user's own interpreter: a request goes in as a file, an answer comes out."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import InputError, MeasureError
from assay.measure.child import Child
from assay.measure.inventory.interpreter import QUIET
from assay.measure.trace_inputs import Inputs

SCRIPT = Path(__file__).with_name("trace_torch.py")
TIMEOUT_S = 1800.0

_FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
# What is compiled cannot be watched, so functions run as they are written; and no device is needed, nor occupied.
_PLAIN = {"TORCHDYNAMO_DISABLE": "1", "TORCH_COMPILE_DISABLE": "1", "PYTORCH_JIT": "0", "CUDA_VISIBLE_DEVICES": "",
          "HIP_VISIBLE_DEVICES": ""}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a trace found, as it came: the tables of a shape, and what is told beside it."""

    shape: Mapping[str, Any]
    torch: str  # version
    module: str  # its class
    loss: str  # what went backward, in words
    notes: tuple[str, ...]
    counter: Mapping[str, Any]  # torch's own FLOP by phase and operation, at the batch of the shape; or its problem
    why: Mapping[str, str]  # why ours differ from those, by the operation's name


def look(factory: str, inputs: Inputs, python: str, *, cwd: Path | None = None, timeout_s: float = TIMEOUT_S) -> Seen:
    """Trace what a factory builds. InputError where it cannot be traced, MeasureError where there is no PyTorch."""
    if not _FACTORY.fullmatch(factory):
        hint = "write it as module:function, such as nets:build for the function build of nets.py"
        raise InputError(f'"{factory}" names no factory', hint=hint)
    with tempfile.TemporaryDirectory(prefix="assay-trace-") as folder:
        asked, answer = Path(folder, "request.json"), Path(folder, "answer.json")
        request = {"factory": factory, "inputs": inputs.request(), "batch": inputs.batch}
        asked.write_text(json.dumps(request), encoding="utf-8")
        command = (python, str(SCRIPT), str(asked), str(answer))
        with Child(command, {**os.environ, **QUIET, **_PLAIN}, timeout_s=timeout_s, cwd=cwd) as child:
            for _ in child.pieces():
                pass
        found = _read(answer)
    if found is None:
        hint = "does it import and run there? try a smaller batch"
        raise MeasureError(f"tracing {factory} ended without an answer: {child.stopped}", where=python, hint=hint)
    if "refused" in found:
        raise _refused(found["refused"], python)
    found["notes"] = tuple(found["notes"])
    return Seen(**found)


def _read(answer: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(answer.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _refused(said: Mapping[str, str], python: str) -> InputError | MeasureError:
    if said["kind"] == "torch":
        hint = f"{python} -m pip install torch, or name an interpreter that has it with --python"
        return MeasureError(said["what"], where=said["where"], hint=hint)
    return InputError(said["what"], where=said["where"], hint=said["hint"])
