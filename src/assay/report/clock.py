"""Time on an axis and in a table: hours, minutes and seconds since a run began."""

from __future__ import annotations

_STEPS_S = (
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10800.0,
    21600.0, 43200.0, 86400.0,
)  # fmt: skip


def clock(time_s: float, digits: int = 0) -> str:
    """A moment of a run as h:min:s.

    >>> clock(4210.4), clock(0.27, digits=2), clock(93784)
    ('1:10:10', '0:00:00.27', '26:03:04')
    """
    whole = round(max(0.0, time_s), digits)
    hours, rest = divmod(whole, 3600)
    minutes, seconds = divmod(rest, 60)
    width = 2 if not digits else 3 + digits
    return f"{hours:.0f}:{minutes:02.0f}:{seconds:0{width}.{digits}f}"


def stretch(begin_s: float, end_s: float) -> str:
    """From one moment to another, as exactly as its length asks.

    >>> stretch(60, 135), stretch(0.5, 0.75)
    ('0:01:00 to 0:02:15', '0:00:00.50 to 0:00:00.75')
    """
    digits = digits_for(end_s - begin_s)
    return f"{clock(begin_s, digits)} to {clock(end_s, digits)}"


def digits_for(length_s: float) -> int:
    """Decimals of a second that tell apart what is so far apart."""
    return 0 if length_s >= 10 else 1 if length_s >= 1 else 2


def ticks(length_s: float, most: int) -> list[tuple[float, str]]:
    """Round moments from 0 to the end, at most so many, with what is written at them.

    >>> [text for _, text in ticks(7300, 5)]
    ['0:00:00', '0:30:00', '1:00:00', '1:30:00', '2:00:00']
    """
    steps = (*_STEPS_S, *(86400.0 * days for days in (2, 5, 10, 20, 50, 100, 1000)))
    step = next((s for s in steps if length_s / s < most), length_s / max(1, most - 1))
    digits = 0 if step >= 1 else 1
    return [(i * step, clock(i * step, digits)) for i in range(int(length_s / step * (1 + 1e-9)) + 1)]
