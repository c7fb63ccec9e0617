"""A candidate as a case: which of the stated numbers go where in its bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.decide.money import Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One kind of work on one candidate: the keys of its rate on one cluster and of how much of it is wanted."""

    workload: str
    rate: str  # key: units of work per second of one cluster
    wanted: str  # key: units of work per second, mean of the first year
    unit: str = "tokens_per_s"  # of both
    trains: bool = True  # one job on all of a cluster: a stop stops all of it
    peak: float = 1.0  # highest demand over mean: what must be provisioned for
    per_job: float | None = None  # units of work of one job


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One candidate: what it is made of, and the keys of everything else, which may be a range."""

    name: str
    nodes: int  # of one cluster
    per_node: int  # accelerators that are paid for
    clusters: int  # at the usual numbers
    sized: bool = False  # as many clusters as the work needs, whatever is drawn; else always so many
    horizon_s: float
    elastic: bool = False  # paid for only while it works: on demand, spot
    commitment_s: float = 0.0  # how long a rent holds; 0: it follows the market
    power_w: float = 0.0  # highest draw of one node; 0: not ours to pay
    draw_w: float | None = None  # the same, whoever pays it; None: nobody says
    racks_per_node: float = 0.0
    covers: frozenset[str] = frozenset()  # what the price holds besides the servers
    building: bool = False  # whether power and cooling plant are still to be built
    keys: Mapping[str, str] = field(default_factory=dict)  # name in the formulas -> key of the stated number
    loads: tuple[Load, ...] = ()

    @property
    def accelerators(self) -> int:
        """Accelerators of all clusters, at the usual numbers."""
        return self.nodes * self.clusters * self.per_node

    @property
    def machines(self) -> int:
        """Nodes of all clusters, at the usual numbers."""
        return self.nodes * self.clusters

    def of(self, x: Mapping[str, Amount], name: str, absent: Amount = 0.0) -> Amount:
        """A number by its name in the formulas; `absent` where it does not apply."""
        return x[self.keys[name]] if name in self.keys else absent
