"""A decision in sentences: the verdict, why, and what would overturn it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.decide.rank import Order, open_
from assay.decision import Answer, Judged, Overturn
from assay.result import Value
from assay.units import show
from assay.worth import Worth

# Objective -> what its figure is called in a sentence, and its unit.
OBJECTIVES: Mapping[str, tuple[str, str]] = {
    "cost of the work": ("a year for all of the work", "usd"),
    "cost per used hour": ("per used accelerator-hour", "usd_per_s"),
    "time to train": ("for the longest job", "s"),
    "energy": ("a year, with cooling", "j"),
}
_YEAR_S = 365.25 * 86400


def verdict(answer: Answer, candidates: Sequence[Judged], found: Order, objective: str) -> str:
    """The first line of everything: what to do, with its figure."""
    by_name = {one.name: one for one in candidates}
    leader = by_name.get(found.names[0]) if found.names else None
    if answer == "nothing fits":
        reasons = dict.fromkeys(one.ruled_out[0].name for one in candidates if one.ruled_out)
        return f"None of the {len(candidates)} candidates will do: {_and(list(reasons)[:3])} rule them out."
    if leader is None:
        return "Pilot first: " + ("no candidate's figure is known yet." if candidates else "there is no candidate yet.")
    said = f"{told(leader, objective)}"
    if answer == "choose":
        return f"Choose {leader.name}: {said}{_ahead(leader, found, by_name)}."
    if answer == "tie":
        return f"{_and(found.ties)} cannot be told apart; {leader.name} at {said} is the nearest to the best."
    if answer == "do not buy yet":
        rented = [name for name in found.ties if by_name[name].via == "rent"]
        return (
            f"Do not buy yet: {leader.name} at {said} cannot be told from {_and(rented[:2])}, "
            "which can be given back."
        )  # fmt: skip
    unproven = len(open_(leader))
    lead = "leads" if not found.ties else f"leads in a tie with {_and([n for n in found.ties if n != leader.name][:2])}"
    if not unproven:
        unknown = [one.name for one in candidates if one.unknown and not one.ruled_out]
        return f"Pilot first: {leader.name} {lead} at {said}, but nothing can be said of {_and(unknown[:3])} yet."
    thing = "one thing it must show is" if unproven == 1 else f"{unproven} things it must show are"
    return f"Pilot first: {leader.name} {lead} at {said}, but {thing} not proven."


def told(one: Judged, objective: str) -> str:
    """A candidate's figure in words."""
    words, unit = OBJECTIVES[objective]
    return f"{figure(one.score, unit)} {words}" if one.score else f"an unknown sum {words}"


def _ahead(leader: Judged, found: Order, by_name: Mapping[str, Judged]) -> str:
    if len(found.names) < 2 or leader.score is None:
        return ""
    second = by_name[found.names[1]]
    if second.score is None:
        return ""
    less = 1 - leader.score.mean / second.score.mean
    share = found.surest[second.name]
    return f", {100 * less:.0f} % less than {second.name} and better in {often(share)} of the draws"


def reasons(
    candidates: Sequence[Judged], found: Order, overturns: Sequence[Overturn], objective: str, most_used: float = 1.0
) -> tuple[str, ...]:  # fmt: skip
    """Why it is so, and what would overturn it: at most eight sentences."""
    by_name = {one.name: one for one in candidates}
    lines = []
    if found.names and (leader := by_name[found.names[0]]).worth is not None and leader.worth.explained:
        lines.append(leader.worth.explained)
        lines += [
            f"{leader.name}: {said}." for said in leader.worth.notes if "is asked today" in said or "reserve" in said
        ]
    for name in found.names[1:3]:
        one = by_name[name]
        lines.append(f"{name} comes to {told(one, objective)}; the leader is better in "
                     f"{often(found.surest[name])} of the draws.")  # fmt: skip
    lines += [said for one in candidates if (said := _break_even(one, by_name, most_used))][:2]
    lines += [_overturned(one) for one in overturns[:2]]
    for one in candidates:
        if one.ruled_out:
            lines.append(f"{one.name} is ruled out. {one.ruled_out[0].reason}")
        elif one.unknown:
            lines.append(f"{one.name} has no figure. Not known: {_and(one.unknown[:2])}.")
    return tuple(lines[:9])


def _break_even(one: Judged, by_name: Mapping[str, Judged], most_used: float) -> str:
    """Owning against renting the same machine, by the hour or reserved."""
    if one.worth is None or one.via != "buy":
        return ""
    for against in one.worth.against:
        other = by_name.get(against.other)
        if other is None or other.worth is None or other.via != "rent" or other.system != one.system:
            continue
        if not against.hourly:
            return _reserved(one.name, one.worth, other.name, other.worth)
        if against.breakeven_utilization is None:
            return f"At no use does {one.name} cost less than {against.other}: renting wins."
        at, used = against.breakeven_utilization, one.worth.used_share.mean
        if at > most_used:
            wanted = f"{one.name} would have to be used {100 * at:.0f} % of the time to cost less than {against.other}"
            return f"{wanted}; at most {100 * most_used:.0f} % can be: renting wins."
        side = "above" if used > at else "below"
        return (f"{one.name} costs less than {against.other} when it is used more than {100 * at:.0f} % of the time; "
                f"{100 * used:.0f} % is expected, which is {side} that.")  # fmt: skip
    return ""


def _reserved(name: str, own: Worth, other: str, rented: Worth) -> str:
    """What is reserved is paid for whether it is used or not, as what is owned is: use does not enter."""
    a, b = own.available_usd_per_s, rented.available_usd_per_s
    word = "more" if a.mean > b.mean else "less"
    costs = f"{figure(a, 'usd_per_s')}, {word} than {figure(b, 'usd_per_s')} of {other}"
    return f"An hour in which {name} could work costs {costs}: both are paid for all day, used or not."


def _overturned(one: Overturn) -> str:
    where = "within its range" if one.likely else "outside its range"
    return (f"If {one.name} were {shown(one.at, one.unit)} instead of {shown(one.usual, one.unit)} ({where}), "
            f"{one.leader} would lead.")  # fmt: skip


def often(share: float) -> str:
    """A share of draws; what always came out so may yet come out otherwise.

    >>> often(0.9996), often(0.934)
    ('more than 99.9 %', '93 %')
    """
    if share > 0.9995:
        return "more than 99.9 %"
    return "less than 0.1 %" if share < 0.0005 else f"{100 * share:.0f} %"


def shown(value: float, unit: str) -> str:
    """A stated number as a person says it: shares in per cent, lives in years."""
    years = value / _YEAR_S
    if unit == "s" and years > 0.95:
        return "a year" if abs(years - 1) < 0.01 else f"{show(years)} years"
    if not unit and 0 < abs(value) < 1:
        return f"{show(100 * value)} %"
    return show(float(f"{value:.3g}") if unit == "usd" else value, unit)  # cents of millions say nothing


def figure(value: Value, unit: str) -> str:
    """A figure with its interval, each in three digits."""
    mean, low, high = (shown(v, unit) for v in (value.mean, value.low, value.high))
    return mean if value.low == value.high else f"{mean} ({low} to {high})"


def _and(names: Sequence[str]) -> str:
    listed = list(names)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}" if listed else "nothing"
