"""The driver's own error events, by the numbers that NVIDIA calls XID."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from assay.telemetry.nvml.target import Target, decoded

# What NVIDIA's document on XID errors calls the commonest of them.
XIDS = {
    13: "graphics engine exception", 31: "memory page fault", 32: "corrupted push buffer stream",
    38: "driver firmware error", 43: "the application's work was stopped", 45: "preemptive clean-up",
    48: "double-bit memory error", 61: "micro-controller breakpoint", 62: "micro-controller halt",
    63: "row remapping or page retirement recorded", 64: "row remapping or page retirement failed",
    74: "NVLink error", 79: "the GPU has fallen off the bus", 92: "many single-bit memory errors",
    94: "contained memory error", 95: "uncontained memory error", 119: "GSP did not answer", 120: "GSP error",
}  # fmt: skip


class Xids:
    """The driver's error events: which have come since the last look, and each device's last one (0: none so far)."""

    def __init__(self, nvml: Any, targets: Sequence[Target]) -> None:
        self.nvml = nvml
        self.last: dict[str, int] = {}
        self._handles = {target.device.id: target.handle for target in targets if not target.device.parent}
        self._set: Any = None
        with suppress(nvml.NVMLError):  # not on every card, and not in every container
            self._set = nvml.nvmlEventSetCreate()
            for target in targets:
                if not target.device.parent:
                    nvml.nvmlDeviceRegisterEvents(target.handle, nvml.nvmlEventTypeXidCriticalError, self._set)
                    self.last[target.device.id] = 0

    def since(self) -> list[dict[str, Any]]:
        """The events since the last look, as a raw answer tells them; never waits."""
        found: list[dict[str, Any]] = []
        while self.last and len(found) < 100:
            try:
                event = self.nvml.nvmlEventSetWait_v2(self._set, 0)
            except self.nvml.NVMLError:  # a time-out: there is none
                break
            code, of = int(event.eventData), self._whose(event.device)
            self.last[of] = code
            text = f"XID {code}: {XIDS[code]}" if code in XIDS else f"XID {code}"
            found.append({"kind": "xid", "of": of, "text": text})
        return found

    def _whose(self, handle: Any) -> str:
        """The id of the device an event is of. One that is lost (XID 79) does not say it: then by its handle."""
        try:
            return decoded(self.nvml.nvmlDeviceGetUUID(handle))
        except self.nvml.NVMLError:
            return next((of for of, ours in self._handles.items() if bytes(ours) == bytes(handle)), "")

    def close(self) -> None:
        """Give the event set back."""
        if self._set is not None:
            with suppress(self.nvml.NVMLError):
                self.nvml.nvmlEventSetFree(self._set)
