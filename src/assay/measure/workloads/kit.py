"""What a workload may use: settings, NumPy and PyTorch where they are, devices and ranks, and a way to say things.

Stable for every workload:

- `settings`, `options` (text by name, defaults filled in), `threads`, `rank`, `ranks`, `local_rank`
- `numpy`, `torch`: imported when first asked for; None where absent or broken
- `emit(step=3, time_s=0.1)`, `emit(event="fact", name=…, value=…)`: one line, as marks.py writes it; `warn(text)`;
  `phase(name)`: a context whose time the next `emit` carries
- `place`: the chosen device's name ("cpu", "cuda:0"); `device()`: it as a torch.device; `sync()`: wait for it;
  `memory()`: what the framework holds on it, as metrics; `devices()`: every accelerator to measure, with its wait;
  `on_host`: whether the host itself is to be measured
- `wanted(case)`: whether a case of this name is asked for and not done yet
- `sweep(plan)`: samples the cases of a plan adaptively (sampling.py); `beside(name)`: a helper file, loaded by its path
- `group()`: torch.distributed, with all ranks joined; `oom(error)`: whether memory ran out
"""

from __future__ import annotations

import fnmatch
import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

KINDS = ("cuda", "xpu", "hpu", "mps")  # in the order they are chosen; ROCm calls itself cuda
_NUMBERED = ("cuda", "xpu")  # the others show one device to a process
_BACKENDS = {"cpu": "gloo", "cuda": "nccl", "xpu": "xccl", "hpu": "hccl"}
_PATIENCE = timedelta(seconds=120)  # a rank that died is noticed by the others after so long
_FULL = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


class Kit:
    """Handed to a workload; the module says what is in it."""

    def __init__(self, settings: dict[str, Any], options: dict[str, str], load: Callable[[Path], Any]) -> None:
        self.settings, self.options, self._load = settings, options, load
        self.threads: int = settings.get("threads") or os.cpu_count() or 1
        self.rank, self.ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        self.local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        self._joined = False
        marks = load(Path(__file__).resolve().parents[2] / "marks.py")
        voice = (
            marks if os.environ.get("ASSAY_EMIT") else Spoken(marks.PHASES, os.fdopen(os.dup(1), "w", encoding="utf-8"))
        )
        self.emit: Callable[..., None] = voice.emit
        self.phase: Callable[[str], Any] = voice.phase

    def warn(self, text: str) -> None:
        """Say what a reader of the result must know."""
        self.emit(event="warning", text=text)

    def beside(self, name: str) -> Any:
        """A helper file of this folder as a module."""
        return self._load(Path(__file__).with_name(f"{name}.py"))

    def wanted(self, case: str) -> bool:
        """Whether a case of this name is asked for, and was not finished before the run was resumed."""
        globs = self.settings.get("cases") or ["*"]
        return case not in (self.settings.get("done") or ()) and any(fnmatch.fnmatchcase(case, g) for g in globs)

    def sweep(self, plan: Iterable[Any], budget_s: float | None = None) -> dict[str, list[float]]:
        """Sample every case of a plan that is wanted, within the budget; its times by the cases' names."""
        budget = float(self.settings["budget_s"]) if budget_s is None else budget_s
        times: dict[str, list[float]] = self.beside("sampling").sweep(self, plan, budget)
        return times

    # --- libraries -------------------------------------------------------------------------------------------------

    @cached_property
    def numpy(self) -> Any:
        """NumPy, or None."""
        return self._library("numpy")

    @cached_property
    def torch(self) -> Any:
        """PyTorch with the plug-in that Gaudi needs, or None."""
        torch = self._library("torch")
        if torch is not None and importlib.util.find_spec("habana_frameworks") is not None:
            # Lazy mode drops work whose result nobody reads: there would be nothing to time.
            os.environ.setdefault("PT_HPU_LAZY_MODE", "0")
            self._library("habana_frameworks.torch.core")
        return torch

    def _library(self, name: str) -> Any:
        try:
            if importlib.util.find_spec(name) is None:
                return None
            return importlib.import_module(name)
        except Exception as error:  # a broken install breaks in any way it likes
            self.warn(f"{name} is installed but does not import: {error}")
            return None

    # --- devices ---------------------------------------------------------------------------------------------------

    @cached_property
    def place(self) -> str:
        """The device that was asked for; with "auto" the first accelerator that PyTorch reaches, else cpu."""
        found = self.devices()
        return found[0][0] if found else "cpu"

    @property
    def on_host(self) -> bool:
        """Whether the host itself is to be measured: always, but where one accelerator was named."""
        return self._asked in {"auto", "cpu"}

    def device(self) -> Any:
        """The chosen device as a torch.device, made the current one of its kind."""
        if self.torch is None:
            raise SystemExit(f"this needs PyTorch, and {sys.executable} has none; name another with --python")
        kind = self.place.partition(":")[0]
        if kind in _NUMBERED:
            getattr(self.torch, kind).set_device(self.place)
        return self.torch.device(self.place)

    def sync(self) -> None:
        """Wait until the chosen device has done all it was given."""
        for _, wait in self.devices()[:1]:
            wait()

    def devices(self) -> list[tuple[str, Any]]:
        """Accelerators to measure: (name, function that waits until the device is done); of each kind, one."""
        return self._devices

    @cached_property
    def _devices(self) -> list[tuple[str, Any]]:
        asked, _, number = self._asked.partition(":")
        if asked == "cpu" or self.torch is None:
            reached = []
        else:
            reached = [kind for kind in KINDS if asked in {"auto", kind} and _reaches(self.torch, kind)]
        if asked not in {"auto", "cpu"} and not reached:
            raise SystemExit(f"device: PyTorch in {sys.executable} reaches no {self._asked}; write auto or cpu")
        return [self._device(kind, int(number) if number else self.local_rank) for kind in reached]

    def _device(self, kind: str, number: int) -> tuple[str, Any]:
        module = getattr(self.torch, kind)
        if kind not in _NUMBERED:
            return kind, module.synchronize
        if number >= module.device_count():
            raise SystemExit(
                f"device: there is no {kind}:{number}, only {module.device_count()}; start fewer processes"
            )
        name = f"{kind}:{number}"
        return name, lambda: module.synchronize(name)

    @property
    def _asked(self) -> str:
        asked = str(self.settings.get("device") or "auto")
        kind, _, number = asked.partition(":")
        if kind not in {"auto", "cpu", *KINDS} or not (number.isdecimal() or not number):
            raise SystemExit(
                f"device: {asked} is none; write auto, cpu, {', '.join(KINDS)} or one with a number: cuda:1"
            )
        return asked

    def memory(self) -> dict[str, int]:
        """What the framework's tensors and its allocator hold on the chosen device; empty where it does not say."""
        kind = self.place.partition(":")[0]
        if kind == "cpu":
            return {}
        module, which = getattr(self.torch, kind), [self.place] if kind in _NUMBERED else []
        ways = {
            "memory_allocated_bytes": ("memory_allocated", "current_allocated_memory"),
            "memory_reserved_bytes": ("memory_reserved", "driver_allocated_memory"),
        }
        asked = {metric: next((n for n in names if hasattr(module, n)), "") for metric, names in ways.items()}
        return {metric: int(getattr(module, name)(*which)) for metric, name in asked.items() if name}

    def oom(self, error: BaseException) -> bool:
        """Whether this is memory that ran out, of the device or of the host; if so, what can be freed is freed."""
        full = isinstance(error, MemoryError) or any(words in str(error).lower() for words in _FULL)
        release = getattr(getattr(self.torch, self.place.partition(":")[0], None), "empty_cache", None)
        if full and release is not None:
            release()
        return full

    # --- ranks -----------------------------------------------------------------------------------------------------

    def group(self) -> Any:
        """torch.distributed with every rank joined, over the library that fits the device."""
        device, kind = self.device(), self.place.partition(":")[0]
        distributed = self.torch.distributed
        if not self._joined:
            if kind == "hpu":
                self._library("habana_frameworks.torch.distributed.hccl")  # registers itself
            if kind not in _BACKENDS:
                raise SystemExit(f"device: PyTorch has no communication library for {kind}; write cpu")
            bound = {"device_id": device} if kind == "cuda" else {}
            distributed.init_process_group(_BACKENDS[kind], timeout=_PATIENCE, **bound)
            self._joined = True
        return distributed

    def leave(self) -> None:
        """The end: take leave of the other ranks."""
        if self._joined:
            self.torch.distributed.destroy_process_group()


class Spoken:
    """The same lines as marks.py writes, on standard output: for a workload that is started by hand."""

    def __init__(self, phases: dict[str, str], out: Any) -> None:
        self.phases, self.out = phases, out
        self.spent: dict[str, float] = {}

    def emit(self, **said: Any) -> None:
        """One line, at once."""
        rank = {"rank": int(os.environ["RANK"])} if "RANK" in os.environ else {}
        line = {"at": round(time.monotonic(), 6), **rank, **self.spent, **said}
        self.spent.clear()
        self.out.write(json.dumps(line, default=str) + "\n")
        self.out.flush()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what is inside; the next line carries it."""
        begin, key = time.monotonic(), self.phases.get(name, f"{name}_s")
        try:
            yield
        finally:
            self.spent[key] = self.spent.get(key, 0.0) + time.monotonic() - begin


def _reaches(torch: Any, kind: str) -> bool:
    """Whether PyTorch can use a device of this kind here."""
    module = getattr(torch, kind, None) if kind != "mps" else getattr(torch.backends, "mps", None)
    return module is not None and bool(module.is_available())
