"""What a device offers a job, as columns: numbers, or arrays where rows of several devices are priced at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from assay.errors import InputError
from assay.hardware import DTYPES, Accelerator, System
from assay.predict.ops import Number, operand_bytes
from assay.workload import Workload

# Where a device lacks a format, the next one that its matrix units compute the same numbers in.
_FALLBACK = {
    "fp4": "fp8", "fp8": "bf16", "int8": "bf16", "bf16": "fp16", "fp16": "bf16", "tf32": "fp32", "fp32": "tf32",
    "fp64": "fp32",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device's roofs for one job. What it lacks is 0."""

    flop_per_s: Number  # of matrix products at the job's precision
    wide_flop_per_s: Number  # of those that stay at 16 bits where the job has fewer
    attention_flop_per_s: Number  # of fused attention, which runs in 16 bits
    operand_bits: Number  # of the precision that products really run in
    wide_bits: Number
    bandwidth_bytes_per_s: Number
    cache_bytes: Number
    cache_bytes_per_s: Number
    units: Number
    host_bytes_per_s: Number  # one way
    streaming_bytes_per_s: Number
    memory_bytes: Number
    per_node: Number
    nodes: Number


def device(system: System, precision: str, attention_pace: float = 1.0) -> Device:
    """A system's accelerator as a job of this precision sees it; raises InputError where it has no such unit."""
    chip = system.accelerator
    found = peak_flop_per_s(chip, precision)
    if found is None:
        raise InputError(f"{chip.name} has no {precision} peak", hint=f"known: {', '.join(chip.peak_flop_per_s)}")
    wide = found if operand_bytes(precision) > 1.0 else peak_flop_per_s(chip, "bf16") or found
    wide_flop_per_s = min(found[0], wide[0]) if operand_bytes(precision) < 2.0 else wide[0]
    inside = chip.on_chip_bandwidth_bytes_per_s or 0.0
    cached = bool(chip.on_chip_bytes) and inside > chip.bandwidth_bytes_per_s
    return Device(
        flop_per_s=found[0], wide_flop_per_s=wide_flop_per_s, attention_flop_per_s=attention_pace * wide_flop_per_s,
        operand_bits=8.0 * _operand(found[1]), wide_bits=8.0 * _operand(wide[1]),
        bandwidth_bytes_per_s=chip.bandwidth_bytes_per_s, cache_bytes=(chip.on_chip_bytes or 0.0) if cached else 0.0,
        cache_bytes_per_s=inside if cached else chip.bandwidth_bytes_per_s, units=float(chip.compute_units or 0),
        host_bytes_per_s=chip.host_bandwidth_bytes_per_s or 0.0,
        streaming_bytes_per_s=chip.streaming_bandwidth_bytes_per_s or 0.0, memory_bytes=chip.memory_bytes,
        per_node=float(system.count_per_node),
        nodes=float(system.nodes),
    )  # fmt: skip


def as_run(job: Workload, system: System) -> Workload:
    """The job in the precision that this system's units really compute it in."""
    found = peak_flop_per_s(system.accelerator, job.precision)
    used = found[1] if found and found[1] in DTYPES else job.precision
    return job if used == job.precision else replace(job, precision=used)


def peak_flop_per_s(accelerator: Accelerator, dtype: str) -> tuple[float, str] | None:
    """The dense peak for this precision and the one it is really run in; None when the device has no such unit."""
    narrower = accelerator.peak_flop_per_s.get("fp8")
    if narrower and dtype in ("bf16", "fp16") and not {"bf16", "fp16"} & accelerator.peak_flop_per_s.keys():
        return narrower / 2.0, "16 bits at half of its fp8 peak"
    seen: set[str] = set()
    wanted = dtype
    while wanted not in accelerator.peak_flop_per_s:
        seen.add(wanted)
        wanted = _FALLBACK.get(wanted, "fp32")
        if wanted in seen:
            if "fp32" in accelerator.peak_flop_per_s:
                return accelerator.peak_flop_per_s["fp32"], "fp32"
            return None
    return accelerator.peak_flop_per_s[wanted], wanted


def _operand(used: str) -> float:
    return operand_bytes(used) if used in ("fp64", "fp32", "tf32", "fp8", "int8", "fp4") else 2.0
