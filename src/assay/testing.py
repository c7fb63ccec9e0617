"""For whoever writes a vendor's plug-in: does it keep to what all plug-ins have agreed on?

    from assay.testing import complaints

    def test_our_plugin_conforms():
        assert complaints("assay_acme", ["recordings/idle.jsonl", "recordings/busy.jsonl"]) == ()

A recording is made with `assay watch --record` on a machine that has the devices; see `assay.telemetry.recording`.
"""

from __future__ import annotations

import importlib
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from assay import metrics
from assay.series import Quality
from assay.telemetry.plugins import PARTS
from assay.telemetry.reading import Raw, Reading, about, blank, events, warnings
from assay.telemetry.recording import opened

PROBE_S = 0.05
HOTTEST = {"accel.temp.margin_celsius": (-50.0, 150.0)}  # degrees left may be less than none
MOST_W, MOST_HZ, OVER_LIMIT = 5000.0, 1e10, 1.3  # a power limit holds on the average, not at every instant


def complaints(plugin: str | Any, recordings: Iterable[str | Path] = ()) -> tuple[str, ...]:
    """What is wrong with a plug-in, given as a module or by its name; nothing when it conforms."""
    module = importlib.import_module(plugin) if isinstance(plugin, str) else plugin
    missing = [part for part in PARTS if not hasattr(module, part)]
    if missing:
        return (f"it has no {', '.join(missing)}",)
    found = [*_tables(module), *_imports(module.__name__), *_probe(module)]
    for path in recordings:
        found += [f"{Path(path).name}: {text}" for text in _recording(module, Path(path))]
    return tuple(found)


def _tables(module: Any) -> Iterator[str]:
    known = {**metrics.group("device"), **metrics.group("host")}
    named = [*((field.path, field.metric) for field in module.FIELDS),
             *((name, told.metric) for name, told in module.PROMETHEUS.items())]  # fmt: skip
    yield from (
        f'"{where}" leads to "{name}", which is no metric of a device or host'
        for where, name in named
        if name not in known
    )
    for told in (*module.FIELDS, *module.PROMETHEUS.values()):
        if told.metric in known and (known[told.metric].kind == "counter") != (told.quality == "counter"):
            yield f'{told.metric}: its quality cannot be "{told.quality}"'


def _imports(name: str) -> Iterator[str]:
    """Whoever lists the plug-ins imports all of them: an SDK, or anything else large, waits until it is needed."""
    code = f"import sys, assay.telemetry.reading; b = set(sys.modules); import {name}; print(*(set(sys.modules) - b))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"it cannot be imported alone: {done.stderr.strip().splitlines()[-1]}"
    own = {name.partition(".")[0], "assay", *sys.stdlib_module_names}
    foreign = sorted({module.partition(".")[0] for module in done.stdout.split()} - own)
    if foreign:
        yield f"importing it imports {', '.join(foreign)}: do that in `read`"


def _probe(module: Any) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        spent_s = math.inf
        for _ in range(3):
            began_s = time.perf_counter()
            found = module.probe(Path(folder), {})
            spent_s = min(spent_s, time.perf_counter() - began_s)
    if found:
        yield f"`probe` finds {len(found)} devices where there is nothing"
    if spent_s > PROBE_S:
        yield f"`probe` takes {1e3 * spent_s:.0f} ms where there is nothing"


def _recording(module: Any, path: Path) -> Iterator[str]:
    told, answers = opened(path)
    if told["vendor"] != module.NAME:
        yield f'it is of "{told["vendor"]}", not of "{module.NAME}"'
    described: set[str] = set()
    before: dict[tuple[str, str], float] = {}
    limits: dict[str, float] = {}
    last_s = -math.inf
    for at_s, raw in answers:
        if at_s <= last_s:
            yield f"{at_s} s: time does not go on"
        last_s = at_s
        try:
            described |= {device.id for device in about(raw)}
            found = [
                *_answer(module, raw, described, limits),
                *_counters(module.normalise(raw), before),
                *_silent(module, raw),
            ]
        except Exception as error:  # the plug-in's own
            found = [f"it fails with {type(error).__name__}: {error}"]
        yield from (f"{at_s} s: {text}" for text in found)


def _silent(module: Any, raw: Raw) -> Iterator[str]:
    """A sensor that says nothing gives no reading, and never 0: whatever stands in its place."""
    for what, instead in ALTERED.items():
        for of, metric, value, _ in module.normalise(_altered(raw, instead)):
            yield f"{metric} of {of} reads {value} from {what}"
            return


def _answer(module: Any, raw: Raw, described: set[str], limits: dict[str, float]) -> Iterator[str]:
    readings = list(module.normalise(raw))
    warnings(raw), events(raw, 0.0)
    if list(module.normalise(raw)) != readings:
        yield "the same answer is not read alike twice"
    if json.loads(json.dumps(raw)) != raw:
        yield "the answer is more than JSON can hold"
    limits |= {r.of: r.value for r in readings if r.metric == "accel.power.limit_w"}
    seen: set[tuple[str, str]] = set()
    sizes = {r.of: r.value for r in readings if r.metric == "accel.mem.total_bytes"}
    for reading in readings:
        of, metric, value, _ = reading
        if of not in described:
            yield f"{of} was not described in `about`"
        if (of, metric) in seen:
            yield f"{metric} of {of} is told twice"
        seen.add((of, metric))
        if metric == "accel.mem.used_bytes" and value > sizes.get(of, math.inf) * 1.001:
            yield f"{of} uses more memory than it has"
        yield from _value(reading, limits.get(of))


def _value(reading: Reading, limit_w: float | None) -> Iterator[str]:
    of, name, value, quality = reading
    metric = metrics.known().get(name)
    if metric is None or metric.group not in ("device", "host"):
        yield f'"{name}" is no metric of a device or host'
        return
    if quality not in get_args(Quality) or (metric.kind == "counter") != (quality == "counter"):
        yield f'{name} of {of}: its quality cannot be "{quality}"'
    if not math.isfinite(value) or blank(value):
        yield f"{name} of {of}: {value} is a driver's way of saying nothing"
    lowest, highest = _bounds(metric, limit_w)
    if not lowest <= value <= highest:
        yield f"{name} of {of}: {value} is not within {lowest:g} and {highest:g}"


def _bounds(metric: metrics.Metric, limit_w: float | None) -> tuple[float, float]:
    if metric.unit == "celsius":
        return HOTTEST.get(metric.name, (-20.0, 130.0))
    if metric.unit == "w":
        return 0.0, OVER_LIMIT * limit_w if limit_w else MOST_W
    if metric.unit == "hz":
        return 0.0, MOST_HZ
    counts = ("accel.event.code", "accel.processes", "host.load")
    is_share = not metric.unit and metric.kind in ("gauge", "state") and metric.name not in counts
    return 0.0, 1.0 if is_share else math.inf


def _counters(readings: Iterable[Reading], before: dict[tuple[str, str], float]) -> Iterator[str]:
    for of, metric, value, quality in readings:
        if quality == "counter":
            if value < before.get((of, metric), -math.inf):
                yield f"{metric} of {of} falls from {before[of, metric]} to {value}"
            before[of, metric] = value


ALTERED = {
    "N/A": "N/A",
    "null": None,
    "an empty text": "",
    "a blank of 64 bits": 9223372036854775794,
    "a blank in floating point": 140737488355328.0,
}
KEPT = ("id", "vendor")


def _altered(value: Any, instead: Any, key: str = "") -> Any:
    """The same answer with something else for each of its values."""
    if isinstance(value, dict):
        return {k: _altered(inner, instead, k) for k, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_altered(inner, instead, key) for inner in value]
    return value if key in KEPT else instead
