"""Recordings of raw answers: what `read` yielded on somebody's machine, one line a moment, to be played again anywhere.

{"vendor": "nvidia", "recorded": "8 × H100, driver 570.169, 2026-11-26"}      the first line: whose answers follow
{"at_s": 0.0, "raw": {"devices": […]}}                                       … seconds since it began
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from assay.errors import InputError
from assay.telemetry.reading import Raw

LONGEST = 16_000_000  # letters of a line: a hundred times the answer of the largest machine
HINT = "record one with: assay watch --record FILE"


class Answer(NamedTuple):
    """One raw answer, and when it came."""

    at_s: float
    raw: Raw


def head(vendor: str, recorded: str) -> str:
    """The first line of a recording."""
    return json.dumps({"vendor": vendor, "recorded": recorded}, ensure_ascii=False) + "\n"


def line(at_s: float, raw: Raw) -> str:
    """A line of a recording."""
    return json.dumps({"at_s": round(at_s, 3), "raw": raw}, ensure_ascii=False, separators=(",", ":")) + "\n"


def opened(path: Path) -> tuple[Mapping[str, Any], Iterator[Answer]]:
    """The head of a recording and its answers, read as they are asked for; a last line that was cut off is left out."""
    try:
        with path.open(encoding="utf-8") as file:
            told = json.loads(_line(file, path, 1))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=str(path), hint=HINT) from None
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not isinstance(told.get("vendor"), str):
        what = 'this is no recording: its first line does not say {"vendor": …}'
        raise InputError(what, where=str(path), hint=HINT)
    return told, _answers(path)


def _answers(path: Path) -> Iterator[Answer]:
    with path.open(encoding="utf-8") as file:
        _line(file, path, 1)
        for number in itertools.count(2):
            text = ""
            try:
                if not (text := _line(file, path, number)):
                    return
                said = json.loads(text)
                answer = Answer(float(said["at_s"]), {"devices": [], **said["raw"]})
            except (ValueError, KeyError, TypeError, RecursionError):
                if text and not text.endswith("\n"):
                    return
                raise InputError("this line is no answer", where=f"{path}:{number}", hint=HINT) from None
            yield answer


def _line(file: TextIO, path: Path, number: int) -> str:
    """The next line; one without an end, such as that of /dev/zero, is not read until memory is full."""
    text = file.readline(LONGEST)
    if len(text) == LONGEST and not text.endswith("\n"):
        what = f"this is no recording: the line is longer than {LONGEST // 1_000_000} million letters"
        raise InputError(what, where=f"{path}:{number}", hint=HINT)
    return text
