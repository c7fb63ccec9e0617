"""What sensors said, on disk: the sampler's journal while it is open, an hour a Parquet file afterwards.

Rows are sorted by metric, device and time, so that a question about one metric of a day reads a twentieth of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.journal import Reader, Tick
from assay.machine import Device
from assay.run import Event
from assay.series import Series, series
from assay.store.database import PARQUET, database, quoted
from assay.store.folders import OPEN, TELEMETRY, folder_of

JOURNALS = "telemetry-*.jsonl"
_ROWS = "device VARCHAR, metric VARCHAR, quality VARCHAR, at_ms BIGINT, value DOUBLE"
_LATEST_S, _LARGEST = 1e10, 1e300  # three hundred years; what a float holds (NaN is below neither)

Rows = dict[tuple[str, str, str], tuple[list[int], list[float]]]  # (device, metric, quality) -> milliseconds, values


def compact(folder: Path, *, all: bool = False) -> tuple[tuple[Device, ...], tuple[Event, ...]]:  # noqa: A002
    """Turn journals that are no longer written (or all, once the sampler has ended) into Parquet.

    Returns the devices and events they told of. Raises OSError; the journal is removed only when its Parquet is whole.
    """
    found = journals(folder)
    told: dict[str, Device] = {}
    events: list[Event] = []
    for path in found if all else found[:-1]:
        rows, devices, happened = read_journal(path)
        target = folder / TELEMETRY / f"{path.stem.removeprefix('telemetry-')}.parquet"
        if rows:
            target.parent.mkdir(exist_ok=True)
            _write(rows, target)
        told |= {d.id: d for d in devices}
        events += happened
        path.unlink()
    return tuple(told.values()), tuple(events)


def journals(folder: Path) -> list[Path]:
    """The journals of an open run, oldest first; the sampler may still be writing the last."""
    return sorted((folder / OPEN).glob(JOURNALS))


def read_journal(path: Path) -> tuple[Rows, list[Device], list[Event]]:
    """Everything one journal says."""
    rows: Rows = {}
    devices: list[Device] = []
    events: list[Event] = []
    reader = Reader()
    with path.open("rb") as lines:
        for line in lines:
            said = reader.take(line) if line.endswith(b"\n") else None
            if isinstance(said, Tick):
                _add(rows, said)
            elif isinstance(said, Device):
                devices += [said] if isinstance(said.id, str) else []
            elif said is not None and _a_moment(said.at_s):
                events.append(said)
    return rows, devices, events


def _a_moment(at_s: object) -> bool:
    """Whether a line's time is one: a line that somebody wrote into the journal must not make the rest unreadable."""
    return isinstance(at_s, (int, float)) and abs(at_s) < _LATEST_S


def _add(rows: Rows, tick: Tick) -> None:
    if not _a_moment(tick.at_s):
        return
    at_ms = round(tick.at_s * 1000)
    for (metric, quality), value in zip(tick.columns, tick.values, strict=False):
        if isinstance(value, (int, float)) and abs(value) < _LARGEST:
            times, values = rows.setdefault((str(tick.of), str(metric), str(quality)), ([], []))
            times.append(at_ms)
            values.append(value)


def telemetry(
    path: Path | str, *, metrics: Iterable[str] | None = None, devices: Iterable[str] | None = None,
    between: tuple[float, float] | None = None,
) -> tuple[Series, ...]:  # fmt: skip
    """What sensors said in a run, as series; all of it, or some metrics, devices, or a stretch of its seconds."""
    folder = folder_of(path)
    where = _where(metrics, devices, between)
    columns = 'device, metric, quality, list(at_ms ORDER BY at_ms), list("value" ORDER BY at_ms)'
    sql = f"SELECT {columns} FROM readings {where} GROUP BY device, metric, quality ORDER BY metric, device"
    return tuple(
        series(str(of), str(metric), _seconds(at_ms), value, quality=quality)
        for of, metric, quality, at_ms, value in _ask(folder, sql)
    )


def _seconds(at_ms: Any) -> Any:
    import numpy as np

    return np.asarray(at_ms) / 1e3


# What is asked of a day of readings most: the name of the question -> SQL over `readings`.
_QUESTIONS = {
    "by device": (
        "SELECT device, count(*) AS readings, avg(value) AS mean, quantile_cont(value, 0.5) AS p50, "
        "quantile_cont(value, 0.99) AS p99, min(value) AS least, max(value) AS most FROM readings {where} "
        "GROUP BY device ORDER BY device"
    ),
    "by hour": (
        "SELECT device, at_ms // 3600000 AS hour, avg(value) AS mean, min(value) AS least, max(value) AS most "
        "FROM readings {where} GROUP BY device, hour ORDER BY device, hour"
    ),
    "share below": (
        "SELECT device, avg(CASE WHEN value < {limit} THEN 1.0 ELSE 0.0 END) AS share FROM readings {where} "
        "GROUP BY device ORDER BY device"
    ),
    "growth": (
        "SELECT device, sum(greatest(step, 0)) AS grown, count(*) FILTER (step < 0) AS resets FROM (SELECT device, "
        "value - lag(value) OVER (PARTITION BY device ORDER BY at_ms) AS step FROM readings {where}) GROUP BY device "
        "ORDER BY device"
    ),
}  # fmt: skip


def questions(
    path: Path | str, ask: str, metric: str, *, between: tuple[float, float] | None = None, limit: float = 0.05
) -> list[dict[str, Any]]:
    """A built-in question about one metric: "by device", "by hour", "share below" a limit, "growth" of a counter."""
    if ask not in _QUESTIONS:
        raise InputError(f'"{ask}" is not a built-in question', hint=f"known: {', '.join(_QUESTIONS)}")
    sql = _QUESTIONS[ask].format(where=_where([metric], None, between), limit=float(limit))
    return _ask(folder_of(path), sql, named=True)


def _where(
    metrics: Iterable[str] | None, devices: Iterable[str] | None, between: tuple[float, float] | None
) -> str:  # fmt: skip
    terms = [f"{name} IN ({', '.join(map(quoted, values))})"
             for name, values in (("metric", metrics), ("device", devices)) if values is not None]  # fmt: skip
    if between is not None:
        terms.append(f"at_ms BETWEEN {round(between[0] * 1000)} AND {round(between[1] * 1000)}")
    return f"WHERE {' AND '.join(terms)}" if terms else ""


def _ask(folder: Path, sql: str, *, named: bool = False) -> list[Any]:
    parts = sorted((folder / TELEMETRY).glob("*.parquet"))
    try:
        with database(threads=2) as connection:
            _readings(connection, folder, parts)
            found = connection.execute(sql)
            names = [column[0] for column in found.description]
            rows = found.fetchall()
        return [dict(zip(names, row, strict=True)) for row in rows] if named else rows
    except OSError as error:
        what = f"these are not the readings of a run: {error.strerror}"
        raise InputError(what, where=str(folder / TELEMETRY), hint="fetch the whole run folder again") from None


def _readings(connection: Any, folder: Path, parts: Sequence[Path]) -> None:
    """One view over the closed hours and, of an open run, the journal."""
    sources = [f"SELECT * FROM read_parquet([{', '.join(map(quoted, parts))}])"] if parts else []
    rows: Rows = {}
    for path in journals(folder):
        for key, (times, values) in read_journal(path)[0].items():
            kept = rows.setdefault(key, ([], []))
            kept[0].extend(times)
            kept[1].extend(values)
    if rows or not sources:
        connection.execute(f"CREATE TEMP TABLE journal ({_ROWS})")
        _fill(connection, rows)
        sources.append("SELECT * FROM journal")
    connection.execute(f"CREATE TEMP VIEW readings AS {' UNION ALL '.join(sources)}")


def _fill(connection: Any, rows: Rows) -> None:
    """Series after series, each sorted by time already."""
    import numpy as np

    for (device, metric, quality), (times, values) in sorted(rows.items(), key=lambda row: (row[0][1], row[0][0])):
        batch = {"at_ms": np.array(times, dtype=np.int64), "value": np.array(values, dtype=np.float64)}
        connection.register("batch", batch)
        names = ", ".join(map(quoted, (device, metric, quality)))
        connection.execute(f'INSERT INTO journal SELECT {names}, at_ms, "value" FROM batch')
        connection.unregister("batch")


def put(folder: Path, found: Iterable[Series]) -> None:
    """Keep series that came from elsewhere, a file a metric. Raises OSError."""
    for number, (metric, members) in enumerate(groupby(found, key=lambda s: s.metric), start=1):
        rows = {(s.of, metric, str(s.quality)): ((s.at_s * 1000).round().tolist(), s.value.tolist()) for s in members}
        (folder / TELEMETRY).mkdir(exist_ok=True)
        _write(rows, folder / TELEMETRY / f"imported-{number:06d}.parquet")


def _write(rows: Rows, target: Path) -> None:
    """Whole or not at all."""
    draft = target.with_suffix(".part")
    with database() as connection:
        connection.execute(f"CREATE TEMP TABLE journal ({_ROWS})")
        _fill(connection, rows)
        connection.execute(f"COPY journal TO {quoted(draft)} ({PARQUET})")
    draft.replace(target)
