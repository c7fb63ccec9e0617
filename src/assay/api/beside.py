"""A measured training step as a `Result`, and our prediction of the same job, machine and plan beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from assay import catalog, store
from assay.api.calibrating import calibrate
from assay.api.comparing import Beside, compare
from assay.api.predicting import calibrated, workload
from assay.calibration import Calibration
from assay.catalog import Folders
from assay.codec import decode
from assay.errors import AssayError, InputError
from assay.hardware import System
from assay.machine import Machine
from assay.measure.inventory import detect
from assay.model import Model, TransformerShape
from assay.plan import Plan, Recompute, parse_plan
from assay.predict.answer import answer
from assay.predict.calibrated import Calibrated
from assay.predict.host import Host
from assay.result import Result, Value
from assay.run import Run
from assay.summary import Figure, figures
from assay.workload import Workload

# No training step on a processor stands behind its constants, which come from matrix products: half to double.
_UNPROVEN_LN = 0.7
_ZERO = {"none": 0, "ddp": 0, "zero1": 1, "fsdp": 3}
# What both sides can say of a step -> whether more ranks add up to it.
_SAID = ("step_s", "tokens_per_s", "samples_per_s")


# What is alike in runs of one machine and interpreter; clouds call many a processor the same.
SAME = ("cpu", "usable_threads", "memory_bytes", "interpreter")


def job_of(run: Run, folders: Folders = ()) -> tuple[Workload, Plan]:
    """The job and the plan that a run measured, in the formulas' terms: a `train-step`'s, or those a command told."""
    told, shape = run.settings, run.environment.get("shape")
    if "command" in told:
        return _told_job(run, folders)
    if run.environment.get("family") != "transformer" or not isinstance(shape, Mapping) or "seq_len" not in told:
        hint = "assay measure train-step --set model=gpt-125m"
        raise InputError("only a measured decoder can be put beside a prediction", where=run.id, hint=hint)
    model = Model(
        name=told["model"], family="transformer", shape=decode(shape, TransformerShape, "environment.shape")
    )  # fmt: skip
    ranks, micro = int(told["ranks"]), int(told["micro_batch"])
    job = Workload(
        name=told["model"], model=model, seq_len=int(told["seq_len"]), global_batch=int(told["global_batch"]),
        precision=told["precision"],
    )  # fmt: skip
    recompute = Recompute.FULL if told["recompute"] == "full" else Recompute.NONE
    plan = Plan(
        data=ranks, micro_batch=micro, zero_stage=_ZERO[told["parallel"]], sequence_parallel=False,
        recompute=recompute, flash_attention=told["attention"] == "sdpa",
    )  # fmt: skip
    return job, plan


def _told_job(run: Run, folders: Folders) -> tuple[Workload, Plan]:
    """A command's job: settings that it told, and the samples and tokens of a step where its log has them."""
    told, said = run.settings, {f.metric.name: f.value for f in figures(run)}
    samples = told.get("global_batch") or said.get("samples")
    length = told.get("seq_len") or (said["tokens"] / said["samples"] if {"tokens", "samples"} <= said.keys() else None)
    known = {"model": told.get("model"), "plan": told.get("plan"), "global_batch": samples, "seq_len": length}
    if missing := [name for name, value in known.items() if not value]:
        line = f'{{"event": "setting", "name": "{missing[0]}", "value": "{_EXAMPLES[missing[0]]}"}}'
        hint = f"let the command print {line} (or call assay.emit with it)"
        raise InputError(f"the command does not tell its {', '.join(missing)}", where=run.id, hint=hint)
    job = workload(
        told["model"], seq_len=_whole(run, "seq_len", length), global_batch=_whole(run, "global_batch", samples),
        precision=told.get("precision", "bf16"), folders=folders,
    )  # fmt: skip
    return job, parse_plan(told["plan"])


_EXAMPLES = {"model": "llama-3.1-8b", "plan": "dp=8,mbs=2,zero=3", "global_batch": "512", "seq_len": "4096"}


def _whole(run: Run, name: str, value: object) -> int:
    try:
        return round(float(str(value)))
    except (ValueError, OverflowError):
        hint = "let the command tell a number"
        raise InputError(f'{name}: "{value}" is no number', where=run.id, hint=hint) from None


def system_of(run: Run, plan: Plan, folders: Folders = ()) -> System:
    """The accelerators that took part in a run, as the catalog knows them: nodes like the one that was looked at."""
    wanted = int(plan.data) * int(plan.tensor) * int(plan.pipeline) * int(plan.context)
    names = {device.name for device in run.accelerators}
    if len(names) != 1:
        raise InputError("its accelerators are not of one kind", where=run.id, hint="measure on one kind at a time")
    per_node = min(wanted, len(run.accelerators))
    if wanted % per_node:
        what = f"{wanted} devices are no whole number of nodes of {per_node}"
        raise InputError(what, where=run.id, hint="let the command tell the plan of all its devices")
    chip = catalog.resolve(names.pop(), folders).name
    return catalog.system_for(chip, per_node, folders).with_nodes(wanted // per_node)


def machine_of(run: Run, probes: Sequence[Path | str] = ()) -> tuple[System, Calibrated]:
    """The machine that a run was measured on: from the catalog, or this processor as its own probes show it.

    `probes` are runs of `gemm` and `membw` in the same interpreter; a processor cannot be described without.
    """
    if devices := run.accelerators:
        found = catalog.system_for(catalog.resolve(devices[0].name).name, len(devices))
        return found, calibrated(found)
    if not probes:
        hint = "assay measure gemm and assay measure membw with the same --python, then name both runs"
        raise InputError("this processor is known by its probes alone", hint=hint)
    return this_system(calibrate(probes, library="torch"), detect.host())


def this_system(host: Host, machine: Machine) -> tuple[System, Calibrated]:
    """This machine's processor as a system of one device, with the constants its matrix products earned."""
    system = System(
        name=host.accelerator.name, vendor="", accelerator=host.accelerator, count_per_node=1, links=(),
        host=machine.cpu.model, host_memory_bytes=machine.memory_bytes,
    )  # fmt: skip
    known = calibrated(system, [as_prior(host.calibration)])
    return system, known if known.evidence == "A" else replace(known, residual_ln=_UNPROVEN_LN, evidence="C")


def as_prior(found: Calibration) -> Calibration:
    """What matrix products earned, for jobs of which none was measured."""
    return replace(found, evidence="C", residual_ln=_UNPROVEN_LN)


def measured_result(run: Run, system: System) -> Result:
    """What a run measured, in the one shape of all results."""
    job, plan = job_of(run)
    said = {f.metric.name: f for f in figures(run) if f.case == _main_case(run)}
    values = {name: _value(said[name]) for name in _SAID if name in said}
    flop, step = run.environment.get("flop_per_step"), values.get("step_s")
    if isinstance(flop, (int, float)) and step is not None:
        each = flop / system.accelerators
        values["device_flop_per_s"] = Value(
            mean=each / step.mean, low=each / step.high, high=each / step.low, evidence="A"
        )  # fmt: skip
    return Result(
        workload=job, system=system, plan=plan, origin="measured", values=values, evidence="A", sources=(run.id,),
        notes=run.warnings,
    )  # fmt: skip


def beside(run: Run, probes: Sequence[Path | str] = ()) -> tuple[Result, Result, tuple[Beside, ...]]:
    """Measured and predicted results of one job on one machine by one plan, and both metric by metric."""
    system, known = machine_of(run, probes)
    measured = measured_result(run, system)
    predicted = answer(measured.workload, system, measured.plan, known)
    told = compare(predicted, measured)
    return measured, predicted, tuple(one for one in told if isinstance(one, Beside)) if isinstance(told, tuple) else ()


def probes_of(like: Mapping[str, object], root: Path | str = "runs") -> tuple[Path, ...]:
    """The newest gemm and membw runs under `root` of a machine and interpreter like these, as an environment says."""
    found: dict[str, Path] = {}
    for path in reversed(store.list_runs(root)):
        name = next((n for n in ("gemm", "membw") if f"-{n}" in path.name), None)
        if name is None or name in found:
            continue
        try:
            other = store.load(path)
        except AssayError:
            continue
        if all(other.environment.get(key) == like.get(key) for key in SAME):
            found[name] = path
    return tuple(found.values())


def _main_case(run: Run) -> str:
    return next(c.name for c in run.cases)


def _value(f: Figure) -> Value:
    """A measured figure; too few samples for an interval say nothing of how sure it is: half to double."""
    low, high = (f.low, f.high) if f.low is not None and f.high is not None else (f.value / 2, f.value * 2)
    return Value(mean=f.value, low=min(low, f.value), high=max(high, f.value), evidence="A")
