"""Two runs side by side: apples to apples, or refused with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from assay import stats
from assay.errors import InputError, did_you_mean
from assay.run import Case, Run
from assay.summary import times_of

# A host that did nothing but run the same thing twice differs by about this much; below it nothing is proven.
FLOOR = 0.05

# What may differ between comparable runs: what went on around them …
_SURROUNDINGS = frozenset({
    "load_start", "load_end", "others_cores", "steal_share", "pressure_share", "hz_start", "hz_end", "busy_processes",
    "contended", "started", "budget_s",
})  # fmt: skip
# … and what is told as a suspect, but does not forbid the comparison. All else must be the same.
_SUSPECTS = frozenset({"kernel", "memory_bytes", "governor"})

Verdict = Literal["better", "worse", "cannot tell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something about two runs that is not the same."""

    key: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.key}: {self.old} and {self.new}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One case in both runs: how many times as long the new one takes."""

    case: str
    old_s: float
    new_s: float
    ratio: float  # new time over old time: above 1 is slower
    low: float
    high: float
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed between two like runs."""

    old: str
    new: str
    changes: tuple[Change, ...]
    allowed: tuple[Difference, ...]  # the differences under test
    suspects: tuple[Difference, ...]  # other differences, which might explain a change
    unmatched: tuple[str, ...]  # cases that only one run has
    notes: tuple[str, ...]

    @property
    def worse(self) -> tuple[Change, ...]:
        """The cases that have become slower beyond doubt."""
        return tuple(change for change in self.changes if change.verdict == "worse")


def compare(old: Run, new: Run, allow: Iterable[str] = ()) -> Comparison:
    """How the cases of `new` stand against those of `old`; InputError where the runs are unlike.

    Each name in `allow` permits one difference: the thing that is tested ("torch").
    """
    found, suspects = _differences(old, new)
    permitted = _permitted(list(allow), found)
    unlike = [difference for difference in found if difference.key not in permitted]
    if unlike:
        told = "; ".join(str(difference) for difference in unlike)
        hint = "if that is what you test, add " + " ".join(f"--allow {d.key}" for d in unlike)
        raise InputError(f"these runs are unlike: {told}", hint=hint)
    before, after = times_of(old), times_of(new)
    names = [name for name in before if name in after]
    if not names:
        raise InputError("these runs have no case in common", hint="measure the same cases in both")
    doubt = _doubt(old, new)
    steady = {run.id: {c.name for c in run.cases if c.steady} for run in (old, new)}
    settled = steady[old.id] & steady[new.id]
    return Comparison(
        old=old.id,
        new=new.id,
        changes=tuple(_change(name, before[name], after[name], name in settled, doubt) for name in names),
        allowed=tuple(difference for difference in found if difference.key in permitted),
        suspects=tuple(suspects),
        unmatched=tuple(sorted(set(before) ^ set(after))),
        notes=(*([doubt] if doubt else []), *_notes(old, new)),
    )


def _change(name: str, old: list[float], new: list[float], settled: bool, doubt: str) -> Change:
    ratio = stats.ratio_interval(new, old)
    verdict, why = _verdict(ratio, settled, min(len(old), len(new)), doubt)
    return Change(
        case=name, old_s=stats.median(old), new_s=stats.median(new),
        ratio=ratio.value, low=ratio.low, high=ratio.high, verdict=verdict, why=why,
    )  # fmt: skip


def _verdict(ratio: stats.Interval, settled: bool, samples: int, doubt: str) -> tuple[Verdict, str]:
    if doubt:
        return "cannot tell", "contended"
    if not settled:
        return "cannot tell", "never settled"
    if samples < stats.FEWEST:
        return "cannot tell", f"{samples} samples"
    if ratio.low > 1 + FLOOR:
        return "worse", ""
    if ratio.high < 1 / (1 + FLOOR):
        return "better", ""
    return "cannot tell", f"within {100 * FLOOR:.0f} % or the noise"


def _doubt(old: Run, new: Run) -> str:
    loud = [name for name, run in (("old", old), ("new", new)) if run.environment.get("contended")]
    what = f"the {' and the '.join(loud)} run {'were' if len(loud) > 1 else 'was'} contended"
    return f"{what}: others used the machine meanwhile; measure again when it is quiet" if loud else ""


def _notes(old: Run, new: Run) -> list[str]:
    notes = [
        f"intervals are of the samples within each run; one run a side cannot show how runs differ, so less than "
        f"{100 * FLOOR:.0f} % is never called a change"
    ]
    notes += [f"the {name} run is partial: {run.stopped}" for name, run in (("old", old), ("new", new)) if run.partial]
    return notes


def _differences(old: Run, new: Run) -> tuple[list[Difference], list[Difference]]:
    pairs: dict[str, tuple[object, object]] = {"probe": (old.name, new.name)}
    pairs["dtypes"] = tuple(", ".join(sorted({c.dtype for c in r.cases if c.dtype})) for r in (old, new))  # type: ignore[assignment]
    pairs |= _both(old.settings, new.settings) | _both(old.environment, new.environment)
    pairs |= {
        f"definition of {name}": both for name, both in _both(_cases(old), _cases(new)).items() if None not in both
    }
    unlike = [
        Difference(key=key, old=_word(a), new=_word(b))
        for key, (a, b) in pairs.items()
        if a != b and key not in _SURROUNDINGS
    ]
    return [d for d in unlike if d.key not in _SUSPECTS], [d for d in unlike if d.key in _SUSPECTS]


def _both(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    return {key: (old.get(key), new.get(key)) for key in dict.fromkeys((*old, *new))}


def _cases(run: Run) -> dict[str, Case]:
    """What each case is, leaving out how it went."""
    return {case.name: replace(case, steady=True) for case in run.cases}


def _permitted(allow: list[str], found: list[Difference]) -> set[str]:
    keys = {difference.key for difference in found}
    unknown = sorted(set(allow) - keys)
    if unknown:
        hint = did_you_mean(unknown[0], keys) or (
            f"what differs: {', '.join(sorted(keys))}" if keys else "leave it out"
        )
        raise InputError(f'"{unknown[0]}" does not differ between these runs', where="--allow", hint=hint)
    return set(allow)


def _word(value: object) -> str:
    return "none" if value is None else f'"{value}"' if isinstance(value, str) else str(value)
