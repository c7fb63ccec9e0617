"""What may go wrong with a candidate, as data: a scorecard of evidence, questions to ask, people to find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
    answers: tuple[tuple[str, str], ...] = ()  # candidate -> answer


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
class Skill:
    """People that a candidate needs: a skill, how many, and why."""

    name: str
    people: Value
    why: str
    training_weeks: Value | None = None


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
