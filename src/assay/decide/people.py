"""Who is needed to run a candidate: skills, how many people, how long until they can do it, each with its range."""

from __future__ import annotations

from collections.abc import Iterable

from assay.assumption import Assumption
from assay.decide.ranges import spread, stated
from assay.hardware import System
from assay.hazards import Skill, SkillTemplate
from assay.pilot import Cooling, Via
from assay.result import Value


def skills(
    templates: Iterable[SkillTemplate], *, system: System, servers: int, via: Via, cooling: Cooling | None = None
) -> tuple[Skill, ...]:
    """The skills that so many servers of a kind need, by how the machine executes and how mature its software is.

    An unknown cooling asks for no one in particular.
    """
    return tuple(_skill(one, servers) for one in templates if _needed(one, system, servers, via, cooling))


def headcount(needed: Iterable[Skill]) -> Value:
    """All people together, not all of them new: the skills may sit in one head, so this is what there is to do."""
    return spread(lambda x: sum(x.values()), {str(i): stated(one.people) for i, one in enumerate(needed)})


def people(template: SkillTemplate, servers: int) -> Value:
    """How many people a skill takes: at least so many, and more where there are many servers."""
    least, each = template.least, template.servers_per_person
    if each is None:
        return Value(mean=least.value, low=least.low, high=least.high, evidence="D")
    return Value(
        mean=max(least.value, servers / each.value),
        low=max(least.low, servers / each.high),
        high=max(least.high, servers / each.low),
        evidence="D",
    )


def _needed(one: SkillTemplate, system: System, servers: int, via: Via, cooling: Cooling | None) -> bool:
    chip = system.accelerator
    return (
        servers >= one.least_servers
        and (not one.vias or via in one.vias)
        and (not one.executions or chip.execution in one.executions)
        and (not one.maturities or chip.software.maturity in one.maturities)
        and (not one.coolings or cooling in one.coolings)
    )


def _skill(one: SkillTemplate, servers: int) -> Skill:
    each = one.servers_per_person
    known = each if each is not None and servers / each.value > one.least.value else one.least
    return Skill(
        name=one.name,
        people=people(one, servers),
        why=one.why,
        training_weeks=_value(one.training_weeks),
        source=f"{known.source} ({known.date})",
    )


def _value(known: Assumption | None) -> Value | None:
    if known is None:
        return None
    return Value(mean=known.value, low=known.low, high=known.high, evidence="D")
