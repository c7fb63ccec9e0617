"""Intel Gaudi (Habana): by HLML's binding pyhlml, else by the tool hl-smi."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from assay.errors import MeasureError
from assay.machine import Device
from assay.telemetry.places import driver, nodes, on_bus
from assay.telemetry.reading import Field, Imported, Raw, Reading, number, table
from assay.telemetry.tools import Tool, asked, library, told

NAME = "gaudi"

PER_CENT, MIB, MHZ = 0.01, 2.0**20, 1e6

# HLML's answers, then hl-smi's columns, whose values carry their units ("672 MiB"). HLML's time throttled is left out:
# its unit is documented nowhere we could find.
FIELDS = (
    Field("accel.busy", "utilization", PER_CENT, "average", 0, 1),  # of the last second
    Field("accel.busy", "columns.utilization_aip", PER_CENT, "average", 0, 1),
    Field("accel.mem.used_bytes", "memory_used"),
    Field("accel.mem.used_bytes", "columns.memory_used", MIB),
    Field("accel.mem.total_bytes", "memory_total", lowest=1),
    Field("accel.mem.total_bytes", "columns.memory_total", MIB, lowest=1),
    Field("accel.power_w", "power", 1e-3, "instant", 0.1, 5000),
    Field("accel.power_w", "columns.power_draw", 1.0, "instant", 0.1, 5000),
    Field("accel.power.limit_w", "power_limit", 1e-3, lowest=1),
    Field("accel.power.limit_w", "columns.power_max", lowest=1),
    Field("accel.energy_j", "energy", 1e-3, "counter"),
    Field("accel.temp.core_celsius", "temperature", lowest=1, highest=150),
    Field("accel.temp.core_celsius", "columns.temperature_aip", lowest=1, highest=150),
    Field("accel.temp.mem_celsius", "temperature_hbm", lowest=1, highest=150),
    Field("accel.clock.core_hz", "clock_soc", MHZ),
    Field("accel.errors.uncorrected", "ecc_uncorrected", 1.0, "counter"),  # HLML does not count those it corrected
)

# Intel's exporter, port 41611. Newer versions of it also publish accelerator_power_usage_watts (milliwatts),
# accelerator_sm_clock_hertz (megahertz) and a constant accelerator_memory_clock_hertz: these names are never imported.
PROMETHEUS: Mapping[str, Imported] = {
    "habanalabs_utilization": Imported("accel.busy", PER_CENT),
    "habanalabs_memory_used_bytes": Imported("accel.mem.used_bytes", 1.0, "instant"),
    "habanalabs_memory_total_bytes": Imported("accel.mem.total_bytes", 1.0, "instant"),
    "habanalabs_power_mW": Imported("accel.power_w", 1e-3, "instant"),
    "habanalabs_power_default_limit_mW": Imported("accel.power.limit_w", 1e-3, "instant"),
    "habanalabs_energy": Imported("accel.energy_j", 1e-3, "counter"),
    "habanalabs_temperature_onchip": Imported("accel.temp.core_celsius", 1.0, "instant"),
    "habanalabs_clock_soc_mhz": Imported("accel.clock.core_hz", MHZ, "instant"),
}

SLOW_S = 60.0
# Key -> function of pyhlml, its arguments, the member of its answer (empty: the answer itself), how often. Never asked:
# hlmlDeviceGetPCIEThroughput, which measures for 10 ms.
CALLS = (
    ("utilization", "hlmlDeviceGetUtilizationRates", (), "aip", 0.0),
    ("memory_used", "hlmlDeviceGetMemoryInfo", (), "used", 0.0),
    ("memory_total", "hlmlDeviceGetMemoryInfo", (), "total", SLOW_S),
    ("power", "hlmlDeviceGetPowerUsage", (), "", 0.0),
    ("energy", "hlmlDeviceGetTotalEnergyConsumption", (), "", 0.0),
    ("temperature", "hlmlDeviceGetTemperature", (0,), "", 0.0),  # on the chip
    ("temperature_hbm", "hlmlDeviceGetTemperature", (3,), "", 0.0),  # since 1.24
    ("clock_soc", "hlmlDeviceGetClockInfo", (0,), "", 0.0),
    ("reasons", "hlmlDeviceGetCurrentClocksThrottleReasons", (), "", 0.0),
    ("power_limit", "hlmlDeviceGetPowerManagementDefaultLimit", (), "", SLOW_S),
    ("ecc_uncorrected", "hlmlDeviceGetTotalECCErrors", (1, 0), "", SLOW_S),  # since the driver was loaded
)
POWER, THERMAL = 1, 2  # bits of the reasons

COLUMNS = ("uuid", "bus_id", "name", "driver_version", "memory.used", "memory.total", "utilization.aip", "power.draw",
           "power.max", "temperature.aip")  # fmt: skip
KEYS = tuple(column.replace(".", "_") for column in COLUMNS)
QUERY = ("hl-smi", "-Q", ",".join(COLUMNS), "-f", "csv,noheader")


def probe(root: Path, environment: Mapping[str, str]) -> tuple[Device, ...]:
    """Gaudi cards on the bus, or by their nodes where the driver is loaded: other makers use the same nodes."""
    like = Device(name="Intel Gaudi", vendor="Intel Gaudi", driver=driver(root, "habanalabs"))
    found = tuple(on_bus(root, like, "0x1da3", ("0x12", "0x0880")))
    return found or (tuple(nodes(root, like, "dev/accel/accel[0-9]*")) if like.driver else ())


def read(devices: Sequence[Device]) -> Iterator[Raw]:
    """What HLML says, once a call; where its binding does not load, what hl-smi prints."""
    try:
        hlml = library("pyhlml", hint="pip install habana-pyhlml, of the version of the driver")
        hlml.hlmlInit()
    except Exception as error:  # HLMLError is inside the module that may not have loaded
        try:
            yield from asked(Tool(QUERY), _by_tool)
        except MeasureError as second:
            hint = "pip install habana-pyhlml, of the version of the driver"
            raise MeasureError(f"HLML does not start: {error}; {second.what}", hint=hint) from None
        return
    try:
        cards = [Card(hlml, index) for index in range(hlml.hlmlDeviceGetCount())]
        news: Raw = {"about": told([card.device for card in cards])}
        while True:
            now_s = time.monotonic()
            yield {"devices": [card.read(now_s) for card in cards], **news}
            news = {}
    finally:
        hlml.hlmlShutdown()


class Card:
    """One Gaudi card, and the calls that it answers."""

    def __init__(self, hlml: Any, index: int) -> None:
        self.hlml, self.handle = hlml, hlml.hlmlDeviceGetHandleByIndex(index)
        self.device = self._described()
        trial: dict[str, Any] = {}
        self.calls = [call for call in CALLS if self._ask(call, trial)]
        self.due_s = [0.0] * len(self.calls)

    def _described(self) -> Device:
        def text(call: str, *of: Any) -> str:
            with suppress(Exception):  # HLMLError, whatever it is called in this version
                said = getattr(self.hlml, call)(*of)
                return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
            return ""

        version = text("hlmlGetDriverVersion")
        return Device(
            id=text("hlmlDeviceGetUUID", self.handle) or text("hlmlDeviceGetSerial", self.handle),
            name=text("hlmlDeviceGetName", self.handle) or "Intel Gaudi",
            vendor="Intel Gaudi",
            driver=f"habanalabs {version}".strip(),
            found_by="hlml",
        )

    def _ask(self, call: tuple[str, str, tuple[int, ...], str, float], into: dict[str, Any]) -> bool:
        key, name, arguments, member, _ = call
        with suppress(Exception):  # HLMLError, or a function that this version does not have
            said = getattr(self.hlml, name)(self.handle, *arguments)
            into[key] = getattr(said, member) if member else said
        return key in into

    def read(self, now_s: float) -> dict[str, Any]:
        """What the card says now."""
        raw: dict[str, Any] = {"id": self.device.id}
        for place, call in enumerate(self.calls):
            if now_s >= self.due_s[place]:
                self.due_s[place] = now_s + call[-1]
                self._ask(call, raw)
        return raw


def _by_tool(text: str) -> Raw:
    rows = [line.split(",") for line in text.splitlines() if line.strip()]
    cards = [dict(zip(KEYS, (cell.strip() for cell in row), strict=False)) for row in rows]
    about = [
        Device(
            id=card["uuid"], name=card.get("name") or "Intel Gaudi", vendor="Intel Gaudi",
            address=card.get("bus_id", "").lower(), driver=f"habanalabs {card.get('driver_version', '')}".strip(),
        )
        for card in cards
    ]  # fmt: skip
    return {"devices": [{"id": card["uuid"], "columns": card} for card in cards], "about": told(about)}


def normalise(raw: Raw) -> Iterator[Reading]:
    """Readings of every card."""
    for device in raw["devices"]:
        yield from table(device, FIELDS)
        reasons = number(device.get("reasons"))
        for state, bit in (("power", POWER), ("thermal", THERMAL)):
            if reasons is not None:
                yield Reading(device["id"], f"accel.throttle.{state}", float(bool(int(reasons) & bit)), "instant")
