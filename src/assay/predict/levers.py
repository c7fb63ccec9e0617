"""What can be turned: sizes of a job, rates and counts of a machine, each read and set by one name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from assay.errors import InputError, did_you_mean
from assay.feed import Store
from assay.hardware import Accelerator, System
from assay.predict.device import peak_flop_per_s
from assay.workload import Workload

Asked = tuple[Workload, System]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """One thing that can be turned: what a person calls it, its unit, how it is read and set."""

    name: str
    title: str  # "the link between nodes"
    unit: str  # as in `units.SUFFIXES`; empty for a count
    read: Callable[[Workload, System], float | None]  # None: this job on this system has none
    write: Callable[[Workload, System, float], Asked]
    lacks: str = ""  # what to say where there is none
    more_helps: bool = True  # a rate or a size of the machine; else a size of the job, or a wait

    def at(self, job: Workload, system: System, value: float) -> Asked:
        """The job and the system with this value of it."""
        return self.write(job, system, value)

    @property
    def counted(self) -> bool:
        """Whether it comes in whole numbers."""
        return not self.unit


def levers(job: Workload, system: System) -> dict[str, Lever]:
    """Every lever that this job on this system has, by name; links also by their own names."""
    found = {lever.name: lever for lever in (*_SIZES, *_CHIP, *_links(system), *_FEED)}
    return {name: lever for name, lever in found.items() if lever.read(job, system) is not None}


def lever(name: str, job: Workload, system: System, where: str = "--over") -> Lever:
    """The lever that a person means; raises InputError with what this system lacks, or with those there are."""
    known, wanted = levers(job, system), name.strip().casefold()
    for index, link in enumerate(system.links):
        if wanted in (link.name, *(alias.casefold() for alias in link.aliases)):
            return _link(index, link.name, f"the link {link.name}")
    if wanted in known:
        return known[wanted]
    for one in (*_SIZES, *_CHIP, *_FEED, *_links(None)):
        if one.name == wanted:
            what = f"{system.name} has no {one.title.removeprefix('the ')}"
            raise InputError(one.lacks or what, where=where, hint=f"known here: {', '.join(known)}")
    hint = did_you_mean(wanted[:100], known) or f"known here: {', '.join(known)}"
    raise InputError(f'"{name[:100]}" is nothing that can be turned', where=where, hint=hint)


def rates(job: Workload, system: System) -> list[Lever]:
    """The levers of which more can only help, for whoever asks which of them matters."""
    return [lever for lever in levers(job, system).values() if lever.more_helps]


def _chip(name: str, title: str, unit: str, field: str, lacks: str = "") -> Lever:
    def write(job: Workload, system: System, value: float) -> Asked:
        changed: dict[str, Any] = {field: value}
        return job, replace(system, accelerator=replace(system.accelerator, **changed))

    return Lever(name=name, title=title, unit=unit, write=write, lacks=lacks,
                 read=lambda _, system: getattr(system.accelerator, field))  # fmt: skip


def _peak(job: Workload, system: System) -> float | None:
    found = peak_flop_per_s(system.accelerator, job.precision)
    return found[0] if found else None


def _with_peak(job: Workload, system: System, value: float) -> Asked:
    """All peaks in proportion: a chip of more units, or of a higher clock."""
    chip: Accelerator = system.accelerator
    factor = value / (_peak(job, system) or value)
    peaks = {dtype: factor * peak for dtype, peak in chip.peak_flop_per_s.items()}
    return job, replace(system, accelerator=replace(chip, peak_flop_per_s=peaks))


_SIZES = (
    Lever(name="batch", title="the batch", unit="", more_helps=False, read=lambda job, _: job.global_batch,
          write=lambda job, system, n: (replace(job, global_batch=int(n)), system)),
    Lever(name="seq-len", title="the length of a sequence", unit="", more_helps=False,
          read=lambda job, _: job.seq_len if job.model.has_tokens else None, lacks="its samples are no sequences",
          write=lambda job, system, n: (replace(job, seq_len=int(n)), system)),
    Lever(name="nodes", title="the number of nodes", unit="", more_helps=False, read=lambda _, system: system.nodes,
          write=lambda job, system, n: (job, system.with_nodes(int(n)))),
)  # fmt: skip
_CHIP = (
    Lever(name="peak", title="the compute peak", unit="flop_per_s", read=_peak, write=_with_peak),
    _chip("memory-bandwidth", "memory bandwidth", "bytes_per_s", "bandwidth_bytes_per_s"),
    _chip("memory", "the size of memory", "bytes", "memory_bytes"),
    _chip("streaming", "the bandwidth that weights stream in by", "bytes_per_s", "streaming_bandwidth_bytes_per_s"),
    _chip("host-link", "the link to the host", "bytes_per_s", "host_bandwidth_bytes_per_s"),
)


def _links(system: System | None) -> tuple[Lever, ...]:
    """The innermost and the outermost link: bandwidth, and how long a message takes to begin."""
    last = max(0, len(system.links) - 1) if system else 1
    named = ((0, "inner", "the link inside a node"), (last, "outer", "the link between nodes"))
    found = [_link(i, f"{name}-link", title) for i, name, title in named if i > 0 or name == "inner"]
    return (*found, *(_latency(i, f"{name}-latency", f"the latency of {title}") for i, name, title in named
                      if i > 0 or name == "inner"))  # fmt: skip


def _link(index: int, name: str, title: str) -> Lever:
    return _of_link(index, name, title, "bytes_per_s", "bandwidth_bytes_per_s")


def _latency(index: int, name: str, title: str) -> Lever:
    return replace(_of_link(index, name, title, "s", "latency_s"), more_helps=False)


def _of_link(index: int, name: str, title: str, unit: str, field: str) -> Lever:
    def read(_: Workload, system: System) -> float | None:
        return getattr(system.links[index], field) if index < len(system.links) else None

    def write(job: Workload, system: System, value: float) -> Asked:
        changed: dict[str, Any] = {field: value}
        link = replace(system.links[index], **changed)
        return job, replace(system, links=(*system.links[:index], link, *system.links[index + 1 :]))

    return Lever(name=name, title=title, unit=unit, read=read, write=write)


def _read_rate(job: Workload, system: System) -> float | None:
    store = job.feed.store if job.feed else None
    return store.whole(store.read_bytes_per_s, system.nodes) if store else None


def _with_read_rate(job: Workload, system: System, value: float) -> Asked:
    """The same storage, all its rates in proportion."""
    feed, was = job.feed, _read_rate(job, system)
    if feed is None or feed.store is None or not was:
        return job, system
    return replace(job, feed=replace(feed, store=_faster(feed.store, value / was))), system


def _faster(store: Store, factor: float) -> Store:
    grown: dict[str, Any] = {name: None if (was := getattr(store, name)) is None else factor * was
             for name in ("read_bytes_per_s", "write_bytes_per_s", "read_hz")}  # fmt: skip
    return replace(store, **grown)


def _with_cores(job: Workload, system: System, value: float) -> Asked:
    return (replace(job, feed=replace(job.feed, cores=max(1, round(value)))) if job.feed else job), system


_FEED = (
    Lever(name="storage", title="the rate of storage", unit="bytes_per_s", read=_read_rate, write=_with_read_rate,
          lacks="nothing is said of where the data lie: write --storage"),
    Lever(name="cores", title="the cores that decode", unit="", write=_with_cores,
          read=lambda job, _: job.feed.cores if job.feed else None,
          lacks="nothing is said of cores that decode: write --storage, --decode and --cores"),
)  # fmt: skip
