"""Memory bandwidth in and out of cache: STREAM's copy (a = b), scale (a = s·b), add (a = b + c), triad (a = b + s·c),
and the sum of an array, which only reads (in cache, as fast as NumPy adds); on one thread and on all, and in the memory
of accelerators.

Bytes are STREAM's (McCalpin 1995): 2 arrays for copy and scale, 3 for add and triad; what a write-allocating cache
reads besides is not counted. All threads means one process a thread: Python threads would pass the interpreter's lock
from hand to hand, and in cache that is all one would measure. `python membw.py` is such a process; it ends with its
parent.
"""

from __future__ import annotations

import os
import sys

# This folder is off the search path before anything else is imported: copy.py here must not hide Python's own.
if __name__ == "__main__" and sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):  # noqa: PTH100, PTH120
    del sys.path[0]

import atexit
import subprocess
from typing import Any

BUDGET_S = (15.0, 4.0)
OPTIONS: dict[str, tuple[str, str]] = {}

MIB = 1 << 20
_BLOCK = 32 * 1024 // 8  # doubles that NumPy's two passes of a triad keep in the first-level cache
_ARRAYS = {"copy": 2, "scale": 2, "add": 3, "triad": 3, "sum": 1}
_DEVICE_BYTES = 1024 * MIB  # one array in device memory; the largest cache known there holds 256 MiB


def cases(kit: Any) -> Any:
    """Each kind in cache (256 KiB an array and thread) and out of it (an array 4 × the last-level cache)."""
    if kit.numpy is None and kit.on_host:
        kit.warn("no numpy in this interpreter: host memory is not measured")
    elif kit.on_host:
        team = Team(kit.threads)
        for size in (MIB // 4, _large(kit)):
            inside = size < MIB
            for threads in dict.fromkeys((1, kit.threads)):
                for kind in _ARRAYS:
                    one = size if inside else size // threads
                    yield _case(kind, one * threads, threads, inside), _on_host(team, kind, one, threads), None
    for device, wait in kit.devices():
        for size, where in _device_sizes(kit, device):
            for kind in _ARRAYS:
                yield _on_device(kit.torch, kind, size, where, device, wait)


def _device_sizes(kit: Any, device: str) -> list[tuple[int, str]]:
    """Bytes of an array out of the device's cache, and of one that stays inside where its size is known."""
    parts = kit.beside("gemm_operands")
    out = int(min(_DEVICE_BYTES, parts.free_bytes(kit, device) / 8)) // MIB * MIB
    known = parts.told_cache_bytes(kit, device)
    return [(out, "device memory"), *([(max(MIB, known // 8 // MIB * MIB), "cached")] if known else [])]


def _large(kit: Any) -> int:
    """Bytes of one array out of cache: STREAM's rule of four times the last-level cache, bounded by memory."""
    cache = kit.settings.get("last_cache_bytes")
    if not cache:
        kit.warn("the last-level cache is not shown here: 64 MiB assumed")
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    wanted = 4 * int(cache or 64 * MIB)
    room = int(min(wanted, (32 if kit.settings.get("quick") else 1024) * MIB, free // 8))
    if room < wanted:
        kit.warn(f"arrays of {room // MIB} MiB, {wanted // MIB} MiB wanted: part may have stayed in cache")
    return room // MIB * MIB


def _case(kind: str, size: int, threads: int, inside: bool) -> dict[str, Any]:
    label = f"{size // 1024} KiB" if size < MIB else f"{size // MIB} MiB"
    return {
        "name": f"{kind} {label} {'in' if inside else 'out of'} cache {threads} thread{'s' * (threads > 1)}",
        "kind": kind, "bytes": _ARRAYS[kind] * size, "library": "numpy", "device": "cpu", "threads": threads,
        "note": "in cache" if inside else "out of cache", "least_s": 1e-2 if threads > 1 else 1e-3,
    }  # fmt: skip


class Team:
    """Processes that each work on arrays of their own, started when they are first needed."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.members: list[subprocess.Popen[str]] = []

    def run(self, task: str) -> None:
        """Hand the same task to all, and wait until the last is done."""
        for member in self._all():
            member.stdin.write(task + "\n")  # type: ignore[union-attr]
            member.stdin.flush()  # type: ignore[union-attr]
        for member in self.members:
            if member.stdout.readline() != "done\n":  # type: ignore[union-attr]
                raise RuntimeError("a worker died")

    def _all(self) -> list[subprocess.Popen[str]]:
        if not self.members:
            pipe, command = subprocess.PIPE, [sys.executable, __file__]
            self.members = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(self.size)]
            atexit.register(self._dismiss)
        return self.members

    def _dismiss(self) -> None:
        """Wait for them, so that their processor time counts as ours and not as somebody else's."""
        for member in self.members:
            member.stdin.close()  # type: ignore[union-attr]
        for member in self.members:
            member.wait()


def _on_host(team: Team, kind: str, size: int, threads: int) -> Any:
    def prepare() -> Any:
        alone = Worker()

        def step(loops: int) -> None:
            if threads > 1:
                team.run(f"{kind} {size} {loops}")
            else:
                alone.run(kind, size, loops)

        step(0)  # starts the processes and touches their memory
        return step

    return prepare


class Worker:
    """Does what it is told on arrays that it keeps from one time to the next."""

    def __init__(self) -> None:
        import numpy

        self.np = numpy
        self.work = {"copy": _copy, "scale": _scale, "add": _add, "triad": _triad, "sum": _sum}
        self.have: tuple[str, int] = ("", 0)

    def run(self, kind: str, size: int, loops: int) -> None:
        """One kind of work on arrays of `size` bytes, `loops` times."""
        if self.have != (kind, size):
            self.have = (kind, size)
            self.part = tuple(self.np.full(size // 8, float(i)) for i in range(_ARRAYS[kind]))
        self.work[kind](self.np, self.part, loops)


def _serve() -> None:
    worker = Worker()
    for line in sys.stdin:
        kind, size, loops = line.split()
        worker.run(kind, int(size), int(loops))
        print("done", flush=True)  # noqa: T201 - this is how a worker answers


def _copy(np: Any, part: Any, loops: int) -> None:
    for _ in range(loops):
        np.copyto(part[0], part[1])


def _scale(np: Any, part: Any, loops: int) -> None:
    for _ in range(loops):
        np.multiply(part[1], 3.0, out=part[0])


def _add(np: Any, part: Any, loops: int) -> None:
    for _ in range(loops):
        np.add(part[1], part[2], out=part[0])


def _sum(np: Any, part: Any, loops: int) -> None:
    for _ in range(loops):
        np.add.reduce(part[0])


def _triad(np: Any, part: Any, loops: int) -> None:
    """In blocks: a whole-array s·c would go through memory and back, and five arrays move instead of three."""
    a, b, c = part
    block = np.empty(_BLOCK)
    for _ in range(loops):
        for start in range(0, len(a), _BLOCK):
            piece = slice(start, start + _BLOCK)
            scaled = block[: len(a[piece])]
            np.multiply(c[piece], 3.0, out=scaled)
            np.add(b[piece], scaled, out=a[piece])


def _on_device(torch: Any, kind: str, size: int, where: str, device: str, wait: Any) -> Any:
    label = f"{kind} {size // MIB} MiB{' cached' if where == 'cached' else ''} {device}"
    case = {
        "name": label, "kind": kind, "dtype": "fp32", "bytes": _ARRAYS[kind] * size, "library": "torch",
        "device": device, "note": where,
    }  # fmt: skip

    def prepare() -> Any:
        a, b, c = (torch.ones(size // 4, device=device) for _ in range(3))
        out = torch.ones((), device=device)
        once: Any = {
            "copy": lambda: a.copy_(b),
            "scale": lambda: torch.mul(b, 3.0, out=a),
            "add": lambda: torch.add(b, c, out=a),
            "triad": lambda: torch.add(b, c, alpha=3.0, out=a),
            "sum": lambda: torch.sum(a, dim=0, out=out),
        }[kind]

        def step(loops: int) -> None:
            for _ in range(loops):
                once()
            wait()

        return step

    return case, prepare, None


if __name__ == "__main__":
    _serve()
