"""Predicting: the catalog's models and machines meet the formulas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf
from numbers import Integral, Real
from pathlib import Path
from typing import Any, get_args

from assay import catalog
from assay.api.feeding import unsaid_stops
from assay.calibration import Calibration
from assay.catalog import Folders
from assay.catalog.calibrations import calibrations as _calibrations
from assay.errors import InputError, TooLarge, did_you_mean, shown
from assay.hardware import DTYPES, System
from assay.model import Model, TransformerShape
from assay.plan import Plan
from assay.predict import cost
from assay.predict.answer import answer
from assay.predict.calibrated import Calibrated, calibrate_for
from assay.predict.estimate import price
from assay.predict.legal import refuse_illegal
from assay.predict.search import Found, Options, default_data, usable
from assay.predict.search import search as _search
from assay.result import Result
from assay.units import show
from assay.workload import OPTIMIZERS, Optimizer, Task, Workload


def workload(
    model: str | Path | Model, *, task: Task = "train", seq_len: int = 2048, global_batch: int = 512,
    tokens: float | None = None, samples: float | None = None, precision: str = "bf16", name: str = "",
    folders: Folders = (), optimizer: Optimizer = "adam", **learning: Any,
) -> Workload:  # fmt: skip
    """A job: a model by name or config.json, `global_batch` sequences of `seq_len` tokens a step, `tokens` in all.

    A model without tokens (pictures, clicks) has no sequences: `samples` is its amount. `learning` is what else a
    `Workload` may say: storage, adapter_rank, mean_len, target_len, expert_imbalance, expert_capacity. Raises
    InputError for an unknown model or precision and for sizes that make no sense.
    """
    from assay.catalog import models

    found = model if isinstance(model, Model) else models.model(model, folders)
    _known("precision", precision, DTYPES)
    _known("task", task, get_args(Task))
    _known("optimizer", optimizer, OPTIMIZERS)
    target, wrong = (tokens, samples) if found.has_tokens else (samples, tokens)
    counted, other = ("tokens", "samples") if found.has_tokens else ("samples", "tokens")
    if wrong is not None:
        raise InputError(f"{found.name} is not counted in {other}", hint=f"say its amount in {counted}")
    if target is not None and not (isinstance(target, Real) and 1 <= target <= 1e18):
        raise InputError(f"{counted} = {shown(target)} is not possible", hint="write a number from 1 to 1e18")
    seq_len = _whole("seq_len", seq_len, 100_000_000)
    if learning.get("adapter_rank") is not None and not isinstance(found.shape, TransformerShape):
        raise InputError(f"{found.name} has no matrices that adapters go beside", hint="leave adapter_rank out")
    return _made(
        optimizer=optimizer, **learning, name=name or found.name, model=found, task=task,
        seq_len=seq_len if found.has_tokens else 1,
        global_batch=_whole("global_batch", global_batch, 100_000_000), target_tokens=target, precision=precision,
    )  # fmt: skip


def _made(**said: Any) -> Workload:
    """The job; what it refuses comes back as an error of input."""
    try:
        return Workload(**said)
    except (ValueError, TypeError) as error:
        hint = "storage, adapter_rank, mean_len, target_len, expert_imbalance and expert_capacity are known"
        raise InputError(f"the job makes no sense: {error}", hint=hint) from None


def system(name: str, nodes: int = 1, folders: Folders = ()) -> System:
    """So many nodes of a machine in the catalog."""
    return catalog.system(name, _whole("nodes", nodes, 1_000_000), folders)


def _whole(name: str, value: int, most: int) -> int:
    if not isinstance(value, Integral) or not 1 <= value <= most:
        raise InputError(f"{name} = {shown(value)} is not possible", hint=f"write a whole number from 1 to {most:,}")
    return int(value)


def _known(name: str, value: str, words: Sequence[str]) -> None:
    if value not in words:
        near = did_you_mean(value, words) if isinstance(value, str) else ""
        told = f'"{value}"' if isinstance(value, str) else shown(value)
        raise InputError(f"{name} {told} is not known", hint=near or f"known: {', '.join(words)}")


def calibrated(machine: System, extra: Iterable[Calibration] = (), folders: Folders = ()) -> Calibrated:
    """The constants that apply to a machine: shipped ones, then those of your folders, then what you measured."""
    return calibrate_for(machine.accelerator, (*_calibrations(folders), *extra))


def search(
    job: Workload, machine: System, *, top: int = 5, options: Options = Options(), folders: Folders = (),
    extra: Iterable[Calibration] = (),
) -> list[Result]:  # fmt: skip
    """The best plans for a job on a machine, fastest first; empty when none fits (`best` says by how much)."""
    try:
        return best(job, machine, top=top, options=options, folders=folders, extra=extra)
    except TooLarge:
        return []


def best(
    job: Workload, machine: System, *, top: int = 1, options: Options = Options(), folders: Folders = (),
    extra: Iterable[Calibration] = (), tariff: cost.Tariff = cost.DEFAULT_TARIFF,
) -> list[Result]:  # fmt: skip
    """The best plans, fastest first, at least one; raises TooLarge where none fits."""
    top = _whole("top", top, 1_000_000)
    _nouns(job, machine)
    known = calibrated(machine, extra, folders)
    used, found = explore(job, machine, top=top, options=options, known=known)
    if not found.plans:
        raise TooLarge(too_large(job, used, found))
    return [_answer(job, used, plan, known, tariff) for plan in found.plans]


def explore(
    job: Workload, machine: System, *, known: Calibrated, top: int = 5, options: Options = Options(),
) -> tuple[System, Found]:  # fmt: skip
    """The search itself: best plans, Pareto set, how many fit, the least memory any needs; on the part of the machine
    that does the job fastest, which is all of it unless the batch does not divide.
    """
    tried = [
        (part, _search(job, part, known.constants_for(job), options=options, top=top))
        for part in usable(job, machine, options)
    ]

    def time_s(one: tuple[System, Found]) -> float:
        part, found = one
        return _step_s(job, part, found.plans[0], known) if found.plans else inf

    return min(tried, key=time_s)


def _step_s(job: Workload, machine: System, plan: Plan, known: Calibrated) -> float:
    return float(price(job, machine, plan, known.constants_for(job)).step_s[0])


def predict(
    job: Workload, machine: System, plan: Plan | None = None, *, folders: Folders = (),
    extra: Iterable[Calibration] = (), tariff: cost.Tariff = cost.DEFAULT_TARIFF,
) -> Result:  # fmt: skip
    """What a job would do on a machine under this plan; without one, under the fastest plan that fits.

    Raises InputError for a plan that breaks a rule (with the nearest legal value) and for a job that fits nowhere.
    """
    _nouns(job, machine)
    if plan is None:
        return best(job, machine, folders=folders, extra=extra, tariff=tariff)[0]
    if plan.layouts != 1:
        raise InputError(f"plan: one layout is wanted, these are {plan}", hint="predict them one by one")
    known = calibrated(machine, extra, folders)
    plan = default_data(machine, plan) if plan.data == 1 else plan
    refuse_illegal(job, machine, plan)
    return _answer(job, machine, plan, known, tariff)


def _answer(job: Workload, machine: System, plan: Plan, known: Calibrated, tariff: cost.Tariff) -> Result:
    found = answer(job, machine, plan, known, tariff=tariff, notes=idle(machine))
    return replace(found, notes=(*found.notes, *unsaid_stops(found)))


def _nouns(job: Workload, machine: System) -> None:
    """Names where a job and a machine are wanted: a slip that is easily made."""
    if not isinstance(job, Workload):
        raise InputError(f"a Workload is wanted, not {shown(job)}", hint='make one: assay.workload("llama-3.1-8b")')
    if not isinstance(machine, System):
        raise InputError(f"a System is wanted, not {shown(machine)}", hint='make one: assay.system("hgx-h100")')


def idle(machine: System) -> tuple[str, ...]:
    """What to say of accelerators that are paid for and not used."""
    spare = machine.spare_per_node * machine.nodes
    return (f"{spare} of {machine.paid} accelerators stand idle: the batch does not divide over all",) if spare else ()


def too_large(job: Workload, machine: System, found: Found) -> str:
    """Why a job fits nowhere on a machine: by how much, on what."""
    room, chip = machine.accelerator.memory_bytes, machine.accelerator.name
    short = f"short by {show(found.shortest_bytes - room, 'bytes')} of {show(room, 'bytes')} per device"
    return f"{job.model.name} does not fit on {machine.accelerators} × {chip}: {short}"
