"""Reporting: runs and answers put together as one study, and written as one HTML file."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from assay import store
from assay.api.calibrating import calibrate
from assay.api.observing import reached
from assay.api.pilot_file import FILE
from assay.api.showing import now, run_study, tool
from assay.api.studying import Ranked, provenance
from assay.decision import Decision
from assay.errors import AssayError, InputError
from assay.files import write_text
from assay.machine import Machine
from assay.measure.inventory import detect
from assay.measure.workload import typed
from assay.predict.host import Host
from assay.report import decision_tables, render, render_decision, render_run, table_rows
from assay.report.study import Measured, ParityPoint, RunLine, Study
from assay.result import Result
from assay.run import Run
from assay.summary import TIMES, figures, summarise
from assay.units import show

_USABLE = 0.5  # typical error above which a calibration says nothing of the machine


def report(
    paths: Sequence[Path | str] | Path | str | Decision, out: Path | str, *, tell: Callable[[str], None] | None = None,
    tables: Path | str | None = None, folders: Sequence[Path] = (),
) -> Path:  # fmt: skip
    """One self-contained HTML file: a decision or the pilot it is made of, one run, or several put together.

    Of a folder of runs those that cannot be read are skipped, and `tell` hears of them; a run that was named must do.
    With `tables` every table of a decision is written there as CSV, too.
    """
    _html(out)
    if isinstance(paths, Decision):
        return report_decision(paths, out, tables=tables)
    paths = [paths] if isinstance(paths, (str, Path)) else paths
    if len(paths) == 1 and _is_pilot(paths[0]):
        from assay.api.deciding import decide

        return report_decision(decide(paths[0], folders=folders), out, tables=tables)
    if tables is not None:
        raise InputError("tables are written of a pilot", where=str(tables), hint="a run's samples are Parquet already")
    read = [found for path in paths for found in _read(path, tell or (lambda _: None))]
    folders, runs = [folder for folder, _ in read], [run for _, run in read]
    if len(folders) == 1:
        write_text(Path(out), render_run(run_study(folders[0])))
        return Path(out)
    host = None
    if any(run.name == "gemm" for run in runs):
        try:
            host = calibrate(folders)
        except InputError:  # too few shapes settled: the report shows them, without a calibration
            host = None
    study = Study(
        title=f"Measured: {', '.join(dict.fromkeys(run.name for run in runs))}", created=now(), machine=measured(runs),
        parity=parity(host) if host else (), tool=tool(),
        verdict=f"{len(runs)} run{'s' if len(runs) > 1 else ''}, {sum(len(r.cases) for r in runs)} cases measured.",
    )  # fmt: skip
    return write(study, Path(out))


def report_decision(decision: Decision, out: Path | str, *, tables: Path | str | None = None) -> Path:
    """The pages of a decision as one HTML file, and every table as CSV where a folder for them is named."""
    _html(out)
    write_text(Path(out), render_decision(decision, created=now()))
    for table in decision_tables(decision) if tables is not None else ():
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(table_rows(table))
        write_text(Path(str(tables)) / f"{table.id}.csv", text.getvalue())
    return Path(out)


def _html(out: Path | str) -> None:
    """A report is written over another one at most, and over no file of a pilot or of a run."""
    if Path(out).suffix not in (".html", ".htm"):
        raise InputError("a report is HTML", where=str(out), hint="name a file that ends in .html")


def _is_pilot(path: Path | str) -> bool:
    path = Path(path)
    return path.name == FILE or (path.is_dir() and (path / FILE).is_file())


def write(study: Study, out: Path) -> Path:
    """Render a study and write it; an existing file is replaced in one step."""
    write_text(out, render(study))
    return out


def prediction_study(ranked: Ranked, *, title: str, question: str, runs: Sequence[Run], host: Host | None) -> Study:
    """A ranking, this machine and the check of its calibration as one study."""
    return Study(
        title=title, created=now(), question=question, rank_by=ranked.metric, results=ranked.results,
        ties=(ranked.tied,) if ranked.tied else (), refused=ranked.refused, machine=measured(runs),
        parity=parity(host) if host else (), facts=provenance(ranked.results), tool=tool(),
        next_steps=next_steps(ranked),
    )  # fmt: skip


def next_steps(ranked: Ranked) -> tuple[str, ...]:
    """What would settle it."""
    if not ranked.results:
        return ("Name another model, or more nodes: assay predict MODEL --on all --nodes 8",)
    best = ranked.results[0]
    names = list(dict.fromkeys(ranked.results[i].system.name for i in ranked.tied or (0,)))[:3]
    return (
        f"Look at why: {predict_command(best)} --explain",
        f"Run an hour of your own training on {' and '.join(names)}, and put the figures beside these: assay validate",
    )


def predict_command(result: Result) -> str:
    """What to type to have this answer again."""
    job, machine = result.workload, result.system
    amount = f" --{job.counted} {job.target_tokens:.10g}" if job.target_tokens else ""
    nodes = f" --nodes {machine.nodes}" if machine.nodes > 1 else ""
    length = f"--seq-len {job.seq_len} " if job.model.has_tokens else ""
    sizes = f"{length}--batch {job.global_batch}{amount}"
    return f"assay predict {job.model.name} --on {machine.name}{nodes} {sizes} --precision {job.precision}"


def measured(runs: Sequence[Run], machine: Machine | None = None) -> Measured:
    """This machine as the report shows it."""
    found = machine or detect.host()
    cases = [summary for run in runs for summary in summarise(run)]
    facts = (
        ("processor", found.cpu.model),
        ("threads used", str(found.cpu.usable_threads)),
        ("instructions", ", ".join(found.cpu.isa)),
        ("memory", show(found.memory_bytes, "bytes")),
        ("accelerators", ", ".join(d.name for d in found.devices) or "none found"),
        ("system", f"{found.system}, {found.kernel}"),
    )
    warnings = dict.fromkeys(warning for run in runs for warning in run.warnings)
    if len(runs) > 1:
        loud = [text for text in warnings if text.startswith("contended")]
        warnings = dict.fromkeys(text for text in warnings if text not in loud)
        if loud:
            crowd = sum(bool(run.environment.get("contended")) for run in runs)
            warnings[f"{crowd} of {len(runs)} runs were contended: others used the machine meanwhile"] = None
    lines = tuple(_line(run) for run in runs) if len(runs) > 1 else ()
    return Measured(facts=facts, cases=tuple(cases), warnings=tuple(warnings), runs=lines)


def _line(run: Run) -> RunLine:
    """One run in a line."""
    told = figures(run)
    main = next((f for name in TIMES for f in told if f.metric.name == name), told[0] if told else None)
    came = reached(run) or (f"{main.metric.title} {show(main.value, main.metric.unit)}" if main else "")
    note = run.stopped or ("contended" if run.environment.get("contended") else "")
    return RunLine(
        name=run.name, id=run.id, started=run.started, command=shlex.join(typed(run.command)), came=came, note=note
    )  # fmt: skip


def parity(host: Host) -> tuple[ParityPoint, ...]:
    """Measured beside predicted, shape by shape."""
    return tuple(
        ParityPoint(
            label=p.case, group=p.dtype, measured=p.measured_s, predicted=p.predicted_s, low=p.low_s, high=p.high_s,
            held_out=p.held_out, unit="s",
        )
        for p in host.points
    )  # fmt: skip


def fit_sentence(host: Host) -> str:
    """How well the unseen half was predicted, in words."""
    unseen = [p for p in host.points if p.held_out]
    inside = sum(p.low_s <= p.measured_s <= p.high_s for p in unseen)
    error = f"typical error {100 * host.typical_error:.0f} %"
    said = f"unseen shapes: {error}, {inside} of {len(unseen)} inside the 90 % interval"
    return said if host.typical_error < _USABLE else f"{said}: not usable, measure again when the machine is quiet"


def _read(path: Path | str, tell: Callable[[str], None]) -> list[tuple[Path, Run]]:
    """A run, or all runs of a folder of runs that can be read."""
    folder = Path(path)
    inside = store.list_runs(folder) if not (folder / "run.json").exists() else ()
    if not inside:
        found = store.find(path)
        return [(found, store.load(found))]
    read, why = list[tuple[Path, Run]](), ""
    for one in inside:
        try:
            read.append((one, store.load(one)))
        except AssayError as error:
            why = f"{one.name}: {error.what}"
            tell(f"Skipped, since it cannot be read: {why}")
    if not read:
        what = f"none of {len(inside)} runs can be read; {why}"
        raise InputError(what, where=str(path), hint="assay measure -- COMMAND makes a run")
    return read
