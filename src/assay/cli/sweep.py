"""`assay sweep`: what changes when one thing does, and which thing matters."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.cli.feeding import feeding_options, job_options, learning, stated, words
from assay.cli.output import emit, format_option, say
from assay.errors import InputError

if TYPE_CHECKING:
    from assay.api.jobs import Job
    from assay.hardware import System
    from assay.plan import Plan
    from assay.sweep import Sweep, Weighed

_SPAN = "▁▂▃▄▅▆▇█"


@click.command()
@click.argument("workload")
@click.option("--on", "on", required=True, metavar="SYSTEM", help='One system or accelerator, or "4x H100".')
@click.option("--nodes", metavar="N", help="Nodes of it.  [default: 1]")
@click.option("--over", metavar="LEVER", help="batch, seq-len, nodes, peak, memory-bandwidth, memory, inner-link, "
              "outer-link, a link by name, storage …; without it all of them are weighed.")  # fmt: skip
@click.option("--values", metavar="V[,…]", help='As "1,2,4", "200Gb/s,400Gb/s" or "0.5x,1x,2x".')
@click.option("--weak/--strong", help="Over nodes: the batch grows with them, or stays.  [default: strong]")
@click.option("--plan", "plan_text", metavar="PLAN", help="A plan that is kept; without it each point has its best.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Write the chart as SVG.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write chart and table as one page.")
@job_options
@feeding_options
@click.option("--catalog", "folders", multiple=True, type=click.Path(), help="A folder of your own; may be repeated.")
@format_option
def sweep(
    workload: str, on: str, nodes: str | None, over: str | None, values: str | None, weak: bool, plan_text: str | None,
    svg: Path | None, html: Path | None, folders: tuple[str, ...], fmt: str, **told: Any,
) -> None:  # fmt: skip
    """What changes when one thing does, and which thing matters.

    With --over a job is predicted at several values of one thing. Without it every rate of the machine is halved,
    raised by a tenth and doubled, and what matters most is said in a sentence.

    \b
    assay sweep llama-3.1-8b --on hgx-h100 --nodes 16 --seq-len 8192 --batch 512
    assay sweep llama-3.1-8b --on hgx-h100 --over nodes --values 1,2,4,8,16 --seq-len 8192 --batch 512
    """
    from assay.plan import parse_plan

    job, system, rooms = _asked(workload, on, nodes, folders, told)
    plan = parse_plan(plan_text) if plan_text is not None else None
    if over is None:
        if svg or html or values or weak:
            raise InputError("a chart is drawn over something", where="--over", hint="write --over nodes, for one")
        _weigh(job, system, plan, rooms, fmt)
    else:
        _sweep(job, system, over, values, plan, weak, rooms, fmt, (svg, html))
    _assumed(job)
    tried = values.split(",")[-1].strip() if values and over == "nodes" else None  # the last of them
    flags = _typed(workload, on, tried or nodes, told)
    more = [] if over else ["--over", "nodes"]
    verb = ["predict", *flags, "--explain"] if over else ["sweep", *flags, *more]
    say("Next: " + shlex.join(["assay", *verb, *(word for room in rooms for word in ("--catalog", str(room)))]))


def _asked(
    workload: str, on: str, nodes: str | None, folders: Sequence[str], told: dict[str, Any]
) -> tuple[Job, System, list[Path]]:  # fmt: skip
    from assay.api.jobs import Stated, job_of, machines

    feed, checkpoint = stated(told)
    flags = Stated(
        model="", seq_len=told["seq_len"], global_batch=told["batch"], batch_tokens=told["batch_tokens"],
        tokens=told["tokens"], samples=told["samples"], precision=told["precision"], feed=feed, checkpoint=checkpoint,
        **learning(told),
    )  # fmt: skip
    rooms = [Path(folder) for folder in folders]
    job, found = job_of(workload, flags, rooms), machines([on], nodes, rooms)
    if len(found) != 1:
        hint = "write one name and one --nodes; --over nodes tries several"
        raise InputError(f"{len(found)} systems are named", where="--on", hint=hint)
    return job, found[0], rooms


def _weigh(job: Job, system: System, plan: Plan | None, rooms: Sequence[Path], fmt: str) -> None:
    from assay.api import weigh
    from assay.cli.swept import weighed_data, weighed_rows

    found = weigh(job.workload, system, plan, folders=rooms)
    emit(weighed_rows(found), fmt, title=_headline(job, found), data=weighed_data(found))
    say()
    for sentence in found.sentences:
        say(sentence)
    say("In brackets: as if that rate were off by as much as our predictions are, to either side.")
    for note in found.result.notes:
        say(f"Note: {note}.")


def _headline(job: Job, found: Weighed) -> str:
    from assay.cli.answers import label

    return f"{job.workload.name} on {label(found.result.system)}, {found.result.plan}: time of a step"


def _sweep(
    job: Job, system: System, over: str, values: str | None, plan: Plan | None, weak: bool, rooms: Sequence[Path],
    fmt: str, files: tuple[Path | None, Path | None],
) -> None:  # fmt: skip
    from assay.api import sweep as sweep_over
    from assay.api import weigh
    from assay.cli.swept import swept_data, swept_rows, swept_sentences, value_of, values_of
    from assay.predict.levers import lever

    turned = lever(over, job.workload, system)
    wanted = None if values is None else values_of(values, turned, job.workload, system)
    found = sweep_over(job.workload, system, over, wanted, plan=plan, weak=weak, folders=rooms)
    said = swept_sentences(found)
    if turned.more_helps:
        said += weigh(job.workload, system, plan, first=turned.name, folders=rooms).sentences[:1]
    emit(swept_rows(found), fmt, title=_over(job, system, found), data=swept_data(found, said))
    say()
    say(f"{''.join(_bar(found))}  {job.workload.counted}/s, {found.title.removeprefix('the ')} from left to right")
    for sentence in said:
        say(sentence)
    for point in found.points:
        if point.result is None:
            say(f"Skipped: {turned.name} = {value_of(point.value, found.unit)}: {point.reason}")
    _write(job, system, found, said, *files)


def _over(job: Job, system: System, found: Sweep) -> str:
    grows = ", the batch grows with them" if found.weak else ", the batch stays"
    kind = grows if found.lever == "nodes" else ""
    plan = "one plan, kept" if found.kept else "the best plan at each"
    return f"{job.workload.name} on {system.name} over {found.title}{kind}: {plan}"


def _bar(found: Sweep) -> str:
    """A line of blocks, as high as each point is fast."""
    rates = [p.result.values[p.result.workload.rate].mean if p.result else 0.0 for p in found.points]
    return "".join(_SPAN[round(rate / max(rates) * (len(_SPAN) - 1))] if rate else "·" for rate in rates)


def _write(job: Job, system: System, found: Sweep, said: Sequence[str], svg: Path | None, html: Path | None) -> None:
    from assay.api.sweep_pages import write_page, write_svg

    if svg is not None:
        say(f"Written: {write_svg(found, svg)}")
    if html is not None:
        say(f"Written: {write_page(found, html, _over(job, system, found), said)}")


def _assumed(job: Job) -> None:
    if job.assumed:
        say(f"Assumed: {'; '.join(job.assumed)}.")


def _typed(workload: str, on: str, nodes: str | None, told: dict[str, Any]) -> list[str]:
    said = {
        "--on": on, "--nodes": nodes, "--seq-len": told["seq_len"], "--batch": told["batch"],
        "--batch-tokens": told["batch_tokens"], "--tokens": told["tokens"], "--samples": told["samples"],
        "--precision": told["precision"],
    }  # fmt: skip
    return [workload, *(word for flag, value in said.items() if value for word in (flag, value)), *words(told)]
