"""A pilot as data: the question, the work, the candidates, the sites, the gates, and what the team states of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from assay.assumption import Assumption
from assay.economics import Economics

Task = Literal["train", "finetune", "serve"]
Via = Literal["buy", "rent", "own"]
Term = Literal["on-demand", "reserved", "committed", "spot"]
Redundancy = Literal["N", "N+1", "2N", "3-to-make-2"]
Cooling = Literal["air", "rear-door", "direct-liquid", "immersion"]
Accepts = Literal["measured", "published", "stated", "predicted"]
Objective = Literal["cost of the work", "cost per used hour", "time to train", "energy"]

# What a candidate's price may hold besides the servers; a share that is held is not added again.
COVERS = ("network", "storage", "racks", "install", "spares", "staff", "maintenance")

THIS_MACHINE = "this machine"  # a candidate's system: the computer at hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The piece of the team's own data that every candidate is measured on, and what it is known by."""

    path: str = ""
    sha256: str = ""
    size_bytes: float | None = None
    samples: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How a workload is tried on a machine: a workload that comes with Assay, or a command of the team's own.

    A trial may be smaller than the work it stands for; it then proves that the work runs, not how fast it is.
    """

    workload: str = ""  # train-step, serve, dataload, …
    command: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[int, ...] = (1, 2, 3)
    whole: bool = False  # whether it is the work itself, so that its rate is the work's rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One kind of work that the hardware is for, and how much of it there is."""

    name: str
    task: Task = "train"
    model: str = ""  # of the catalog, or a config.json; empty: nothing that is predicted
    seq_len: int | str | None = None
    global_batch: int | str | None = None  # sequences or samples
    batch_tokens: int | str | None = None
    precision: str = "bf16"
    framework: str = "pytorch"
    operators: tuple[str, ...] = ()  # that must run: found out in the functional stage
    tokens: Assumption | None = None  # of one job
    samples: Assumption | None = None  # of one job that counts samples
    jobs_per_year: Assumption | None = None  # how often it is done
    tokens_per_s: Assumption | None = None  # served, mean over a year
    peak_to_mean: Assumption | None = None  # of the demand: what must be provisioned for
    ttft_s: float | None = None  # service level
    tpot_s: float | None = None
    least_tokens_per_s: float | None = None  # what one cluster must reach
    least_samples_per_s: float | None = None
    most_time_s: float | None = None  # for one job
    churn: Literal["stable", "changing"] = "stable"  # whether its code changes from week to week
    snapshot: str = ""  # the model as it is tried: a path, a tag, a commit
    snapshot_sha256: str = ""
    data: Slice | None = None
    trial: Trial | None = None

    @property
    def rate(self) -> str:
        """The metric that says how fast it goes."""
        return "samples_per_s" if self.samples is not None else "tokens_per_s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a vendor or a cloud promises."""

    availability: float | None = None  # promised share of a month
    credit_share: float | None = None  # of the monthly bill, when it is missed
    credit_cap: float | None = None  # most of a bill that comes back
    replacement_s: float | None = None  # of a broken part
    driver_update_s: float | None = None  # from a known fault to a fixed driver or firmware
    exit_usd: Assumption | None = None  # what leaving costs
    end_of_life: str = ""  # date, as announced


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to have the work done: a system, bought, rented or there already, at a site."""

    name: str
    system: str  # of the catalog, or "this machine"
    nodes: int = 1  # of one cluster that a job runs on
    clusters: int | None = None  # None: as many as the work needs
    via: Via = "buy"
    site: str = ""
    term: Term = "on-demand"
    price_usd: Assumption | None = None  # buy: one node
    rent_usd_per_s: Assumption | None = None  # rent: one accelerator
    price_date: str = ""
    price_source: str = ""
    covers: tuple[str, ...] = ()  # what the price holds besides the servers: COVERS
    commitment_s: float | None = None  # how long it is paid for, used or not
    delivery_s: Assumption | None = None  # from order to acceptance
    interruption_hz: Assumption | None = None  # spot
    licence_usd_per_s: Assumption | None = None  # per accelerator
    porting_s: Assumption | None = None  # engineer's time before the work runs well
    training_s: Assumption | None = None  # people's time until they can run it: a new stack, a new vendor's tools
    people: Assumption | None = None  # who run it; None: as servers usually need
    power_w: float | None = None  # highest draw of one node, measured or promised; None: the catalog's
    p999_power_w: float | None = None  # measured: drawn or exceeded one second in a thousand
    weight_kg: float | None = None  # of one node
    supplies: int | None = None  # single-phase power supplies of one node
    accelerators: int | None = None  # of "this machine"
    egress_bytes_per_s: Assumption | None = None  # out of a cloud, mean
    contract: Contract = Contract()
    answers: Mapping[str, str] = field(default_factory=dict)  # to the questions of the RFP
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A figure somebody else published or promised of a candidate: better than nothing, less than a measurement."""

    candidate: str
    workload: str
    metric: str
    value: Assumption  # in the unit of the metric
    origin: Literal["published", "stated"] = "stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerStep:
    """Power for IT that a site has from a date on."""

    date: str
    power_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where machines would stand: its power, racks, cooling, prices and law. None is what nobody said."""

    name: str
    kind: Literal["cloud", "colo", "own"] = "colo"
    region: str = ""  # of the tables of tariffs, grids and weather: "US-Virginia"
    jurisdiction: str = ""  # whose law the data is under: "US", "EU", "DE"
    latency_s: float | None = None  # to the users
    power: tuple[PowerStep, ...] = ()
    racks: int | None = None
    rack_units: int = 42
    network_units: int = 2  # of each rack, taken by switches and cable management
    feed_v: float = 415.0  # line to line
    feed_a: float = 60.0  # of the breaker
    feeds: int = 1  # that work reaches a rack by, without the redundant ones
    phases: Literal[1, 3] = 3
    derating: float = 0.8  # NEC: continuous load at most 80 % of a breaker; 1.0 for those rated for it
    redundancy: Redundancy = "N"
    power_cap: bool = False  # whether a rack's draw can be held below its nameplate
    floor_kg_per_m2: float | None = None
    altitude_m: float = 0.0
    cooling: Cooling = "air"
    air_m3_per_s: float | None = None  # per rack
    supply_celsius: float | None = None  # of air, or of the facility's water; None: as usual for its cooling
    rise_kelvin: float = 12.0  # of air through a rack
    water_rise_kelvin: float = 10.0
    water_m3_per_s: float | None = None  # that the plant can give, all of it
    cdus: int | None = None  # coolant distribution units
    cdu_w: float | None = None  # heat one takes
    pue: Assumption | None = None  # None: from cooling and weather
    electricity_usd_per_j: Assumption | None = None  # None: the region's
    demand_charge_usd_per_w_per_s: Assumption | None = None
    colo_usd_per_w_per_s: Assumption | None = None
    colo_covers: tuple[Literal["power", "cooling"], ...] = ()  # what the colo price holds: both are "all-in"
    to_build: bool = False  # whether its building, power and cooling plant are still to be built
    plant_usd_per_w: Assumption | None = None  # what that costs; None: as usual in its region
    weather: str = ""  # an EPW file; empty: the region's, where there is one
    carbon_file: str = ""  # hourly grid carbon; empty: the region's


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """How the work changes over the years the decision is for."""

    horizon_s: float = 3 * 365.25 * 86400
    growth: Assumption | None = None  # a year
    utilization: Assumption | None = None  # at most
    predictability: Literal["steady", "seasonal", "bursty", "unknown"] = "unknown"
    needed_by: str = ""  # date
    start: str = ""  # of operation; empty: the pilot's end


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What rules a candidate out."""

    jurisdictions: tuple[str, ...] = ()  # where data may lie; empty: anywhere
    most_latency_s: float | None = None
    frameworks: tuple[str, ...] = ()
    support: tuple[str, ...] = ("first-class", "supported", "unknown")  # levels of framework support that will do
    most_capex_usd: float | None = None
    most_carbon_kg: float | None = None  # a year
    memory_bytes: float | None = None  # of one accelerator


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefits:
    """What better hardware brings besides a smaller bill; each is counted only where it is stated."""

    month_earlier_usd: Assumption | None = None  # of a model that is ready a month earlier
    accuracy_point_usd: Assumption | None = None  # a year
    accuracy_points: Mapping[str, float] = field(default_factory=dict)  # candidate -> points it allows more
    engineers: float | None = None  # who wait for results
    iterations_per_day: float | None = None  # of each of them, today
    waiting_share: Assumption | None = None  # of their time, while a run is under way
    queue_s: Assumption | None = None  # before a run starts, today
    iteration_s: Assumption | None = None  # of a run, today


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What must be so for a candidate to pass a stage: a figure, a limit, how sure, and who may say it."""

    name: str
    stage: Literal[1, 2, 3]
    metric: str
    at_least: float | str | None = None  # in the metric's unit, or with its unit in words
    at_most: float | str | None = None
    quantile: Literal["sure", "typical", "p90", "p99"] = "sure"  # sure: the whole 90 % interval
    workload: str = ""  # empty: each
    candidates: tuple[str, ...] = ()  # empty: each
    accepts: tuple[Accepts, ...] = ("measured",)
    least_s: float | None = None  # how long it must have been measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist:
    """An answer to a question of the checklist."""

    id: str
    answer: Literal["yes", "no", "open"]
    by: str = ""
    date: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """A pilot of 30 to 60 days as one file: what is asked, what is tried, and what would settle it."""

    name: str
    question: str
    objective: Objective = "cost of the work"
    starts: str  # date
    days: int = 45
    budget_usd: float | None = None
    currency: str = "USD"
    stale_s: float = 180 * 86400.0  # a price older than this is warned of
    owners: Mapping[str, str] = field(default_factory=dict)  # role -> person
    milestones: Mapping[str, str] = field(default_factory=dict)  # what -> date
    workloads: tuple[Work, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    sites: tuple[Site, ...] = ()
    demand: Demand = Demand()
    needs: Needs = Needs()
    gates: tuple[Gate, ...] = ()
    figures: tuple[Stated, ...] = ()
    benefits: Benefits = Benefits()
    assumptions: Economics = Economics()
    checklist: tuple[Checklist, ...] = ()
    schema: int = 1

    def candidate(self, name: str) -> Candidate | None:
        """The candidate of this name."""
        return next((c for c in self.candidates if c.name == name), None)

    def site(self, name: str) -> Site | None:
        """The site of this name."""
        return next((s for s in self.sites if s.name == name), None)

    def workload(self, name: str) -> Work | None:
        """The workload of this name."""
        return next((w for w in self.workloads if w.name == name), None)
