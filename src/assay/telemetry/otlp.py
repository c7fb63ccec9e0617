"""Snapshots to an OpenTelemetry collector: OTLP over HTTP, in its JSON encoding.

The encoding is protobuf's JSON mapping with OTLP's own rules: keys in camelCase, enumerations as numbers, 64-bit whole
numbers as text (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from assay.errors import InputError, MeasureError, inert
from assay.machine import Device
from assay.telemetry import names, web
from assay.telemetry.reading import Snapshot

PATH = "/v1/metrics"
_CUMULATIVE = 2  # AGGREGATION_TEMPORALITY_CUMULATIVE
_AGAIN = (429, 502, 503, 504)  # "try again later" (OTLP, failures): the next snapshot is the next try
_HINTS = {
    401: "it wants a token: give a header",
    403: "the token is not allowed to write",
    404: f"give the whole address, with {PATH} or what stands there for it",
    415: "it takes no JSON: send to an OpenTelemetry collector",
}


class Starts:
    """When each counter began to count, as far as we saw: when watching began, or when it last fell back.

    A start must not move while a counter grows, or its receiver takes each push for a reset: keep one of these.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[float, str]] = {}

    def of(self, key: tuple[str, str], value: float, began: str, now: str) -> str:
        """The start of a counter that stands at this value now; `began` counts when it is seen for the first time."""
        last, start = self._seen.get(key, (-math.inf, began))
        start = now if value < last else start
        self._seen[key] = value, start
        return start


def push(
    snapshot: Snapshot, endpoint: str, starts: Starts, *, headers: Mapping[str, str] | None = None,
    timeout_s: float = 10.0,
) -> str:  # fmt: skip
    """Send a snapshot to an OTLP/HTTP endpoint such as http://localhost:4318; says what was refused, "" if nothing was.

    MeasureError when it was not taken: it is not sent again, the next snapshot holds newer values of the same.
    """
    place, credentials = web.address(endpoint)
    place = place if place.endswith(PATH) else place + PATH
    body = json.dumps(payload(snapshot, time.monotonic(), time.time(), starts), allow_nan=False)
    told = {"Content-Type": "application/json", "Content-Encoding": "gzip", **credentials, **(headers or {})}
    answer = web.ask(place, headers=told, body=web.packed(body.encode(errors="replace")), timeout_s=timeout_s)
    said = answer.json if isinstance(answer.json, dict) else {}
    if answer.status in _AGAIN:
        what = f"the receiver is busy (HTTP {answer.status}); these values are lost, counters lose nothing"
        raise MeasureError(what, where=place, hint="push less often if this goes on")
    if answer.status // 100 != 2:
        reason = f": {said['message']}" if isinstance(said.get("message"), str) else ""
        error = InputError if answer.status in _HINTS else MeasureError
        hint = _HINTS.get(answer.status, "look into the receiver's log")
        raise error(f"the receiver refused it (HTTP {answer.status}){reason}", where=place, hint=hint)
    return _refused(said.get("partialSuccess"))


def payload(snapshot: Snapshot, now_s: float, wall_s: float, starts: Starts) -> dict[str, Any]:
    """A snapshot as an ExportMetricsServiceRequest, without the devices that have stopped answering.

    `now_s` and `wall_s` are one moment, on the monotonic clock and on the wall's.
    """
    fresh = snapshot.fresh(now_s)
    about = {d.id: _attributes(d) for d in snapshot.devices if d.id in fresh}
    points: dict[str, list[dict[str, Any]]] = {}
    known: dict[str, str] = {}
    for of, metric, value, _ in snapshot.readings:
        if of not in about or not math.isfinite(value):
            continue
        exported = names.exported(metric)
        now = _nanoseconds(snapshot.at_s[of] - now_s + wall_s)
        point = {"attributes": _values(exported.attributes) + about[of], "timeUnixNano": now, "asDouble": value}
        if exported.shape == "counter":
            began = _nanoseconds(snapshot.began_s - now_s + wall_s)
            point["startTimeUnixNano"] = starts.of((of, metric), value, began, now)
        known[exported.otel] = metric
        points.setdefault(exported.otel, []).append(point)
    resource = {
        "host.name": snapshot.host,
        "service.name": "assay",
        "service.instance.id": snapshot.host,  # becomes Prometheus' instance
        "service.version": version("assay"),
    }
    told = [_metric(known[name], taken) for name, taken in points.items()]
    scope: dict[str, Any] = {"scope": {"name": "assay", "version": resource["service.version"]}, "metrics": told}
    return {"resourceMetrics": [{"resource": {"attributes": _values(resource)}, "scopeMetrics": [scope]}]}


def _metric(name: str, points: list[dict[str, Any]]) -> dict[str, Any]:
    known = names.exported(name)
    head = {"name": known.otel, "unit": known.unit, "description": names.meaning(name)}
    if known.shape == "gauge":
        return head | {"gauge": {"dataPoints": points}}
    told = {"aggregationTemporality": _CUMULATIVE, "isMonotonic": known.shape == "counter", "dataPoints": points}
    return head | {"sum": told}


def _attributes(device: Device) -> list[dict[str, Any]]:
    return _values(names.attributes(device))


def _values(told: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in told.items()]


def _nanoseconds(wall_s: float) -> str:
    return str(round(wall_s * 1e9))


def _refused(partial: Any) -> str:
    """What an otherwise happy receiver did not take; a count of 0 with a text is a warning."""
    if not isinstance(partial, dict):
        return ""
    count, text = str(partial.get("rejectedDataPoints", "0")), inert(str(partial.get("errorMessage", "")))
    if count in ("", "0"):
        return text
    return f"{count} values were refused: {text or 'no reason given'}"
