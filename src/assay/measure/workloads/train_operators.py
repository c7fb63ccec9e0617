"""The operators of one training step: whether each runs on the device, and comes to what the host comes to in fp64.

A step of a few samples is done once more off the clock, on rank 0, while PyTorch's dispatcher is listened to: below
autograd and autocast, above the device. The first call of each operator that is small enough is done again on the host.
What a framework quietly computes on the host is found by the warning that it gives. With compilation on, these are the
operators that the compiled graph was made of.
"""

from __future__ import annotations

import re
import time
import warnings
from dataclasses import dataclass
from typing import Any

_SAMPLES = 2  # of the step; a net that takes means over its batch needs more than one
_SMALL = 2**22  # numbers in and out of a call that the host does again: at most some seconds for a product
_PATIENCE_S = 20.0  # for all of them
# Relative to what the host comes to, as a vector: rounding of products in 8 or 11 bits, and of sums in fp32. Less than
# a wrong operator is off by, more than orders of summing differ by.
_LIMITS = {"reduced": 5e-2, "fp32": 1e-3}
_NOTHING = ("empty", "new_empty", "detach", "alias", "lift_fresh", "_local_scalar_dense")  # no work, or no content yet
_ELSEWHERE = re.compile(r"fall(s|ing)? ?back|run on the cpu", re.IGNORECASE)
_ABSENT = re.compile(r"'(?:aten::)?([\w:]+?)(?:\.\w+)?'")  # "Could not run 'aten::mm.out' …", "operator 'aten::mm' …"


@dataclass
class Seen:
    """What was found of one operator."""

    calls: int = 0
    off: float | None = None  # None: not compared
    limit: float = 0.0
    on_host: bool = False

    @property
    def passed(self) -> bool:
        """Whether it runs where it should, and is right where that was looked at."""
        return not self.on_host and (self.off is None or self.off <= self.limit)

    def text(self, place: str) -> str:
        """It in words."""
        said = f"{self.calls} call{'s' if self.calls > 1 else ''} a step"
        if self.on_host:
            return f"{said}, computed on the host, not on {place}"
        if self.off is None:
            return f"{said}, not compared"
        return f"{said}, {self.off:.2g} off the host's fp64 ({self.limit:g} allowed)"


def check(kit: Any, job: Any) -> None:
    """Say of each operator whether it ran and came to the same."""
    listener = Listener(kit.torch, reduced=job.precision != "fp32")
    try:
        _step(kit, job, listener)
    except Exception as error:
        if not kit.oom(error):
            raise
        kit.warn("operators: not tried, as a step beside the run does not fit in memory")
        return
    for name, one in sorted(listener.seen.items()):
        kit.emit(event="check", name=f"operator {name}", passed=one.passed, text=one.text(kit.place))


def missing(kit: Any, error: BaseException) -> None:
    """Say which operator it was that the device has not, where that is what ended the training."""
    found = _ABSENT.search(str(error))
    if isinstance(error, NotImplementedError) and found:
        text = f"{kit.place} has none: {str(error).splitlines()[0][:200]}"
        kit.emit(event="check", name=f"operator {found[1]}", passed=False, text=text)


def _step(kit: Any, job: Any, listener: Listener) -> None:
    class Listening(kit.torch.utils._python_dispatch.TorchDispatchMode):  # type: ignore[misc]  # it may be absent
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return listener.call(func, args, kwargs or {})

    torch, device, models, data = kit.torch, kit.device(), kit.beside("train_model"), kit.beside("train_data")
    model = models.build(kit, job, eager=job.eager, recompute=False).to(device).train()
    kind, told = models.optimizer(torch, job, job.learning_rate)
    optimizer, context = kind(model.parameters(), **told), models.numbers(torch, job.precision, device)
    scaler = models.scaler(torch, job.precision, device)
    batch = data.on(device, [part[:_SAMPLES] for part in data.source(kit, job).batch(0, 0, 0)])
    with Listening():
        with context():
            loss = model(*batch)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
    kit.sync()


class Listener:
    """Does what PyTorch asks for, and looks at it."""

    def __init__(self, torch: Any, *, reduced: bool) -> None:
        self.torch, self.reduced, self.seen = torch, reduced, dict[str, Seen]()
        self._left_s = _PATIENCE_S

    def call(self, func: Any, args: Any, kwargs: Any) -> Any:
        """One call of one operator."""
        name = func.overloadpacket.__name__
        if func.is_view or func.namespace == "profiler" or name.startswith(_NOTHING):
            return func(*args, **kwargs)
        one = self.seen.setdefault(name, Seen())
        one.calls += 1
        again = self._on_host((args, kwargs)) if self._worthwhile(func, one, (args, kwargs)) else None
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            out = func(*args, **kwargs)
        one.on_host |= any(_ELSEWHERE.search(str(warning.message)) for warning in said)
        if again is not None:
            begin = time.monotonic()
            self._compare(func, one, (out, args, kwargs), again)
            self._left_s -= time.monotonic() - begin
        return out

    def _worthwhile(self, func: Any, one: Seen, asked: Any) -> bool:
        random = self.torch.Tag.nondeterministic_seeded in func.tags and not _attention(func)
        if one.off is not None or random or self._left_s <= 0:
            return False
        return bool(sum(tensor.numel() for tensor in self._tensors(asked)) <= _SMALL)

    def _compare(self, func: Any, one: Seen, here: Any, again: Any) -> None:
        """How far off the host's answer: of what came out and, where it works in place, of what went in."""
        args, kwargs = again
        (out, *given), changes = here, func._schema.is_mutable
        try:
            if _attention(func):
                out, wanted = out[0], _plain_attention(self.torch, func, args, kwargs)
            else:
                wanted = func(*args, **kwargs)
        except (RuntimeError, TypeError, NotImplementedError):  # the host, or fp64, has no such operator
            return
        found = self._tensors((out, given if changes else ()))
        pairs = list(zip(found, self._tensors((wanted, [args, kwargs] if changes else ())), strict=True))
        compared = [off(self.torch, a, b) for a, b in pairs]
        if compared:
            reduced = self.reduced or any(a.element_size() < 4 and a.dtype.is_floating_point for a, _ in pairs)
            one.off, one.limit = max(compared), _LIMITS["reduced" if reduced else "fp32"]

    def _on_host(self, asked: Any) -> Any:
        """Arguments as they are now, on the host in fp64."""
        torch = self.torch

        def moved(one: Any) -> Any:
            if isinstance(one, torch.Tensor):
                exact = _exact(torch, one.dtype)
                return one.detach().to("cpu", exact, copy=True)
            if isinstance(one, torch.dtype):
                return _exact(torch, one)
            return torch.device("cpu") if isinstance(one, torch.device) else one

        return torch.utils._pytree.tree_map(moved, asked)

    def _tensors(self, tree: Any) -> list[Any]:
        leaves = self.torch.utils._pytree.tree_leaves(tree)
        return [leaf for leaf in leaves if isinstance(leaf, self.torch.Tensor)]


def _attention(func: Any) -> bool:
    """Whether this is one of the fused attentions, each of which is another operator on another device."""
    name = func.overloadpacket.__name__
    return name.startswith("_scaled_dot_product") and not name.endswith("backward")


def _plain_attention(torch: Any, func: Any, args: Any, kwargs: Any) -> Any:
    """What any fused attention has to come to; TypeError where it drops some scores by chance."""
    told = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | kwargs
    if told.get("dropout_p"):
        raise TypeError("by chance")
    mask = told.get("attn_mask", told.get("attn_bias"))
    return torch.nn.functional.scaled_dot_product_attention(
        told["query"], told["key"], told["value"], attn_mask=mask, is_causal=bool(told.get("is_causal")),
        scale=told.get("scale"), enable_gqa=told["query"].shape[1] != told["key"].shape[1],
    )  # fmt: skip


def _exact(torch: Any, dtype: Any) -> Any:
    if dtype.is_complex:
        return torch.complex128
    return torch.float64 if dtype.is_floating_point else dtype


def off(torch: Any, found: Any, wanted: Any) -> float:
    """Length of the difference over the length of what is wanted, of whole numbers the share that differs.

    Infinite where a number is none that should be one. What is below the least number of its format counts as that.
    """
    if found.shape != wanted.shape:
        return float("inf")
    if not wanted.numel():
        return 0.0
    if not (wanted.dtype.is_floating_point or wanted.dtype.is_complex):
        return float((found.detach().to("cpu") != wanted).double().mean())
    least = torch.finfo(found.dtype).smallest_normal * found.numel() ** 0.5
    found, finite = found.detach().to("cpu", wanted.dtype), torch.isfinite(wanted)
    if not bool(torch.isfinite(found[finite]).all()):
        return float("inf")
    apart, length = (float(torch.linalg.vector_norm(x[finite])) for x in (found - wanted, wanted))
    return float(apart / max(length, least))
