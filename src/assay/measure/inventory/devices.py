"""Accelerators of this machine: what the PCI bus and device nodes show, with what a driver adds. Vendors are rows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from assay.machine import Device
from assay.measure.inventory import nvml
from assay.measure.inventory.cpu import read


@dataclass(frozen=True, slots=True)
class Maker:
    """How one maker's accelerators show themselves."""

    vendor: str
    pci: str  # vendor id on the bus
    product: str
    classes: tuple[str, ...]  # PCI classes that are accelerators, by their first digits
    driver: tuple[str, ...] = ()  # kernel modules whose version file tells the driver
    nodes: tuple[str, ...] = ()  # device nodes, for machines that hide the bus (containers)
    environment: tuple[str, ...] = ()  # variables that say the machine is reached over the network


DISPLAY = ("0x0300", "0x0302", "0x0380", "0x12")
MAKERS = (
    Maker("NVIDIA", "0x10de", "GPU", DISPLAY, ("nvidia",), ("dev/nvidia[0-9]*",)),
    Maker("AMD", "0x1002", "GPU", DISPLAY, ("amdgpu",), ("dev/dri/renderD*",)),
    Maker("Intel", "0x8086", "GPU", ("0x0302", "0x0380", "0x12"), ("xe", "i915")),
    Maker("Intel Gaudi", "0x1da3", "Gaudi", ("0x12", "0x0880"), ("habanalabs",), ("dev/accel/accel[0-9]*",)),
    Maker("AWS", "0x1d0f", "Neuron device", ("0x12", "0x0880"), ("neuron",), ("dev/neuron[0-9]*",)),
    Maker(
        "Google", "0x1ae0", "TPU", ("0x12", "0x0880", "0xff"), (), ("dev/accel[0-9]*",), ("TPU_NAME", "TPU_WORKER_ID")
    ),
    Maker(
        "Graphcore", "0x1d95", "IPU", ("0x12", "0x0880"), ("ipu_driver",), ("dev/ipu[0-9]*",), ("IPUOF_VIPU_API_HOST",)
    ),
    Maker("Cerebras", "", "wafer-scale engine", (), (), (), ("CEREBRAS_CS_IP", "CEREBRAS_CLUSTER")),
    Maker("Groq", "0x1de0", "LPU", ("0x12",), ("groqA0",), ("dev/groqA[0-9]*",)),
    Maker("Tenstorrent", "0x1e52", "Tensix processor", ("0x12",), ("tenstorrent",), ("dev/tenstorrent/[0-9]*",)),
    Maker("Qualcomm", "0x17cb", "Cloud AI", ("0x12",), ("qaic",), ("dev/accel/accel[0-9]*",)),
)


def devices(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> tuple[Device, ...]:
    """Every accelerator found, once; `root` may hold a copy of another machine's /sys and /dev."""
    told = _nvml(root)
    known = {device.vendor for device in told}
    found = {device.address: device for device in _on_bus(root)}
    if not found:  # a container may hide the bus; of whose devices a library tells, the nodes are the same ones again
        found = {device.address: device for device in _by_node(root) if device.vendor not in known}
    found |= {device.address: device for device in told}
    named = [_named(maker, environment) for maker in MAKERS]
    return tuple(d if d.id else replace(d, id=d.address) for d in (*found.values(), *filter(None, named)))


def _on_bus(root: Path) -> Iterable[Device]:
    for path in sorted((root / "sys/bus/pci/devices").glob("*")):
        vendor, kind = read(path / "vendor").strip(), read(path / "class").strip()
        maker = next((m for m in MAKERS if m.pci == vendor and kind.startswith(m.classes)), None)
        if maker is None and not kind.startswith("0x12"):  # 12 is "processing accelerator", whoever makes it
            continue
        product = read(path / "product_name").strip()
        number = read(path / "device").strip()
        memory = read(path / "mem_info_vram_total").strip()
        yield Device(
            name=product
            or f"{maker.vendor if maker else 'unknown'} {maker.product if maker else 'accelerator'} {number}",
            vendor=maker.vendor if maker else f"PCI vendor {vendor}",
            memory_bytes=float(memory) if memory.isdecimal() else None,
            driver=_driver(root, maker),
            address=path.name.lower(),
            found_by="sysfs",
        )


def _by_node(root: Path) -> Iterable[Device]:
    seen = set()
    for maker in MAKERS:
        for path in sorted(p for node in maker.nodes for p in root.glob(node)):
            # A node that several makers share is theirs whose driver is loaded.
            if path not in seen and (_driver(root, maker) or not _shared(maker)):
                seen.add(path)
                name, address = f"{maker.vendor} {maker.product}", f"/{path.relative_to(root)}"
                yield Device(
                    name=name, vendor=maker.vendor, driver=_driver(root, maker), address=address, found_by="device node"
                )


def _shared(maker: Maker) -> bool:
    return any(node.startswith(("dev/dri", "dev/accel/")) for node in maker.nodes)


def _driver(root: Path, maker: Maker | None) -> str | None:
    for module in maker.driver if maker else ():
        if (root / "sys/module" / module).is_dir():
            return f"{module} {read(root / 'sys/module' / module / 'version').strip()}".strip()
    return None


def _named(maker: Maker, environment: Mapping[str, str]) -> Device | None:
    key = next((key for key in maker.environment if environment.get(key)), None)
    name = f"{maker.vendor} {maker.product}"
    return Device(name=name, vendor=maker.vendor, address=f"${key}", found_by="environment") if key else None


def _nvml(root: Path) -> tuple[Device, ...]:
    """What NVIDIA's own library says, where there is a driver and it answers; else the bus has to do."""
    told, _ = nvml.told(root)
    driver = f"nvidia {told.get('driver') or ''}".strip()
    return tuple(
        Device(
            name=str(device.get("name") or "NVIDIA GPU"),
            vendor="NVIDIA",
            id=str(device.get("uuid") or pci_address(device)),
            memory_bytes=_bytes(device.get("memory_bytes")),
            driver=driver,
            address=pci_address(device),
            found_by="nvml",
        )
        for device in told.get("devices", ())
    )


def _bytes(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None  # None: it shares the host's memory


def pci_address(device: Mapping[str, object]) -> str:
    """A device's place on the bus as Linux writes it: NVML writes the domain with eight digits."""
    return re.sub(r"^0000(?=[0-9a-f]{4}:)", "", str(device.get("address") or "").lower())
