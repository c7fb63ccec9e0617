"""What can go wrong, said so that the reader knows what to type next.

AssayError
├── InputError    your input (exit 2)
│   └── TooLarge  a job that fits by no plan
├── MeasureError  the machine could not be measured (exit 3)
│   └── OutOfMemory  what was tried did not fit
└── Finding       a gate or a check says no (exit 1)
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

_LONGEST = 1000  # what is longer is not a sentence, but what somebody's file was full of
_SHOWN = 60  # letters of a value that are repeated to whoever wrote it

# What moves a terminal's cursor, turns its writing round or is no text at all; tabs and ends of lines are harmless.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class AssayError(Exception):
    """Something a person can act on; `str(error)` is one plain sentence or two."""

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        told = (_short(part) for part in (where, what) if part)
        super().__init__(": ".join(told) + (f"; {_short(hint)}" if hint else ""))


class InputError(AssayError):
    """A file, a flag or a number that cannot be used as given."""

    exit_code = 2


class TooLarge(InputError):
    """A job that fits on a machine by no plan at all; the message says by how much, on what."""


class MeasureError(AssayError):
    """The machine could not be measured: a device, a tool or quiet is missing."""

    exit_code = 3


class OutOfMemory(MeasureError):
    """What was tried did not fit into memory: an answer, to whoever looks for the largest that does."""


class Finding(AssayError):
    """The question was answered, and the answer is no."""

    exit_code = 1


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The names most like this one, best first.

    >>> nearest("h100-sxn", ["a100-sxm", "h100-sxm", "mi300x"])[0]
    'h100-sxm'
    """
    if len(name) > _LONGEST:  # no name is this long, and looking for its like would take minutes
        return []
    options = {option.casefold(): option for option in known}
    found = difflib.get_close_matches(name.casefold(), options, n=count, cutoff=0.5)
    return [options[match] for match in found]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for an error: the near misses, or nothing.

    >>> did_you_mean("bandwith", ["bandwidth", "power"])
    'did you mean "bandwidth"?'
    """
    return perhaps(nearest(name, known))


def perhaps(found: Sequence[str]) -> str:
    """Near misses that somebody found, as a hint; nothing where there are none."""
    return "did you mean " + " or ".join(f'"{match}"' for match in found) + "?" if found else ""


def inert(text: str) -> str:
    r"""Somebody else's text, safe on a terminal: control characters are written out.

    >>> inert("\x1b[2Jh100")
    '\\x1b[2Jh100'
    """
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def shown(value: object) -> str:
    """A value as somebody gave it, short enough for a sentence."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        text = "a number of thousands of digits"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _short(text: str) -> str:
    text = inert(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST // 2] + " … " + text[-_LONGEST // 4 :]
