"""What a report is made of: nouns only, put together by `assay.api`; the report itself decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from assay.published import Checked
from assay.result import METRICS, MemoryPart, Metric, Part, Result, Value
from assay.summary import CaseSummary

LARGEST = 1e27
STEEPEST = 50.0  # no real lever has an elasticity near this

# How a study is ranked when it does not say: the first of these that the leader has.
HEADLINES = ("rent_usd", "purchase_usd", "time_to_train_s", "tokens_per_s", "samples_per_s", "step_s")


class Origin(Protocol):
    """Where a value was read (`codec.Source` is one)."""

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def url(self) -> str: ...  # noqa: D102
    @property
    def date(self) -> str: ...  # noqa: D102
    @property
    def confidence(self) -> str: ...  # noqa: D102


class Provenance(Protocol):
    """One value of a sourced file with its range and source (`codec.Fact` is one; a report may not import the door)."""

    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def value(self) -> float | str | bool | None: ...  # noqa: D102
    @property
    def low(self) -> float | None: ...  # noqa: D102
    @property
    def high(self) -> float | None: ...  # noqa: D102
    @property
    def source(self) -> Origin: ...  # noqa: D102
    @property
    def note(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A system that cannot do the job, and why: "short by 12 GB on the fullest device"."""

    system: str
    reason: str
    vendor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One of several runs in a line: what it was, and what came of it in a few words."""

    name: str
    id: str
    started: str
    command: str
    came: str
    note: str = ""  # why it should be taken with care


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured: on which machine, every case's figures, and what was odd."""

    name: str = "this machine"
    facts: tuple[tuple[str, str], ...] = ()  # ("processor", "2 × x86-64, AVX2"), …
    cases: tuple[CaseSummary, ...] = ()
    warnings: tuple[str, ...] = ()
    runs: tuple[RunLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityPoint:
    """One measured figure beside our prediction of it; `held_out` when the fit never saw it."""

    label: str
    group: str
    measured: float
    predicted: float
    low: float
    high: float
    held_out: bool
    unit: str = ""  # "s", "tokens_per_s", …

    @property
    def error(self) -> float:
        """Predicted over measured, less one."""
        return self.predicted / self.measured - 1

    @property
    def covered(self) -> bool:
        """Whether the stated interval holds what was measured."""
        return self.low <= self.measured <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Everything one report says. Results are ranked, best first; what is empty is left out of the report."""

    title: str
    created: str  # ISO 8601, from the caller: a report reads no clock
    question: str = ""
    verdict: str = ""  # one sentence; empty = written from the results
    reasons: tuple[str, ...] = ()  # why, and what would overturn it
    next_steps: tuple[str, ...] = ()
    rank_by: str = ""  # a METRICS name; empty = the first of HEADLINES the leader has
    results: tuple[Result, ...] = ()
    ties: tuple[tuple[int, ...], ...] = ()  # groups of places in `results` that cannot be told apart
    refused: tuple[Refusal, ...] = ()
    machine: Measured | None = None
    parity: tuple[ParityPoint, ...] = ()
    validation: tuple[Checked, ...] = ()
    facts: Mapping[str, Mapping[str, Provenance]] = field(default_factory=dict)  # by system, accelerator or model name
    notes: tuple[str, ...] = ()
    tool: str = "assay"  # name and version of what wrote it


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A result as the report names it: a label of its own, its rank, and whether it ties with others."""

    label: str
    rank: int
    tied: tuple[str, ...]  # labels of the whole group, itself included; empty = it stands alone
    result: Result

    def value(self, metric: str) -> Value | None:
        """The metric's value, None where it is unknown or no number."""
        found = self.result.values.get(metric)
        return found if found is not None and real(found.low, found.mean, found.high) else None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of a step that have a length."""
        return tuple(p for p in self.result.parts if real(p.time_s) and p.time_s >= 0)

    @property
    def memory(self) -> tuple[MemoryPart, ...]:
        """The parts of the memory that have a size."""
        return tuple(p for p in self.result.memory if real(p.size_bytes) and p.size_bytes >= 0)

    @property
    def levers(self) -> dict[str, float]:
        """How the step time follows each lever, the strongest first."""
        known = {clean(name): e for name, e in self.result.sensitivity.items() if abs(e) < STEEPEST}
        return dict(sorted(known.items(), key=lambda item: -abs(item[1])))


def real(*numbers: float) -> bool:
    """Whether these can be quantities of this world: no NaN, no infinity, nothing beyond a thousand yotta.

    >>> real(0.0, 3.35e12), real(float("nan")), real(float("inf"))
    (True, False, False)
    """
    return all(abs(n) < LARGEST for n in numbers)


def positive(*numbers: float) -> bool:
    """Whether a log axis and a ratio can take these."""
    return all(1 / LARGEST < n < LARGEST for n in numbers)


def headline(study: Study) -> Metric | None:
    """The metric that ranks this study."""
    if not study.results:
        return None
    wanted = (study.rank_by, *HEADLINES)
    found = [name for name in wanted if name in study.results[0].values]
    return METRICS[found[0]] if found and found[0] in METRICS else None


def options(study: Study) -> tuple[Option, ...]:
    """The results with labels that are unique, equal ranks for ties, in the order given."""
    labels = _labels(study.results)
    named = dict(zip(labels, study.results, strict=True))
    groups = [tuple(labels[i] for i in sorted(set(tie)) if i < len(labels)) for tie in study.ties]
    tied = {name: group for group in groups if len(group) > 1 for name in group}
    ranks = {name: i for i, name in enumerate(named, start=1)}
    return tuple(
        Option(label=name, rank=min(ranks[t] for t in tied.get(name, (name,))), tied=tied.get(name, ()), result=r)
        for name, r in named.items()
    )


def _labels(results: Sequence[Result]) -> list[str]:
    """Names that differ: by job where one machine stands there for two, by plan where it does twice for one job."""
    names = [_label(r) for r in results]
    for more in ([r.workload.name for r in results], [str(r.plan) for r in results]):
        twice = {n for n in names if names.count(n) > 1}
        names = [clean(f"{n} · {m}") if n in twice else n for n, m in zip(names, more, strict=True)]
    return [n if n not in names[:i] else f"{n} ({i + 1})" for i, n in enumerate(names)]


def _label(result: Result) -> str:
    nodes = result.system.nodes
    return clean(result.system.name) + (f" × {nodes}" if nodes > 1 else "")


def clean(text: str) -> str:
    """A name without control characters: it goes into SVG, where they are not allowed."""
    return "".join(c if c.isprintable() else " " for c in text).strip() or "unnamed"
