"""Calibrations on disk: constants and the spread they left, one file a machine or class of machines."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from assay.calibration import CONSTANTS, Calibration
from assay.catalog.shelf import Folders, user_folders
from assay.codec import decode, read_toml
from assay.errors import InputError, did_you_mean

_BUILT_IN = Path(__file__).parent.parent / "data" / "calibrations"


def calibrations(folders: Folders = ()) -> tuple[Calibration, ...]:
    """Every calibration, ours first; a later one of the same reach wins."""
    rooms = [folder / "calibrations" for folder in user_folders(folders)]
    return (*_shipped(), *(calibration(path) for room in rooms for path in sorted(room.glob("*.toml"))))


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
    return found


def write(found: Calibration, path: Path) -> None:
    """Write a calibration as TOML that people can read and change."""
    lines = ["schema = 1", 'kind = "calibration"', f'name = "{found.name}"', f'applies_to = "{found.applies_to}"']
    lines += [f'evidence = "{found.evidence}"', f"residual_ln = {found.residual_ln:.4g}", f"rows = {found.rows}"]
    lines += [f"sources = {_strings(found.sources)}", f"at_bound = {_strings(found.at_bound)}", "", "[constants]"]
    lines += [f"{name} = {value:.4g}" for name, value in found.constants.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _strings(values: tuple[str, ...]) -> str:
    return "[" + ", ".join('"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values) + "]"
