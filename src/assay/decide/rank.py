"""The order of the candidates, who cannot be told from the leader, and the answer that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.decide.draws import cheaper_share
from assay.decision import Answer, Judged

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

SURE = 0.90  # of the draws must favour the leader, or the two are a tie


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Names best first, and those that tie with the first, itself included; empty when it stands alone."""

    names: tuple[str, ...]
    ties: tuple[str, ...]
    surest: Mapping[str, float]  # share of draws in which the first is better than this one


def order(scores: Mapping[str, float], draws: Mapping[str, Array]) -> Order:
    """Lowest score first; a tie where fewer than nine draws in ten, taken together, agree."""
    names = tuple(sorted(scores, key=lambda name: scores[name]))
    if not names:
        return Order(names=(), ties=(), surest={})
    first = draws[names[0]]
    surest = {name: cheaper_share(first, draws[name]) for name in names[1:]}
    tied = tuple(name for name, share in surest.items() if share < SURE)
    return Order(names=names, ties=(names[0], *tied) if tied else (), surest=surest)


def pareto(points: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    """Those that nothing beats in both figures; less of each is better.

    >>> pareto({"a": (1.0, 5.0), "b": (2.0, 3.0), "c": (3.0, 4.0)})
    ('a', 'b')
    """

    def beaten(name: str) -> bool:
        x, y = points[name]
        others = (points[other] for other in points if other != name)
        return any(p <= x and q <= y and (p, q) != (x, y) for p, q in others)

    return tuple(name for name in points if not beaten(name))


def answer(candidates: Sequence[Judged], found: Order, elastic: frozenset[str]) -> Answer:
    """What to do: nothing is chosen that is not proven, and nothing is bought that ties with what can be given back."""
    if candidates and all(one.ruled_out for one in candidates):
        return "nothing fits"
    leader = next((one for one in candidates if found.names and one.name == found.names[0]), None)
    if leader is None or open_(leader) or any(one.unknown for one in candidates if not one.ruled_out):
        return "pilot first"
    if leader.via == "buy" and any(name in elastic for name in found.ties):
        return "do not buy yet"
    return "tie" if found.ties else "choose"


def open_(one: Judged) -> tuple[str, ...]:
    """Gates and constraints of a candidate that are not proven; without a gate, its rates that nobody measured."""
    told = [ruling.name for ruling in (*one.constraints, *one.gates) if ruling.proof == "not proven"]
    if not one.gates:
        told += [f"speed of {rate.workload}" for rate in one.rates if rate.origin != "measured"]
    return tuple(dict.fromkeys(told))
