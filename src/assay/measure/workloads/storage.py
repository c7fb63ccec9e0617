"""Storage: sequential write and read, and 4 KiB random reads, of one bounded file in the folder that is asked about.

Random reads are made one at a time, each timed (the latency), and by several threads at once, each with one read
underway: as many as the queue is deep. The page cache is bypassed with O_DIRECT; where the file system refuses that, it
is dropped with posix_fadvise before each sample and the case says so. Either way the kernel's own count of what it
fetched (/proc/self/io) is set beside what was asked for: reads that storage never saw are told as a check that failed.
The file has no name while it is used, so nothing is left however this ends.
"""

from __future__ import annotations

import mmap
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

BUDGET_S = (10.0, 3.0)
OPTIONS = {
    "size": ("auto", "MiB of the file; auto: 64, or 16 with --quick"),
    "depth": ("4,16", "threads that read at random at once, each with one read underway; several with commas"),
}

MIB = 1 << 20
_BLOCK = 4 * MIB
_SMALL = 4096
_READS = 64  # random reads of a thread in a sample
_LATENCIES = 1000  # single reads that are timed: p99 wants 500


def run(kit: Any) -> None:
    """Every case, and whether the reads came from storage."""
    file = File(kit, str(kit.settings.get("folder") or "."), _size(kit))
    try:
        kit.sweep(cases(kit, file))
        share = file.fetched()
        if share is not None:
            text = f"the kernel counts {100 * share:.0f} % of what was read as fetched from storage"
            kit.emit(event="check", name="reads reach the storage", passed=share >= 0.9, text=text)
    finally:
        file.close()


def cases(kit: Any, file: File | None = None) -> Any:
    """Write first: it also fills the file that is read."""
    file = file or File(kit, str(kit.settings.get("folder") or "."), _size(kit))
    told = {"library": "operating system", "device": "storage", "threads": 1, "note": file.note}
    label = f"{file.size // MIB} MiB"
    write = {"name": f"write {label}", "kind": "write", "bytes": file.size, **told}
    yield write, lambda: lambda _: file.write(), lambda: None
    read = {"name": f"read {label}", "kind": "read", "bytes": file.size, **told}
    yield read, lambda: lambda _: file.read(), file.forget
    once = {"name": "random read 4 KiB", "kind": "random-read", "bytes": _SMALL, **told, "fewest": _LATENCIES}
    yield once, lambda: lambda _: file.read_at_random(1), file.forget_now_and_then
    for depth in _depths(kit):
        count = _READS * depth
        told |= {"threads": depth}
        deep = {"name": f"random read {count} x 4 KiB, {depth} at once", "kind": "random-read", **told}
        deep |= {"bytes": count * _SMALL}
        yield deep, lambda d=depth: lambda _: file.read_at_random(_READS, d), file.forget


def _size(kit: Any) -> int:
    said = kit.options["size"]
    if said == "auto":
        return (16 if kit.settings.get("quick") else 64) * MIB
    if not (said.isdecimal() and 4 <= int(said) <= 1 << 20):
        raise SystemExit(f"size: {said} is no size in MiB; write a number from 4 to {1 << 20}")
    return int(said) // 4 * 4 * MIB


def _depths(kit: Any) -> list[int]:
    said = [part.strip() for part in kit.options["depth"].split(",") if part.strip()]
    if not all(part.isdecimal() and 1 < int(part) <= 256 for part in said):
        raise SystemExit(f"depth: {kit.options['depth']} is not understood; write numbers from 2 to 256, such as 4,16")
    return [int(part) for part in said]


class File:
    """A file without a name in a folder, and what is done to it."""

    def __init__(self, kit: Any, folder: str, size: int) -> None:
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < 4 * size:
            raise SystemExit(f"{folder}: less than {4 * size // MIB} MiB are free; name another folder with --folder")
        self.size, self.asked_bytes, self.began_bytes = size, 0, 0
        self.number, direct = _open(folder)
        self.note = "page cache bypassed (O_DIRECT)"
        if not direct:
            kit.warn(f"{folder}: this file system knows no O_DIRECT: reads may come from the page cache in part")
            self.note = "page cache dropped before each sample, may still help"
        self.block = mmap.mmap(-1, _BLOCK)  # anonymous maps are page-aligned, as O_DIRECT wants
        self.block.write(os.urandom(_BLOCK))  # random: compressing storage gains nothing
        self.small = threading.local()
        self.crew = ThreadPoolExecutor(256)  # starts no more than are needed at once
        self.write()
        self.forget()
        self.began_bytes = _fetched_bytes() or 0
        self.read()
        if direct and self.fetched() == 0:  # tmpfs takes the flag, and has no storage
            kit.warn(f"{folder}: reads come from memory, or from a file system whose reads the kernel does not count")
            self.note = "page cache not known to be bypassed: no read was counted by the kernel"

    def write(self) -> None:
        """All of it, in order, until the storage has it."""
        for offset in range(0, self.size, _BLOCK):
            os.pwritev(self.number, [self.block], offset)
        os.fsync(self.number)

    def read(self) -> None:
        """All of it, in order."""
        for offset in range(0, self.size, _BLOCK):
            os.preadv(self.number, [self.block], offset)
        self.asked_bytes += self.size

    def read_at_random(self, count: int, threads: int = 1) -> None:
        """So many 4 KiB pages a thread."""
        if threads == 1:
            self._read_some(count)
        else:
            list(self.crew.map(self._read_some, [count] * threads))
        self.asked_bytes += count * threads * _SMALL

    def _read_some(self, count: int) -> None:
        page = getattr(self.small, "page", None)
        if page is None:
            page = self.small.page = mmap.mmap(-1, _SMALL)
        for _ in range(count):
            os.preadv(self.number, [page], random.randrange(self.size // _SMALL) * _SMALL)

    def forget(self) -> None:
        """Have the page cache drop what it holds of it."""
        if hasattr(os, "posix_fadvise"):
            os.fsync(self.number)
            os.posix_fadvise(self.number, 0, 0, os.POSIX_FADV_DONTNEED)

    def forget_now_and_then(self) -> None:
        """Before single reads: one page more or less in cache is nothing, and dropping takes longer than reading."""
        if random.random() < 0.02:
            self.forget()

    def fetched(self) -> float | None:
        """Bytes that the kernel fetched from storage over those that were read; None where it does not say."""
        now = _fetched_bytes()
        return None if now is None or not self.asked_bytes else (now - self.began_bytes) / self.asked_bytes

    def close(self) -> None:
        """The file ends with this."""
        self.crew.shutdown()
        os.close(self.number)


def _fetched_bytes() -> int | None:
    """What this process had fetched from storage so far, as Linux counts it."""
    try:
        lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("read_bytes")), None)


def _open(folder: str) -> tuple[int, bool]:
    """A file without a name, with O_DIRECT where that works."""
    direct = getattr(os, "O_DIRECT", 0)
    try:
        if direct:
            return _nameless(folder, direct), True
    except OSError:  # tmpfs and some network file systems refuse it
        pass
    return _nameless(folder, 0), False


def _nameless(folder: str, flag: int) -> int:
    """Made, opened and unlinked at once: it ends with the process, however that ends."""
    path = Path(folder, f".assay-storage-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | flag, 0o600)
        try:
            os.pwritev(file, [mmap.mmap(-1, _SMALL)], 0)
        except OSError:
            os.close(file)
            raise
        return file
    finally:
        path.unlink(missing_ok=True)
