"""Published rows as jobs: what a row leaves out is filled the way a user of that system would, and said.

A row gives a model, a machine and a plan, in part. `case_of` and `plan_of` complete it.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from assay.errors import InputError
from assay.hardware import Accelerator, System
from assay.model import Model, TransformerShape
from assay.plan import Plan, Recompute
from assay.predict import estimate, search
from assay.predict import row_words as words
from assay.predict.calibrated import Calibrated, memory_value, widening
from assay.predict.families import family
from assay.predict.figures import KNOWN, MEMORY_METRICS, Case
from assay.predict.regime import regime_of
from assay.predict.row_model import model_of
from assay.published import PublishedRow
from assay.result import Value
from assay.workload import Workload

_DEFAULT_SEQ_LEN = {"encoder": 512}
_FINE_TUNED_LEN = 512  # tokens of a sequence where adapters or an encoder-decoder are tuned and nothing is said
_SAMPLES = ("convnet", "dlrm", "diffusion", "swin", "recurrent")  # families whose samples are not made of tokens
# What a family's batch is split into where a row says nothing: sequences, pictures or clicks a device and micro-batch.
_USUAL_BATCH = {"convnet": 128, "dlrm": 8192, "recurrent": 32}
_NOT_PRICED = ("rl", "gnn")


def refusal(row: PublishedRow) -> str:
    """Why a row cannot be predicted, before anything is looked up; empty when it can."""
    if row.family in _NOT_PRICED:
        return f"family {row.family} is not priced"
    if row.metric_name in ("time_to_train_min", "samples/s(end_to_end)"):
        return "time to a quality target depends on convergence, which is not predicted"
    if row.metric_name not in KNOWN:
        return f'metric "{row.metric_name}" is not one predicted here'
    if not (row.metric_value > 0 and math.isfinite(row.metric_value)):
        return f"metric_value {row.metric_value} is not above 0"
    return ""


def impossible(row: PublishedRow, case: Case, steps_per_s: float) -> str:
    """Why a measured speed cannot be: it would need more than every peak of the device; empty where it can."""
    job = case.job
    flop = family(job.model).model_flop(job.model.shape, job) * job.global_batch * steps_per_s
    reached, peak = flop / case.system.accelerators, max(case.system.accelerator.peak_flop_per_s.values())
    if reached <= _BEYOND * peak:
        return ""
    said = f"{row.metric_name} = {row.metric_value:g} would need {reached / 1e12:,.0f} TFLOP/s of each device"
    return f"{said}; {case.system.accelerator.name} has {peak / 1e12:,.0f} at most"


_BEYOND = 1.1  # sources count operations a little differently


def case_of(row: PublishedRow, system: System, known: Model | None) -> Case:
    """The row as a job on a machine; raises InputError when too little is stated to say what was run."""
    model, assumed = model_of(row, known)
    n, per_node = _devices(row, system)
    machine = words.network_of(row, replace(system, count_per_node=per_node, nodes=max(1, n // per_node)))
    data, tensor, pipeline = _ranks(row, n) if model.family not in _SAMPLES else (n, 1, 1)
    batch, told = _batch(row, model, data, n)
    precision, spoken = words.precision_of(row, machine)
    seq_len, lengths = _lengths(row, model)
    if words.adapter_rank(row) is not None and not isinstance(model.shape, TransformerShape):
        raise InputError(f"{model.name} has no matrices that adapters go beside")
    job = Workload(
        name=row.id, model=model, seq_len=seq_len, global_batch=batch, precision=precision,
        mean_len=words.mean_len(row, seq_len), adapter_rank=words.adapter_rank(row),
        optimizer=words.optimizer(row, model.family in ("convnet", "dlrm")), storage=words.storage(row),
        attention_pace=words.attention_pace(row, machine.accelerator),
    )  # fmt: skip
    assumed += (_PER_PROCESS,) if words.per_process(row) else ()
    assumed += told + spoken + lengths + (() if row.recompute or model.family in _SAMPLES else (_RECOMPUTED,))
    return Case(
        job=job,
        system=machine,
        options=_options(row, job, machine.accelerator, data, tensor, pipeline),
        data=data,
        assumed=assumed,
    )


# Shares of the layers that may be recomputed where a row does not say: as many as memory asks for.
_AGAIN = (0.25, 0.5, 0.75, 1.0)
_ROOM = 1.1  # a row ran: a plan that our memory model finds somewhat too large may be the one
_INTERLEAVED = "2022"  # since when a pipeline whose chunks are not stated is taken to be interleaved
_PER_PROCESS = "the figure is of one process: as the job's it would be too slow for the run it is from"
_RECOMPUTED = "recomputation: what fits best"


def _lengths(row: PublishedRow, model: Model) -> tuple[int, tuple[str, ...]]:
    """Tokens of a sample, and what was assumed of them."""
    if model.family in _SAMPLES:
        return 1, ()
    if row.seq_len:
        return row.seq_len, ()
    tuned = words.adapter_rank(row) is not None or bool(getattr(model.shape, "encoder", ()))
    usual = _FINE_TUNED_LEN if tuned else _DEFAULT_SEQ_LEN.get(row.family, 2048)
    if isinstance(model.shape, TransformerShape) and model.shape.max_seq_len and row.family == "vit":
        usual = model.shape.max_seq_len
    return usual, (f"sequence length {usual}",)


def _options(
    row: PublishedRow, job: Workload, chip: Accelerator, data: int | None, tensor: int | None, pipeline: int | None
) -> search.Options:
    """What a row leaves open, as what a search may choose."""
    if job.model.family in _SAMPLES:
        return search.Options(
            tensor=(1,), pipeline=(1,), virtual=(1,), zero_stage=(0,), recompute=(Recompute.NONE,),
            micro_batch=_only(row.micro_batch), sequence_parallel=(False,),
        )  # fmt: skip
    return search.Options(
        tensor=_only(tensor), pipeline=_pipeline(chip, pipeline), virtual=_virtual(row),
        context=(row.cp or 1,), expert=_only(row.ep) if row.ep else None, micro_batch=_only(row.micro_batch),
        zero_stage=_zero(row, chip, data), uneven=True,
        again=_AGAIN if not row.recompute else (1.0,), room=_ROOM, recompute=words.recompute_of(row.recompute),
        flash_attention=(words.flash_attention(row),), sequence_parallel=words.sequence_parallel_of(row, tensor),
        kept=Plan(
            shard=_shard(row, data), recompute_layers=_layers_again(row, job, pipeline or 1),
            fused=words.fused(row), loss_chunks=words.loss_chunks(row),
            offload_activations=words.offload_activations(row),
        ),
    )  # fmt: skip


def _layers_again(row: PublishedRow, job: Workload, stages: int) -> int:
    """Layers of a stage that are recomputed where not all are; 0 = all."""
    share = words.layers_again(row.recompute)
    depth = family(job.model).limits(job.model.shape, job).layers
    return max(1, round(share * depth / stages)) if share < 1.0 else 0


def _virtual(row: PublishedRow) -> tuple[int, ...] | None:
    """Chunks a stage: as stated; left open where a source of this age does not say."""
    if row.vp:
        return (row.vp,)
    return None if row.pp and row.pp > 1 and row.date >= _INTERLEAVED else (1,)


def _pipeline(chip: Accelerator, stated: int | None) -> tuple[int, ...] | None:
    """Pipeline stages: as stated; compilers of systolic arrays shard a model's weights where nothing is said."""
    return (1,) if stated is None and chip.architecture == "systolic" else _only(stated)


def _zero(row: PublishedRow, chip: Accelerator, data: int | None) -> tuple[int, ...]:
    """ZeRO stages a row allows: there is nothing to shard over one replica, whatever is stated."""
    if data is not None and data * (row.cp or 1) == 1:
        return (0,)
    if row.zero_stage is not None:
        return (row.zero_stage,)
    return (0, 1, 3) if data is None and chip.execution == "kernels" else (0, 1)


def _shard(row: PublishedRow, data: int | None) -> int:
    """A sharding group that divides the replicas; 0 where it is all of them or none is named."""
    group, replicas = words.shard(row), (data or 1) * (row.cp or 1)
    return group if group and group < replicas and replicas % group == 0 else 0


def plan_of(case: Case, calibrated: Calibrated) -> tuple[Plan, tuple[str, ...]]:
    """The plan a row states, or the fastest that fits of those it leaves open."""
    fixed = _stated(case)
    if fixed is not None:
        return fixed, ()
    found = search.search(case.job, case.system, calibrated.constants_for(case.job), options=case.options, top=1)
    if found.plans:
        return found.plans[0], () if case.options.micro_batch else ("plan: the fastest that fits",)
    # The row ran although our memory model says it does not fit: take the leanest of what it left open.
    lean = _leanest(case, calibrated)
    return lean, ("our memory model finds no plan that fits",)


def _devices(row: PublishedRow, system: System) -> tuple[int, int]:
    stated = (row.dp or 1) * (row.tp or 1) * (row.pp or 1) * (row.cp or 1)
    n = row.n_accel or (stated if row.dp else row.accel_per_node or system.count_per_node)
    per_node = row.accel_per_node or system.count_per_node
    per_node = min(per_node, n)
    while n % per_node:
        per_node -= 1
    return n, per_node


def _ranks(row: PublishedRow, n: int) -> tuple[int | None, int | None, int | None]:
    """Parallel sizes per device: where a source counts several ranks in one (cores, dies), they are folded back."""
    tensor, pipeline, context = row.tp, row.pp, row.cp or 1
    if tensor is None and pipeline is None and row.dp is None:
        return None, None, None
    t, p = tensor or 1, pipeline or 1
    ranks = (row.dp or 1) * t * p * context
    for fold in (2, 4, 8):
        if row.dp and ranks == fold * n:
            t = t // math.gcd(t, fold)
            break
    while t > 1 and n % (t * p * context):
        t //= 2
    return max(1, n // (t * p * context)), t, p


def _batch(row: PublishedRow, model: Model, data: int | None, n: int) -> tuple[int, tuple[str, ...]]:
    replicas = data or n
    if row.global_batch:
        # A batch that does not divide was rounded by its source; the nearest that does.
        unit = replicas * (row.micro_batch or 1) if data else 1
        rounded = max(1, round(row.global_batch / unit)) * unit
        return rounded, () if rounded == row.global_batch else (f"global batch {rounded}",)
    batch = replicas * (row.micro_batch or _USUAL_BATCH.get(model.family, 8))
    return batch, (f"global batch {batch}",)


def _stated(case: Case) -> Plan | None:
    o = case.options
    open_ended = (o.tensor, o.pipeline, o.virtual, o.micro_batch, o.recompute, o.zero_stage, o.expert or (1,))
    if case.data is None or any(choice is None or len(choice) != 1 for choice in open_ended):
        return None
    t, p, v, b, r, z, e = (choice[0] for choice in open_ended if choice)
    sp = o.sequence_parallel[-1] and t > 1
    return replace(
        o.kept, data=case.data, tensor=t, expert=_all_devices(case, e), pipeline=p, virtual=v, context=o.context[0],
        micro_batch=b, zero_stage=z, sequence_parallel=sp, recompute=Recompute(r),
        flash_attention=o.flash_attention[0],
    )  # fmt: skip


def _all_devices(case: Case, expert: int) -> int:
    """A recommender's tables lie on all devices."""
    return case.system.accelerators if case.job.model.family == "dlrm" else expert


def _leanest(case: Case, calibrated: Calibrated) -> Plan:
    best: tuple[float, Plan] | None = None
    for block in search.blocks(case.job, case.system, case.options):
        peak = sum(estimate.memory_of(case.job, block, calibrated.constants_for(case.job)).values(), np.zeros(()))
        i = int(np.argmin(peak))
        if best is None or peak[i] < best[0]:
            best = float(peak[i]), search.row(block, i)
    if best is None:
        raise InputError("no plan is legal for the sizes the row states")
    return best[1]


def _only(value: int | None) -> tuple[int, ...] | None:
    return None if value is None else (value,)


def interval(row: PublishedRow, job: Workload, calibrated: Calibrated, mean: float, assumed: tuple[str, ...]) -> Value:
    """Our figure with its 90 % interval: what was assumed widens it."""
    if row.metric_name in MEMORY_METRICS:
        return memory_value(calibrated, mean)
    return calibrated.value(mean, calibrated.half_ln(regime_of(job)) * widening(assumed))
