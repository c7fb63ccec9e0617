"""The demo: doctor, measure, calibrate and check, predict, report; each step one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assay import store
from assay.api import calibrating, measuring, reporting
from assay.api.predicting import workload
from assay.api.studying import Ranked, compare_systems, every_system
from assay.errors import InputError
from assay.machine import Machine
from assay.predict.host import Host
from assay.run import Run
from assay.summary import summarise
from assay.units import show
from assay.workload import Workload

CONFIG = Path(__file__).parent.parent / "data" / "configs" / "llama-3.1-8b"
# Seconds each probe samples for; the demo as a whole stays under two minutes on two slow cores.
BUDGETS = {"gemm": 24.0, "membw": 6.0, "storage": 4.0, "launch": 2.0}
QUESTION = (
    "Continued pre-training of Llama-3.1-8B: 100 B tokens, sequences of 8,192, 4 M tokens a step, bf16. "
    "Which machine, by which plan, how long, at what cost, and how sure is that?"
)

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What the demo found and where it lies."""

    machine: Machine
    runs: tuple[Run, ...]
    host: Host | None  # None: too little settled for a calibration
    ranked: Ranked
    report: Path


def job() -> Workload:
    """The demo's workload; the architecture is read from the model's own config.json."""
    return workload(CONFIG, name="llama-3.1-8b", seq_len=8192, global_batch=512, tokens=100e9)


def demo(out: Path, *, python: str | None = None, tell: Tell, speed: float = 1.0) -> Demo:
    """Run all steps and write `out/report.html`; `speed` divides the time that is spent on measuring."""
    tell("[1/5] doctor")
    machine = measuring.doctor(python)
    tell(f"      {machine.cpu.model} · {machine.cpu.usable_threads} threads · {', '.join(machine.cpu.isa) or 'plain'}")
    tell(f"      {show(machine.memory_bytes, 'bytes')} · accelerators: {_devices(machine)}")
    runs, folders = _measure(out, python, tell, speed)
    host = _calibrate(folders, machine, tell)
    ranked = _predict(tell)
    tell("[5/5] report")
    study = reporting.prediction_study(
        ranked, title="Llama-3.1-8B, 100 B tokens", question=QUESTION, runs=runs, host=host
    )
    page = reporting.write(study, out / "report.html")
    tell(f"      {page}  {show(page.stat().st_size, 'bytes')}, one file, opens offline")
    return Demo(machine=machine, runs=runs, host=host, ranked=ranked, report=page)


def _measure(out: Path, python: str | None, tell: Tell, speed: float) -> tuple[tuple[Run, ...], list[Path]]:
    runs, folders = list[Run](), list[Path]()
    for probe, budget in BUDGETS.items():
        tell(f"[2/5] measure {probe}, about {budget / speed:.0f} s")
        run = measuring.measure(probe, python=python, budget_s=budget / speed, folder=out, out=out)
        folder = store.find(run.id, out)
        runs.append(run)
        folders.append(folder)
        settled = sum(case.steady for case in summarise(run))
        tell(f"      {len(run.cases)} cases, {settled} settled · {folder}")
        for warning in sorted(run.warnings, key=lambda text: not text.startswith("contended"))[:2]:
            tell(f"      note: {warning}")
        if run.stopped == "interrupted":
            raise KeyboardInterrupt
    return tuple(runs), folders


def _calibrate(folders: list[Path], machine: Machine, tell: Tell) -> Host | None:
    tell("[3/5] calibrate on half of the shapes, check on the other half")
    try:
        host = calibrating.calibrate(folders, machine)
    except InputError as error:
        tell(f"      not possible here: {error}")
        return None
    tell(f"      {reporting.fit_sentence(host)}")
    return host


def _predict(tell: Tell) -> Ranked:
    machines = every_system()
    tell(f"[4/5] predict Llama-3.1-8B on {len(machines)} machines: one node and a small cluster of each system")
    ranked = compare_systems(job(), machines)
    tell(f"      {len(ranked.results)} can hold it, {len(ranked.refused)} cannot")
    return ranked


def _devices(machine: Machine) -> str:
    return ", ".join(device.name for device in machine.devices) or "none found"
