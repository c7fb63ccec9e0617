"""A machine as a site sees it: how tall, how heavy, how much it draws, what it is cooled by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.errors import InputError
from assay.hardware import System

# Host, fans and network beside the accelerators, as a share of their rated power, where the node's own is unknown:
# the whole nodes of the catalog draw 1.3 to 2.1 times their accelerators, most 1.4 to 1.8.
_BESIDE = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Machinery:
    """One node of a candidate; None is what nobody says."""

    name: str
    accelerators: int
    power_w: float  # highest draw, as on its nameplate
    typical_power_w: float | None = None
    p999_power_w: float | None = None  # measured: drawn or exceeded one second in a thousand
    rack_units: float | None = None
    cooling: Literal["air", "liquid", ""] = ""
    weight_kg: float | None = None
    supplies: int | None = None  # single-phase power supplies
    notes: tuple[str, ...] = ()  # what is not its maker's figure


def of_system(
    system: System,
    *,
    power_w: float | None = None,
    p999_power_w: float | None = None,
    weight_kg: float | None = None,
    supplies: int | None = None,
) -> Machinery:
    """A node of the catalog, with what is known better of it; InputError where nothing says what it draws."""
    drawn, notes = power_w or system.power_w, list[str]()
    paid = system.count_per_node + system.spare_per_node
    if drawn is None and system.typical_power_w is not None:
        drawn = system.typical_power_w
        notes.append(f"the highest draw of {system.name} is unknown: its typical one is taken")
    if drawn is None and system.accelerator.power_w is not None:
        drawn = system.accelerator.power_w * paid * (1 + _BESIDE)
        notes.append(
            f"the draw of {system.name} is unknown: {1 + _BESIDE:g} times that of its accelerators is taken, as of "
            "servers that are known"
        )
    if drawn is None:
        hint = "state power of the candidate, the highest draw of one node"
        raise InputError("nobody says what this machine draws", where=system.name, hint=hint)
    return Machinery(
        name=system.name, accelerators=paid, power_w=drawn, typical_power_w=_typical(system, drawn),
        p999_power_w=p999_power_w, rack_units=system.rack_units, cooling=_cooling(system.cooling),
        weight_kg=weight_kg, supplies=supplies, notes=tuple(notes),
    )  # fmt: skip


def drawn_w(machinery: Machinery, power_cap: bool) -> float:
    """What must be provided for one node: its nameplate, or the measured P99.9 where a cap holds the rest off."""
    if power_cap and machinery.p999_power_w is not None:
        return min(machinery.power_w, machinery.p999_power_w)
    return machinery.power_w


def _typical(system: System, drawn: float) -> float | None:
    return None if system.typical_power_w is None else min(drawn, system.typical_power_w)


def _cooling(text: str) -> Literal["air", "liquid", ""]:
    return "air" if text == "air" else "liquid" if text == "liquid" else ""
