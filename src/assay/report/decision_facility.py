"""Facility: whether the machines fit a site, which limit binds, what happens when a feed fails, how they are cooled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from assay.decision import Decision, Judged
from assay.report.axes import Spec
from assay.report.chart import TIP, TOP, Key, Layout, at, chart, fixed, layer, raw
from assay.report.decision_cells import cell, count, named, plain, remarks, words
from assay.report.decision_cooling import Sited, cooling, phases
from assay.report.decision_words import leader, name, said
from assay.report.palette import LIGHT
from assay.report.rows import rows
from assay.report.sections import Figure, Section
from assay.report.stacks import share_axis
from assay.report.study import clean, real
from assay.report.table import Cell, Column, Table, figures
from assay.report.text import listed, percent, rest
from assay.siting import Fit, Limit

_FURTHEST: Final = 1.6  # a bar is cut there; its note has the number


def section(decision: Decision) -> Section | None:
    """Sites and what fits them."""
    all_ = [(c, c.fit) for c in decision.candidates if c.fit is not None]
    found = [(c, fit) for c, fit in all_ if fit.limits]
    if not all_ and not decision.places:
        return None
    first = next((pair for pair in found if pair[0] is leader(decision)), found[0] if found else None)
    drawn = (_limits(found, first), phases(found), cooling(first)) if first else ()
    notes = remarks("facility-notes-table", "How the facility was reckoned",
                    [(c.name, note) for c, fit in all_ for note in fit.notes])  # fmt: skip
    return Section(id="facility", title="Facility", lead=_lead(found), figures=tuple(f for f in drawn if f is not None),
                   tables=tuple(t for t in (fits_table(all_), _places(decision)) if t.rows),
                   more=tuple(t for t in (_states(found), _facts(found), notes) if t.rows))  # fmt: skip


def _lead(found: Sequence[Sited]) -> str:
    rented = "A rented machine stands in its owner's building and is not checked here."
    return " ".join([*(_fits(c, fit) for c, fit in found), rented])


def _fits(c: Judged, fit: Fit) -> str:
    """One sentence: fits, does not, or cannot be said, and which limit binds."""
    binds = f"{fit.binding.name} binds first, {_share(fit.binding)} used" if fit.binding else "no limit is known"
    if fit.fits is None:
        missing = listed([one.name for one in fit.limits if one.available is None], 3)
        return f"Whether {c.name} fits {fit.site} is not proven: {missing} is unknown; of what is known {binds}."
    return f"{c.name} {'fits' if fit.fits else 'does not fit'} {fit.site}: {binds}."


def _share(limit: Limit | None) -> str:
    used = limit.used if limit else None
    return "unknown" if used is None else percent(used, sign=False) if real(used) else "with none there"


def fits_table(found: Sequence[Sited]) -> Table:
    """What each candidate needs of its site."""
    columns = (
        Column("Candidate", "candidate"), Column("Site", "site"), Column("Fits", "fits"),
        Column("Binds first", "binding"), figures("Nodes", "nodes"), figures("Racks", "racks"),
        figures("Nodes a rack", "nodes_per_rack"), figures("Highest IT power", "power_w"),
        figures("PUE", "pue", "facility power over IT power"), figures("Energy a year", "energy_j", "of the facility"),
        figures("Water a year", "water_m3"), figures("Carbon a year", "carbon_kg", "of operation"),
        figures("Embodied carbon", "embodied_kg", "of making it, once"),
    )  # fmt: skip
    return Table(id="fits-table", caption="What each candidate needs of its site", columns=columns,
                 rows=tuple(_fit_row(c, fit) for c, fit in found))  # fmt: skip


def _fit_row(c: Judged, fit: Fit) -> tuple[Cell, ...]:
    told, tone = {True: ("✓ yes", "good"), False: ("✕ no", "bad"), None: ("? not proven", "quiet")}[fit.fits]
    if not fit.limits:  # somebody else's building
        told, tone = "not ours to ask", "quiet"
    binding = f"{fit.binding.name}, {_share(fit.binding)}" if fit.binding else ""
    racks = [count(n) if fit.racks else Cell("—", tone="quiet") for n in (fit.racks, fit.nodes_per_rack)]
    return (
        Cell(c.name), Cell(fit.site), Cell(told, tone=tone), words(binding), count(fit.nodes), *racks,
        plain(fit.power_w, "w"), cell(fit.pue, ""), cell(fit.energy_j, "j"), plain(fit.water_m3, "m3"),
        cell(fit.carbon_kg, "kg"), cell(fit.embodied_kg, "kg"),
    )  # fmt: skip


def _limits(found: Sequence[Sited], first: Sited) -> Figure | None:
    """Every limit of the leader, and of the others the one that binds."""
    others = [(c, fit.binding) for c, fit in found if c is not first[0] and fit.binding is not None]
    shown = [(first[0], one) for one in sorted(first[1].limits, key=lambda one: -(one.used or 0.0))] + others
    if not shown:
        return None
    data = [_limit(c, one) for c, one in shown[:TOP]]
    notes = {d["row"]: d["note"] for d in data}
    bound = [d["row"] for d, (c, one) in zip(data, shown, strict=False) if c is not first[0] or one is first[1].binding]

    def build(layout: Layout) -> Spec:
        x = share_axis("share of what the site has", max([1.05, *(d["end"] for d in data)]) * 1.02)
        full = {"x": at("at"), "color": fixed("bad")}
        line = layer("rule", [{"at": 1.0}], full, strokeDash=[4, 3], strokeWidth=1.5)
        place = {"x": at("start"), "x2": at("end"), "color": raw("fill"), "description": TIP}
        return rows(layout, notes, x, [layer("bar", [d for d in data if d["end"]], place)], over=[line], strong=bound)

    keys = [Key("inside the limit", "compute-2"), Key("beyond it", "bad"), Key("all there is", "bad", "dash")]
    caption = f"Bold: what binds first. All limits of {first[0].name}, and of the others the one that binds."
    drawn = chart("limits", "Share of each limit that is used", "; ".join(d["tip"] for d in data), build, keys=keys,
                  caption=rest(len(shown) - len(data), caption))  # fmt: skip
    return Figure(drawn, _limits_table(found))


def _limit(c: Judged, one: Limit) -> Spec:
    used, row = one.used, f"{name(c)}: {clean(one.name)}"
    note = _share(one) if used is not None else "unknown"
    tip = f"{row}: {said(one.wanted, one.unit)} of {said(one.available, one.unit)}, {note}"
    fill = LIGHT["bad" if used is not None and used > 1 else "compute-2"]
    return {"row": row, "start": 0.0, "end": min(used or 0.0, _FURTHEST), "fill": fill, "note": note, "tip": tip}


def _limits_table(found: Sequence[Sited]) -> Table:
    columns = (
        Column("Candidate", "candidate"), Column("Limit", "limit"), figures("Wanted", "wanted"),
        figures("There is", "available"), figures("Used", "used"), Column("How it was reckoned", "note"),
    )  # fmt: skip
    rows_ = tuple(
        (Cell(c.name), Cell(one.name), plain(one.wanted, one.unit), plain(one.available, one.unit),
         Cell(_share(one), sort=one.used if one.used is not None and real(one.used) else None,
              tone="bad" if one.used is not None and one.used > 1 else ""), words(one.note))
        for c, fit in found for one in fit.limits
    )  # fmt: skip
    return Table(id="limits-table", caption="Every limit of every candidate", columns=columns, rows=rows_,
                 filtered="candidate")  # fmt: skip


def _places(decision: Decision) -> Table:
    columns = (
        Column("Site", "site"), Column("Kind", "kind"), Column("Allowed", "allowed"),
        figures("Per used hour", "used_usd_per_s"), Column("What speaks for and against it", "reasons"),
    )  # fmt: skip
    rows_ = tuple(
        (Cell(p.site), Cell(p.kind), Cell("✓ yes" if p.allowed else "✕ no", tone="good" if p.allowed else "bad"),
         cell(p.used_usd_per_s, "usd_per_s"), words("; ".join(p.reasons)))
        for p in decision.places
    )  # fmt: skip
    return Table(id="places-table", caption="Where the work may run", columns=columns, rows=rows_)


def _states(found: Sequence[Sited]) -> Table:
    columns = (Column("Candidate", "candidate"), Column("Failed", "failed"), Column("Holds", "holds"),
               figures("Fullest feed carries", "load_w"), figures("A feed may carry", "limit_w"),
               Column("Feeds", "feeds"))  # fmt: skip
    rows_ = tuple(
        (Cell(c.name), Cell(s.failed), Cell("✓ yes" if s.holds else "✕ no", tone="good" if s.holds else "bad"),
         plain(max(s.load_w.values(), default=None), "w"), plain(s.limit_w, "w"),
         words(listed([f"{feed} {said(load, 'w')}" for feed, load in s.load_w.items()])))
        for c, fit in found for s in fit.states
    )  # fmt: skip
    return Table(id="states-table", caption="What a rack's feeds carry when one part has failed", columns=columns,
                 rows=rows_, filtered="candidate")  # fmt: skip


def _facts(found: Sequence[Sited]) -> Table:
    kinds = list(dict.fromkeys(what for _, fit in found for what, _ in fit.facts))
    held = [dict(fit.facts) for _, fit in found]
    rows_ = tuple((Cell(what), *(words(of.get(what, "")) for of in held)) for what in kinds)
    columns = (Column("What", "what"), *(named(c.name) for c, _ in found))
    return Table(id="facts-table", caption="What each candidate comes to", columns=columns, rows=rows_)
