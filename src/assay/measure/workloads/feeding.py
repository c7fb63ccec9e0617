"""Batches of real data, made by worker processes while somebody else works: PyTorch's loader, or a pool without it.

Workers are forked: they inherit what was loaded, and nothing has to be pickled. A data set is anything with `[index]`
that returns a value and the seconds its parts took.
"""

from __future__ import annotations

import atexit
import ctypes
import itertools
import mmap
import multiprocessing
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

AHEAD = 2  # batches that each worker makes before they are asked for

Stack = Callable[[list[Any]], Any]


def home(kit: Any) -> Path:
    """Where what is made up is kept: in the folder that was named, for the next run as well; else until the end."""
    folder = kit.settings.get("folder")
    if folder:
        path = Path(folder, "assay-data")
        path.mkdir(parents=True, exist_ok=True)
        return path
    return _until_the_end()


@cache
def _until_the_end() -> Path:
    path = Path(tempfile.mkdtemp(prefix="assay-data-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def stays(path: Path) -> float | None:
    """Share of a file that is in the page cache right after it was dropped from there; None where one cannot tell."""
    if not hasattr(os, "posix_fadvise"):
        return None
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        pages = -(-len(view) // mmap.PAGESIZE)
        there = (ctypes.c_ubyte * pages)()
        start = (ctypes.c_char * len(view)).from_buffer(view)
        failed = ctypes.CDLL(None).mincore(ctypes.c_void_p(ctypes.addressof(start)), len(view), there)
        del start  # a map that is looked into cannot be closed
    return None if failed else sum(page & 1 for page in there) / pages


def gather(rows: list[Any], stack: Stack) -> tuple[Any, dict[str, float]]:
    """A batch of rows (value, …, seconds by part), and the seconds of all of them and of stacking them."""
    spent: Counter[str] = Counter()
    for row in rows:
        spent.update(row[-1])
    begin = time.perf_counter()
    batch = stack([row[:-1] for row in rows])
    return batch, {**spent, "collate_s": time.perf_counter() - begin}


def batches(torch: Any, items: Any, order: Iterator[list[int]], stack: Stack, workers: int, pin: bool = False) -> Any:
    """Batches (what `stack` made, seconds by part) in the order of `order`, which may be endless."""
    if torch is None:
        return _pooled(items, order, stack, workers)
    ahead = {"prefetch_factor": AHEAD, "multiprocessing_context": "fork"} if workers else {}
    return iter(torch.utils.data.DataLoader(
        items, batch_sampler=order, num_workers=workers, collate_fn=lambda rows: gather(rows, stack), pin_memory=pin,
        **ahead,
    ))  # fmt: skip


def _pooled(items: Any, order: Iterator[list[int]], stack: Stack, workers: int) -> Iterator[Any]:
    """The same without PyTorch; batches come back through a pipe, as it has no memory to share."""

    def make(indices: list[int]) -> Any:
        return gather([items[index] for index in indices], stack)

    if not workers:
        yield from map(make, order)
        return
    _Task.make = make
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        waiting = [pool.apply_async(_Task.run, (one,)) for one in itertools.islice(order, workers * AHEAD)]
        while waiting:
            batch = waiting.pop(0).get()
            waiting += [pool.apply_async(_Task.run, (one,)) for one in itertools.islice(order, 1)]
            yield batch


class _Task:
    """What a forked worker does; it inherits it, as a function made at run time cannot be sent."""

    make: Callable[[list[int]], Any]

    @staticmethod
    def run(indices: list[int]) -> Any:
        return _Task.make(indices)
