"""A site to try exports and imports on: devices whose readings change with every look, and real servers that look."""

from __future__ import annotations

import json
import random
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest

from assay import metrics
from assay.machine import Device
from assay.telemetry.reading import Reading, Snapshot

AMD = tuple(
    Device(name="AMD Instinct MI300X", vendor="AMD", id=f"0x{i:016x}", address=f"0000:{i:02x}:00.0", driver="6.12")
    for i in (5, 6)
)
SLICE = Device(name='one "part" \\ of\nan MI300X, é\r', vendor="AMD", id="part-1", parent=AMD[0].id, partition="cpx 1")
HOST = Device(name="host", vendor="host", id="host")
HOSTNAME = "node-1"
TICK = "accel.event.code"  # tells in every view which look a value is from


class Fake:
    """Devices that say something new at each look, for a number of looks; `shown` is what they said."""

    def __init__(self, looks: int, devices: Sequence[Device] = (*AMD, SLICE, HOST)) -> None:
        self.looks, self.devices = looks, tuple(devices)
        self.shown: list[dict[tuple[str, str], float]] = []
        self._dice = random.Random(3)
        self._counters: dict[tuple[str, str], float] = {}
        self._began_s = time.monotonic()

    def __call__(self) -> Snapshot | None:
        """The next look; None when there are no more."""
        if len(self.shown) >= self.looks:
            return None
        tick = len(self.shown)
        said = {(device.id, name): self._value(device.id, name, tick) for device, name in self._sensors(tick)}
        self.shown.append(said)
        return self._snapshot(said)

    def _sensors(self, tick: int) -> Iterator[tuple[Device, str]]:
        for device in self.devices:
            for name in metrics.group("host" if device is HOST else "device"):
                late = name == "accel.temp.mem_celsius" and tick % 3 == 1  # a sensor that does not always answer
                if not late:
                    yield device, name

    def _value(self, of: str, name: str, tick: int) -> float:
        metric = metrics.metric(name)
        if name == TICK:
            return float(tick)
        if metric.kind == "counter":
            before = self._counters.get((of, name), self._dice.random() * 1e9)
            reset = name == "accel.energy_j" and tick == self.looks // 2
            self._counters[of, name] = 0.125 if reset else before + self._dice.random() * 1e3
            return self._counters[of, name]
        return self._dice.random() if not metric.unit else self._dice.random() * 1e9

    def _snapshot(self, said: dict[tuple[str, str], float]) -> Snapshot:
        now_s = time.monotonic()
        return Snapshot(
            host=HOSTNAME,
            devices=self.devices,
            readings=tuple(Reading(of, name, value, "instant") for (of, name), value in said.items()),
            at_s={device.id: now_s for device in self.devices},
            began_s=self._began_s,
            period_s=10.0,
        )


def free_port() -> int:
    """A port nobody has at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def program(name: str) -> str:
    """The path of a program, or the test is skipped for want of it."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed: apt-get install {name}")
    return path


@contextmanager
def prometheus(folder: Path, targets: dict[str, str], every: str = "400ms") -> Iterator[str]:
    """Debian's Prometheus, which scrapes each target (job → host:port); its address."""
    (folder / "prometheus.yml").write_text(_config(targets, every))
    port = free_port()
    command = [
        program("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with _running(command, f"http://127.0.0.1:{port}/-/ready") as url:
        yield url.removesuffix("/-/ready")


@contextmanager
def victoria(folder: Path, targets: dict[str, str], every: str = "400ms") -> Iterator[str]:
    """Debian's VictoriaMetrics, likewise."""
    (folder / "victoria.yml").write_text(_config(targets, every))
    port = free_port()
    command = [
        program("victoria-metrics"), f"-promscrape.config={folder}/victoria.yml", f"-storageDataPath={folder}/victoria",
        f"-httpListenAddr=127.0.0.1:{port}",
    ]  # fmt: skip
    with _running(command, f"http://127.0.0.1:{port}/health") as url:
        yield url.removesuffix("/health")


def _config(targets: dict[str, str], every: str) -> str:
    jobs = "".join(
        f'  - job_name: {job}\n    static_configs: [{{targets: ["{target}"]}}]\n' for job, target in targets.items()
    )
    return f"global: {{scrape_interval: {every}, scrape_timeout: {every}}}\nscrape_configs:\n{jobs}"


@contextmanager
def _running(command: list[str], ready: str) -> Iterator[str]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(ready, timeout=1).close()
                break
            except (OSError, urllib.error.URLError):
                assert process.poll() is None, f"{command[0]} ended at once"
                time.sleep(0.1)
        yield ready
    finally:
        process.terminate()
        process.wait(10)


def until(done: Callable[[], object], limit_s: float = 60.0) -> None:
    """Wait until `done()` is true, not much longer than that takes."""
    end_s = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < end_s, "it never happened"
        time.sleep(0.05)


class Asked(NamedTuple):
    """What a program asked a server of ours."""

    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes


class Said(NamedTuple):
    """What it is answered."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


@contextmanager
def answering(answer: Callable[[Asked], Said | None]) -> Iterator[str]:
    """A web server that answers as told, and hangs up on None; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            said = answer(Asked(parts.path, dict(parse_qsl(parts.query)), self.headers, body))
            self.close_connection = True
            if said is None:
                return
            self.send_response(said.status)
            for name, value in ({"Content-Length": str(len(said.body))} | dict(said.headers)).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Held(NamedTuple):
    """A series that a small Prometheus of ours holds: labels, and (seconds since 1970, value as text)."""

    labels: dict[str, str]
    rows: Sequence[tuple[float, str]]


def small_prometheus(held: Sequence[Held]) -> Callable[[Asked], Said]:
    """Answers like Prometheus from what it holds: names, and raw samples of a selector of exact labels."""

    def answer(asked: Asked) -> Said:
        if asked.path.endswith("/label/__name__/values"):
            return success(sorted({one.labels["__name__"] for one in held}))
        if not asked.path.endswith("/query"):
            return Said(404, b"404 page not found\n")
        wanted, window_ms = re.fullmatch(r"\{(.*)\}\[(\d+)ms\]", asked.query["query"]).groups()  # type: ignore[union-attr]
        exact = dict(re.findall(r'(\w+)="([^"]*)"', wanted))
        end_s = float(asked.query["time"])
        begin_s = end_s - int(window_ms) / 1000
        found = [one for one in held if all(one.labels.get(key, "") == value for key, value in exact.items())]
        result = [
            {"metric": one.labels, "values": [[at, value] for at, value in one.rows if begin_s <= at <= end_s]}
            for one in found
        ]
        return success({"resultType": "matrix", "result": [series for series in result if series["values"]]})

    return answer


def success(data: object, **more: object) -> Said:
    """An answer as Prometheus gives it."""
    body = json.dumps({"status": "success", "data": data, **more}).encode()
    return Said(200, body, {"Content-Type": "application/json"})
