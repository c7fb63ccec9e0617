"""How accurate predictions are: every published row beside what is said of it by constants that never saw it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay.api.checking import Shelves, check, priors, published, shelf_of, shelves
from assay.api.familiar import familiar
from assay.api.learning import Learnt, learn, unfit
from assay.api.leaving_out import (
    Key,
    Taught,
    Tell,
    calibrations_without,
    chosen,
    device_of,
    source_of,
    teach,
)  # fmt: skip
from assay.api.placing import Facts, facts_of, publisher, terms_of
from assay.api.yardstick import Point, is_point, points
from assay.predict.score import by_source
from assay.published import Checked, PublishedRow

WAYS = ("source", "publisher", "device")  # what is left out
_SAMPLE = 20  # rows of a source that a quick look takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A published row beside four predictions of it: by what ships, and by constants and intervals earned without its
    source, its publisher, its accelerator.
    """

    facts: Facts
    shipped: Checked
    source: Checked
    publisher: Checked
    device: Checked
    terms_s: Mapping[str, float]  # of the step that `source` predicts, largest first

    @property
    def row(self) -> PublishedRow:
        """The row itself."""
        return self.shipped.row

    @property
    def failed(self) -> Checked | None:
        """The prediction that could not be made without something, though what ships makes it; None where all could."""
        return next((one for one in (self.source, self.publisher, self.device) if not one.predicted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """What was found out about our predictions of a set of published rows."""

    files: int
    held: tuple[Held, ...]
    skipped: tuple[Checked, ...]
    yardstick: tuple[Point, ...]
    taught: Mapping[str, int]  # results that teach, by architecture class
    familiar_ln: Mapping[str, float]  # ln(measured/predicted speed) of rows whose source's other half taught, by id
    thinned: int  # rows that could teach and were left out because their source has very many
    unshipped: tuple[str, ...]  # sources that the shipped constants were not fitted on, though they could be


def accuracy(paths: Sequence[Path], tell: Tell = lambda words: None) -> Accuracy:
    """Predict every row of these files, by what ships and by what ships without it."""
    known = shelves()
    rows = [row for path in paths for row in published(path)]
    tell(f"{len(rows)} rows: predicting by the shipped constants")
    shipped = [check(row, known) for row in _once(rows)]
    facts = {one.row.id: facts_of(one.row, known) for one in shipped if one.predicted}
    tell("laying out what can be learned from")
    bare = shelf_of(known, priors())  # plans that have to be guessed are guessed by nothing that was fitted
    predicted = {one.row for one in shipped if one.predicted}
    results = [one for one in learn(paths, bare) if one.row in predicted]
    classes = sorted({one.label.architecture for one in results})
    taught = {name: teach(name, [one for one in results if one.label.architecture == name], tell) for name in classes}
    tried = _held([one for one in shipped if one.predicted], facts, taught, known, tell)
    held = tuple(one for one in tried if not one.failed)
    skipped = (*(one for one in shipped if not one.predicted), *(one.failed for one in tried if one.failed))
    return Accuracy(
        files=len(paths), held=held, skipped=skipped,
        yardstick=_yardstick([one.shipped for one in held], facts, known, taught, tell),
        taught={name: len(known.results) for name, known in taught.items()},
        familiar_ln={row: off for name in classes for row, off in familiar(taught[name], tell).items()},
        thinned=_thinned(facts, shipped, results), unshipped=_unshipped(results),
    )  # fmt: skip


def _once(rows: Sequence[PublishedRow | Checked]) -> list[PublishedRow | Checked]:
    """Every row, with a reason not to predict it where its id stands for an earlier one."""
    seen, found = set[str](), list[PublishedRow | Checked]()
    for one in rows:
        row = one if isinstance(one, PublishedRow) else one.row
        found.append(Checked(row=row, skipped="another row has its id") if row.id in seen else one)
        seen.add(row.id)
    return found


def _held(
    shipped: Sequence[Checked], facts: Mapping[str, Facts], taught: Mapping[str, Taught], known: Shelves, tell: Tell
) -> tuple[Held, ...]:
    """Every row by constants that saw nothing of its group, source by source."""
    made: dict[tuple[str, bytes], Shelves] = {}
    found: dict[tuple[str, int], Checked] = {}

    def shelf(row: PublishedRow, way: str) -> Shelves:
        mine, of_result, group = facts[row.id], *_way(way, row, facts[row.id])
        have = taught.get(mine.architecture)
        out = chosen(have.results, of_result, group) if have else np.zeros(0, dtype=bool)
        place = mine.architecture, out.tobytes()
        if place not in made:
            tell(f"{mine.architecture}: predicting without {way} {group}")
            made[place] = shelf_of(known, calibrations_without(have, out) if have else priors())
        return made[place]

    def predicted(row: PublishedRow, way: str) -> Checked:
        on = shelf(row, way)
        if (row.id, id(on)) not in found:
            found[row.id, id(on)] = check(row, on)
        return found[row.id, id(on)]

    return tuple(
        Held(
            facts=facts[one.row.id], shipped=one, **{way: predicted(one.row, way) for way in WAYS},
            terms_s=terms_of(one.row, predicted(one.row, "source"), shelf(one.row, "source")),
        )
        for one in shipped
    )  # fmt: skip


def _way(way: str, row: PublishedRow, facts: Facts) -> tuple[Key, str]:
    """What is left out for a row: how results are grouped, and the row's own group."""
    return {
        "source": (source_of, row.source),
        "publisher": (lambda one: publisher(one.row.source), facts.publisher),
        "device": (device_of, facts.device),
    }[way]


def _thinned(facts: Mapping[str, Facts], shipped: Sequence[Checked], results: Sequence[Learnt]) -> int:
    kept = {one.row.id for one in results}
    return sum(
        one.row.id in facts and facts[one.row.id].speed and not unfit(one.row) and one.row.id not in kept
        for one in shipped
    )


def _unshipped(results: Sequence[Learnt]) -> tuple[str, ...]:
    from assay.catalog.calibrations import calibrations

    fitted = {source for found in calibrations() for source in found.sources}
    return tuple(sorted({one.row.source for one in results} - fitted))


def _yardstick(
    shipped: Sequence[Checked], facts: Mapping[str, Facts], known: Shelves, taught: Mapping[str, Taught], tell: Tell
) -> tuple[Point, ...]:
    rows = [one.row for one in shipped if is_point(one.row)]
    mine = {facts[row.id].architecture for row in rows} & taught.keys()
    tell(f"the yardstick: {len(rows)} points")
    return tuple(point for name in sorted(mine) for point in points(rows, facts, known, taught[name]))


def quick(paths: Iterable[Path]) -> list[Checked]:
    """Predictions by the shipped constants of a few rows of each source, evenly taken: a look of seconds."""
    known = shelves()
    rows = [row for path in paths for row in published(path) if not isinstance(row, Checked)]
    return [check(row, known) for row in sample(rows)]


def sample(rows: Sequence[PublishedRow]) -> list[PublishedRow]:
    """A few rows of each source, evenly taken; memory apart from speed."""
    names = [by_source(Checked(row=row)) for row in rows]
    many, seen, kept = Counter(names), Counter[str](), []
    for row, name in zip(rows, names, strict=True):
        if seen[name] % -(-many[name] // _SAMPLE) == 0:
            kept.append(row)
        seen[name] += 1
    return kept
