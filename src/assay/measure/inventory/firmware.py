"""What is below the operating system: the board, its firmware, microcode, memory modules, and versions of drivers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from assay.measure.inventory.facts import Part, named, said

# Kernel modules whose version says something about speed: accelerators, networks between them, storage.
MODULES = (
    "nvidia", "nvidia_peermem", "gdrdrv", "amdgpu", "xe", "i915", "habanalabs", "neuron", "ipu_driver", "tenstorrent",
    "qaic", "groqA0", "mlx5_core", "ib_core", "efa", "irdma", "bnxt_re", "bnxt_en", "ice", "ena", "gve", "cxi_core",
    "lustre", "mmfs26", "beegfs", "knem", "xpmem",
)  # fmt: skip

# Types of memory in SMBIOS 3.7, section 7.18.2; the ones servers and their accelerators have.
MEMORY = {0x18: "DDR3", 0x1A: "DDR4", 0x1E: "LPDDR4", 0x20: "HBM", 0x21: "HBM2", 0x22: "DDR5", 0x23: "LPDDR5",
          0x24: "HBM3"}  # fmt: skip

# What makers of boards leave in fields that they did not fill.
UNFILLED = ("", "Default string", "To Be Filled By O.E.M.", "To be filled by O.E.M.", "System Product Name",
            "System manufacturer", "Not Specified", "None")  # fmt: skip


def firmware(root: Path = Path("/")) -> Part:
    """Board, firmware and drivers, and which of them this machine does not tell."""
    board, bios, missing = _dmi(root)
    modules, why = _memory(root)
    microcode = re.search(r"^microcode\s*:\s*(\S+)", said(root / "proc/cpuinfo"), re.MULTILINE)
    facts: dict[str, object] = {
        "board": board,
        "firmware": bios,
        "microcode": microcode[1] if microcode else None,
        "memory_modules": modules,
        "drivers": drivers(root),
    }
    return Part(facts, (*missing, *([why] if why else []), *([] if microcode else ["microcode: not shown"])))


def drivers(root: Path) -> list[str]:
    """Loaded kernel modules that matter, with the versions that they tell."""
    loaded = [name for name in MODULES if (root / "sys/module" / name).is_dir()]
    return [f"{name} {_version(root, name)}".strip() for name in loaded]


def _version(root: Path, name: str) -> str:
    told = said(root / "sys/module" / name / "version")
    if not told and name == "nvidia":
        match = re.search(r"Kernel Module\D*(\d[\d.]+)", said(root / "proc/driver/nvidia/version"))
        told = match[1] if match else ""
    return told


def _dmi(root: Path) -> tuple[str | None, str | None, list[str]]:
    folder = root / "sys/class/dmi/id"
    if not folder.is_dir():
        model = said(root / "sys/firmware/devicetree/base/model")  # what Arm boards have instead
        return model or None, None, ["no DMI: firmware unknown" if model else "no DMI: board and firmware unknown"]
    keys = ("sys_vendor", "product_name", "board_name", "bios_vendor", "bios_version", "bios_date")
    told = {key: text for key in keys if (text := said(folder / key)) not in UNFILLED}
    product = " ".join(dict.fromkeys(filter(None, (told.get("sys_vendor"), told.get("product_name")))))
    board = ", board ".join(filter(None, (product, told.get("board_name"))))
    date = f"({told['bios_date']})" if "bios_date" in told else None
    bios = " ".join(filter(None, (told.get("bios_vendor"), told.get("bios_version"), date)))
    return board or None, bios or None, [] if bios else ["firmware: DMI does not say"]


def _memory(root: Path) -> tuple[list[str] | None, str]:
    """Modules, alike ones together: "16 × 64 GiB DDR5-4800"."""
    folder = root / "sys/firmware/dmi/entries"
    entries = [path for path in named(folder) if path.name.startswith("17-")]
    raw, refused = [], ""
    for path in entries:
        try:
            raw.append((path / "raw").read_bytes())
        except PermissionError:
            refused = "permission denied"
        except OSError as error:
            refused = str(error.strerror)
    found = _alike(filter(None, map(module, raw))) or _alike(_edac(root))
    return found or None, "" if found else f"memory modules: {refused or 'no DMI table'}"


def _alike(modules: Iterable[str]) -> list[str]:
    return [f"{count} × {name}" for name, count in sorted(Counter(modules).items())]


def module(raw: bytes) -> str | None:
    """One memory module from its SMBIOS table (type 17); None for an empty slot.

    SMBIOS 3.7, section 7.18: size at 0Ch in MiB (in KiB with the top bit; 7FFFh: look at 1Ch), type at 12h, speeds in
    MT/s at 15h and, as set, at 20h.
    """
    if len(raw) < 0x17 or raw[0] != 17:
        return None
    size = _word(raw, 0x0C)
    if size in (0, 0xFFFF):
        return None
    extended = size == 0x7FFF and len(raw) >= 0x20
    mebi = int.from_bytes(raw[0x1C:0x20], "little") & 0x7FFFFFFF if extended else size & 0x7FFF
    size_bytes = mebi * (1024 if size & 0x8000 and not extended else 1 << 20)
    speed = (_word(raw, 0x20) if len(raw) >= 0x22 else 0) or _word(raw, 0x15)
    kind = MEMORY.get(raw[0x12], "memory")
    return f"{size_bytes / 2**30:g} GiB {kind}" + (f"-{speed}" if 0 < speed < 0xFFFF else "")


def _word(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 2], "little")


def _edac(root: Path) -> list[str]:
    """What the error-correction driver shows to everybody, where DMI is for root alone."""
    found = []
    for path in sorted((root / "sys/devices/system/edac/mc").glob("mc*/dimm*")):
        size, kind = said(path / "size"), said(path / "dimm_mem_type")
        if size.isdecimal() and int(size):
            found.append(f"{int(size) / 1024:g} GiB {kind}".strip())
    return found
