"""How ranks train together: whole copies (DDP), with the optimizer's state cut up (ZeRO-1), or all of it (FSDP2).

Exposed communication is told only where it is measured. With whole copies that is the time from the moment the last
gradients are ready, after which nothing is left to compute, until all gradients are reduced; on an accelerator by its
own events in the stream that computes, on the host by its clock. ZeRO-1 adds the time in which ranks hand their part of
the weights to the others. It holds the wait for ranks that are late. What FSDP does not hide is not told apart.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to train together, as the loop needs it."""

    model: Any  # as it is called
    optimizer: Callable[..., Any]  # (class, what it is told) -> this rank's
    state: Callable[[Any], dict[str, Any]]  # optimizer -> what this rank writes into a checkpoint
    gradients: Callable[[bool], AbstractContextManager[Any]] = lambda last: nullcontext()  # only the last exchanges
    reduced: Callable[[], None] = lambda: None  # to be called after the backward pass of the last micro-batch
    exposed_s: Callable[[], float] | None = None  # since it was last asked, the device waited for; None: not told


def way(kit: Any, job: Any, model: Any) -> Way:
    """The way the job asks for."""
    return {"none": alone, "ddp": copies, "zero1": copies, "fsdp": shards}[job.parallel](kit, job, model)


def alone(kit: Any, job: Any, model: Any) -> Way:
    """No other rank."""
    return Way(
        model=kit.torch.compile(model) if job.compile else model,
        optimizer=lambda kind, told: kind(model.parameters(), **told),
        state=lambda optimizer: {"model": model.state_dict(), "optimizer": optimizer.state_dict()},
    )


def copies(kit: Any, job: Any, model: Any) -> Way:
    """DistributedDataParallel (arXiv 2006.15704), the optimizer's state whole or cut up (ZeRO-1, arXiv 1910.02054)."""
    device, group, torch = kit.device(), kit.group(), kit.torch
    ids = None if device.type == "cpu" else [device]
    wrapped = torch.nn.parallel.DistributedDataParallel(model, device_ids=ids, broadcast_buffers=False)
    watch = Watch(kit)
    hooks = importlib.import_module("torch.distributed.algorithms.ddp_comm_hooks.default_hooks")

    def reduce(bucket: Any) -> Any:
        if bucket.is_last():  # buckets go in order: with this one, all gradients are there
            watch.begin()
        return hooks.allreduce_hook(group.group.WORLD, bucket)

    wrapped.register_comm_hook(None, lambda _, bucket: reduce(bucket))  # PyTorch refuses annotations of any other kind

    def gradients(last: bool) -> AbstractContextManager[Any]:
        return nullcontext() if last and job.fault != "unreduced" else wrapped.no_sync()

    def optimizer(kind: Any, told: dict[str, Any]) -> Any:
        if job.parallel == "ddp":
            return kind(model.parameters(), **told)
        cut = importlib.import_module("torch.distributed.optim").ZeroRedundancyOptimizer(
            model.parameters(), kind, **told
        )
        cut._sync_params = watch.around(cut._sync_params)  # where it hands the weights on, and does nothing else
        return cut

    def state(optimizer: Any) -> dict[str, Any]:
        model_state = model.state_dict() if kit.rank == 0 else {}
        if job.parallel == "ddp":
            return {"model": model_state, "optimizer": optimizer.state_dict()} if kit.rank == 0 else {}
        return {"model": model_state, "optimizer": optimizer.optim.state_dict()}

    return Way(
        model=torch.compile(wrapped) if job.compile else wrapped, optimizer=optimizer, state=state,
        gradients=gradients, reduced=watch.end, exposed_s=watch.take if watch.can else None,
    )  # fmt: skip


def shards(kit: Any, job: Any, model: Any) -> Way:
    """Fully sharded data parallelism by parameter (FSDP2, arXiv 2304.11277), a unit for each layer."""
    device, _ = kit.device(), kit.group()
    fully_shard = importlib.import_module("torch.distributed.fsdp").fully_shard
    meshes = importlib.import_module("torch.distributed.device_mesh")
    mesh = meshes.init_device_mesh(device.type, (job.world,))
    layers = list(model.blocks.layers) if hasattr(model, "blocks") else []
    for layer in layers:
        if job.compile:
            layer.compile()
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)

    def gradients(last: bool) -> AbstractContextManager[Any]:
        model.set_requires_gradient_sync(last)
        return nullcontext()

    def state(optimizer: Any) -> dict[str, Any]:
        own = {name: _own(value) for name, value in model.state_dict().items()}
        moments = {key: {name: _own(value) for name, value in values.items()}
                   for key, values in optimizer.state_dict()["state"].items()}  # fmt: skip
        return {"model": own, "optimizer": moments}

    return Way(model=model, optimizer=lambda kind, told: kind(model.parameters(), **told), state=state,
               gradients=gradients)  # fmt: skip


def _own(value: Any) -> Any:
    return value.to_local() if hasattr(value, "to_local") else value


class Watch:
    """A clock for what stands between two points of a step: the device's, or the host's where that does the work."""

    def __init__(self, kit: Any) -> None:
        self.kit, kind = kit, kit.place.partition(":")[0]
        self.event = getattr(getattr(kit.torch, kind, None), "Event", None) if kind != "cpu" else None
        self.can = kind == "cpu" or self.event is not None
        self.open: Any = None
        self.spans: list[tuple[Any, Any]] = []
        self.spent_s = 0.0

    def begin(self) -> None:
        """From here."""
        self.open = self._now()

    def end(self) -> None:
        """To here; without a beginning, nothing."""
        if self.open is not None:
            self.spans.append((self.open, self._now()))
            self.open = None

    def around(self, function: Any) -> Any:
        """The same function, timed by the host, with the device waited for on both sides."""

        def timed() -> None:
            self.kit.sync()
            begin = time.perf_counter()
            function()
            self.kit.sync()
            self.spent_s += time.perf_counter() - begin

        return timed

    def take(self) -> float:
        """Seconds since this was last asked."""
        told: float = self.spent_s + sum(a.elapsed_time(b) / 1e3 if self.event else b - a for a, b in self.spans)
        self.spans, self.spent_s = [], 0.0
        return told

    def _now(self) -> Any:
        if not self.can or self.event is None:
            return time.perf_counter()
        mark = self.event(enable_timing=True)
        mark.record()
        return mark


def agree(kit: Any, job: Any, stop: bool) -> bool:
    """Whether any rank wants to stop."""
    return largest(kit, job, float(stop)) > 0


def largest(kit: Any, job: Any, value: float) -> float:
    """The largest of the ranks' values."""
    return _reduced(kit, [value], "MAX")[0] if job.world > 1 else value


def means(kit: Any, job: Any, values: list[float]) -> list[float]:
    """Each value's mean over the ranks."""
    return [total / job.world for total in _reduced(kit, values, "SUM")] if job.world > 1 and values else values


def _reduced(kit: Any, values: list[float], how: str) -> list[float]:
    group = kit.group()
    told = kit.torch.tensor(values, device=kit.device(), dtype=kit.torch.float64)
    group.all_reduce(told, op=getattr(group.ReduceOp, how))
    return list(told.tolist())


def together(kit: Any, job: Any) -> Callable[[], None]:
    """What lets no rank leave before all are there, however long one of them still works."""
    if job.world == 1:
        return lambda: None
    group = kit.group()
    patient = group.new_group(backend="gloo", timeout=timedelta(hours=6))
    return lambda: group.barrier(group=patient)
