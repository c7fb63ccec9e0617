"""Asking a server: whatever it does, there is an answer or a sentence, in time and within memory."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.telemetry.site import Asked, Said, answering, free_port

from assay.errors import InputError, MeasureError
from assay.telemetry import web
from assay.telemetry.web import address, ask


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server below HTTP: does with the first connection what it is told to."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    thread.join(5)


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(200):
        try:
            connection.sendall(b" ")
        except OSError:
            return
        time.sleep(0.05)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (lambda c: time.sleep(0.5), "no answer within 0.3 s"),
        (drip, "no answer within 0.3 s"),
        (lambda c: c.sendall(HEAD), "cut short"),
        (lambda c: c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), "does not speak HTTP"),
        (lambda c: None, "hung up without an answer"),
    ],
)
def test_a_server_that_fails_below_http_is_told_apart(talk: Callable[[socket.socket], None], words: str) -> None:
    with raw_server(talk) as url, pytest.raises(MeasureError, match=words):
        ask(url, timeout_s=0.3)


def test_https_at_a_port_of_http_is_told() -> None:
    plain = raw_server(lambda c: c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    with plain as url, pytest.raises(MeasureError, match="write http:// instead"):
        ask(url.replace("http:", "https:"), timeout_s=5)


def test_no_server_and_no_host_are_told_apart() -> None:
    with pytest.raises(MeasureError, match="nothing listens there"):
        ask(f"http://127.0.0.1:{free_port()}/x")
    with pytest.raises(MeasureError, match="nobody knows this host"):
        ask("http://no.such.host.invalid/x", timeout_s=5)


@pytest.mark.parametrize("size", [10, 10_000])
def test_what_is_over_the_limit_is_not_read(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(web, "LIMIT_BYTES", 1000)
    for said in (Said(200, b"x" * size), Said(200, gzip.compress(b"x" * size, mtime=0), {"Content-Encoding": "gzip"})):
        with answering(lambda _, said=said: said) as url:
            if size < 1000:
                assert ask(url).body == b"x" * size
            else:
                with pytest.raises(web.TooMuch):
                    ask(url)


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"plain", "says that it is gzip, and is not"), (gzip.compress(b"x" * 99, mtime=0)[:-9], "cut short")],
)
def test_gzip_that_is_none_is_noticed(body: bytes, words: str) -> None:
    said = Said(200, body, {"Content-Encoding": "gzip"})
    with answering(lambda _: said) as url, pytest.raises(MeasureError, match=words):
        ask(url)


def test_a_token_is_never_carried_to_another_server() -> None:
    stolen: list[Asked] = []
    with (
        answering(lambda asked: stolen.append(asked) or Said(200, b"{}")) as thief,
        answering(lambda _: Said(307, b"", {"Location": f"{thief}/login?next=x"})) as url,
        pytest.raises(MeasureError, match=f"points elsewhere .*{thief}/login$"),
    ):
        ask(url, headers={"Authorization": "Bearer secret"})
    assert stolen == []


@pytest.mark.parametrize(
    "url",
    ["", "localhost:9090", "file:///etc/passwd", "ftp://x", "http://", "http://a b", "http://x:99999", "http://[::1"],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="no address of a web server"):
        address(url)


def test_no_password_is_ever_repeated() -> None:
    url, headers = address("http://me:pa%40ss@localhost:1/x/")
    assert (url, headers) == ("http://localhost:1/x", {"Authorization": "Basic bWU6cGFAc3M="})
    for wrong in ("ftp://me:secret@x", "http://me:secret@x y"):
        with pytest.raises(InputError) as raised:
            address(wrong)
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize(("name", "value"), [("X", "Bearer se\ncret"), ("A b", "secret"), ("X", "✓"), ("", "secret")])
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(name: str, value: str) -> None:
    with pytest.raises(InputError, match="cannot be sent") as raised:
        ask("http://127.0.0.1:9", headers={name: value})
    assert value not in str(raised.value)
