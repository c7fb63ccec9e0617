"""One GPU or MIG slice, and the questions that it answers.

Which they are is found out once, by asking: an exception a tick and device would cost more than the answers. Questions
whose answers change slowly, or are dear, are asked every few seconds only.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple, TypeVar

from assay.machine import Device
from assay.telemetry.nvml.fields import Fields
from assay.telemetry.nvml.gpm import Gpm

T = TypeVar("T")

SLOW_S, SOME_S = 60.0, 0.9  # heat follows no faster than that


class Ask(NamedTuple):
    """A question: the key of its answer, the function of NVML, what it takes, and how often it is asked."""

    key: str
    call: str
    arguments: tuple[int, ...] = ()
    every_s: float = 0.0


# Of several questions for one key the first that is answered stays. Never asked: nvmlDeviceGetPcieThroughput, which
# blocks for 20 ms; from Hopper on the profiling counters say more.
ASKS = (
    Ask("memory", "nvmlDeviceGetMemoryInfo", (0x02000028,)),  # version 2 keeps apart what the driver has reserved
    Ask("memory", "nvmlDeviceGetMemoryInfo"),
    Ask("utilization", "nvmlDeviceGetUtilizationRates"),
    Ask("clock_sm", "nvmlDeviceGetClockInfo", (1,)),
    Ask("clock_memory", "nvmlDeviceGetClockInfo", (2,), SOME_S),
    Ask("temperature", "nvmlDeviceGetTemperature", (0,), SOME_S),
    Ask("temperature", "nvmlDeviceGetTemperatureV", (0,), SOME_S),
    Ask("margin", "nvmlDeviceGetMarginTemperature", (), SOME_S),
    Ask("reasons", "nvmlDeviceGetCurrentClocksEventReasons"),
    Ask("reasons", "nvmlDeviceGetCurrentClocksThrottleReasons"),
    Ask("energy", "nvmlDeviceGetTotalEnergyConsumption"),
    Ask("processes", "nvmlDeviceGetComputeRunningProcesses", (), 5.0),
    Ask("power_limit", "nvmlDeviceGetEnforcedPowerLimit", (), SLOW_S),
    Ask("ecc_corrected", "nvmlDeviceGetTotalEccErrors", (0, 0), SLOW_S),  # since the driver was loaded
    Ask("ecc_uncorrected", "nvmlDeviceGetTotalEccErrors", (1, 0), SLOW_S),
    Ask("remapped_rows", "nvmlDeviceGetRemappedRows", (), SLOW_S),
)

WANTED = ("total", "used", "gpu", "memory")  # of memory and utilization, which come as structures

NO_PERMISSION = 4
NO_USE = frozenset({2, 3, NO_PERMISSION, 13, 25})  # invalid argument, not supported, no such function, other version
LOST = frozenset({15, 16})  # GPU is lost, reset required


class Target:
    """One GPU or MIG slice, and what it answers."""

    def __init__(self, nvml: Any, handle: Any, device: Device, instance: int | None = None, card: Any = None) -> None:
        self.nvml, self.handle, self.device = nvml, handle, device
        self.lost = self.mourned = False
        self.problems: list[str] = []
        self.fields = None if instance is not None else self._opened("field values", Fields, handle)
        self.gpm = self._opened("profiling counters", Gpm, handle if card is None else card, instance)
        self.asks: list[tuple[Ask, Callable[..., Any]]] = []
        answered: dict[str, Any] = dict.fromkeys(self.fields.keys if self.fields else ())
        for ask in ASKS:
            self._try(ask, answered)
        if instance is None and "power_average" not in answered:
            self._try(self._power_usage(), answered)
        self.due_s = [0.0] * len(self.asks)

    def _try(self, ask: Ask, answered: dict[str, Any]) -> None:
        """Keep a question that is answered, if no other of its key was."""
        call = getattr(self.nvml, ask.call, None)
        if call and ask.key not in answered and self._ask(ask, call, answered):
            self.asks.append((ask, call))

    def _opened(self, what: str, kind: Callable[..., T], *of: Any) -> T | None:
        """Something of NVML's that not every chip, driver, binding or user has."""
        try:
            return kind(self.nvml, *of)
        except AttributeError:
            return None
        except self.nvml.NVMLError as error:
            if error.value == NO_PERMISSION:
                self.problems.append(f"{self.device.id}: {what} may not be read ({error})")
            return None

    def _power_usage(self) -> Ask:
        """Before the fields there was one call: a mean over a second on chips later than GA100, else of an instant."""
        found: dict[str, Any] = {}
        ask = Ask("capability", "nvmlDeviceGetCudaComputeCapability")
        self._ask(ask, self.nvml.nvmlDeviceGetCudaComputeCapability, found)
        key = "power_average" if found.get("capability", [0, 0]) > [8, 0] else "power_instant"
        return Ask(key, "nvmlDeviceGetPowerUsage")

    def _ask(self, ask: Ask, call: Callable[..., Any], into: dict[str, Any]) -> bool:
        """Put the answer to a question where it belongs; False where this device will never have one."""
        try:
            into[ask.key] = _plain(call(self.handle, *ask.arguments))
        except self.nvml.NVMLError as error:
            self.lost = self.lost or error.value in LOST
            return error.value not in NO_USE
        except self.nvml.NVMLLibraryMismatchError:
            return False
        return True

    def read(self, now_s: float) -> dict[str, Any]:
        """What the device says now; `lost` is set when it is no longer there to say it."""
        raw: dict[str, Any] = {"id": self.device.id}
        for place, (ask, call) in enumerate(self.asks):
            if now_s >= self.due_s[place]:
                self.due_s[place] = now_s + ask.every_s
                self._ask(ask, call, raw)
                if self.lost:
                    return {"id": self.device.id, "lost": True}
        if self.fields is not None:
            with suppress(self.nvml.NVMLError):
                raw |= self.fields.read()
        if self.gpm is not None:
            raw["gpm"] = self.gpm.read()
        return raw

    def close(self) -> None:
        """Give back what was allocated."""
        if self.gpm is not None:
            self.gpm.close()


def _plain(answer: Any) -> Any:
    """An answer of NVML as JSON can hold it; of a list of processes their number."""
    kind = type(answer)
    if kind is int:
        return answer
    if kind is list:
        return len(answer)
    return list(answer) if kind is tuple else {name: getter(answer) for name, getter in _getters(kind)}  # type: ignore[arg-type]


@cache
def _getters(kind: Any) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """How to read a structure, past nvidia-ml-py's own attribute access: it decodes texts and is ten times as slow."""
    return tuple((name, getattr(kind, name).__get__) for name, *_ in kind._fields_ if name in WANTED)


def decoded(value: Any) -> str:
    """A text of NVML's, which older bindings give as bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
