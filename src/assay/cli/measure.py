"""`assay measure NAME`, `assay measure -- COMMAND …`: the same thing, a command under the sampler, all of it kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from assay.cli.commands import TakesCommands, command_of
from assay.cli.output import emit, format_option, say

if TYPE_CHECKING:
    from assay.observed import Observation
    from assay.run import Run

_FEWEST = 6  # settled cases that a calibration needs


@click.command(cls=TakesCommands, options_metavar="[OPTIONS]")
@click.argument("name", required=False)
@click.option("--list", "listing", is_flag=True, help="Workloads that come with Assay, and their options.")
@click.option("--metrics", is_flag=True, help="Every metric there is: its name, unit and meaning.")
@click.option("--python", help="Interpreter that runs the workload, with its NumPy and PyTorch; default: this one.")
@click.option("--budget", "budget_s", type=float, metavar="SECONDS", help="About how long to sample.")
@click.option("--quick", is_flag=True, help="Small cases and little time: a first look, not a result to rely on.")
@click.option(
    "--cases", multiple=True, metavar="GLOB", help="Only cases that match, such as 'numpy fp32 *'; repeatable."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="An option of the workload; see --list.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, xpu, hpu, mps; ROCm calls itself cuda.")
@click.option("--ranks", type=click.IntRange(1, 1024), default=1, help="Processes, started by torchrun.")
@click.option("--folder", type=click.Path(file_okay=False), help="Where storage and dataload write; default: here.")
@click.option("--tune", is_flag=True, help="train-step: find the fastest setting that does not run out of memory.")
@click.option("--probes", multiple=True, metavar="RUN",
              help="train-step --tune: runs of gemm and membw that predictions rest on; repeatable.")  # fmt: skip
@click.option("--resume", metavar="RUN", help="Go on with a run that was interrupted; its finished cases are kept.")
@click.option(
    "--results", multiple=True, type=click.Path(), help="A file the command writes its figures to; repeatable."
)
@click.option("--log-format", "formats", multiple=True, help="Read its output as this format only; default: all known.")
@click.option(
    "--pattern", metavar="REGEX", help="Named groups are metrics: 'step (?P<step>\\d+) loss (?P<loss>[\\d.]+)'."
)
@click.option("--timeout", "timeout_s", type=float, metavar="SECONDS", help="Stop the command after this long.")
@click.option("--period", "period_s", type=click.FloatRange(0.02, 3600), default=1.0, show_default=True,
              help="Seconds between readings of the sensors.")  # fmt: skip
@click.option("--no-sensors", is_flag=True, help="Read no device, only what the command says.")
@click.option("--together", is_flag=True, help="Measure although another measurement is under way; this one is marked.")
@click.option("--silent", is_flag=True, help="Do not show what the command prints; log.txt has it.")
@click.option("--out", default="runs", show_default=True, type=click.Path(), help="Folder that keeps the runs.")
@format_option
@click.pass_context
def measure(
    ctx: click.Context, /, name: str | None, listing: bool, metrics: bool, fmt: str, tune: bool, **options: Any
) -> None:  # fmt: skip
    """Run a built-in workload (NAME), or any command (-- COMMAND …), and keep every sample and every sensor.

    \b
    assay measure gemm                      what the matrix units really reach, per number format
    assay measure train-step --set model=gpt-125m --set precision=bf16
    assay measure -- python train.py        your own program; it can say more with assay.emit(step=…, loss=…)

    Ctrl-C keeps what was measured. Exit: 0 done, 1 a check failed, 2 usage, 3 could not measure, 130 interrupted.
    """
    command = command_of(ctx)
    if listing or metrics:
        return _list(fmt) if listing else _metrics(fmt)
    if (name is None) == (command is None):
        raise click.UsageError("name a workload (assay measure --list), or write a command after --")
    if tune:
        from assay.cli.tune import run_tune

        return run_tune(name, options, fmt)
    if options.pop("probes"):
        raise click.UsageError("--probes are what --tune predicts from: assay measure train-step --tune --probes RUN")
    if command is not None:
        _refuse(ctx)
    from assay.api.measuring import measure as run_it
    from assay.measure import interrupts

    interrupts.once()  # until we end: who presses Ctrl-C again and again is told where the run lies, too
    options["options"] = settings_of(options.pop("settings"))
    options["formats"] = options["formats"] or None
    silent = options.pop("silent")
    if options.pop("no_sensors"):
        options["vendors"] = ()
    run = run_it(
        command if command is not None else str(name), progress=say, tee=command is not None and not silent, **options
    )
    _answer(ctx, run, options["out"], fmt)
    return None


# Options that a workload heeds, and a command of the user's own would not.
_OF_WORKLOADS = {
    "python": "--python", "budget_s": "--budget", "quick": "--quick", "cases": "--cases", "settings": "--set",
    "device": "--device", "ranks": "--ranks", "folder": "--folder",
}  # fmt: skip


def _refuse(ctx: click.Context) -> None:
    for key, word in _OF_WORKLOADS.items():
        if ctx.get_parameter_source(key) is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{word} is for workloads that come with Assay; what a command needs stands after --"
            )


def settings_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """KEY=VALUE pairs as a table."""
    from assay.errors import InputError

    found = {}
    for pair in pairs:
        key, mark, value = pair.partition("=")
        if not mark or not key:
            raise InputError(f'"{pair}" is no KEY=VALUE', where="--set", hint="write --set precision=bf16")
        found[key.strip()] = value.strip()
    return found


def _answer(ctx: click.Context, run: Run, out: str, fmt: str) -> None:
    """The figures on stdout; what they mean, where they lie and what to type next on stderr."""
    from assay.api.observing import observe
    from assay.cli.figures import data_of, rows_of, title_of
    from assay.codec import encode
    from assay.errors import MeasureError
    from assay.store import find
    from assay.summary import figures, summarise

    path = find(run.id, out)
    seen, cases, found = observe(path), summarise(run), figures(run)
    data = {**data_of(run, path, cases, found), "observation": encode(seen)}
    emit(rows_of(run, cases, found), fmt, title=title_of(run), data=data)
    _close(run, path, seen, settled=sum(case.steady for case in cases))
    if run.stopped == "interrupted":
        ctx.exit(130)
    if run.partial:
        raise MeasureError(run.stopped, where=run.name, hint=f"what was measured before is in {path}")
    if any(e.kind == "check" and e.text.startswith("failed") for e in run.events):
        ctx.exit(1)


def _close(run: Run, path: Path, seen: Observation, settled: int) -> None:
    for warning in run.warnings:
        say(f"Warning: {warning}")
    if run.partial:
        say(f"Stopped before the end ({run.stopped}); what was measured is kept.")
    for trouble in seen.troubles:
        say(f"Found: {trouble.text}")
    if seen.verdict:
        say(f"Verdict: {seen.verdict}")
    say(f"Run: {path}")
    say(f"Next: {_next(run, path, settled)}")


def _next(run: Run, path: Path, settled: int) -> str:
    if run.partial and any(e.kind == "done" for e in run.events):
        return f"assay measure {run.name} --resume {path}"
    if run.name == "gemm":
        enough = settled >= _FEWEST
        again = f"assay measure gemm --budget {60 + run.duration_s:.0f}, when the machine is quiet"
        return f"assay calibrate {path}" if enough else again
    return f"assay report {path}"


def _metrics(fmt: str) -> None:
    from assay.metrics import known

    rows = [
        {"metric": m.name, "unit": m.unit or "1", "better": m.better.replace("neither", ""), "meaning": m.meaning}
        for m in known().values()
    ]
    emit(rows, fmt, title="Metrics")


def _list(fmt: str) -> None:
    from assay.measure.workload import workloads

    rows = [
        {"workload": w.name, "what": w.title, "seconds": f"{w.budget_s[0]:g}, quick {w.budget_s[1]:g}",
         "options": "; ".join(f"{key}={default}" for key, (default, _) in w.options.items()) or "none"}
        for w in workloads().values()
    ]  # fmt: skip
    emit(rows, fmt, title="Workloads", data=[{**row, "options": dict(w.options)} for row, w in
                                             zip(rows, workloads().values(), strict=True)])  # fmt: skip
    say("Next: assay measure gemm, or assay measure -- COMMAND")
