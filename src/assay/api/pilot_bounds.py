"""What a pilot's numbers can be: each between its least and its most, so that nothing is divided by nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass

from assay.api.pilot_file import Problem
from assay.api.pilot_rules import Problems, error
from assay.assumption import Assumption
from assay.catalog.economics import economics
from assay.errors import inert, shown
from assay.pilot import Candidate, Gate, Pilot, Site, Work
from assay.units import show, suffix

_ABOVE = math.ulp(0.0)  # the least number above 0: what holds it as its least cannot be 0
_DAY_S = 86400.0
_MONTH_S, _YEAR_S = 30 * _DAY_S, 365.25 * _DAY_S
_ANY = (-math.inf, math.inf)
_LIFE, _SHARE, _TIMES = (_MONTH_S, 100 * _YEAR_S), (0.0, 1.0), (0.0, 10.0)
_USED = (_ABOVE, 1.0)  # a share of time that must not be none of it
_MACHINES = 1_000_000.0  # nodes of a system: hardware.System
_COUNTED, _LARGE = 1e9, 1e12  # of anything that is counted one by one; what nobody reads digit by digit

# name, or Noun.name -> least and most. What is not here is not below 0.
BOUNDS: Mapping[str, tuple[float, float]] = {
    # how many
    "nodes": (1, _MACHINES), "clusters": (1, _MACHINES), "accelerators": (1, 100_000), "supplies": (1, 1000),
    "people": (0, 1e6), "engineers": (0, 1e6), "iterations_per_day": (0, 1e5), "racks": (0, 1e6), "cdus": (0, 1e6),
    "rack_units": (1, 100), "network_units": (0, 100), "feeds": (1, 1000), "accuracy_points": (-100, 100),
    # how much work
    "jobs_per_year": (_ABOVE, _COUNTED), "Work.tokens": (_ABOVE, 1e18), "Work.samples": (_ABOVE, 1e18),
    "Slice.samples": (1, 1e18), "tokens_per_s": (_ABOVE, 1e15), "peak_to_mean": (1, 1000), "growth": (-0.99, 10),
    "ttft_s": (_ABOVE, _YEAR_S), "tpot_s": (_ABOVE, _YEAR_S), "most_time_s": (_ABOVE, 50 * _YEAR_S),
    # how long
    "horizon_s": (_MONTH_S, 50 * _YEAR_S), "server_life_s": _LIFE, "network_life_s": _LIFE, "storage_life_s": _LIFE,
    "plant_life_s": _LIFE, "commitment_s": (_DAY_S, 50 * _YEAR_S), "delivery_s": (0, 20 * _YEAR_S),
    "ramp_s": (0, 20 * _YEAR_S), "porting_s": (0, 1000 * _YEAR_S),
    "training_s": (0, 1000 * _YEAR_S), "save_s": (0, _YEAR_S), "recovery_s": (0, _YEAR_S),
    "failure_hz": (0, 1 / 60), "interruption_hz": (0, 1 / 60), "spot_interruption_hz": (0, 1 / 60),
    # shares: of a whole, which cannot be more than all of it; or of another thing, which can
    "resale": _SHARE, "network_resale": _SHARE, "power_load": _SHARE, "idle_load": _SHARE, "rent_decay": (0, 0.99),
    "credit_share": _SHARE, "credit_cap": _SHARE, "waiting_share": _SHARE, "derating": _USED, "availability": _USED,
    "utilization": _USED, "network_share": (0, 0.9), "storage_share": (0, 0.9), "install_share": _TIMES,
    "spares_share": _TIMES, "maintenance_share": _TIMES, "insurance_share": _TIMES, "network_power_share": _TIMES,
    "cost_of_capital": _TIMES, "pay_overhead": (1, 10), "pue": (1, 10),
    # what a site and a machine are
    "Candidate.power_w": (_ABOVE, 1e9), "p999_power_w": (_ABOVE, 1e9), "weight_kg": (_ABOVE, 1e6),
    "PowerStep.power_w": (0, 1e12), "feed_v": (_ABOVE, 1e6), "feed_a": (_ABOVE, 1e6), "cdu_w": (_ABOVE, 1e9),
    "floor_kg_per_m2": (_ABOVE, 1e6), "altitude_m": (0, 9000), "supply_celsius": (0, 100), "rise_kelvin": (_ABOVE, 100),
    "water_rise_kelvin": (_ABOVE, 100), "air_m3_per_s": (_ABOVE, 1e6), "latency_s": (0, 3600),
    # told of elsewhere, or in the unit of a metric
    "days": _ANY, "schema": _ANY, "at_least": _ANY, "at_most": _ANY, "Stated.value": _ANY, "stages": _ANY,
}  # fmt: skip
_TOGETHER = 0.9  # network and storage of a cluster's price: what is left is what the servers' price is divided by


def bounds(pilot: Pilot) -> Problems:
    """Every number lies between its least and its most, with its whole range."""
    for key, noun, name, low, high, exact in _numbers(pilot):
        least, most = BOUNDS.get(f"{noun}.{name}") or BOUNDS.get(name) or (0.0, math.inf)
        if high > most == 1:
            yield error(key, f"a share of {_said(high)} is more than all of it", 'write 0.7, or "70 %"')
        elif high > most:
            what = f"{_said(high, name)} is more than there can be: at most {_said(most, name)}"
            yield error(key, what, "correct it; a number without its unit is in SI" if suffix(name) else "correct it")
        elif low < least:
            yield _low(key, name, low, least, exact=exact)
    yield from _together(pilot)


def _low(key: str, name: str, low: float, least: float, *, exact: bool) -> Problem:
    if least == 0:
        return error(key, f"{_said(low)} is below 0, which is not possible here", "leave out what is unknown")
    if least == _ABOVE and not exact:
        return error(
            key, f"it may be {_said(low, name)}, and then nothing adds up", "write how little it may be: above 0"
        )
    wanted = "above 0" if least == _ABOVE else f"at least {_said(least, name)}"
    hint = "leave out what is unknown" if least == _ABOVE else f"write {_said(least, name)} or more"
    return error(key, f"{_said(low, name)} is not possible here: {wanted}", hint)


def _together(pilot: Pilot) -> Problems:
    """Network and storage as shares of a cluster's price, each as stated or as usual, leave something for servers."""
    told = pilot.assumptions.over(economics())
    shares = [one for one in (told.network_share, told.storage_share) if one is not None]
    total = sum(one.high for one in shares)
    stated = [n for n in ("network_share", "storage_share") if getattr(pilot.assumptions, n) is not None]
    if stated and total >= _TOGETHER and all(one.high <= _TOGETHER for one in shares):
        what = (
            f"network and storage together may be {100 * total:.0f} % of a cluster's price: nothing is left for servers"
        )
        yield error(f"assumptions.{stated[0]}", what, "both together stay below 90 %")


def names(pilot: Pilot) -> Problems:
    """What is named has a name that fits on one line."""
    listed: Mapping[str, Sequence[Work | Candidate | Site | Gate]] = {
        "workloads": pilot.workloads, "candidates": pilot.candidates, "sites": pilot.sites, "gates": pilot.gates,
    }  # fmt: skip
    told = [(f"{room}[{i}].name", one.name) for room, found in listed.items() for i, one in enumerate(found)]
    for key, name in (("name", pilot.name), *told):
        if not name.strip():
            yield error(key, "a name is empty", "write how people call it")
        elif len(name) > _NAME or len(name.splitlines()) > 1 or inert(name) != name:
            yield error(
                key, f"{shown(name)} is no name: one line of at most {_NAME} letters", "write it shorter, on one line"
            )


_NAME = 200


def walk(noun: object, path: str = "") -> Iterator[tuple[str, str, str, object]]:
    """Every value of a noun: its key, the noun it is in, its name, itself. Ranges are values, and have fields, too."""
    if not is_dataclass(noun):
        return
    for field in fields(noun):
        value, key = getattr(noun, field.name), path + field.name
        yield key, type(noun).__name__, field.name, value
        if isinstance(value, tuple):
            for i, one in enumerate(value):
                yield from walk(one, f"{key}[{i}].")
        yield from walk(value, f"{key}.")


def _numbers(pilot: Pilot) -> Iterator[tuple[str, str, str, float, float, bool]]:
    """Every number: its key, noun and name, its lowest and highest, and whether it is stated without a range."""
    for key, noun, name, value in walk(pilot):
        if noun == "Assumption":
            continue
        if isinstance(value, Assumption):
            yield key, noun, name, value.low, value.high, value.exact
        elif isinstance(value, Mapping):
            told = {k: v for k, v in value.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
            yield from ((f"{key}.{k}", noun, name, v, v, True) for k, v in told.items())
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield key, noun, name, value, value, True


def _said(value: float, name: str = "") -> str:
    """A number with its unit, as people say it.

    >>> _said(5 * 365.25 * 86400, "server_life_s"), _said(10**300), _said(0.5)
    ('5 years', '1e+300', '0.5')
    """
    unit = suffix(name)
    if abs(value) >= _LARGE and not unit:
        return f"{float(value):g}" if abs(value) < 1e300 * 10 else shown(value)
    years = unit == "s" and value >= 2 * _YEAR_S
    return f"{value / _YEAR_S:.3g} years" if years else show(float(value), unit)
