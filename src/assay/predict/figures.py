"""Our prediction in the unit of a published row: speeds, layer times and memory as others print them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from assay.hardware import System
from assay.plan import Plan, Recompute
from assay.predict import estimate, search
from assay.predict.calibrated import Calibrated
from assay.predict.families import family
from assay.predict.row_words import per_process, tensors_only
from assay.published import PublishedRow
from assay.workload import Workload

_LAYER_METRICS = ("layer_fwd_ms", "layer_bwd_ms")
_GIB = 2.0**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A row made whole: the job, the machine, what the search may choose, and what had to be assumed."""

    job: Workload
    system: System
    options: search.Options
    data: int | None
    assumed: tuple[str, ...]


def metric_of(row: PublishedRow, case: Case, plan: Plan, calibrated: Calibrated) -> float:
    """Our prediction in the unit of the row."""
    if row.metric_name == "peak_mem_GB" and tensors_only(row):
        return _tensors_gb(case, plan, calibrated)
    if row.metric_name in MEMORY_METRICS:
        return MEMORY_METRICS[row.metric_name](case, plan, calibrated)
    if row.metric_name in _LAYER_METRICS:
        return _layer_ms(row.metric_name, case, plan, calibrated)
    terms = estimate.terms_of(case.job, case.system, plan, calibrated.constants_for(case.job))
    step = sum(float(np.ravel(seconds)[0]) for seconds in terms.values())
    return speed_of(row, case, plan, step)


def speed_of(row: PublishedRow, case: Case, plan: Plan, step_s: float) -> float:
    """A step of so many seconds in the unit of a row."""
    processes = case.system.accelerators if per_process(row) else 1
    return STEADY[row.metric_name](case, plan, step_s) / processes


def steps_per_s(row: PublishedRow, case: Case, plan: Plan) -> float:
    """The measured speed in steps a second."""
    if row.metric_name == "iteration_s":
        return 1.0 / row.metric_value
    return row.metric_value / speed_of(row, case, plan, 1.0)


def _layer_ms(name: str, case: Case, plan: Plan, calibrated: Calibrated) -> float:
    """One layer, forward or backward with what it recomputes, in ms."""
    forward, backward = estimate.layer_step_s(case.job, case.system, plan, calibrated.constants_for(case.job))
    return 1e3 * (forward if name == "layer_fwd_ms" else backward)


def _memory(case: Case, plan: Plan, calibrated: Calibrated) -> Mapping[str, float]:
    parts = estimate.memory_of(case.job, plan, calibrated.constants_for(case.job))
    return {name: float(np.asarray(value).ravel()[0]) for name, value in parts.items()}


def _peak_gb(case: Case, plan: Plan, calibrated: Calibrated) -> float:
    return sum(_memory(case, plan, calibrated).values()) / _GIB


def _tensors_gb(case: Case, plan: Plan, calibrated: Calibrated) -> float:
    """What tensors take, without what the allocator and the driver take beside them."""
    parts = _memory(case, plan, calibrated)
    return (sum(parts.values()) - parts["fragmentation"] - parts["reserve"]) / _GIB


def _state_gb(case: Case, plan: Plan, calibrated: Calibrated) -> float:
    parts = _memory(case, plan, calibrated)
    return (parts["weights"] + parts["gradients"] + parts["optimizer"]) / _GIB


def _activations_gb(case: Case, plan: Plan, calibrated: Calibrated) -> float:
    return _memory(case, plan, calibrated)["activations"] / _GIB


def _percent_of_tensor_only(case: Case, plan: Plan, calibrated: Calibrated) -> float:
    """A layer's activations against plain tensor parallelism without recomputation (Korthikanti 2022, figure 7)."""
    plain = replace(plan, sequence_parallel=False, recompute=Recompute.NONE)
    kept, whole = (estimate.kept_per_layer_bytes(case.job, p) for p in (plan, plain))
    return 100.0 * kept / whole


MEMORY_METRICS = {
    "peak_mem_GB": _peak_gb, "mem_params_optimizer_GB": _state_gb, "mem_activations_GB": _activations_gb,
    "act_mem_pct_of_tp_baseline": _percent_of_tensor_only,
}  # fmt: skip


def _tokens_per_device(case: Case, plan: Plan, step_s: float) -> float:
    return case.job.tokens_per_step / step_s / case.system.accelerators


def _model_tflops(case: Case, plan: Plan, step_s: float) -> float:
    whole = family(case.job.model).model_flop(case.job.model.shape, case.job) * case.job.global_batch
    return whole / step_s / case.system.accelerators / 1e12


def _hardware_tflops(case: Case, plan: Plan, step_s: float) -> float:
    return estimate.executed(case.job, plan) * _model_tflops(case, plan, step_s)


# Speeds of a whole step, from its seconds.
STEADY: Mapping[str, Callable[[Case, Plan, float], float]] = {
    "iteration_s": lambda case, plan, step: step,
    "tokens/s/device": _tokens_per_device,
    "samples/s": lambda case, plan, step: case.job.global_batch / step,
    "TFLOPs/device(model)": _model_tflops,
    "TFLOPs/device(hw)": _hardware_tflops,
}

KNOWN = (*STEADY, *MEMORY_METRICS, *_LAYER_METRICS)
