"""A plan that breaks a rule is answered with the legal plan that is most like it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from assay.errors import InputError
from assay.hardware import System
from assay.plan import Plan, Schedule
from assay.predict import search
from assay.workload import Workload


def refuse_illegal(job: Workload, system: System, plan: Plan) -> None:
    """Raise InputError for a plan that breaks a rule, with the legal plan that is most like it."""
    broken = search.problem(job, system, plan)
    if broken:
        instead = nearest_legal(job, system, plan)
        hint = f'nearest legal plan: "{instead}"' if instead else "no plan is legal here; try other nodes or batches"
        raise InputError(f"plan: {broken}", hint=hint)


def nearest_legal(job: Workload, system: System, plan: Plan) -> Plan | None:
    """The legal plan whose sizes are the fewest doublings from this one's; None where no plan is legal."""
    t, c, e, p, v, b, d = search.cells(job, system, search.Options(context=tuple({1, int(plan.context)})))
    if not len(t):
        return None
    names = ("tensor", "context", "expert", "pipeline", "virtual", "micro_batch", "data")
    found = (t, c, e, p, v, b, d)
    away = sum(np.abs(np.log(x / getattr(plan, name))) for name, x in zip(names, found, strict=True))
    i = int(np.argmin(away))
    sizes: dict[str, Any] = {name: int(x[i]) for name, x in zip(names, found, strict=True)}
    zero = plan.zero_stage if p[i] == 1 else min(1, plan.zero_stage)
    return replace(plan, **sizes, zero_stage=zero, shard=0, schedule=Schedule.ONE_F_ONE_B, context_kind=0)
