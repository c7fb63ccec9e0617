"""Power and place: what a site charges for the machines that stand there, and nothing of it twice."""

from __future__ import annotations

from assay.decide.inputs import Standing, Table, given
from assay.economics import Economics
from assay.errors import InputError
from assay.pilot import Site


def hosting(standing: Standing, economics: Economics, table: Table) -> dict[str, str]:
    """Power and place: a colo price that holds power is not paid twice."""
    site, c = standing.site, standing.candidate
    name = site.name if site is not None else "no site named"
    held = set(site.colo_covers) if site is not None else set()
    if site is not None:
        refuse_twice(site)
    keys: dict[str, str] = {}
    if site is not None and site.kind == "colo":
        stated = site.colo_usd_per_w_per_s or given(economics.colo_usd_per_w_per_s)
        origin = "" if site.colo_usd_per_w_per_s else "colo_usd_per_w_per_s"
        keys["colo_usd_per_w_per_s"] = table.put(f"colocation at {name}", "usd_per_w_per_s", stated, c.name, origin)
    if "power" not in held:
        stated = standing.electricity or given(economics.electricity_usd_per_j)
        shipped = stated == economics.electricity_usd_per_j
        origin = (
            "" if site is not None and site.electricity_usd_per_j else "electricity_usd_per_j" if shipped else "region"
        )
        keys["electricity_usd_per_j"] = table.put(f"electricity at {name}", "usd_per_j", stated, c.name, origin)
        charge, origin = site.demand_charge_usd_per_w_per_s if site is not None else None, ""
        if charge is None and (site is None or site.kind == "own"):
            charge, origin = economics.demand_charge_usd_per_w_per_s, "demand_charge_usd_per_w_per_s"
        if charge is not None:
            key = f"demand charge at {name}"
            keys["demand_charge_usd_per_w_per_s"] = table.put(key, "usd_per_w_per_s", charge, c.name, origin)
    if standing.pue is not None:
        origin = "" if site is not None and site.pue is not None else "weather"
        keys["whole_pue"] = table.put(f"PUE at {name}", "", standing.pue, c.name, origin)
        if "cooling" not in held:
            keys["pue"] = keys["whole_pue"]
    if site is not None and site.to_build:
        stated = standing.plant or given(economics.plant_usd_per_w)
        origin = "" if site.plant_usd_per_w else "region" if standing.plant else "plant_usd_per_w"
        keys["plant_usd_per_w"] = table.put(f"plant at {name}", "usd_per_w", stated, c.name, origin)
    return keys


def paid_twice(site: Site) -> tuple[str, ...]:
    """Figures of a site that its colo price holds already: paying them again is the commonest error of such sums."""
    held = set(site.colo_covers)
    names = [*(_POWER if "power" in held else ()), *(("pue",) if held else ())]
    return tuple(name for name in names if getattr(site, name) is not None)


_POWER = ("electricity_usd_per_j", "demand_charge_usd_per_w_per_s")


def refuse_twice(site: Site) -> None:
    """InputError where a colo price holds what is stated once more."""
    for name in paid_twice(site):
        what = f"the colo price holds {' and '.join(sorted(site.colo_covers))} already: this would be paid twice"
        raise InputError(f"{name}: {what}", where=f'site "{site.name}"', hint=f"leave out {name}, or the colo_covers")
