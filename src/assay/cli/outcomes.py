"""What came of asking every system: the results, and who cannot do the job, for which reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from assay.cli.answers import label
from assay.cli.output import say
from assay.errors import InputError, TooLarge

if TYPE_CHECKING:
    from assay.hardware import System
    from assay.plan import Plan
    from assay.result import Result
    from assay.workload import Workload

_MOST_NODES = 4096  # how far is looked for a cluster that a too large model would fit on


@dataclass(slots=True)
class Outcome:
    """What came of every system asked for."""

    results: list[Result] = field(default_factory=list)
    cannot: list[tuple[System, InputError]] = field(default_factory=list)


def outcome_of(
    job: Workload, found: Sequence[System], plan: Plan | None, exact: bool, top: int, folders: Sequence[Path]
) -> Outcome:
    """Each system's best plans, or the stated one; `exact` where the plan says dp itself."""
    from assay.api import best
    from assay.api import predict as predict_one

    out = Outcome()
    for machine in found:
        try:
            if plan is not None:
                _as_said(job, machine, plan, exact)
                out.results.append(predict_one(job, machine, plan, folders=folders))
            else:
                out.results += best(job, machine, top=top, folders=folders)
        except InputError as error:
            out.cannot.append((machine, error))
    return out


def _as_said(job: Workload, machine: System, plan: Plan, exact: bool) -> None:
    """dp=1 that somebody wrote is meant; dp that nobody wrote is filled in."""
    from assay.predict.legal import refuse_illegal

    parallel = int(plan.tensor) * int(plan.pipeline) * int(plan.context)
    if parallel > machine.accelerators:
        nodes = -(-parallel // machine.count_per_node)
        what = f"plan: tp × pp × cp = {parallel}, but {label(machine)} has {machine.accelerators} accelerators"
        raise InputError(what, hint=f"write --nodes {nodes}, or less of tp, pp or cp")
    if exact and plan.data == 1:
        refuse_illegal(job, machine, plan)


def nowhere(job: Workload, outcome: Outcome, folders: Sequence[Path]) -> InputError:
    """Nothing can do this job: the one reason, or all of them."""
    if len(outcome.cannot) > 1:
        say_cannot(job, outcome)
        return InputError(
            f"{job.model.name} runs on none of {len(outcome.cannot)} systems as asked", hint="see above why"
        )
    machine, error = outcome.cannot[0]
    return InputError(str(error), hint=_larger(job, machine, folders)) if isinstance(error, TooLarge) else error


def _larger(job: Workload, machine: System, folders: Sequence[Path]) -> str:
    """How many nodes would do, tried by doubling."""
    from assay.api import search

    nodes = 2 * machine.nodes
    while nodes <= min(_MOST_NODES, job.global_batch * 64):
        try:
            if search(job, machine.with_nodes(nodes), top=1, folders=folders):
                return f"it fits on --nodes {nodes}"
        except InputError:
            break
        nodes *= 2
    return "try a system with more memory, or a smaller model"


def say_cannot(job: Workload, outcome: Outcome) -> None:
    """Who cannot, and why, on stderr."""
    tried = len(outcome.cannot) + len({(r.system.name, r.system.nodes) for r in outcome.results})
    say(f"{len(outcome.cannot)} of {tried} systems cannot do this job as asked:")
    width = max(len(label(machine)) for machine, _ in outcome.cannot)
    for machine, error in outcome.cannot:
        say(f"  {label(machine):<{width}}  {str(error).removeprefix(job.model.name).strip()}")
