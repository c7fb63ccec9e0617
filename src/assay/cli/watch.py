"""`assay watch`: what the devices here are really doing, live; out to Prometheus or OTLP, or in from there."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.cli.output import Row, console, emit, format_option, say

if TYPE_CHECKING:
    from assay.api.watching import Watch
    from assay.telemetry.reading import Snapshot


@click.command()
@click.option("--period", "period_s", type=click.FloatRange(0.02, 3600), default=1.0, show_default=True,
              help="Seconds between readings.")  # fmt: skip
@click.option(
    "--vendor", "vendors", multiple=True, help="Read these plug-ins only, such as nvidia or host; repeatable."
)
@click.option("--once", is_flag=True, help="One look, and out.")
@click.option("--seconds", type=float, help="Stop after this long; default: until Ctrl-C.")
@click.option(
    "--export", type=click.Choice(["prometheus", "otlp"]), help="Serve /metrics here, or push over OTLP/HTTP."
)
@click.option("--names", type=click.Choice(["canonical", "dcgm"]), default="canonical", show_default=True,
              help="dcgm: as dcgm-exporter calls it, so that its dashboards work with any vendor.")  # fmt: skip
@click.option("--listen", default="127.0.0.1:9400", show_default=True, help="Address of /metrics.")
@click.option("--endpoint", help="Where OTLP goes, such as http://127.0.0.1:4318/v1/metrics.")
@click.option("--import", "source", metavar="URL", help="A Prometheus or VictoriaMetrics: its history becomes a run.")
@click.option("--last", default="1h", show_default=True, help="How far back to import …")
@click.option("--from", "begin", metavar="TIME", help="… or from when, ISO 8601.")
@click.option("--until", "end", metavar="TIME", help="… until when; default: now.")
@click.option("--match", default="", help='Only series with these labels, as in PromQL: cluster="a".')
@click.option(
    "--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header for URL or endpoint; repeatable."
)
@click.option("--record", type=click.Path(dir_okay=False, path_type=Path), help="Write one vendor's raw answers here.")
@click.option("--replay", type=click.Path(dir_okay=False, exists=True, path_type=Path), help="Play such a recording.")
@click.option("--out", default="runs", show_default=True, type=click.Path(), help="Folder that keeps imported runs.")
@format_option
@click.pass_context
def watch(ctx: click.Context, /, **options: Any) -> None:
    """Live devices: busy, cores, matrix units, memory, power, heat, throttling, each by its own name.

    \b
    assay watch                                      a live view; in a pipe, a line of JSON a period
    assay watch --export prometheus --names dcgm     dcgm-exporter's names on any vendor's devices
    assay watch --import http://prometheus:9090 --last 6h

    An absent sensor is absent: nothing here is 0 because nobody knows. Exit: 0, 2 usage, 3 nothing to watch.
    """
    import os

    if options["replay"]:
        os.environ["ASSAY_REPLAY"] = str(options["replay"].resolve())
        options["vendors"] = ("replay",)
    if options["source"]:
        return _import(options)
    if options["record"]:
        return _record(options)
    from assay.api.watching import watch as open_watch

    with open_watch(period_s=options["period_s"], vendors=options["vendors"] or None) as seen:
        _first(seen)
        if options["once"]:
            snapshot = seen.latest()
            assert snapshot is not None
            emit(rows_of(snapshot), options["fmt"], title=f"{snapshot.host}, now", data=data_of(snapshot))
            say("Next: assay watch, or assay measure -- COMMAND")
        elif options["export"]:
            _export(seen, options)
        else:
            _live(seen, options)
    return None


_FIRST_S, _ENDED_S = 35.0, 4.0  # an SDK may take its time to start; one that has ended will not come


def _first(seen: Watch) -> None:
    """Wait for a first round; a machine that shows nothing is told at once."""
    from assay.errors import MeasureError

    begin_s, told = time.monotonic(), list[str]()
    while time.monotonic() < begin_s + (_ENDED_S if told else _FIRST_S):
        for event in seen.turn():
            told.append(event.text)
            say(event.text)
        if seen.latest() is not None:
            time.sleep(seen.latest.period_s + 0.2)  # shares and rates need a second round
            seen.turn()
            return
        time.sleep(0.05)
    why = told[-1] if told else f"no sensor answered within {_FIRST_S:.0f} s"
    raise MeasureError(why, hint="assay doctor says what this machine has")


def _live(seen: Watch, options: dict[str, Any]) -> None:
    """A table that renews itself; in a pipe, a line of JSON a period."""
    if options["fmt"] != "table" or not sys.stdout.isatty():
        return _turns(seen, options, lambda shot: click.echo(json.dumps(data_of(shot), ensure_ascii=False)))
    from rich.live import Live

    from assay.cli.live import screen

    with Live(console=console(), auto_refresh=False, screen=False) as live:
        _turns(
            seen, options, lambda shot: live.update(screen(shot, seen.latest.events, time.monotonic()), refresh=True)
        )
    return None


def _turns(seen: Watch, options: dict[str, Any], show: Any) -> None:
    end_s = time.monotonic() + (options["seconds"] or float("inf"))
    try:
        while time.monotonic() < end_s:
            time.sleep(min(options["period_s"], max(0.0, end_s - time.monotonic())))
            seen.turn()
            snapshot = seen.latest()
            if snapshot is not None:
                show(snapshot)
    except KeyboardInterrupt:
        return


def _export(seen: Watch, options: dict[str, Any]) -> None:
    if options["export"] == "otlp":
        return _push(seen, options)
    from assay.telemetry.exporter import serve

    host, _, port = options["listen"].rpartition(":")
    if not port.isdecimal():
        raise click.UsageError("--listen wants HOST:PORT, such as 127.0.0.1:9400")
    with serve(seen.latest, host=host or "127.0.0.1", port=int(port), names=options["names"]) as server:
        say(f"Serving {server.url} ({options['names']} names); Ctrl-C ends it")
        _turns(seen, options, lambda _: None)
    return None


def _push(seen: Watch, options: dict[str, Any]) -> None:
    from assay.errors import AssayError
    from assay.telemetry.otlp import Starts, push

    if not options["endpoint"]:
        raise click.UsageError("--export otlp wants --endpoint, such as http://127.0.0.1:4318/v1/metrics")
    starts, told, headers = Starts(), set[str](), headers_of(options["headers"])

    def send(snapshot: Snapshot) -> None:
        try:
            problem = push(snapshot, options["endpoint"], starts, headers=headers)
        except AssayError as error:
            problem = str(error)
        if problem and problem not in told:
            told.add(problem)
            say(f"Warning: {problem}")

    say(f"Pushing to {options['endpoint']}; Ctrl-C ends it")
    _turns(seen, options, send)


def _import(options: dict[str, Any]) -> None:
    from assay.api.watching import import_prometheus
    from assay.store import find

    end_s = _moment(options["end"]) if options["end"] else time.time()
    start_s = _moment(options["begin"]) if options["begin"] else end_s - _span(options["last"])
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


def _moment(text: str) -> float:
    from datetime import UTC, datetime

    from assay.errors import InputError

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        hint = "write it as 2026-11-26T10:00 or 2026-11-26T10:00+01:00"
        raise InputError(f'"{text}" is no time', where="--from", hint=hint) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _span(text: str) -> float:
    from assay.units import parse

    return parse(text, "s")


def headers_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """NAME:VALUE pairs as a table."""
    from assay.errors import InputError

    found = {}
    for pair in pairs:
        name, mark, value = pair.partition(":")
        if not mark or not name.strip():
            raise InputError(
                "a header is NAME:VALUE", where="--header", hint='write --header "Authorization: Bearer …"'
            )
        found[name.strip()] = value.strip()
    return found


def _record(options: dict[str, Any]) -> None:
    from assay.api.watching import record_raw

    if len(options["vendors"]) != 1:
        raise click.UsageError("--record writes the answers of one vendor: name it with --vendor")
    seconds = options["seconds"] or 60.0
    count = record_raw(options["vendors"][0], options["record"], seconds=seconds, period_s=options["period_s"])
    say(f"{options['record']}: {count} answers of {options['vendors'][0]}")
    say(f"Next: assay watch --replay {options['record']}")


def rows_of(snapshot: Snapshot) -> list[Row]:
    """A row a device: each share by its own name, blank where no sensor tells it."""
    from assay.cli.live import cells

    return [cells(snapshot, device) for device in snapshot.devices]


def data_of(snapshot: Snapshot) -> dict[str, Any]:
    """Everything that was read, for programs."""
    fresh = snapshot.fresh(time.monotonic())
    values: dict[str, dict[str, float]] = {}
    for reading in snapshot.readings:
        values.setdefault(reading.of, {})[reading.metric] = reading.value
    devices = [
        {"id": d.id, "name": d.name, "vendor": d.vendor, "partition": d.partition, "answers": d.id in fresh,
         "readings": values.get(d.id, {}) if d.id in fresh else {}}
        for d in snapshot.devices
    ]  # fmt: skip
    return {"host": snapshot.host, "at": round(time.time(), 3), "devices": devices}
