"""What may go wrong with a candidate, as data: a scorecard of evidence, questions to ask, people to find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.assumption import Assumption
from assay.hardware import Execution
from assay.pilot import Cooling, Via
from assay.result import Value

Grade = Literal["low", "medium", "high", "unknown"]  # of a risk


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One thing that is known of a risk, and where from."""

    text: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """One risk of a candidate: how large, and what says so. Without evidence it is unknown, never low."""

    name: str  # "software maturity", "lock-in", …
    grade: Grade
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()  # what would have to be known


@dataclass(frozen=True, slots=True, kw_only=True)
class Downtime:
    """What a contract's promise is worth: time down, money lost, money that comes back."""

    down_s: float  # a year, expected
    promised_down_s: float | None  # a year, by contract
    loss_usd: Value | None  # a year, of accelerator time
    credit_usd: Value | None  # a year, what comes back
    spares: int | None  # machines to hold
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question to a vendor, and why it is asked: what is uncertain and how much it moves."""

    id: str
    text: str
    topic: str
    why: str
    unit: str = ""  # of the answer, in words
    weight: float = 0.0  # how much of the decision hangs on it, from 0 to 1
    answers: tuple[tuple[str, str], ...] = ()  # candidate -> what its vendor answered
    measured: tuple[tuple[str, str], ...] = ()  # candidate -> what the pilot measured
    asked: tuple[str, ...] = ()  # candidates that it is for

    @property
    def open_for(self) -> tuple[str, ...]:
        """The candidates of whom neither a vendor nor the pilot has said it."""
        known = {name for name, _ in (*self.answers, *self.measured)}
        return tuple(name for name in self.asked if name not in known)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionTemplate:
    """A question that may be put to a vendor: of whom it is asked, and what settles it."""

    id: str
    topic: str
    text: str
    why: str
    unit: str = ""  # of the answer, in words
    weight: float  # how much may hang on it at most, from 0 to 1
    moves: tuple[str, ...] = ()  # inputs of the decision that the answer would narrow, by field name
    metrics: tuple[str, ...] = ()  # that answer it, measured here
    vias: tuple[Via, ...] = ()  # empty: each
    executions: tuple[Execution, ...] = ()  # empty: each
    coolings: tuple[Cooling, ...] = ()  # empty: each


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A question of the checklist for the team itself, and its answer."""

    id: str
    topic: str
    text: str
    answer: Literal["yes", "no", "open"] = "open"
    note: str = ""
    filled_by: str = ""  # a person, or "pilot": found in the pilot's own data


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemTemplate:
    """A question of the checklist, as it is before anybody has answered it."""

    id: str
    topic: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """People that a candidate needs: a skill, how many, and why."""

    name: str
    people: Value
    why: str
    training_weeks: Value | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillTemplate:
    """A skill, for which kind of machine it is needed, and how many people that takes."""

    name: str
    why: str
    least: Assumption  # people, however few servers there are
    servers_per_person: Assumption | None = None  # None: their number does not grow with the servers
    training_weeks: Assumption | None = None
    vias: tuple[Via, ...] = ()  # empty: each
    executions: tuple[Execution, ...] = ()
    maturities: tuple[str, ...] = ()
    coolings: tuple[Cooling, ...] = ()
    least_servers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where one kind of work should run, by how it behaves."""

    workload: str
    pool: Literal["general", "specialised", "either"]
    candidate: str  # empty: none of the candidates
    accelerators: int | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a migration: what, when it may go on, when it goes back."""

    name: str
    gate: str
    rollback: str
    runbook: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """How work is moved from one pool to another, whatever the work is."""

    steps: tuple[Step, ...]
    incidents: tuple[tuple[str, str], ...]  # metric name -> how it is compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Hybrid:
    """Which work stays on the general pool and which moves, in which steps, and what to compare before and after."""

    moves: tuple[Move, ...]
    steps: tuple[Step, ...]
    incidents: tuple[tuple[str, str], ...]  # metric name -> how it is compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """All risks of one candidate."""

    candidate: str
    risks: tuple[Risk, ...]
    downtime: Downtime | None = None
    skills: tuple[Skill, ...] = ()
