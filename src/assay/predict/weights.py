"""What matters, in a sentence: by what half and a tenth more of each lever do, and no surer than their ranges allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assay.result import Result
from assay.sweep import Effect, Gain

MATTERS = 0.05  # of a step: what costs less when it is halved hardly matters
_NOTHING = 5e-4
_FELT = 0.01  # of a step: what a tenth more has to bring to be called what matters most
_REPLANNED = 0.01  # by how much another plan has to be better to be worth a word


def sentences(result: Result, effects: Sequence[Effect], first: str = "") -> tuple[str, ...]:
    """What was asked of, what matters most, what else does, what hardly does, and what is not proven."""
    whole = f"{result.workload.name} on {result.system.nodes} × {result.system.name}"
    asked = [e for e in effects if e.lever == first]
    said = [f"{_capital(_about(e))} for {whole}: {_costs(e)}, {_brings(e.double)}" for e in asked]
    rest = [e for e in effects if e.lever != first]
    said += [*_most(result, effects, "" if asked else whole), *_rest(rest, leading(effects))]
    return tuple(f"{line}." for line in said)


def verdict(effect: Effect) -> str:
    """Whether half of it would be felt: matters, hardly matters, or not proven."""
    half = effect.half
    if half is None or half.low > MATTERS:
        return "matters"
    return "hardly matters" if half.high <= MATTERS else "not proven"


def leading(effects: Sequence[Effect]) -> list[Effect]:
    """What helps most, and all that cannot be told from it."""
    helps = sorted((e for e in effects if e.more and e.more.mean < -_NOTHING), key=lambda e: _gain(e).mean)
    return [e for e in helps if _gain(e).low <= _gain(helps[0]).high]


def percent(share: float) -> str:
    """A share in two digits.

    >>> percent(0.0213), percent(-0.087), percent(0.0001), percent(0.95)
    ('2.1', '8.7', '0', '95')
    """
    size = 100 * abs(share)
    return "0" if size < 0.05 else f"{size:.0f}" if size >= 9.95 else f"{size:.1f}".removesuffix(".0")


def _gain(effect: Effect) -> Gain:
    return effect.more or Gain(mean=0.0, low=0.0, high=0.0)


def _about(effect: Effect) -> str:
    found = verdict(effect)
    return f"{effect.title} {'may matter, which is not proven,' if found == 'not proven' else found}"


def _most(result: Result, effects: Sequence[Effect], whole: str) -> Iterator[str]:
    best = leading(effects)
    where = f" for {whole}" if whole else ""
    if not best or _gain(best[0]).mean > -_FELT:
        most = f"; 10 % more of {best[0].title} makes it {_shorter(_gain(best[0]))}" if best else ""
        yield f"No rate of the machine matters much{where}: a step is bound by {result.bound}{most}"
        return
    gains = [f"10 % more of {'it' if len(best) == 1 else e.title} makes a step {_shorter(_gain(e))}" for e in best]
    names = " or ".join(e.title for e in best)
    doubt = "" if len(best) == 1 else " (which of them is not proven)"
    yield f"{_capital(names)} matters most{where}{doubt}: {'; '.join(gains)}"


def _rest(effects: Sequence[Effect], best: Sequence[Effect]) -> Iterator[str]:
    """What else matters, what hardly does and what is not proven, each with what half of it costs."""
    texts = {"matters": "Matters too", "hardly matters": "Hardly matters", "not proven": "Not proven to matter"}
    for word, text in texts.items():
        found = [e for e in effects if verdict(e) == word and e not in best and _felt(e)]
        if found:
            yield f"{text}: " + "; ".join(f"{e.title}, {_costs(e)}" for e in found)


def _felt(effect: Effect) -> bool:
    return effect.half is None or effect.half.high > _NOTHING


def _costs(effect: Effect) -> str:
    half = effect.half
    if half is None:
        return "with half of it the job does not fit"
    if effect.unit == "bytes" and half.replanned is not None:
        return f"half of it costs {percent(max(half.replanned, 0.0))} %, with another plan"
    again = half.replanned
    better = again is not None and half.mean - again > _REPLANNED
    other = f", {percent(max(again or 0.0, 0.0))} % with another plan" if better else ""
    return f"half of it costs {percent(half.mean)} %{_span(half)}{other}"


def _brings(double: Gain | None) -> str:
    if double is None or double.mean > -_NOTHING:
        return "double of it brings nothing"
    return f"double of it makes a step {_shorter(double)}"


def _shorter(gain: Gain) -> str:
    return f"{percent(gain.mean)} % shorter{_span(gain)}"


def _span(gain: Gain) -> str:
    ends = sorted((abs(gain.low), abs(gain.high)))
    low, high = (percent(end) for end in ends)
    return "" if low == high else f" ({low}–{high} %)"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
