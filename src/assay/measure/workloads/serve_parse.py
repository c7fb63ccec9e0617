"""What an answer said, and when: read after the request has ended, so that reading costs no time that is measured.

Server-sent events as the HTML standard has them (section 9.2.6): an event ends with an empty line, lines end with LF,
CR LF or CR, an event's `data:` lines are joined, lines that begin with a colon are comments. An event has come when
the piece that completes it has come. Token counts are the server's (`usage`), whatever number of events they came in.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

# Atomic (?>…), or CR LF alone would pass for two line ends. The end of a stream ends its last event, too.
_BETWEEN = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)+|\Z")
_LINE = re.compile(rb"\r\n|\n|\r")
# Where chunks of the known servers carry what they generated: chat, reasoning (two spellings), refusals, tools.
_CONTENT = ("content", "reasoning_content", "reasoning", "refusal", "tool_calls", "function_call")


class Answer(NamedTuple):
    """What one answer came to; `fault` says in a few words why it is none."""

    token_at_s: tuple[float, ...] = ()  # when each event with content came, by the monotonic clock
    input_tokens: int | None = None  # None: the server did not say
    output_tokens: int | None = None
    fault: str = ""
    text: str = ""  # what the server said of its fault


def streamed(at_s: Sequence[float], pieces: Sequence[bytes]) -> Answer:
    """An answer that came as events: pieces of its body, and when each came."""
    token_at_s: list[float] = []
    usage: dict[str, Any] = {}
    finished = False
    for when_s, data in events(at_s, pieces):
        if data == b"[DONE]":
            finished = True
            break
        said = _table(data)
        if said is None:
            return Answer(tuple(token_at_s), fault="malformed stream", text=data[:200].decode(errors="replace"))
        if said.get("error") or said.get("object") == "error":
            return Answer(tuple(token_at_s), fault="error in stream", text=complaint(data))
        content, ended = _choices(said)
        finished = finished or ended
        if content:
            token_at_s.append(when_s)
        usage = said.get("usage") or usage
    if not finished:
        text = b"".join(pieces)[-80:].decode(errors="replace")
        return Answer(tuple(token_at_s), fault="stream without an end", text=text)
    if not token_at_s:
        return Answer(fault="empty answer", text="not one event had content")
    return Answer(tuple(token_at_s), _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))


def whole(body: bytes) -> Answer:
    """An answer that came in one piece: what it counted, since nothing says when its tokens came."""
    said = _table(body)
    if said is None or said.get("error") or not said.get("choices"):
        return Answer(fault="malformed answer", text=complaint(body))
    usage = said.get("usage")
    return Answer((), _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))


def events(at_s: Sequence[float], pieces: Sequence[bytes]) -> Iterator[tuple[float, bytes]]:
    """Each event's data, and when the last byte of the event had come."""
    text = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    ends = list(accumulate(map(len, pieces)))
    begin = 3 if text.startswith(b"\xef\xbb\xbf") else 0
    for gap in _BETWEEN.finditer(text):
        block, begin = text[begin : gap.start()], gap.end()
        data = _data(block)
        if data is not None:
            last = _LAST_OF_TWO.match(text, gap.start())
            end = last.end() if last else gap.end()
            yield at_s[min(bisect_right(ends, max(0, end - 1)), len(at_s) - 1)], data


_LAST_OF_TWO = re.compile(rb"(?>\r\n|\n|\r){2}")  # an event ends with its first empty line, however many follow


def _data(block: bytes) -> bytes | None:
    """An event's data; None where it has none, as a comment or a bare event name."""
    if block.startswith(b"data: ") and b"\n" not in block and b"\r" not in block:
        return block[6:]  # nearly all of them
    lines = [line[5:] for line in _LINE.split(block) if line.startswith(b"data:") or line == b"data"]
    return b"\n".join(line[1:] if line.startswith(b" ") else line for line in lines) if lines else None


def _table(data: bytes) -> dict[str, Any] | None:
    """A JSON object, or None."""
    try:
        said = json.loads(data)
    except ValueError:  # bytes that are no UTF-8, too
        return None
    return said if isinstance(said, dict) else None


def _choices(said: dict[str, Any]) -> tuple[bool, bool]:
    """Whether a chunk has content, and whether it is the last of its answer."""
    content = ended = False
    for choice in said.get("choices") or ():
        if isinstance(choice, dict):
            delta = choice.get("delta")
            content = content or bool(choice.get("text"))
            if isinstance(delta, dict):  # the first names a role alone: nobody has read a token yet
                content = content or any(delta.get(key) for key in _CONTENT)
            ended = ended or bool(choice.get("finish_reason"))
    return content, ended


def _count(usage: Any, key: str) -> int | None:
    count = usage.get(key) if isinstance(usage, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else None


def complaint(body: bytes) -> str:
    """What a server says of a fault, in one line."""
    try:
        said = json.loads(body)
        error = said.get("error", said)
        text = error.get("message", error) if isinstance(error, dict) else error
    except (ValueError, AttributeError):
        text = body[:400].decode(errors="replace")
    return " ".join(str(text).split())[:200]
