"""Results as rows for people, columns for spreadsheets and full numbers for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.cli.output import Row
from assay.codec import encode
from assay.hardware import System
from assay.plan import SHORT, Plan
from assay.result import METRICS, Result, Value
from assay.units import show

# --by -> the metric that ranks; less of each is better. Without a target, step time ranks as tokens/s would.
RANKED_BY: Mapping[str, str] = {
    "time": "step_s", "rent": "rent_usd", "purchase": "purchase_usd", "energy": "energy_j",
}  # fmt: skip
_SURE = ("A", "B")
_NARROW = 1.35  # high over mean: wider than this, a point would claim more than is known
# Without a target, energy and money are told for so many tokens, or samples.
AMOUNTS: Mapping[str, tuple[str, float]] = {"tokens": ("B tokens", 1e9), "samples": ("M samples", 1e6)}

EVIDENCE: Mapping[str, str] = {
    "A": "measured on this machine",
    "B": "published results of this accelerator",
    "C": "published results of its class of accelerators",
    "D": "the datasheet alone",
}


def ranked(results: Sequence[Result], by: str) -> list[Result]:
    """Best first; what nobody knows the price of comes later, and a stated plan that does not fit last."""
    from assay.api import rank

    return sorted(rank(results, RANKED_BY[by]), key=lambda result: not fits(result))


def fits(result: Result) -> bool:
    """Whether the job fits in the fullest device's memory."""
    return result.values["headroom_bytes"].mean >= 0


def tied(results: Sequence[Result], by: str) -> int:
    """How many of the first results cannot be told from the very first by what ranks them."""
    from assay.api import ties

    places = ties(results, RANKED_BY[by])
    return next((i for i, place in enumerate(places) if place != i), len(places))


def rows(results: Sequence[Result]) -> list[Row]:
    """A line a result: how fast and why, how sure that is, the plan, memory, energy and money.

    Energy and money are of the whole job; where it has no target, of a billion tokens or a million samples.
    """
    counted = results[0].workload.counted if results else "tokens"
    name, amount = AMOUNTS[counted]
    target, kept = (any(name in result.values for result in results) for name in ("time_to_train_s", "goodput"))
    per, factor = ("", None) if target else (f" / {name}", amount)
    return [
        {
            "#": rank,
            "system": label(r.system),
            "devices": devices(r.system),
            f"{counted}/s": speed(r),
            **({"time to train": shown(r.values.get("time_to_train_s"), "s")} if target else {}),
            **({"trains": trains(r.values.get("goodput"))} if kept else {}),
            "MFU": shown(r.values["mfu"], "%"),
            "bound by": r.bound.replace("(", "").replace(" of the step)", ""),
            "evidence": r.evidence,
            "plan": str(r.plan),
            "memory": shown(r.values["peak_memory_bytes"], "bytes"),
            "headroom": headroom(r),
            "power": shown(r.values.get("power_w"), "w"),
            f"energy{per}": shown(_per(r, "energy_j", factor, 1 / 3600), "wh"),
            f"rent{per}": shown(_per(r, "rent_usd", factor), "usd"),
            f"purchase share{per}": shown(_per(r, "purchase_usd", factor), "usd"),
        }
        for rank, r in enumerate(results, 1)
    ]


def flat(results: Sequence[Result]) -> list[Row]:
    """One line a result with every figure and its interval as a column: what a spreadsheet wants."""
    return [
        {
            "rank": rank, "system": r.system.name, "nodes": r.system.nodes, "accelerator": r.system.accelerator.name,
            "accelerators": r.system.accelerators, "plan": str(r.plan), "fits": fits(r), "bound": r.bound,
            "evidence": r.evidence, **_flat_values(r.values),
        }
        for rank, r in enumerate(results, 1)
    ]  # fmt: skip


def data(result: Result, rank: int) -> Mapping[str, object]:
    """Everything known of one result, as JSON wants it: full numbers, stable names, null for what is unknown."""
    step, system = result.step.mean, result.system
    parts = [{"name": p.name, "time_s": p.time_s, "share": p.time_s / step, "bound": p.bound} for p in result.parts]
    return {
        "rank": rank, "system": system.name, "nodes": system.nodes, "accelerator": system.accelerator.name,
        "accelerators": system.accelerators, "plan": {**plan_fields(result.plan), "text": str(result.plan)},
        "fits": fits(result), "origin": result.origin, "bound": result.bound, "evidence": result.evidence,
        "values": {name: encode(result.values[name]) if name in result.values else None for name in METRICS},
        "parts": parts, "memory": encode(result.memory), "roofline": encode(result.roofline),
        "sensitivity": encode(result.sensitivity), "sources": list(result.sources), "notes": list(result.notes),
    }  # fmt: skip


def plan_fields(plan: Plan) -> dict[str, object]:
    """A plan's fields as plain numbers."""
    return {name: getattr(plan, name) for name in SHORT.values()}


def label(system: System) -> str:
    """How many of what: "4 × hgx-h100"."""
    return f"{system.nodes} × {system.name}"


def devices(system: System) -> str:
    """Accelerators in all; "64 of 72" where some stand idle."""
    used = f"{system.accelerators:,}"
    return f"{used} of {system.paid:,}" if system.spare_per_node else used


def trains(share: Value | None) -> str:
    """The share of time that trains, whose digits matter near 100 %."""
    return "unknown" if share is None else f"{100 * share.low:.1f} – {100 * share.high:.1f} %"


def headroom(result: Result) -> str:
    """Memory left on the fullest device, signed, and in brackets where it might as well be the other sign."""
    room = result.values["headroom_bytes"]
    return _signed(room.mean) + (f" (or {_signed(room.low)})" if unsure(result) else "")


def unsure(result: Result) -> bool:
    """Whether it fits by what must be held, and not where a framework keeps more."""
    room = result.values["headroom_bytes"]
    return room.low < 0 <= room.mean


def speed(result: Result) -> str:
    """Tokens or samples a second, without their unit: it stands above the column."""
    job = result.workload
    return shown(result.values[job.rate], job.counted).replace(job.counted, "").strip()


def _per(result: Result, metric: str, amount: float | None, unit: float = 1.0) -> Value | None:
    """A metric of the whole job, or of so many tokens or samples of a step, in another unit."""
    value = result.values.get(metric)
    if value is None:
        return None
    factor = unit * (amount / result.workload.tokens_per_step if amount else 1.0)
    return Value(mean=value.mean * factor, low=value.low * factor, high=value.high * factor, evidence=value.evidence)


def shown(value: Value | None, unit: str) -> str:
    """A figure as far as it is known: a point with ± where that is earned, else the range.

    >>> shown(Value(mean=100.0, low=90.9, high=110.0, evidence="B"), "s")
    '100 s ±10 %'
    >>> shown(Value(mean=100.0, low=50.0, high=200.0, evidence="D"), "s"), shown(None, "usd")
    ('50 – 200 s', 'unknown')
    """
    if value is None:
        return "unknown"
    if value.low == value.high:
        return _number(value.mean, unit, 3)
    if value.evidence in _SURE and 0 < value.high <= _NARROW * value.mean:
        return f"{_number(value.mean, unit, 3)} ±{100 * (value.high / value.mean - 1):.0f} %"
    return _span(value.low, value.high, unit)


def _span(low: float, high: float, unit: str) -> str:
    """A range with two digits an end, both in the unit of the higher."""
    written, gap, symbol = _number(high, unit, 12).rpartition(" ")
    if not gap:
        return " – ".join(_number(_two(end), unit, 2).removesuffix(".00") for end in (low, high))
    factor = float(written.replace(",", "")) / high
    return " – ".join(show(_two(end * factor), "", 2) for end in (low, high)) + f" {symbol}"


def _two(value: float) -> float:
    return float(f"{value:.2g}")


def _number(value: float, unit: str, digits: int) -> str:
    if unit == "%" and 0 < abs(value) < 0.01:
        return f"{100 * value:.2g} %"
    if unit == "%":
        return f"{100 * value:.{min(digits, 3) - 2}f} %"
    if unit == "wh":  # what an electricity bill is in
        return show(value, "w", digits) + "h"
    return show(value, unit, digits)


def _signed(size_bytes: float) -> str:
    return ("+" if size_bytes >= 0 else "−") + show(abs(size_bytes), "bytes", 2)


def _flat_values(values: Mapping[str, Value]) -> dict[str, object]:
    out: dict[str, object] = {}
    for name in METRICS:
        value = values.get(name)
        out[name] = value.mean if value else None
        out |= {f"{name}_{end}": getattr(value, end) if value else None for end in ("low", "high")}
    return out
