"""What this machine is: looked up, never asked, and never over a network."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from assay.machine import Device, Machine
from assay.measure.inventory.cgroup import memory_limit
from assay.measure.inventory.cpu import cpu, read
from assay.measure.inventory.devices import devices
from assay.measure.inventory.interpreter import TIMEOUT_S, interpreters

# Text in the DMI maker and product -> the cloud or hypervisor it betrays.
HYPERVISORS = {
    "amazon ec2": "AWS EC2", "google compute": "Google Compute Engine",
    "microsoft corporation virtual": "Hyper-V / Azure", "kvm": "KVM", "qemu": "QEMU", "vmware": "VMware",
    "virtualbox": "VirtualBox", "xen": "Xen",
    "openstack": "OpenStack", "firecracker": "Firecracker", "cloud hypervisor": "Cloud Hypervisor",
}  # fmt: skip
CONTAINERS = {
    "docker": "Docker", "kubepods": "Kubernetes", "containerd": "containerd", "libpod": "Podman", "lxc": "LXC",
    "garden": "Garden",
}  # fmt: skip


def machine(python: str | None = None, timeout_s: float = TIMEOUT_S) -> Machine:
    """Looks at this machine, with the frameworks of one interpreter: `python`, else this one and `python3`."""
    found = interpreters(python, timeout_s)
    return replace(host(), interpreters=found)


def host(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> Machine:
    """Looks at this machine without asking any framework: takes milliseconds."""
    memory, available = _memory(root)
    limit = memory_limit(root)
    return Machine(
        cpu=cpu(root),
        memory_bytes=memory,
        available_bytes=available,
        memory_limit_bytes=limit if limit is not None and limit < memory else None,
        numa_bytes=_numa(root),
        system=_system(root),
        kernel=f"{platform.system()} {platform.release()}",
        hypervisor=_hypervisor(root),
        container=_container(root, environment),
        devices=(*devices(root, environment), *_apple()),
    )


def _memory(root: Path) -> tuple[float, float]:
    pairs = (line.split() for line in read(root / "proc/meminfo").splitlines())
    kib = {words[0].rstrip(":"): float(words[1]) for words in pairs if len(words) > 1 and words[1].isdecimal()}
    if "MemTotal" in kib:
        return kib["MemTotal"] * 1024, kib.get("MemAvailable", kib.get("MemFree", 0.0)) * 1024
    import psutil

    told = psutil.virtual_memory()
    return float(told.total), float(told.available)


def _numa(root: Path) -> dict[str, float]:
    nodes: dict[str, float] = {}
    for path in sorted((root / "sys/devices/system/node").glob("node[0-9]*")):
        words = next((line.split() for line in read(path / "meminfo").splitlines() if "MemTotal:" in line), [])
        if len(words) > 3 and words[3].isdecimal():
            nodes[path.name] = float(words[3]) * 1024
    return nodes


def _system(root: Path) -> str:
    for line in read(root / "etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip().strip("\"'")
    return f"macOS {platform.mac_ver()[0]}" if sys.platform == "darwin" else platform.system()


def _hypervisor(root: Path) -> str | None:
    dmi = " ".join(read(root / "sys/class/dmi/id" / name).strip() for name in ("sys_vendor", "product_name")).lower()
    named = next((name for text, name in HYPERVISORS.items() if text in dmi), None)
    if named:
        return named
    if "microsoft" in read(root / "proc/version").lower():
        return "WSL"
    flagged = " hypervisor" in read(root / "proc/cpuinfo")
    return read(root / "sys/hypervisor/type").strip() or ("a virtual machine" if flagged else None)


def _container(root: Path, environment: Mapping[str, str]) -> str | None:
    if environment.get("KUBERNETES_SERVICE_HOST"):
        return "Kubernetes"
    groups = read(root / "proc/1/cgroup") + read(root / "proc/self/cgroup")
    named = next((name for text, name in CONTAINERS.items() if text in groups), None)
    marks = {".dockerenv": "Docker", "run/.containerenv": "Podman"}
    marked = next((name for mark, name in marks.items() if (root / mark).exists()), None)
    return named or marked or environment.get("container") or None


def _apple() -> tuple[Device, ...]:
    """Apple's GPU is part of the chip and shows on no bus."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return (Device(name="Apple GPU (Metal)", vendor="Apple", found_by="architecture"),)
    return ()
