"""Tables of the page: by source, accelerator and kind of job, sweeps, memory, repetitions; and what teaches nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from benchmarks.accuracy.figures import (
    Accuracy,
    Held,
    checked,
    faster_ln,
    grouped,
    language,
    name_of,
    speeds,
    whole,
)  # fmt: skip
from benchmarks.accuracy.goals import sweeps
from benchmarks.accuracy.words import change, ln, middle, p90, percent, table, times

from assay.api.learning import unfit
from assay.cli.validate import reasons
from assay.predict.score import repeats

HEAD = ("n", "median", "p90", "bias", "rank", "inside", "high/low")
_GIB = 2.0**30
MORE = ("median", "p90", "bias", "inside", "high/low")
SHIPPED = ("median", "p90", "inside")


def by_source(found: Accuracy) -> str:
    """Speeds by source: held out beside in-sample."""
    return _grouped(_speed(found), lambda one: one.row.source, "source", ("source",))


def by_accelerator(found: Accuracy) -> str:
    """Speeds by accelerator: its sources left out one by one, and all of it left out."""
    return _grouped(_speed(found), lambda one: one.facts.device, "accelerator", ("source", "device"))


def by_kind(found: Accuracy) -> str:
    """Speeds by class of machine and kind of job."""
    kind = lambda one: f"{one.facts.architecture} · {one.facts.regime}"  # noqa: E731
    return _grouped(_speed(found), kind, "kind", ("source", "publisher"))


def memory(found: Accuracy) -> str:
    """Memory by source and figure. No constant of it is learnt, so nothing has to be left out."""
    return _parts([one for one in found.held if "mem" in one.row.metric_name])


def peaks(found: Accuracy) -> str:
    """Every peak memory, with what all devices together held per parameter: state is 16 to 20 bytes of it with Adam."""
    rows = [one for one in found.held if one.row.metric_name == "peak_mem_GB"]
    lines = [
        (
            one.row.source, one.row.model, f"{one.facts.devices} × {one.facts.device}", one.source.plan or "",
            f"{one.row.metric_value:.4g}", f"{one.source.predicted or 0:.4g}", change(faster_ln(one)),
            *(f"{value * one.facts.devices * _GIB / one.facts.parameters:.0f}"
              for value in (one.row.metric_value, one.source.predicted or 0.0)),
        )
        for one in rows
    ]  # fmt: skip
    head = (
        "source",
        "model",
        "devices",
        "plan",
        "measured, GB",
        "predicted, GB",
        "off",
        "bytes a parameter",
        "predicted bytes",
    )
    return table(head, lines)


def layers(found: Accuracy) -> str:
    """Times of a single layer, which teach nothing and are no step."""
    return _parts([one for one in found.held if one.row.metric_name.startswith("layer_")])


def _parts(rows: Sequence[Held]) -> str:
    groups = grouped(rows, lambda one: name_of(one.row))
    lines = [(name, *_numbers(mine, "source")) for name, mine in groups.items()]
    return table(("source and figure", *HEAD), lines)


def ranks(found: Accuracy) -> str:
    """How well the order inside sweeps is told."""
    rows = [(name, str(n), ln(rank), ln(wide)) for name, (n, rank, wide) in sweeps(found).items()]
    return table(("sweeps", "sweeps", "mean rank correlation", "… of those that span more than 10 %"), rows)


def noise(found: Accuracy) -> str:
    """Rows of equal settings: what they differ by is what no prediction can know."""
    rows = speeds(found)
    lines = [
        _noise(name, mine)
        for name, mine in grouped(rows, lambda one: f"{one.facts.architecture} · {one.facts.regime}").items()
        if _repeated(mine)
    ]
    head = (
        "kind", "settings", "rows", "pairs of one source", "their median", "their p90", "pairs of two sources",
        "median between", "p90 between", "best possible median", "ours on these rows",
    )  # fmt: skip
    return table(head, [*lines, _noise("all", rows)] if lines else [])


def _noise(name: str, rows: Sequence[Held]) -> tuple[str, ...]:
    again = _repeated(rows)
    members = [one for mine in again.values() for one in mine]
    pairs = repeats([(one.facts.setting, one.row.source, one.row.metric_value) for one in members])
    same, other = ([size for _, alike, size in pairs if alike == one_source] for one_source in (True, False))
    ours = middle(abs(faster_ln(one)) for one in members)
    return (
        name, str(len(again)), str(len(members)), str(len(same)), ln(middle(same)), ln(p90(same)), str(len(other)),
        ln(middle(other)), ln(p90(other)), ln(middle(off_middle(again))), ln(ours),
    )  # fmt: skip


def familiar(found: Accuracy) -> str:
    """The same rows twice: with their source left out, and with every second row of it known."""
    known = lambda rows: [one for one in rows if one.row.id in found.familiar_ln]  # noqa: E731
    kinds = grouped(known(speeds(found)), lambda one: f"{one.facts.architecture} · {one.facts.regime}")
    groups = {"language models on GPUs": known(language(found)), **kinds}
    lines = [
        (
            name, str(len(mine)), *_ends([abs(faster_ln(one)) for one in mine]),
            *_ends([abs(found.familiar_ln[one.row.id]) for one in mine]),
        )
        for name, mine in groups.items() if mine
    ]  # fmt: skip
    head = ("kind", "n", "source left out: median", "p90", "half of it known: median", "p90")
    return table(head, lines)


def _ends(errors: Sequence[float]) -> tuple[str, str]:
    return ln(middle(errors)), ln(p90(errors))


def _repeated(rows: Iterable[Held]) -> Mapping[str, list[Held]]:
    return {name: mine for name, mine in grouped(rows, lambda one: one.facts.setting).items() if len(mine) > 1}


def off_middle(again: Mapping[str, Sequence[Held]]) -> list[float]:
    """How far each row is from the middle of its setting: the least that a function of the setting can be off by."""
    out: list[float] = []
    for mine in again.values():
        values = np.log([one.row.metric_value for one in mine])
        out += np.abs(values - np.median(values)).tolist()
    return out


def excluded(found: Accuracy) -> str:
    """What teaches nothing, and why."""
    flagged = Counter((unfit(one.row), one.row.source) for one in found.held if unfit(one.row))
    lines = [(_FLAGS.get(flag, flag), source, str(n)) for (flag, source), n in sorted(flagged.items())]
    parts = sum(not one.facts.speed for one in found.held)
    lines.append(("memory and times of parts: scored, not fitted on", "several", str(parts)))
    many = "more than 60 rows of one source on one device: scored, not fitted on"
    lines.append((many, "several", str(found.thinned)))
    n = Counter(one.row.source for one in found.held if one.facts.speed)
    lines += [("no part of the shipped fit", source, str(n[source])) for source in found.unshipped]
    return table(("why", "source", "rows"), lines)


_FLAGS = {
    "FINETUNE": "fine-tuning: short runs that start and stop", "END_TO_END": "an average over a whole project",
    "PRELIMINARY": "software that its source calls preliminary", "INCONSISTENT": "its source contradicts itself",
}  # fmt: skip


def skipped(found: Accuracy) -> str:
    """Rows without a prediction, by reason."""
    return table(("reason", "rows"), [(reason, str(len(rows))) for reason, rows in reasons(found.skipped)])


def _speed(found: Accuracy) -> list[Held]:
    return [one for one in found.held if one.facts.speed]


def _grouped(rows: Sequence[Held], key: Callable[[Held], str], name: str, ways: Sequence[str]) -> str:
    lines = []
    for group, mine in grouped(rows, key).items():
        s = whole(checked(mine, "shipped"))
        inside = [ln(s.median_ln), ln(s.p90_ln), percent(s.coverage)] if s else [""] * len(SHIPPED)
        lines.append((group, *(cell for way in ways for cell in _numbers(mine, way, way == "source")), *inside))
    more = [f"{_TOLD.get(way, way)} out: {column}" for way in ways[1:] for column in MORE]
    return table((name, *HEAD, *more, *(f"shipped: {column}" for column in SHIPPED)), lines)


_TOLD = {"device": "accelerator"}


def _numbers(rows: Sequence[Held], way: str, first: bool = True) -> list[str]:
    s = whole(checked(rows, way))
    if s is None:
        return [""] * len(HEAD if first else MORE)
    bias = change(middle(faster_ln(one, way) for one in rows))
    count, order = ([str(s.n)], [ln(s.rank, 2)]) if first else ([], [])
    return [*count, ln(s.median_ln), ln(s.p90_ln), bias, *order, percent(s.coverage), times(s.width_ln)]
