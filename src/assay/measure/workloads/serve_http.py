"""HTTP/1.1 as far as a load generator needs it: an address, a request as bytes, and an answer put together as it comes.

Framing (RFC 9112, sections 4 to 7) is all that is read while requests fly: where an answer ends must be known to send
the next one. What the answer says is read later, by serve_parse.py.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LONGEST_HEAD = 1 << 16
_LONGEST_SIZE_LINE = 1 << 10
_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[^/:@?#\s]+)(?::(\d{1,5}))?(/[^?#\s]*)?/?")
_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: [^\r\n]*)?")


class Malformed(ValueError):
    """What came is not HTTP/1.1."""


class Target(NamedTuple):
    """Where requests go."""

    host: str  # as it is connected to
    port: int
    tls: bool
    named: str  # as the Host header says it
    path: str  # of the API, without a slash at its end


def target(url: str) -> Target:
    """An address; the API lies under /v1 where the address names no folder.

    >>> target("http://localhost:8000")
    Target(host='localhost', port=8000, tls=False, named='localhost:8000', path='/v1')
    """
    found = _URL.fullmatch(url.strip())
    if found is None or not 0 < int(found[3] or 1) < 1 << 16:
        raise SystemExit(f"url: {url!r} is no address of a server; write url=http://HOST:PORT/v1")
    tls = found[1] == "https"
    port = int(found[3] or (443 if tls else 80))
    named = found[2] + (f":{found[3]}" if found[3] else "")
    return Target(found[2].strip("[]"), port, tls, named, (found[4] or "").rstrip("/") or "/v1")


def request(there: Target, path: str, body: bytes | None, headers: tuple[str, ...] = ()) -> bytes:
    """A whole request, ready to be written: POST where it has a body, else GET."""
    lines = [
        f"{'GET' if body is None else 'POST'} {there.path}{path} HTTP/1.1", f"Host: {there.named}",
        "Accept: text/event-stream, application/json", "Accept-Encoding: identity", "User-Agent: assay", *headers,
    ]  # fmt: skip
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + (body or b"")


class Response:
    """One answer as it comes in, cut anywhere: `feed` takes what came and gives back what of it is body."""

    __slots__ = ("_chunked", "_head", "_left", "_rest", "_skip", "_trailer", "complete", "headers", "keep", "status")

    def __init__(self) -> None:
        self.status = 0  # 0: its head is not complete yet
        self.headers: dict[str, str] = {}
        self.complete = False
        self.keep = True  # whether the connection may serve another request
        self._head = b""
        self._chunked = False
        self._left: int | None = 0  # bytes of the body, or of its chunk, that are still to come; None: until it closes
        self._skip = 0  # bytes of the line end after a chunk
        self._rest = b""
        self._trailer = False

    @property
    def begun(self) -> bool:
        """Whether anything came."""
        return bool(self.status or self._head)

    def feed(self, data: bytes) -> bytes:
        """What of these bytes is body; raises Malformed where they cannot be."""
        if not self.status:
            data = self._begin(data)
            if not self.status:
                return b""
        if self.complete:
            self.keep = self.keep and not data  # more than was asked for: this connection is out of step
            return b""
        if self._chunked:
            return self._dechunk(data)
        if self._left is None:
            return data
        body = data[: self._left]
        self._left -= len(body)
        if not self._left:
            self.complete = True
            self.keep = self.keep and len(body) == len(data)
        return body

    def closed(self) -> bool:
        """The server closed: whether that is how this answer was to end."""
        self.keep = False
        if self.status and not self._chunked and self._left is None:
            self.complete = True
        return self.complete

    def _begin(self, data: bytes) -> bytes:
        """Read the head once it is there; what follows it is given back."""
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            if len(self._head) > _LONGEST_HEAD or not b"HTTP/1."[: len(self._head)] == self._head[:7]:
                raise Malformed(f"not an HTTP/1.1 answer: {self._head[:60]!r}")
            return b""
        first, *lines = self._head[:end].split(b"\r\n")
        found = _STATUS.fullmatch(first)
        if found is None:
            raise Malformed(f"not an HTTP/1.1 answer: {first[:60]!r}")
        rest, self._head = self._head[end + 4 :], b""
        if found[2][:1] == b"1":  # 100 Continue and the like: the answer is still to come
            return self._begin(rest) if rest else b""
        pairs = (line.decode("latin-1").partition(":") for line in lines)
        self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self._frame(found[1] == b"1", int(found[2]))
        return rest

    def _frame(self, modern: bool, status: int) -> None:
        """By which rule its end is known (RFC 9112, section 6.3)."""
        self.status = status
        connection = self.headers.get("connection", "").lower()
        self.keep = "close" not in connection and (modern or "keep-alive" in connection)
        length = self.headers.get("content-length")
        if status in (204, 304):
            self.complete = True
        elif "chunked" in self.headers.get("transfer-encoding", "").lower():
            self._chunked = True
        elif length is None:
            self._left = None
        elif not length.isdigit():
            raise Malformed(f"content-length: {length[:40]!r}")
        else:
            self._left = int(length)
            self.complete = not self._left

    def _dechunk(self, data: bytes) -> bytes:
        if self._rest:
            data, self._rest = self._rest + data, b""
        pieces, at, end = [], 0, len(data)
        while at < end and not self.complete:
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._skip = 0 if self._left else 2
            elif self._skip:
                step = min(self._skip, end - at)
                if not b"\r\n"[2 - self._skip :].startswith(data[at : at + step]):
                    raise Malformed(f"a chunk is longer than it says: {data[at : at + 40]!r}")
                at, self._skip = at + step, self._skip - step
            else:
                line_end = data.find(b"\r\n", at)
                if line_end < 0:
                    self._keep_rest(data[at:])
                    break
                self._line(data[at:line_end])
                at = line_end + 2
        self.keep = self.keep and not (self.complete and at < end)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _keep_rest(self, rest: bytes) -> None:
        if len(rest) > _LONGEST_SIZE_LINE:
            raise Malformed(f"no chunk's size: {rest[:40]!r}")
        self._rest = rest

    def _line(self, line: bytes) -> None:
        """A line outside of chunks: a chunk's size; after the last chunk a trailer, or the empty line that ends it."""
        if self._trailer:
            self.complete = not line
            return
        size = line.partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", size):
            raise Malformed(f"no chunk's size: {line[:40]!r}")
        self._left = int(size, 16)
        self._trailer = not self._left
