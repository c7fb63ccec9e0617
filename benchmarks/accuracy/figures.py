"""Figures that several parts of the page need: rows grouped, errors, what is a language model on a GPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from assay.api.accuracy import Accuracy, Held
from assay.api.learning import unfit
from assay.predict.figures import STEADY
from assay.predict.score import Score, by_source, ln_error, score
from assay.published import Checked, PublishedRow

LANGUAGE = ("dense", "moe")
MOST = 60  # rows of a source on one device that a pooled figure takes: two sources would drown the others


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Errors of some rows, pooled, and as the medians of their sources."""

    n: int
    sources: int
    pooled: Score
    even: Score  # at most 60 rows of a source and device
    median_of_sources: float
    p90_of_sources: float  # median over the sources of their 90th percentiles


def checked(rows: Iterable[Held], way: str = "source") -> list[Checked]:
    return [getattr(one, way) for one in rows]


def whole(rows: Sequence[Checked]) -> Score | None:
    """One score of all rows; None where none was predicted."""
    found = score(rows, lambda row: "all")
    return found[0] if found else None


def spread(rows: Sequence[Held], way: str = "source") -> Spread | None:
    pooled, even = whole(checked(rows, way)), whole(checked(evenly(rows), way))
    if pooled is None or even is None:
        return None
    each = score(checked(rows, way), by_source)
    return Spread(
        n=pooled.n, sources=len(each), pooled=pooled, even=even,
        median_of_sources=median(s.median_ln for s in each), p90_of_sources=median(s.p90_ln for s in each),
    )  # fmt: skip


def evenly(rows: Sequence[Held]) -> list[Held]:
    """At most so many rows of a source on a device, evenly taken."""
    groups = grouped(rows, lambda one: f"{one.row.source} @ {one.facts.device}")
    return [one for mine in groups.values() for one in mine[:: -(-len(mine) // MOST)]]


def grouped(rows: Iterable[Held], key: Callable[[Held], str]) -> Mapping[str, list[Held]]:
    found: dict[str, list[Held]] = {}
    for one in rows:
        found.setdefault(key(one), []).append(one)
    return dict(sorted(found.items()))


def speeds(found: Accuracy) -> list[Held]:
    """Speeds of whole steps, by software that its source calls finished."""
    return [one for one in found.held if one.facts.speed and not unfit(one.row)]


def language(found: Accuracy, *, tuning: bool = False) -> list[Held]:
    """Training of decoders on GPUs, all weights learning; rows that are flagged only where `tuning`."""
    rows = found.held if tuning else speeds(found)
    mine = (one for one in rows if one.facts.speed and one.facts.architecture == "gpu")
    return [one for one in mine if one.facts.regime in LANGUAGE]


def others(found: Accuracy) -> Mapping[str, list[Held]]:
    """Every other kind of job and class of machine with five rows or more."""
    rest = [one for one in speeds(found) if one.facts.architecture != "gpu" or one.facts.regime not in LANGUAGE]
    groups = dict(grouped(rest, lambda one: f"{one.facts.architecture} · {one.facts.regime}"))
    classes = grouped(rest, lambda one: one.facts.architecture)
    groups |= {f"{name} · all": rows for name, rows in classes.items() if name != "gpu"}
    return {name: rows for name, rows in sorted(groups.items()) if len(rows) >= 5}


def name_of(row: PublishedRow) -> str:
    """The line of the page's tables that a row is in: its source, for all but speeds with what the figure is of."""
    return row.source if row.metric_name in STEADY else f"{row.source} · {row.metric_name}"


TIMES = ("iteration_s", "layer_fwd_ms", "layer_bwd_ms")  # where more is slower


def faster_ln(one: Held, way: str = "source") -> float:
    """ln(predicted/measured) as speeds: above 0 we say faster than it was."""
    error = ln_error(getattr(one, way))
    return -error if one.row.metric_name in TIMES else error


def mfu(one: Held) -> tuple[float, float]:
    """Model FLOP utilization, measured and predicted."""
    step_s = sum(one.terms_s.values())
    predicted = one.facts.ideal_s / step_s if step_s else 0.0
    return predicted * math.exp(-faster_ln(one)), predicted
