"""The rules of plans: which one a plan breaks, the nearest legal value, and the legal plan that is most like it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from assay.errors import InputError
from assay.hardware import System
from assay.plan import ContextKind, Plan, Recompute, Schedule
from assay.predict.families import family
from assay.predict.grid import Options, cells, in_stages, nearest_divisor
from assay.predict.ops import Limits
from assay.workload import Workload


def refuse_illegal(job: Workload, system: System, plan: Plan) -> None:
    """Raise InputError for a plan that breaks a rule, with the legal plan that is most like it."""
    broken = problem(job, system, plan)
    if broken:
        instead = nearest_legal(job, system, plan)
        hint = f'nearest legal plan: "{instead}"' if instead else "no plan is legal here; try other nodes or batches"
        raise InputError(f"plan: {broken}", hint=hint)


def nearest_legal(job: Workload, system: System, plan: Plan) -> Plan | None:
    """The legal plan whose sizes are the fewest doublings from this one's; None where no plan is legal."""
    t, c, e, p, v, b, d = cells(job, system, Options(context=tuple({1, int(plan.context)})))
    if not len(t):
        return None
    names = ("tensor", "context", "expert", "pipeline", "virtual", "micro_batch", "data")
    found_sizes = (t, c, e, p, v, b, d)
    away = sum(np.abs(np.log(x / getattr(plan, name))) for name, x in zip(names, found_sizes, strict=True))
    i = int(np.argmin(away))
    sizes: dict[str, Any] = {name: int(x[i]) for name, x in zip(names, found_sizes, strict=True)}
    zero = plan.zero_stage if p[i] == 1 else min(1, plan.zero_stage)
    found = replace(
        plan, **sizes, zero_stage=zero, shard=0, schedule=Schedule.ONE_F_ONE_B, context_kind=0, recompute_layers=0
    )
    scored = family(job.model).limits(job.model.shape, job).scored
    return replace(found, loss_chunks=min(int(plan.loss_chunks), _pieces(found, scored)))


def problem(job: Workload, system: System, plan: Plan) -> str:
    """The rule one plan breaks, with the nearest legal value; empty when it is legal."""
    at = family(job.model).limits(job.model.shape, job)
    checks = (
        _divided(job, plan, at), _counted(plan, system.accelerators), _expert_problem(job, plan, at.experts),
        _shared(plan, at.heads), _idle(plan, at.layers),
        _scored(job.model.name, plan, at.scored), _scheduled(job, plan),
    )  # fmt: skip
    return next(filter(None, checks), "")


def _divided(job: Workload, plan: Plan, at: Limits) -> str:
    """What a size must divide."""
    for name, has, whole, asked in (
        ("tp", "attention heads", at.heads, plan.tensor), ("cp", "sequence", at.positions, plan.context),
    ):  # fmt: skip
        if asked > 1 and whole == 1 and not job.model.has_tokens:
            return f"{job.model.name} has no {has} to cut over {name} = {asked}; nearest legal {name}: 1"
    chunks, batch = plan.pipeline * plan.virtual, plan.data * plan.micro_batch
    staged = bool(in_stages(at.layers, plan.pipeline, plan.virtual))
    rules = [
        (at.heads % plan.tensor == 0, f"{at.heads} attention heads", "tp", at.heads, plan.tensor),
        (staged, f"{at.layers} layers", "pp × vp", at.layers, chunks),
        (job.global_batch % batch == 0, f"a global batch of {job.global_batch}", "dp × mbs", job.global_batch, batch),
        (at.positions % plan.context == 0, f"{at.positions} tokens", "cp", at.positions, plan.context),
    ]
    for holds, what, name, whole, asked in rules:
        if not holds:
            nearest, verb = nearest_divisor(whole, int(asked)), "does" if what.startswith("a ") else "do"
            return f"{what} {verb} not divide by {name} = {asked}; nearest legal {name}: {nearest}"
    return ""


def _counted(plan: Plan, have: int) -> str:
    """All accelerators take part, and no more."""
    n = plan.data * plan.tensor * plan.pipeline * plan.context
    if n == have:
        return ""
    each = int(n // plan.data)
    name, nearest = ("dp", have // each) if have % each == 0 else ("tp × pp × cp", nearest_divisor(have, each))
    return f"dp × tp × pp × cp = {n}, but {have} accelerators are there; nearest legal {name}: {nearest}"


def _shared(plan: Plan, heads: int) -> str:
    """What several parallel sizes share: heads of a sequence that is cut, replicas of a sharded state."""
    cut, replicas = plan.tensor * plan.context, plan.data * plan.context
    if plan.context_kind == ContextKind.ULYSSES and heads % cut:
        return f"{heads} attention heads do not divide by tp × cp = {cut}; nearest legal cpk: ring"
    if plan.shard and replicas % plan.shard:
        nearest = nearest_divisor(int(replicas), int(plan.shard))
        return f"{replicas} replicas do not divide by shard = {plan.shard}; nearest legal shard: {nearest}"
    return ""


def _scheduled(job: Workload, plan: Plan) -> str:
    """What goes with pipeline stages."""
    if plan.schedule == Schedule.GPIPE and plan.virtual > 1:
        return "GPipe has no interleaved form; nearest legal vp: 1"
    micro_batches = job.global_batch // (plan.data * plan.micro_batch)
    if plan.virtual > 1 and (plan.pipeline == 1 or micro_batches % plan.pipeline):
        return "interleaving needs pp > 1 and micro-batches that divide by pp; nearest legal vp: 1"
    if plan.zero_stage >= 2 and plan.pipeline > 1:
        return f"ZeRO stage {plan.zero_stage} does not go with pipeline stages; nearest legal zero: 1"
    return ""


def _idle(plan: Plan, layers: int) -> str:
    """A choice that changes nothing beside the others: what was meant is something else."""
    here = math.ceil(layers / plan.pipeline)
    if plan.recompute_layers and plan.recompute != Recompute.FULL:
        return f"acl = {plan.recompute_layers} says how many layers ac=full is for; nearest legal acl: 0"
    if plan.recompute_layers > here:
        return f"a stage has {here} layers, fewer than acl = {plan.recompute_layers}; nearest legal acl: {here}"
    if plan.pipeline == 1 and plan.schedule != Schedule.ONE_F_ONE_B:
        return "pps says in which order stages work, and pp = 1 has one; nearest legal pps: 1f1b"
    if plan.shard and plan.zero_stage == 0:
        return f"shard = {plan.shard} says what ZeRO shards over, and zero = 0 shards nothing; nearest legal shard: 0"
    return ""


def _scored(name: str, plan: Plan, scored: int) -> str:
    """Logits that are made piece by piece: of a micro-batch's tokens, and where there are any."""
    tokens = _pieces(plan, scored)
    if plan.loss_chunks <= tokens:
        return ""
    if not scored:
        return f"{name} has no vocabulary whose logits could come in pieces; nearest legal lc: 1"
    return f"a micro-batch has {tokens} tokens, fewer than lc = {plan.loss_chunks}; nearest legal lc: {tokens}"


def _pieces(plan: Plan, scored: int) -> int:
    """Into how many pieces the logits of a micro-batch can be cut at most."""
    return max(1, int(scored * plan.micro_batch // plan.context))


def _expert_problem(job: Workload, plan: Plan, experts: int) -> str:
    """The rule that expert parallelism breaks; empty when it breaks none."""
    if plan.expert == 1:
        return ""
    if experts == 1:
        return f"{job.model.name} has no experts to spread over ep={plan.expert}; nearest legal ep: 1"
    sharing = int(plan.data * plan.tensor * plan.context)
    if experts and experts % plan.expert:
        nearest = nearest_divisor(math.gcd(experts, sharing), int(plan.expert))
        return f"{experts} experts do not divide by ep = {plan.expert}; nearest legal ep: {nearest}"
    if sharing % plan.expert:
        nearest = nearest_divisor(math.gcd(experts, sharing), int(plan.expert))
        return f"dp × tp × cp = {sharing} does not divide by ep = {plan.expert}; nearest legal ep: {nearest}"
    return ""
