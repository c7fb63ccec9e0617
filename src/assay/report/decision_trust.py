"""The pilot's stages and gates, how well the answer is founded, and where every input comes from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from assay.assumption import Assumption
from assay.decision import Decision, Judged, Ruling
from assay.pilot import Accepts
from assay.report.axes import Spec
from assay.report.chart import TOP, Key, Layout, chart
from assay.report.decision_cells import cell, count, named, plain, proof, words
from assay.report.decision_words import ORIGINS, name, reach, said, shared, title
from assay.report.palette import LIGHT, text_on
from assay.report.rows import rows
from assay.report.sections import Figure, Section
from assay.report.stacks import share_axis, stack
from assay.report.table import Cell, Column, Table, figures
from assay.report.text import listed, moment
from assay.units import suffix

STAGES = {1: "1 functional", 2: "2 throughput", 3: "3 sustained"}


def stages_section(decision: Decision) -> Section | None:
    """Gates against candidates, stage by stage."""
    found = [(c, one) for c in decision.candidates for one in c.gates]
    if not found:
        return None
    sums = {answer: sum(one.proof == answer for _, one in found) for answer in ("pass", "fail", "not proven")}
    lead = (f"Stage 1 asks whether it runs, stage 2 how fast, stage 3 how long. {sums['pass']} gates are passed, "
            f"{sums['fail']} failed, {sums['not proven']} not proven.")  # fmt: skip
    shown = tuple(t for t in (_gates(decision), _next(decision)) if t.rows)
    heading = "Pilot stages and gates"
    return Section(id="stages", title=heading, nav="Stages", lead=lead, tables=shown, more=(_found(found),))


def _gates(decision: Decision) -> Table:
    gates = sorted({(one.stage, one.name): None for c in decision.candidates for one in c.gates}, key=lambda g: g[0])
    held = [{(one.stage, one.name): one for one in c.gates} for c in decision.candidates]
    columns = (Column("Stage", "stage"), Column("Gate", "gate"), *(named(c.name) for c in decision.candidates))
    rows_ = tuple(
        (Cell(STAGES.get(stage, str(stage))), Cell(gate, tone="matrix"), *(_gate(of.get((stage, gate))) for of in held))
        for stage, gate in gates
    )
    return Table(id="gates-table", caption="Gates and candidates", columns=columns, rows=rows_)


def _gate(one: Ruling | None) -> Cell:
    return Cell("not asked", tone="matrix quiet") if one is None else proof(one.proof, one.text)


def _found(found: Sequence[tuple[Judged, Ruling]]) -> Table:
    columns = (Column("Candidate", "candidate"), figures("Stage", "stage"), Column("Gate", "gate"),
               Column("Metric", "metric"), figures("Wanted", "wanted"), figures("Found", "found"),
               Column("Answer", "proof"), Column("Source", "source"))  # fmt: skip
    rows_ = tuple(
        (Cell(c.name), count(one.stage), Cell(one.name), Cell(title(one.metric) if one.metric else "—"),
         plain(one.wanted, suffix(one.metric), absent="—"), cell(one.found, suffix(one.metric), absent="nothing"),
         proof(one.proof), words(one.source))
        for c, one in found
    )  # fmt: skip
    return Table(id="found-table", caption="What each gate wanted, and what was found", columns=columns, rows=rows_,
                 filtered="candidate")  # fmt: skip


def _next(decision: Decision) -> Table:
    columns = (Column("Candidate", "candidate"), Column("Workload", "workload"), figures("Stage", "stage"),
               Column("What to measure", "what"), figures("Knowing it is worth", "value_usd"),
               figures("It costs", "cost_usd"), Column("Command", "command"))  # fmt: skip
    rows_ = tuple(
        (Cell(m.candidate), Cell(m.workload), count(m.stage), words(m.what),
         plain(m.value_usd, "usd", absent="it decides a gate"), plain(m.cost_usd, "usd"), words(m.command))
        for m in decision.next
    )  # fmt: skip
    return Table(id="next-table", caption="What to measure next, the most telling first", columns=columns, rows=rows_)


def trust_section(decision: Decision) -> Section | None:
    """How much was measured, and what was assumed."""
    aged = [key for key in decision.assumptions if stale(decision, key)]
    drawn = tuple(f for f in (_origins(decision),) if f is not None)
    tables = (assumptions_table(decision),) if decision.assumptions else ()
    if not drawn and not tables:
        return None
    own = sum(key in decision.own for key in decision.assumptions)
    low = sum(a.confidence == "low" for a in decision.assumptions.values())
    lead = (
        f"{len(decision.assumptions)} assumptions: {own} stated or found for this pilot, "
        f"{len(decision.assumptions) - own} from Assay's own table, {low} of low confidence."
    )
    warned = (f"Stale, to be asked again: {listed(aged)}.",) if aged else ()
    return Section(id="trust", title="How well it is founded", nav="Trust", lead=lead, figures=drawn, tables=tables,
                   warnings=warned)  # fmt: skip


def stale(decision: Decision, key: str) -> bool:
    """Whether the decision itself warned that this one is old: by its name, or a price by its date."""
    old = [text for text in decision.warnings if "stale" in text or "older than" in text]
    dated = f"a price of {decision.assumptions[key].date} is older than"
    price = any(word in key for word in ("price", "rent"))
    return any(key in text or (price and dated in text) for text in old)


def _origins(decision: Decision) -> Figure | None:
    """Of each candidate's rates, how many were measured, published, stated, predicted."""
    found = [(c, [r.origin for r in c.rates]) for c in decision.candidates if c.rates][:TOP]
    if not found:
        return None
    data = [row for c, origins in found for row in _shares(name(c), origins)]
    notes = {name(c): f"{origins.count('measured')} of {len(origins)} measured" for c, origins in found}

    def build(layout: Layout) -> Spec:
        words_ = [{**d, "text": d["word"] if d["share"] * layout.width > 190 else d["word"][:4] + "."} for d in data]
        return rows(layout, notes, share_axis("share of a candidate's rates"), stack(words_, 0.12))

    keys = [Key(origin, token) for origin, (token, *_) in ORIGINS.items()]
    alt = "; ".join(f"{row}: {note}" for row, note in notes.items())
    return Figure(chart("origins", "Where the rates come from", alt, build, keys=keys), _origins_table(decision))


def _shares(row: str, origins: Sequence[Accepts]) -> list[Spec]:
    start, found = 0.0, list[Spec]()
    for origin, (token, *_) in ORIGINS.items():
        share = origins.count(origin) / len(origins)
        place = {"row": row, "start": start, "middle": start + share / 2, "end": start + share, "share": share}
        look = {"fill": LIGHT[token], "ink": text_on("-1"), "word": origin}
        found.append({**place, **look, "tip": f"{row}: {origins.count(origin)} of {len(origins)} rates {origin}"})
        start += share
    return found


def _origins_table(decision: Decision) -> Table:
    columns = (Column("Candidate", "candidate"), *(figures(origin, origin) for origin in ORIGINS))
    rows_ = []
    for c in decision.candidates:
        counts = [sum(r.origin == origin for r in c.rates) for origin in ORIGINS]
        rows_.append((Cell(c.name), *(count(n) for n in counts)))
    return Table(id="origins-table", caption="How many rates of each origin", columns=columns, rows=tuple(rows_))


def assumptions_table(decision: Decision) -> Table:
    """Every assumption with its range, its source, its date."""
    columns = (
        Column("Assumption", "name"), figures("Value", "value"), Column("Whose", "whose"),
        Column("Confidence", "confidence"), Column("Dated", "date"), figures("Age", "age_s"),
        Column("Source", "source"), Column("Note", "note"),
    )  # fmt: skip
    rows_ = tuple(_assumption(key, a, decision) for key, a in decision.assumptions.items())
    return Table(id="assumptions-table", caption="Every assumption with its range and source", columns=columns,
                 rows=rows_, filtered="confidence")  # fmt: skip


def _assumption(key: str, a: Assumption, decision: Decision) -> tuple[Cell, ...]:
    unit = shared(decision.units.get(key, suffix(key)), a.value, a.low, a.high)
    old = stale(decision, key)
    value = plain(a.value, unit)
    if not a.exact:
        value = _ranged(a, unit)
    age = _age_s(a.date, decision.made)
    return (
        Cell(key.replace("_", " ") if not suffix(key) else key.removesuffix(suffix(key)).replace("_", " ").strip()),
        value, Cell("this pilot" if key in decision.own else "default"),
        Cell(a.confidence, tone="bad" if a.confidence == "low" else ""), Cell(a.date or "undated"),
        Cell("—", tone="quiet") if age is None else Cell(said(age, "s") + ", stale" * old, sort=age,
                                                         tone="bad" if old else ""),
        _source(a.source), words(a.note),
    )  # fmt: skip


def _ranged(a: Assumption, unit: str) -> Cell:
    return Cell(said(a.value, unit), sort=a.value, low=a.low, high=a.high, note=reach(a.low, a.high, unit))


def _source(text: str) -> Cell:
    return Cell(text, href=text, tone="long") if text.startswith(("https://", "http://")) else words(text, "pilot file")


def _age_s(then: str, now: str) -> float | None:
    """Time between two dates; a year alone is taken at its middle, a month at its first; None where one is no date."""
    try:
        first, last = (
            date.fromisoformat(f"{text}-07-01" if len(text) == 4 else f"{text}-01"[:10]) for text in (then, now)
        )
    except ValueError:
        return None
    return max(0.0, (last - first).total_seconds())


def provenance_section(decision: Decision) -> Section:
    """What it was made from: fingerprints, sources, the tool."""
    inputs = Table(
        id="inputs-table", caption="Inputs and their fingerprints",
        columns=(Column("Input", "input"), Column("Fingerprint", "fingerprint")),
        rows=tuple((Cell(key), Cell(value, tone="long")) for key, value in decision.inputs.items()),
    )  # fmt: skip
    pairs = (("pilot", decision.pilot or "unnamed"), ("decided", moment(decision.made) or "undated"),
             ("by", decision.tool or "unknown"), ("objective", decision.objective),
             ("format", str(decision.schema)))  # fmt: skip
    return Section(id="provenance", title="Where it all comes from", nav="Provenance", pairs=pairs,
                   lead="The same inputs give the same answer: each is known by a fingerprint of what it held.",
                   tables=(inputs,) if inputs.rows else (),
                   more=tuple(t for t in (_warnings(decision), _sources(decision)) if t.rows))  # fmt: skip


def _warnings(decision: Decision) -> Table:
    rows_ = tuple((words(text),) for text in decision.warnings)
    return Table(id="warnings-table", caption="Warnings", columns=(Column("Warning", "warning"),), rows=rows_)


def _sources(decision: Decision) -> Table:
    found: dict[str, list[str]] = {}
    for c in decision.candidates:
        for text in [r.source for r in c.rates] + [s for r in c.results for s in r.sources]:
            found.setdefault(text, []).append(c.name)
        for risk in c.risks.risks if c.risks else ():
            for e in risk.evidence:
                found.setdefault(e.source, []).append(c.name)
    rows_ = tuple((_source(text), words(listed(list(dict.fromkeys(of))))) for text, of in found.items() if text)
    return Table(id="sources-table", caption="Sources of rates and evidence",
                 columns=(Column("Source", "source"), Column("Of", "of")), rows=rows_)  # fmt: skip
