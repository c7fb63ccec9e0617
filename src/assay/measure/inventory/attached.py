"""What is attached: network cards with their speed, InfiniBand ports, disks, and the file system of a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from assay.measure.inventory.facts import Part, named, number, said
from assay.units import show

# What is set for a file system as a whole and makes it faster or slower; addresses stand there as well.
OPTIONS = re.compile(
    r"(?:nconnect|[rw]size|vers|proto|compress(?:-force)?|data|stripe|actimeo|fsc|cache|noac|nobarrier|discard|dax|sync)"
    r"(?:=.*)?"
)


def attached(root: Path, cwd: Path) -> Part:
    """Network, storage and the file system that `cwd` is on, and which of them this machine hides."""
    cards, ports, disks = list(_networks(root)), list(_infiniband(root)), list(_disks(root))
    kind, source = filesystem(root, cwd)
    facts: dict[str, object] = {
        "networks": cards, "infiniband": ports, "disks": disks, "filesystem": kind, "filesystem_source": source,
    }  # fmt: skip
    missing = [
        *([] if cards else ["network cards: only virtual ones are shown"]),
        *([] if disks else ["disks: none are shown"]),
        *([] if kind else ["file system: the mount table is hidden"]),
        *(f"speed of {card.partition(' ')[0]}: not told" for card in cards if card.endswith("speed unknown")),
    ]
    return Part(facts, tuple(missing))


def _networks(root: Path) -> Iterator[str]:
    """Cards, by what drives them; bridges and other virtual interfaces have no device behind them."""
    for path in named(root / "sys/class/net"):
        if (path / "device").exists():
            driver = _driver(path / "device")
            mbit = number(path / "speed")  # -1, or no answer, while the link is down
            speed = f"{mbit / 1000:g} Gb/s" if mbit else "speed unknown"
            yield f"{path.name} {driver}, {said(path / 'operstate') or 'unknown'}, {speed}"


def _driver(device: Path) -> str:
    link = device / "driver"
    return link.resolve().name if link.exists() else "unknown driver"


def _infiniband(root: Path) -> Iterator[str]:
    """Ports: "mlx5_0/1 InfiniBand, ACTIVE, 400 Gb/sec (4X NDR), firmware 28.39.1002"."""
    for card in named(root / "sys/class/infiniband"):
        firmware = said(card / "fw_ver")
        for port in named(card / "ports"):
            state = said(port / "state").rpartition(":")[2].strip()
            parts = [said(port / "link_layer"), state, said(port / "rate"), f"firmware {firmware}" if firmware else ""]
            yield f"{card.name}/{port.name} " + ", ".join(part for part in parts if part)


def _disks(root: Path) -> Iterator[str]:
    """Disks: "nvme0n1 SAMSUNG MZQL23T8, 3.84 TB, solid state"; what is only mapped or in memory is left out."""
    for path in named(root / "sys/block"):
        sectors = number(path / "size")
        if not sectors or not (path / "device").exists():
            continue
        # The kernel takes a disk that does not say for a turning one; behind a hypervisor none says.
        turning, hidden = said(path / "queue/rotational"), path.name.startswith(("vd", "xvd"))
        medium = "" if hidden else {"0": "solid state", "1": "rotational"}.get(turning, "")
        parts = [f"{path.name} {_model(path)}".strip(), show(sectors * 512, "bytes"), medium]
        yield ", ".join(part for part in parts if part)


def _model(disk: Path) -> str:
    words = [said(disk / "device/vendor"), said(disk / "device/model")]
    return " ".join(word for word in words if word and not word.startswith("0x"))


def filesystem(root: Path, folder: Path) -> tuple[str | None, str | None]:
    """Type and options of the file system that a folder is on, and what it is mounted from (proc_pid_mountinfo(5))."""
    best: tuple[int, str, str] | None = None
    where = str(folder)
    for line in said(root / "proc/self/mountinfo").splitlines():
        words, _, rest = line.partition(" - ")
        mounted, told = words.split(), rest.split()
        if len(mounted) < 6 or len(told) < 2:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), mounted[4])
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and (best is None or len(point) >= best[0]):  # of two on one point the later one is seen
            wide = [option for option in (told[2] if len(told) > 2 else "").split(",") if OPTIONS.fullmatch(option)]
            best = (len(point), f"{told[0]} ({','.join([mounted[5], *wide])})", told[1])
    return (best[1], best[2]) if best else (None, None)
