"""NVML's field values: many sensors by one call, into memory that is kept from tick to tick."""

from __future__ import annotations

from typing import Any

# Key of the raw answer -> field and scope (nvml.h, NVML_FI_DEV_*). NVLink's scope is a link's number, or all of them.
# Left out: PCIe's byte counters (197 and 198). They have 32 bits, which an H100 fills in 0.08 s (seen with driver 580):
# no difference of theirs means anything.
ALL_LINKS = 0xFFFFFFFF
FIELDS = {
    "power_average": (185, 0),
    "power_instant": (186, 0),
    "memory_temperature": (82, 0),
    "throttled_power_ns": (74, 0),
    "throttled_thermal_ns": (75, 0),
    "nvlink_tx": (138, ALL_LINKS),
    "nvlink_rx": (139, ALL_LINKS),
    "nvlink_crc_errors": (45, 0),
    "nvlink_replays": (52, 0),
    "nvlink_recoveries": (59, 0),
}
# The member of the union that holds a value, by NVML_VALUE_TYPE_*.
MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")


class Fields:
    """The fields that one device answers."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self.nvml, self.handle = nvml, handle
        kind, union = nvml.c_nvmlFieldValue_t, nvml.c_nvmlValue_t
        # Past nvidia-ml-py's own attribute access, which decodes texts and is ten times as slow.
        self._code, self._type = kind.nvmlReturn.__get__, kind.valueType.__get__
        self._members = [getattr(union, name).__get__ for name in MEMBERS if hasattr(union, name)]
        self.keep(*FIELDS)
        answered = self.read()
        if "power_average" in answered:
            answered.pop("power_instant", None)
        self.keep(*answered)

    def keep(self, *keys: str) -> None:
        """Ask for these from now on."""
        self.keys = keys
        self._values = (self.nvml.c_nvmlFieldValue_t * len(keys))()
        self._answers = []
        for place, key in enumerate(keys):
            value = self._values[place]
            value.fieldId, value.scopeId = FIELDS[key]
            self._answers.append((key, value, value.value))

    def read(self) -> dict[str, float]:
        """What the fields say now. Raises NVMLError as a whole; a field that has no answer is left out."""
        if not self.keys:
            return {}
        # Past nvidia-ml-py's own function, which builds all of this anew each time: half of what a tick would cost.
        code = self.nvml.nvmlLib.nvmlDeviceGetFieldValues(self.handle, len(self.keys), self._values)
        if code:
            raise self.nvml.NVMLError(code)
        return {
            key: self._members[kind](union)
            for key, value, union in self._answers
            if self._code(value) == 0 and (kind := self._type(value)) < len(self._members)
        }
