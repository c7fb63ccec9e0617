"""Whole lines out of what a program prints, and the JSON objects among them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from assay.measure.words import STEPS, number

LARGEST = 64_000_000  # letters of a line or of a document; what is longer is nobody's result
RANK = re.compile(r"\[(?:default|rank)?(\d{1,9})\]:\s?")  # torchrun's, before each line that it passes on

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[@-Z\\-_])")
_OBJECT = re.compile(r'\s*\{\s*(?:"|$)')
_INSIDE = re.compile(r'[\s"\]\[{]|$')  # how lines inside a printed object begin


class Lines:
    """A stream that comes in pieces, as whole lines. A carriage return ends one too: a progress bar says many."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[str]:
        """The lines that this piece completes; a line without end is given up as it is."""
        piece = piece.replace(b"\r", b"\n")
        cut = piece.rfind(b"\n") + 1 or (len(piece) if self._size + len(piece) > LARGEST else 0)
        if not cut:
            self._keep(piece)
            return []
        text = b"".join([*self._rest, piece[:cut]]).decode(errors="replace")
        self._rest, self._size = [], 0
        self._keep(piece[cut:])
        return [line for line in text.split("\n") if line]

    def rest(self) -> str:
        """What came after the last end of a line: whole only where the program ended well."""
        text, self._rest, self._size = b"".join(self._rest), [], 0
        return text.decode(errors="replace")

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._rest.append(piece)
            self._size += len(piece)


def states(text: str) -> Iterator[str]:
    r"""A line as it stood on a screen, without colours: one text for each carriage return in it.

    >>> list(states("\x1b[31m 50%|█ | 1/2\r100%|██| 2/2\r\n"))
    [' 50%|█ | 1/2', '100%|██| 2/2']
    """
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    return (piece for piece in re.split(r"[\r\n]", text) if piece)


class Objects:
    """JSON objects in a stream of lines: on a line of their own, or spread over many as pretty-printers do."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0

    @property
    def open(self) -> bool:
        """Whether an object has begun and not ended."""
        return bool(self._lines)

    def take(self, line: str) -> tuple[dict[str, Any] | None, str]:
        """The object that this line completes; and how one began that turns out to be none."""
        if _OBJECT.match(line) and not (self._lines and line[0].isspace()):
            whole = parsed(line)
            wrong = self.drop()
            if whole is None and line[0] == "{":
                self._lines, self._size = [line], len(line)
            elif whole is None:
                wrong = wrong or line
            return whole, wrong
        if not self._lines:
            return None, ""
        if line.startswith("}"):
            whole = parsed("\n".join([*self._lines, line]))
            began = self.drop()
            return whole, "" if whole is not None else began
        self._size += len(line)
        if not _INSIDE.match(line) or self._size > LARGEST:
            return None, self.drop()
        self._lines.append(line)
        return None, ""

    def drop(self) -> str:
        """Forget an object that has begun; how it began."""
        began = " ".join(line.strip() for line in self._lines[:4])
        self._lines, self._size = [], 0
        return began


def loaded(text: str | bytes) -> Any:
    """What a JSON text holds; half a letter, which JSON can name and no file can hold, becomes a question mark."""
    text = text.decode() if isinstance(text, bytes) else text
    found = json.loads(text)
    if "\\u" in text:
        return json.loads(json.dumps(found, ensure_ascii=False).encode(errors="replace"))
    return found


def parsed(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is; None where it is none."""
    try:
        found = loaded(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def rows(text: str) -> list[dict[str, float]]:
    """The numbers of a CSV file that has a column of steps, row by row; nothing where it is no such file."""
    head = text.partition("\n")[0]
    if "," not in head or not {name.strip() for name in head.split(",")} & {*STEPS, "epoch"}:
        return []
    try:
        table = list(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error:
        return []
    numbers = ({name: number(cell) for name, cell in row.items() if isinstance(cell, str)} for row in table)
    return [{name.strip(): value for name, value in row.items() if value is not None} for row in numbers]
