"""A machine that was found and measured here as files of a catalog, so that it can be asked for by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from assay.files import write_text
from assay.hardware import Accelerator, System

_UNKNOWN = "unknown"
_TOLD = ("year", "compute_units")  # whole numbers among what an accelerator may have


def write_machine(system: System, folder: Path, runs: Sequence[str]) -> tuple[Path, Path]:
    """Write a system of one kind of accelerator and without links into a catalog folder; `runs` are its source."""
    chip, name = system.accelerator, system.name
    device, machine = (folder / room / f"{name}.toml" for room in ("accelerators", "systems"))
    write_text(device, _file("accelerator", name, chip.vendor, [*_chip(chip), ""], runs, _peaks(chip)))
    box = [f'accelerator = "{chip.name}"', "default = true", "links = []", f"count_per_node = {system.count_per_node}"]
    box += [f'host = "{_plain(system.host)}"'] if system.host else []
    box += [f"host_memory_bytes = {system.host_memory_bytes!r}"] if system.host_memory_bytes else []
    write_text(machine, _file("system", name, system.vendor, box, runs))
    return device, machine


def _file(
    kind: str, name: str, vendor: str, lines: Sequence[str], runs: Sequence[str], tables: Sequence[str] = ()
) -> str:
    head = ["schema = 1", f'kind = "{kind}"', f'name = "{name}"', f'vendor = "{vendor or _UNKNOWN}"']
    source = ["", "[source.probes]", 'kind = "measured"', f'title = "runs {", ".join(runs)}"']
    return "\n".join([*head, 'sourced_by = "probes"', *lines, *tables, *source]) + "\n"


def _chip(chip: Accelerator) -> Iterator[str]:
    yield f'architecture = "{chip.architecture}"'
    yield f'execution = "{chip.execution}"'
    for f in fields(chip):
        value = getattr(chip, f.name)
        if f.name in _TOLD and value is not None:
            yield f"{f.name} = {int(value)}"
        elif isinstance(value, float):
            yield f"{f.name} = {value!r}"


def _peaks(chip: Accelerator) -> list[str]:
    return ["[peak_flop_per_s]", *(f"{dtype} = {float(peak)!r}" for dtype, peak in chip.peak_flop_per_s.items())]


def _plain(text: str) -> str:
    return text.replace("\\", "/").replace('"', "'")
