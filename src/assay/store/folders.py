"""Where runs lie: folders under one root, found by path, by name or by the beginning of their id."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from assay.errors import AssayError, InputError

_SUCH = "name a folder that assay measure made, such as runs/20261126T021400Z-gemm-1a2b3c4d"
HEAD, SAMPLES, LOG, TELEMETRY, OPEN = "run.json", "samples.parquet", "log.txt", "telemetry", "open"


def prepare(root: Path | str = "runs") -> Path:
    """The folder for runs, made if need be and proven writable: better before a measurement than after it."""
    root = Path(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            return root
    except OSError as error:
        raise cannot(root, error, "nothing can be kept here") from None


def find(name: Path | str, root: Path | str = "runs") -> Path:
    """The folder of a run given by path, by its folder's name under `root`, or by the beginning of its id."""
    if Path(name).exists():
        return Path(name)
    named = [p for p in list_runs(root) if p.name == str(name)]
    by_id = [p for p in list_runs(root) if len(str(name)) >= 4 and p.name.rpartition("-")[2].startswith(str(name)[:8])]
    found = named or by_id
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} runs begin like that" if found else "there is no run here"
    known = ", ".join(p.name for p in (found or list_runs(root))[-3:]) or "none yet; try assay measure launch"
    raise InputError(what, where=str(name), hint=f"runs in {root}: {known}")


def list_runs(root: Path | str = "runs") -> tuple[Path, ...]:
    """The folders of all runs under `root`, oldest first; empty where there are none."""
    root = Path(root)
    if not root.is_dir():
        return ()
    return tuple(p for p in sorted(root.iterdir()) if not p.name.startswith(".") and (p / HEAD).is_file())


def folder_of(path: Path | str) -> Path:
    """The folder of a run, given it or the run.json in it."""
    path = Path(path)
    folder = path.parent if path.name == HEAD else path
    if not folder.is_dir() or not (folder / HEAD).is_file():
        below = [str(p) for p in sorted(path.iterdir()) if list_runs(p)] if path.is_dir() else []
        hint = f"there are runs in {', '.join(below[:4])}" if below else _SUCH
        raise InputError("there is no run here", where=str(path), hint=hint)
    return folder


def safe(name: str) -> str:
    """A name as part of a folder's.

    >>> safe("python train.py --lr 1e-3")
    'python-train-py-lr-1e-3'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].rstrip("-") or "run"


def cannot(root: Path, error: OSError, so: str) -> AssayError:
    """What the file system refused, in words, and what that means for the run."""
    reason = (error.strerror or str(error)).rstrip(".")
    return InputError(f"{reason}: {so}", where=str(root), hint="free some space, or name another folder with --out")
