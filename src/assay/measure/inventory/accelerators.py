"""How the accelerators are set: power caps, clocks, modes, partitions, firmware. Lists, in the order of the devices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.machine import Device
from assay.measure.inventory.facts import Part, first, said

# Fact -> its name in NVML's answer, and files of the device's folder in sysfs with the factor to the fact's unit.
# amdgpu and xe write into hwmon (µW); habanalabs into the folder itself (mW, MHz); i915 and xe into their gt (MHz).
NUMBERS: dict[str, tuple[str, tuple[tuple[str, float], ...]]] = {
    "device_power_cap_w": (
        "power_cap_w",
        (("hwmon/hwmon*/power1_cap", 1e-6), ("hwmon/hwmon*/power1_max", 1e-6), ("max_power", 1e-3)),
    ),
    "device_power_default_w": (
        "power_default_w",
        (("hwmon/hwmon*/power1_cap_default", 1e-6), ("hwmon/hwmon*/power1_rated_max", 1e-6)),
    ),
    "device_power_max_w": ("power_max_w", (("hwmon/hwmon*/power1_cap_max", 1e-6),)),
    "device_max_hz": (
        "max_hz",
        (("tile0/gt0/freq0/rp0_freq", 1e6), ("drm/card*/gt_RP0_freq_mhz", 1e6), ("clk_max_freq_mhz", 1e6)),
    ),
}
# Lowest and highest clock that is permitted, in MHz: where they are one, the clock is locked.
PERMITTED = (
    ("tile0/gt0/freq0/min_freq", "tile0/gt0/freq0/max_freq"),
    ("drm/card*/gt_min_freq_mhz", "drm/card*/gt_max_freq_mhz"),
)
LEVEL = "power_dpm_force_performance_level"  # amdgpu: auto, high, low, manual, …
STATES = "pp_dpm_sclk"  # amdgpu: the clocks there are, one a line
FIRMWARE = (
    ("vbios_version", "VBIOS"), ("fw_os_ver", "firmware"), ("cpucp_ver", "CPUCP"), ("preboot_btl_ver", "preboot"),
    ("fw_version/psp_sos", "SOS"),
)  # fmt: skip
PARTITIONS = ("current_compute_partition", "current_memory_partition")  # amdgpu: SPX, NPS1
COMPUTE_MODES = {0: "shared", 1: "exclusive thread", 2: "prohibited", 3: "exclusive process"}  # nvmlComputeMode_t


def accelerators(root: Path, devices: Sequence[Device], nvml: Mapping[str, Any]) -> Part:
    """Settings of every accelerator, and which of them no driver shows."""
    places = [(folder(root, device), of(nvml, device)) for device in devices]
    facts: dict[str, object] = {
        "device_names": [device.name for device in devices],
        "device_memory_bytes": [device.memory_bytes for device in devices],
        "device_addresses": [device.address for device in devices],
        **{fact: [_number(fact, *place) for place in places] for fact in NUMBERS},
        "device_clocks": [_clocks(*place) for place in places],
        "device_modes": [_modes(told) for _, told in places],
        "device_partitions": [_partitions(*place) for place in places],
        "device_firmware": [_firmware(*place) for place in places],
    }
    return Part(facts, (*_untold(facts, devices), *_unreadable(devices, nvml)))


def folder(root: Path, device: Device) -> Path:
    """Where sysfs keeps a device's files."""
    on_bus = re.fullmatch(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", device.address)
    return root / "sys/bus/pci/devices" / (device.address if on_bus else "none")


def of(nvml: Mapping[str, Any], device: Device) -> Mapping[str, Any]:
    """What NVML says of a device; empty for another maker's."""
    return next((told for told in nvml.get("devices", ()) if device.id and told.get("uuid") == device.id), {})


def _number(fact: str, place: Path, told: Mapping[str, Any]) -> float | None:
    name, files = NUMBERS[fact]
    if name in told:
        return float(told[name])
    values = (first(sorted(place.glob(pattern)), scale) for pattern, scale in files)
    found = next((value for value in values if value), None)  # a cap of 0 W is how a driver says "none"
    return found if found is not None or fact != "device_max_hz" else _highest(said(place / STATES))


def _highest(states: str) -> float | None:
    clocks = [int(digits) for digits in re.findall(r"(\d{1,6})\s*Mhz", states, re.IGNORECASE)]
    return max(clocks) * 1e6 if clocks else None


def _clocks(place: Path, told: Mapping[str, Any]) -> str | None:
    """How the clocks are governed: "auto", "1000 to 1550 MHz", "application clocks 1410 MHz"."""
    level = said(place / LEVEL)
    if level:
        return level
    for low, high in PERMITTED:
        limits = [first(sorted(place.glob(pattern))) for pattern in (low, high)]
        if None not in limits:
            return f"locked at {limits[0]:g} MHz" if limits[0] == limits[1] else f"{limits[0]:g} to {limits[1]:g} MHz"
    now, default = told.get("application_hz"), told.get("default_hz")
    if now is None:
        return None
    return "default application clocks" if now == default else f"application clocks {now / 1e6:g} MHz"


def _modes(told: Mapping[str, Any]) -> str | None:
    switches = [f"{word} {'on' if told[key] else 'off'}" for key, word in _SWITCHES.items() if key in told]
    mode = COMPUTE_MODES.get(told.get("compute_mode", -1))
    return ", ".join([*switches, *([mode] if mode else [])]) or None


_SWITCHES = {"ecc": "ECC", "mig": "MIG", "persistence": "persistence"}


def _partitions(place: Path, told: Mapping[str, Any]) -> str | None:
    cut = [str(part.get("name") or "partition") for part in told.get("partitions", ())]
    modes = [word for word in (said(place / name) for name in PARTITIONS) if word]
    return ", ".join(cut) or "/".join(modes) or None


def _firmware(place: Path, told: Mapping[str, Any]) -> str | None:
    texts = [(title, said(place / name)) for name, title in FIRMWARE]
    vbios = [("VBIOS", str(told["vbios"]))] if "vbios" in told else []
    return ", ".join(f"{title} {text}" for title, text in (*vbios, *texts) if text) or None


def _untold(facts: Mapping[str, Any], devices: Sequence[Device]) -> Iterable[str]:
    """What some device on this machine does not tell, by the name of the device."""
    here = [(i, device.name) for i, device in enumerate(devices) if device.found_by != "environment"]
    for fact, words in _WORTH.items():
        silent = dict.fromkeys(name for i, name in here if facts[fact][i] is None)
        if silent:
            yield f"{words} of {', '.join(silent)}: no driver shows it"


_WORTH = {"device_power_cap_w": "power cap", "device_clocks": "clock policy", "device_firmware": "firmware"}


def _unreadable(devices: Sequence[Device], nvml: Mapping[str, Any]) -> Iterable[str]:
    if nvml.get("devices"):
        yield "locked clocks (nvidia-smi -lgc): NVML shows application clocks, not locks"
    remote = [device.name for device in devices if device.found_by == "environment"]
    if remote:
        yield f"{', '.join(remote)}: reached over the network, nothing of it shows here"
