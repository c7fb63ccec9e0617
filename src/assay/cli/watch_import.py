"""`assay watch --import`: what a Prometheus has collected, kept as a run."""

from __future__ import annotations

import re
import time
from typing import Any

from assay.cli.output import Row, emit, say
from assay.errors import InputError

# As Prometheus writes durations: its months are none, so that "m" is a minute.
_UNITS_S = {"y": 365 * 86400.0, "w": 7 * 86400.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3}
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit in _UNITS_S))
_FIRST = "there is nothing before 1970"


def import_history(options: dict[str, Any]) -> None:
    """Import what was asked for, and say what was found."""
    from assay.api.watching import import_prometheus
    from assay.store import find

    start_s, end_s = period(options, time.time())
    run = import_prometheus(
        options["source"], start_s=start_s, end_s=end_s, match=options["match"], headers=headers_of(options["headers"]),
        out=options["out"],
    )  # fmt: skip
    path = find(run.id, options["out"])
    rows: list[Row] = [
        {"device": d.id, "name": d.name, "vendor": d.vendor, "partition": d.partition} for d in run.devices
    ]
    emit(rows, options["fmt"], title=f"Imported from {options['source']}", data={"run": str(path), "devices": rows})
    for warning in run.warnings:
        say(f"Note: {warning}")
    say(f"Run: {path}")
    say(f"Next: assay report {path}")


def period(options: dict[str, Any], now_s: float) -> tuple[float, float]:
    """From when until when to import, in seconds since 1970; each mistake is told of the option that has it."""
    end_s = _moment(options["end"], "--until") if options["end"] else now_s
    if options["begin"]:
        start_s = _moment(options["begin"], "--from")
        if start_s >= end_s:
            until = f"--until {options['end']}" if options["end"] else "now"
            raise InputError(
                f"{options['begin']} is not before {until}", where="--from", hint="give a start and a later end"
            )
        return start_s, end_s
    long_s = span(options["last"])
    if long_s > end_s:
        raise InputError(f'"{options["last"]}" reaches too far back: {_FIRST}', where="--last", hint="write --last 6h")
    return end_s - long_s, end_s


def _moment(text: str, option: str) -> float:
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        hint = "write it as 2026-11-26T10:00 or 2026-11-26T10:00+01:00"
        raise InputError(f'"{text}" is no time', where=option, hint=hint) from None
    moment_s = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if moment_s < 0:
        raise InputError(f"{text} is too early: {_FIRST}", where=option, hint="write it as 2026-11-26T10:00")
    return moment_s


def span(text: str) -> float:
    """A length of time, as Prometheus writes it (1h30m) or as a number with its unit (10 min).

    >>> span("1h30m"), span("10m"), span("2 days")
    (5400.0, 600.0, 172800.0)
    """
    from assay.units import parse

    hint = "write it as 10m, 6h, 1h30m or 2d"
    match = _DURATION.fullmatch(text.strip())
    try:
        if match and match[0]:
            found = sum(float(n or 0) * unit_s for n, unit_s in zip(match.groups(), _UNITS_S.values(), strict=True))
        else:
            found = parse(text, "s")
    except InputError as error:
        raise InputError(error.what, where="--last", hint=hint) from None
    if found <= 0:
        raise InputError(f'"{text}" is no length of time', where="--last", hint=hint)
    return found


def headers_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """NAME:VALUE pairs as a table."""
    found = {}
    for pair in pairs:
        name, mark, value = pair.partition(":")
        if not mark or not name.strip():
            raise InputError(
                "a header is NAME:VALUE", where="--header", hint='write --header "Authorization: Bearer …"'
            )
        found[name.strip()] = value.strip()
    return found
