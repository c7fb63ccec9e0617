"""A server that speaks OpenAI's API and whose timing is known: `python openai_server.py --ttft 0.05 --itl 0.01`.

Token k of a request leaves at t0 + ttft + k·itl by the clock, where t0 is the moment the request was there whole: what
one token is late, the next is not. What was really sent when is written to --log, one JSON line a request; that, and
not the plan, is the truth to compare a client with. It prints its port, and ends with its standard input.

Nothing here is shared with the client that it tests.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import select
import selectors
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FAULTS = ("error", "rate-limit", "refuse-late", "reset", "cut", "garbage", "not-http", "error-event", "never", "empty")


class Exact(selectors.EpollSelector):
    """epoll counts in milliseconds; this waits to the microsecond."""

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout > 0:
            select.select([self.fileno()], [], [], timeout)
        return super().select(0)


class Connection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, server: Server) -> None:
        self.server, self.waiting, self.busy = server, b"", False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self.server.said.idle_close:
            self.idle = self.server.loop.call_later(self.server.said.idle_close, self._close_idle)

    def _close_idle(self) -> None:
        if not self.busy:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        end = self.waiting.find(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *(\d+)", self.waiting[: end + 2], re.IGNORECASE)
        size = int(length[1]) if length else 0
        if end < 0 or len(self.waiting) < end + 4 + size:
            return
        received_s = time.monotonic()
        head, body = self.waiting[:end].decode("latin-1"), self.waiting[end + 4 : end + 4 + size]
        self.waiting, self.busy = b"", True
        if head.startswith("GET "):
            self.whole(200, {"object": "list", "data": [{"id": "fake-7b", "object": "model"}]})
        else:
            Reply(self, head, json.loads(body), received_s).begin()

    def whole(self, status: int, said: Any, more: str = "") -> None:
        body = json.dumps(said).encode()
        lines = f"HTTP/1.1 {status} said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        self.transport.write(lines.encode() + body)
        self.busy = False


class Reply:
    """One answer, piece by piece, by the clock."""

    def __init__(self, connection: Connection, head: str, asked: dict[str, Any], received_s: float) -> None:
        self.connection, self.head, self.asked, self.received_s = connection, head, asked, received_s
        self.server, self.said = connection.server, connection.server.said
        self.loop = self.server.loop
        self.tokens = asked.get("max_tokens", 16)
        self.sent_s: list[float] = []
        self.chat = "messages" in asked
        self.newline = "\r\n" if self.said.crlf else "\n"

    def begin(self) -> None:
        self.server.count += 1
        named = re.search(r"x-request-id: *(\S+)", self.head, re.IGNORECASE)
        self.id = named[1] if named else ""
        # The first of all is a client's greeting: it never fails, so that a client gets as far as its load.
        due = self.said.every and self.id and self.server.count % self.said.every == 0
        self.fault = self.said.fault if due else ""
        if self.fault == "each":
            self.fault = FAULTS[self.server.count // self.said.every % len(FAULTS)]
        if self.said.key and f"authorization: bearer {self.said.key}" not in self.head.lower():
            self.connection.whole(401, {"error": {"message": "who are you?"}})
            return
        if self.fault in ("error", "rate-limit"):
            status = 503 if self.fault == "error" else 429
            self.connection.whole(status, {"error": {"message": "the engine is overloaded"}})
        elif self.fault == "refuse-late":
            self.connection.transport.abort()
        elif self.fault == "not-http":
            self.connection.transport.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        elif self.fault != "never":
            self.stream() if self.asked.get("stream") and not self.said.whole else self.loop.call_at(
                self.received_s + self.said.ttft + self.tokens * self.said.itl, self.answer_whole
            )

    def answer_whole(self) -> None:
        usage = self.usage()
        text = {"message": {"role": "assistant", "content": "x"}} if self.chat else {"text": "x"}
        self.connection.whole(200, {"choices": [{"index": 0, **text}], **({"usage": usage} if usage else {})})
        self.log()

    def stream(self) -> None:
        chunked = "Transfer-Encoding: chunked" if not self.said.until_close else "Connection: close"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{chunked}\r\n\r\n".encode()
        if self.said.slow_headers:
            self.head_bytes = head
        else:
            self.head_bytes = b""
            self.connection.transport.write(head)
            if self.said.role_first and self.chat:
                self.event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        self.at(0)

    def at(self, number: int) -> None:
        """Send token `number` when it is due."""
        self.loop.call_at(self.received_s + self.said.ttft + number * self.said.itl, self.token, number)

    def token(self, number: int) -> None:
        if self.connection.transport.is_closing():
            return
        if self.fault == "empty":
            self.end()
            return
        if self.fault and number >= 3:
            self.break_off()
            return
        each = self.said.tokens_per_event
        text = " x" * min(each, self.tokens - number)
        content = "reasoning_content" if self.said.reasoning else "content"
        self.event({"choices": [{"index": 0, **({"delta": {content: text}} if self.chat else {"text": text})}]})
        self.sent_s.append(time.monotonic())
        if number + each < self.tokens:
            self.at(number + each)
        else:
            self.end()

    def event(self, said: Any) -> None:
        data = said if isinstance(said, str) else json.dumps(said)
        comment = f": ping{self.newline * 2}" if self.said.comments else ""
        self.write(f"{comment}data: {data}{self.newline * 2}".encode())

    def write(self, data: bytes) -> None:
        framed = data if self.said.until_close else b"%x\r\n%b\r\n" % (len(data), data)
        framed, self.head_bytes = self.head_bytes + framed, b""
        if not self.said.split:
            self.connection.transport.write(framed)
            return
        for begin in range(
            0, len(framed), self.said.split
        ):  # each in a segment of its own, as far as the kernel lets it
            self.connection.transport.write(framed[begin : begin + self.said.split])
            pause = time.monotonic() + 20e-6
            while time.monotonic() < pause:
                pass

    def break_off(self) -> None:
        transport = self.connection.transport
        if self.fault == "reset":  # without lingering the kernel says RST, not FIN
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        elif self.fault == "cut":
            transport.close()
        elif self.fault == "garbage":
            self.event('{"choices": [{"del\x00')
            self.end()
        elif self.fault == "error-event":
            self.event({"error": {"message": "out of blocks", "code": 500}})
            self.end()

    def end(self) -> None:
        last: dict[str, Any] = {"delta": {}} if self.chat else {"text": ""}
        self.event({"choices": [{"index": 0, **last, "finish_reason": "length"}]})
        usage = self.usage()
        if usage and (self.asked.get("stream_options") or {}).get("include_usage"):
            self.event({"choices": [], "usage": usage})
        self.event("[DONE]")
        self.connection.busy = False
        if self.said.until_close:
            self.connection.transport.close()
        else:
            self.connection.transport.write(b"0\r\n\r\n")
        self.log()

    def usage(self) -> dict[str, int]:
        if self.said.usage == "none":
            return {}
        said = self.asked["messages"][0]["content"] if self.chat else self.asked["prompt"]
        count = round(self.tokens * {"right": 1.0, "low": 0.25, "high": 4.0}[self.said.usage])
        return {"prompt_tokens": len(said.split()), "completion_tokens": count}

    def log(self) -> None:
        if self.server.log:
            line = {"id": self.id, "received_s": self.received_s, "sent_s": self.sent_s, "ended_s": time.monotonic()}
            with self.server.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


class Server:
    """What all connections share."""

    def __init__(self, said: argparse.Namespace) -> None:
        self.said, self.count = said, 0
        self.loop = asyncio.get_running_loop()
        self.log = Path(said.log) if said.log else None

    def freeze(self) -> None:
        """The whole server stands still, as one does that collects garbage or compiles."""
        time.sleep(self.said.stall)
        self.loop.call_later(self.said.stall_every - self.said.stall, self.freeze)


async def serve(said: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    server = Server(said)
    tls = None
    if said.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(said.certificate)
    listening = await loop.create_server(lambda: Connection(server), "127.0.0.1", said.port, backlog=1024, ssl=tls)
    sys.stdout.write(f"{listening.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    if said.stall:
        loop.call_later(said.stall_every - said.stall, server.freeze)
    closed = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(closed), sys.stdin)
    await closed.read()


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    for name, default in {"ttft": 0.05, "itl": 0.01, "stall": 0.0, "stall-every": 5.0, "idle-close": 0.0}.items():
        parser.add_argument(f"--{name}", type=float, default=default, help="seconds")
    for name, default in {"port": 0, "tokens-per-event": 1, "split": 0, "every": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    for name in ("role-first", "slow-headers", "crlf", "comments", "reasoning", "until-close", "whole"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--usage", choices=("right", "none", "low", "high"), default="right")
    parser.add_argument("--fault", choices=(*FAULTS, "each"), default="error", help="of every --every-th request")
    for name in ("log", "certificate", "key"):
        parser.add_argument(f"--{name}", default="")
    return parser


@contextmanager
def running(*said: str, before: tuple[str, ...] = ()) -> Iterator[int]:
    """Such a server in a process of its own, for as long as the context lasts: its port."""
    program = [*before, sys.executable, "-P", __file__, *said]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield int(process.stdout.readline())
    finally:
        process.communicate(timeout=10)


if __name__ == "__main__":
    runner = asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(Exact()))
    with runner:
        runner.run(serve(options().parse_args()))
