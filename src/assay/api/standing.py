"""A candidate with everything looked up that its cost depends on: system, site, prices, power, and whether it fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assay import catalog
from assay.api.rating import Measured, Rated, rated
from assay.assumption import Assumption
from assay.catalog import facilities, grid, regions, weather
from assay.climate import Climate, Grid, Region
from assay.decide import facility, machinery
from assay.decide.case import Case
from assay.decide.case_inputs import case_of, missing
from assay.decide.draws import usual
from assay.decide.inputs import Standing, Table, of_value, offered
from assay.decide.money import YEAR_S
from assay.decide.outcome import needed
from assay.economics import Economics
from assay.errors import InputError
from assay.hardware import System
from assay.pilot import THIS_MACHINE, Candidate, Pilot, Site
from assay.siting import Fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """A candidate looked up, rated, sized and placed; no case where a figure for it is missing."""

    standing: Standing
    rated: Rated
    unknown: tuple[str, ...]
    case: Case | None
    unplaced: str = ""  # why its site could not be looked at
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The candidate's name."""
        return self.standing.candidate.name


def stand(
    pilot: Pilot, candidate: Candidate, table: Table, *, economics: Economics, measured: Measured, beside: Path,
    folders: Sequence[Path] = (),
) -> Stood:  # fmt: skip
    """Look a candidate up, rate it, size it for the work, place it at its site, and state what it costs."""
    system = system_of(candidate, folders)
    site = pilot.site(candidate.site)
    price, unplaced = price_of(candidate, system), ""
    found = rated(pilot, candidate, system, measured, beside, folders)
    region = _region(site)
    plant = site.plant_usd_per_w if site is not None else None
    if plant is None and region is not None:
        plant = region.plant_usd_per_w
    standing = Standing(
        candidate=candidate, system=system, site=site, price=price, rates=found.rates, plant=plant,
        electricity=facility.tariff(site, region, economics) if site is not None else None,
    )  # fmt: skip
    unknown = missing(standing, [work for work in pilot.workloads if work.name not in found.refused])
    if candidate.clusters is None and not unknown and not found.refused:
        standing = replace(standing, clusters=_clusters(standing, pilot, economics))
    try:
        fit = _fit(standing, pilot, economics, region, beside)
    except InputError as error:
        fit, unplaced = None, str(error)
    standing = replace(standing, fit=fit, pue=_pue(standing, fit))
    case = None if unknown or found.refused else case_of(standing, pilot.workloads, pilot.demand, economics, table)
    told = (*found.notes, *([unplaced] if unplaced else []))
    return Stood(
        standing=standing,
        rated=found,
        unknown=unknown,
        case=case,
        unplaced=unplaced,
        notes=told,
    )


def system_of(candidate: Candidate, folders: Sequence[Path] = ()) -> System | None:
    """The candidate's system with the nodes of one cluster; None for the machine at hand, which no catalog knows."""
    return None if candidate.system == THIS_MACHINE else catalog.system(candidate.system, candidate.nodes, folders)


def price_of(candidate: Candidate, system: System | None) -> Assumption | None:
    """What it costs to buy a node or to rent an accelerator: as stated, else as asked in the catalog's dated offers."""
    if candidate.via == "own":
        return candidate.price_usd
    own = candidate.price_usd if candidate.via == "buy" else candidate.rent_usd_per_s
    if own is not None or system is None:
        return own
    return offered(system.offers, candidate.via, candidate.term)[0]


def _pue(standing: Standing, fit: Fit | None) -> Assumption | None:
    """Of the site, as stated or by its weather and cooling; of what is rented and has no site, a cloud's."""
    site = standing.site
    if site is not None and site.pue is not None:
        return site.pue
    if fit is not None and fit.pue is not None:
        return of_value(fit.pue, "weather and cooling of the site")
    return facilities.plants().cloud_pue if standing.candidate.via == "rent" else None


def _clusters(standing: Standing, pilot: Pilot, economics: Economics) -> int:
    """As many clusters as the busiest year needs, reckoned before it is known where they stand."""
    trial = Table()
    case = case_of(standing, pilot.workloads, pilot.demand, economics, trial)
    return round(float(needed(case, usual(trial.stated))))


def _fit(
    standing: Standing, pilot: Pilot, economics: Economics, region: Region | None, beside: Path
) -> Fit | None:  # fmt: skip
    c, system, site = standing.candidate, standing.system, standing.site
    if system is None or site is None:
        return None
    node = machinery.of_system(
        system, power_w=c.power_w, p999_power_w=c.p999_power_w, weight_kg=c.weight_kg, supplies=c.supplies
    )  # fmt: skip
    return facility.fit(
        node, c.nodes * (c.clusters or standing.clusters or 1), site, plants=facilities.plants(), economics=economics,
        region=region, climate=_climate(site, region, beside), grid=_grid(site, region, beside),
        years=pilot.demand.horizon_s / YEAR_S, start=pilot.demand.start or pilot.demand.needed_by,
    )  # fmt: skip


def _region(site: Site | None) -> Region | None:
    return regions.region(site.region) if site is not None and site.region else None


def _climate(site: Site, region: Region | None, beside: Path) -> Climate | None:
    if site.weather:
        return weather.weather(_near(site.weather, beside))
    return weather.weather(region.weather) if region is not None and region.weather else None


def _grid(site: Site, region: Region | None, beside: Path) -> Grid | None:
    if site.carbon_file:
        return grid.grid(_near(site.carbon_file, beside))
    return grid.grid(region.grid) if region is not None and region.grid else None


def _near(written: str, beside: Path) -> str:
    """A file that is named beside the pilot's, or one of the names that ship."""
    return str(beside / written) if (beside / written).is_file() else written
