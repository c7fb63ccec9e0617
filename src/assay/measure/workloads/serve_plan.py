"""What a load is to be: the options as a plan, and from the plan's seed its arrivals and prompts.

The same seed gives the same arrivals, lengths and prompts (but for their first word), in one process or in several.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

# Short words that the usual vocabularies hold as one token each, with the space before them.
_WORDS = """
the of and to in is was for on that with as by at from this be are or an which not have had but were their one all new
more two time may over only first some other into most after also many such can where them these who then about world
people school house water long day year way life work city state part place found made used during under between number
name line end small great old high home left right side land hand river road light
"""
_WRITTEN = {
    "fixed": re.compile(r"(\d+)"),
    "uniform": re.compile(r"uniform +(\d+) *\.\. *(\d+)"),
    "lognormal": re.compile(r"lognormal +median=(\d+\.?\d*) +sigma=(\d+\.?\d*)"),
}
_TEXT_WORDS = 1 << 16
_MOST_TOKENS = 1 << 24
_WIDEST = 5.0  # sigma of a log-normal


class Sizes(NamedTuple):
    """Lengths in tokens: fixed, drawn evenly between two, or log-normal with a median."""

    kind: str  # fixed | uniform | lognormal
    a: float  # the length | the least | the median
    b: float = 0.0  # – | the most | sigma of the logarithm

    def draw(self, dice: random.Random) -> int:
        """One length, at least 1."""
        if self.kind == "uniform":
            return dice.randint(int(self.a), int(self.b))
        if self.kind == "lognormal":
            return max(1, min(_MOST_TOKENS, round(self.a * math.exp(self.b * dice.gauss(0.0, 1.0)))))
        return int(self.a)


def sizes(name: str, text: str) -> Sizes:
    """Lengths as they are written.

    >>> sizes("input_tokens", "lognormal median=512 sigma=1")
    Sizes(kind='lognormal', a=512.0, b=1.0)
    """
    for kind, written in _WRITTEN.items():
        found = written.fullmatch(text.strip())
        if found is not None:
            a, b = (float(number) for number in (*found.groups(), 0)[:2])
            least, most = (a, _MOST_TOKENS) if kind == "uniform" else (0, _WIDEST)
            if 1 <= a <= _MOST_TOKENS and least <= b <= most:
                return Sizes(kind, a, b)
    wanted = f'{name}=512, "{name}=uniform 100..500" or "{name}=lognormal median=512 sigma=1"'
    raise SystemExit(f"{name}: {text!r} says no lengths; write {wanted}")


class Ask(NamedTuple):
    """One request to be: when (seconds after the start; None: as soon as one has ended), and what."""

    at_s: float | None
    body: dict[str, Any]
    input_tokens: int | None  # as asked for; None: the prompt is given
    output_tokens: int


def asks(plan: dict[str, Any]) -> Iterator[Ask]:
    """Every request of a plan, in order, without end but where a trace has one."""
    dice = random.Random(plan["seed"])
    text = dice.choices(_WORDS.split(), k=_TEXT_WORDS)
    given = [json.loads(line) for line in plan["prompts"]]
    lengths_in, lengths_out = Sizes(*plan["input_tokens"]), Sizes(*plan["output_tokens"])
    for number, (at_s, traced_in, traced_out) in enumerate(_arrivals(plan)):
        count_in = traced_in or lengths_in.draw(dice)
        count_out = traced_out or lengths_out.draw(dice)
        start = dice.randrange(_TEXT_WORDS)
        if given:
            row = given[number % len(given)]
            count_out = row.get("output_tokens") or count_out
            yield Ask(at_s, _body(plan, row, count_out), None, count_out)
        else:
            # It begins like no other, of this run or one before: else the server's prefix cache would answer for it.
            said = {"prompt": " ".join([f"{number}{plan['nonce']}", *_words(text, start, count_in - 1)])}
            yield Ask(at_s, _body(plan, said, count_out), count_in, count_out)


def _words(text: list[str], start: int, count: int) -> list[str]:
    """A stretch of the text, which goes round."""
    while len(text) < start + count:
        text = text + text
    return text[start : start + count]


def _arrivals(plan: dict[str, Any]) -> Iterator[tuple[float | None, int | None, int | None]]:
    """Planned times: an absolute timetable, which no answer can delay. A dice of its own: prompts do not move it."""
    if plan["arrival"] == "trace":
        yield from ((row[0], row[1], row[2]) for row in plan["trace"])
        return
    dice, at_s = random.Random(plan["seed"] + 1), 0.0
    while True:
        yield (at_s if plan["rate"] else None), None, None
        if plan["rate"]:
            at_s += dice.expovariate(plan["rate"]) if plan["arrival"] == "poisson" else 1 / plan["rate"]


def _body(plan: dict[str, Any], said: dict[str, Any], output_tokens: int) -> dict[str, Any]:
    body: dict[str, Any] = {"model": plan["model"], "max_tokens": output_tokens, "temperature": plan["temperature"]}
    if plan["api"] == "chat":
        body["messages"] = said.get("messages") or [{"role": "user", "content": said["prompt"]}]
    else:
        body["prompt"] = said["prompt"]
    if plan["stream"]:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body | ({"ignore_eos": True} if plan["ignore_eos"] else {})


# --- the options -----------------------------------------------------------------------------------------------------


def read(options: dict[str, str]) -> dict[str, Any]:
    """The options as a plan, each checked; what a case adds is its rate or concurrency."""
    o = options
    kind, _, file = o["arrival"].partition(" ")
    if kind not in {"poisson", "constant", "trace"} or (kind == "trace") != bool(file.strip()):
        raise SystemExit(f"arrival: {o['arrival']!r} is none; write poisson, constant, or trace FILE")

    def number(name: str) -> float:
        return _number(name, o[name])

    def count(name: str) -> int:
        return int(_number(name, o[name], whole=True))

    plan = {
        "url": o["url"], "api": _one_of("api", o["api"], "chat", "completions"), "model": o["model"],
        "rates": numbers("rate", o["rate"]), "arrival": kind, "trace": trace(file.strip()) if file else [],
        "concurrencies": [int(n) for n in numbers("concurrency", o["concurrency"], whole=True)],
        "requests": count("requests") or None, "duration_s": number("duration_s") or None,
        "input_tokens": sizes("input_tokens", o["input_tokens"]),
        "output_tokens": sizes("output_tokens", o["output_tokens"]),
        "prompts": prompts(o["prompts"], o["api"]), "ignore_eos": _flag("ignore_eos", o["ignore_eos"]),
        "temperature": number("temperature"), "timeout_s": number("timeout_s") or 300.0, "seed": count("seed"),
        "stream": _flag("stream", o["stream"]), "warmup": count("warmup_requests"),
        "processes": max(1, count("processes")), "headers": headers(o), "realtime": _flag("realtime", o["realtime"]),
        "floor": _flag("floor", o["floor"]), "nonce": "",
    }  # fmt: skip
    for level in ("slo_ttft_s", "slo_tpot_s", "slo_request_s"):  # applied by whoever reads the record
        number(level)
    ways = [name for name in ("rates", "concurrencies") if plan[name]] + (["trace"] if plan["trace"] else [])
    if len(ways) > 1:
        raise SystemExit(
            "rate: one load has one shape; write rate=10, concurrency=8 or arrival=trace FILE, and no other"
        )
    if not ways:
        plan["concurrencies"] = [8]
    return plan


def numbers(name: str, text: str, *, whole: bool = False) -> list[float]:
    """One number or several, for one case each.

    >>> numbers("rate", "10, 20")
    [10.0, 20.0]
    """
    found = [_number(name, part, whole=whole) for part in text.split(",") if part.strip()]
    if any(not number for number in found):
        raise SystemExit(f"{name}: 0 is no load; write {name}=10 or {name}=10,20,40")
    return found


def _number(name: str, text: str, *, whole: bool = False) -> float:
    if re.fullmatch(r"\d{1,9}" if whole else r"(\d{1,9}\.?\d*|\.\d+)(e-?\d)?", text.strip() or "0") is None:
        raise SystemExit(f"{name}: {text!r} cannot be used; write {name}={'10' if whole else '2.5'}")
    return float(text or 0)


def _flag(name: str, text: str) -> bool:
    return _one_of(name, text.lower(), "true", "false") == "true"


def _one_of(name: str, text: str, *known: str) -> str:
    if text not in known:
        raise SystemExit(f"{name}: {text!r} is none; write {name}={' or '.join(known)}")
    return text


def trace(path: str) -> list[tuple[float, int | None, int | None]]:
    """Arrival times of a file, one a line: seconds, or an object in Mooncake's format (timestamp in ms, lengths)."""
    rows: list[tuple[float, int | None, int | None]] = []
    for number, line in enumerate(_lines("arrival", path), start=1):
        try:
            said = json.loads(line)
            if isinstance(said, dict):
                rows.append((float(said["timestamp"]) / 1e3, said.get("input_length"), said.get("output_length")))
            else:
                rows.append((float(said), None, None))
        except (ValueError, TypeError, KeyError):
            wanted = 'a time in seconds, or {"timestamp": 1500, "input_length": 512, "output_length": 128} in ms'
            raise SystemExit(f"arrival: {path}, line {number}: {line[:60]!r} is none; write {wanted}") from None
    first = min(row[0] for row in rows)
    return sorted((row[0] - first, row[1], row[2]) for row in rows)


def prompts(path: str, api: str) -> list[str]:
    """The lines of a file of prompts, each checked; empty where none is named."""
    lines = _lines("prompts", path) if path else []
    for number, line in enumerate(lines, start=1):
        try:
            said = json.loads(line)
            good = isinstance(said, dict) and ("prompt" in said or (api == "chat" and "messages" in said))
        except ValueError:
            good = False
        if not good:
            wanted = '{"prompt": "…"}' + (' or {"messages": […]}' if api == "chat" else "")
            raise SystemExit(
                f"prompts: {path}, line {number}: {line[:60]!r} holds no prompt; write {wanted} on each line"
            )
    return lines


def _lines(option: str, path: str) -> list[str]:
    try:
        lines = [line for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"{option}: {path}: {getattr(error, 'strerror', None) or error}; name a text file") from None
    if not lines:
        raise SystemExit(f"{option}: {path}: is empty; write one entry a line")
    return lines


def headers(options: dict[str, str]) -> list[str]:
    """Header lines from environment variables: what is secret is in no command line and no record."""
    found = []
    for option in ("key_env", "headers_env"):
        name = options[option]
        if name and name not in os.environ:
            raise SystemExit(f"{option}: there is no environment variable {name}; write export {name}=…")
        text = os.environ.get(name, "").strip() if name else ""
        found += [f"Authorization: Bearer {text}"] if text and option == "key_env" else text.splitlines()
    if any(":" not in line or not line.isprintable() for line in found):
        raise SystemExit("headers_env: a line is no header; write NAME: VALUE on each line")
    return found
