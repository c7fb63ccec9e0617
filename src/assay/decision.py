"""A decision as data: what was ruled out and why, the ranking with its ties, what would overturn it, what is next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from assay.assumption import Assumption
from assay.hazards import Hybrid, Item, Question, Scorecard
from assay.pilot import Accepts
from assay.result import Result, Value
from assay.siting import Fit
from assay.worth import Worth

Proof = Literal["pass", "fail", "not proven"]
Answer = Literal["choose", "tie", "pilot first", "do not buy yet", "nothing fits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How fast one cluster of a candidate does one kind of work, and who says so."""

    workload: str
    metric: str  # tokens_per_s, samples_per_s
    value: Value
    origin: Accepts
    source: str = ""  # a run, a page, "assay predict"
    bound: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Whether a constraint or a gate holds for a candidate, and by how much."""

    name: str
    proof: Proof
    text: str  # one sentence with the numbers
    stage: int = 0  # 0: a constraint
    metric: str = ""
    wanted: float | None = None
    found: Value | None = None
    source: str = ""

    @property
    def reason(self) -> str:
        """What holds or does not, where it stands alone."""
        return f"Stage {self.stage}, {self.name}: {self.text}" if self.stage else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One candidate with everything that was found out of it."""

    name: str
    system: str
    vendor: str
    via: str
    site: str
    accelerators: int | None
    elastic: bool = False  # paid for only while it works
    rank: int | None  # None: ruled out, or its figure is unknown
    score: Value | None  # the objective's figure
    constraints: tuple[Ruling, ...] = ()
    gates: tuple[Ruling, ...] = ()
    rates: tuple[Rate, ...] = ()
    results: tuple[Result, ...] = ()
    worth: Worth | None = None
    fit: Fit | None = None
    risks: Scorecard | None = None
    duration_s: Value | None = None  # of the longest job
    energy_j: Value | None = None  # a year
    delivered: str = ""  # date, expected
    unknown: tuple[str, ...] = ()  # what is missing for a figure

    @property
    def ruled_out(self) -> tuple[Ruling, ...]:
        """The constraints and gates that fail."""
        return tuple(one for one in (*self.constraints, *self.gates) if one.proof == "fail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overturn:
    """A value of one input at which another candidate would lead."""

    name: str  # of the input
    unit: str
    usual: float
    at: float
    leader: str  # who would lead beyond it
    likely: bool  # whether it lies within the input's range


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Something worth measuring next: what it would settle, and what it costs."""

    candidate: str
    workload: str
    stage: int
    what: str
    value_usd: float | None  # expected gain of knowing, over the horizon; None: it decides a gate
    cost_usd: float | None
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the pilot has used of its days and its money."""

    day: int
    days: int
    usd: float
    budget_usd: float | None
    forecast_usd: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteChoice:
    """A site as a place for this work: whether it may, what speaks for it and against it."""

    site: str
    kind: str
    allowed: bool
    reasons: tuple[str, ...]
    used_usd_per_s: Value | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the pilot says today, on what it stands, and what would change it."""

    pilot: str
    question: str
    objective: str
    unit: str  # of the candidates' scores, as in units.SUFFIXES
    made: str  # ISO 8601
    answer: Answer
    verdict: str
    reasons: tuple[str, ...] = ()
    candidates: tuple[Judged, ...] = ()  # ranked ones first
    ties: tuple[str, ...] = ()  # with the leader, itself included
    pareto: tuple[str, ...] = ()
    pareto_axes: tuple[str, str] = ("year_usd", "duration_s")
    overturns: tuple[Overturn, ...] = ()
    next: tuple[Measurement, ...] = ()
    spent: Spent | None = None
    hybrid: Hybrid | None = None
    questions: tuple[Question, ...] = ()
    checklist: tuple[Item, ...] = ()
    places: tuple[SiteChoice, ...] = ()
    assumptions: Mapping[str, Assumption] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)  # of each assumption, as in units.SUFFIXES
    own: tuple[str, ...] = ()  # names of those that the pilot file states itself
    warnings: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)  # fingerprints: pilot file, catalog, each run
    draws: int = 0  # how often what is uncertain was drawn …
    seed: int = 0  # … beginning where
    tool: str = ""
    schema: int = 1
