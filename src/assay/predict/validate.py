"""Published rows as jobs: what a row leaves out is filled the way a user of that system would, and said.

A row gives a model, a machine and a plan, in part. `case_of` and `plan_of` complete it.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np

from assay.errors import InputError
from assay.hardware import System
from assay.model import Attention, Block, FeedForward, Model, TransformerShape
from assay.plan import Plan, Recompute
from assay.predict import estimate, search
from assay.predict.calibrated import Calibrated, memory_value, widening
from assay.predict.figures import KNOWN, MEMORY_METRICS, Case
from assay.published import PublishedRow
from assay.result import Value
from assay.workload import Workload

_DENSE = ("dense", "encoder", "")
_DEFAULT_VOCAB = 51200
_DEFAULT_SEQ_LEN = {"dense": 2048, "encoder": 512, "": 2048}


def refusal(row: PublishedRow) -> str:
    """Why a row cannot be predicted, before anything is looked up; empty when it can."""
    if row.family not in _DENSE:
        return f"family {row.family} is not priced yet"
    if row.experts or row.topk:
        return "mixture-of-experts layers are not priced yet"
    if "LORA" in row.row_flag.upper() or "PEFT" in row.row_flag.upper() or "lora" in row.model.lower():
        return "LoRA and other adapters are not priced yet"
    if row.metric_name in ("time_to_train_min", "samples/s(end_to_end)"):
        return "time to a quality target depends on convergence, which is not predicted"
    if row.metric_name not in KNOWN:
        return f'metric "{row.metric_name}" is not one predicted here'
    if not (row.metric_value > 0 and math.isfinite(row.metric_value)):
        return f"metric_value {row.metric_value} is not above 0"
    return ""


def case_of(row: PublishedRow, system: System, known: Model | None) -> Case:
    """The row as a job on a machine; raises InputError when too little is stated to say what was run."""
    model, assumed = model_of(row, known)
    n, per_node = _devices(row, system)
    machine = _network_of(row, replace(system, count_per_node=per_node, nodes=max(1, n // per_node)))
    data, tensor, pipeline = _ranks(row, n)
    batch, told = _batch(row, data, n)
    precision, spoken = precision_of(row, machine)
    seq_len = row.seq_len or _DEFAULT_SEQ_LEN[row.family]
    assumed += told + spoken + (() if row.seq_len else (f"sequence length {seq_len}",))
    job = Workload(name=row.id, model=model, seq_len=seq_len, global_batch=batch, precision=precision)
    options = search.Options(
        tensor=_only(tensor), pipeline=_only(pipeline), virtual=_only(row.vp) if row.vp else (1,),
        context=(row.cp or 1,), micro_batch=_only(row.micro_batch),
        zero_stage=(row.zero_stage,) if row.zero_stage is not None else (0, 1, 3) if data is None else (0, 1),
        recompute=_recompute(row.recompute), flash_attention=(_flash(row),),
        sequence_parallel=_sequence_parallel(row, tensor),
    )  # fmt: skip
    if not row.recompute:
        assumed += ("recomputation: what fits best",)
    return Case(job=job, system=machine, options=options, data=data, assumed=assumed)


def plan_of(case: Case, calibrated: Calibrated) -> tuple[Plan, tuple[str, ...]]:
    """The plan a row states, or the fastest that fits of those it leaves open."""
    fixed = _stated(case)
    if fixed is not None:
        return fixed, ()
    found = search.search(case.job, case.system, calibrated.constants, options=case.options, top=1)
    if found.plans:
        return found.plans[0], () if case.options.micro_batch else ("plan: the fastest that fits",)
    # The row ran although our memory model says it does not fit: take the leanest of what it left open.
    lean = _leanest(case, calibrated)
    return lean, ("our memory model finds no plan that fits",)


def model_of(row: PublishedRow, known: Model | None) -> tuple[Model, tuple[str, ...]]:
    """The row's shape; the catalog's where the row names a model but no shape; a typical one for its size at last."""
    if row.layers and row.hidden:
        return _shaped(row, row.layers, row.hidden, known), ()
    if known is not None and isinstance(known.shape, TransformerShape):
        return known, (f"shape of {known.name}",)
    if row.params_b:
        # 12·L·h² parameters with h ≈ 128·L, as published families have (Kaplan et al. 2020: little depends on it).
        layers = max(2, round((row.params_b * 1e9 / (12 * 128**2)) ** (1 / 3)))
        hidden = max(128, 128 * round((row.params_b * 1e9 / 12 / layers) ** 0.5 / 128))
        return _shaped(row, layers, hidden, None), (f"shape typical of {row.params_b:g} B parameters",)
    raise InputError(f'model "{row.model}" is not in the catalog and the row states no shape')


def precision_of(row: PublishedRow, system: System) -> tuple[str, tuple[str, ...]]:
    """The compute precision a row means by its words; 16 bits where it says nothing."""
    text = row.precision.lower()
    for dtype in ("fp4", "fp8", "bf16", "fp16", "tf32", "fp32"):
        if dtype in text:
            return dtype, () if "not in log" not in text else (f"precision {dtype}",)
    default = "bf16" if "bf16" in system.accelerator.peak_flop_per_s else "fp16"
    return default, (f"precision {default}",)


def _shaped(row: PublishedRow, layers: int, hidden: int, known: Model | None) -> Model:
    base = known.shape if known is not None and isinstance(known.shape, TransformerShape) else None
    heads = row.heads or max(1, hidden // 128)
    kv = row.kv_heads or (
        base.blocks[0].attention.kv_heads if base and row.heads == base.blocks[0].attention.heads else heads
    )
    width = row.ffn_hidden or 4 * hidden
    causal = row.family != "encoder"
    vocab = row.vocab or (base.vocab if base else _DEFAULT_VOCAB)
    gated = _gated(row, layers, hidden, heads, kv, width, vocab) if row.ffn_hidden else False
    block = Block(
        count=layers, attention=Attention(heads=heads, kv_heads=kv, head_dim=max(1, hidden // heads)),
        ffn=FeedForward(hidden=width, gated=gated),
    )  # fmt: skip
    shape = TransformerShape(
        hidden=hidden, vocab=vocab, blocks=(block,), causal=causal, tied=not gated, norm_bias=not gated,
        positions=0 if gated else (row.seq_len or 2048),
    )  # fmt: skip
    return Model(name=row.model or row.id, family="transformer", shape=shape)


def _gated(row: PublishedRow, layers: int, hidden: int, heads: int, kv: int, width: int, vocab: int) -> bool:
    """Whether the MLP has three matrices: whichever count comes closer to the stated size; unstated, by its width."""
    attention = 2.0 * hidden * hidden * (1.0 + kv / heads)
    counts = {
        gated: layers * (attention + (3 if gated else 2) * hidden * width) + vocab * hidden for gated in (False, True)
    }
    if not row.params_b:
        return width < 4 * hidden
    told = row.params_b * 1e9
    return abs(math.log(counts[True] / told)) < abs(math.log(counts[False] / told))


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


def _batch(row: PublishedRow, data: int | None, n: int) -> tuple[int, tuple[str, ...]]:
    replicas = data or n
    if row.global_batch:
        # A batch that does not divide was rounded by its source; the nearest that does.
        unit = replicas * (row.micro_batch or 1) if data else 1
        rounded = max(1, round(row.global_batch / unit)) * unit
        return rounded, () if rounded == row.global_batch else (f"global batch {rounded}",)
    batch = replicas * (row.micro_batch or 8)
    return batch, (f"global batch {batch}",)


def _network_of(row: PublishedRow, system: System) -> System:
    """The row's own words on its network ("8x200Gb/s HDR per node", "EFA 800 Gb/s") over the catalog's default."""
    text = row.interconnect_note.lower()
    many = re.search(r"(\d+)\s*x\s*(\d+)\s*gb(?:/s|it|ps|e|\b)", text)
    one = re.search(r"efa\s*(\d+)\s*gb/s", text)
    total = int(many[1]) * int(many[2]) if many else int(one[1]) if one else 0
    if not total or len(system.links) < 2:
        return system
    rate = total / 8 * 1e9 / system.count_per_node
    return replace(system, links=(*system.links[:-1], replace(system.links[-1], bandwidth_bytes_per_s=rate)))


def _recompute(text: str) -> tuple[int, ...]:
    word = text.lower().split("(")[0].strip()
    known = {"none": Recompute.NONE, "selective": Recompute.SELECTIVE, "full": Recompute.FULL}
    if text.lower().startswith("selective(") and "core" not in text.lower():
        return (Recompute.FULL,)  # some whole layers again: nearer to full than to the core alone
    return (known[word],) if word in known else (Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL)


def _sequence_parallel(row: PublishedRow, tensor: int | None) -> tuple[bool, ...]:
    """As stated; without tensor parallelism there is nothing to spread, whatever is stated."""
    stated = {"y": (True,), "n": (False,)}.get(row.sp[:1].lower(), (False, True))
    return (False,) if tensor == 1 else stated


def _flash(row: PublishedRow) -> bool:
    """Stated, or by its time: fused attention became the default in 2023."""
    if row.flash_attention:
        return row.flash_attention[0].lower() == "y"
    return not (row.date and row.date[:4].isdecimal() and int(row.date[:4]) < 2023)


def _stated(case: Case) -> Plan | None:
    o = case.options
    open_ended = (o.tensor, o.pipeline, o.virtual, o.micro_batch, o.recompute, o.zero_stage)
    if case.data is None or any(choice is None or len(choice) != 1 for choice in open_ended):
        return None
    t, p, v, b, r, z = (choice[0] for choice in open_ended if choice)
    sp = o.sequence_parallel[-1] and t > 1
    return Plan(
        data=case.data, tensor=t, pipeline=p, virtual=v, context=o.context[0], micro_batch=b, zero_stage=z,
        sequence_parallel=sp, recompute=Recompute(r), flash_attention=o.flash_attention[0],
    )  # fmt: skip


def _leanest(case: Case, calibrated: Calibrated) -> Plan:
    best: tuple[float, Plan] | None = None
    for block in search.blocks(case.job, case.system, case.options):
        peak = sum(estimate.memory_of(case.job, block, calibrated.constants).values(), np.zeros(()))
        i = int(np.argmin(peak))
        if best is None or peak[i] < best[0]:
            best = float(peak[i]), search.row(block, i)
    if best is None:
        raise InputError("no plan is legal for the sizes the row states")
    return best[1]


def _only(value: int | None) -> tuple[int, ...] | None:
    return None if value is None else (value,)


def interval(row: PublishedRow, calibrated: Calibrated, mean: float, assumed: tuple[str, ...]) -> Value:
    """Our figure with its 90 % interval: what was assumed widens it."""
    if row.metric_name in MEMORY_METRICS:
        return memory_value(calibrated, mean)
    return calibrated.value(mean, calibrated.residual_ln * widening(assumed))
