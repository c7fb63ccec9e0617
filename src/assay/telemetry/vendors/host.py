"""The host itself, from /proc and /sys: processors, memory, storage, network, energy; and the command that is watched.

The command is a device among others: its address is its folder in /proc, and `probe` finds it where the environment
names it in ASSAY_WATCH_PID.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.machine import Device
from assay.telemetry.places import Files, text
from assay.telemetry.reading import Field, Imported, Raw, Reading, dig, number, table
from assay.telemetry.tools import told

NAME = "host"
WATCHED = "ASSAY_WATCH_PID"

KIB, SECTOR_BYTES, WORD_BYTES = 1024.0, 512.0, 4.0  # InfiniBand counts words (perfquery(8): "octets divided by 4")

FIELDS = (
    Field("host.load", "load"),
    Field("host.clock_hz", "clock_khz", 1e3),
    Field("host.mem.total_bytes", "memory_kib.MemTotal", KIB),
    Field("host.energy_j", "energy_uj.package", 1e-6, "counter"),
    Field("host.dram.energy_j", "energy_uj.dram", 1e-6, "counter"),
    Field("host.pressure.cpu_s", "pressure_us.cpu", 1e-6, "counter"),
    Field("host.pressure.memory_s", "pressure_us.memory", 1e-6, "counter"),
    Field("host.pressure.io_s", "pressure_us.io", 1e-6, "counter"),
    Field("host.disk.read_bytes", "sectors.read", SECTOR_BYTES, "counter"),
    Field("host.disk.write_bytes", "sectors.written", SECTOR_BYTES, "counter"),
    Field("host.net.tx_bytes", "net_bytes.tx", 1.0, "counter"),
    Field("host.net.rx_bytes", "net_bytes.rx", 1.0, "counter"),
    Field("host.ib.tx_bytes", "ib_words.port_xmit_data", WORD_BYTES, "counter"),
    Field("host.ib.rx_bytes", "ib_words.port_rcv_data", WORD_BYTES, "counter"),
    Field("host.ib.wait", "ib_words.port_xmit_wait", 1.0, "counter"),
    Field("host.temp_celsius", "temp_millicelsius", 1e-3, lowest=-20, highest=130),
    Field("proc.cpu_s", "tree.cpu_s", 1.0, "counter"),
    Field("proc.mem.used_bytes", "tree.memory_bytes"),
    Field("proc.read_bytes", "tree.read_bytes", 1.0, "counter"),
    Field("proc.write_bytes", "tree.write_bytes", 1.0, "counter"),
)

# node_exporter. Busy and waiting shares would have to be made of node_cpu_seconds_total, by mode.
PROMETHEUS: Mapping[str, Imported] = {
    "node_load1": Imported("host.load", 1.0, "instant"),
    "node_memory_MemTotal_bytes": Imported("host.mem.total_bytes", 1.0, "instant"),
    "node_rapl_package_joules_total": Imported("host.energy_j", 1.0, "counter", summed=True),
    "node_rapl_dram_joules_total": Imported("host.dram.energy_j", 1.0, "counter", summed=True),
    "node_pressure_cpu_waiting_seconds_total": Imported("host.pressure.cpu_s", 1.0, "counter"),
    "node_pressure_memory_waiting_seconds_total": Imported("host.pressure.memory_s", 1.0, "counter"),
    "node_pressure_io_waiting_seconds_total": Imported("host.pressure.io_s", 1.0, "counter"),
    "node_infiniband_port_data_transmitted_bytes_total": Imported("host.ib.tx_bytes", 1.0, "counter", summed=True),
    "node_infiniband_port_data_received_bytes_total": Imported("host.ib.rx_bytes", 1.0, "counter", summed=True),
}

STAT = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")  # proc_pid_stat(5), line "cpu"
SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal")
EVERY_S = 0.9  # at most once a second, with room for a reader that comes a little early
CLOCKED = 8  # cores whose clock is read: reading one may wake it


def probe(root: Path, environment: Mapping[str, str]) -> tuple[Device, ...]:
    """The host, and the command that the environment names; nothing where /proc is not that of a Linux."""
    if not text(root / "proc/stat"):
        return ()
    found = [Device(id="host", name="host", vendor="host", address="/", found_by="proc")]
    process = environment.get(WATCHED, "")
    if process.isdecimal():
        found.append(
            Device(
                id="command", name="watched command", vendor="host", parent="host", address=f"/proc/{process}",
                found_by="environment",
            )
        )  # fmt: skip
    return tuple(found)


def read(devices: Sequence[Device], root: Path = Path("/")) -> Iterator[Raw]:
    """What the system says, once a call."""
    from assay.telemetry.tree import Tree

    files = Files()
    try:
        host = Host(root, files)
        trees = {
            device.id: Tree(int(device.address.rpartition("/")[2]), files, root / "proc")
            for device in devices
            if device.address.startswith("/proc/")
        }
        news: Raw = {"about": told(devices), **({"warnings": host.warnings} if host.warnings else {})}
        while True:
            answers = [{"id": name, "tree": tree.read()} for name, tree in trees.items()]
            yield {"devices": [{"id": "host", **host.read()}, *answers], **news}
            news = {}
    finally:
        files.close()


class Host:
    """The files of the host, found once; and what of them only a difference tells."""

    def __init__(self, root: Path, files: Files) -> None:
        self.files, self.warnings = files, list[str]()
        self.proc = str(root / "proc")
        self.disks = _disks(root / "sys/block")
        self.links = _links(root / "sys/class/net")
        self.ports = [str(path) for path in sorted(root.glob("sys/class/infiniband/*/ports/*/counters"))]
        clocks = sorted(root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"))
        self.clocks = [str(path) for path in clocks[:: max(1, len(clocks) // CLOCKED)]]
        self.sensors = [
            str(path)
            for name in root.glob("sys/class/hwmon/hwmon*/name")
            if text(name) in SENSORS
            for path in name.parent.glob("temp1_input")
        ]
        self.zones = [Zone(path, files) for path in sorted(root.glob("sys/class/powercap/intel-rapl:*"))]
        if any(zone.hidden for zone in self.zones):
            self.warnings.append(
                "the processors' energy may not be read: chmod o+r /sys/class/powercap/intel-rapl:*/energy_uj as root"
            )
        self._before: list[int] = []
        self._due_s = -math.inf

    def read(self) -> dict[str, Any]:
        """What they say now; what is not there is left out."""
        raw: dict[str, Any] = {"ticks": self._ticks(), "energy_uj": self._energy()}
        if (now_s := time.monotonic()) >= self._due_s:
            self._due_s = now_s + EVERY_S
            raw |= self._now_and_then()
        return {key: value for key, value in raw.items() if value not in (None, {})}

    def _now_and_then(self) -> dict[str, Any]:
        """What says no more when it is asked ten times a second, and costs as much each time."""
        return {
            "load": number(self.files.text(f"{self.proc}/loadavg").partition(" ")[0]),
            "memory_kib": self._memory(),
            "pressure_us": self._pressure(),
            "sectors": self._sectors(),
            "net_bytes": self._net(),
            "ib_words": self._sums(self.ports, ("port_xmit_data", "port_rcv_data", "port_xmit_wait")),
            "clock_khz": self._mean(self.clocks),
            "temp_millicelsius": max(self._numbers(self.sensors), default=None),
        }

    def _ticks(self) -> dict[str, int]:
        """Ticks of all processors since the last look, by what they did."""
        words = self.files.text(f"{self.proc}/stat").partition("\n")[0].split()
        now = [int(word) for word in words[1 : len(STAT) + 1]]
        before, self._before = self._before, now
        passed = [n - b for n, b in zip(now, before, strict=False)]
        return dict(zip(STAT, passed, strict=False)) if len(passed) == len(STAT) else {}

    def _memory(self) -> dict[str, float | None]:
        lines = self.files.text(f"{self.proc}/meminfo").splitlines()[:8]  # MemTotal and MemAvailable come first
        pairs = (line.partition(":") for line in lines)
        return {key: number(value) for key, _, value in pairs if key in ("MemTotal", "MemAvailable")}

    def _pressure(self) -> dict[str, float]:
        found = {}
        for kind in ("cpu", "memory", "io"):
            line = self.files.text(f"{self.proc}/pressure/{kind}").partition("\n")[0]  # "some avg10=… total=123"
            if (value := number(line.rpartition("total=")[2])) is not None:
                found[kind] = value
        return found

    def _sectors(self) -> dict[str, int]:
        rows = [line.split() for line in self.files.text(f"{self.proc}/diskstats").splitlines()]
        ours = [row for row in rows if len(row) > 9 and row[2] in self.disks]
        return {"read": sum(int(r[5]) for r in ours), "written": sum(int(r[9]) for r in ours)} if ours else {}

    def _net(self) -> dict[str, int]:
        rows = (line.partition(":") for line in self.files.text(f"{self.proc}/net/dev").splitlines()[2:])
        ours = [rest.split() for name, _, rest in rows if name.strip() in self.links]
        return {"rx": sum(int(r[0]) for r in ours), "tx": sum(int(r[8]) for r in ours)} if ours else {}

    def _sums(self, folders: Sequence[str], names: Sequence[str]) -> dict[str, float]:
        found = {name: self._numbers([f"{folder}/{name}" for folder in folders]) for name in names}
        return {name: sum(values) for name, values in found.items() if values}

    def _energy(self) -> dict[str, float]:
        """µJ by kind; of several sockets only when all of them answer."""
        found: dict[str, list[float | None]] = {}
        for zone in self.zones:
            found.setdefault(zone.kind, []).append(zone.since_start())
        return {kind: sum(v for v in values if v is not None) for kind, values in found.items() if None not in values}

    def _numbers(self, paths: Sequence[str]) -> list[float]:
        return [value for path in paths if (value := number(self.files.text(path))) is not None]

    def _mean(self, paths: Sequence[str]) -> float | None:
        values = self._numbers(paths)
        return sum(values) / len(values) if values else None


class Zone:
    """One RAPL domain: a package or its memory. Its counter starts anew at a limit that it names."""

    def __init__(self, folder: Path, files: Files) -> None:
        self.files, self.path = files, str(folder / "energy_uj")
        self.kind = text(folder / "name").partition("-")[0]  # package-0, dram, core, psys, …
        self.range = number(text(folder / "max_energy_range_uj"))
        self.hidden = self.kind in ("package", "dram") and not files.text(self.path)
        self._before: float | None = None
        self._wrapped = 0.0

    def since_start(self) -> float | None:
        """µJ, on and on; None where it may not be read, or has started anew at a limit that nobody knows."""
        now = number(self.files.text(self.path))
        if now is None:
            return None
        if self._before is not None and now < self._before:
            if self.range is None:
                return None
            self._wrapped += self.range
        self._before = now
        return now + self._wrapped


def _disks(folder: Path) -> frozenset[str]:
    """Disks that are hardware: what is stacked on them (dm, md, loop) would count everything twice."""
    return frozenset(path.name for path in folder.glob("*") if (path / "device").exists())


def _links(folder: Path) -> frozenset[str]:
    """Network interfaces that are hardware, or all but loopback in a container, which has none."""
    there = [path for path in folder.glob("*") if path.name != "lo"]
    return frozenset(path.name for path in there if (path / "device").exists()) or frozenset(p.name for p in there)


def normalise(raw: Raw) -> Iterator[Reading]:
    """Readings of the host, and of the command it runs."""
    for device in raw["devices"]:
        yield from table(device, FIELDS)
        yield from _shares(device["id"], device.get("ticks", {}))
        whole, free = number(dig(device, "memory_kib.MemTotal")), number(dig(device, "memory_kib.MemAvailable"))
        if whole is not None and free is not None:
            yield Reading(device["id"], "host.mem.used_bytes", (whole - free) * KIB, "instant")


def _shares(of: str, ticks: Raw) -> Iterator[Reading]:
    """Shares of the time since the last look. A tick that another guest took was neither busy nor idle."""
    told = {key: value for key in STAT if (value := number(ticks.get(key))) is not None}
    whole = sum(told.values())
    if len(told) < len(STAT) or whole <= 0 or min(told.values()) < 0:  # … or the kernel has put a counter right
        return
    shares = {"busy": whole - told["idle"] - told["iowait"] - told["steal"], **told}
    for name in ("busy", "iowait", "steal"):
        yield Reading(of, f"host.cpu.{name}", shares[name] / whole, "average")
