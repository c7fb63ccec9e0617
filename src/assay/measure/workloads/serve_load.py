"""One client process: `python -P serve_load.py`, told on its standard input, answers on its standard output.

It does nothing but send and stamp. What has ended goes to the parent as it came, in pickled tuples behind their length;
the parent reads it. Lines it is told: the plan as JSON, then `go TIME` (monotonic clock), then `stop GRACE`.

The requests that count are those sent after the warm-up, up to the number or the time of the plan. After them the load
goes on until the last of them has ended, so that none ends on a server that is emptier than it was (in an open loop at
most as many again: a server that is behind would never be done).
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import json
import os
import pickle
import resource
import sys
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

_BEAT_S = 0.02  # how often the client looks how late it is
_BACK_OFF_S = 0.1  # after a failed request, so that a dead server is not hammered
_LEAST_SPARE, _MOST_SPARE = 8, 64  # connections that stand ready in an open loop
_PILE = 16  # chores that may wait for each that is done
_AHEAD = 256  # requests that are made ready before they are needed, at most


def beside(name: str) -> Any:
    """A file of this folder as a module, by its path."""
    spec = importlib.util.spec_from_file_location(f"assay_{name}", Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise SystemExit(f"{name}.py is missing beside {__file__}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Load:
    """Sends what the plan says and tells what came of it."""

    def __init__(self, plan: dict[str, Any], tell: Any) -> None:
        self.plan, self.tell = plan, tell
        self.client, self.http, plans = beside("serve_client"), beside("serve_http"), beside("serve_plan")
        self.loop = asyncio.get_running_loop()
        self.there = self.http.target(plan["url"])
        self.open = bool(plan["rate"] or plan["trace"])
        part, self.parts = plan["part"], plan["parts"]
        # Requests are dealt out like cards: this process has every parts-th.
        self.asks: Iterator[Any] = ((n, ask) for n, ask in enumerate(plans.asks(plan)) if n % self.parts == part)
        self.streams = len(range(part, plan["concurrency"] or 0, self.parts))
        self.warmup = plan["warmup"] if self.open else max(plan["warmup"], plan["concurrency"])
        self.ready: deque[tuple[int, float | None, Any]] = deque()  # number, planned time, exchange
        self.chores: deque[Callable[[], None]] = deque()  # what can wait until nothing else does
        self.until_s: float | None = None  # when a load by time stops to count
        self.most: int | None = None  # requests of an open loop, those that keep it up included
        self.last = self.told = self.stopped = False  # the last that counts was sent; they have ended; and so shall we
        self.flying = 0
        self.counted = 0  # of these, how many count
        self.lag_s: list[float] = []

    async def run(self, commands: asyncio.StreamReader) -> None:
        """The whole of it: connect, wait for the word, send, wait for the end."""
        rate = (self.plan["rate"] or 0) / self.parts
        spare = min(_MOST_SPARE, max(_LEAST_SPARE, int(0.5 * rate))) if self.open else 0
        self.pool = self.client.Pool(
            self.there, self.http.Response, self._ended, timeout_s=self.plan["timeout_s"], spare=spare
        )
        try:
            _precedence(self.plan["realtime"])
            await self.pool.fill(spare or max(1, self.streams))
        except PermissionError:
            self.tell("failed", "realtime: this user may not; write realtime=false, or give CAP_SYS_NICE")
            return
        except OSError as error:
            said = str(error) or type(error).__name__
            self.tell("failed", f"url: no connection to the server: {said}; is it up? write url=http://HOST:PORT/v1")
            return
        for _ in range(min(_AHEAD, self.streams or spare)):
            self._prepare()
        gc.collect()
        gc.freeze()
        gc.disable()  # nothing here makes cycles, and a collection stops all streams
        self.tell("ready")
        self.start_s = float((await commands.readline()).split()[1])
        self.loop.call_at(self.start_s, self._begin)
        word = await commands.readline()
        self.stopped = True
        end_s = self.loop.time() + (float(word.split()[1]) if word else 0.0)  # no word: the parent is gone
        while (self.flying or self.chores) and self.loop.time() < end_s:
            await asyncio.sleep(0.01)
        self.pool.close()
        busy = (_processor_s() - self.busy_s) / max(1e-9, self.loop.time() - self.start_s)
        self.tell("bye", self.lag_s, busy, self.pool.connect_s)

    def _begin(self) -> None:
        self.busy_s = _processor_s()
        self._beat(self.loop.time() + _BEAT_S)
        if self.open:
            self._due()
        for _ in range(self.streams):
            self._send()

    def _beat(self, due_s: float) -> None:
        """How late this comes is how late a stamp or a request may be."""
        now_s = self.loop.time()
        if now_s >= due_s:
            self.lag_s.append(now_s - due_s)
            due_s = now_s + _BEAT_S
        if not self.stopped:
            self.loop.call_at(due_s, self._beat, due_s)

    # --- sending ---------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Make one more request ready, where there is one."""
        for number, ask in islice(self.asks, 1):
            self.ready.append((number, ask.at_s, self._exchange(number, ask)))

    def _exchange(self, number: int, ask: Any) -> Any:
        named = (*self.plan["headers"], f"X-Request-Id: assay-{self.plan['seed']}-{self.plan['nonce']}-{number}")
        path = "/chat/completions" if self.plan["api"] == "chat" else "/completions"
        request = self.http.request(self.there, path, json.dumps(ask.body).encode(), named)
        return self.client.Exchange(number, request, (ask.input_tokens, ask.output_tokens))

    def _due(self) -> None:
        """Send all that the timetable says by now, and come back for the next; what is unanswered delays nothing."""
        while self._any() and not self.stopped:
            planned_s = self.start_s + (self.ready[0][1] or 0.0)
            if planned_s > self.loop.time():
                self.loop.call_at(planned_s, self._due)
                return
            self._send(planned_s)
        self._look()

    def _any(self) -> bool:
        """Whether there is a next request: not at a trace's end, nor when the load was kept up long enough."""
        if not self.ready:
            self._prepare()
        if not self.ready or (self.most and self.ready[0][0] >= self.most):
            self.last = True
            return False
        return True

    def _send(self, planned_s: float | None = None) -> None:
        if self.stopped or not self._any():
            return
        number, _, exchange = self.ready.popleft()
        exchange.planned_s = planned_s
        exchange.counts = number >= self.warmup and self._counts(number, planned_s or self.loop.time())
        self.flying += 1
        self.counted += exchange.counts
        self.pool.send(exchange)
        self._later(self._prepare)

    def _counts(self, number: int, now_s: float) -> bool:
        """Whether a request after the warm-up is among those that count."""
        if self.until_s is None and self.plan["duration_s"]:
            self.until_s = now_s + self.plan["duration_s"]
        asked = self.plan["requests"]
        if not self.last and ((asked and number >= self.warmup + asked) or (self.until_s and now_s >= self.until_s)):
            self.last, self.most = True, 2 * number if self.open else None
            self.loop.call_soon(self._look)
        return not self.last

    # --- what came back --------------------------------------------------------------------------------------------

    def _ended(self, exchange: Any) -> None:
        """One has ended: in a closed loop send the next, and pass this one on when there is time."""
        self.flying -= 1
        self.counted -= exchange.counts
        answered = exchange.response is not None and exchange.response.status == 200 and not exchange.fault
        if not self.open:
            if answered:
                self._send()
            else:
                self.loop.call_later(_BACK_OFF_S, self._send)
        self._later(lambda: self._pass_on(exchange))
        self._look()

    def _pass_on(self, exchange: Any) -> None:
        response = exchange.response
        status, kind = (response.status, response.headers.get("content-type", "")) if response else (0, "")
        self.tell("ended", exchange.number, exchange.counts, exchange.planned_s, exchange.sent_s, exchange.ended_s,
                  exchange.fault, exchange.text, status, kind, exchange.at_s, exchange.pieces, *exchange.sizes,
                  exchange.again)  # fmt: skip

    def _look(self) -> None:
        """Tell when all that count have ended."""
        if self.last and not self.counted and not self.told:
            self.told = True
            self._later(lambda: self.tell("counted"))

    def _later(self, chore: Callable[[], None]) -> None:
        self.chores.append(chore)
        if len(self.chores) == 1:
            self.loop.call_soon(self._chore)

    def _chore(self) -> None:
        """One chore or, where they pile up, some; then whatever came in meanwhile, then the next."""
        for _ in range(1 + len(self.chores) // _PILE):
            self.chores[0]()
            self.chores.popleft()
        if self.chores:
            self.loop.call_soon(self._chore)


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _precedence(realtime: bool) -> None:
    """Be woken before all others: nothing to do on a machine of one's own, much on one that is shared."""
    if realtime:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def _complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A fault of our own in a callback is the end: asyncio would go on without what was to follow."""
    loop.default_exception_handler(context)
    if "handle" in context:
        os._exit(1)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_complain)
    commands = asyncio.StreamReader(limit=1 << 30)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    out, _ = await loop.connect_write_pipe(asyncio.Protocol, sys.stdout)  # buffers: a slow parent stops nothing

    def tell(*said: Any) -> None:
        data = pickle.dumps(said, pickle.HIGHEST_PROTOCOL)
        out.write(len(data).to_bytes(4, "little") + data)

    await Load(json.loads(await commands.readline()), tell).run(commands)
    out.close()
    while out.get_write_buffer_size():
        await asyncio.sleep(0.005)


if __name__ == "__main__":
    _loop = beside("serve_client").exact_loop()
    asyncio.set_event_loop(_loop)
    _loop.run_until_complete(_serve())
