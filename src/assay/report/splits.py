"""Where the wall time of a run went: five parts that sum to it, of all ranks together and of each."""

from __future__ import annotations

from collections.abc import Mapping

from assay.observed import Split
from assay.report.axes import Spec
from assay.report.chart import Chart, Key, Layout, chart
from assay.report.clock import stretch
from assay.report.rows import rows
from assay.report.run_study import RunStudy
from assay.report.stacks import segments, share_axis, stack
from assay.report.table import Cell, Column, Table, figures
from assay.report.text import percent
from assay.report.tracks import unlike
from assay.units import show

MOST = 16  # ranks that are drawn
# Compute is blue, data is teal, the network is orange, what nobody claims is grey.
PARTS: Mapping[str, tuple[str, str]] = {
    "compute": ("compute-1", "compute_s"),
    "input wait": ("memory-1", "input_s"),
    "checkpoint": ("memory-3", "checkpoint_s"),
    "exposed communication": ("network-1", "communication_s"),
    "other": ("wait-2", "other_s"),
}
ALL = "all ranks"


def split_rows(study: RunStudy) -> dict[str, Split]:
    """The mean over ranks, then each rank where there are several."""
    whole = study.observation.split
    if whole is None:
        return {}
    each = {f"rank {rank}": one for rank, one in sorted(study.ranks.items())} if len(study.ranks) > 1 else {}
    return {ALL if each else "the run": whole, **each}


def split_chart(found: Mapping[str, Split]) -> Chart:
    """One stacked bar a rank; the five parts sum to wall time."""
    first, *each = found
    chosen = unlike({name: [*shares(found[name]).values()] for name in each}, MOST)
    shown = {name: found[name] for name in (first, *chosen)}
    colors = {name: token for name, (token, _) in PARTS.items()}
    data = [row for name, one in shown.items() for row in _segments(name, one, colors)]
    notes = {name: show(one.wall_s, "s") for name, one in shown.items()}

    def build(layout: Layout) -> Spec:
        axis = share_axis("share of wall time; its length at the right")
        return rows(layout, notes, axis, stack(data, 0.09 if layout.narrow else 0.03), strong=[first])

    whole = next(iter(found.values()))
    alt = "; ".join(f"{name} {percent(s, sign=False)}" for name, s in shares(whole).items())
    more = len(found) - len(shown)
    caption = f"{_remark(whole)} {f'Those that differ most; {more} more are in the table.' if more else ''}".strip()
    keys = [Key(name, token) for name, token in colors.items()]
    return chart("split", "Shares of the wall time", alt, build, keys=keys, caption=caption)


def shares(one: Split) -> dict[str, float]:
    """Each part as a share of wall time; what was not told apart counts as other."""
    wall = one.wall_s or 1.0
    return {name: (getattr(one, field) or 0.0) / wall for name, (_, field) in PARTS.items()}


def _segments(row: str, one: Split, colors: Mapping[str, str]) -> list[Spec]:
    parts = shares(one)
    tips = {n: f"{row}, {n}: {percent(s, sign=False)} = {show(s * one.wall_s, 's')}" for n, s in parts.items()}
    return segments(row, parts, colors, tips)


def _remark(whole: Split) -> str:
    told = f"{whole.steps:,} steps, {stretch(whole.window.begin_s, whole.window.end_s)}, warm-up left out."
    return told + (" Compute was not marked: it is in the rest." if whole.compute_s is None else "")


def split_table(found: Mapping[str, Split]) -> Table:
    """Each part's time and share."""
    heads = (Column("Ranks", "rank"), figures("Wall time", "wall_s"), figures("Steps", "steps"),
             *(figures(name, field) for name, (_, field) in PARTS.items()))  # fmt: skip
    return Table(id="split-table", caption="Parts of the wall time", columns=heads, rows=tuple(
        (Cell(name), Cell(show(one.wall_s, "s"), sort=one.wall_s), Cell(f"{one.steps:,}", sort=one.steps),
         *(_part(one, field) for _, field in PARTS.values()))
        for name, one in found.items()
    ))  # fmt: skip


def _part(one: Split, field: str) -> Cell:
    value = getattr(one, field)
    if value is None:
        return Cell("not told apart", tone="quiet")
    return Cell(percent(value / (one.wall_s or 1.0), sign=False), sort=value, note=show(value, "s"))
