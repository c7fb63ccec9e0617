"""Why a module cannot be traced, in words: the user's own error with its file and line, and what to type next.

Standard library only: it runs in the user's interpreter.
"""

from __future__ import annotations

import inspect
import re
import traceback
from pathlib import Path
from typing import Any

_LONGEST = 300

_DATA = ("meta tensor", "Meta tensor", "meta device type", "register_meta function", "data-dependent", "no fake impl",
         "output_size", "aten::_local_scalar_dense", "Cannot copy out of meta")  # fmt: skip
_DEVICE = ("cuda", "CUDA", "NVIDIA", "HIP", "xpu", "hpu", "Torch not compiled", "triton")


class Refused(Exception):
    """What cannot be traced: what, where, and what to do."""

    def __init__(self, what: str, *, where: str = "", hint: str = "", kind: str = "input") -> None:
        super().__init__(what)
        self.said = {"what": what[: 2 * _LONGEST], "where": where, "hint": hint, "kind": kind}


def quoted(error: BaseException, ours: Path) -> tuple[str, str]:
    """An error as its last line, and the user's own line that it came from.

    That is the innermost one which lies neither in `ours`, nor in a library.
    """
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _foreign(Path(f.filename), ours)]
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg}", f"{_near(error.filename)}:{error.lineno}"
    place = f"{_near(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {text}"[:_LONGEST].rstrip(": "), place


def _foreign(path: Path, ours: Path) -> bool:
    return path.parent == ours or "site-packages" in path.parts or str(path).startswith("<") or _standard(path)


def _standard(path: Path) -> bool:
    return Path(inspect.__file__).parent in path.parents


def _near(name: str) -> str:
    try:
        return str(Path(name).resolve().relative_to(Path.cwd()))
    except ValueError:
        return name


def importing(error: BaseException, module: str, ours: Path) -> Refused:
    """A module that does not import."""
    said, place = quoted(error, ours)
    if isinstance(error, ModuleNotFoundError) and error.name in (module, module.partition(".")[0]):
        hint = f"run it in the folder that holds {module.partition('.')[0]}.py, or name the module in full"
        return Refused(f"there is no module {error.name} here", where=module, hint=hint)
    if isinstance(error, ModuleNotFoundError):
        hint = "install it in that interpreter, or name another with --python"
        return Refused(f"its import fails: {said}", where=place or module, hint=hint)
    return Refused(f"its import fails: {said}", where=place or module, hint="correct it, and trace it again")


def building(error: BaseException, factory: str, ours: Path, returns: str) -> Refused:
    """A function of the user's that raised; `returns` says what is asked of it."""
    said, place = quoted(error, ours)
    what = f"{factory} raises {said}"
    if isinstance(error, TypeError) and "argument" in str(error) and not place:
        hint = f"name another function, or write one: {returns}"
    elif isinstance(error, ModuleNotFoundError):
        hint = f"install {error.name} in that interpreter, or name another with --python"
    elif isinstance(error, OSError):
        hint = "a trace needs neither weights nor data: build the module from its sizes alone"
    elif _says(error, _DEVICE):
        hint = "a trace needs no accelerator: build the module without .cuda() or device=, and trace it again"
    else:
        hint = returns
    return Refused(what, where=place, hint=hint)


def running(error: BaseException, phase: str, part: str, doing: str, module: Any, ours: Path) -> Refused:
    """A forward or backward pass that raised."""
    said, place = quoted(error, ours)
    inside = f"in {part}, " if part else ""
    where = f"{place or phase}"
    takes = f"{type(module).__name__}.forward takes ({signature(module)})"
    if _says(error, _DATA):
        op = f"{doing} " if doing else ""
        what = f"{inside}{op}needs the values of a tensor, and a trace has none: {said.partition('. ')[0]}"
        hint = ("use shapes that do not depend on data there (a mask, torch.where, topk of a fixed k), or trace the "
                "module without that part")  # fmt: skip
        return Refused(what, where=where, hint=hint)
    if isinstance(error, TypeError) and re.search(r"argument|positional|keyword", str(error)) and not part:
        return Refused(f"the inputs do not fit: {said}", where=where, hint=f"{takes}; name them in --inputs")
    if _says(error, _DEVICE):
        hint = (
            "a trace needs no accelerator: take the device from a tensor (x.device), or use PyTorch's own operations "
            "where it is traced"
        )
        return Refused(f"{inside}the {phase} pass wants a device: {said}", where=where, hint=hint)
    return Refused(f"{inside}the {phase} pass raises {said}", where=where, hint=f"{takes}; check shapes and --inputs")


def uncounted(strange: dict[str, str]) -> Refused:
    """Operations that are not PyTorch's own, and have no formula."""
    listed = ", ".join(f"{op} (in {place})" if place else op for op, place in strange.items())
    first = next(iter(strange)).replace("::", ".")
    formula = f"@torch.utils.flop_counter.register_flop_formula(torch.ops.{first})"
    hint = f"say it beside the module with {formula}, or use PyTorch's own operations where it is traced"
    return Refused(f"what {listed} does cannot be counted: PyTorch does not know it", hint=hint)


def data_needed(error: BaseException) -> bool:
    """Whether an error comes of tensors that hold no values."""
    return _says(error, _DATA)


def signature(module: Any) -> str:
    """What a module's forward pass takes, without the types."""
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return "…"
    text = ", ".join(str(p.replace(annotation=p.empty)) for p in parameters)
    return text if len(text) <= _LONGEST else text[:_LONGEST].rpartition(",")[0] + ", …"


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    return any(word in str(error) for word in words)
