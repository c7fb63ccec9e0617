"""Calibrating: constants earned from published results and from this machine's own runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from assay import catalog, store
from assay.api.checking import Shelves, published, shelves
from assay.calibration import Calibration, Constants
from assay.errors import InputError
from assay.machine import Machine
from assay.measure.inventory import detect
from assay.predict import validate as filling
from assay.predict.calibrated import Calibrated
from assay.predict.figures import metric_of
from assay.predict.fit import Fit, Observed, constants_for, fit, spread_ln
from assay.predict.host import Host, Rates, calibrate_host
from assay.predict.ops import Array
from assay.published import Checked, PublishedRow
from assay.result import Evidence
from assay.run import PRODUCTS
from assay.summary import CaseSummary, summarise

# Which constants an architecture class earns from end-to-end results, and how far from the prior each may plausibly
# lie (τ of its logarithm); and those that each device has for its own.
FREE: Mapping[str, float] = {
    "matmul": 0.15, "matmul_half_k": 0.5, "attention": 0.3, "memory": 0.1, "launch_s": 0.7, "inner_link": 0.1,
    "outer_link": 0.15, "inner_latency_s": 0.7, "outer_latency_s": 0.7, "overlap_data": 0.2, "overlap_tensor": 0.3,
    "step_overhead_s": 1.0, "straggler": 0.5,
}  # fmt: skip
OWN: Mapping[str, float] = {"matmul": 0.2}
# Rows whose figure is not a steady speed of the system named.
_UNFIT = ("FINETUNE", "END_TO_END", "PRELIMINARY", "INCONSISTENT")
_PER_SWEEP = 12  # rows of one source and accelerator that take part: more say nothing new


def calibrate_published(
    paths: Sequence[Path], *, held_out: Sequence[str] = (), families: Sequence[str] = ("dense",),
) -> list[Calibration]:  # fmt: skip
    """Constants per architecture class and accelerator from published speeds, with spreads from held-out sources.

    `held_out` are words; sources that contain one take no part at all.
    """
    known = shelves()
    found = []
    for architecture, observed in sorted(_by_architecture(paths, held_out, families, known).items()):
        found += _class_calibrations(architecture, observed)
    if not found:
        hint = f"assay validate {paths[0]} says why each is skipped" if paths else "name a file of them"
        raise InputError("no row can be learned from", hint=hint)
    return found


def observe(row: PublishedRow, known: Shelves) -> tuple[str, Observed] | None:
    """A published speed as something to fit on, with its architecture class; None when it cannot be."""
    if filling.refusal(row) or "mem" in row.metric_name or any(flag in row.row_flag for flag in _UNFIT):
        return None
    try:
        machine, constants, _ = known.machine(row.accelerator, row.accel_per_node)
        case = filling.case_of(row, machine, known.model(row.model))
        plan, _ = filling.plan_of(case, constants)
        metric_of(row, case, plan, constants)
    except InputError:
        return None

    def ln_predicted(trial: Constants) -> float:
        return math.log(metric_of(row, case, plan, Calibrated(constants=trial)))

    chip = machine.accelerator
    return chip.architecture, Observed(
        ln_measured=math.log(row.metric_value), ln_predicted=ln_predicted, source=row.source, device=chip.name
    )


def _by_architecture(
    paths: Sequence[Path], held_out: Sequence[str], families: Sequence[str], known: Shelves
) -> dict[str, list[Observed]]:
    sweeps: dict[tuple[str, str], list[PublishedRow]] = {}
    for row in (r for path in paths for r in published(path) if not isinstance(r, Checked)):
        if row.family in families and not any(word in row.source for word in held_out):
            sweeps.setdefault((row.source, row.accelerator), []).append(row)
    out: dict[str, list[Observed]] = {}
    for rows in sweeps.values():
        evenly = [rows[int(i)] for i in np.linspace(0, len(rows) - 1, min(len(rows), _PER_SWEEP))]
        for found in (observe(row, known) for row in evenly):
            if found:
                out.setdefault(found[0], []).append(found[1])
    return out


def _class_calibrations(architecture: str, observed: Sequence[Observed]) -> list[Calibration]:
    start = calibrated_start(architecture)
    whole = fit(observed, start, FREE, OWN)
    left_out = _leave_source_out(observed, start, whole)
    sources = tuple(sorted({o.source for o in observed}))
    common = {name: getattr(whole.constants, name) for name in FREE}
    base = Calibration(
        name=f"{architecture}-published", applies_to=architecture, evidence="C", constants=common,
        residual_ln=_unseen_device(observed, start, whole), rows=len(observed), sources=sources,
        at_bound=whole.at_bound,
    )  # fmt: skip
    devices = [_device(base, whole, observed, left_out, device) for device in sorted(whole.devices)]
    return [base, *vendors(base, devices), *devices]


def vendors(base: Calibration, devices: Sequence[Calibration]) -> list[Calibration]:
    """What a maker's other accelerators can expect: the mean of its measured ones, drawn towards the class.

    With n of them the mean's logarithm counts n/(n+1), as if the class were one more.
    """
    makers: dict[str, list[Calibration]] = {}
    for device in devices:
        makers.setdefault(catalog.accelerator(device.applies_to).vendor, []).append(device)
    return [_vendor(base, maker, members) for maker, members in sorted(makers.items())]


def _vendor(base: Calibration, maker: str, members: Sequence[Calibration]) -> Calibration:
    constants = {}
    for name in OWN:
        offsets = [math.log(m.constants[name] / base.constants[name]) for m in members]
        constants[name] = base.constants[name] * math.exp(sum(offsets) / (len(offsets) + 1))
    return replace(
        base, name=f"{base.applies_to}-{maker.lower()}-published", applies_to=f"{base.applies_to} {maker}",
        constants=constants, rows=sum(m.rows for m in members), at_bound=(),
        sources=tuple(sorted({source for m in members for source in m.sources})),
    )  # fmt: skip


def _device(base: Calibration, whole: Fit, observed: Sequence[Observed], left_out: Array, device: str) -> Calibration:
    publishers = {d: {_publisher(o.source) for o in observed if o.device == d} for d in whole.devices}
    # One publisher cannot say how far another would be off; those of the class's other accelerators can.
    alike = {device} if len(publishers[device]) > 1 else {d for d in publishers if len(publishers[d]) > 1}
    unseen = left_out[[o.device in alike for o in observed]]
    evidence: Evidence = "B"
    return replace(
        base, name=f"{device}-published", applies_to=device, evidence=evidence, constants=dict(whole.devices[device]),
        residual_ln=max(0.1, spread_ln(unseen)) if len(unseen) else base.residual_ln,
        rows=sum(o.device == device for o in observed), at_bound=(),
        sources=tuple(sorted({o.source for o in observed if o.device == device})),
    )  # fmt: skip


def _leave_source_out(observed: Sequence[Observed], start: Constants, whole: Fit) -> Array:
    """ln(measured/predicted) of each observation by constants fitted without its source."""
    residuals = np.zeros(len(observed))
    for source in sorted({_publisher(o.source) for o in observed}):
        rest = [o for o in observed if _publisher(o.source) != source]
        found = fit(rest, start, FREE, OWN, rounds=6, guess=whole) if rest else None
        for i, o in enumerate(observed):
            if _publisher(o.source) == source:
                constants = constants_for(found, o.device) if found else start
                residuals[i] = o.ln_measured - o.ln_predicted(constants)
    return residuals


def _unseen_device(observed: Sequence[Observed], start: Constants, whole: Fit) -> float:
    """Spread of residuals on accelerators that took no part in the fit."""
    residuals = []
    for device in sorted({o.device for o in observed}):
        rest = [o for o in observed if o.device != device]
        found = fit(rest, start, FREE, OWN, rounds=6, guess=whole) if rest else None
        constants = found.constants if found else start
        residuals += [o.ln_measured - o.ln_predicted(constants) for o in observed if o.device == device]
    return spread_ln(np.array(residuals))


def _publisher(source: str) -> str:
    """Who published a source: figures of one publisher share machines and habits, and are left out together.

    >>> _publisher("NVIDIA Megatron-Bridge performance summary, NeMo 25.09"), _publisher("Databricks/MosaicML MI250")
    ('NVIDIA', 'MosaicML')
    """
    return source.split(" ", 1)[0].rpartition("/")[2]


def calibrated_start(architecture: str) -> Constants:
    """Prior constants of an architecture class: the shipped priors, nothing that was fitted on results."""
    from assay.catalog.calibrations import calibrations

    constants = Constants()
    for found in calibrations():
        if found.applies_to in ("all", architecture) and found.evidence == "D":
            constants = replace(constants, **found.constants)
    return constants


def calibrate(paths: Sequence[Path | str] | Path | str, machine: Machine | None = None, *, library: str = "") -> Host:
    """This machine's constants from its runs: half of the matmul shapes teach, the other half test.

    With `library` ("torch") only its matrix products count; else those of the library with the most of them.

    Raises InputError when there is no matmul run, or too little of it settled.
    """
    named = [paths] if isinstance(paths, (str, Path)) else paths
    runs = [store.load(store.find(path)) for path in named]
    cases = [case for run in runs for case in summarise(run)]
    if library:
        cases = [c for c in cases if c.kind not in PRODUCTS or c.case.library == library]
    if not any(case.kind in PRODUCTS for case in cases):
        raise InputError(
            "none of these runs holds matrix multiplications", hint="assay measure gemm, then calibrate it"
        )
    found = machine or detect.host()
    rates = Rates(
        memory_bytes=found.memory_bytes, threads=found.cpu.usable_threads, cache_bytes=found.cpu.last_cache_bytes,
        bandwidth_bytes_per_s=_copied(cases, "out of cache") or _needed(cases),
        cache_bandwidth_bytes_per_s=_copied(cases, "in cache"),
    )  # fmt: skip
    return calibrate_host(cases, rates, runs=[run.id for run in runs])


def _copied(cases: Sequence[CaseSummary], where: str) -> float | None:
    """The best rate of a copy in or out of cache."""
    return max((c.rate for c in cases if c.kind == "copy" and where in c.name and c.rate), default=None)


def _needed(cases: Sequence[CaseSummary]) -> float:
    """Without a memory run: what the matrix multiplications must have had at least."""
    moved = (c.case.size_bytes / c.time_s for c in cases if c.case.size_bytes and c.kind in PRODUCTS)
    return max(moved, default=1e10)
