"""`assay validate`: our predictions beside published results, by source and by accelerator, never pooled."""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.output import Row, emit, format_option, say
from assay.errors import Finding, InputError

if TYPE_CHECKING:
    from assay.predict.score import Score
    from assay.published import Checked

_SHOWN = 3  # names told of each reason


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--by", type=click.Choice(["source", "accelerator", "both"]), default="both", show_default=True,
              help="What rows are scored by.")  # fmt: skip
@click.option(
    "--worst", type=click.IntRange(min=0), default=0, metavar="N", help="Show the N predictions furthest off."
)
@click.option("--max-median", type=click.FloatRange(min=0), metavar="X",
              help="Exit 1 where a source's median |ln(predicted/measured)| is above X.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One object: rows and summary; as --format json.")
@click.option("--catalog", "folders", multiple=True, type=click.Path(), help="A folder of your own; may be repeated.")
@format_option
def validate(
    files: tuple[str, ...], by: str, worst: int, max_median: float | None, as_json: bool, folders: tuple[str, ...],
    fmt: str,
) -> None:  # fmt: skip
    """Our predictions beside published results.

    FILE is a CSV with id, source, accelerator, metric_name, metric_value and, as far as they are stated, model, plan
    and batch. What a row leaves out is filled the way a user of that system would, and said.
    """
    from assay.api import validate as check_file

    if max_median is not None and not math.isfinite(max_median):
        raise InputError(f"{max_median} is no limit", where="--max-median", hint="write a number, such as 0.3")
    rooms = [Path(folder) for folder in folders]
    checked = [row for file in files for row in check_file(Path(file), folders=rooms)]
    scores = _scores(checked, by)
    if as_json or fmt == "json":
        emit([], "json", data={"rows": [_full(row) for row in checked], "summary": _summary(checked)})
    else:
        _print(checked, scores, worst, fmt)
    _close(checked, files, worst, rooms)
    _gate(checked, max_median)


def _scores(checked: Sequence[Checked], by: str) -> dict[str, list[Score]]:
    from assay.predict.score import by_accelerator, by_source, score

    groups = {"source": by_source, "accelerator": by_accelerator}
    return {name: score(checked, group) for name, group in groups.items() if by in (name, "both")}


def _print(checked: Sequence[Checked], scores: Mapping[str, Sequence[Score]], worst: int, fmt: str) -> None:
    from assay.cli.stacked import section

    furthest = [_worst(row) for row in _furthest(checked)[:worst]]
    if fmt == "csv":  # one table: the scores, or the rows that were asked for
        numbers = [{"by": name, **_numbers(s)} for name, found in scores.items() for s in found]
        emit(furthest or numbers, fmt)
        return
    for name, found in scores.items() if any(scores.values()) else ():
        section(f"By {name}", [_words(name, s) for s in found], [name], fmt)
    if furthest:
        section("Furthest off", furthest, ["id"], fmt)


def _words(name: str, s: Score) -> Row:
    return {
        name: s.group,
        "n": s.n,
        "mean |error|": _percent(s.mean_error),
        "median |ln|": f"{s.median_ln:.2f}",
        "p90 |ln|": f"{s.p90_ln:.2f}",
        "bias": _signed(math.exp(s.bias_ln) - 1),
        "rank": "" if s.rank is None else f"{s.rank:.2f}",
        "in 90 %": _percent(s.coverage),
    }


def _numbers(s: Score) -> dict[str, object]:
    """One score under the names that programs rely on."""
    return {
        "group": s.group, "n": s.n, "mean_error": s.mean_error, "median_ln": s.median_ln,
        "p90_ln": s.p90_ln, "bias_ln": s.bias_ln, "rank": s.rank, "coverage": s.coverage,
    }  # fmt: skip


def _full(row: Checked) -> dict[str, object]:
    """A row of the JSON answer; what is not a finite number is null."""
    r = row.row
    numbers = {"measured": row.measured, "predicted": row.predicted, "low": row.low, "high": row.high}
    return {
        "id": r.id, "source": r.source, "accelerator": r.accelerator, "metric_name": r.metric_name,
        **{key: _finite(value) for key, value in numbers.items()}, "evidence": row.evidence, "skipped": row.skipped,
        "plan": row.plan, "system": row.system, "assumed": list(row.assumed),
    }  # fmt: skip


def _summary(checked: Sequence[Checked]) -> dict[str, object]:
    scores = _scores(checked, "both")
    told = sum(row.predicted is not None for row in checked)
    return {
        "n": len(checked), "predicted": told, "skipped": len(checked) - told,
        **{f"by_{name}": [
            {key: _finite(value) for key, value in _numbers(s).items()} for s in found
        ] for name, found in scores.items()},
        "skipped_by_reason": [{"reason": reason, "n": len(rows)} for reason, rows in reasons(checked)],
    }  # fmt: skip


def reasons(checked: Sequence[Checked]) -> list[tuple[str, list[Checked]]]:
    """Skipped rows by reason, most first; reasons that differ only in a name or a number are one."""
    found: dict[str, list[Checked]] = {}
    for row in checked:
        if row.skipped:
            reason = re.sub(r'"[^"]*"', "…", row.skipped.split("; did you mean")[0])
            found.setdefault(re.sub(r"\d+(\.\d+)?", "N", reason), []).append(row)
    return sorted(((_common(rows), rows) for rows in found.values()), key=lambda pair: -len(pair[1]))


def _common(rows: Sequence[Checked]) -> str:
    """The reason as one row gives it, where all give the same; else without what differs."""
    told = {row.skipped or "" for row in rows}
    if len(told) == 1:
        return told.pop()
    return re.sub(r'"[^"]*"', "…", min(told).split("; did you mean")[0])


def _furthest(checked: Sequence[Checked]) -> list[Checked]:
    from assay.predict.score import ln_error

    return sorted((row for row in checked if row.predicted), key=lambda row: -abs(ln_error(row)))


def _worst(row: Checked) -> Row:
    from assay.predict.score import ln_error

    return {
        "id": row.row.id, "model": row.row.model, "accelerator": row.row.accelerator, "metric": row.row.metric_name,
        "measured": row.measured, "predicted": row.predicted, "×": f"{math.exp(ln_error(row)):.3g}",
        "plan": row.plan, "assumed": "; ".join(row.assumed),
    }  # fmt: skip


def _close(checked: Sequence[Checked], files: Sequence[str], worst: int, folders: Sequence[Path]) -> None:
    told = sum(row.predicted is not None for row in checked)
    say(f"\n{told:,} of {len(checked):,} rows predicted, {len(checked) - told:,} skipped.")
    for reason, rows in reasons(checked):
        say(f"  {len(rows):>6,}  {reason}")
        names = Counter(row.row.accelerator if "accelerator" in reason else row.row.model for row in rows)
        if "…" in reason:
            for name, n in names.most_common(_SHOWN):
                say(f"          {n:,} × {_near(name, rows)}")
            if len(names) > _SHOWN:
                say(f"          and {len(names) - _SHOWN:,} more")
    if told:
        say("bias: median of predicted/measured, above 0 we say more · rank: order within sweeps, 1 is as measured")
        say("in 90 %: measured figures inside our 90 % interval: nine in ten should be")
        _say_seen(checked, folders)
        say(f"Next: {shlex.join(['assay', 'validate', *files])} " + ("--json" if worst else "--worst 10"))
    else:
        say("Next: assay catalog, for the accelerators that are known here")


def _say_seen(checked: Sequence[Checked], folders: Sequence[Path]) -> None:
    """How much of it our constants were fitted on: what was seen shows that formulas can say it, no more."""
    from assay.catalog.calibrations import calibrations

    known = {source for found in calibrations(folders) for source in found.sources}
    seen = sum(row.predicted is not None and row.row.source in known for row in checked)
    if seen:
        say(f"Seen: {seen:,} of these rows are of sources that our constants were fitted on; errors on other sources")
        say("are larger, and stand in docs/how-accurate.md.")


def _near(name: str, rows: Sequence[Checked]) -> str:
    """An unmatched name with what it might have meant."""
    hints = (row.skipped.partition("; ")[2] for row in rows if row.skipped and f'"{name}"' in row.skipped)
    hint = next(hints, "")
    return f'"{name}"' + (f" ({hint})" if hint else "")


def _gate(checked: Sequence[Checked], most: float | None) -> None:
    if most is None:
        return
    if not any(row.predicted for row in checked):
        raise Finding("no row was predicted, so no median can be below --max-median", hint="see above why")
    from assay.predict.score import by_source, score

    worse = [s for s in score(checked, by_source) if s.median_ln > most]
    if worse:
        told = ", ".join(f"{s.group} {s.median_ln:.2f}" for s in worse)
        raise Finding(f"median |ln(predicted/measured)| above {most:g}: {told}")


def _signed(share: float) -> str:
    told = f"{100 * share:+.0f} %".replace("-", "−")
    return "0 %" if told[1:] == "0 %" else told


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
