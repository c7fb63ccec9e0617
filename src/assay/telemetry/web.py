"""One question to one server, and its answer or a sentence that says why there is none: the only way to a network.

Only whom the user named is asked: a redirect is not followed, since a token must not be carried to another server.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import re
import socket
import ssl
import time
import urllib.request
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

from assay.errors import InputError, MeasureError

LIMIT_BYTES = 64_000_000  # no answer is read beyond this
_CHUNK_BYTES = 1 << 16


class Answer(NamedTuple):
    """What came back, whatever its status."""

    status: int
    kind: str  # Content-Type
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON, or None where it is something else."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class TooMuch(MeasureError):
    """An answer larger than anybody should have to hold: ask for less."""


class _AsItIs(urllib.request.HTTPErrorProcessor):
    """A status is part of the answer, and a redirect is not followed."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response

    https_response = http_response


def address(url: str) -> tuple[str, dict[str, str]]:
    """A server's address as typed, without the slash at its end; a name and password in it become a header.

    >>> address("http://me:secret@localhost:9090/")
    ('http://localhost:9090', {'Authorization': 'Basic bWU6c2VjcmV0'})
    """
    shown = re.sub(r"//[^/@]*@", "//", url)  # no password is repeated on a screen
    try:
        parts = urlsplit(url.strip())
        known = parts.hostname is not None and parts.port != 0
    except ValueError:
        known = False
    if not known or parts.scheme not in ("http", "https") or re.search(r"[\s\x00-\x20]", url.strip()):
        raise InputError("this is no address of a web server", where=shown, hint="write it as http://localhost:9090")
    said, _, place = parts.netloc.rpartition("@")
    headers = {"Authorization": "Basic " + base64.b64encode(unquote(said).encode()).decode()} if said else {}
    return urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", "")), headers


def ask(
    where: str, *, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None,
    body: bytes | None = None, timeout_s: float = 30.0,
) -> Answer:  # fmt: skip
    """GET an address, or POST a body to it. MeasureError when nobody answers, in time and in full."""
    url = f"{where}?{urlencode(query)}" if query else where
    # Unpacked: Prometheus takes 0.2 s to pack a megabyte that it writes in 0.02 s. Who packs anyway is understood.
    told = {"Accept-Encoding": "identity", **_sendable(headers or {})}
    request = urllib.request.Request(url, data=body, headers=told)
    end_s = time.monotonic() + timeout_s
    try:
        with urllib.request.build_opener(_AsItIs).open(request, timeout=timeout_s) as answer:
            to, content = answer.headers.get("Location", ""), _body(answer, where, end_s)
    except (OSError, http.client.HTTPException) as error:
        raise _silence(error, where, timeout_s) from None
    if 300 <= answer.status < 400:
        hint = f"give the address itself: {urlsplit(to)._replace(query='', fragment='').geturl()}"
        raise MeasureError(f"the server points elsewhere (HTTP {answer.status})", where=where, hint=hint)
    if answer.headers.get("Content-Encoding", "").lower() == "gzip":
        content = _unpacked(content, where)
    return Answer(answer.status, answer.headers.get("Content-Type", ""), content)


def packed(body: bytes) -> bytes:
    """A body as gzip, quickly rather than tightly."""
    return gzip.compress(body, compresslevel=1)


def _sendable(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        if not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII) or not re.fullmatch(
            r"[\x20-\x7e\xa0-\xff]*", value
        ):
            raise InputError("this header cannot be sent", where=name, hint='write it as "Authorization: Bearer TOKEN"')
    return headers


def _body(answer: Any, where: str, end_s: float) -> bytes:
    parts, size = [], 0
    while part := answer.read1(_CHUNK_BYTES):
        parts.append(part)
        size += len(part)
        if size > LIMIT_BYTES:
            raise TooMuch(f"the answer is over {LIMIT_BYTES // 10**6} MB", where=where, hint="ask for less")
        if time.monotonic() > end_s:  # a server that drips keeps every single read alive
            raise TimeoutError
    if answer.length:  # read1 does not mind a connection that closes early
        raise http.client.IncompleteRead(b"", answer.length)
    return b"".join(parts)


def _unpacked(body: bytes, where: str) -> bytes:
    unpack = zlib.decompressobj(wbits=31)  # 31: with gzip's header and checksum
    try:
        plain = unpack.decompress(body, LIMIT_BYTES)
    except zlib.error:
        raise MeasureError("the answer says that it is gzip, and is not", where=where, hint="try again") from None
    if unpack.unconsumed_tail:
        raise TooMuch(f"the answer unpacks to over {LIMIT_BYTES // 10**6} MB", where=where, hint="ask for less")
    if not unpack.eof:
        raise MeasureError("the answer was cut short", where=where, hint="try again")
    return plain


def _silence(error: Exception, where: str, timeout_s: float) -> MeasureError:
    """Why there was no answer, and what to look at next."""
    reason = getattr(error, "reason", error)
    known = {
        TimeoutError: (f"no answer within {timeout_s:g} s", "is the server overloaded, or a firewall in between?"),
        ssl.SSLCertVerificationError: (
            f"the server's certificate is not trusted: {getattr(reason, 'verify_message', '')}",
            "set SSL_CERT_FILE to the certificate of your own authority",
        ),
        socket.gaierror: ("nobody knows this host", "check the address"),
        ConnectionRefusedError: ("nothing listens there", "is the server running, and the port right?"),
        ssl.SSLError: ("what answers there does not speak TLS", "write http:// instead of https://"),
        ConnectionResetError: ("the server hung up without an answer", "http, or https?"),
        http.client.IncompleteRead: ("the answer was cut short", "try again"),
        http.client.HTTPException: ("what answers there does not speak HTTP", "check the port, and http against https"),
    }
    told = next((told for kind, told in known.items() if isinstance(reason, kind)), None)
    what, hint = told or (f"no answer: {getattr(reason, 'strerror', None) or reason}", "check the address")
    return MeasureError(what, where=where, hint=hint)
