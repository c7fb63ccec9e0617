"""`assay watch --export`: what the devices say, served to Prometheus or pushed over OTLP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from assay.cli.output import say

if TYPE_CHECKING:
    from assay.api.watching import Watch
    from assay.telemetry.reading import Snapshot

Show = Callable[["Snapshot"], None]
Turns = Callable[[Show], None]  # calls what it is given once a period, until the watch is over


def exporter(options: dict[str, Any]) -> Callable[[Watch, Turns], None]:
    """What exports an open watch as it was asked for; a wrong address is refused here, before anything is opened."""
    if options["export"] == "otlp":
        return _pushed(options)
    return _served(options)


def _served(options: dict[str, Any]) -> Callable[[Watch, Turns], None]:
    host, _, port = options["listen"].rpartition(":")
    if not port.isdecimal():
        raise click.UsageError("--listen wants HOST:PORT, such as 127.0.0.1:9400")

    def run(seen: Watch, turns: Turns) -> None:
        from assay.telemetry.exporter import serve

        with serve(seen.latest, host=host or "127.0.0.1", port=int(port), names=options["names"]) as server:
            say(f"Serving {server.url} ({options['names']} names); Ctrl-C ends it")
            turns(lambda _: None)

    return run


def _pushed(options: dict[str, Any]) -> Callable[[Watch, Turns], None]:
    from assay.cli.watch_import import headers_of
    from assay.errors import InputError
    from assay.telemetry import web

    endpoint, headers = options["endpoint"], headers_of(options["headers"])
    if not endpoint:
        raise click.UsageError("--export otlp wants --endpoint, such as http://127.0.0.1:4318/v1/metrics")
    try:
        web.address(endpoint)
    except InputError as error:
        hint = "write it as http://127.0.0.1:4318/v1/metrics"
        raise InputError(f"{error.where}: {error.what}", where="--endpoint", hint=hint) from None

    def run(_: Watch, turns: Turns) -> None:
        say(f"Pushing to {web.address(endpoint)[0]}; Ctrl-C ends it")
        pushes = Pushes(endpoint, headers)
        turns(pushes)
        pushes.judge()

    return run


class Pushes:
    """Pushes one snapshot after the other: each new problem is told once, and whether anything was taken at the end."""

    def __init__(self, endpoint: str, headers: dict[str, str]) -> None:
        from assay.telemetry.otlp import Starts

        self.endpoint, self.headers, self.starts = endpoint, headers, Starts()
        self.tried, self.taken, self.told = 0, 0, dict[str, None]()

    def __call__(self, snapshot: Snapshot) -> None:
        """Push one."""
        from assay.errors import AssayError
        from assay.telemetry.otlp import push

        self.tried += 1
        try:
            problem = push(snapshot, self.endpoint, self.starts, headers=self.headers)
            self.taken += 1
        except AssayError as error:
            problem = str(error)
        if problem and problem not in self.told:
            self.told[problem] = None
            say(f"Warning: {problem}")

    def judge(self) -> None:
        """MeasureError where nothing was ever taken: who counts on the values must know."""
        from assay.errors import MeasureError

        if self.tried and not self.taken:
            what = f"none of {self.tried} pushes was taken, for this reason: {next(reversed(self.told))}"
            raise MeasureError(what)
