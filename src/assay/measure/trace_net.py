"""The user's module without memory: built on the meta device, fed with inputs of a batch, and its results as a loss.

Runs in the user's interpreter.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

_OURS = Path(__file__).resolve().parent
_BUILDS = "it is called without arguments and returns an nn.Module"
_FEEDS = "it is called with a batch size and returns what forward is given"


class Net:
    """A module by its factory, and what it is given; `notes` says what was done otherwise than asked."""

    def __init__(self, torch: Any, words: Any, factory: str, inputs: dict[str, Any]) -> None:
        self.torch, self.words, self.given = torch, words, inputs
        self.notes: list[str] = []
        self._feed: Callable[[int], Any] | None = None
        if "function" in inputs:
            self._feed = self._named(inputs["function"], "--inputs")
        self.module = self._built(factory)

    def _named(self, name: str, what: str) -> Any:
        """What `module:name` stands for."""
        module, _, path = name.partition(":")
        try:
            found = importlib.import_module(module)
        except (Exception, SystemExit) as error:
            raise self.words.importing(error, module, _OURS) from None
        for part in path.split("."):
            if not hasattr(found, part):
                raise self.words.Refused(f"{module} has no {path}", where=what, hint=_alike(found, part))
            found = getattr(found, part)
        if not callable(found):
            hint = f"name a function without arguments, such as {module}:build"
            raise self.words.Refused(f"{name} is {type(found).__name__}, no function", where=what, hint=hint)
        return found

    def _built(self, factory: str) -> Any:
        torch, made = self.torch, self._named(factory, "factory")
        if not isinstance(made, torch.nn.Module):
            made = self._made(made, factory)
        if not isinstance(made, torch.nn.Module):
            hint = "return the torch.nn.Module itself"
            raise self.words.Refused(f"{factory} returns {type(made).__name__}, no module", where="factory", hint=hint)
        self._emptied(made)
        return made

    def _made(self, build: Any, factory: str) -> Any:
        try:
            with self.torch.device("meta"):
                return build()
        except (Exception, SystemExit) as error:
            if not self.words.data_needed(error):
                raise self.words.building(error, factory, _OURS, _BUILDS) from None
        self.notes.append("the factory reads values of tensors, so the module was built in memory first")
        try:
            return build()
        except (Exception, SystemExit) as error:
            raise self.words.building(error, factory, _OURS, _BUILDS) from None

    def _emptied(self, module: Any) -> None:
        """Parameters and buffers that hold values become such that hold none; what is shared stays so."""
        done: dict[int, Any] = {}
        for part in module.modules():
            for store in (part._parameters, part._buffers):
                for name, tensor in store.items():
                    if tensor is None or tensor.is_meta or self._unbuilt(tensor):
                        continue
                    if id(tensor) not in done:
                        empty = tensor.detach().to("meta")
                        done[id(tensor)] = (
                            self.torch.nn.Parameter(empty, tensor.requires_grad) if store is part._parameters else empty
                        )
                    store[name] = done[id(tensor)]

    def _unbuilt(self, tensor: Any) -> bool:
        return bool(self.torch.nn.parameter.is_lazy(tensor))

    # --- what goes in and comes out --------------------------------------------------------------------------------

    def inputs(self, batch: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and named inputs of so many samples."""
        with self.torch.device("meta"):
            if self._feed is None:
                return self._from_spec(batch)
            try:
                given = self._feed(batch)
            except (Exception, SystemExit) as error:
                raise self.words.building(error, self.given["function"], _OURS, _FEEDS) from None
        given = self.torch.utils._pytree.tree_map(self._meta, given)
        if isinstance(given, dict):
            return (), given
        if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], tuple) and isinstance(given[1], dict):
            return given
        return (tuple(given), {}) if isinstance(given, (tuple, list)) else ((given,), {})

    def _meta(self, value: Any) -> Any:
        return value.to("meta") if isinstance(value, self.torch.Tensor) else value

    def _from_spec(self, batch: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = [], {}
        for one in self.given["tensors"]:
            value = one["value"] if "value" in one else self._tensor(one, batch)
            if one["name"]:
                kwargs[one["name"]] = value
            else:
                args.append(value)
        return tuple(args), kwargs

    def _tensor(self, one: dict[str, Any], batch: int) -> Any:
        shape = list(one["shape"])
        if one["batch_dim"] is not None:
            shape[one["batch_dim"]] = shape[one["batch_dim"]] * batch // self.given["batch"]
        dtype = getattr(self.torch, one["dtype"], None)
        if dtype is None:
            raise self.words.Refused(f"this PyTorch has no {one['dtype']}", where="--inputs", hint="write float32")
        return self.torch.empty(shape, dtype=dtype, device="meta")

    def results(self, out: Any) -> tuple[list[Any], list[Any], str]:
        """All tensors of an output, those to go backward from, and in words what the loss is."""
        everything = self._tensors(out)
        floats = [t for t in everything if t.requires_grad and (t.is_floating_point() or t.is_complex())]
        loss = out.get("loss") if isinstance(out, dict) else getattr(out, "loss", None)
        if isinstance(loss, self.torch.Tensor) and loss.requires_grad and loss.numel() == 1:
            return everything, [loss], "the output's own loss"
        if not floats:
            return everything, [], "none: no output has a gradient"
        if len(floats) == 1:
            return everything, floats, "the output itself" if floats[0].numel() == 1 else "sum of the output"
        return everything, floats, f"sum of {len(floats)} outputs"

    def _tensors(self, value: Any) -> list[Any]:
        if isinstance(value, self.torch.Tensor):
            return [value]
        if isinstance(value, dict):
            value = list(value.values())
        elif is_dataclass(value):
            value = [getattr(value, f.name) for f in fields(value)]
        elif not isinstance(value, (tuple, list)):
            return []
        return [tensor for one in value for tensor in self._tensors(one)]


def _alike(module: Any, name: str) -> str:
    import difflib

    known = [key for key in vars(module) if not key.startswith("_")]
    found = difflib.get_close_matches(name, known, n=1)
    return f'did you mean "{found[0]}"?' if found else "check its spelling"
