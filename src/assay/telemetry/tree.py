"""A process and all it started, added up: processor time, memory, and what it moved from and to storage."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from assay.telemetry.places import Files, text

RESCAN_S = 2.0  # new processes are looked for no more often; one that lives shorter is counted when its parent reaps it
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Stat(NamedTuple):
    """What of /proc/PID/stat is of use; times hold those of children that have ended and were waited for."""

    state: str
    parent: int
    session: int
    cpu_s: float
    memory_bytes: int


class Tree:
    """The tree below one process. A child whose parent has died stays in it, and so does all of the root's session.

    Whoever looks is not part of it: sampler and helper may have been started by what they watch.
    """

    def __init__(self, root: int, files: Files, proc: Path = Path("/proc")) -> None:
        self.files, self.proc = files, proc
        self.members = {root}
        sampler = self._stat(os.getppid())
        self._ourselves = {os.getpid(), os.getppid(), sampler.parent if sampler else 0} - {root}
        self._seen: set[int] = set()
        self._scanned_s = -RESCAN_S
        self._counted = {key: Counted() for key in ("cpu_s", "read_bytes", "write_bytes")}
        at_root = self._stat(root)
        self._session = root if at_root is not None and at_root.session == root else -1

    def read(self) -> dict[str, float]:
        """Sums over the tree as it is now; nothing when none of it is left. What is counted never falls."""
        now_s = time.monotonic()
        if now_s - self._scanned_s >= RESCAN_S:
            self._scanned_s = now_s
            self._scan()
        # Parents first: a child that is reaped meanwhile is then missing from the sum, and not in it twice.
        stats = {member: stat for member in sorted(self.members) if (stat := self._stat(member)) is not None}
        for member in self.members - stats.keys():
            self.files.forget(f"{self.proc}/{member}/stat", f"{self.proc}/{member}/io")
        self.members &= stats.keys()
        if not stats:
            return {}
        sums = {"cpu_s": sum(stat.cpu_s for stat in stats.values()), **self._traffic(stats)}
        whole = {key: total for key, value in sums.items() if (total := self._counted[key].total(value)) is not None}
        return {**whole, "memory_bytes": float(sum(stat.memory_bytes for stat in stats.values()))}

    def _scan(self) -> None:
        """Take in the processes that are new, if their parent or their session is ours."""
        if not self.members:
            return
        there = {int(name) for name in os.listdir(self.proc) if name.isdecimal()}  # noqa: PTH208 - names are enough
        told = ((process, _parsed(text(self.proc / str(process) / "stat"))) for process in there - self._seen)
        new = {
            process: stat for process, stat in told if stat is not None and not {process, stat.parent} & self._ourselves
        }
        self._seen = there
        while True:
            ours = {p for p, stat in new.items() if stat.parent in self.members or stat.session == self._session}
            if not ours - self.members:
                return
            self.members |= ours

    def _stat(self, process: int) -> Stat | None:
        return _parsed(self.files.text(f"{self.proc}/{process}/stat"))

    def _traffic(self, members: dict[int, Stat]) -> dict[str, float]:
        """Bytes read and written; nothing where the system does not say it of all of them, for want of permission."""
        read = written = 0
        for member, stat in members.items():
            pairs = dict(line.split(": ") for line in self.files.text(f"{self.proc}/{member}/io").splitlines())
            if "read_bytes" in pairs:
                read, written = read + int(pairs["read_bytes"]), written + int(pairs["write_bytes"])
            elif stat.state != "Z":
                return {}
        return {"read_bytes": float(read), "write_bytes": float(written)}


class Counted:
    """A sum that only grows: what a member takes with it, which ends and is waited for by nobody, is added again."""

    def __init__(self) -> None:
        self._most = self._lost = 0.0
        self._doubted = False

    def total(self, value: float) -> float | None:
        """The sum so far. The first time that it is less than before nothing: its parent may be about to count it."""
        less = value + self._lost < self._most
        if less and not self._doubted:
            self._doubted = True
            return None
        if less:
            self._lost = self._most - value
        self._doubted = False
        self._most = max(self._most, value + self._lost)
        return self._most


def _parsed(line: str) -> Stat | None:
    words = line.rpartition(")")[2].split()  # the name before may hold anything, blanks and brackets too
    if len(words) < 22:
        return None
    cpu_s = sum(int(word) for word in words[11:15]) / _TICKS_PER_S
    return Stat(words[0], int(words[1]), int(words[3]), cpu_s, int(words[21]) * _PAGE_BYTES)
