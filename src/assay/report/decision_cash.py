"""Money over time: what is paid in each month, what has been paid by then, and how much use makes buying worth it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final

from assay.decision import Decision, Judged
from assay.report.axes import Scale, Spec
from assay.report.chart import Chart, Layout, chart
from assay.report.decision_cells import plain
from assay.report.decision_lines import Axis, Curve, Mark, lines, money_axis
from assay.report.decision_looks import MOST, Look, keys, looks
from assay.report.decision_months import months_chart
from assay.report.decision_words import axis, money, name, said
from assay.report.sections import Figure
from assay.report.study import positive, real
from assay.report.table import Cell, Table, figures
from assay.report.text import listed, percent
from assay.worth import Worth

LEAST_USE: Final = 0.05  # used share at which a curve begins
_FLOWS: Final = ("capital", "running", "rent", "resale")
_PER_HOUR: Final = Scale(1 / 3600, "$")

RINGS: Final = (
    "A ring is the use at which the same work costs the same; where one machine is faster, that is not where lines "
    "cross. The other sign on a falling line is the use that is reckoned with."
)

Priced = tuple[Judged, Worth]


def cash(decision: Decision) -> Figure | None:
    """What moves in each month."""
    found = _monthly(decision)
    return Figure(months_chart(found), _cash_table(found)) if found else None


def cumulative(decision: Decision) -> Figure | None:
    """What has been paid by each month, with the months in which buying has paid for itself."""
    found = _monthly(decision)
    if not found:
        return None
    return Figure(_cumulative_chart(decision, found), _cumulative_table(found))


def _monthly(decision: Decision) -> list[Priced]:
    return [(c, c.worth) for c in decision.candidates if c.worth is not None and c.worth.months][:MOST]


def _paid(w: Worth) -> list[tuple[int, float]]:
    """Month by month, all that has been paid by then."""
    return list(zip([m.month for m in w.months], accumulate(m.net_usd for m in w.months), strict=True))


def _cash_table(found: Sequence[Priced]) -> Table:
    """A row a month; a flow that never moves for a candidate has no column."""
    flows = [(c, w, flow) for c, w in found for flow in _FLOWS if any(_flow(m, flow) for m in w.months)]
    held = [{m.month: _flow(m, flow) for m in w.months} for _, w, flow in flows]
    columns = (
        figures("Month", "month"),
        *(figures(f"{c.name}: {flow}", f"{c.name} {flow}_usd") for c, _, flow in flows),
    )
    months = sorted({m.month for _, w in found for m in w.months})
    rows = tuple((Cell(str(at), sort=at), *(plain(of.get(at), "usd", absent="—") for of in held)) for at in months)
    return Table(id="cash-table", caption="Cash by month; resale comes back", columns=columns, rows=rows)


def _flow(month: object, flow: str) -> float:
    return float(getattr(month, f"{flow}_usd"))


def _cumulative_table(found: Sequence[Priced]) -> Table:
    held = [dict(_paid(w)) for _, w in found]
    columns = (figures("Month", "month"), *(figures(c.name, f"{c.name} paid_usd") for c, _ in found))
    rows = tuple((Cell(str(at), sort=at), *(plain(of.get(at), "usd", absent="—") for of in held))
                 for at in sorted({m for of in held for m in of}))  # fmt: skip
    return Table(id="cumulative-table", caption="All that has been paid by each month", columns=columns, rows=rows)


def _cumulative_chart(decision: Decision, found: Sequence[Priced]) -> Chart:
    of, last = looks(decision), max(m.month for _, w in found for m in w.months)
    curves = [_paid_curve(c, w, of[name(c)], last) for c, w in found]
    ends = [y for c in curves for _, y in c.points]
    told, marked = axis([max(map(abs, ends))], "usd"), _paybacks(decision, found)

    def build(layout: Layout) -> Spec:
        step = 6 if last <= 48 else 12
        x = Axis(title="month of operation", low=0, high=max(last, 1), expression="format(datum.value, ',~f')",
                 ticks=tuple(range(0, last + 1, step)))  # fmt: skip
        return lines(layout, curves, x, money_axis("paid in all, US dollars", min(0.0, *ends), max(ends) * 1.04, told),
                     marked=marked)  # fmt: skip

    alt = "; ".join(f"{c.name}: {money(c.points[-1][1])} by month {last}" for c in curves)
    caption = " ".join([*_told(decision, found), "The last step down is what resale brings."])
    return chart("cumulative", "Paid in all, month by month", alt, build, keys=keys(decision, [c for c, _ in found]),
                 caption=caption)  # fmt: skip


def _paid_curve(c: Judged, w: Worth, look: Look, last: int) -> Curve:
    paid = _paid(w)
    told = tuple((m, usd, f"{name(c)}: {money(usd)} paid by month {m}") for m, usd in paid if m % 12 == 0 or m == last)
    return Curve(name=name(c), look=look, points=tuple((float(m), usd) for m, usd in paid), told=told)


def _rivals(decision: Decision, found: Sequence[Priced]) -> list[tuple[Judged, Worth, Judged, int]]:
    """Each bought candidate against each rented one: which of its comparisons that is."""
    rented = {c.name: c for c in decision.candidates if c.via == "rent"}
    return [(c, w, rented[a.other], i) for c, w in found if c.via != "rent"
            for i, a in enumerate(w.against) if a.other in rented]  # fmt: skip


def _paybacks(decision: Decision, found: Sequence[Priced]) -> list[Mark]:
    marked = []
    for c, w, other, i in _rivals(decision, found):
        month, paid = w.against[i].payback_months, dict(_paid(w))
        if month is not None and month in paid:
            tip = f"{name(c)} has paid for itself against {name(other)} in month {month}"
            marked.append(Mark(x=month, y=paid[month], text=f"pays back: month {month}", tip=tip))
    return marked


def _told(decision: Decision, found: Sequence[Priced]) -> list[str]:
    """When each bought candidate has paid for itself; those that never do share a sentence."""
    said_, never = list[str](), dict[str, list[str]]()
    for c, w, other, i in _rivals(decision, found):
        month = w.against[i].payback_months
        if month is None:
            never.setdefault(name(c), []).append(name(other))
        else:
            when = f"in month {month}" if month else "at once"
            said_.append(f"{name(c)} pays back {when} against {name(other)}.")
    for others, who in _grouped(never):
        verb = "pays" if len(who) == 1 else "pay"
        said_.append(f"{listed(who)} never {verb} back within the horizon against {listed(others)}.")
    return said_


def _grouped(never: Mapping[str, Sequence[str]]) -> list[tuple[tuple[str, ...], list[str]]]:
    """Those of whom the same is said of the same others."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for who, others in never.items():
        groups.setdefault(tuple(others), []).append(who)
    return list(groups.items())


def breakeven(decision: Decision) -> Figure | None:
    """Cost of a used hour against the used share: falling where machines are paid for either way, flat for rent."""
    found = [(c, c.worth) for c in decision.candidates if c.worth is not None and not c.ruled_out and _known(c.worth)]
    found = found[:MOST]
    if not any(not c.elastic for c, w in found):
        return None
    return Figure(_breakeven_chart(decision, found), _breakeven_table(found))


def _known(w: Worth) -> bool:
    return positive(w.used_usd_per_s.mean, w.available_usd_per_s.mean) and real(w.used_share.mean)


def _cost(c: Judged, w: Worth, share: float) -> float:
    return w.available_usd_per_s.mean / share if not c.elastic else w.used_usd_per_s.mean


def _breakeven_chart(decision: Decision, found: Sequence[Priced]) -> Chart:
    of = looks(decision)
    top = 1.3 * max(_cost(c, w, 0.5) for c, w in found) / _PER_HOUR.factor  # about where lines can cross
    curves = [_use_curve(c, w, of[name(c)], top) for c, w in found]
    marked = [
        Mark(x=share, y=_cost(c, w, share) / _PER_HOUR.factor, text=percent(share, sign=False),
             tip=f"from {percent(share, sign=False)} used on, {name(c)} does the same work for less than {name(other)}")
        for c, w, other, i in _rivals(decision, found)
        if (share := w.against[i].breakeven_utilization) is not None and _cost(c, w, share) / _PER_HOUR.factor <= top
    ]  # fmt: skip

    def build(layout: Layout) -> Spec:
        x = Axis(title="share of available time that is used", low=0.0, high=1.0,
                 expression="format(100 * datum.value, '.0f') + ' %'", ticks=(0, 0.2, 0.4, 0.6, 0.8, 1))  # fmt: skip
        y = money_axis("US dollars per used accelerator-hour", 0.0, top, _PER_HOUR)
        return lines(layout, curves, x, y, marked=marked)

    caption = " ".join([*_from(decision, found), RINGS, *_above(found, top)])
    alt = "; ".join(f"{name(c)} {said(w.used_usd_per_s.mean, 'usd_per_s')} per used hour" for c, w in found)
    title = "How much use makes buying worth it"
    return chart("breakeven", title, alt, build, keys=keys(decision, [c for c, _ in found]), caption=caption)


def _use_curve(c: Judged, w: Worth, look: Look, top: float) -> Curve:
    shares = [LEAST_USE + i * 0.01 for i in range(96)] if not c.elastic else [i / 20 for i in range(21)]
    points = [(share, _cost(c, w, share) / _PER_HOUR.factor) for share in shares]
    here = w.used_share.mean if not c.elastic else 0.5
    told = [(here, _cost(c, w, here) / _PER_HOUR.factor)] if here > 0 else []
    used = "" if c.elastic else f" at {percent(here, sign=False)} used"
    tips = tuple((a, b, f"{name(c)}: {said(b * _PER_HOUR.factor, 'usd_per_s')}{used}") for a, b in told if b <= top)
    return Curve(name=name(c), look=look, points=tuple(p for p in points if p[1] <= top), told=tips)


def _above(found: Sequence[Priced], top: float) -> list[str]:
    """What is reckoned with at so little use that it lies above the frame."""
    high = [(c, w) for c, w in found if not c.elastic and w.used_usd_per_s.mean > top * _PER_HOUR.factor]
    told = [f"{name(c)} at {percent(w.used_share.mean, sign=False)} used, {said(w.used_usd_per_s.mean, 'usd_per_s')}"
            for c, w in high]  # fmt: skip
    return [f"Above this frame: {listed(told)}."] if told else []


def _from(decision: Decision, found: Sequence[Priced]) -> list[str]:
    said_, none = list[str](), dict[str, list[str]]()
    for c, w, other, i in _rivals(decision, found):
        share = w.against[i].breakeven_utilization
        if share is None:
            none.setdefault(name(c), []).append(name(other))
        else:
            said_.append(f"{name(c)} is cheaper than {name(other)} from {percent(share, sign=False)} used on.")
    said_ += [f"At no use is {listed(who)} cheaper than {listed(others)}." for others, who in _grouped(none)]
    return said_


def _breakeven_table(found: Sequence[Priced]) -> Table:
    columns = (figures("Used share", "used_share"), *(figures(c.name, f"{c.name} used_usd_per_s") for c, _ in found))
    rows = tuple((plain(step / 10, "share"), *(plain(_cost(c, w, step / 10), "usd_per_s") for c, w in found))
                 for step in range(1, 11))  # fmt: skip
    return Table(id="breakeven-table", caption="Cost of a used hour by used share; rent is paid by the hour used",
                 columns=columns, rows=rows)  # fmt: skip
