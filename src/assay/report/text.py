"""Numbers and sentences for people: intervals, signs, ties, and the verdict where nobody wrote one."""

from __future__ import annotations

from collections.abc import Sequence

from assay.report.study import Option, Study, headline, options
from assay.result import Value
from assay.units import show, suffix

EVIDENCE = {
    "A": "measured here: the constants behind it were earned on this very accelerator, by your own runs",
    "B": "published for this accelerator: the constants were earned from public results of it",
    "C": "its architecture class: the constants were earned on other accelerators of the same kind",
    "D": "data sheet only: nothing comparable was measured, so the interval is wide",
}

_METRIC_WORDS = {"mfu", "hfu", "goodput"}  # shares, shown in per cent
_NAMED_BY_UNIT = {"tokens_per_s", "device_tokens_per_s", "samples_per_s"}


def figure(value: float | None, metric: str) -> str:
    """A metric's value as it is read: shares in per cent, the rest with a prefix and a unit.

    >>> figure(0.431, "mfu"), figure(None, "rent_usd"), figure(-12.4e9, "headroom_bytes")
    ('43.1 %', 'unknown', '−12.4 GB')
    """
    if value is not None and metric in _METRIC_WORDS:
        return percent(value, sign=False)
    if metric == "headroom_bytes":
        return signed(value)
    return bare(written(value, suffix(metric)), metric)


def written(value: float | None, unit: str) -> str:
    """As `units.show`, but money too in three digits: more would claim what no interval holds.

    >>> written(63817.2, "usd"), written(None, "usd")
    ('$63,800', 'unknown')
    """
    return show(float(f"{value:.3g}") if value is not None and unit == "usd" else value, unit)


def bare(text: str, metric: str) -> str:
    """A rate without its unit where the metric's title is the unit.

    >>> bare("293 ktokens/s", "tokens_per_s")
    '293 k'
    """
    return text.replace("tokens/s", "").replace("samples/s", "").strip() if metric in _NAMED_BY_UNIT else text


def reach(value: Value, metric: str) -> str:
    """A metric's interval as it is read, "exact" where it has none."""
    if value.low == value.high:
        return "exact"
    if metric in _METRIC_WORDS:
        return f"{100 * value.low:.0f} to {100 * value.high:.0f} %"
    if metric == "headroom_bytes":
        return f"{signed(value.low)} to {signed(value.high)}"
    return bare(between(value.low, value.high, suffix(metric)), metric)


def moment(created: str) -> str:
    """An ISO time for people.

    >>> moment("2026-11-24T09:30:00+00:00"), moment("2026-11-24")
    ('2026-11-24 09:30 UTC', '2026-11-24')
    """
    day, _, clock = created.partition("T")
    zone = " UTC" if clock.endswith(("Z", "+00:00")) else ""
    return f"{day} {clock[:5]}{zone}" if zone else created


def between(low: float, high: float, unit: str) -> str:
    """An interval, the unit once where both ends share it.

    >>> between(1.2e12, 1.4e12, "bytes_per_s"), between(0.9, 1300, "usd")
    ('1.2 to 1.4 TB/s', '$0.90 to $1,300')
    """
    first, last = written(low, unit), written(high, unit)
    number, _, symbol = first.partition(" ")
    return f"{number if symbol and last.endswith(' ' + symbol) else first} to {last}"


def interval(value: Value, unit: str) -> str:
    """A value with its 90 % interval and evidence class, in words."""
    return f"{written(value.mean, unit)} (90 %: {between(value.low, value.high, unit)}, class {value.evidence})"


def percent(share: float, sign: bool = True) -> str:
    """A share in per cent, with its sign where the sign matters.

    >>> percent(-0.056), percent(0.4312, sign=False), percent(0)
    ('−5.6 %', '43.1 %', '0 %')
    """
    text = show(abs(share) * 100, digits=3 if abs(share) >= 0.1 else 2) if abs(share) >= 5e-4 else "0"
    mark = "" if text == "0" else "−" if share < 0 else "+" if sign else ""
    return f"{mark}{text} %"


def signed(size_bytes: float | None) -> str:
    """Headroom with its sign: what is left, or what is missing.

    >>> signed(58e9), signed(-12.4e9), signed(None)
    ('+58 GB', '−12.4 GB', 'unknown')
    """
    if size_bytes is None:
        return "unknown"
    return ("+" if size_bytes > 0 else "−" if size_bytes < 0 else "") + show(abs(size_bytes), "bytes")


def rest(more: int, remark: str = "") -> str:
    """What a chart leaves out, in words."""
    return " ".join(filter(None, (f"And {more} more in the table." if more > 0 else "", remark)))


def capital(text: str) -> str:
    """A title that opens with a capital letter.

    >>> capital("rent"), capital("")
    ('Rent', '')
    """
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """A remark as a sentence.

    >>> sentence("no device sensor was read")
    'No device sensor was read.'
    """
    text = capital(text.strip())
    return text if text.endswith((".", "!", "?")) or not text else f"{text}."


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names in a sentence; beyond `most` they are counted.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c", "d"], most=2)
    ('a, b and c', 'a, b and 2 more')
    """
    shown = list(names) if len(names) <= most else [*names[:most], f"{len(names) - most} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""


def ties(found: Sequence[Option]) -> list[str]:
    """Which systems cannot be told apart, one sentence a group."""
    groups = dict.fromkeys(o.tied for o in found if o.tied)
    return [f"{listed(group)} cannot be told apart at this confidence." for group in groups]


def verdict(study: Study) -> str:
    """The sentence a report opens with: the caller's, or one that says what the results say and no more."""
    if study.verdict:
        return study.verdict
    found, metric = options(study), headline(study)
    if not found or metric is None:
        return _without_results(study)
    first = found[0]
    value = first.value(metric.name)
    if value is None:
        return f"{first.label} leads, but its {metric.title} is unknown."
    said = figure(value.mean, metric.name)
    if first.tied:
        known = [v.mean for o in found if o.label in first.tied and (v := o.value(metric.name))]
        ends = list(dict.fromkeys(figure(end, metric.name) for end in (min(known), max(known))))
        return f"{listed(first.tied, most=3)} lead together: {metric.title} about {' to '.join(ends)}."
    return f"{first.label} leads: {metric.title} {said} ({reach(value, metric.name)})."


def _without_results(study: Study) -> str:
    if study.machine is not None:
        odd = sum(not c.steady for c in study.machine.cases)
        what = f"{len(study.machine.cases)} cases measured on {study.machine.name}"
        return f"{what}; {odd} never settled." if odd else f"{what}, all of them steady."
    if study.refused:
        return f"None of the {len(study.refused)} systems asked about can hold this job."
    return "Nothing was asked of any system, so there is no verdict."
