"""A gate says pass, fail or not proven; a prediction never passes a gate that asks for a measurement, nor fails it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.decide.gates import Witness, rule, rulings, stage_of
from assay.pilot import Candidate, Gate, Pilot, Work

FAST = Gate(name="fast", stage=2, metric="tokens_per_s", at_least="100 k tokens/s")
SEEN = Witness(
    candidate="a", workload="w", metric="tokens_per_s", value=120e3, low=110e3, high=130e3, stage=2, duration_s=600.0,
    at="2026-11-27", source="run 1234",
)  # fmt: skip
positive = st.floats(1e3, 1e6)


def proof(gate: Gate, *witnesses: Witness) -> str:
    return rule(gate, witnesses, "a", "w").proof


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [(110e3, 130e3, "pass"), (100e3, 130e3, "pass"), (90e3, 130e3, "not proven"), (80e3, 99e3, "fail")],
)
def test_to_be_sure_takes_the_whole_interval(low, high, wanted):
    assert proof(FAST, replace(SEEN, value=(low + high) / 2, low=low, high=high)) == wanted


def test_a_limit_from_above_is_the_mirror_of_one_from_below():
    slow = Gate(name="even", stage=2, metric="tail_ratio", at_most=2)
    one = replace(SEEN, metric="tail_ratio", value=1.5, low=1.4, high=1.6)
    assert proof(slow, one) == "pass"
    assert proof(slow, replace(one, value=2.2, low=2.1, high=2.3)) == "fail"
    assert proof(slow, replace(one, value=2.0, low=1.9, high=2.1)) == "not proven"


def test_between_two_limits_both_count():
    both = Gate(name="between", stage=2, metric="tail_ratio", at_least=1, at_most=2, quantile="typical")
    one = replace(SEEN, metric="tail_ratio", low=None, high=None)
    assert [proof(both, replace(one, value=v)) for v in (0.5, 1.0, 1.5, 2.0, 2.5)] == [
        "fail",
        "pass",
        "pass",
        "pass",
        "fail",
    ]


@given(value=positive, low=positive, high=positive)
def test_a_prediction_neither_passes_nor_fails_a_measured_gate(value, low, high):
    low, value, high = sorted((value, low, high))
    guess = replace(SEEN, value=value, low=low, high=high, origin="predicted", stage=None)
    assert proof(FAST, guess) == "not proven"
    assert "only predicted; it has to be measured" in rule(FAST, [guess], "a", "w").text


@given(value=positive, low=positive, high=positive)
def test_what_is_surely_so_is_typically_so(value, low, high):
    low, value, high = sorted((value, low, high))
    one = replace(SEEN, value=value, low=low, high=high)
    sure, typical = proof(FAST, one), proof(replace(FAST, quantile="typical"), one)
    assert typical in ("pass", "fail")
    assert sure in (typical, "not proven")


def test_what_was_measured_stands_above_what_was_predicted():
    either = replace(FAST, accepts=("measured", "predicted"))
    guess = replace(SEEN, value=200e3, low=190e3, high=210e3, origin="predicted", stage=None)
    slow = replace(SEEN, value=50e3, low=49e3, high=51e3)
    assert proof(either, guess) == "pass"
    assert proof(either, guess, slow) == "fail"


def test_the_latest_measurement_counts():
    before = replace(SEEN, value=50e3, low=49e3, high=51e3, at="2026-11-26")
    assert proof(FAST, SEEN, before) == proof(FAST, before, SEEN) == "pass"
    assert proof(FAST, SEEN, replace(before, at="2026-11-28")) == "fail"


def test_a_run_that_was_too_short_proves_nothing():
    long = replace(FAST, least_s=3600.0)
    assert proof(long, SEEN) == "not proven"
    assert "10 min" in rule(long, [SEEN], "a", "w").text
    assert proof(long, replace(SEEN, duration_s=3600.0)) == "pass"
    assert proof(long, SEEN, replace(SEEN, duration_s=4000.0, at="2026-11-20")) == "pass"


def test_a_tail_has_to_be_seen():
    gate = Gate(name="in time", stage=2, metric="ttft_s", at_most="2 s", quantile="p99")
    one = replace(SEEN, metric="ttft_s", value=0.5, low=0.4, high=0.6)
    assert proof(gate, one) == "not proven"
    assert proof(gate, replace(one, p99=1.9)) == "pass"
    assert proof(gate, replace(one, p99=2.1)) == "fail"
    assert proof(replace(gate, accepts=("published",)), replace(one, p99=1.0, origin="published")) == "not proven"


def test_a_figure_of_too_few_samples_is_typical_and_not_sure():
    few = replace(SEEN, low=None, high=None)
    assert proof(FAST, few) == "not proven"
    assert proof(replace(FAST, quantile="typical"), few) == "pass"


def test_a_small_trial_shows_that_it_runs_and_not_how_fast():
    assert proof(FAST, replace(SEEN, whole=False)) == "not proven"
    share = Gate(name="scales", stage=2, metric="scaling_efficiency", at_least="80 %")
    scaled = replace(SEEN, metric="scaling_efficiency", value=0.9, low=0.85, high=0.95, whole=False)
    assert proof(share, scaled) == "pass"
    assert "90 %" in rule(share, [scaled], "a", "w").text


def test_a_later_stage_speaks_for_an_earlier_one_and_never_the_other_way():
    later = replace(SEEN, stage=3, value=50e3, low=49e3, high=51e3, at="2026-11-28")
    assert proof(FAST, later) == "fail"
    early = replace(SEEN, stage=1)
    assert proof(FAST, early) == "not proven"
    assert "of stage 1; a run of stage 2 is wanted" in rule(FAST, [early], "a", "w").text


def test_nobody_has_measured_anything_yet():
    found = rule(FAST, [replace(SEEN, candidate="b")], "a", "w")
    assert (found.proof, found.found) == ("not proven", None)
    assert found.text == 'no figure for "tokens/s" yet: it has to be measured'


def test_every_gate_is_asked_of_those_it_is_meant_for():
    runs = Gate(name="runs", stage=1, metric="completed", at_least=1)
    told = Pilot(
        name="p", question="?", starts="2026-12-01", workloads=(Work(name="v"), Work(name="w")),
        candidates=(Candidate(name="a", system="hgx-h100"),),
        gates=(replace(FAST, workload="w", candidates=("b",)), runs),
    )  # fmt: skip
    done = replace(SEEN, metric="completed", value=1.0, low=1.0, high=1.0, stage=1)
    found = rulings(told, [done], "a")
    assert [(one.name, one.proof) for one in found] == [("runs (v)", "not proven"), ("runs (w)", "pass")]
    assert [one.name for one in rulings(told, [], "b")] == ["runs (v)", "runs (w)", "fast"]


def test_a_stage_is_passed_by_all_of_its_gates_and_failed_by_one():
    def of(*proofs):
        one = rule(FAST, [SEEN], "a", "w")
        return stage_of([replace(one, proof=p) for p in proofs], 2)

    assert of("pass", "pass") == "pass"
    assert of("pass", "not proven") == "not proven"
    assert of("not proven", "fail", "pass") == "fail"
    assert of() == "not proven"


def test_how_long_it_was_watched_is_said_where_it_has_to_last_and_its_gate_is_named_where_it_stands_alone():
    steady = Gate(name="stays as fast", stage=3, metric="slowdown", at_most="5 %", quantile="typical")
    brief = replace(SEEN, metric="slowdown", value=0.0505, low=None, high=None, stage=3, duration_s=47.6)
    found = rule(steady, [brief], "a", "w")
    assert found.reason == "Stage 3, stays as fast: measured 5.05 % in 47.6 s; at most 5 % is wanted"
    assert " in " not in rule(FAST, [SEEN], "a", "w").text


def test_of_a_rate_the_lower_tail_counts_and_between_two_limits_both():
    most = replace(FAST, quantile="p99")
    assert proof(most, replace(SEEN, p99=200e3)) == "not proven"  # the upper tail says nothing of it
    assert proof(most, replace(SEEN, p01=101e3)) == "pass"
    found = rule(most, [replace(SEEN, p01=90e3, p99=200e3)], "a", "w")
    assert (found.proof, found.text) == (
        "fail",
        "measured 1st percentile 90 ktokens/s; at least 100 ktokens/s is wanted",
    )
    both = replace(FAST, at_most="150 k tokens/s", quantile="p90")
    assert proof(both, replace(SEEN, p10=110e3, p90=140e3)) == "pass"
    assert proof(both, replace(SEEN, p10=90e3, p90=140e3)) == "fail"
    found = rule(both, [replace(SEEN, p10=110e3, p90=160e3)], "a", "w")
    assert found.proof == "fail"
    assert found.text.startswith("measured 10th to 90th percentile 110 ktokens/s (110 ktokens/s to 160 ktokens/s); ")


@given(value=positive, tail=positive, limit=positive)
def test_a_tail_passes_or_fails_and_leaves_nothing_open(value, tail, limit):
    gate = Gate(name="g", stage=2, metric="tokens_per_s", at_least=f"{limit!r} tokens/s", quantile="p90")
    assert proof(gate, replace(SEEN, value=value, p10=tail)) == ("pass" if tail >= limit else "fail")
