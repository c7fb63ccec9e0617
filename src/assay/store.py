"""The store: runs as folders that are whole or not there, and never edited.

`runs/20261123T021400Z-matmul-1a2b3c4d/` holds `run.json` (all but the samples), `samples.parquet` (every reading) and
`log.jsonl` (what the probe said). The id is a hash of the contents, so a run that was changed is noticed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from assay.codec import decode, encode, read_json
from assay.errors import AssayError, InputError
from assay.run import SCHEMA, Run, Sample

_TEMPORARY = ".saving-"
_STALE_S = 3600.0
_COLUMNS = tuple(f.name for f in fields(Sample))


def save(run: Run, root: Path | str = "runs") -> Path:
    """Write a run under `root` and return its folder. Whatever happens, no half-written run is ever visible."""
    root = prepare(root)
    rows = [tuple(getattr(sample, name) for name in _COLUMNS) for sample in run.samples]
    head = {**encode(replace(run, samples=(), log=())), "samples": len(rows), "log": len(run.log)}
    head["id"] = _hash(head, rows, run.log)
    final = root / f"{re.sub(r'[^0-9TZ]', '', run.started[:19])}Z-{_safe(run.name)}-{head['id'][:8]}"
    if final.exists():
        return final  # the same contents: there is nothing to write
    temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=root))
    try:
        _put(temporary / "samples.parquet", lambda path: _write_samples(rows, path))
        _put(temporary / "log.jsonl", lambda path: _write(path, "".join(line + "\n" for line in run.log)))
        text = json.dumps(head, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        _put(temporary / "run.json", lambda path: _write(path, text))
        temporary.chmod(0o755)
        _sync(temporary)
        temporary.rename(final)
        _sync(root)
    except OSError as error:
        raise _cannot(root, error, "the run was not kept; earlier runs are untouched") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return final


def prepare(root: Path | str = "runs") -> Path:
    """The folder for runs, made if need be and proven writable: better before a measurement than after it."""
    root = Path(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        for left in root.glob(f"{_TEMPORARY}*"):  # what a killed process left behind, once nobody can be writing it
            if time.time() - left.stat().st_mtime > _STALE_S:
                shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryFile(dir=root):
            return root
    except OSError as error:
        raise _cannot(root, error, "nothing can be kept here") from None


def load(path: Path | str) -> Run:
    """A run from its folder (or the run.json in it), checked to be whole and as it was written."""
    path = Path(path)
    folder = path.parent if path.name == "run.json" else path
    if not folder.is_dir() or not (folder / "run.json").is_file():
        hint = "name a folder that assay measure made, such as runs/20261123T021400Z-matmul-1a2b3c4d"
        raise InputError("there is no run here", where=str(path), hint=hint)
    head = dict(read_json(folder / "run.json"))
    _readable(head, folder)
    rows = _read_samples(folder / "samples.parquet")
    log = tuple(_read(folder / "log.jsonl").split("\n")[:-1])
    if head.get("samples") != len(rows) or head.get("id") != _hash(head, rows, log):
        what = "this run is not as it was written: samples or settings were changed, or are missing"
        raise InputError(what, where=str(folder), hint="use the original, or measure again")
    # The two tables whose keys anybody may choose go round the codec, for which a key may mean a unit or a source.
    run = decode({**head, "samples": [], "log": [], "environment": {}, "settings": {}}, Run, str(folder / "run.json"))
    samples = tuple(Sample(**dict(zip(_COLUMNS, row, strict=True))) for row in rows)
    free = {key: _table(head, key, folder) for key in ("environment", "settings")}
    settings = {key: str(value) for key, value in free["settings"].items()}
    return replace(run, samples=samples, log=log, environment=free["environment"], settings=settings)


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
    known = ", ".join(p.name for p in (found or list_runs(root))[-3:]) or "none yet; try assay measure dispatch"
    raise InputError(what, where=str(name), hint=f"runs in {root}: {known}")


def list_runs(root: Path | str = "runs") -> tuple[Path, ...]:
    """The folders of all runs under `root`, oldest first; empty where there are none."""
    root = Path(root)
    if not root.is_dir():
        return ()
    return tuple(p for p in sorted(root.iterdir()) if not p.name.startswith(".") and (p / "run.json").is_file())


def _readable(head: dict[str, object], folder: Path) -> None:
    schema = head.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise InputError(
            '"schema" is missing: this is not a run', where=str(folder / "run.json"), hint="is it the right file?"
        )
    if schema > SCHEMA:
        what = f"written by a newer Assay (schema {schema}, this one reads {SCHEMA})"
        raise InputError(what, where=str(folder), hint="upgrade Assay")


def _table(head: dict[str, object], key: str, folder: Path) -> dict[str, object]:
    value = head.get(key, {})
    if not isinstance(value, dict):
        raise InputError(f'"{key}" must be a table', where=str(folder / "run.json"), hint="is it the right file?")
    return value


def _hash(head: dict[str, Any], rows: list[tuple[Any, ...]], log: tuple[str, ...]) -> str:
    body = {key: value for key, value in head.items() if key not in ("id", "log")}
    text = json.dumps([body, rows, log], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _put(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file and see it on the disk: a full disk may only show itself here."""
    write(path)
    _sync(path)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InputError(
            f"cannot be read: {reason}", where=str(path), hint="fetch the whole run folder again"
        ) from None


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_samples(rows: list[tuple[Any, ...]], path: Path) -> None:
    import duckdb
    import numpy as np

    kinds = {"value": float, "index": np.int64, "warmup": bool, "at_s": float}
    columns = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
    pairs = zip(_COLUMNS, columns, strict=True)
    table = {
        name: np.array(values, dtype=kinds.get(name, object)) for name, values in pairs
    }  # None becomes NaN, then NULL
    try:
        with _duckdb() as database:
            database.register("samples", table)
            database.execute(f"COPY (SELECT {_select()} FROM samples) TO '{_quoted(path)}' (FORMAT parquet)")
    except duckdb.Error as error:
        raise OSError(None, _reason(str(error)), str(path)) from None


def _reason(text: str) -> str:
    """What the operating system said, where DuckDB wraps it in words of its own."""
    known = (os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO))
    return next((words for words in known if words in text), text.splitlines()[0])


def _read_samples(path: Path) -> list[tuple[Any, ...]]:
    import duckdb

    hint = "fetch the whole run folder again"
    if not path.is_file():
        raise InputError("the samples of this run are missing", where=str(path), hint=hint)
    try:
        with _duckdb() as database:
            rows = database.execute(f"SELECT {_select()} FROM read_parquet('{_quoted(path)}')").fetchall()
            return [tuple(row) for row in rows]
    except duckdb.Error as error:
        what = f"these are not the samples of a run: {str(error).splitlines()[0]}"
        raise InputError(what, where=str(path), hint=hint) from None


def _select() -> str:
    kinds = {"value": "DOUBLE", "index": "BIGINT", "warmup": "BOOLEAN", "at_s": "DOUBLE"}
    return ", ".join(f'CAST("{name}" AS {kinds.get(name, "VARCHAR")}) AS "{name}"' for name in _COLUMNS)


def _duckdb() -> Any:
    """One thread, in memory, and no way to the network."""
    import duckdb

    return duckdb.connect(
        config={"threads": 1, "autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _safe(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "run"


def _cannot(root: Path, error: OSError, so: str) -> AssayError:
    reason = (error.strerror or str(error)).rstrip(".")
    return InputError(f"{reason}: {so}", where=str(root), hint="free some space, or name another folder with --out")
