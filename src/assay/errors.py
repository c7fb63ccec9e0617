"""What can go wrong, said so that the reader knows what to type next.

AssayError
├── InputError    your input (exit 2)
├── MeasureError  the machine could not be measured (exit 3)
└── Finding       a gate or a check says no (exit 1)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

_LONGEST = 1000  # what is longer is not a sentence, but what somebody's file was full of


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


class MeasureError(AssayError):
    """The machine could not be measured: a device, a tool or quiet is missing."""

    exit_code = 3


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


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST // 2] + " … " + text[-_LONGEST // 4 :]
