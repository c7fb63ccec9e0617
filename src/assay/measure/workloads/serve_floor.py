"""What the client itself adds, on this machine: measured against a server that answers at once.

Run as a program it is that server: on loopback, in its own process, it answers every request without delay, and says
its port on its first line; it ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

CASE = "client floor"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":" x"}}]}\n\n'
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ASKED = re.compile(rb'"max_tokens": *(\d+)')
_ALONE = 300  # requests one after the other, at most
_STREAMS = 32  # of the fastest load: with so many the figures of other clients were taken
_TOKENS = 64  # of an answer, where tokens are counted


def floor(kit: Any, plan: dict[str, Any]) -> dict[str, float]:
    """Time the client alone: what it adds to a time to first token, and the most it can send and take in."""
    crew, tallies = kit.beside("serve_crew"), kit.beside("serve_tally")
    brief = 0.3 if kit.settings.get("quick") else 1.0
    with _server() as port:
        sizes = kit.beside("serve_plan").Sizes
        bare = plan | {
            "url": f"http://127.0.0.1:{port}/v1", "rate": None, "arrival": "constant", "trace": [], "prompts": [],
            "headers": [], "api": "chat", "input_tokens": sizes("fixed", 64), "output_tokens": sizes("fixed", 1),
            "warmup": 32, "stream": True, "requests": None, "duration_s": brief, "timeout_s": 30.0, "ignore_eos": False,
            "temperature": 0.0,
        }  # fmt: skip
        single = tallies.Tally(kit, CASE, bare | {"concurrency": 1})
        first_s: list[float] = []

        def alone(record: Any) -> None:
            single.hear(record)
            if record.counts and record.at_s:
                first_s.append(record.at_s[0] - record.sent_s)

        crew.drive(bare | {"concurrency": 1, "processes": 1, "requests": _ALONE}, alone)
        fast = bare | {"concurrency": _STREAMS}
        requests = _rate(crew, fast, lambda record: [record.ended_s])
        fast |= {"output_tokens": sizes("fixed", _TOKENS), "requests": (4 if brief < 1 else 16) * _STREAMS}
        tokens = _rate(crew, fast | {"duration_s": None}, _arrived)
    return {
        "client_floor_ttft_s": tallies.quantile(first_s, 0.5),
        "client_floor_ttft_p99_s": tallies.quantile(first_s, 0.99),
        "client_max_requests_per_s": requests, "client_max_tokens_per_s": tokens,
    }  # fmt: skip


def _rate(crew: Any, plan: dict[str, Any], moments: Callable[[Any], list[float]]) -> float:
    """How many of them a second, while requests that count were under way."""
    records: list[Any] = []
    crew.drive(plan, records.append)
    begin: float = min(record.sent_s for record in records if record.counts)
    end: float = max(record.ended_s for record in records if record.counts)
    return sum(begin < at_s <= end for record in records for at_s in moments(record)) / (end - begin)


def _arrived(record: Any) -> list[float]:
    """When each token came: several may have come together."""
    return [at_s for at_s, piece in zip(record.at_s, record.pieces, strict=True) for _ in range(piece.count(_TOKEN))]


@contextlib.contextmanager
def _server() -> Iterator[int]:
    program = [sys.executable, "-P", __file__]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield int(process.stdout.readline()) if process.stdout else 0
    finally:
        process.communicate(timeout=5.0)


class Answering(asyncio.Protocol):
    """One connection of the server that answers at once."""

    def __init__(self) -> None:
        self.waiting = b""

    def connection_made(self, transport: Any) -> None:
        """It is open."""
        self.transport = transport
        self.loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request is there whole."""
        self.waiting += data
        end = self.waiting.find(b"\r\n\r\n")
        length = _LENGTH.search(self.waiting) if end >= 0 else None
        if end < 0 or (length and len(self.waiting) < end + 4 + int(length[1])):
            return
        asked = _ASKED.search(self.waiting)
        self.waiting = b""
        count = int(asked[1]) if asked else 1
        first = _HEAD + _chunk(_TOKEN)
        if count == 1:
            self.transport.write(first + _end(count))
        else:
            self.transport.write(first)
            self.loop.call_soon(self._more, 1, count)

    def _more(self, sent: int, count: int) -> None:
        """One token a turn, each on its own, to all streams in turn: as fast as it goes."""
        if self.transport.is_closing():
            return
        if sent < count:
            self.transport.write(_chunk(_TOKEN))
            self.loop.call_soon(self._more, sent + 1, count)
        else:
            self.transport.write(_end(count))


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _end(count: int) -> bytes:
    last = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"length"}],"usage":{"prompt_tokens":64,'
    return _chunk(last + b'"completion_tokens":%d}}\n\ndata: [DONE]\n\n' % count) + b"0\r\n\r\n"


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    closed = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(closed), sys.stdin)
    await closed.read()


if __name__ == "__main__":
    asyncio.run(_serve())
