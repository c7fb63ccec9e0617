"""Calibrations on disk: constants and the spread they left, one file a machine or class of machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import get_args

from assay.calibration import CONSTANTS, Calibration
from assay.catalog.shelf import Folders, user_folders
from assay.codec import decode, read_toml
from assay.errors import InputError, did_you_mean
from assay.files import write_text
from assay.hardware import Architecture

# What a constant can be and still mean what its name says.
_SHARE, _PART, _SECONDS = (1e-3, 1.0), (0.0, 1.0), (0.0, 100.0)
_RANGES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(
        ("matmul", "matmul_wide", "matmul_8bit", "matmul_4bit", "grouped", "conv", "attention", "memory", "lookup",
         "inner_link", "outer_link"), _SHARE,
    ),
    **dict.fromkeys(
        ("overlap_data", "overlap_tensor", "overlap_expert", "contention", "straggler", "fragmentation"), _PART
    ),
    **dict.fromkeys(("launch_s", "routing_s", "inner_latency_s", "outer_latency_s", "step_overhead_s"), _SECONDS),
    **dict.fromkeys(("matmul_half_k", "attention_half_len", "attention_half_head"), (0.0, 1e5)),
    "speed": (0.01, 100.0), "tile": (1.0, 1e4), "reserve_bytes": (0.0, 1e12),
}  # fmt: skip
_WHOLE = ("speed", "tile", "reserve_bytes", "fragmentation")  # that nothing moves by a logarithm
_WIDEST_LN = 5.0  # a figure within a factor of 150 is not known at all

_BUILT_IN = Path(__file__).parent.parent / "data" / "calibrations"


def calibrations(folders: Folders = ()) -> tuple[Calibration, ...]:
    """Every calibration, ours first; a later one of the same reach wins."""
    rooms = [folder / "calibrations" for folder in user_folders(folders)]
    return (*_shipped(), *(calibration(path) for room in rooms for path in _in_turn(room)))


def _in_turn(room: Path) -> list[Path]:
    """Files of a folder by name, so that "this-machine-site" comes after "this-machine"."""
    return sorted(room.glob("*.toml"), key=lambda path: path.stem)


@cache
def _shipped() -> tuple[Calibration, ...]:
    return tuple(calibration(path) for path in sorted(_BUILT_IN.glob("*.toml")))


def calibration(path: Path) -> Calibration:
    """One calibration file; an unknown constant is refused with the nearest known one."""
    raw = {key: value for key, value in read_toml(path).items() if key not in ("schema", "kind")}
    found = decode(raw, Calibration, str(path))
    for name in found.constants:
        if name not in CONSTANTS:
            raise InputError(f'constants: "{name}" is not one', where=str(path), hint=did_you_mean(name, CONSTANTS))
        least, most = _RANGES[name]
        if not least <= found.constants[name] <= most:
            what = f"constants: {name} = {found.constants[name]} cannot be"
            raise InputError(what, where=str(path), hint=f"write a number from {least:g} to {most:g}")
    moved = {kind: _offsets(offsets, f"moved.{kind}", str(path)) for kind, offsets in found.moved.items()}
    return _checked(replace(found, moved=moved, offsets=_offsets(found.offsets, "offsets", str(path))), path)


def _offsets(offsets: Mapping[str, float], table: str, where: str) -> Mapping[str, float]:
    """Offsets by the names of constants. An offset has no unit, so the file's name of it has none either."""
    out: dict[str, float] = {}
    for name, offset in offsets.items():
        full = name if name in CONSTANTS else f"{name}_s"
        if full not in CONSTANTS or full in _WHOLE:
            known = [constant.removesuffix("_s") for constant in CONSTANTS if constant not in _WHOLE]
            raise InputError(f"{table}: {name} = {offset} cannot be", where=where, hint=did_you_mean(name, known))
        if not abs(offset) <= _WIDEST_LN:
            hint = (
                f"write a number from {-_WIDEST_LN:g} to {_WIDEST_LN:g}: how far a logarithm moves, or a share's logit"
            )
            raise InputError(f"{table}: {name} = {offset} cannot be", where=where, hint=hint)
        out[full] = offset
    return out


def _checked(found: Calibration, path: Path) -> Calibration:
    """The calibration, with no interval that says nothing, and no offsets that would be lost."""
    wide = found.applies_to in ("all", *get_args(Architecture)) or " " in found.applies_to
    if found.offsets and (found.constants or found.moved or found.evidence != "D" or wide):
        what = "offsets are of one accelerator's kernels: they stand alone in a calibration of evidence D"
        raise InputError(what, where=str(path), hint="write its constants in a file of their own")
    for name, half in {"residual_ln": found.residual_ln, **found.regimes}.items():
        if not 0 < half <= _WIDEST_LN:
            hint = f"write a number above 0, {_WIDEST_LN:g} at most; 0.7 is half to double"
            raise InputError(f"{name} = {half} cannot be", where=str(path), hint=hint)
    return found


def write(found: Calibration, path: Path) -> None:
    """Write a calibration as TOML that people can read and change; one that could not be read again is refused."""
    _checked(found, path)
    lines = ["schema = 1", 'kind = "calibration"', f'name = "{found.name}"', f'applies_to = "{found.applies_to}"']
    lines += [f'evidence = "{found.evidence}"', f"residual_ln = {found.residual_ln:.4g}", f"rows = {found.rows}"]
    lines += [f"sources = {_strings(found.sources)}", f"at_bound = {_strings(found.at_bound)}"]
    lines += [f"devices = {found.devices}"] if found.devices else []
    lines += ["", "[constants]"]
    lines += [f"{name} = {value:.4g}" for name, value in found.constants.items()]
    if found.regimes:
        lines += ["", "[regimes]", *(f"{name} = {half:.4g}" for name, half in found.regimes.items())]
    moves = {f"moved.{kind}": offsets for kind, offsets in found.moved.items()}
    for table, offsets in {"offsets": found.offsets, **moves}.items():
        told = [f"{name.removesuffix('_s')} = {offset:.3g}" for name, offset in offsets.items()]
        lines += ["", f"[{table}]", *told] if told else []
    write_text(path, "\n".join(lines) + "\n")


def _strings(values: tuple[str, ...]) -> str:
    return "[" + ", ".join('"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values) + "]"
