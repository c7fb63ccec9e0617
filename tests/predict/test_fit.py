"""Fitting: constants that made the data are found again, two points help, and one liar does not mislead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.calibration import Constants
from assay.errors import InputError
from assay.plan import Plan
from assay.predict import trial
from assay.predict.fit import SHARES, SPEED, Fit, Level, Observations, constants_of, fit, moved, spread_ln
from assay.predict.ops import Array

from .conftest import cluster, gpt, training

TRUE = Constants(matmul=0.6, memory=0.65, launch_s=30e-6)
FREE = {"matmul": 0.7, "memory": 0.7, "launch_s": 1.0}
SETTINGS = [(512, 1), (512, 4), (1024, 1), (2048, 2), (4096, 1), (4096, 4), (256, 1), (8192, 2)]


@dataclass(frozen=True)
class Seen:
    """One figure that somebody measured: by which constants, on what, and how wrong they were."""

    hidden: int
    batch: int
    true: Constants = TRUE
    lie: float = 0.0
    device: str = "chip"
    source: str = ""


ALL = [Seen(h, b) for h, b in SETTINGS]


def laid(seen: Sequence[Seen]) -> trial.Rows:
    rows = []
    for one in seen:
        job = training(gpt(layers=8, hidden=one.hidden, heads=one.hidden // 64), global_batch=8 * one.batch)
        rows.append(trial.row(job, cluster(), Plan(data=8, micro_batch=one.batch)))
    return trial.side_by_side(rows)


def columns(constants: Sequence[Constants]) -> Constants:
    return Constants(**{f.name: np.array([getattr(c, f.name) for c in constants]) for f in fields(Constants)})


def observations(seen: Sequence[Seen]) -> Observations:
    rows = laid(seen)
    measured = np.log(trial.step_seconds(rows, columns([one.true for one in seen])))
    return Observations(
        ln_measured=measured + np.array([one.lie for one in seen]),
        ln_predicted=lambda c: np.log(trial.step_seconds(rows, c)), start=columns([Constants()] * len(seen)),
        sources=[one.source or str(i) for i, one in enumerate(seen)],
    )  # fmt: skip


def everyone(seen: Sequence[Seen], free: Mapping[str, float] = FREE) -> Level:
    return Level(name="class", groups=["gpu"] * len(seen), free=free)


def each_device(seen: Sequence[Seen], free: Mapping[str, float]) -> Level:
    return Level(name="device", groups=[one.device for one in seen], free=free)


def of_class(found: Fit) -> Constants:
    return constants_of(Constants(), found, {"class": "gpu"})


def off(seen: Seen, constants: Constants) -> float:
    """|ln(measured/predicted)| of one figure."""
    one = observations([seen])
    return abs(float((one.ln_measured - one.ln_predicted(columns([constants])))[0]))


# --- what it finds --------------------------------------------------------------------------------------------------


def test_the_constants_behind_the_data_are_found_again():
    found = fit(observations(ALL), [everyone(ALL)])
    assert of_class(found).matmul == pytest.approx(TRUE.matmul, rel=0.05)
    assert of_class(found).launch_s == pytest.approx(TRUE.launch_s, rel=0.1)
    assert np.max(np.abs(found.residuals)) < 0.05
    assert found.at_edge == ()


def test_two_points_halve_the_error_of_an_unseen_third():
    two, unseen = [Seen(2048, 2), Seen(4096, 4)], Seen(8192, 2)
    found = fit(observations(two), [everyone(two)])
    assert off(unseen, of_class(found)) < off(unseen, Constants()) / 2


def test_one_liar_among_eight_hardly_moves_the_rest():
    lying = [replace(one, lie=1.0 if i == 3 else 0.0) for i, one in enumerate(ALL)]
    honest, misled = (fit(observations(seen), [everyone(seen)]) for seen in (ALL, lying))
    assert np.max(np.abs(np.delete(misled.residuals - honest.residuals, 3))) < 0.1
    assert misled.residuals[3] > 0.8


def test_a_device_gets_its_own_constant_and_a_lone_result_stays_near_its_class():
    slow = replace(TRUE, matmul=0.4)
    many = [*ALL, *(replace(one, device="slow", true=slow) for one in ALL)]
    lone = [*ALL, Seen(4096, 4, device="slow", true=slow)]

    def both(seen: Sequence[Seen]) -> tuple[float, float]:
        found = fit(observations(seen), [everyone(seen), each_device(seen, {"matmul": 0.1})])
        groups = ({"class": "gpu", "device": name} for name in ("chip", "slow"))
        chip, own = (constants_of(Constants(), found, names).matmul for names in groups)
        return chip, own

    chip, own = both(many)
    assert own < 0.8 * chip
    chip, alone = both(lone)
    assert own < alone < chip


def test_what_a_sources_software_does_is_no_constant_of_its_machine():
    """A source whose steps all take a fifth longer than another's teaches its own speed, not a slower chip."""
    seen = [replace(one, lie=lie, source=who) for who, lie in (("us", 0.0), ("them", 0.2)) for one in ALL]
    software = Level(name="software", groups=[one.source for one in seen], free={SPEED: 1.0})
    found = fit(observations(seen), [everyone(seen), software])
    speed = {who: found.offsets["software", who, SPEED] for who in ("us", "them")}
    assert speed["them"] - speed["us"] == pytest.approx(0.2, abs=0.03)
    assert found.residuals[len(ALL) :] - found.residuals[: len(ALL)] == pytest.approx(0.2, abs=1e-9)
    assert constants_of(Constants(), found, {"class": "gpu", "software": "them"}) == of_class(found)


def test_more_results_narrow_what_is_known_of_a_constant_and_it_never_widens():
    few, many = (fit(observations(seen), [everyone(seen)]).information for seen in (ALL[:2], ALL))
    name = ("class", "gpu", "matmul")
    assert 0.0 < few[name] < many[name] < 1.0
    assert all(0.0 <= known <= 1.0 for known in many.values())


def test_a_source_with_very_many_results_shouts_no_other_down():
    """Sixty results of one source weigh as ten do: three of another are still heard."""
    slow = replace(TRUE, matmul=0.4)
    loud = [Seen(4096, 4, source="loud", true=TRUE)] * 60
    quiet = [Seen(4096, 4, source="quiet", true=slow)] * 3
    as_one = [*loud, *(replace(one, source="loud") for one in quiet)]
    apart = [*loud, *quiet]
    together, heard = (of_class(fit(observations(seen), [everyone(seen)])).matmul for seen in (as_one, apart))
    assert heard < together


def test_a_guess_far_from_it_ends_at_the_same_constants():
    cold = fit(observations(ALL), [everyone(ALL)])
    far = replace(cold, offsets={name: offset + 1.0 for name, offset in cold.offsets.items()})
    again = fit(observations(ALL), [everyone(ALL)], guess=far)
    assert of_class(again).matmul == pytest.approx(of_class(cold).matmul, rel=0.01)


# --- what it never does ---------------------------------------------------------------------------------------------


@given(st.sampled_from(sorted(SHARES)), st.floats(-50, 50))
def test_a_share_never_leaves_0_to_1_however_far_it_is_moved(name, offset):
    assert 0.0 <= getattr(moved(Constants(), {name: offset}), name) <= 1.0


@given(st.sampled_from(sorted({f.name for f in fields(Constants)} - SHARES)), st.floats(-20, 20))
def test_any_other_constant_stays_above_nothing(name, offset):
    start, found = getattr(Constants(), name), getattr(moved(Constants(), {name: offset}), name)
    assert found == pytest.approx(start * np.exp(offset))
    assert found > 0


@given(st.sampled_from(sorted(f.name for f in fields(Constants))), st.floats(-2, 2), st.floats(-2, 2))
def test_offsets_of_two_levels_add_up(name, one, two):
    twice = moved(moved(Constants(), {name: one}), {name: two})
    assert getattr(twice, name) == pytest.approx(getattr(moved(Constants(), {name: one + two}), name))


def test_a_share_that_ends_at_its_limit_is_told():
    """Steps of half the time that the best matrix unit allows: something is missing in the formulas."""
    large = [Seen(8192, 2, true=replace(TRUE, matmul=1.0), lie=-0.5)] * 8
    found = fit(observations(large), [everyone(large, {"matmul": 5.0})])
    assert found.at_edge == ("gpu: matmul",)
    assert of_class(found).matmul < 1.0


def test_nothing_to_fit_on_and_unknown_names_are_refused():
    nothing = replace(observations(ALL[:1]), ln_measured=np.zeros(0), sources=())
    with pytest.raises(InputError, match="nothing to fit"):
        fit(nothing, [everyone([])])
    with pytest.raises(InputError, match='"matmull" is not a constant'):
        fit(observations(ALL[:1]), [everyone(ALL[:1], {"matmull": 0.1})])


# --- how far off it is ----------------------------------------------------------------------------------------------


def test_few_residuals_give_a_wider_spread_than_many_of_the_same_size():
    few, many = np.linspace(0.01, 0.1, 5), np.linspace(0.01, 0.1, 500)
    assert spread_ln(few) > spread_ln(many)
    assert np.mean(np.abs(many) <= spread_ln(many)) >= 0.9


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=60), st.floats(0.5, 0.95))
def test_a_spread_holds_the_share_it_promises(residuals, coverage):
    found: Array = np.array(residuals)
    assert np.mean(np.abs(found) <= spread_ln(found, coverage)) >= coverage
    assert spread_ln(-found, coverage) == spread_ln(found, coverage)
