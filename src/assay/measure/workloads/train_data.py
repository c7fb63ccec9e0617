"""What train-step learns from: the same batches from the same seed, on whatever device and however many ranks.

A batch is named by its step, rank and place in the step, so that the reference can ask for exactly those that were
trained on. Synthetic batches are drawn once and lie on the device: input costs nothing, and what a loader would add is
the difference to `data=real`. They can be learnt (tokens are skewed, pictures and clicks follow a rule), else no few
steps would move the loss.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

_STEPS, _PLACES = 4, 4  # synthetic batches come round after so many steps, and after so many in one step
_TEXT_BYTES, _PICTURES = 8 << 20, 256

Batch = tuple[Any, ...]


def source(kit: Any, job: Any) -> Any:
    """What the job learns from."""
    return Real(kit, job) if job.data == "real" else Synthetic(kit, job)


class Synthetic:
    """Drawn from the seed on the host."""

    def __init__(self, kit: Any, job: Any) -> None:
        self.torch, self.job, self.shapes = kit.torch, job, kit.beside("train_shapes")

    def batch(self, step: int, rank: int, place: int) -> Batch:
        """One micro-batch, on the host."""
        key = ((self.job.seed * _STEPS + step % _STEPS) * 65_536 + rank) * _PLACES + place % _PLACES
        draw = self.torch.Generator().manual_seed(key)
        makers = {"decoder": self._tokens, "dit": self._latents, "dlrm": self._clicks}
        return makers.get(self.job.family, self._pictures)(draw, self.job.micro_batch, self.job.net)

    def stream(self, device: Any) -> Iterator[Batch]:
        """This rank's micro-batches in order, on the device."""
        places = range(min(self.job.accumulation, _PLACES))
        made = [[on(device, self.batch(step, self.job.rank, place)) for place in places] for step in range(_STEPS)]
        for step in itertools.count():
            for place in range(self.job.accumulation):
                yield made[step % _STEPS][place % _PLACES]

    def _tokens(self, draw: Any, count: int, net: Any) -> Batch:
        skewed = self.torch.rand(count, self.job.seq_len + 1, generator=draw) ** 3
        tokens = (skewed * net.vocab).long().clamp(max=net.vocab - 1)
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()

    def _pictures(self, draw: Any, count: int, net: Any) -> Batch:
        classes = self.torch.randint(net.classes, (count,), generator=draw)
        pictures = self.torch.randn(count, 3, net.image_px, net.image_px, generator=draw)
        tint = self.torch.stack([(classes * k % net.classes) / net.classes for k in (1, 3, 7)], dim=1)
        return pictures + 2 * tint[:, :, None, None], classes

    def _latents(self, draw: Any, count: int, net: Any) -> Batch:
        size = (count, self.shapes.LATENT_CHANNELS, net.image_px, net.image_px)
        latents, noise = (self.torch.randn(size, generator=draw) for _ in range(2))
        classes = self.torch.randint(net.classes, (count,), generator=draw)
        return latents, noise, self.torch.rand(count, generator=draw), classes

    def _clicks(self, draw: Any, count: int, net: Any) -> Batch:
        dense = self.torch.rand(count, net.dense, generator=draw)
        found = [(self.torch.rand(count, generator=draw) ** 3 * rows).long() for rows in net.rows]
        return dense, self.torch.stack(found, dim=1), (dense.sum(1) > net.dense / 2).float()


class Real:
    """Text that is cut into tokens and packed, or JPEG files that are decoded and augmented, by worker processes."""

    def __init__(self, kit: Any, job: Any) -> None:
        self.kit, self.job, self.torch = kit, job, kit.torch
        self.feeding = kit.beside("feeding")
        self.items = self._text() if job.family == "decoder" else self._pictures()

    def batch(self, step: int, rank: int, place: int) -> Batch:
        """One micro-batch, made here and now."""
        return self._stacked([self.items[index][:-1] for index in self._indices(step, rank, place)])

    def stream(self, device: Any) -> Iterator[Batch]:
        """This rank's micro-batches in order; the wait for the next is the wait for its workers and its copy."""
        places = ((step, place) for step in itertools.count() for place in range(self.job.accumulation))
        order = (self._indices(step, self.job.rank, place) for step, place in places)
        pin = device.type in {"cuda", "xpu"}
        for batch, _ in self.feeding.batches(self.torch, self.items, order, self._stacked, self.job.workers, pin):
            yield on(device, batch, wait=not pin)

    def _indices(self, step: int, rank: int, place: int) -> list[int]:
        job = self.job
        first = ((step * job.world + rank) * job.accumulation + place) * job.micro_batch
        return list(range(first, first + job.micro_batch))

    def _stacked(self, rows: list[Any]) -> Batch:
        if self.job.family == "decoder":
            tokens = self.torch.tensor([row[0] for row in rows])
            return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
        pictures = self.torch.stack([self.torch.from_numpy(row[0]) for row in rows])
        return pictures, self.torch.tensor([row[1] for row in rows])

    def _text(self) -> Any:
        prose = self.kit.beside("prose")
        path = self.feeding.home(self.kit) / f"prose-{self.job.seed}.txt"
        prose.write(path, _TEXT_BYTES // (8 if self.kit.settings.get("quick") else 1), self.job.seed)
        return prose.Sequences(path, self.job.seq_len + 1)

    def _pictures(self) -> Any:
        pictures = self.kit.beside("pictures")
        if self.kit.numpy is None or pictures.pillow() is None:
            raise SystemExit(f"data: {pictures.MISSING if self.kit.numpy else 'no numpy in this interpreter'}")
        folder = self.feeding.home(self.kit) / f"jpeg-{self.job.seed}"
        count = _PICTURES // (8 if self.kit.settings.get("quick") else 1)
        paths = pictures.write(self.kit.numpy, folder, count, self.job.seed)
        return pictures.Pictures(self.kit.numpy, paths, self.job.net.image_px, self.job.net.classes, self.job.seed)


def on(device: Any, batch: Batch, wait: bool = True) -> Batch:
    """The batch on the device; a copy from pinned memory need not be waited for."""
    return tuple(one.to(device, non_blocking=not wait) for one in batch)
