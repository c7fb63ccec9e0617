"""The client: connections that are open before the clock starts, and stamps that are taken before anything is read.

A stamp is the monotonic clock as asyncio hands over what the kernel held: all that is done before it is `recv`. What
came is kept as it came; see serve_parse.py. A request counts from the moment before its bytes are written.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import time
from collections import deque
from collections.abc import Callable
from typing import Any

_AT_ONCE = 64  # connections that are opened together
_STALE_S = 0.02  # a connection that stood idle for so long may have been closed by the server meanwhile
_CONNECT_S = 30.0

now_s = time.monotonic


class _Exact(getattr(selectors, "EpollSelector", selectors.DefaultSelector)):  # type: ignore[misc]
    """Waits to the microsecond: epoll itself counts in milliseconds, and would send each request up to 1 ms late."""

    def select(self, timeout: float | None = None) -> Any:
        if hasattr(selectors, "EpollSelector") and (timeout is None or timeout > 0):
            select.select([self.fileno()], [], [], timeout)
            timeout = 0
        return super().select(timeout)


def exact_loop() -> asyncio.AbstractEventLoop:
    """An event loop whose timers are exact."""
    return asyncio.SelectorEventLoop(_Exact())


class Exchange:
    """One request and what came back, as it came; `fault` says why it failed."""

    __slots__ = ("again", "at_s", "counts", "ended_s", "fault", "number", "pieces", "planned_s", "request", "response",
                 "sent_s", "sizes", "text", "timer")  # fmt: skip

    def __init__(self, number: int, request: bytes, sizes: tuple[Any, ...] = ()) -> None:
        self.number, self.request, self.sizes = number, request, sizes
        self.counts = False
        self.planned_s: float | None = None  # by an open loop's timetable
        self.sent_s: float | None = None
        self.ended_s = 0.0
        self.at_s: list[float] = []  # when each piece of the body came
        self.pieces: list[bytes] = []
        self.response: Any = None
        self.fault = self.text = ""
        self.again = False  # sent a second time, since the server had closed the connection in the meantime
        self.timer: asyncio.TimerHandle | None = None


class Connection(asyncio.Protocol):
    """One connection, which serves one request at a time."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.exchange: Exchange | None = None
        self.transport: Any = None
        self.served = 0
        self.idle_since_s = 0.0

    def connection_made(self, transport: Any) -> None:
        """It is open."""
        self.transport = transport
        self.idle_since_s = now_s()

    def send(self, exchange: Exchange) -> None:
        """Put a request on its way."""
        self.exchange = exchange
        exchange.response = self.pool.answer()
        exchange.timer = self.pool.loop.call_later(self.pool.timeout_s, self._late, exchange)
        exchange.sent_s = now_s()
        self.transport.write(exchange.request)

    def data_received(self, data: bytes) -> None:
        """Stamp what came, before anything else."""
        when_s = now_s()
        exchange = self.exchange
        if exchange is None:  # nobody asked
            self.transport.abort()
            return
        response = exchange.response
        try:
            body = response.feed(data)
        except ValueError as error:
            self._end("malformed answer", str(error))
            self.transport.abort()
            return
        if body:
            exchange.at_s.append(when_s)
            exchange.pieces.append(body)
        if response.complete:
            exchange.ended_s = when_s
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed: what that means for the request on it."""
        self.pool.drop(self)
        exchange = self.exchange
        if exchange is None:
            return
        stale = self.served > 0 or (exchange.sent_s or 0.0) - self.idle_since_s > _STALE_S
        if exchange.response.closed():
            self._end()
        elif not exchange.response.begun and stale and not exchange.again:
            self.exchange, exchange.again = None, True  # it was closed before it could see this request
            if exchange.timer is not None:
                exchange.timer.cancel()
            self.pool.send(exchange)
        else:
            self._end("reset" if exc else "closed early", str(exc or "the server closed before the answer's end"))

    def _late(self, exchange: Exchange) -> None:
        if self.exchange is exchange:
            self._end("time-out", f"no end within {self.pool.timeout_s:g} s")
            self.transport.abort()

    def _end(self, fault: str = "", text: str = "") -> None:
        exchange = self.exchange
        if exchange is None:
            return
        self.exchange = None
        self.served += 1
        exchange.fault, exchange.text = fault, text
        exchange.ended_s = exchange.ended_s or now_s()
        if exchange.timer is not None:
            exchange.timer.cancel()
        if not fault and exchange.response.keep and not self.transport.is_closing():
            self.idle_since_s = exchange.ended_s
            self.pool.give(self)
        elif not fault:
            self.transport.close()
        self.pool.ended(exchange)


class Pool:
    """Connections, opened ahead of need; what is ended is told to `ended`."""

    def __init__(
        self,
        there: Any,
        answer: Callable[[], Any],
        ended: Callable[[Exchange], None],
        *,
        timeout_s: float,
        spare: int = 0,
    ) -> None:
        self.there, self.answer, self.ended = there, answer, ended
        self.timeout_s, self.spare = timeout_s, spare  # so many stand ready, beyond what is needed now
        self.loop = asyncio.get_running_loop()
        self.idle: list[Connection] = []
        self.waiting: deque[Exchange] = deque()
        self.connect_s: list[tuple[float, float]] = []  # when, and how long it took
        self._address = ""
        self._tls: Any = None
        self._all: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()

    async def fill(self, count: int) -> None:
        """Open so many; raises OSError where the server does not let us."""
        found = await self.loop.getaddrinfo(self.there.host, self.there.port, type=1)  # SOCK_STREAM
        last: OSError = OSError("this name has no address")
        for *_, address in found:
            self._address = str(address[0])
            try:
                await self._open()
                break
            except OSError as error:
                last = error
        else:
            raise last
        for begin in range(1, count, _AT_ONCE):
            await asyncio.gather(*(self._open() for _ in range(min(_AT_ONCE, count - begin))))

    def send(self, exchange: Exchange) -> None:
        """Send it now, or as soon as there is a connection."""
        if self.idle and not exchange.again:
            self.idle.pop().send(exchange)  # the last used: the others may grow old in peace
        else:
            self.waiting.append(exchange)
        self._open_more(max(exchange.again, len(self.waiting) + self.spare - len(self.idle)))

    def give(self, connection: Connection) -> None:
        """It is free again."""
        if self.waiting:
            connection.send(self.waiting.popleft())
        else:
            self.idle.append(connection)

    def drop(self, connection: Connection) -> None:
        """It is no more."""
        self._all.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)

    def close(self) -> None:
        """Drop everything, whatever is still on its way."""
        for connection in list(self._all):
            connection.exchange = None
            connection.transport.abort()
        for task in self._opening:
            task.cancel()

    def _open_more(self, needed: int) -> None:
        for _ in range(min(needed, _AT_ONCE) - len(self._opening)):
            task = self.loop.create_task(self._reach())
            self._opening.add(task)
            task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if self.waiting:
            self._open_more(len(self.waiting))

    async def _reach(self) -> None:
        """Open one more while requests fly; where that fails, whoever waits for it has failed."""
        try:
            await self._open()
        except OSError as error:
            if self.waiting and not self.idle:
                exchange = self.waiting.popleft()
                exchange.fault, exchange.text, exchange.ended_s = _refusal(error), str(error), now_s()
                self.ended(exchange)

    async def _open(self) -> None:
        begin_s = now_s()
        tls: dict[str, Any] = {}
        if self.there.tls:  # the context is made once: it reads every certificate of the system
            tls = {"ssl": self._tls or True, "server_hostname": self.there.host}
        made = self.loop.create_connection(lambda: Connection(self), self._address, self.there.port, **tls)
        transport, connection = await asyncio.wait_for(made, _CONNECT_S)
        if transport.is_closing():
            raise ConnectionResetError("the server closed it at once")
        self._tls = transport.get_extra_info("sslcontext")
        self.connect_s.append((begin_s, now_s() - begin_s))
        self._all.add(connection)
        self.give(connection)


def _refusal(error: OSError) -> str:
    return "refused" if isinstance(error, ConnectionRefusedError) else "no connection"


async def ask(there: Any, answer: Callable[[], Any], request: bytes, timeout_s: float) -> Exchange:
    """One request outside of any load: what came back of it."""
    done: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
    pool = Pool(there, answer, done.set_result, timeout_s=timeout_s)
    exchange = Exchange(0, request)
    try:
        await pool.fill(1)
        pool.send(exchange)
        return await done
    except OSError as error:
        exchange.fault, exchange.text = _refusal(error), str(error)
        return exchange
    finally:
        pool.close()
