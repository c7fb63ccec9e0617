"""`assay predict`: what a job would do on these machines, why, what it costs and how sure that is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.cli.feeding import feeding_options, job_options, learning, stated, words
from assay.cli.output import emit, format_option, say
from assay.errors import Finding

if TYPE_CHECKING:
    from assay.api.jobs import Job, Stated
    from assay.cli.outcomes import Outcome
    from assay.hardware import System
    from assay.result import Result
    from assay.workload import Workload


@click.command()
@click.argument("workload")
@click.option("--on", "on", multiple=True, required=True, metavar="SYSTEM[,…]",
              help='Systems or accelerators of the catalog, "4x H100", or all.')  # fmt: skip
@click.option("--nodes", metavar="N[,…]", help="Nodes of each; several numbers give several rows.  [default: 1]")
@click.option("--plan", "plan_text", metavar="PLAN", help='As "tp=8,pp=4,mbs=1"; without it the best is searched for.')
@click.option("--explain", is_flag=True, help="Take the best answer apart: time, memory, levers, prices, constants.")
@click.option("--top", type=click.IntRange(1, 1000), help="Plans to show of each system.  [default: 5 of one, else 1]")
@click.option("--by", type=click.Choice(["time", "rent", "purchase", "energy"]), default="time", show_default=True,
              help="What ranks the answers.")  # fmt: skip
@job_options
@feeding_options
@click.option("--catalog", "folders", multiple=True, type=click.Path(), help="A folder of your own; may be repeated.")
@format_option
def predict(
    workload: str, on: tuple[str, ...], nodes: str | None, plan_text: str | None, explain: bool, top: int | None,
    by: str, seq_len: str | None, batch: str | None, batch_tokens: str | None, tokens: str | None,
    samples: str | None, precision: str | None, folders: tuple[str, ...], fmt: str, **feeding: Any,
) -> None:  # fmt: skip
    """What a job would do on these machines, why, what it costs and how sure that is.

    WORKLOAD is a model of the catalog, a config.json or a folder with one, or a workload file: TOML with model,
    seq_len, global_batch (or batch_tokens), tokens or samples, precision, task, optimizer, storage, adapter_rank,
    mean_len, target_len, expert_imbalance, expert_capacity, [feed] and [checkpoint]. Flags come before what the file
    says. With --storage a step may wait for its data; with --checkpoint-to time counts stops and
    saves.

    \b
    assay predict llama-3.1-8b --on hgx-h100 --nodes 4 --seq-len 8192 --batch-tokens 4M --tokens 100B
    assay predict job.toml --on all --by rent
    """
    from assay.api.jobs import Stated, job_of, machines
    from assay.cli.answers import ranked
    from assay.cli.outcomes import nowhere, outcome_of
    from assay.plan import parse_plan
    from assay.predict.families import family

    feed, checkpoint = stated(feeding)
    flags = Stated(
        model="", seq_len=seq_len, global_batch=batch, batch_tokens=batch_tokens, tokens=tokens,
        samples=samples, precision=precision, feed=feed, checkpoint=checkpoint, **learning(feeding),
    )  # fmt: skip
    rooms = [Path(folder) for folder in folders]
    job = job_of(workload, flags, rooms)
    family(job.workload.model)  # a family that is not priced is refused once, not on every machine
    found = machines(on, nodes, rooms)
    plan = parse_plan(plan_text) if plan_text is not None else None
    exact = bool(plan_text and re.search(r"\b(dp|data)\s*=", plan_text, re.IGNORECASE))
    outcome = outcome_of(job.workload, found, plan, exact, top or (5 if len(found) == 1 and not explain else 1), rooms)
    results = ranked(outcome.results, by)
    if not results:
        raise nowhere(job.workload, outcome, rooms)
    _print(job, results, outcome, by, fmt, explain, rooms)
    _close(job, results, outcome, by)
    more = [*words(feeding), *(["--plan", plan_text] if plan_text else ["--top", "20"] if explain else [])]
    say("Next: " + _next(workload, flags, results[0].system, by, rooms, [*more, *([] if explain else ["--explain"])]))
    _refuse_too_large(results)


def _refuse_too_large(results: Sequence[Result]) -> None:
    """A stated plan is priced even where memory is short; then the answer is no."""
    from assay.units import show

    short = min(-result.values["headroom_bytes"].mean for result in results)
    if short > 0:
        hint = "raise tp, pp or zero, lower mbs, or write ac=full; or leave --plan out"
        raise Finding(f"the plan does not fit: short by {show(short, 'bytes')} per device", hint=hint)


def _print(
    job: Job, results: Sequence[Result], outcome: Outcome, by: str, fmt: str, explain: bool, folders: Sequence[Path]
) -> None:
    from assay.cli import answers
    from assay.cli.stacked import stacked

    if fmt == "json":
        emit([], fmt, data=_data(job, results, outcome, by, folders if explain else None))
    elif fmt == "csv":
        emit(answers.flat(results), fmt)
    else:
        stacked(answers.rows(results), ("#", "system"), fmt, title=_title(job.workload))
        if explain:
            _explain(results[0], fmt, folders)


def _explain(result: Result, fmt: str, folders: Sequence[Path]) -> None:
    from assay.cli.answers import label
    from assay.cli.explain import sections
    from assay.cli.stacked import section

    click.echo(f"\nAnswer 1 taken apart: {label(result.system)}, {result.plan}")
    for title, rows in sections(result, folders).items():
        section(title, rows, list(rows[0])[:1], fmt)


def _data(
    job: Job, results: Sequence[Result], outcome: Outcome, by: str, explained: Sequence[Path] | None
) -> dict[str, object]:
    from assay.cli import answers
    from assay.cli.explain import sections
    from assay.codec import encode

    w = job.workload
    said = {
        "name": w.name, "model": w.model.name, "task": w.task, "seq_len": w.seq_len, "global_batch": w.global_batch,
        **_amounts(w), "precision": w.precision, "assumed": list(job.assumed), "feed": encode(w.feed),
        "checkpoint": encode(w.checkpoint),
    }  # fmt: skip
    return {
        "workload": said, "ranked_by": answers.RANKED_BY[by], "tied": answers.tied(results, by),
        "results": [answers.data(r, rank) for rank, r in enumerate(results, 1)],
        "cannot": [{"system": m.name, "nodes": m.nodes, "reason": str(error)} for m, error in outcome.cannot],
        **({} if explained is None else {"explained": sections(results[0], explained)}),
    }  # fmt: skip


def _amounts(job: Workload) -> dict[str, object]:
    """What a step and the whole job learn from, counted in tokens, or in samples where there are none."""
    target = {f"target_{name}": job.target_tokens if name == job.counted else None for name in ("tokens", "samples")}
    return {"tokens_per_step": job.tokens_per_step if job.model.has_tokens else None, **target}


def _title(job: Workload) -> str:
    target = f", {_tokens(job.target_tokens)} {job.counted} in all" if job.target_tokens else ""
    task = {"train": "training", "finetune": "fine-tuning"}.get(job.task, job.task)
    each = f" × {job.seq_len:,} tokens" if job.model.has_tokens else " samples"
    return f"{job.name}: {task}, {job.global_batch:,}{each} a step, {job.precision}{target}"


def _tokens(tokens: float) -> str:
    """Tokens as people say them.

    >>> _tokens(1e11), _tokens(1.5e13)
    ('100 B', '15 T')
    """
    size, word = next(((s, w) for s, w in ((1e12, "T"), (1e9, "B"), (1e6, "M")) if tokens >= s), (1.0, ""))
    return f"{tokens / size:,.6g} {word}".strip()


def _close(job: Job, results: Sequence[Result], outcome: Outcome, by: str) -> None:
    from assay.cli import answers

    say()
    if job.assumed:
        say(f"Assumed: {'; '.join(job.assumed)}.")
    _say_tied(results, by, answers.tied(results, by))
    if any(answers.unsure(r) for r in results):
        say(
            "Headroom: where memory is what must be held; in brackets, where a framework keeps as much more as any did."
        )
    for letter in sorted({r.evidence for r in results} - {"A", "B"}):
        say(f"Evidence {letter}: from {answers.EVIDENCE[letter]}; figures are shown as 90 % ranges.")
    for told in dict.fromkeys((answers.label(r.system), note) for r in results for note in r.notes):
        say(f"Note: {': '.join(told)}.")
    if outcome.cannot:
        from assay.cli.outcomes import say_cannot

        say_cannot(job.workload, outcome)


def _next(typed: str, flags: Stated, best: System, by: str, folders: Sequence[Path], more: Sequence[str]) -> str:
    """The same question to the best system, as it would be typed."""
    from assay import catalog

    usual = catalog.system(best.name, folders=folders).count_per_node == best.count_per_node + best.spare_per_node
    name = best.name if usual else f"{best.count_per_node}x {best.accelerator.name}"
    said = {
        "--on": name, "--nodes": best.nodes, "--seq-len": flags.seq_len, "--batch": flags.global_batch,
        "--batch-tokens": flags.batch_tokens, "--tokens": flags.tokens, "--samples": flags.samples,
        "--precision": flags.precision, "--by": by if by != "time" else None,
    }  # fmt: skip
    words = [word for flag, value in said.items() if value for word in (flag, str(value))]
    rooms = [word for folder in folders for word in ("--catalog", str(folder))]
    return shlex.join(["assay", "predict", typed, *words, *rooms, *more])


def _say_tied(results: Sequence[Result], by: str, many: int) -> None:
    if many < 2:
        return
    what = {"time": "speed", "purchase": "share of purchase"}.get(by, by)
    if len({(r.system.name, r.system.nodes) for r in results[:many]}) == 1:
        say(f"1–{many} are closer in {what} than our intervals are wide; plans on one system share most of that error.")
    else:
        say(f"1–{many} cannot be told apart in {what} at this confidence (90 %).")
