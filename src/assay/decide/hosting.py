"""Power and place: what a site charges for the machines that stand there, and nothing of it twice."""

from __future__ import annotations

from assay.decide.stated import Standing, Table, given
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
        usual = "region" if standing.electricity is not None else "electricity_usd_per_j"
        origin = "" if site is not None and site.electricity_usd_per_j is not None else usual
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
    if site is not None and site.plant_usd_per_w is not None:
        keys["plant_usd_per_w"] = table.put(f"plant at {name}", "usd_per_w", site.plant_usd_per_w, c.name)
    return keys


def refuse_twice(site: Site) -> None:
    """What a colo price holds already is not paid for again: the commonest error of such sums."""
    twice = {
        "power": site.electricity_usd_per_j or site.demand_charge_usd_per_w_per_s,
        "cooling": site.pue,
    }
    for held in site.colo_covers:
        if twice[held] is not None:
            what = f"its price holds {held}, and {'a PUE' if held == 'cooling' else 'a tariff'} is stated beside it"
            hint = f'leave one out: colo_covers = [… "{held}"], or the figure'
            raise InputError(f"{what}: that would be paid twice", where=f'site "{site.name}"', hint=hint)
