"""Samples on disk: lines while they are taken, columns once the run is closed. Both hold the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.series import Series, series
from assay.store.database import PARQUET, database, quoted

LINES = "samples.csv"
COLUMNS = ("case", "metric", "rank", "index", "at_us", "warmup", "value")
_KINDS = ("VARCHAR", "VARCHAR", "INTEGER", "BIGINT", "BIGINT", "BOOLEAN", "DOUBLE")
_TYPES = "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in zip(COLUMNS, _KINDS, strict=True)) + "}"
_CASTS = [f'CAST("{name}" AS {kind})' for name, kind in zip(COLUMNS, _KINDS, strict=True)]
_CASTS[0] = f"coalesce({_CASTS[0]}, '')"  # the command as a whole has no name, which a CSV reads as nothing
_ROWS = ", ".join(f'{cast} AS "{name}"' for name, cast in zip(COLUMNS, _CASTS, strict=True))


def close(lines: Path, out: Path) -> None:
    """The lines of a run as Parquet, in the order they were taken. Raises OSError."""
    with database() as connection:
        connection.execute(f"COPY (SELECT {_ROWS} FROM {_csv(lines)}) TO {quoted(out)} ({PARQUET})")


def read(path: Path) -> tuple[Series, ...]:
    """The series of a closed run."""
    return _series(path, f"read_parquet({quoted(path)})")


def read_lines(path: Path) -> tuple[Series, ...]:
    """The series of a run that was not closed; the last line counts only if it is whole."""
    if not path.is_file():
        return ()
    whole = path.read_bytes()
    end = whole.rfind(b"\n") + 1
    if end == len(whole):
        return _series(path, _csv(path))
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".csv") as copy:
        copy.write(whole[:end])
        copy.flush()
        return _series(path, _csv(Path(copy.name)))


def _csv(path: Path) -> str:
    options = "header = false, auto_detect = false, delim = ',', quote = '\"', escape = '\"', parallel = false"
    return f"read_csv({quoted(path)}, columns = {_TYPES}, {options})"


def _series(path: Path, source: str) -> tuple[Series, ...]:
    if not path.is_file():
        hint = "fetch the whole run folder again"
        raise InputError("the samples of this run are missing", where=str(path), hint=hint)
    numbered = f"SELECT row_number() OVER () AS place, {_ROWS} FROM {source}"
    groups = (
        f'WITH rows AS ({numbered}) SELECT "case", metric, rank, list("index" ORDER BY place), '
        "list(at_us ORDER BY place), list(warmup ORDER BY place), list(value ORDER BY place), min(place) AS first "
        "FROM rows GROUP BY ALL ORDER BY first"
    )
    try:
        with database() as connection:
            found = connection.execute(groups).fetchnumpy() if path.stat().st_size else {}
            return _from(list(found.values()))
    except (OSError, ValueError) as error:
        what = f"these are not the samples of a run: {error.strerror if isinstance(error, OSError) else error}"
        raise InputError(what, where=str(path), hint="fetch the whole run folder again") from None


def _from(columns: Sequence[Any]) -> tuple[Series, ...]:
    import numpy as np

    if not columns:
        return ()
    return tuple(
        series(
            str(case), str(metric), np.asarray(at_us) / 1e6, value, index=index, warmup=warmup, rank=int(rank)
        )
        for case, metric, rank, index, at_us, warmup, value, _ in zip(*columns, strict=True)
    )  # fmt: skip
