"""In a world whose truth is known, what is left out is really left out, and what is said of it is right."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.accuracy.figures import faster_ln, speeds
from benchmarks.accuracy.worst import mfu, sentence, worst

from assay.api import earned, learning, leaving_out
from assay.api.accuracy import Accuracy, Held, accuracy, quick, sample
from assay.api.checking import priors, shelf_of, shelves
from assay.api.placing import publisher
from assay.published import PublishedRow

from . import made_up


def one(found: Accuracy, name: str) -> Held:
    return next(held for held in found.held if held.row.id == name)


def ordinary(found: Accuracy) -> list[Held]:
    return [held for held in speeds(found) if held.row.id not in ("again", "never")]


# --- left out ------------------------------------------------------------------------------------------------------


def test_sources_that_were_left_out_are_predicted_within_a_few_percent(found: Accuracy) -> None:
    errors = [abs(faster_ln(held)) for held in ordinary(found)]
    assert np.median(errors) < 0.03
    assert max(errors) < 0.1


def test_the_shipped_constants_are_not_those_of_the_made_up_world(found: Accuracy) -> None:
    assert np.median([abs(faster_ln(held, "shipped")) for held in ordinary(found)]) > 0.05


def test_a_device_that_was_left_out_is_predicted_from_the_other_one(found: Accuracy) -> None:
    assert {held.device.evidence for held in ordinary(found)} == {"C"}
    assert {held.source.evidence for held in ordinary(found)} == {"B"}
    assert max(abs(faster_ln(held, "device")) for held in ordinary(found)) < 0.15


def test_intervals_hold_about_nine_in_ten(found: Accuracy) -> None:
    inside = [(held.source.low or 0) <= held.row.metric_value <= (held.source.high or 0) for held in speeds(found)]
    assert 0.85 <= np.mean(inside) <= 1.0


def test_who_knows_half_of_a_source_is_less_off_on_the_other_half(found: Accuracy) -> None:
    """In this world sources differ by a factor of their own, and by noise of half a per cent."""
    left_out = {held.row.id: abs(faster_ln(held)) for held in ordinary(found)}
    known = {name: abs(off) for name, off in found.familiar_ln.items() if name in left_out}
    assert len(known) == 36  # sources with six results on a device; the yardstick's tables have three
    assert np.median(list(known.values())) < 0.01
    assert np.median([left_out[name] for name in known]) > np.median(list(known.values()))


def test_what_a_source_says_does_not_touch_the_prediction_of_it(found: Accuracy, tmp_path: Path) -> None:
    """The same world, but one source says everything is three times as fast: predictions of it stay.

    Not to the last digit: a fit without it starts where the fit to everything ended, and stops where little changes.
    """
    world = made_up.write(tmp_path / "world.csv", lying="Beta lab 2024")
    after = accuracy([world])
    for held in after.held:
        if held.row.source == "Beta lab 2024":
            before = one(found, held.row.id)
            assert held.source.predicted == pytest.approx(before.source.predicted, rel=2e-2)
            assert held.publisher.predicted == pytest.approx(before.publisher.predicted, rel=2e-2)
            assert held.row.metric_value == pytest.approx(3 * before.row.metric_value, rel=1e-9)
    other = one(after, "G-h-M-64")
    assert other.source.predicted != pytest.approx(one(found, "G-h-M-64").source.predicted, rel=1e-3)


def test_all_sources_of_a_publisher_go_together(found: Accuracy) -> None:
    assert publisher("Korthikanti made up") == publisher("Narayanan made up") == "NVIDIA"
    held = one(found, "K-M")
    assert held.publisher.predicted != held.source.predicted
    alone = one(found, "G-h-M-64")
    assert alone.publisher.predicted == alone.source.predicted


def test_intervals_rest_on_the_others_residuals() -> None:
    """A group's own residuals, however large, say nothing of the interval it is given."""
    bare = shelf_of(shelves(), priors())
    rows = [
        PublishedRow(**made_up.cells(f"{source}-{i}", source, "h100-sxm", "M", global_batch=64 * i, metric_value=7e3))  # type: ignore[arg-type]
        for source in ("a", "b", "c")
        for i in (1, 2, 3, 4)
    ]
    results = [laid for row in rows if (laid := learning.learnt(row, bare))]
    known = leaving_out.teach("gpu", results, lambda words: None)
    out = leaving_out.chosen(results, leaving_out.source_of, "a")
    quiet = leaving_out.calibrations_without(known, out)
    loud = replace(known, unseen=earned.Unseen(source=np.where(out, 9.0, known.unseen.source),
                                                device=np.where(out, 9.0, known.unseen.device)))  # fmt: skip
    assert leaving_out.calibrations_without(loud, out) == quiet
    louder = replace(known, unseen=earned.Unseen(source=known.unseen.source + 9.0, device=known.unseen.device + 9.0))
    assert leaving_out.calibrations_without(louder, out) != quiet


def test_where_nothing_is_left_the_priors_stand() -> None:
    bare = shelf_of(shelves(), priors())
    laid = learning.learnt(PublishedRow(**made_up.cells("x", "a", "h100-sxm", "M", metric_value=7e3)), bare)  # type: ignore[arg-type]
    assert laid
    known = leaving_out.teach("gpu", [laid], lambda words: None)
    assert leaving_out.calibrations_without(known, np.array([True])) == priors()
    assert {found.evidence for found in priors()} == {"D"}


# --- the yardstick -------------------------------------------------------------------------------------------------


def test_a_point_is_predicted_without_any_row_of_its_model(found: Accuracy) -> None:
    assert {point.row.id for point in found.yardstick} == {f"{table}-{model}" for table in "KN" for model in "SML"}
    for point in found.yardstick:
        assert point.alone.predicted == pytest.approx(point.row.metric_value, rel=0.06)
        assert point.beside_s == pytest.approx(point.row.metric_value, rel=0.03)


# --- rows that are not as they should be ---------------------------------------------------------------------------


def test_a_figure_beyond_the_peak_is_set_aside_with_the_reason(found: Accuracy) -> None:
    told = next(row.skipped for row in found.skipped if row.row.id == "never")
    assert re.search(r"would need [\d,]+ TFLOP/s of each device; .* has [\d,]+ at most", told or "")


def test_flagged_rows_are_scored_and_teach_nothing(found: Accuracy) -> None:
    held = one(found, "tuned")
    assert held.source.predicted
    assert held not in speeds(found)
    assert found.taught == {"gpu": sum(h.facts.speed for h in found.held) - 1}
    told = next(sentence(case) for case in worst(found) if case.worst is held)
    assert "its source flags it" in told.lower()


def test_what_cannot_be_predicted_is_skipped_with_a_reason(found: Accuracy) -> None:
    told = {row.row.id: row.skipped or "" for row in found.skipped}
    assert told.keys() == {"nowhere", "minus", "A-h-S-64", "never"}
    assert told["A-h-S-64"] == "another row has its id"
    assert one(found, "A-h-S-64").row.source == "Alpha lab 2024"


def test_memory_is_scored_apart_and_has_no_step(found: Accuracy) -> None:
    held = one(found, "memory")
    assert not held.facts.speed
    assert held.terms_s == {}
    assert held.source.predicted == pytest.approx(held.row.metric_value / 1.1)


def test_the_terms_of_a_step_add_up_to_what_is_predicted(found: Accuracy) -> None:
    held = one(found, "K-L")
    assert sum(held.terms_s.values()) == pytest.approx(held.source.predicted)
    assert mfu(held)[1] == pytest.approx(mfu(held)[0] * math.exp(faster_ln(held)))


# --- equal settings ------------------------------------------------------------------------------------------------


def test_rows_that_state_the_same_have_one_setting_and_others_another(found: Accuracy) -> None:
    same = {one(found, name).facts.setting for name in ("A-h-S-64", "B-h-S-64", "G-h-S-64", "again")}
    assert len(same) == 1
    assert one(found, "A-h-S-256").facts.setting not in same
    assert one(found, "A-a-S-64").facts.setting not in same


# --- a quick look --------------------------------------------------------------------------------------------------


def test_a_quick_look_takes_evenly_from_each_source() -> None:
    rows = [PublishedRow(**made_up.cells(f"r{i}", "many" if i < 90 else "few", "h100-sxm", "S")) for i in range(95)]  # type: ignore[arg-type]
    kept = sample(rows)
    assert [row.id for row in kept if row.source == "few"] == [f"r{i}" for i in range(90, 95)]
    assert [row.id for row in kept if row.source == "many"] == [f"r{i}" for i in range(0, 90, 5)]


def test_a_quick_look_says_what_the_long_one_says(found: Accuracy, world: Path) -> None:
    for row in quick([world]):
        if row.predicted:
            assert row.predicted == one(found, row.row.id).shipped.predicted
