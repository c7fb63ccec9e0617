"""Copies: host to device and back, from pinned and pageable memory, within a device and between two, by size.

Bytes are those of what is copied, counted once (nvbandwidth counts so). A machine without an accelerator but with
several NUMA nodes copies between those: one thread on the first node reads memory of the second.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

BUDGET_S = (10.0, 3.0)
OPTIONS = {"pairs": ("first", "first: peers of the first device alone; all: every pair of devices or NUMA nodes")}

KIB, MIB = 1 << 10, 1 << 20
SIZES = (4 * KIB, 64 * KIB, MIB, 16 * MIB, 256 * MIB)
QUICK_SIZES = (64 * KIB, 16 * MIB)
_NODES = Path("/sys/devices/system/node")

Step = Callable[[int], None]


def cases(kit: Any) -> Any:
    """Every way from small to large."""
    if kit.options["pairs"] not in {"first", "all"}:
        raise SystemExit(f"pairs: {kit.options['pairs']} is not known; write first or all")
    sizes = QUICK_SIZES if kit.settings.get("quick") else SIZES
    devices, nodes = kit.devices(), numa_nodes()
    if not devices and (len(nodes) < 2 or kit.numpy is None):
        why = "NumPy is not there to copy between NUMA nodes" if len(nodes) > 1 else "this host has one NUMA node"
        raise SystemExit(f"there is no device that PyTorch reaches, and {why}: nothing to copy between")
    for device, wait in devices:
        for size in sizes:
            yield from _device(kit, device, wait, size)
    if not devices:
        for size in sizes:
            for here, there in _pairs(list(nodes), kit.options["pairs"]):
                yield _node_case(here, there, size), _between_nodes(kit.numpy, nodes, here, there, size), None


def _device(kit: Any, device: str, wait: Any, size: int) -> Any:
    torch, kind = kit.torch, device.partition(":")[0]

    def host(pinned: bool) -> Any:
        return torch.ones(size, dtype=torch.uint8, pin_memory=pinned)

    def there(name: str) -> Any:
        return torch.ones(size, dtype=torch.uint8, device=name)

    # Only what PyTorch can pin: memory that Apple shares with its device needs none.
    for pinned in (True, False) if kind != "mps" else (False,):
        word = "pinned" if pinned else "pageable"
        to, back = f"host to {device} {word}", f"{device} to host {word}"
        yield _row(to, "host-to-device", size, device, lambda p=pinned: _copying(there(device), host(p), [wait]))
        yield _row(back, "device-to-host", size, device, lambda p=pinned: _copying(host(p), there(device), [wait]))
    yield _row(f"within {device}", "device-to-device", size, device,
               lambda: _copying(there(device), there(device), [wait]))  # fmt: skip
    module = getattr(torch, kind)
    names = [f"{kind}:{i}" for i in range(module.device_count())] if hasattr(module, "device_count") else []
    for source, target in _pairs(names, kit.options["pairs"]) if kit.ranks == 1 else ():
        waits = [lambda d=name: module.synchronize(d) for name in (source, target)]
        yield _row(f"{source} to {target}", "peer", size, source,
                   lambda s=source, t=target, w=waits: _copying(there(t), there(s), w))  # fmt: skip


def _row(way: str, kind: str, size: int, device: str, prepare: Any) -> Any:
    case = {"name": f"copy {label(size)} {way}", "kind": kind, "bytes": size, "library": "torch", "device": device}
    return case, prepare, None


def label(size: int) -> str:
    """A size in words: 64 KiB."""
    return f"{size // KIB} KiB" if size < MIB else f"{size // MIB} MiB"


def _pairs(names: list[Any], wanted: str) -> list[tuple[Any, Any]]:
    """Those that are different, from the first or from each."""
    return [(a, b) for a in names for b in names if a != b and (wanted == "all" or a == names[0])]


def _copying(target: Any, source: Any, waits: list[Any]) -> Step:
    def step(loops: int) -> None:
        for _ in range(loops):
            target.copy_(source, non_blocking=True)
        for wait in waits:
            wait()

    return step


# --- NUMA nodes ------------------------------------------------------------------------------------------------------


def numa_nodes(root: Path = _NODES) -> dict[int, set[int]]:
    """The nodes with processors that this process may use, and which those are."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    found = {}
    for path in root.glob("node[0-9]*"):
        try:
            listed = path.joinpath("cpulist").read_text(encoding="ascii")
        except OSError:
            continue
        found[int(path.name[4:])] = cpus(listed) & allowed
    return {node: found[node] for node in sorted(found) if found[node]}


def cpus(listed: str) -> set[int]:
    """The numbers in a list such as 0-3,8."""
    ends = [part.partition("-") for part in listed.strip().split(",") if part]
    return {n for first, _, last in ends for n in range(int(first), int(last or first) + 1)}


def _node_case(here: int, there: int, size: int) -> dict[str, Any]:
    return {
        "name": f"copy {label(size)} node {there} to node {here}", "kind": "numa", "bytes": size, "library": "numpy",
        "device": "cpu", "threads": 1, "note": "one thread, on the node that is copied to",
    }  # fmt: skip


def _between_nodes(np: Any, nodes: dict[int, set[int]], here: int, there: int, size: int) -> Any:
    """Memory lies on the node whose processor touches it first."""

    def prepare() -> Step:
        before = os.sched_getaffinity(0)
        try:
            os.sched_setaffinity(0, nodes[there])
            source = np.ones(size, dtype=np.uint8)
            os.sched_setaffinity(0, nodes[here])
            target = np.ones(size, dtype=np.uint8)
        finally:
            os.sched_setaffinity(0, before)

        def step(loops: int) -> None:
            os.sched_setaffinity(0, nodes[here])
            try:
                for _ in range(loops):
                    np.copyto(target, source)
            finally:
                os.sched_setaffinity(0, before)

        return step

    return prepare
