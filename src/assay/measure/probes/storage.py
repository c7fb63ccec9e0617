"""Storage: sequential write and read, and 4 KiB random reads, of one bounded file in the folder that is asked about.

The page cache is bypassed with O_DIRECT; where the file system refuses that, the cache is dropped with posix_fadvise
before each read and the case says so. The file has no name while it is used, so nothing is left however this ends.
"""

from __future__ import annotations

import mmap
import os
import random
from pathlib import Path
from typing import Any

MIB = 1 << 20
_BLOCK = 4 * MIB
_RANDOM = 64  # random reads a sample


def cases(kit: Any) -> Any:
    """Write first: it also fills the file that is read."""
    folder = kit.settings.get("folder") or "."
    size = (16 if kit.settings.get("quick") else 64) * MIB
    disk = os.statvfs(folder)
    if disk.f_bavail * disk.f_frsize < 4 * size:
        raise SystemExit(f"{folder}: less than {4 * size // MIB} MiB are free; name another folder with --folder")
    file, direct = _open(folder)
    if not direct:
        kit.warn(f"{folder}: this file system knows no O_DIRECT: reads may come from the page cache in part")
    note = "page cache bypassed (O_DIRECT)" if direct else "page cache dropped before each sample, may still help"
    block = mmap.mmap(-1, _BLOCK)  # anonymous maps are page-aligned, as O_DIRECT wants
    block.write(os.urandom(_BLOCK))  # random: compressing storage gains nothing
    _write(file, block, size)
    told = {"library": "operating system", "device": "storage", "threads": 1, "note": note}
    label = f"{size // MIB} MiB"
    write = {"name": f"write {label}", "kind": "write", "bytes": size, **told}
    yield write, lambda: lambda _: _write(file, block, size), lambda: None
    read = {"name": f"read {label}", "kind": "read", "bytes": size, **told}
    yield read, lambda: lambda _: _read(file, block, size), lambda: _forget(file)
    small = mmap.mmap(-1, 4096)
    scattered = {"name": f"random read {_RANDOM} x 4 KiB", "kind": "random-read", "bytes": _RANDOM * 4096, **told}
    yield scattered, lambda: lambda _: _read_at(file, small, size), lambda: _forget(file)


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
            os.pwritev(file, [mmap.mmap(-1, 4096)], 0)
        except OSError:
            os.close(file)
            raise
        return file
    finally:
        path.unlink(missing_ok=True)


def _write(file: int, block: mmap.mmap, size: int) -> None:
    for offset in range(0, size, _BLOCK):
        os.pwritev(file, [block], offset)
    os.fsync(file)


def _read(file: int, block: mmap.mmap, size: int) -> None:
    for offset in range(0, size, _BLOCK):
        os.preadv(file, [block], offset)


def _read_at(file: int, small: mmap.mmap, size: int) -> None:
    for _ in range(_RANDOM):
        os.preadv(file, [small], random.randrange(size // 4096) * 4096)


def _forget(file: int) -> None:
    if hasattr(os, "posix_fadvise"):
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
