"""Serve: a load on any server that speaks OpenAI's API, and how long its answers take.

An **open loop** (`rate`, or a trace) sends by an absolute timetable that no answer delays: a server that stalls is
asked all the same, and what it owes shows in the tail. A **closed loop** (`concurrency`) keeps so many requests under
way: it shows what the server can do, and hides stalls, since who waits does not ask (Tene's "coordinated omission").

Of each request, by the monotonic clock of the client: `ttft_s` from the moment before it is written to the first event
with content (text, reasoning, or a tool's call; not the event that only names the role), `itl_s` between events with
content, `tpot_s` = (last - first) / (tokens - 1), `request_s` to the end of its answer. Connections are open before the
clock starts; what connecting took is `connect_s`. In an open loop `send_lag_s` is how late a request left: what a user
felt is `send_lag_s + ttft_s`; a client that is late itself says so (the check "client in time").
Tokens are counted by the server's `usage` (the setting `token_counts` is then "server"); without it they are taken as
one an event ("events"). Where an event carries several tokens, `itl_s` is per event, and `itl_per` says so.

Marked as warm-up: the first `warmup_requests`; in a closed loop also those sent before all streams were under way; and
requests after the last that counts, which only keep the load up until it has ended. Requests that failed have no
latency: they are counted by kind. The case "client floor" is this client against a server that answers at once.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

BUDGET_S = (60.0, 10.0)

OPTIONS = {
    "url": ("http://127.0.0.1:8000/v1", "address of the API"),
    "api": ("chat", "chat or completions"),
    "model": ("", "name of the model; empty: the first that the server names"),
    "rate": ("", "open loop: requests per second; several, 10,20,40, make one case each"),
    "concurrency": (
        "",
        "closed loop: requests under way at once; several make one case each; 8 where no rate is given",
    ),
    "arrival": (
        "poisson",
        "of an open loop: poisson, constant, or trace FILE (a time in seconds a line, or Mooncake's)",
    ),
    "requests": ("", "how many are to count, of each case; empty: as many as the time allows"),
    "duration_s": ("", "for how long requests that count are sent, of each case; empty: a share of the budget"),
    "input_tokens": ("512", "length of prompts: 512, uniform 100..500, or lognormal median=512 sigma=1"),
    "output_tokens": ("128", "length of answers, as for input_tokens"),
    "prompts": ("", 'a file with {"prompt": …} or {"messages": …} on each line; empty: words drawn with the seed'),
    "ignore_eos": (
        "true",
        "ask the server to go on to the full length (vLLM, SGLang, TensorRT-LLM); false leaves it out",
    ),
    "temperature": ("0", "as it is sent"),
    "slo_ttft_s": ("", "service level: a request counts as good whose first token came within"),
    "slo_tpot_s": ("", "… and each token after it within, on average"),
    "slo_request_s": ("", "… and its end within"),
    "timeout_s": ("300", "a request that takes longer has failed"),
    "key_env": ("", "name of the environment variable that holds the API key"),
    "headers_env": ("", "name of the environment variable that holds more headers, NAME: VALUE on each line"),
    "seed": ("0", "of arrivals, prompts and lengths"),
    "warmup_requests": ("0", "the first so many do not count"),
    "processes": ("1", "client processes"),
    "floor": ("true", "false: do not time the client alone first"),
    "realtime": ("false", "true: the client processes have precedence over all others (Linux, root)"),
    "stream": ("true", "false: whole answers, which have no time to first token"),
}


def run(kit: Any) -> None:
    """Ask once whether the server answers, time the client alone, then put on each load of the plan."""
    if kit.rank:
        return
    plans = kit.beside("serve_plan")
    plan = plans.read(kit.options)
    loads = list(_loads(plan, kit.options["arrival"]))
    wanted = [(number, load) for number, load in enumerate(loads, start=2) if kit.wanted(load["name"])]
    if not wanted:
        return
    if not plan["requests"] and not plan["duration_s"] and not plan["trace"]:
        plan["duration_s"] = float(kit.settings["budget_s"]) / len(loads)
    plan["model"] = plan["model"] or _model(kit, plan)
    kit.emit(event="setting", name="model", value=plan["model"])
    _greet(kit, plan)
    if plan["floor"]:
        _floor(kit, plan, len(loads) + 1)
    tallies: list[Any] = []
    for number, load in wanted:
        tallies.append(_put(kit, plan | load, number, len(loads) + 1))
        # What the figures are figures of: a run where this differs is not like this one.
        kit.emit(
            event="setting", name="token_counts", value="events" if any(t.estimated for t in tallies) else "server"
        )
        kit.emit(event="setting", name="itl_per", value="event" if any(t.blurred for t in tallies) else "token")


def _loads(plan: dict[str, Any], arrival: str) -> Any:
    if plan["trace"]:
        yield {"name": arrival, "rate": None, "concurrency": None}
    for rate in plan["rates"]:
        yield {"name": f"rate {rate:g} {arrival}", "rate": rate, "concurrency": None}
    for streams in plan["concurrencies"]:
        yield {"name": f"concurrency {streams}", "rate": None, "concurrency": streams}


def _put(kit: Any, plan: dict[str, Any], number: int, of: int) -> Any:
    """One load, from its first request to what is to be said of them all."""
    name = plan["name"]
    plan |= {"nonce": f"{random.randrange(10**6):06}"}
    note = f"{plan['api']}, {kit.options['input_tokens']} tokens in, {kit.options['output_tokens']} out"
    case = {"name": name, "kind": "request", "library": "http", "device": "server", "note": note}
    kit.emit(event="begin", case=case, number=number, of=of)
    tally = kit.beside("serve_tally").Tally(kit, name, plan)
    tally.close(kit.beside("serve_crew").drive(plan, tally.hear))
    kit.emit(event="end", case=name)
    return tally


def _floor(kit: Any, plan: dict[str, Any], of: int) -> None:
    floor = kit.beside("serve_floor")
    note = "this client against a server on this machine that answers at once"
    case = {"name": floor.CASE, "kind": "request", "library": "http", "note": note}
    kit.emit(event="begin", case=case, number=1, of=of)
    for name, value in floor.floor(kit, plan).items():
        kit.emit(event="fact", name=name, value=value)
    kit.emit(event="end", case=floor.CASE)


def _model(kit: Any, plan: dict[str, Any]) -> str:
    """The first model that the server names."""
    try:
        return str(json.loads(_asked(kit, plan, "/models", None))["data"][0]["id"])
    except (ValueError, KeyError, IndexError, TypeError):
        raise SystemExit("model: the server does not say which it has; write model=NAME") from None


def _greet(kit: Any, plan: dict[str, Any]) -> None:
    """One short request that is not measured: whoever is not understood should hear it before the load."""
    first = next(kit.beside("serve_plan").asks(plan | {"rate": None})).body | {"max_tokens": 1, "stream": False}
    first.pop("stream_options", None)
    _asked(kit, plan, "/chat/completions" if plan["api"] == "chat" else "/completions", json.dumps(first).encode())


def _asked(kit: Any, plan: dict[str, Any], path: str, body: bytes | None) -> bytes:
    """What the server answers to one request, in three tries: one that fails at times is to be measured, too."""
    client, http = kit.beside("serve_client"), kit.beside("serve_http")
    there = http.target(plan["url"])
    request = http.request(there, path, body, tuple(plan["headers"]))
    for _ in range(3):
        exchange = asyncio.run(client.ask(there, http.Response, request, plan["timeout_s"]))
        if not exchange.fault and exchange.response.status == 200:
            return b"".join(exchange.pieces)
    status = exchange.response.status if exchange.response else 0
    said = exchange.text if exchange.fault else kit.beside("serve_parse").complaint(b"".join(exchange.pieces))
    where = f"{plan['url']}: {path}: {exchange.fault or f'HTTP {status}'}: {said}"
    hint = _HINTS.get(status, "is the server up? write url=http://HOST:PORT/v1")
    raise SystemExit(f"url: {where}; {hint}")


_HINTS = {
    400: "write ignore_eos=false where the server does not know that field, or another model or api",
    401: "write key_env=NAME, where NAME is the environment variable that holds the key",
    403: "write key_env=NAME, where NAME is the environment variable that holds the key",
    404: "write url=http://HOST:PORT/v1 and the model's own name, model=NAME",
    422: "write ignore_eos=false where the server does not know that field, or another model or api",
}
