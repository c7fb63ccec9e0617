"""What stands where on the pages of a run: where time went, over time, devices, troubles, predictions, everything."""

from __future__ import annotations

from assay.observed import Observation
from assay.report import usage
from assay.report.besides import beside_chart
from assay.report.run_study import RunStudy, case_name
from assay.report.run_tables import (
    beside_table,
    environment_tables,
    events_table,
    figures_table,
    troubles_table,
    words_table,
)
from assay.report.sections import Figure, Section
from assay.report.serving import goodput_table, levels, serving
from assay.report.splits import split_chart, split_rows, split_table
from assay.report.strips import strips
from assay.report.sweeps import sweeps
from assay.report.text import listed, percent, sentence
from assay.report.timelines import timelines
from assay.summary import Figure as Told

OVER_TIME = (
    "All charts have one time axis: what is above one another happened at one time. A band reaches from the lowest to "
    "the highest reading; where nothing was read there is a gap."
)
BUSY = (
    "Busy says only that a kernel ran. Cores, matrix units and the memory interface say what it made of the chip; what "
    "no sensor tells is not zero."
)
SPLIT = "Five parts that sum to wall time, by what the program marked of each step; what nobody claims is other."
BLIND = "No device sensor was read: nothing is known of devices."
NOTHING = "Nothing stood out: no detector found a trouble in the series that were read."


def run_sections(study: RunStudy) -> list[Section]:
    """All sections that have something to say, in reading order."""
    found = (
        _split(study), _load(study), _cases(study), _steps(study), _devices(study), _usage(study), _troubles(study),
        _beside(study), _all(study), _events(study), _around(study),
    )  # fmt: skip
    return [s for s in found if s is not None]


def _split(study: RunStudy) -> Section | None:
    found, lead, figures = split_rows(study), SPLIT, tuple[Figure, ...]()
    if found:
        figures = (Figure(split_chart(found), split_table(found)),)
    else:
        lead = sentence(next((note for note in study.observation.notes if "step" in note), ""))
    if not figures and not (lead and any(c.kind == "step" for c in study.run.cases)):
        return None
    return Section(id="split-time", title="Where the time went", nav="Time", lead=lead, figures=figures)


def _load(study: RunStudy) -> Section | None:
    if not any(c.kind == "request" for c in study.run.cases):
        return None
    asked = levels(study)
    lead = (
        "A request is good if it met every service level that was asked for; the time a client was late is added."
        if asked else "No service level was asked for (--set slo_ttft_s=…), so every answer counts as good."
    )  # fmt: skip
    return Section(id="load", title="How it served", nav="Load", lead=lead, figures=tuple(serving(study)),
                   tables=(goodput_table(study),))  # fmt: skip


def _cases(study: RunStudy) -> Section | None:
    drawn = tuple(sweeps(study)) if all(c.kind not in ("step", "request") for c in study.cases) else ()
    if not drawn:
        return None
    odd, n = sum(not c.steady for c in study.cases), len(study.cases)
    never = f" {odd} of them never settled." if odd else ""
    lead = f"{n} case{'s' if n > 1 else ''}, warm-up left out; intervals hold the true figure nine times in ten.{never}"
    return Section(id="cases", title="What it reached", nav="Cases", lead=lead, figures=drawn)


def _steps(study: RunStudy) -> Section | None:
    drawn = tuple(strips(study))
    if not drawn:
        return None
    kinds = {c.kind for c in study.run.cases}
    what = "Requests" if "request" in kinds else "Steps" if kinds <= {"step", ""} else "Repetitions"
    return Section(id="over-time", title=f"{what} over time", nav=what, figures=drawn)


def _devices(study: RunStudy) -> Section | None:
    drawn = tuple(timelines(study))
    if not drawn:
        return None
    alone = all(figure.chart.id == "host" for figure in drawn)
    title, nav = ("The host over time", "Host") if alone else ("Devices over time", "Devices")
    return Section(id="devices", title=title, nav=nav, lead=OVER_TIME, figures=drawn)


def _usage(study: RunStudy) -> Section:
    seen = study.observation
    chart = usage.usage_chart(study)
    drawn = (Figure(chart, usage.usage_table(study)),) if chart else ()
    tables = [usage.usage_table(study)] if seen.usage and not chart else []
    tables += [usage.energy_table(study, seen.energy)] if seen.energy else []
    tables += [usage.waste_table(seen.waste)] if seen.waste else []
    lead = f"{BUSY} {_idle(seen)}".strip() if not study.blind else BLIND
    return Section(id="utilization-section", title="What was made of the devices", nav="Utilization", lead=lead,
                   figures=drawn, tables=tuple(tables))  # fmt: skip


def _idle(seen: Observation) -> str:
    low = min((u.coverage for u in seen.usage), default=1.0)
    told = f"Readings cover {percent(low, sign=False)} of the time on the device that was read least."
    return told if low < 0.99 else ""


def _troubles(study: RunStudy) -> Section:
    found = study.observation.troubles
    tables = (troubles_table(study),) if found else ()
    lead = "The most costly first; the numbers are those in the charts." if found else NOTHING
    return Section(id="troubles", title="Troubles", lead=lead, tables=tables)


def _beside(study: RunStudy) -> Section | None:
    if not study.beside:
        return None
    chart = beside_chart(study.beside)
    inside = sum(one.covered for one in study.beside)
    lead = f"{inside} of {len(study.beside)} figures lie inside the 90 % interval of their prediction."
    return Section(id="predicted", title="Predicted and measured", nav="Predicted", lead=lead,
                   figures=(Figure(chart, beside_table(study.beside)),) if chart else (),
                   tables=() if chart else (beside_table(study.beside),))  # fmt: skip


def _all(study: RunStudy) -> Section | None:
    if not study.figures:
        return None
    lead = f"{len(study.figures)} figures, warm-up left out. {_unsettled(study.figures)}".strip()
    return Section(id="figures", title="Every figure", nav="Figures", lead=lead, tables=(figures_table(study.figures),))


def _unsettled(found: tuple[Told, ...]) -> str:
    odd = list(dict.fromkeys(case_name(f.case) for f in found if not f.steady))
    return f"{listed(odd, 4)} never settled: figures of it are not to be trusted." if odd else ""


def _events(study: RunStudy) -> Section:
    happened = [e for e in study.run.events if e.kind != "done"]
    lead = "" if happened else "Nothing that was told of: no gap, no restart, no error code, no check."
    tables = (events_table(study, happened),) if happened else ()
    return Section(id="events", title="What happened", nav="Events", lead=lead, tables=tables)


def _around(study: RunStudy) -> Section | None:
    tables = environment_tables(study.run.environment)
    if study.run.settings:
        tables.insert(0, words_table("settings-table", "Settings: what must be alike to compare", study.run.settings))
    if not tables:
        return None
    return Section(id="around", title="What it stands on", nav="Environment", tables=tuple(tables), folded=True)
