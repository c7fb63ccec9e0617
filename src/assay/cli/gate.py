"""`assay gate`: is the new one slower? Measured in turns, judged with at most 1 % false alarms, for CI."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from assay.cli.commands import TakesCommands, commands_of
from assay.cli.compare import close, rows_of
from assay.cli.output import emit, format_option, say

if TYPE_CHECKING:
    from assay.api.gating import Ruling
    from assay.comparison import Comparison
    from assay.history import History

_MEASURED = ("pairs", "old_python", "new_python", "settings", "quick", "together")
# What each way to gate does not heed: refused, since a gate that passes over it says nothing of what was asked.
_IDLE = {
    "--history": (*_MEASURED, "olds", "news", "tolerate", "out"),
    "--old and --new": _MEASURED,
    "two commands": ("old_python", "new_python", "settings", "quick"),
}


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
@click.option("--out", default="runs", show_default=True, type=click.Path(),
              help="Folder that keeps the runs, and in which ids of --old and --new are looked for.")  # fmt: skip
@click.option("--together", is_flag=True, help="Measure although another measurement is under way.")
@format_option
@click.pass_context
def gate(ctx: click.Context, /, name: str | None, history: str | None, fmt: str, **options: Any) -> None:
    """Whether the new one is slower than the old one, for CI: the verdict is the first line.

    \b
    assay gate -- python old/bench.py -- python new/bench.py
    assay gate gemm --old-python old/bin/python --new-python new/bin/python --allow torch
    assay gate --old RUN --old RUN … --new RUN --new RUN …
    assay gate --history runs               what was kept over time; a NAME judges the runs of that name

    Both are run in turns, --pairs times each, in an order drawn by lot; no more than 1 of 100 comparisons in which
    nothing changed is called a change. Exit: 0 no regression, 1 regression, 2 usage or unlike runs, 3 undecided, or
    nothing to judge.
    """
    if history:
        ctx.exit(_history(ctx, name, history, options, fmt))
    ruling, where = _ruling(ctx, name, options)
    found = ruling.comparison
    from assay.codec import encode
    from assay.store import find

    say(ruling.line)
    data = {"outcome": ruling.outcome, "line": ruling.line, "tolerated": ruling.tolerated, **encode(found)}
    emit(rows_of(found, ruling.tolerated if ruling.outcome == "pass" else None), fmt, title=ruling.line, data=data)
    close(found)
    write(ruling.line, found, options)
    newest = found.new[-1]
    say(f"Next: {_next(ruling, where.get(newest) or find(newest, options['out']), measured=not where)}")
    ctx.exit({"pass": 0, "fail": 1, "undecided": 3}[ruling.outcome])


def _history(ctx: click.Context, name: str | None, root: str, options: dict[str, Any], fmt: str) -> int:
    from assay.cli.history import judge_history

    if commands_of(ctx):
        raise click.UsageError("name a folder of runs with --history, or commands, not both")
    _refuse_idle(ctx, "--history")
    return judge_history(name, root, options, fmt)


def _refuse_idle(ctx: click.Context, way: str) -> None:
    given = [p for p in ctx.command.params if ctx.get_parameter_source(p.name or "") is not ParameterSource.DEFAULT]
    for parameter in given:
        if parameter.name in _IDLE[way]:
            hint = "write it into them, or leave it out" if way == "two commands" else "leave it out"
            raise click.UsageError(f"{parameter.opts[0]} says nothing to {way}: {hint}")


def _ruling(ctx: click.Context, name: str | None, options: dict[str, Any]) -> tuple[Ruling, Mapping[str, Path]]:
    """The verdict; and where the runs lie that were named, by id."""
    from assay.api import gating

    commands = commands_of(ctx)
    rule = {"allow": options["allow"], "metrics": options["metrics"], "least": options["at_least"],
            "tolerated": options["tolerate"]}  # fmt: skip
    if options["olds"] or options["news"]:
        if commands or name or not (options["olds"] and options["news"]):
            raise click.UsageError("name runs of both sides with --old and --new, or commands, not both")
        _refuse_idle(ctx, "--old and --new")
        return _of_named(options, rule)
    more: dict[str, Any] = {"pairs": options["pairs"], "out": options["out"], "progress": say,
                            "together": options["together"], **rule}  # fmt: skip
    if name and not commands:
        return _of_workload(name, options, more), {}
    if len(commands) != 2 or name:
        hint = "assay gate -- OLD COMMAND -- NEW COMMAND"
        raise click.UsageError(f"two commands are wanted, each after its own --: {hint}")
    _refuse_idle(ctx, "two commands")
    say(f"old: {shlex.join(commands[0])}")
    say(f"new: {shlex.join(commands[1])}")
    return gating.gate(commands[0], commands[1], **more), {}


def _of_named(options: dict[str, Any], rule: dict[str, Any]) -> tuple[Ruling, Mapping[str, Path]]:
    from assay.api import gating
    from assay.store import find, load

    paths = {key: [find(run, options["out"]) for run in options[key]] for key in ("olds", "news")}
    old, new = ([load(path) for path in paths[key]] for key in ("olds", "news"))
    where = {run.id: path for run, path in zip((*old, *new), (*paths["olds"], *paths["news"]), strict=True)}
    return gating.ruling(old, new, **rule), where


def _of_workload(name: str, options: dict[str, Any], more: dict[str, Any]) -> Ruling:
    from assay.api import gating
    from assay.cli.measure import settings_of

    if not (options["old_python"] and options["new_python"]):
        raise click.UsageError("a workload is compared between two interpreters: --old-python and --new-python")
    own = [{"python": options[key]} for key in ("old_python", "new_python")]
    return gating.gate(
        name, name, old_options=own[0], new_options=own[1], options=settings_of(options["settings"]),
        quick=options["quick"], **more,
    )  # fmt: skip


def _next(ruling: Ruling, newest: Path, *, measured: bool) -> str:
    found = ruling.comparison
    if ruling.outcome == "fail":
        return f"assay report {shlex.quote(str(newest))}, to see where its time goes"
    if not found.turns:
        return "assay gate -- OLD COMMAND -- NEW COMMAND, which takes the runs in turns"
    more = max((c.more or 0 for c in found.changes if c.verdict == "cannot tell"), default=0)
    if ruling.outcome == "undecided" and more:
        pairs = max(c.pairs for c in found.changes)
        again = f"with --pairs {pairs + more}" if measured else f"with {more} more runs a side, taken in turns"
        return f"the same {again}, or on a quieter machine"
    return f"assay report {shlex.quote(str(newest))}, for all that is known of the newest run"


def write(line: str, found: Comparison | History, options: Mapping[str, Any]) -> None:
    """The files that CI servers read, where they are asked for; GitHub's job summary wherever there is one."""
    from assay.files import write_text
    from assay.report.verdicts import junit, markdown

    if options["junit"]:
        write_text(options["junit"], junit(line, found))
    text = markdown(line, found)
    if options["markdown"]:
        write_text(options["markdown"], text)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)
