"""What the names on a Prometheus server mean, from every vendor's table and our own, and what not to believe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from assay import metrics
from assay.telemetry import names, plugins
from assay.telemetry.reading import Imported

if TYPE_CHECKING:
    from assay.series import Floats

SHOWN = 10  # of the names that nobody knows

# Names that mean something else than they say; no table holds them.
WRONG = {
    "accelerator_power_usage_watts": "it holds milliwatts",
    "accelerator_sm_clock_hertz": "it holds MHz",
    "accelerator_memory_clock_hertz": "it is a constant",
}

# Device memory is what is used, what is free and, where it is told apart, what is reserved (nvmlMemory_v2_t).
TOTAL = "accel.mem.total_bytes"
USED, FREE, RESERVED = "dcgm_fi_dev_fb_used", "dcgm_fi_dev_fb_free", "dcgm_fi_dev_fb_reserved"

# Exporters repeat on every slice of a card what only the card as a whole has …
OF_THE_CARD = frozenset({
    "accel.power_w", "accel.power.limit_w", "accel.energy_j", "accel.temp.core_celsius", "accel.temp.mem_celsius",
    "accel.clock.core_hz", "accel.clock.mem_hz", "accel.event.code", "accel.throttle.thermal.time_s",
    "accel.throttle.power.time_s",
})  # fmt: skip
# … and say 0 of a slice where the driver has no answer (dcgm-exporter, issue 216).
NOT_OF_A_SLICE = frozenset({"dcgm_fi_dev_gpu_util", "dcgm_fi_dev_gpu_util_ratio", "dcgm_fi_dev_mem_copy_util"})

# Who says 0 of these all the time has no such sensor: a partition, the second die of a card, a driver without rights.
NEVER_ZERO = frozenset({
    "accel.power_w", "accel.power.limit_w", "accel.energy_j", "accel.temp.core_celsius", "accel.temp.mem_celsius",
    "accel.clock.core_hz", "accel.clock.mem_hz", "accel.mem.total_bytes", "host.energy_j", "host.dram.energy_j",
})  # fmt: skip
PERCENT = 1.5  # a share that goes beyond this was a percentage; what lies between 1 and this is read as 1


# What the plug-ins' makers are called, where no label says it.
MAKERS = {
    "nvidia": "NVIDIA", "amd": "AMD", "gaudi": "Intel Gaudi", "intel": "Intel", "neuron": "AWS", "tpu": "Google",
}  # fmt: skip


class Meaning(NamedTuple):
    """A maker, and what its exporter means by a name."""

    vendor: str
    means: Imported


@cache
def meanings() -> Mapping[str, tuple[Meaning, ...]]:
    """Exporters' names in lower case → what they mean; OpenTelemetry's and our own first."""
    found = {name: tuple(Meaning("", row) for row in rows) for name, rows in names.own().items()}
    for plugin in plugins.plugins().values():
        for name, row in {} if plugin.problem else plugin.module.PROMETHEUS.items():
            meaning = Meaning(MAKERS.get(plugin.name, plugin.name), row)
            found[name.lower()] = (*found.get(name.lower(), ()), meaning)
    return found


def remarks(there: Iterable[str]) -> Iterator[str]:
    """What to say of the names on a server that are not taken: the wrong ones, and those that look like a device's."""
    others = [name for name in there if name.lower() not in meanings() and name.lower() not in (FREE, RESERVED)]
    yield from (f"{name} was left out: its name is wrong, {WRONG[name]}" for name in others if name in WRONG)
    like = [name for name in others if name not in WRONG and name.lower().split("_")[0] in _families()]
    if like:
        more = f" and {len(like) - SHOWN} more" if len(like) > SHOWN else ""
        yield f"not taken, since nobody told what they mean: {', '.join(like[:SHOWN])}{more}"


@cache
def _families() -> frozenset[str]:
    """How the names of device exporters begin: dcgm, gpu, habanalabs, … A host's exporters are full of other names."""
    device = metrics.group("device")
    return frozenset(name.split("_")[0] for name, rows in meanings().items() if rows[0].means.metric in device)


def plausible(metric: str, values: Floats) -> tuple[Floats | None, str]:
    """Values as they can be true, or None; and what had to be thought of them, "" for nothing."""
    import numpy as np

    if metric in NEVER_ZERO and not values.any():
        return None, "says 0 all the time: there is no such sensor"
    if names.exported(metric).unit != "1" or values.max() <= 1:
        return values, ""
    if values.max() > PERCENT:
        return values / 100, "goes beyond 1: taken for a percentage"
    return np.minimum(values, 1.0), f"goes up to {values.max():.3g}: read as 1"
