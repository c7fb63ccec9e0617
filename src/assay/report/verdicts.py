"""A verdict for machines and for pull requests: JUnit XML, and Markdown with the verdict on its first line."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from assay.comparison import Change, Comparison, reach
from assay.history import History, Trend
from assay.stats import EDGE
from assay.units import show

_MOST_ROWS = 30  # a job summary holds 1 MiB; nobody reads more rows than this
_CHANGES = ("figure", "old", "new", "change", "99 % interval", "verdict", "why")
_TRENDS = ("figure", "runs", "first", "newest", "verdict", "what")
_MARKS = {"worse": "❌ worse", "better": "✅ better"}
_UNSURE = ("cannot tell", "unconfirmed", "too short")


def markdown(line: str, found: Comparison | History) -> str:
    """A job summary: verdict, what changed, what differs, and how it was decided."""
    if isinstance(found, History):
        return _page(line, _TRENDS, [_past(t) for t in found.trends], _left_out(found), _watched(found))
    order = sorted(found.changes, key=lambda c: (c.verdict != "worse", c.verdict != "better", c.p))
    return _page(line, _CHANGES, [_row(c) for c in order], _differences(found), _method(found))


def junit(line: str, found: Comparison | History, suite: str = "assay gate") -> str:
    """A test case a figure: worse is a failure, what cannot be told is skipped."""
    judged: Sequence[Change | Trend] = found.trends if isinstance(found, History) else found.changes
    skipped = sum(one.verdict in _UNSURE for one in judged)
    root = ElementTree.Element("testsuites")
    tests = ElementTree.SubElement(
        root, "testsuite", name=suite, tests=str(len(judged)), failures=str(len(found.worse)),
        errors="0", skipped=str(skipped),
    )  # fmt: skip
    for one in judged:
        _case(tests, one)
    ElementTree.SubElement(tests, "system-out").text = _plain(line)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(tests: ElementTree.Element, one: Change | Trend) -> None:
    case = ElementTree.SubElement(
        tests, "testcase", classname=_plain(one.case) or "command", name=_plain(one.metric.name)
    )  # fmt: skip
    if isinstance(one, Trend):
        text, why = one.text, one.text
    else:
        text = f"{100 * (one.ratio - 1):+.1f} %, 99 % interval {reach(one)}"
        why = f"{one.why} ({text})"
    if one.verdict == "worse":
        ElementTree.SubElement(case, "failure", message=_plain(text))
    elif one.verdict in _UNSURE:
        ElementTree.SubElement(case, "skipped", message=f"{one.verdict}: {_plain(why)}")


def _page(line: str, columns: Sequence[str], rows: Sequence[Sequence[str]], remarks: str, method: str) -> str:
    head = f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}"
    told = "\n".join(f"| {' | '.join(_safe(cell) for cell in row)} |" for row in rows[:_MOST_ROWS])
    left = f"\n\n{len(rows) - _MOST_ROWS} more rows are in the JSON." if len(rows) > _MOST_ROWS else ""
    return f"**{_safe(line)}**\n\n{head}\n{told}{left}\n{remarks}\n<sub>{method}</sub>\n"


def _row(c: Change) -> tuple[str, ...]:
    unit = c.metric.unit
    name = f"{c.case}: {c.metric.title}" if c.case else c.metric.title
    more = f"; about {c.more} more pairs" if c.more and c.verdict == "cannot tell" else ""
    return (
        name, show(c.old, unit), show(c.new, unit), f"{100 * (c.ratio - 1):+.1f} %", reach(c),
        _mark(c.verdict), f"{c.why}{more}",
    )  # fmt: skip


def _past(t: Trend) -> tuple[str, ...]:
    name = f"{t.case}: {t.metric.title}" if t.case else t.metric.title
    first, newest = (show(value, t.metric.unit) for value in (t.values[0], t.values[-1]))
    return name, str(len(t.values)), first, newest, _mark(t.verdict), t.text


def _mark(verdict: str) -> str:
    return _MARKS.get(verdict, f"· {verdict}")


def _differences(found: Comparison) -> str:
    listed: Sequence[tuple[str, object]] = [
        *(("under test", d) for d in found.allowed), *(("also differs", d) for d in found.suspects),
        *(("note", n) for n in found.notes),
    ]  # fmt: skip
    return "".join(f"\n- {title}: {_safe(str(what))}" for title, what in listed) + ("\n" if listed else "")


def _left_out(found: History) -> str:
    return "".join(f"\n- skipped: {_safe(what)}" for what in found.skipped) + ("\n" if found.skipped else "")


def _method(found: Comparison) -> str:
    if not found.turns:
        sides = f"{len(found.old)} old runs and {len(found.new)} new ones"
        return f"{sides}, not measured in turns: nothing is proven, and nothing excluded; by assay"
    pairs = max((c.pairs for c in found.changes), default=0)
    return (
        f"{pairs} pairs of runs, measured in turns; exact test over all exchanges within pairs, at most 1 % false "
        "alarms; by assay"
    )


def _watched(found: History) -> str:
    unlike = f", {found.left_out} unlike the newest left out" if found.left_out else ""
    return f"{found.runs} runs over time{unlike}; a change counts once {EDGE} runs have confirmed it; by assay"


def _safe(text: str) -> str:
    """Somebody's names may hold what Markdown takes for its own."""
    return _plain(text).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _plain(text: str) -> str:
    """Without what XML does not allow."""
    return "".join(c if c.isprintable() else " " for c in text)
