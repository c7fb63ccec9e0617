"""A pilot's stages: what each measures, run on the machine at hand or written down as scripts for another."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay import catalog, store
from assay.api.measuring import measure
from assay.api.pilot_adding import named, used, whole
from assay.api.pilot_file import path_of
from assay.api.piloting import pilot as read
from assay.errors import AssayError, InputError, inert
from assay.pilot import THIS_MACHINE, Candidate, Pilot, Work
from assay.run import Run
from assay.store import pilots
from assay.store.folders import safe
from assay.store.pilots import Added

Progress = Callable[[str], None]

# Seconds of one measurement, in full and shortened: does it run; how fast, and at what size; does it stay so.
BUDGETS = {1: (20.0, 5.0), 2: (60.0, 8.0), 3: (6 * 3600.0, 45.0)}
_MICRO_BATCH = 8  # samples of one forward pass, where a trial names none
_BATCHES = (1, 2, 4)  # times that
_LONGEST_S = 90 * 86400.0  # of one measurement
_SCALED = "train-step"  # the workload that has a batch and ranks to vary


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measurement of a stage: a workload with its settings, or a command."""

    workload: str = ""
    command: tuple[str, ...] = ()
    settings: Mapping[str, str]
    budget_s: float
    timeout_s: float | None = None  # of a command, which ends by itself otherwise
    ranks: int = 1
    what: str  # "batch of 16", for a person

    @property
    def words(self) -> tuple[str, ...]:
        """What a person types to take it."""
        if self.command:
            limit = ["--timeout", f"{self.timeout_s:g}"] if self.timeout_s is not None else []
            return ("assay", "measure", *limit, "--", *self.command)
        told = [word for key, value in self.settings.items() for word in ("--set", f"{key}={value}")]
        ranks = ["--ranks", f"{self.ranks}"] if self.ranks > 1 else []
        return ("assay", "measure", self.workload, *told, *ranks, "--budget", f"{self.budget_s:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What running a stage came to: runs that were added, scripts that were written, and what was left out and why."""

    added: tuple[Added, ...] = ()
    scripts: tuple[Path, ...] = ()
    left_out: tuple[str, ...] = ()
    stopped: str = ""
    failed: bool = False  # whether anything could not be measured, ended before its time, or failed a check of its own


def run_stage(
    path: Path | str, stage: int, *, candidate: str = "", workload: str = "", quick: bool = False, by: str = "",
    python: str | None = None, budget_s: float | None = None, progress: Progress | None = None,
    vendors: Sequence[str] | None = None, together: bool = False, folders: Sequence[Path] = (),
) -> Ran:  # fmt: skip
    """Take a stage's measurements of what this machine is a candidate for; write scripts for all other candidates."""
    if budget_s is not None and not 0 < budget_s <= _LONGEST_S:
        raise InputError(f"a budget of {budget_s:g} s is not possible", where="--budget", hint="such as 60")
    file = path_of(path)
    told = read(file, folders)
    say = progress or (lambda _: None)
    added, scripts, left_out = list[Added](), list[Path](), list[str]()
    refused, failed = list[AssayError](), False
    works = [named("workload", workload, told.workloads)] if workload else told.workloads
    for who in [named("candidate", candidate, told.candidates)] if candidate else told.candidates:
        for work in works:
            if work.trial is None or stage not in work.trial.stages:
                left_out.append(f"{who.name}: {work.name} has no trial for stage {stage}")
                continue
            if who.system != THIS_MACHINE:
                texts = scripts_of(told, who, work, stage, quick=quick, folders=folders)
                scripts += [pilots.add_script(file.parent, name, text) for name, text in texts.items()]
                continue
            for one in measures(work, stage, ranks=who.accelerators or 2, quick=quick, budget_s=budget_s):
                say(f"{who.name}, {work.name}, stage {stage}: {one.what}")
                try:
                    run = _measured(one, file.parent, python, progress, vendors, together)
                except AssayError as error:  # one that cannot be measured does not cost the others
                    refused.append(error)
                    left_out.append(f"{who.name}: {work.name}, {one.what}: {error}")
                    continue
                added.append(_added(file.parent, run, who, work, stage, by, one.what))
                failed = failed or _failed(run)
                if run.stopped == "interrupted":
                    return Ran(added=tuple(added), scripts=tuple(scripts), stopped="interrupted")
    if refused and not added and not scripts:
        raise refused[0]
    return Ran(
        added=tuple(added), scripts=tuple(scripts), left_out=tuple(left_out), failed=failed or bool(refused)
    )  # fmt: skip


def _failed(run: Run) -> bool:
    return run.partial or any(e.kind == "check" and e.text.startswith("failed") for e in run.events)


def measures(
    work: Work, stage: int, *, ranks: int = 1, quick: bool = False, budget_s: float | None = None
) -> tuple[Measure, ...]:  # fmt: skip
    """What a stage measures of one kind of work: the trial; in stage 2 at several batches and numbers of ranks."""
    trial = work.trial
    if trial is None:
        return ()
    budget = budget_s if budget_s is not None else BUDGETS[stage][quick]
    settings = dict(trial.settings)

    def one(what: str, ranks: int = 1, **more: str) -> Measure:
        return Measure(
            workload=trial.workload, command=trial.command, settings=settings | more, budget_s=budget, ranks=ranks,
            what=what, timeout_s=budget_s,
        )  # fmt: skip

    if stage == 1 and trial.workload == _SCALED:
        settings.setdefault("operators", "on")
    if stage != 2 or trial.workload != _SCALED:
        return (one({1: "does it run, and come to the same", 2: "how fast", 3: "does it stay so"}[stage]),)
    first = int(settings.get("micro_batch") or _MICRO_BATCH)
    found = [one(f"batch of {n * first}", micro_batch=str(n * first), check_steps="0") for n in _BATCHES]
    if ranks > 1:
        found.append(one(f"{ranks} ranks", ranks=ranks, micro_batch=str(first), check_steps="0"))
    return tuple(found)


def _measured(
    one: Measure, folder: Path, python: str | None, progress: Progress | None, vendors: Sequence[str] | None,
    together: bool,
) -> Run:  # fmt: skip
    out = folder / pilots.RUNS
    if one.command:
        return measure(
            one.command, out=out, cwd=folder, timeout_s=one.timeout_s, progress=progress, vendors=vendors,
            together=together,
        )  # fmt: skip
    return measure(
        one.workload, out=out, options=one.settings, budget_s=one.budget_s, ranks=one.ranks, python=python,
        progress=progress, vendors=vendors, together=together,
    )  # fmt: skip


def _added(folder: Path, run: Run, who: Candidate, work: Work, stage: int, by: str, what: str) -> Added:
    place = store.find(run.id, folder / pilots.RUNS)
    entry = Added(
        run=place.name, id=run.id, candidate=who.name, workload=work.name, stage=stage, by=by, at=run.started,
        whole=whole(run, work), note=what, sha256=pilots.fingerprint(place), duration_s=run.duration_s,
        accelerators=used(run),
    )  # fmt: skip
    pilots.add_run(folder, place, entry)
    return entry


# --- for another machine ----------------------------------------------------------------------------------------------


def scripts_of(
    pilot: Pilot, who: Candidate, work: Work, stage: int, *, quick: bool = False, folders: Sequence[Path] = ()
) -> Mapping[str, str]:  # fmt: skip
    """A stage's measurements as scripts: for a shell, for Slurm, for Kubernetes; they install nothing.

    Names and settings are somebody's text: quoted where they are words, on one line where they are a remark.
    """
    ranks = catalog.system(who.system, 1, folders).count_per_node
    taken = measures(work, stage, ranks=ranks, quick=quick)
    body = list(_shell(pilot, who, work, stage, taken))
    name = f"stage{stage}-{safe(who.name)}-{safe(work.name)}"
    minutes = int(sum(2 * one.budget_s + 120 for one in taken) // 60 + 1)
    slurm = [
        "#!/bin/bash", f"#SBATCH --job-name={name}", "#SBATCH --nodes=1", "#SBATCH --exclusive",
        f"#SBATCH --gres=gpu:{ranks}", f"#SBATCH --time={minutes}", f"#SBATCH --output={name}-%j.log",
    ]  # fmt: skip
    return {
        f"{name}.sh": "\n".join(["#!/bin/sh", *body]) + "\n",
        f"{name}.sbatch": "\n".join([*slurm, *body]) + "\n",
        f"{name}.yaml": "\n".join(_job(name, body, ranks, minutes)) + "\n",
    }


def _shell(pilot: Pilot, who: Candidate, work: Work, stage: int, taken: Sequence[Measure]) -> Iterator[str]:
    yield _remark(f"Pilot {pilot.name}, stage {stage}: {work.name} on {who.name} ({who.system}).")
    yield "# Nothing is installed: Assay has to be on the path, and the Python that $PYTHON names needs PyTorch."
    yield "# To measure the work itself and not its trial, put your own command here: assay measure -- COMMAND"
    yield "set -eu"
    yield 'command -v assay >/dev/null || { echo "assay is not on the path" >&2; exit 3; }'
    yield 'OUT="${OUT:-runs}"'
    for one in taken:
        words = list(one.words)
        cut = words.index("--") if "--" in words else len(words)
        python = [] if one.command else ["${PYTHON:+--python}", '${PYTHON:+"$PYTHON"}']
        told = [*map(shlex.quote, words[:cut]), *python, "--out", '"$OUT"', *map(shlex.quote, words[cut:])]
        yield _remark(one.what)
        yield " ".join(told)
    add = shlex.join(["--candidate", who.name, "--workload", work.name, "--stage", str(stage)])
    yield _remark(f"Then bring the folders in $OUT back, and for each: assay pilot add RUN {add}")
    yield 'echo "Done: bring these back, and add each to the pilot:"'
    yield 'ls -d "$OUT"/*'


def _remark(text: str) -> str:
    r"""A comment of a shell, on one line whatever is in it.

    >>> _remark("on a\nrm -rf b")
    '# on a rm -rf b'
    """
    return f"# {' '.join(inert(text).split())}"


def _job(name: str, body: Sequence[str], accelerators: int, minutes: int) -> Iterator[str]:
    yield "# IMAGE: one that has Assay and PyTorch. DEVICES: what your cluster calls them, see kubectl describe node."
    yield "apiVersion: batch/v1"
    yield "kind: Job"
    yield f'metadata: {{ name: "{name[:63].strip("-")}" }}'
    yield "spec:"
    yield "  backoffLimit: 0"
    yield f"  activeDeadlineSeconds: {60 * minutes}"
    yield "  template:"
    yield "    spec:"
    yield "      restartPolicy: Never"
    yield "      volumes: [{ name: out, emptyDir: {} }]  # exchange for a volume that outlives the job"
    yield "      containers:"
    yield "        - name: measure"
    yield "          image: IMAGE"
    yield "          env: [{ name: OUT, value: /out }]"
    yield "          volumeMounts: [{ name: out, mountPath: /out }]"
    yield f"          resources: {{ limits: {{ DEVICES: {accelerators} }} }}"
    yield "          command: [/bin/sh, -c]"
    yield "          args:"
    yield "            - |"
    yield from (f"              {line}" for part in body for line in part.split("\n"))
