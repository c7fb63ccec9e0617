"""`assay watch`: what the devices here are really doing, live; out to Prometheus or OTLP, or in from there."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.cli.output import Row, console, emit, format_option, say

if TYPE_CHECKING:
    from assay.api.watching import Watch
    from assay.telemetry.reading import Snapshot


class Seconds(click.FloatRange):
    """A number of seconds; "nan" lies in no range, and click takes it for one that does."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """A finite number within the range."""
        found: float = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is not a finite number of seconds", param, ctx)
        return found


@click.command()
@click.option("--period", "period_s", type=Seconds(0.02, 3600), default=1.0, show_default=True,
              help="Seconds between readings.")  # fmt: skip
@click.option(
    "--vendor", "vendors", multiple=True, help="Read these plug-ins only, such as nvidia or host; repeatable."
)
@click.option("--once", is_flag=True, help="One look, and out.")
@click.option("--seconds", type=Seconds(min=0, min_open=True),
              help="Stop this long after the first answer; default: at Ctrl-C.")  # fmt: skip
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
        _holds_answers(options["replay"])
        os.environ["ASSAY_REPLAY"] = str(options["replay"].resolve())
        options["vendors"] = ("replay",)
    if options["source"]:
        from assay.cli.watch_import import import_history

        return import_history(options)
    if options["record"]:
        return _record(options)
    from assay.api.watching import watch as open_watch
    from assay.cli.watch_export import exporter

    send_to = exporter(options) if options["export"] else None  # a wrong address is told before any sensor is asked

    with open_watch(period_s=options["period_s"], vendors=options["vendors"] or None) as seen:
        _first(seen, options["seconds"] or math.inf)
        if options["once"]:
            snapshot = seen.latest()
            assert snapshot is not None
            emit(rows_of(snapshot), options["fmt"], title=f"{snapshot.host}, now", data=data_of(snapshot))
            say("Next: assay watch, or assay measure -- COMMAND")
        elif send_to is not None:
            send_to(seen, lambda show: _turns(seen, options, show))
        else:
            _live(seen, options)
    return None


def _holds_answers(path: Path) -> None:
    """A recording without answers would be waited for in vain."""
    from assay.errors import InputError
    from assay.telemetry.recording import HINT, opened

    if next(opened(path)[1], None) is None:
        raise InputError("this recording holds no answers", where=str(path), hint=HINT)


_FIRST_S, _ENDED_S = 35.0, 4.0  # an SDK may take its time to start; one that has ended will not come


def _first(seen: Watch, seconds: float) -> None:
    """Wait for a first round, and at most `seconds` for a second; a machine that shows nothing is told at once."""
    from assay.errors import MeasureError

    begin_s, told = time.monotonic(), list[str]()
    while time.monotonic() < begin_s + (_ENDED_S if told else _FIRST_S):
        for event in seen.turn():
            told.append(event.text)
            say(event.text)
        if seen.latest() is not None:
            time.sleep(min(seen.latest.period_s + 0.2, seconds))  # shares and rates need a second round
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
    """Show each round until the time is over, or somebody ends it."""
    end_s = time.monotonic() + (options["seconds"] or math.inf)
    try:
        while True:
            snapshot = seen.latest()
            if snapshot is not None:
                show(snapshot)
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(options["period_s"], left_s))
            seen.turn()
    except KeyboardInterrupt:
        return


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
