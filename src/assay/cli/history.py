"""`assay gate --history FOLDER`: whether the runs that were kept over time have become slower for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.cli.output import Row, emit, say

if TYPE_CHECKING:
    from assay.history import History, Trend

_UNSURE = ("unconfirmed", "too short")
_CODES = {"pass": 0, "fail": 1, "undecided": 3}


def judge_history(name: str | None, root: str, options: dict[str, Any], fmt: str) -> int:
    """Say what became of the runs under `root` (or those of one name), and with which code to exit."""
    from assay.api.gating import history
    from assay.cli.gate import write
    from assay.codec import encode

    found = history(
        root, name=name or "", metrics=options["metrics"], allow=options["allow"], least=options["at_least"]
    )  # fmt: skip
    line = headline(found)
    outcome = "fail" if found.worse else "undecided" if unsure(found) or not found.trends else "pass"
    say(line)
    data = {"outcome": outcome, "line": line, **encode(found)}
    emit([_row(t) for t in found.trends], fmt, title=line, data=data)
    for what in found.skipped:
        say(f"Skipped, since it cannot be read: {what}")
    if found.left_out:
        why = f" (first of all in {found.why})" if found.why else ""
        say(f"Left out: {found.left_out} runs that are unlike the newest{why}")
    write(line, found, options)
    return _CODES[outcome]


def headline(found: History) -> str:
    """The verdict in one line."""
    if found.worse:
        return f"REGRESSION: {found.worse[0].metric.title} {found.worse[0].text}"
    if trend := unsure(found):
        return f"CANNOT TELL: {trend.metric.title}: {trend.text}"
    return f"{'NO REGRESSION' if found.trends else 'NOTHING TO JUDGE'}: {found.runs} like runs"


def unsure(found: History) -> Trend | None:
    """The first figure of which more runs must tell."""
    return next((t for t in found.trends if t.verdict in _UNSURE), None)


def _row(trend: Trend) -> Row:
    from assay.units import show

    return {
        "case": trend.case or "the command", "figure": trend.metric.title, "runs": len(trend.values),
        "first": show(trend.values[0], trend.metric.unit), "newest": show(trend.values[-1], trend.metric.unit),
        "verdict": trend.verdict, "what": trend.text,
    }  # fmt: skip
