"""Observing: what a kept run's series mean, with what the catalog and the formulas know beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from assay import catalog, store
from assay.errors import AssayError
from assay.hardware import System
from assay.machine import Device
from assay.observed import NOTHING, Facts, Observation, Window
from assay.predict import cost
from assay.run import PRODUCTS, Run
from assay.summary import summarise
from assay.telemetry import observe as telemetry
from assay.units import show

# What a verdict tells of: the first that was measured.
_FORMATS = ("bf16", "fp16", "tf32", "fp32", "fp64", "fp8", "int8")


def observe(
    run: Run | Path | str, *, facts: Facts | None = None, window: tuple[float, float] | None = None,
    root: Path | str = "runs",
) -> Observation:  # fmt: skip
    """How a run's time went, how busy its devices really were, what went wrong and when, and one sentence that says it.

    `window` is a stretch of its seconds; `facts` are what no sensor knows (prices, peaks): those that are missing are
    looked up in the catalog by the device's name.
    """
    path = store.find(run.id if isinstance(run, Run) else run, root)
    kept = run if isinstance(run, Run) else store.load(path)
    seen = telemetry.observe(
        store.telemetry(path), kept.series, kept.devices, _completed(facts, known_facts(kept)),
        None if window is None else Window(begin_s=window[0], end_s=window[1]),
    )  # fmt: skip
    if kept.stopped or kept.exit_code:
        ended = kept.stopped or f"it ended with exit code {kept.exit_code}"
        rest = "" if seen.verdict.startswith(NOTHING) else f"; {seen.verdict}"
        return replace(seen, verdict=ended + rest)
    if seen.verdict == NOTHING and (told := reached(kept)):
        crowd = "; others used the machine meanwhile, so measure again" if kept.environment.get("contended") else ""
        return replace(seen, verdict=told + crowd)
    return seen


def reached(run: Run) -> str:
    """What a probe reached at best; empty where it has no rate."""
    if peak := reached_peak(run):
        return peak
    rated = [c for c in summarise(run) if c.rate and c.steady]
    best = max(rated, key=lambda c: c.rate or 0.0, default=None)
    return f"{best.name} reaches {show(best.rate, best.rate_unit)}" if best and best.rate else ""


def reached_peak(run: Run) -> str:
    """What matrix units reached in the format that training uses most, beside the datasheet; empty where none did."""
    cases = [c for c in summarise(run) if c.rate and c.steady]
    # Of known shapes one may be faster than what the search found, such as one that fits in cache.
    best: dict[str, float] = {}
    for c in (c for c in cases if c.case.kind in PRODUCTS):
        best[c.case.dtype] = max(best.get(c.case.dtype, 0.0), c.rate or 0.0)
    sustained = {c.case.dtype: c.rate for c in cases if c.case.kind == "sustained"}
    precision = next((name for name in _FORMATS if best.get(name)), "")
    if not (rate := best.get(precision)):
        return ""
    machine = _machine(run.accelerators)
    sheet = machine.accelerator.peak_flop_per_s.get(precision) if machine else None
    share = f", {100 * rate / sheet:.0f} % of the datasheet's {show(sheet, 'flop_per_s')}" if sheet else ""
    longer = f"; {show(held, 'flop_per_s')} sustained" if (held := sustained.get(precision)) else ""
    return f"{precision} products reach {show(rate, 'flop_per_s')}{share}{longer}"


def known_facts(run: Run) -> Facts:
    """What the run itself and the catalog say: FLOP of a step, the device's dense peak, and what it costs to rent.

    Money is the middle one of the on-demand prices on file for that accelerator; where there is none, there is none.
    """
    told = run.environment.get("flop_per_step")
    facts = Facts(step_flop=float(told) if isinstance(told, (int, float)) else None)
    machine = _machine(run.accelerators)
    if machine is None:
        return facts
    chip, precision = machine.accelerator, run.settings.get("precision", "bf16")
    offer = cost.rent_offer(machine)
    return replace(
        facts, peak_flop_per_s=chip.peak_flop_per_s.get(precision),
        peak_is_matrix=precision not in ("fp32", "fp64") or precision not in chip.peak_flop_per_s,
        price_usd_per_s=offer.price_usd_per_s if offer else None,
        tariff_usd_per_j=cost.DEFAULT_TARIFF.electricity_usd_per_j, pue=cost.DEFAULT_TARIFF.pue,
    )  # fmt: skip


def _completed(said: Facts | None, known: Facts) -> Facts:
    """What was said, and what is known of the rest."""
    if said is None:
        return known
    missing = {f.name: getattr(known, f.name) for f in fields(Facts) if getattr(said, f.name) is None}
    if "peak_flop_per_s" in missing:
        missing["peak_is_matrix"] = known.peak_is_matrix
    if "tariff_usd_per_j" in missing:
        missing["pue"] = known.pue
    return replace(said, **missing)


def _machine(devices: Sequence[Device]) -> System | None:
    """The catalog's system for these devices; None where it does not know them, or they are not of one kind."""
    if len({d.name for d in devices}) != 1:
        return None
    try:
        return catalog.system_for(catalog.resolve(devices[0].name).name, len(devices))
    except AssayError:
        return None
