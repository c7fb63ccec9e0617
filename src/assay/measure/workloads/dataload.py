"""How fast an input pipeline feeds: real JPEG decoding and augmentation, real tokenization and packing, by workers.

For 0, 1, 2, 4 … worker processes, up to the threads there are (0: in the process that trains), through PyTorch's
loader, or through a pool of processes where there is no PyTorch. Nothing trains: a case shows the most this host can
feed. What a training step really waits for is `input_wait_s` of train-step with `data=real`.

`time_s` is the time until the next batch is there; samples and time, each summed, give the rate. `read_s`, `decode_s`,
`augment_s`, `tokenize_s` and `collate_s` are what a batch cost its workers: more workers make `time_s` fall, not these.

Files lie in the page cache, as in every epoch but the first where the data fit in memory. "from storage" drops each
file from the page cache right before it is read, as a first epoch finds it, and is left out where that does not work.
pictures.py and prose.py say what is done to a sample.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUDGET_S = (40.0, 6.0)
OPTIONS = {
    "what": ("both", "images, text or both"),
    "workers": ("", "worker processes, as 0,1,2,4; empty: powers of two up to the threads there are"),
    "batch": ("", "samples of a batch; empty: 32 images (8 in a quick run), 8 sequences"),
    "image_px": ("224", "edge of what is cut out of a picture"),
    "seq_len": ("1024", "tokens of a packed sequence"),
    "seed": ("0", "of files and augmentation"),
}

_FILES, _TEXT_BYTES = 128, 16 << 20  # 14 MB of pictures: they fit in any page cache
_QUICK = 4  # `quick` makes so many times less
_FEWEST, _MOST = 3, 1000  # batches that count
_STAYED = 0.1  # of a file, in the page cache after it was dropped: more, and a read is not one from storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One data set, loaded by so many workers, its files in the page cache or not."""

    what: str
    items: Any
    stack: Any  # rows -> what is handed to a model
    batch: int
    workers: int
    cold: bool
    size_bytes: int  # that are read for a batch
    tokens: int = 0  # of a batch of text

    @property
    def name(self) -> str:
        """The case."""
        return f"{self.what}, {self.workers} worker{'s' * (self.workers != 1)}{' from storage' * self.cold}"


def run(kit: Any) -> None:
    """Make the data, then load them in each way for a share of the time."""
    if kit.rank:  # what a host can feed is asked for, once
        return
    if kit.torch is not None:
        kit.torch.set_num_threads(kit.threads)
    plan = [way for way in _plan(kit) if kit.wanted(way.name)]
    share_s = float(kit.settings["budget_s"]) / max(1, len(plan))
    for number, way in enumerate(plan, start=1):
        note = "page cache dropped before each read" if way.cold else "files in the page cache"
        case = {"name": way.name, "kind": "load", "bytes": way.size_bytes, "device": "cpu", "note": note,
                "library": "torch" if kit.torch else "python", "threads": max(1, way.workers)}  # fmt: skip
        kit.emit(event="begin", case=case, number=number, of=len(plan))
        _load(kit, way, share_s)
        kit.emit(event="end", case=way.name)


def _plan(kit: Any) -> Iterator[Way]:
    what = kit.options["what"]
    if what not in {"both", "images", "text"}:
        raise SystemExit(f"what: {what} is not known; write images, text or both")
    workers, home = _workers(kit), kit.beside("feeding").home(kit)
    if what != "text":
        yield from _images(kit, home, workers)
    if what != "images":
        yield from _texts(kit, home, workers)


def _images(kit: Any, home: Path, workers: list[int]) -> Iterator[Way]:
    pictures, np, torch = kit.beside("pictures"), kit.numpy, kit.torch
    if np is None or pictures.pillow() is None:
        kit.warn(
            pictures.MISSING if np else "no numpy in this interpreter: JPEGs are not loaded; type pip install numpy"
        )
        return
    less = _QUICK if kit.settings.get("quick") else 1
    batch, size_px, seed = _number(kit, "batch", 32 // less), _number(kit, "image_px"), _number(kit, "seed", least=0)
    files = _FILES // less
    paths = pictures.write(np, home / f"jpeg-{seed}", files, seed)
    weight = sum(path.stat().st_size for path in paths) // len(paths)

    def stack(rows: list[Any]) -> Any:
        if torch is None:
            return np.stack([row[0] for row in rows]), np.array([row[1] for row in rows])
        return torch.stack([torch.from_numpy(row[0]) for row in rows]), torch.tensor([row[1] for row in rows])

    for count, cold in _ways(kit, paths, workers):
        items = pictures.Pictures(np, paths, size_px, 1000, seed, forget=cold)
        yield Way(what=f"jpeg to {size_px} px", items=items, stack=stack, batch=batch, workers=count, cold=cold,
                  size_bytes=weight * batch)  # fmt: skip


def _texts(kit: Any, home: Path, workers: list[int]) -> Iterator[Way]:
    prose = kit.beside("prose")
    batch, length, seed = _number(kit, "batch", 8), _number(kit, "seq_len"), _number(kit, "seed", least=0)
    path = home / f"prose-{seed}.txt"
    prose.write(path, _TEXT_BYTES // (_QUICK if kit.settings.get("quick") else 1), seed)

    def stack(rows: list[Any]) -> Any:
        tokens = [row[0] for row in rows]
        return kit.torch.tensor(tokens) if kit.torch else kit.numpy.array(tokens) if kit.numpy else tokens

    items = {cold: prose.Sequences(path, length, forget=cold) for cold in (False, True)}
    for count, cold in _ways(kit, [path], workers):
        yield Way(what=f"text to {length} tokens", items=items[cold], stack=stack, batch=batch, workers=count,
                  cold=cold, size_bytes=items[cold].stride * batch, tokens=length * batch)  # fmt: skip


def _ways(kit: Any, paths: list[Path], workers: list[int]) -> Iterator[tuple[int, bool]]:
    """Each number of workers with the files in the page cache; the most of them without, where that can be had."""
    for path in paths:
        path.read_bytes()
    yield from ((count, False) for count in workers)
    stayed = kit.beside("feeding").stays(paths[0])
    if stayed is None or stayed > _STAYED:
        kit.warn(
            f"{paths[0].parent}: files do not leave the page cache here, so reading from storage is left out; "
            "name another folder with --folder"
        )
    else:
        yield workers[-1], True


def _workers(kit: Any) -> list[int]:
    asked, most = kit.options["workers"], kit.threads
    if not asked:
        return sorted({0, most, *(2**n for n in range(most.bit_length()))})
    if not all(word.strip().isdecimal() for word in asked.split(",")):
        raise SystemExit(f"workers: {asked} is not understood; write numbers, as 0,1,2,4")
    return sorted({int(word) for word in asked.split(",")})


def _number(kit: Any, name: str, default: int = 0, least: int = 1) -> int:
    word = kit.options[name] or str(default)
    if not word.isdecimal() or int(word) < least:
        raise SystemExit(f"{name}: {word} is not possible; write a whole number, {least} or more")
    return int(word)


def _load(kit: Any, way: Way, share_s: float) -> None:
    """Take batches as fast as they come. Those that workers made before the clock ran do not count."""
    feeding = kit.beside("feeding")
    order = (list(range(first, first + way.batch)) for first in itertools.count(0, way.batch))
    early = feeding.AHEAD * way.workers + 1
    work = {"samples": way.batch, **({"tokens": way.tokens} if way.tokens else {})}
    begin = before = time.perf_counter()
    for step, (_, spent) in enumerate(feeding.batches(kit.torch, way.items, order, way.stack, way.workers)):
        now = time.perf_counter()
        kit.emit(case=way.name, step=step, warmup=step < early, time_s=now - before, **work, **spent)
        if step - early + 1 >= _MOST or (now - begin > share_s and step - early + 1 >= _FEWEST):
            break
        before = time.perf_counter()
