"""A comparison for machines and for pull requests: JUnit XML, and Markdown with the verdict on its first line."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from assay.comparison import Change, Comparison, reach
from assay.units import show

_MOST_ROWS = 30  # a job summary holds 1 MiB; nobody reads more rows than this
_MARKS = {"worse": "❌ worse", "better": "✅ better", "cannot tell": "· cannot tell"}


def markdown(line: str, found: Comparison) -> str:
    """A job summary: verdict, what changed, what differs, and how it was decided."""
    order = sorted(found.changes, key=lambda c: (c.verdict != "worse", c.verdict != "better", c.p))
    rows = "\n".join(_row(c) for c in order[:_MOST_ROWS])
    left = f"\n\n{len(order) - _MOST_ROWS} more rows are in the JSON." if len(order) > _MOST_ROWS else ""
    head = (
        "| figure | old | new | change | 99 % interval | verdict | why |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    return f"**{_safe(line)}**\n\n{head}\n{rows}{left}\n{_differences(found)}\n<sub>{_method(found)}</sub>\n"


def junit(line: str, found: Comparison, suite: str = "assay gate") -> str:
    """A test case a figure: worse is a failure, cannot tell is skipped."""
    skipped = sum(c.verdict == "cannot tell" for c in found.changes)
    root = ElementTree.Element("testsuites")
    tests = ElementTree.SubElement(
        root, "testsuite", name=suite, tests=str(len(found.changes)), failures=str(len(found.worse)),
        errors="0", skipped=str(skipped),
    )  # fmt: skip
    for change in found.changes:
        _case(tests, change)
    ElementTree.SubElement(tests, "system-out").text = line
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(tests: ElementTree.Element, change: Change) -> None:
    case = ElementTree.SubElement(
        tests, "testcase", classname=_plain(change.case) or "command", name=_plain(change.metric.name)
    )  # fmt: skip
    text = f"{100 * (change.ratio - 1):+.1f} %, 99 % interval {reach(change)}"
    if change.verdict == "worse":
        ElementTree.SubElement(case, "failure", message=text)
    elif change.verdict == "cannot tell":
        ElementTree.SubElement(case, "skipped", message=f"cannot tell: {_plain(change.why)} ({text})")


def _row(c: Change) -> str:
    unit = c.metric.unit
    name = f"{c.case}: {c.metric.title}" if c.case else c.metric.title
    more = f"; about {c.more} more pairs" if c.more and c.verdict == "cannot tell" else ""
    cells = (
        name, show(c.old, unit), show(c.new, unit), f"{100 * (c.ratio - 1):+.1f} %", reach(c),
        _MARKS[c.verdict], f"{c.why}{more}",
    )  # fmt: skip
    return f"| {' | '.join(_safe(cell) for cell in cells)} |"


def _differences(found: Comparison) -> str:
    listed: Sequence[tuple[str, object]] = [
        *(("under test", d) for d in found.allowed), *(("also differs", d) for d in found.suspects),
        *(("note", n) for n in found.notes),
    ]  # fmt: skip
    return "".join(f"\n- {title}: {_safe(str(what))}" for title, what in listed) + ("\n" if listed else "")


def _method(found: Comparison) -> str:
    pairs = max((c.pairs for c in found.changes), default=0)
    return (
        f"{pairs} pairs of runs, measured in turns; exact test over all exchanges within pairs, at most 1 % false "
        "alarms; by assay"
    )


def _safe(text: str) -> str:
    """Somebody's names may hold what Markdown takes for its own."""
    return _plain(text).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _plain(text: str) -> str:
    """Without what XML does not allow."""
    return "".join(c if c.isprintable() else " " for c in text)
