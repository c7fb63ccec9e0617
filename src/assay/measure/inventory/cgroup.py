"""The groups Linux puts a process in: who it belongs to, and what it may use. Both generations of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from assay.measure.inventory.facts import number, said

_NO_LIMIT = 1 << 60  # the first generation writes a number next to 2^63 where there is no limit

# What a path in /proc/PID/cgroup says of who a process belongs to, from the inside out.
OWNERS = (
    (re.compile(r"job_(\d+)"), "Slurm job {}"),
    (re.compile(r"pod([0-9a-f]{8})[0-9a-f_-]{24,28}"), "pod {}"),
    (re.compile(r"([0-9a-f]{12})[0-9a-f]{52}"), "container {}"),
    (re.compile(r"lxc(?:\.payload)?[./]([\w.-]+)"), "LXC {}"),
    (re.compile(r"machine-qemu(?:-|\\x2d)\d+(?:-|\\x2d)([^/]+)\.scope"), "virtual machine {}"),
    (re.compile(r"([\w@.:-]+)\.service"), "service {}"),
    (re.compile(r"(session-\w+)\.scope"), "{}"),
)


def owner(text: str) -> str:
    """Who a process belongs to, by its /proc/PID/cgroup; empty where that does not say.

    >>> owner("0::/system.slice/slurmstepd.scope/job_731/step_0/user/task_0")
    'Slurm job 731'
    """
    return next((form.format(m[1]) for pattern, form in OWNERS if (m := pattern.search(text))), "")


def groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the groups this process is in that a controller keeps, innermost first, up to the machine's own."""
    for line in said(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, inside = rest.partition(":")
        if controllers == "" or controller in controllers.split(","):
            base = root / "sys/fs/cgroup" / (controller if controllers else "")
            yield from _upward(base, inside)
    # Where the file says nothing of use, a container still sees its own group as the root.
    yield root / "sys/fs/cgroup"
    yield root / "sys/fs/cgroup" / controller


def memory_limit(root: Path) -> float | None:
    """Bytes this process and its neighbours in the same group may use; None: no limit below the machine's memory."""
    limits = [
        number(group / name)
        for group in groups(root, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
    ]  # fmt: skip
    return min((limit for limit in limits if limit is not None and limit < _NO_LIMIT), default=None)


def cpu_quota(root: Path) -> float | None:
    """Processors' worth of time this process may use, such as 1.5; None: no quota."""
    quotas = []
    for group in groups(root, "cpu"):
        text = said(group / "cpu.max").split()
        pair = text or [said(group / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
        if len(pair) == 2 and all(word.isdecimal() for word in pair) and int(pair[1]):
            quotas.append(int(pair[0]) / int(pair[1]))
    return min(quotas, default=None)


def throttled(root: Path) -> tuple[float, float] | None:
    """Periods that a quota has counted, and those of them in which it held this process's group; since it began."""
    for group in groups(root, "cpu"):
        words = dict(pair for line in said(group / "cpu.stat").splitlines() if len(pair := line.split()) == 2)
        periods, held = words.get("nr_periods", ""), words.get("nr_throttled", "")
        if periods.isdecimal() and held.isdecimal():
            return float(periods), float(held)
    return None


def _upward(base: Path, inside: str) -> Iterator[Path]:
    parts = [part for part in inside.split("/") if part not in ("", "..")]
    for length in range(len(parts), -1, -1):
        folder = base.joinpath(*parts[:length])
        if folder.is_dir():
            yield folder
