"""Watches a module run without data: every operation below autograd, where in the module it was, and what is kept.

Runs in the user's interpreter, on tensors of PyTorch's meta device: they have shapes and no numbers.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Watch:
    """One pass over a module: `ops` as (what it is, its sizes), `kept` by storage, and what cannot be counted.

    `ops` holds ((phase, name, kind, dtype, causal), (flop, moved bytes, m, n, k, groups)) in order of execution.
    """

    def __init__(self, torch: Any, count: Any, fused: Any, module: Any) -> None:
        self.torch, self.count, self.fused = torch, count, fused
        self.ops: list[tuple[tuple[Any, ...], tuple[float, ...]]] = []
        self.kept: dict[Any, float] = {}
        self.kept_alive: list[Any] = []  # a storage that is freed would lend its name to the next
        self.unknown: dict[str, str] = {}  # operation -> where it was first met: counted by its bytes
        self.strange: dict[str, str] = {}  # … of a namespace that is not PyTorch's: not counted at all
        self.phase, self.doing, self.paused = "forward", "", False
        self._names = {id(part): name for name, part in module.named_modules()}
        self._inside: list[str] = []
        self._turns: list[tuple[int, str]] = [(-1, "")]  # autograd's counter where a module begins or ends
        self._own = {self._storage(t) for t in (*module.parameters(), *module.buffers())}
        self._registry = torch.utils.flop_counter.flop_registry

    # --- where it is -----------------------------------------------------------------------------------------------

    @contextmanager
    def over(self, module: Any, given: list[Any]) -> Iterator[None]:
        """Everything that runs inside is watched; `given` are the inputs, which are not counted as kept."""
        self._own |= {self._storage(t) for t in given}
        hooks = [
            hook
            for part in module.modules()
            for hook in (
                part.register_forward_pre_hook(self._enter, prepend=True),
                part.register_forward_hook(self._leave),
            )
        ]
        saved = self.torch.autograd.graph.saved_tensors_hooks(self._keep, lambda tensor: tensor)
        try:
            with saved, mode(self.torch, self._seen):
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, part: Any, _: Any) -> None:
        self._inside.append(self._names.get(id(part), ""))
        self._turn()

    def _leave(self, part: Any, *_: Any) -> None:
        name = self._names.get(id(part), "")
        while self._inside and self._inside.pop() != name:
            pass  # what was left by an error that the user's code caught
        self._turn()

    def _turn(self) -> None:
        self._turns.append((self.torch.autograd._get_sequence_nr(), self._inside[-1] if self._inside else ""))

    def where(self) -> str:
        """The part of the module that runs; backward, the part whose gradient is computed."""
        if self._inside or self.phase == "forward":
            return self._inside[-1] if self._inside else ""
        node = self.torch._C._current_autograd_node()
        number = -1 if node is None else node._sequence_nr()
        if not 0 <= number < 2**62:  # the sum of gradients belongs to nobody
            return ""
        return self._turns[bisect.bisect_right(self._turns, number, key=lambda turn: turn[0]) - 1][1]

    # --- what it does ----------------------------------------------------------------------------------------------

    def _seen(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        if self.paused:
            return func(*args, **kwargs)
        self.doing = func._schema.name
        args, kwargs, out = self.fused.done(self.torch, self.count, func, args, kwargs)
        self._note(func, args, kwargs, out)
        self.doing = ""
        return out

    def _note(self, func: Any, args: Any, kwargs: dict[str, Any], out: Any) -> None:
        told = self.count.bound(func, args, kwargs)
        ins, outs = self.count.tensors(told), self.count.tensors(out)
        changed = [
            t for a in func._schema.arguments if a.alias_info is not None and a.alias_info.is_write
            for t in self.count.tensors(told.get(a.name))
        ]  # fmt: skip
        old = {self._storage(t) for t in ins}
        new = [t for t in outs if self._storage(t) not in old]
        name = func._schema.name.partition("::")[2]
        if not (new or changed) or name.startswith(self.count.FREE) or self.count.changes_only_a_view(func):
            return  # a view, or a place without content
        place = self.where()
        if func.namespace not in self.count.OURS and func._overloadpacket not in self._registry:
            self.strange.setdefault(func._schema.name, place)
        for work in self.count.works(func, told, outs, self._registry):
            flop, moved = work.flop, work.moved
            if flop is None:
                flop = float(self._registry[func._overloadpacket](*args, **kwargs, out_val=out))
            if moved is None:
                moved = sum(map(self.count.nbytes, [*ins, *new, *changed]))
            if not work.known:
                self.unknown.setdefault(func._schema.name, place)
            key = (self.phase, _named(place, work.name), work.kind, self._dtype([*ins, *outs]), work.causal)
            self.ops.append((key, (flop, moved, work.m, work.n, work.k, work.groups)))

    def _dtype(self, tensors: list[Any]) -> str:
        found = next((t for t in tensors if t.is_floating_point() or t.is_complex()), tensors[0] if tensors else None)
        return "" if found is None else str(found.dtype).removeprefix("torch.")

    # --- what it keeps ---------------------------------------------------------------------------------------------

    def _keep(self, tensor: Any) -> Any:
        key = self._storage(tensor)
        if self.phase == "forward" and key not in self._own and key not in self.kept:
            self.kept[key] = self._held(tensor)
            self.kept_alive.append(tensor)
        return tensor

    def _held(self, tensor: Any) -> float:
        """A view keeps all of its storage."""
        try:
            return float(tensor.untyped_storage().nbytes())
        except (RuntimeError, NotImplementedError):
            return float(self.count.nbytes(tensor))

    def _storage(self, tensor: Any) -> Any:
        try:
            return tensor.untyped_storage()._cdata
        except (RuntimeError, NotImplementedError, ValueError):  # sparse tensors, and parameters not built yet
            return id(tensor)


def _named(place: str, name: str) -> str:
    """Equal layers under one name: `layers.0.mlp.fc1` and `layers.1.mlp.fc1` are `layers.*.mlp.fc1`."""
    parts = re.sub(r"(?<![^.])\d+(?![^.])", "*", place)
    return f"{parts} {name}" if parts else name


def mode(torch: Any, seen: Callable[[Any, Any, Any], Any]) -> Any:
    """A context in which every operation goes through `seen`."""

    class Mode(torch.utils._python_dispatch.TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return seen(func, args, kwargs or {})

    return Mode()
