"""`assay gate`: is the new one slower? Measured in turns, judged with at most 1 % false alarms, for CI."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.cli.commands import TakesCommands, commands_of
from assay.cli.compare import close, rows_of
from assay.cli.output import Row, emit, format_option, say

if TYPE_CHECKING:
    from assay.api.gating import Ruling
    from assay.history import History


def _share(ctx: click.Context, parameter: click.Parameter, value: str) -> float:
    from assay.units import parse

    found = parse(value, "")
    if not 0 <= found < 10:
        raise click.BadParameter("write a share, such as 5%")
    return found


@click.command(cls=TakesCommands)
@click.argument("name", required=False)
@click.option(
    "--pairs", type=click.IntRange(1, 1000), default=10, show_default=True, help="Runs of each side, in turns."
)
@click.option("--old", "olds", multiple=True, metavar="RUN", help="Runs that are there already, instead of measuring.")
@click.option("--new", "news", multiple=True, metavar="RUN", help="… and those of the new side.")
@click.option("--old-python", help="A workload (NAME) in this interpreter …")
@click.option("--new-python", help="… against the same in this one.")
@click.option(
    "--history", type=click.Path(file_okay=False, exists=True), help="Judge the runs of this folder over time."
)
@click.option("--allow", multiple=True, metavar="KEY", help="Permit one named difference, such as torch; repeatable.")
@click.option("--metric", "metrics", multiple=True, help="Judge this metric only, such as step_s; repeatable.")
@click.option("--at-least", default="2%", show_default=True, callback=_share, help="A smaller change is no alarm.")
@click.option("--tolerate", default="10%", show_default=True, callback=_share,
              help="Undecided (exit 3) where more than this may hide in the noise.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="An option of the workload.")
@click.option("--quick", is_flag=True, help="The workload's small cases.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML here.")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=Path),
              help="Write a summary here; in GitHub Actions it also goes to the job summary.")  # fmt: skip
@click.option("--out", default="runs", show_default=True, type=click.Path(), help="Folder that keeps the runs.")
@click.option("--together", is_flag=True, help="Measure although another measurement is under way.")
@format_option
@click.pass_context
def gate(ctx: click.Context, /, name: str | None, history: str | None, fmt: str, **options: Any) -> None:
    """Whether the new one is slower than the old one, for CI: the verdict is the first line.

    \b
    assay gate -- python old/bench.py -- python new/bench.py
    assay gate gemm --old-python old/bin/python --new-python new/bin/python --allow torch
    assay gate --old RUN --old RUN … --new RUN --new RUN …
    assay gate --history runs

    Both are run in turns, --pairs times each, in an order drawn by lot; no more than 1 of 100 comparisons in which
    nothing changed is called a change. Exit: 0 no regression, 1 regression, 2 usage or unlike runs, 3 undecided.
    """
    if history:
        _history(ctx, history, options, fmt)
    ruling = _ruling(ctx, name, options)
    found = ruling.comparison
    from assay.codec import encode

    say(ruling.line)
    data = {"outcome": ruling.outcome, "line": ruling.line, "tolerated": ruling.tolerated, **encode(found)}
    emit(rows_of(found), fmt, title=ruling.line, data=data)
    close(found)
    _write(ruling, options)
    say(f"Next: {_next(ruling, options)}")
    ctx.exit({"pass": 0, "fail": 1, "undecided": 3}[ruling.outcome])


def _ruling(ctx: click.Context, name: str | None, options: dict[str, Any]) -> Ruling:
    from assay.api import gating
    from assay.cli.measure import settings_of
    from assay.store import find, load

    commands = commands_of(ctx)
    rule = {"allow": options["allow"], "metrics": options["metrics"], "least": options["at_least"],
            "tolerated": options["tolerate"]}  # fmt: skip
    if options["olds"] or options["news"]:
        if commands or name or not (options["olds"] and options["news"]):
            raise click.UsageError("name runs of both sides with --old and --new, or commands, not both")
        sides = ([load(find(r)) for r in options[key]] for key in ("olds", "news"))
        return gating.ruling(*sides, **rule)
    more: dict[str, Any] = {"pairs": options["pairs"], "out": options["out"], "progress": say,
                            "together": options["together"], **rule}  # fmt: skip
    if name and not commands:
        if not (options["old_python"] and options["new_python"]):
            raise click.UsageError("a workload is compared between two interpreters: --old-python and --new-python")
        own = [{"python": options[key]} for key in ("old_python", "new_python")]
        return gating.gate(
            name, name, old_options=own[0], new_options=own[1], options=settings_of(options["settings"]),
            quick=options["quick"], **more,
        )  # fmt: skip
    if len(commands) != 2 or name:
        hint = "assay gate -- OLD COMMAND -- NEW COMMAND"
        raise click.UsageError(f"two commands are wanted, each after its own --: {hint}")
    say(f"old: {shlex.join(commands[0])}")
    say(f"new: {shlex.join(commands[1])}")
    return gating.gate(commands[0], commands[1], **more)


def _next(ruling: Ruling, options: dict[str, Any]) -> str:
    found = ruling.comparison
    more = max((c.more or 0 for c in found.changes if c.verdict == "cannot tell"), default=0)
    if ruling.outcome == "undecided" and more:
        pairs = max(c.pairs for c in found.changes)
        return f"the same with --pairs {pairs + more}, or on a quieter machine"
    if ruling.outcome == "fail":
        return f"assay report {found.new[-1][:8]}, to see where its time goes"
    return f"assay gate --history {options['out']}, once there are more runs"


def _write(ruling: Ruling, options: dict[str, Any]) -> None:
    from assay.files import write_text
    from assay.report.verdicts import junit, markdown

    if options["junit"]:
        write_text(options["junit"], junit(ruling.line, ruling.comparison))
    text = markdown(ruling.line, ruling.comparison)
    if options["markdown"]:
        write_text(options["markdown"], text)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)


def _history(ctx: click.Context, root: str, options: dict[str, Any], fmt: str) -> None:
    from assay.api.gating import history
    from assay.codec import encode

    found = history(root, metrics=options["metrics"], allow=options["allow"])
    emit([_trend(t) for t in found.trends], fmt, title=_headline(found), data=encode(found))
    say(_headline(found))
    if found.left_out:
        why = f" (first of all in {found.why})" if found.why else ""
        say(f"Left out: {found.left_out} runs that are unlike the newest{why}")
    unsure = any(t.verdict in ("unconfirmed", "too short") for t in found.trends)
    ctx.exit(1 if found.worse else 3 if unsure else 0)


def _headline(found: History) -> str:
    if found.worse:
        return f"REGRESSION: {found.worse[0].metric.title} {found.worse[0].text}"
    late = next((t for t in found.trends if t.verdict == "unconfirmed"), None)
    if late:
        return f"CANNOT TELL: {late.metric.title}: {late.text}"
    return f"{'NO REGRESSION' if found.trends else 'NOTHING TO JUDGE'}: {found.runs} like runs"


def _trend(trend: Any) -> Row:
    from assay.units import show

    return {
        "case": trend.case or "the command", "figure": trend.metric.title, "runs": len(trend.values),
        "first": show(trend.values[0], trend.metric.unit), "newest": show(trend.values[-1], trend.metric.unit),
        "verdict": trend.verdict, "what": trend.text,
    }  # fmt: skip
