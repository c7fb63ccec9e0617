"""What is near what: memory nodes, slots, and how each accelerator and network card reaches the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from assay.machine import Device
from assay.measure.inventory.accelerators import folder, of
from assay.measure.inventory.devices import pci_address
from assay.measure.inventory.facts import Part, named, number, said

# Transfers per second of one lane in sysfs -> generation (PCI Express Base Specification).
GENERATIONS = {"2.5": 1, "5.0": 2, "8.0": 3, "16.0": 4, "32.0": 5, "64.0": 6, "128.0": 7}

XGMI = 11  # HSA_IOLINKTYPE_XGMI in the kernel's include/uapi/linux/kfd_sysfs.h


class _Place(NamedTuple):
    """One thing on the bus, by the name that its row and column have."""

    name: str
    path: tuple[str, ...]  # bridges from the root of the bus down to it
    numa: int | None
    address: str


def topology(root: Path, devices: Sequence[Device], nvml: Mapping[str, Any]) -> Part:
    """Memory nodes with their distances; slot, node and links of every accelerator."""
    nodes = [path for path in named(root / "sys/devices/system/node") if re.fullmatch(r"node\d+", path.name)]
    distances = [f"{node.name}: {said(node / 'distance')}" for node in nodes if said(node / "distance")]
    places = [_place(root, f"device{i}", folder(root, d), of(nvml, d)) for i, d in enumerate(devices)]
    slots = [(folder(root, device), of(nvml, device)) for device in devices]
    facts: dict[str, object] = {
        "numa_distances": distances or None,
        "device_numa": [place.numa for place in places],
        "device_pcie": [_slot(*slot) for slot in slots],
        "device_pcie_width": [_width_now(*slot) for slot in slots],
        "device_topology": rows([*places, *_cards(root)], _links(root, devices, nvml)) if devices else None,
    }
    missing = [] if nodes else ["NUMA: no nodes shown"]
    unseen = [
        d.name for d, place in zip(devices, places, strict=True) if d.found_by != "environment" and not place.path
    ]
    if unseen:
        missing.append(f"PCIe and NUMA of {', '.join(dict.fromkeys(unseen))}: the bus is hidden")
    return Part(facts, tuple(missing))


def rows(places: Sequence[_Place], links: Mapping[frozenset[str], str]) -> list[str]:
    """One row a device, as `nvidia-smi topo -m` writes it: X itself, NV18 links, else what the path crosses."""
    return [
        f"{a.name}: "
        + " ".join("X" if a is b else links.get(frozenset((a.address, b.address)), _path(a, b)) for b in places)
        for a in places
    ]


def _path(a: _Place, b: _Place) -> str:
    """PIX one bridge, PXB several, PHB the processor's own, NODE between its bridges, SYS between sockets, ? not shown.

    The words and their meaning are those of the legend of `nvidia-smi topo -m`.
    """
    if not a.path or not b.path:
        return "?"
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(a.path, b.path, strict=False))))
    if shared >= 2:
        return "PIX" if max(len(a.path), len(b.path)) - shared <= 2 else "PXB"
    if shared == 1:
        return "PHB"
    if a.numa is None or b.numa is None:
        return "?"
    return "NODE" if a.numa == b.numa else "SYS"


def _place(root: Path, name: str, path: Path, nvml: Mapping[str, Any]) -> _Place:
    numa = number(path / "numa_node")  # -1: the firmware does not say
    told = nvml.get("numa_node")
    bridges = path.resolve().relative_to(root.resolve()).parts if path.is_dir() else ()
    way = tuple(part for part in bridges if part.startswith("pci") or ":" in part)
    return _Place(name, way, int(numa) if numa is not None else told, path.name if way else pci_address(nvml))


def _cards(root: Path) -> Iterator[_Place]:
    """Network cards that reach memory themselves: how near they are to a device decides what a collective gets."""
    for card in named(root / "sys/class/infiniband"):
        if (card / "device").is_dir():
            yield _place(root, card.name, root / "sys/bus/pci/devices" / (card / "device").resolve().name, {})


def _slot(path: Path, nvml: Mapping[str, Any]) -> str | None:
    """The fastest link that slot and device can do: the speed of the moment falls when nothing is to be sent."""
    speed, width = said(path / "max_link_speed"), said(path / "max_link_width")
    generation = GENERATIONS.get(speed.partition(" ")[0]) or nvml.get("pcie_generation")
    lanes = width if width.isdecimal() and 0 < int(width) < 255 else nvml.get("pcie_width")
    return f"PCIe Gen{generation} x{lanes}" if generation and lanes else None


def _width_now(path: Path, nvml: Mapping[str, Any]) -> int | None:
    """Lanes in use: fewer than the slot has is a fault of seating, cable or riser."""
    width = number(path / "current_link_width")
    if width is not None and 0 < width < 255:
        return int(width)
    told = nvml.get("pcie_width_now")
    return told if isinstance(told, int) else None


def _links(root: Path, devices: Sequence[Device], nvml: Mapping[str, Any]) -> dict[frozenset[str], str]:
    return {**_nvlinks(devices, nvml), **_xgmi(root)}


def _nvlinks(devices: Sequence[Device], nvml: Mapping[str, Any]) -> dict[frozenset[str], str]:
    """NVLinks between two devices: those that end at the other, and those of both that end at the common switch."""
    ends: dict[str, Counter[str]] = {}
    for device in devices:
        told = of(nvml, device).get("nvlinks") or ()
        ends[device.address] = Counter(end if end == "switch" else pci_address({"address": end}) for end in told)
    found = {}
    for a in devices:
        for b in devices:
            count = ends[a.address][b.address] or min(ends[a.address]["switch"], ends[b.address]["switch"])
            if a is not b and count:
                found[frozenset((a.address, b.address))] = f"NV{count}"
    return found


def _xgmi(root: Path) -> dict[frozenset[str], str]:
    """XGMI links from the topology that AMD's driver writes down: nodes by number, links by type."""
    nodes = {path.name: path for path in named(root / "sys/class/kfd/kfd/topology/nodes")}
    found = {}
    for path in nodes.values():
        for link in named(path / "io_links"):
            told = _properties(link / "properties")
            other = nodes.get(str(told.get("node_to", -1)))
            ends = [_kfd_address(node) for node in (path, other) if node is not None]
            if told.get("type") == XGMI and len(ends) == 2 and all(ends):
                found[frozenset(filter(None, ends))] = "XGMI"
    return found


def _kfd_address(node: Path) -> str | None:
    """`location_id` is bus, device and function in 16 bits, as lspci writes them."""
    told = _properties(node / "properties")
    place = told.get("location_id", 0)
    if not told.get("simd_count") or not place:  # a processor
        return None
    return f"{told.get('domain', 0):04x}:{place >> 8 & 0xFF:02x}:{place >> 3 & 0x1F:02x}.{place & 7}"


def _properties(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in said(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}
