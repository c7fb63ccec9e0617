"""MLPerf training logs: `:::MLLOG {"key": …, "value": …, "time_ms": …, "event_type": …, "metadata": {…}}`.

Sources: mlcommons/logging (mllog/mllog.py, constants.py). Time to train is from run_start to run_stop, as MLPerf
defines it. Of a block, which holds epochs or parts of one, the samples and the time from start to stop are taken; their
quotient is the rate. In some benchmarks `eval_accuracy` holds a loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from assay.measure.found import Found, Reader, Said
from assay.measure.lines import loaded
from assay.measure.words import COMMON, Names, named, number, whole

NAME, TITLE = "mllog", "MLPerf log (:::MLLOG)"
MARKS = (":::MLLOG",)

NAMES: Names = {
    **COMMON,
    "eval_error": ("eval_loss", 1),
    "throughput": ("samples_per_s", 1),  # in tracked_stats
    "train_step_time": ("step_s", 1),
}
INTERVALS = {"run": "time_to_train_s", "block": "interval_s", "epoch": "epoch_s", "eval": "eval_s", "init": "init_s"}
_BY_LOSS = {"gpt3", "llama2_70b_lora", "llama31_405b", "llama31_8b", "flux1"}  # their eval_accuracy is a loss
_STEPS = ("step_num", "step", "samples_count", "epoch_num", "first_epoch_num")


def reader(command: tuple[str, ...]) -> Reader:
    """Losses, accuracies, blocks and the time to train."""
    begun: dict[str, tuple[float, float | None]] = {}
    told = {"benchmark": ""}

    def line(line: str) -> Iterator[Said]:
        raw = loaded(line.partition(":::MLLOG")[2])
        key, value, about = str(raw["key"]), raw.get("value"), raw.get("metadata") or {}
        index = next((whole(about[name]) for name in _STEPS if name in about), None)
        if key == "submission_benchmark":
            told["benchmark"] = str(value)
        interval, _, edge = key.rpartition("_")
        if edge in {"start", "stop"} and interval in INTERVALS:
            yield from _edge(begun, interval, edge, raw, index)
            return
        key = "eval_loss" if key == "eval_accuracy" and told["benchmark"] in _BY_LOSS else key
        yield from named(value.items() if isinstance(value, dict) else [(key, value)], NAMES, index=index)

    return line


def _edge(
    begun: dict[str, tuple[float, float | None]], name: str, edge: str, raw: dict[str, Any], index: int | None
) -> Iterator[Said]:
    time_s, about = float(raw["time_ms"]) / 1e3, raw.get("metadata") or {}
    samples = number(about.get("samples_count"))
    if edge == "start":
        begun[name] = (time_s, samples)
        return
    since, before = begun.pop(name, (time_s, None))
    if time_s > since:
        yield Found(INTERVALS[name], time_s - since, index)
        if name == "block" and samples is not None and before is not None and samples > before:
            yield Found("samples", samples - before, index)
    if name == "run" and about.get("status") not in {None, "success"}:
        yield f"MLPerf log: the run ended with status {about['status']}"
