"""The ear: picks the formats of `logs` that a program may speak, and hears what its lines and its files say.

Most lines say nothing, and are passed over at the price of a few searches. What is heard comes out under the
canonical names. NaN and infinity are told of once, and kept out but of a loss; a line of a known format that is not
understood is told of too.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from assay.errors import InputError, did_you_mean
from assay.measure import logs
from assay.measure.found import KEPT_AS_IS, Found, Reader, Said, not_finite
from assay.measure.lines import LARGEST, RANK, Objects, loaded, rows, states

_LONGEST = 1 << 14  # letters of a line; what is longer is no log, unless it is JSON
_SHOWN = 160  # letters of a line that a warning repeats
_JSON = "JSON"
_WRONG = (ValueError, KeyError, TypeError, IndexError, AttributeError, ArithmeticError, RecursionError)


@cache
def known() -> Mapping[str, str]:
    """The formats there are, by name, each in words."""
    return {name: _format(name).TITLE for _, name, _ in pkgutil.iter_modules(logs.__path__)}


def _format(name: str) -> ModuleType:
    return importlib.import_module(f"{logs.__name__}.{name}")


class _Ear:
    """A format that reads lines, and whether all lines are for it."""

    def __init__(self, title: str, reader: Reader, marks: Sequence[str], *, wakes: bool = False) -> None:
        self.title, self.reader, self.marks, self.wakes = title, reader, marks, wakes
        self.awake = not marks

    def wants(self, text: str) -> bool:
        if self.awake:
            return True
        for mark in self.marks:
            if mark in text:
                self.awake = self.wakes
                return True
        return False


class Listener:
    """Hears a program's lines, one after the other; `formats` names those to try, else all are tried."""

    def __init__(
        self, command: Sequence[str] = (), formats: Sequence[str] | None = None, pattern: str | None = None
    ) -> None:  # fmt: skip
        modules = [_format(name) for name in _wanted(formats, pattern)]
        self._ears = [
            _Ear(m.TITLE, m.reader(tuple(command)), m.MARKS, wakes=getattr(m, "AWAKE", False))
            for m in modules if hasattr(m, "reader")
        ]  # fmt: skip
        if pattern is not None:
            own = _format("pattern")
            self._ears.append(_Ear(own.TITLE, own.matcher(pattern), ()))
        self._formats = sorted((m for m in modules if hasattr(m, "document")), key=lambda m: hasattr(m, "LAST"))
        self._objects = Objects()
        self._told: set[tuple[str, str, int]] = set()  # what was once not finite
        self._missed: dict[str, int] = {}  # lines that were not understood, by format
        self._few = _hints(mark for ear in self._ears for mark in ear.marks)
        self._look()

    def line(self, text: str | bytes) -> Sequence[Said]:
        """What one whole line says: values, cases, warnings in words. It never raises."""
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        for hint in self._hints:
            if hint in text:
                break
        else:
            return ()
        said = [one for state in states(text) for one in self._ranked(state)]
        self._look()
        return said

    def document(self, raw: Mapping[str, Any]) -> Sequence[Said]:
        """What one JSON object says, by the first format that knows it."""
        return list(self._document(raw))

    def file(self, raw: bytes) -> Sequence[Said]:
        """What a whole file says: a JSON document, a table with a column of steps, or a log."""
        if len(raw) > LARGEST:
            return [f"a result of {len(raw)} bytes is not read: {LARGEST} is the most"]
        text = raw.decode("utf-8-sig", errors="replace")
        try:
            found = loaded(text)
        except (ValueError, RecursionError):
            if table := rows(text):
                return list(self._sound(one for row in table for one in _format("jsonl").document(row) or ()))
            return [*(one for line in text.split("\n") for one in self.line(line)), *self.end()]
        objects = found if isinstance(found, list) else [found]
        return [one for raw in objects if isinstance(raw, dict) for one in self._document(raw)]

    def end(self) -> Sequence[Said]:
        """What is left to be said when the program has ended."""
        said = list(self._unclear(_JSON, self._objects.drop()))
        said += [
            f"{title}: {count - 1} more lines not understood" for title, count in self._missed.items() if count > 1
        ]
        self._missed.clear()
        return said

    def _look(self) -> None:
        """What a line must hold to be looked at; nothing, where a format wants them all."""
        self._hints = ("",) if self._objects.open or any(ear.awake for ear in self._ears) else self._few

    def _ranked(self, text: str) -> Iterator[Said]:
        prefix = RANK.match(text)
        if prefix is None:
            return self._state(text)
        said, rank = self._state(text[prefix.end() :]), int(prefix[1])
        return (one._replace(rank=rank) if isinstance(one, Found) and not one.rank else one for one in said)

    def _state(self, text: str) -> Iterator[Said]:
        if self._formats:
            whole, wrong = self._objects.take(text)
            yield from self._unclear(_JSON, wrong)
            if whole is not None:
                yield from self._document(whole, spread=text.startswith("}"))
                return
        for ear in self._ears if len(text) <= _LONGEST else ():
            if ear.wants(text):
                yield from self._sound(self._tried(ear.title, ear.reader, text))

    def _document(self, raw: Mapping[str, Any], *, spread: bool = False) -> Iterator[Said]:
        """What the first format that knows it says; an object spread over lines is no line of numbers."""
        for module in self._formats:
            if spread and hasattr(module, "LAST"):
                return
            if said := list(self._tried(module.TITLE, module.document, raw)):
                yield from self._sound(said)
                return

    def _tried(self, title: str, read: Callable[[Any], Iterable[Said] | None], what: Any) -> Iterator[Said]:
        """What a format reads there, as far as it understands it."""
        try:
            yield from read(what) or ()
        except _WRONG:
            yield from self._unclear(title, what if isinstance(what, str) else f"an object with {', '.join(what)}")

    def _unclear(self, title: str, text: str) -> Iterator[str]:
        """The first of a format's lines that is not understood is told of, others are counted."""
        if text:
            self._missed[title] = self._missed.get(title, 0) + 1
            if self._missed[title] == 1:
                yield f"{title}: a line is not understood: {text.strip()[:_SHOWN]}"

    def _sound(self, said: Iterable[Said]) -> Iterator[Said]:
        """Without values that are no finite numbers, but of a loss; the first of each metric is told of."""
        for one in said:
            if not isinstance(one, Found) or math.isfinite(one.value):
                yield one
                continue
            if (key := (one.case, one.metric, one.rank)) not in self._told:
                self._told.add(key)
                yield not_finite(one.metric, one.value, one.index)
            if one.metric in KEPT_AS_IS:
                yield one


def _hints(marks: Iterable[str]) -> tuple[str, ...]:
    """Few and short texts of which every mark holds one: a line with none of them costs less than a microsecond.

    JSON begins with a brace, and colours may cut a mark in two.
    """
    rare = "{|#"
    return tuple(sorted({"{", "\x1b", *(next((c for c in rare if c in mark), mark) for mark in marks)}, key=len))


def _wanted(formats: Sequence[str] | None, pattern: str | None) -> list[str]:
    """The formats to try; a pattern is its own."""
    if formats is None:
        return [name for name in known() if name != "pattern"]
    for name in formats:
        if name not in known():
            hint = did_you_mean(name, known()) or f"known: {', '.join(known())}"
            raise InputError(f'no log format is called "{name}"', hint=hint)
        if name == "pattern" and pattern is None:
            raise InputError("the format pattern needs a pattern", hint='write --pattern "loss (?P<loss>[0-9.]+)"')
    return [name for name in formats if name != "pattern"]
