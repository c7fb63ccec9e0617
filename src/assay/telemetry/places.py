"""Where devices and the system show themselves without an SDK: /sys, /dev and /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from assay.machine import Device

_MOST_BYTES = 1 << 20
_MOST_HANDLES = 400  # a process may often have no more than 1024

ACCELERATORS = ("0x0300", "0x0302", "0x0380", "0x12")  # PCI classes: display controllers, processing accelerators


def on_bus(root: Path, like: Device, maker: str, classes: tuple[str, ...] = ACCELERATORS) -> Iterator[Device]:
    """Devices on the PCI bus by their maker's number, each like the one given, at its own address."""
    for path in sorted((root / "sys/bus/pci/devices").glob("*")):
        if text(path / "vendor") == maker and text(path / "class").startswith(classes):
            address, memory = path.name.lower(), text(path / "mem_info_vram_total")
            yield replace(
                like,
                id=address,
                name=text(path / "product_name") or like.name,
                memory_bytes=float(memory) if memory.isdecimal() else None,
                address=address,
                found_by="sysfs",
            )


def nodes(root: Path, like: Device, pattern: str) -> Iterator[Device]:
    """Devices by their nodes in /dev, each like the one given."""
    for path in sorted(root.glob(pattern), key=lambda path: (len(path.name), path.name)):
        address = f"/{path.relative_to(root)}"
        yield replace(like, id=address, address=address, found_by="device node")


def driver(root: Path, module: str) -> str | None:
    """A kernel module with its version, as the driver of a device; None where it is not loaded."""
    if not (root / "sys/module" / module).is_dir():
        return None
    return f"{module} {text(root / 'sys/module' / module / 'version')}".strip()


def text(path: Path) -> str:
    """A small file of the system, or nothing where it is missing, hidden or has no answer."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except (OSError, ValueError):
        return ""


class Files:
    """Small files of the system that are read at every tick: opened once, and read again from their start."""

    def __init__(self) -> None:
        self._handles: dict[str, int] = {}

    def text(self, path: str) -> str:
        """What is in it now; nothing where it is missing, hidden or has no answer."""
        try:
            handle = self._handles.get(path)
            if handle is None:
                if len(self._handles) >= _MOST_HANDLES:
                    return text(Path(path))
                handle = self._handles[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(handle, _MOST_BYTES, 0).decode(errors="replace")
        except OSError:
            self.forget(path)
            return ""

    def forget(self, *paths: str) -> None:
        """Close these, where they are open."""
        for path in paths:
            if (handle := self._handles.pop(path, None)) is not None:
                os.close(handle)

    def close(self) -> None:
        """Close them all."""
        self.forget(*list(self._handles))
