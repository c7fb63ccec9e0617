"""Trials of a tuning: what was expected of each setting, what came of it, and which one is best."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from assay import stats
from assay.errors import MeasureError, OutOfMemory
from assay.run import Run
from assay.summary import figures

Outcome = Literal["measured", "out of memory", "failed", "left out"]

MARGIN = 1.3  # a setting is dropped when even this much better than predicted it would lose
FINALISTS = 3
TURNS = 3  # measurements of each finalist, in turns
RATES = ("tokens_per_s", "samples_per_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One setting: what was expected of it, and what came of it."""

    options: Mapping[str, str]
    predicted_per_s: float | None  # samples (or tokens) a second; None: the formulas do not know this model or machine
    predicted_bytes: float | None
    outcome: Outcome = "left out"
    measured_per_s: float | None = None
    why: str = ""
    runs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The setting in words."""
        return " ".join(f"{key}={value}" for key, value in self.options.items())

    @property
    def told(self) -> str:
        """What came of it, in words."""
        rate = self.measured_per_s
        came = f"{rate:{',.0f' if rate >= 100 else '.3g'}}/s" if rate else f"{self.outcome}: {self.why}"
        return f"{self.name}: {came}"

    @property
    def batch(self) -> int:
        """Samples of one forward pass."""
        return int(self.options["micro_batch"])

    @property
    def alike(self) -> dict[str, str]:
        """All but the batch and how often it is repeated."""
        return {key: value for key, value in self.options.items() if key not in ("micro_batch", "accumulation")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What tuning found: every trial, the winner, and those that cannot be told from it."""

    trials: tuple[Trial, ...]
    best: Trial
    tied: tuple[Trial, ...]
    metric: str  # tokens_per_s | samples_per_s
    notes: tuple[str, ...] = ()


@dataclass
class Tuner:
    """Tries settings until the time is up."""

    fixed: Mapping[str, str]  # what is the same in every trial, unless the trial's own options say otherwise
    run: Callable[[Mapping[str, str]], Run]
    tell: Callable[[str], None]
    deadline_s: float
    trials: list[Trial] = field(default_factory=list)

    def best(self) -> float:
        """The highest rate so far."""
        return max((t.measured_per_s or 0.0 for t in self.trials), default=0.0)

    def doomed(self, trial: Trial) -> str:
        """Why a setting need not be tried: a smaller one ran out of memory, or it cannot catch up any more."""
        full = [t for t in self.trials if t.outcome == "out of memory" and t.alike == trial.alike]
        if any(t.batch <= trial.batch for t in full):
            return f"micro_batch {min(t.batch for t in full)} ran out of memory"
        bias = self.bias()
        if trial.predicted_per_s is not None and bias and trial.predicted_per_s * bias * MARGIN < self.best():
            return "cannot catch up by its prediction"
        return ""

    def bias(self) -> float | None:
        """How measured settings did against their predictions, typically."""
        ratios = [t.measured_per_s / t.predicted_per_s for t in self.trials if t.measured_per_s and t.predicted_per_s]
        return stats.median(ratios) if ratios else None

    def attempt(self, trial: Trial) -> Trial:
        """Try one setting, whatever comes of it."""
        try:
            run = self.run({**self.fixed, **trial.options})
        except OutOfMemory as error:
            return replace(trial, outcome="out of memory", why=_briefly(error.what))
        except MeasureError as error:
            return replace(trial, outcome="failed", why=str(error))
        if any(e.kind == "oom" for e in run.events):
            return replace(trial, outcome="out of memory", why=_briefly(run.stopped), runs=(run.id,))
        rate = rate_of(run)
        if rate is None:
            return replace(trial, outcome="failed", why=run.stopped or "no step was finished", runs=(run.id,))
        return replace(trial, outcome="measured", measured_per_s=rate, runs=(run.id,))

    def go(self, waiting: Sequence[Trial]) -> None:
        """Try settings in this order, leaving out what cannot win."""
        left_out: dict[str, int] = {}
        for number, trial in enumerate(waiting, start=1):
            if why := self.doomed(trial) or ("the time is up" if time.monotonic() > self.deadline_s else ""):
                left_out[why] = left_out.get(why, 0) + 1
                self.trials.append(replace(trial, why=why))
                continue
            self.trials.append(self.attempt(trial))
            self.tell(f"[{number}/{len(waiting)}] {self.trials[-1].told}")
        for why, count in left_out.items():
            self.tell(f"{count} of {len(waiting)} left out: {why}")


def rate_of(run: Run) -> float | None:
    """Tokens, or else samples, a second of a run."""
    told = {f.metric.name: f.value for f in figures(run)}
    return next((told[name] for name in RATES if name in told), None)


def decided(tuner: Tuner, metric: str) -> Tuned:
    """The finalists are measured again in turns; what the noise does not tell apart is tied."""
    measured = sorted((t for t in tuner.trials if t.measured_per_s), key=_slowness)
    if not measured:
        why = tuner.trials[0].why if tuner.trials else "nothing was tried"
        raise MeasureError(f"no setting ran: {why}", hint="assay measure train-step with the same --set shows it alone")
    final = measured[:FINALISTS]
    rates = [[t.measured_per_s or 0.0] for t in final]
    runs = [list(t.runs) for t in final]
    for turn in range(TURNS - 1 if len(final) > 1 else 0):
        for i in range(len(final)) if turn % 2 else reversed(range(len(final))):
            again = tuner.attempt(final[i])
            runs[i] += again.runs
            rates[i] += [again.measured_per_s] if again.measured_per_s else []
            tuner.tell(f"again: {again.told}")
    judged = [
        replace(t, measured_per_s=stats.median(rate), runs=tuple(ids))
        for t, rate, ids in zip(final, rates, runs, strict=True)
    ]
    best = min(range(len(final)), key=lambda i: _slowness(judged[i]))
    tied = tuple(judged[i] for i in range(len(final)) if i != best and max(rates[i]) >= min(rates[best]))
    rest = [t for t in tuner.trials if t not in final]
    return Tuned(
        trials=(*sorted(judged, key=_slowness), *rest), best=judged[best], tied=tied, metric=metric,
        notes=_notes(tuner),
    )  # fmt: skip


def _slowness(trial: Trial) -> float:
    return -(trial.measured_per_s or 0.0)


def _notes(tuner: Tuner) -> tuple[str, ...]:
    bias = tuner.bias()
    if bias is None:
        return ("nothing was predicted: settings were tried from the middle batch outwards",)
    return (f"measured settings ran at {bias:.2f} of what was predicted; the order of trials is the prediction's",)


def _briefly(why: str) -> str:
    """The first two sentences; PyTorch goes on with advice.

    >>> _briefly("CUDA out of memory. Tried to allocate 24.54 GiB. GPU 0 has a total capacity of 79.18 GiB.")
    'CUDA out of memory. Tried to allocate 24.54 GiB'
    """
    return ". ".join(why.split(". ")[:2])
