"""The page a Prometheus server reads: the last complete snapshot as text, by our own names or by dcgm-exporter's.

Values carry no time, so that the reader puts its own on them and notices when one stops coming. A device that has not
answered for three periods is left out: a last value that stays on a page is how a dead driver looks healthy.
"""

from __future__ import annotations

import errno
import math
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Literal

from assay.errors import InputError, MeasureError
from assay.machine import Device
from assay.telemetry import names as outside
from assay.telemetry.reading import Snapshot

Names = Literal["canonical", "dcgm"]

KIND = "text/plain; version=0.0.4; charset=utf-8"  # the exposition format that every Prometheus reads
PATIENCE_S = 30.0  # a reader that is silent for so long is let go
_HOME = b"<!doctype html><title>Assay</title><p>Assay watches the devices of this host: <a href=/metrics>metrics</a>"
_UNQUOTED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
Line = tuple[str, str, str, float]  # a family, the head it begins with, the labels of one of its series, its value
_USED, _TOTAL = "accel.mem.used_bytes", "accel.mem.total_bytes"


class Server:
    """An exporter that answers until it is closed; as a context manager it closes itself."""

    def __init__(self, listener: ThreadingHTTPServer) -> None:
        self._listener = listener
        host, self.port = str(listener.server_address[0]), int(listener.server_address[1])
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}/metrics"
        self._thread = threading.Thread(target=listener.serve_forever, args=(0.1,), name="exporter", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering and give the port back."""
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(
    snapshot: Callable[[], Snapshot | None], *, host: str = "127.0.0.1", port: int = 9400, names: Names = "canonical"
) -> Server:
    """Show what `snapshot` returns at http://HOST:PORT/metrics, from a thread of its own; port 0 takes a free one.

    `snapshot` is called once a scrape and returns the last complete round of readings, None before the first.
    """
    if names not in ("canonical", "dcgm"):
        raise InputError(f'there are no names "{names}"', hint="canonical or dcgm")
    where = f"{host}:{port}"
    try:
        return Server(_Listener((host, port), lambda: render(snapshot(), time.monotonic(), names)))
    except OverflowError:
        raise InputError("a port is a number up to 65535", where=where, hint="9400 is usual") from None
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        what = "something listens there already" if taken else f"cannot listen there: {error.strerror or error}"
        raise MeasureError(what, where=where, hint="name another port" if taken else "name a port over 1023") from None


def render(snapshot: Snapshot | None, now_s: float, names: Names = "canonical") -> str:
    """A snapshot as Prometheus reads it; `now_s` is the monotonic clock's, and decides what is too old to be shown."""
    heads: dict[str, str] = {}
    pages: dict[str, dict[str, str]] = {}
    for family, head, labels, value in _lines(snapshot, now_s, names):
        if math.isfinite(value):
            heads[family] = head
            pages.setdefault(family, {})[labels] = f"{family}{labels} {value!r}\n"
    return "".join(heads[family] + "".join(page.values()) for family, page in pages.items())


def _lines(snapshot: Snapshot | None, now_s: float, names: Names) -> Iterator[Line]:
    if snapshot is None:
        yield ("assay_up", _UP, "", 0.0)
        return
    fresh = snapshot.fresh(now_s)
    yield from _canonical(snapshot, fresh) if names == "canonical" else _dcgm(snapshot, fresh)
    yield from _itself(snapshot, fresh)


def _canonical(snapshot: Snapshot, fresh: frozenset[str]) -> Iterator[Line]:
    about = {d.id: _about(d, snapshot.host) for d in snapshot.devices if d.id in fresh}
    for of, metric, value, _ in snapshot.readings:
        if of in about:
            family, head, opening = _known(metric)
            yield (family, head, opening + about[of], value)


def _dcgm(snapshot: Snapshot, fresh: frozenset[str]) -> Iterator[Line]:
    about = {of: _written(labels) for of, labels in outside.dcgm_labels(snapshot) if of in fresh}
    memory: dict[str, dict[str, float]] = {}
    for of, metric, value, _ in snapshot.readings:
        if of in about:
            for family, head, scale in _old(metric):
                yield (family, head, about[of], value / scale)
            if metric in (_USED, _TOTAL):
                memory.setdefault(of, {})[metric] = value
    free = outside.DCGM_FREE
    for of, known in memory.items():
        if len(known) == 2:
            head = _head(free.name, "device memory that is left", counter=False)
            yield (free.name, head, about[of], (known[_TOTAL] - known[_USED]) / free.scale)


def _itself(snapshot: Snapshot, fresh: frozenset[str]) -> Iterator[Line]:
    """What a reader must know of the exporter: without it a device that is silent looks like one that is not there."""
    host = _written({"host_name": snapshot.host})
    yield ("assay_up", _UP, host, float(bool(fresh)))
    for device in snapshot.devices:
        yield ("assay_device_up", _DEVICE_UP, "{" + _about(device, snapshot.host), float(device.id in fresh))


@cache
def _known(metric: str) -> tuple[str, str, str]:
    """The family of a metric, its head, and how its labels begin."""
    known = outside.exported(metric)
    head = _head(known.prometheus, outside.meaning(metric), counter=known.shape == "counter")
    opening = "".join(f'{outside.label(key)}="{value}",' for key, value in known.attributes.items())
    return known.prometheus, head, "{" + opening


@cache
def _old(metric: str) -> tuple[tuple[str, str, float], ...]:
    """The names that dcgm-exporter has for a metric, with their heads and scales."""
    known = outside.exported(metric)
    rows = outside.dcgm().get(metric, ())
    return tuple(
        (old.name, _head(old.name, known.meaning, counter=known.shape == "counter"), old.scale) for old in rows
    )


@lru_cache(maxsize=4096)
def _about(device: Device, host: str) -> str:
    """How the labels of every value of a device end."""
    told = {outside.label(key): value for key, value in outside.attributes(device).items()}
    return _written(told | {"host_name": host})[1:]


def _head(family: str, meaning: str, *, counter: bool) -> str:
    told = meaning.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {family} {told}\n# TYPE {family} {'counter' if counter else 'gauge'}\n"


def _written(labels: Mapping[str, str]) -> str:
    r"""Labels as the format wants them.

    >>> _written({"hw_name": 'a "big" one'})
    '{hw_name="a \\"big\\" one"}'
    """
    return "{" + ",".join(f'{name}="{value.translate(_UNQUOTED)}"' for name, value in labels.items()) + "}"


_UP = _head("assay_up", "1 while the readings of at least one device are of now", counter=False)
_DEVICE_UP = _head("assay_device_up", "1 while a device answers; 0: its values are not shown", counter=False)


class _Listener(ThreadingHTTPServer):
    """Answers each reader in a thread of its own; one that hangs holds nobody up."""

    daemon_threads = True

    def __init__(self, place: tuple[str, int], page: Callable[[], str]) -> None:
        self.address_family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        self.page = page
        super().__init__(place, _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server what this host is called, which may take seconds."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that hangs up is no error; anything else is, and keeps its traceback."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # a reader keeps its connection from one scrape to the next
    server_version = "assay"
    sys_version = ""
    timeout = PATIENCE_S
    server: _Listener

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._send(self.server.page().encode(errors="replace"), KIND)
        elif path == "/":
            self._send(_HOME, "text/html; charset=utf-8")
        else:
            self.send_error(HTTPStatus.NOT_FOUND, explain="only / and /metrics are here")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing of each scrape."""
