"""All that is made of one run's sensors and of what it said of itself: utilization, time, energy, waste, troubles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from assay.machine import Device
from assay.observed import Energy, Facts, Observation, Split, Usage, Waste, Window
from assay.series import Series
from assay.telemetry import energy as energies
from assay.telemetry.board import Board, board
from assay.telemetry.detectors import detect, remarks, trusted
from assay.telemetry.detectors.working import steps_of
from assay.telemetry.split import STEPS
from assay.telemetry.split import split as split_time
from assay.telemetry.utilization import mfu, usage
from assay.telemetry.verdict import by_cost, verdict
from assay.telemetry.waste import waste

_BLIND = {
    "accel.busy": "busy", "accel.core.active": "cores active", "accel.matrix.active": "matrix units active",
    "accel.memory.active": "memory interface active", "accel.power_w": "power",
}  # fmt: skip
_UNKNOWN = Facts()
_COVERED = 0.9  # of the window: less is said


def observe(
    sensors: Iterable[Series], stream: Iterable[Series] = (), devices: Iterable[Device] = (), facts: Facts = _UNKNOWN,
    window: Window | None = None,
) -> Observation:  # fmt: skip
    """What a run's series mean, and one sentence that says it.

    `sensors` are series of devices and hosts, `stream` those of the run itself; `window` is what is summed over (all of
    the run, where none is given, and from its first to its last step for what a step took and how devices were used;
    troubles are always looked for in all of it).
    """
    seen = board(sensors, stream, devices)
    troubles = by_cost(detect(seen), seen.window)
    sound = trusted(seen, troubles)
    parts, _, notes = split_time(seen.stream, None)
    whole = window or seen.window
    probes, ends = _probes(seen), _steps(seen, whole)
    work, steps = whole, len(ends)
    if window is None and steps > 1:  # what came before the first of them is not their doing
        work, steps = Window(begin_s=ends[0], end_s=ends[-1]), steps - 1
    found, refused = _used(sound, work, facts, steps)
    drawn = tuple(energies.energy(sound, of, whole) for of in sound.devices)
    node = energies.node(sound, whole, drawn)
    worked = energies.node(sound, work, [energies.energy(sound, of, work) for of in sound.devices])
    lost, unknown = waste(sound, whole, facts)
    told = (
        *notes,
        *refused,
        *unknown,
        *_unseen(seen, found),
        *(_doubt(seen, e) for e in drawn if e.doubt),
        *remarks(seen),
    )
    return Observation(
        verdict=verdict(troubles, parts, () if probes else found, () if probes else lost, whole, len(seen.devices)),
        usage=found, split=parts,
        energy=(*drawn, node) if drawn else (), waste=lost, troubles=troubles, notes=tuple(dict.fromkeys(told)),
        figures=_figures(found, parts, node, lost, facts)
        | (_per_step(worked, steps) if steps else {}),
    )  # fmt: skip


def _used(seen: Board, window: Window, facts: Facts, steps: int) -> tuple[tuple[Usage, ...], list[str]]:
    found = usage(seen, window)
    share, why = mfu(found, facts, steps)
    return tuple(replace(one, mfu=share) for one in found), [why] if why and (found or facts.step_flop) else []


def _timed(seen: Board) -> set[str]:
    return {series.metric for series in seen.stream} & set(STEPS)


def _steps(seen: Board, window: Window) -> list[float]:
    """When the steps that ended in a window did; what is only timed again and again is no step."""
    ends = steps_of(seen)
    if ends is None or _timed(seen) == {"time_s"}:
        return []
    inside: list[float] = ends[(ends >= window.begin_s) & (ends <= window.end_s)].tolist()
    return inside


def _probes(seen: Board) -> bool:
    """Whether case after case is timed: then nobody works, and to rest is no waste."""
    return _timed(seen) == {"time_s"} and len({series.of for series in seen.stream}) > 1


def _unseen(seen: Board, found: Sequence[Usage]) -> list[str]:
    """What no sensor told, of all devices together."""
    if not found:
        return ["no device sensor was read"]
    notes = []
    for name, words in _BLIND.items():
        absent = [of for of in seen.devices if seen.track(of, name) is None]
        if absent:
            who = "no device" if len(absent) == len(seen.devices) else f"not {', '.join(map(seen.name, absent[:4]))}"
            notes.append(f"{words}: {who} tells it")
    poor = [one for one in found if one.coverage < _COVERED]
    return notes + [
        f"{seen.name(one.device)}: readings cover {100 * one.coverage:.0f} % of the time" for one in poor[:4]
    ]


def _doubt(seen: Board, one: Energy) -> str:
    return f"energy of {seen.name(one.device)}: {one.doubt}"


def _figures(
    found: Sequence[Usage], parts: Split | None, node: Energy, lost: Sequence[Waste], facts: Facts
) -> dict[str, float]:  # fmt: skip
    """Means over devices and sums over the run, by name; what is unknown is not there."""
    figures: dict[str, float | None] = {}
    for name in ("busy", "core", "matrix", "memory", "stalled", "working", "mfu"):
        told = [v for one in found if (v := getattr(one, name)) is not None]
        figures[name] = sum(told) / len(told) if told else None
    if parts is not None and parts.wall_s > 0:
        for name in ("input_s", "communication_s", "checkpoint_s", "compute_s", "other_s"):
            part = getattr(parts, name)
            figures[name.removesuffix("_s") + "_share"] = None if part is None else part / parts.wall_s
    figures["energy_j"] = node.energy_j
    if node.energy_j is not None and facts.tariff_usd_per_j is not None:
        figures["energy_usd"] = node.energy_j * facts.pue * facts.tariff_usd_per_j
    for one in lost:
        figures |= {f"{one.kind}_device_s": one.device_s, f"{one.kind}_usd": one.cost_usd}
    return {name: value for name, value in figures.items() if value is not None}


def _per_step(worked: Energy, steps: int) -> dict[str, float]:
    ends = {"": worked.energy_j, "low_": worked.low_j or 0.0, "high_": worked.high_j or 0.0}
    told = {name: value for name, value in ends.items() if worked.energy_j is not None and value is not None}
    return {f"step_energy_{name}j": value / steps for name, value in told.items()}
