"""Limits on how far each source may be off: what it was when it was best, and 15 % more; only ever tightened."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.accuracy.figures import checked, grouped, name_of, whole
from benchmarks.accuracy.words import middle

from assay.api.accuracy import Accuracy
from assay.predict.score import ln_error
from assay.published import Checked

FILE = Path(__file__).resolve().parents[2] / "tests" / "accuracy" / "limits.toml"
ROOM = 1.15
FLOOR = 0.05  # equal settings differ by as much between releases and submitters: a tighter limit would guard noise
Figures = Mapping[str, Mapping[str, float]]  # source -> figure -> value
_HEAD = """\
# How far each source of published figures may be off; `make accuracy` writes this file and never loosens a limit unless
# it is told why: median_ln and p90_ln of |ln(predicted/measured)| with the source left out, quick_ln of a few rows by
# the shipped constants. A source that is worse than its limit fails `make accuracy`, or, where published results
# are at hand, `make test` for quick_ln.
"""


def figures(found: Accuracy, quick: Iterable[Checked]) -> Figures:
    """What limits are set on, as it is now."""
    out: dict[str, dict[str, float]] = {}
    for name, mine in grouped(found.held, lambda one: name_of(one.row)).items():
        s = whole(checked(mine))
        out[name] = {"median_ln": s.median_ln, "p90_ln": s.p90_ln} if s else {}
    for name, median in quick_medians(quick).items():
        out.setdefault(name, {})["quick_ln"] = median
    return out


def quick_medians(rows: Iterable[Checked]) -> Mapping[str, float]:
    """Median |ln| of each source's few rows by the shipped constants."""
    out: dict[str, list[float]] = {}
    for row in rows:
        if row.predicted:
            out.setdefault(name_of(row.row), []).append(abs(ln_error(row)))
    return {name: middle(errors) for name, errors in out.items()}


def broken(now: Figures, limits: Mapping[str, Mapping[str, float | str]], names: Sequence[str] = ()) -> list[str]:
    """Each figure that is worse than its limit, in words."""
    out = []
    for source, mine in now.items():
        for name, value in mine.items():
            most = limits.get(source, {}).get(name)
            if isinstance(most, (int, float)) and value > most and (not names or name in names):
                out.append(f"{source}: {name} is {value:.3f}, its limit {most:g}")
    return out


def tightened(
    now: Figures, limits: Mapping[str, Mapping[str, float | str]], why: str = ""
) -> Mapping[str, Mapping[str, float | str]]:
    """The new limits: the lower of the old one and what is 15 % above the figure now; a source that is gone keeps its
    own. With a reason a figure that is beyond its limit moves it.
    """
    out: dict[str, dict[str, float | str]] = {source: dict(mine) for source, mine in limits.items()}
    for source, mine in now.items():
        have = out.setdefault(source, {})
        for name, value in mine.items():
            wanted, old = rounded(value), have.get(name)
            if not isinstance(old, (int, float)) or wanted < old:
                have[name] = wanted
            elif value > old and why:
                have[name], have["why"] = wanted, why
    return dict(sorted(out.items()))


def rounded(figure: float) -> float:
    """15 % above a figure, up to the next hundredth, and never below what repetitions differ by.

    >>> rounded(0.1), rounded(0.0)
    (0.12, 0.05)
    """
    return max(FLOOR, math.ceil(round(ROOM * figure * 100, 9)) / 100)


def read(path: Path = FILE) -> Mapping[str, Mapping[str, float | str]]:
    """The limits; none where there is no file yet."""
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(limits: Mapping[str, Mapping[str, float | str]], path: Path = FILE) -> None:
    lines = [_HEAD]
    for source, mine in limits.items():
        lines += [f"[{json.dumps(source, ensure_ascii=False)}]"]
        lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in mine.items()] + [""]
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
