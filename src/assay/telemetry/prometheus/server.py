"""A Prometheus server, or what answers like one (Thanos, Mimir, VictoriaMetrics): its names, and its samples by pages.

`query=metric[window]` returns samples as they were scraped, where query_range would resample them. VictoriaMetrics
keeps its own behind /api/v1/export, so that is asked where it answers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from assay.errors import InputError, MeasureError
from assay.telemetry import web

FIRST_MS = 300_000  # the first page: later ones follow how dense the samples turn out to be
MOST_MS = 86_400_000
LEAST_MS = 1_000
PAGE = 50_000  # samples that a page should hold: some megabytes of JSON
_API = "/api/v1"
_WORDS = 200  # letters of somebody else's error that are repeated


class Scraped(NamedTuple):
    """Samples of one series, oldest first; times in milliseconds since 1970, as Prometheus keeps them."""

    labels: Mapping[str, str]
    at_ms: list[int]
    value: list[float]


class Server:
    """One server: where it is, what to say to it, and which dialect it speaks."""

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 30.0) -> None:
        self.url, credentials = web.address(url)
        self.url = self.url.removesuffix(_API)
        self.warnings: dict[str, None] = {}  # what the server itself said of its answers, each once
        self._headers = {**credentials, **(headers or {})}
        self._timeout_s = timeout_s
        self._exports = self._has_export()

    def names(self, start_ms: int, end_ms: int, match: str = "") -> list[str]:
        """Every metric name there was in a time, of the series that match."""
        told = {"start": _seconds(start_ms), "end": _seconds(end_ms)} | ({"match[]": f"{{{match}}}"} if match else {})
        found = self._data("/label/__name__/values", told)
        if not isinstance(found, list):
            raise self._strange("names are no list")
        return [name for name in found if isinstance(name, str)]

    def pages(self, selector: str, start_ms: int, end_ms: int) -> Iterator[list[Scraped]]:
        """The samples of a selector from start to end, both included, page after page in the order of time."""
        low, width = start_ms - 1, FIRST_MS
        while low < end_ms:
            high = min(low + width, end_ms)
            try:
                page = [_within(one, low, high) for one in self._page(selector, low, high)]
            except web.TooMuch:
                if width <= LEAST_MS:
                    raise
                width = max(width // 2, LEAST_MS)
                continue
            yield [one for one in page if one.at_ms]
            held = sum(len(one.at_ms) for one in page)
            width = max(LEAST_MS, min(MOST_MS, 4 * width, width * PAGE // max(held, 1)))
            low = high

    def _page(self, selector: str, low: int, high: int) -> Iterable[Scraped]:
        try:
            return list(self._exported(selector, low, high) if self._exports else self._queried(selector, low, high))
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise self._strange(f"{type(error).__name__} in its samples") from None

    def _queried(self, selector: str, low: int, high: int) -> Iterator[Scraped]:
        told = {"query": f"{selector}[{high - low}ms]", "time": _seconds(high)}
        for series in self._data("/query", told)["result"]:
            rows = series.get("values", ())  # a native histogram has none
            at_ms, value = [round(at * 1000) for at, _ in rows], [float(value) for _, value in rows]
            yield Scraped(_labels(series["metric"]), at_ms, value)

    def _exported(self, selector: str, low: int, high: int) -> Iterator[Scraped]:
        answer = self._ask("/export", {"match[]": selector, "start": _seconds(low), "end": _seconds(high)})
        if answer.status != 200:
            self._refuse(answer)
        for line in answer.body.splitlines():
            row = json.loads(line)
            value = [math.nan if value is None else float(value) for value in row["values"]]
            yield Scraped(_labels(row["metric"]), [int(at) for at in row["timestamps"]], value)

    def _has_export(self) -> bool:
        """Whether it is VictoriaMetrics: asked for the samples of a time when there were none, that answers nothing."""
        answer = self._ask("/export", {"match[]": '{__name__="assay_up"}', "start": "0", "end": "1"})
        return answer.status == 200 and not answer.body.strip()

    def _ask(self, path: str, told: Mapping[str, str]) -> web.Answer:
        return web.ask(self.url + _API + path, query=told, headers=self._headers, timeout_s=self._timeout_s)

    def _data(self, path: str, told: Mapping[str, str]) -> Any:
        answer = self._ask(path, told)
        raw = answer.json
        if answer.status != 200 or not isinstance(raw, dict) or raw.get("status") != "success":
            self._refuse(answer)
        warnings = raw.get("warnings")
        self.warnings |= {str(text)[:_WORDS]: None for text in warnings} if isinstance(warnings, list) else {}
        return raw.get("data")

    def _refuse(self, answer: web.Answer) -> NoReturn:
        """Say why an answer is none."""
        raw = answer.json
        raw = raw if isinstance(raw, dict) else {}
        kind, text = str(raw.get("errorType", "")), str(raw.get("error", ""))[:_WORDS]
        told = f"{text} ({kind or 'HTTP'}, {answer.status})" if text else f"HTTP {answer.status}"
        if answer.status in (401, 403):
            hint = 'give --header "Authorization: Bearer TOKEN"'
            raise InputError(f"the server wants to know who asks: {told}", where=self.url, hint=hint)
        if answer.status in (413, 422, 504) or kind in ("timeout", "execution"):
            hint = "ask for a shorter time, or for fewer series with --match"
            raise web.TooMuch(f"the server cannot answer so much at once: {told}", where=self.url, hint=hint)
        if answer.status >= 500:
            raise MeasureError(f"the server failed: {told}", where=self.url, hint="look into its log, or try again")
        if kind == "bad_data":
            raise InputError(f"the server does not understand this: {told}", where=self.url, hint="check --match")
        what = f"what answers here is not a Prometheus server: {told}"
        if _page_for_people(answer):
            what = f"a web page answers here instead of a Prometheus server: {told}"
        hint = "is a path missing, such as /prometheus, or a token (--header)?"
        raise InputError(what, where=self.url, hint=hint)

    def _strange(self, why: str) -> MeasureError:
        what = f"what answers here is not like Prometheus: {why}"
        return MeasureError(what, where=self.url, hint="is it a server of another kind?")


def selector(name: str, labels: Mapping[str, str] | None = None, match: str = "") -> str:
    """PromQL for the series of a name with certain labels, and what the user wants of them besides.

    >>> selector("up", {"job": "a"}, 'cluster=~"x.*"')
    '{__name__="up",job="a",cluster=~"x.*"}'
    """
    exact = {"__name__": name, **(labels or {})}
    told = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in exact.items()]
    return "{" + ",".join([*told, match] if match else told) + "}"


def _labels(told: Mapping[object, object]) -> Mapping[str, str]:
    return {str(key): str(value) for key, value in told.items()}


def _within(one: Scraped, low: int, high: int) -> Scraped:
    """Only what lies after `low`: older servers include it, newer ones do not."""
    kept = [i for i, at in enumerate(one.at_ms) if low < at <= high]
    if len(kept) == len(one.at_ms):
        return one
    return Scraped(one.labels, [one.at_ms[i] for i in kept], [one.value[i] for i in kept])


def _seconds(at_ms: int) -> str:
    return f"{at_ms // 1000}.{at_ms % 1000:03d}"


def _page_for_people(answer: web.Answer) -> bool:
    return "html" in answer.kind or answer.body.lstrip()[:1] == b"<"
