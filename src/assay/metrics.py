"""What each metric means, once: name, unit, which way is better. The table itself is `data/metrics.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast

from assay.files import Raw, read_toml
from assay.units import suffix

Better = Literal["higher", "lower", "neither"]
Kind = Literal["gauge", "counter", "state", "time", "rate", "work"]

TABLE = Path(__file__).with_name("data") / "metrics.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a metric means; its unit is the suffix of its name, and a name without one is a pure number."""

    name: str
    title: str
    better: Better = "neither"
    meaning: str = ""
    kind: Kind = "gauge"
    group: str = ""  # job | stream | device | host | pilot; empty: a command's own, which nobody has described
    otel: str = ""  # its name in OpenTelemetry's semantic conventions, where they have one
    attributes: Mapping[str, str] = field(default_factory=dict)  # … and what they want said beside it

    @property
    def unit(self) -> str:
        """The unit, as in `units.SUFFIXES`; empty for a pure number."""
        return suffix(self.name.rpartition(".")[2])


def metric(name: str) -> Metric:
    """A metric by its name; of one that is not in the table, what its unit lets one say.

    >>> metric("ttft_s").better, metric("widgets_per_s").better, metric("mood").better
    ('lower', 'higher', 'neither')
    """
    return known().get(name) or _inferred(name)


@cache
def known() -> Mapping[str, Metric]:
    """Every metric of the table, in its order; a job's and a stream's metric of one name are one metric."""
    groups = cast("Mapping[str, Mapping[str, Raw]]", read_toml(TABLE))
    found: dict[str, Metric] = {}
    for group, rows in groups.items():
        for name, row in rows.items():
            found.setdefault(name, _metric(name, group, row))
    return MappingProxyType(found)


@cache
def group(name: str) -> Mapping[str, Metric]:
    """The metrics of one group, in the table's order: job, stream, device or host."""
    return MappingProxyType({key: m for key, m in known().items() if m.group == name})


def _metric(name: str, group: str, row: Raw) -> Metric:
    told = {"kind": _kind(name), **row}
    return Metric(name=name, group=group, **told)  # type: ignore[arg-type]


def _inferred(name: str) -> Metric:
    better: Better = {"time": "lower", "rate": "higher"}.get(_kind(name), "neither")  # type: ignore[assignment]
    return Metric(name=name, title=name.replace("_", " "), better=better, kind=_kind(name))


def _kind(name: str) -> Kind:
    if name.endswith("_per_s"):
        return "rate"
    return "time" if suffix(name.rpartition(".")[2]) == "s" else "gauge"
