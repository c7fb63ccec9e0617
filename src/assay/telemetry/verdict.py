"""One sentence that says what a run's time went to: the most costly thing first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from assay.observed import NOTHING, Split, Trouble, Usage, Waste, Window
from assay.units import show


class _Severity(NamedTuple):
    """How a kind of trouble ranks: by `rank`, then by its cost; below `least` of the run it is no headline."""

    rank: int  # 0: nothing else matters; 1: by its cost; 2: only where nothing that costs time is left; 3: never
    least: float = 0.01
    words: str = ""  # what the device or rank did, where many did the same


# The order of severity.
SEVERITY: Mapping[str, _Severity] = {
    "non-finite": _Severity(0), "diverged": _Severity(0), "hung": _Severity(0), "error": _Severity(0),
    "stalled": _Severity(1, words="were busy with nothing"), "idle device": _Severity(1, words="had no work"),
    "thermal throttle": _Severity(1, words="throttled for heat"),
    "power throttle": _Severity(1, 0.03, "were held by their power limit"),
    "power cap": _Severity(1, words="had their power limit lowered"),
    "other throttle": _Severity(1, words="throttled"), "throttle": _Severity(1, words="throttled"),
    "slow clock": _Severity(1, words="ran at a low clock"),
    "slow device": _Severity(1, words="did less than their peers"),
    "straggler": _Severity(1, words="were waited for"), "drift": _Severity(1), "periodic stall": _Severity(1),
    "stalls": _Severity(1),
    "leak": _Severity(2), "fragmentation": _Severity(2), "heating": _Severity(2), "unsteady clock": _Severity(2),
    "noisy neighbour": _Severity(2), "unlike its peers": _Severity(2), "dead sensor": _Severity(2),
    "unit change": _Severity(3), "bad reading": _Severity(3), "clock": _Severity(3), "gap": _Severity(3),
    "counter reset": _Severity(3), "noise": _Severity(3),
}  # fmt: skip
_OTHER = _Severity(2)

# From what share of the time on a part of the split, or of the waste, is a headline.
_PARTS = {
    "input_s": (0.10, "of each step waits for data"),
    "communication_s": (0.20, "of each step is communication that nothing hides"),
    "checkpoint_s": (0.05, "of the time goes to checkpoints"),
}
_WASTE = {"idle": (0.10, "of the device time is idle"), "stalled": (0.40, "of the device time nothing came of")}


class _Headline(NamedTuple):
    rank: int
    share: float
    text: str


def verdict(
    troubles: Sequence[Trouble], split: Split | None, usage: Sequence[Usage], waste: Sequence[Waste], window: Window,
    devices: int,
) -> str:  # fmt: skip
    """The one thing to know of a run."""
    found = [
        *_troubles(troubles, window, devices),
        *_parts(split),
        *_wasted([one for one in waste if split is None or one.kind == "idle"], window, devices),
    ]
    if found:
        return min(found, key=lambda h: (h.rank, -h.share)).text
    return NOTHING + _how_it_went(split, usage)


def by_cost(troubles: Sequence[Trouble], window: Window) -> tuple[Trouble, ...]:
    """Troubles, the gravest and most costly first."""

    def place(trouble: Trouble) -> tuple[int, float, float]:
        rank = SEVERITY.get(trouble.kind, _OTHER).rank
        return rank, -(trouble.lost_s or 0.0) / max(window.length_s, 1e-9), trouble.window.begin_s

    return tuple(sorted(troubles, key=place))


def _troubles(troubles: Sequence[Trouble], window: Window, devices: int) -> Iterator[_Headline]:
    """One headline a kind: the worst of it, or how many had it. What slows one device of a job slows the job."""
    kinds: dict[str, list[Trouble]] = {}
    for trouble in troubles:
        kinds.setdefault(trouble.kind, []).append(trouble)
    for kind, same in kinds.items():
        severity = SEVERITY.get(kind, _OTHER)
        worst = max(same, key=lambda t: t.lost_s or 0.0)
        share = (worst.lost_s or 0.0) / max(window.length_s, 1e-9)
        if severity.rank == 3 or (severity.rank == 1 and share < severity.least):
            continue
        of = len({t.of for t in same})
        text = worst.text
        if of > 1 and severity.words and devices:
            text = f"{of} {'ranks' if worst.of.startswith('rank ') else 'devices'} {severity.words}; {worst.text}"
        cost = f": {100 * share:.0f} % of the run" if share >= 0.005 and severity.rank <= 1 else ""
        yield _Headline(severity.rank, share, text + cost)


def _parts(split: Split | None) -> Iterator[_Headline]:
    if split is None or split.wall_s <= 0:
        return
    steps_s = max(split.wall_s - split.checkpoint_s, 1e-9)
    for name, (least, words) in _PARTS.items():
        share = getattr(split, name) / (split.wall_s if name == "checkpoint_s" else steps_s)
        if share >= least:
            yield _Headline(1, share, f"{100 * share:.0f} % {words}")


def _wasted(waste: Sequence[Waste], window: Window, devices: int) -> Iterator[_Headline]:
    whole = window.length_s * max(devices, 1)
    for one in waste:
        least, words = _WASTE[one.kind]
        share = one.device_s / whole if whole else 0.0
        if share >= least:
            money = f": {show(one.cost_usd, 'usd')}" if one.cost_usd is not None else ""
            yield _Headline(1, share, f"{100 * share:.0f} % {words}{money}")


def _how_it_went(split: Split | None, usage: Sequence[Usage]) -> str:
    """… and what the time was, where it is known."""
    mfu = next((one.mfu for one in usage if one.mfu is not None), None)
    at = f" at {mfu:.2f} MFU" if mfu is not None else ""
    if split is not None and split.compute_s is not None and split.wall_s > 0:
        return f": {100 * split.compute_s / split.wall_s:.0f} % of the time is compute{at}"
    working = [one.working for one in usage if one.working is not None]
    if working:
        return f": devices worked {100 * sum(working) / len(working):.0f} % of the time{at}"
    busy = [one.busy for one in usage if one.busy is not None]
    if busy:
        return f": devices were busy {100 * sum(busy) / len(busy):.0f} % of the time{at}; no sensor says with what"
    return at
