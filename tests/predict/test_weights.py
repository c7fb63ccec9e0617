"""Weighing in words: nothing is said more surely than its range allows."""

from __future__ import annotations

from assay.plan import Plan
from assay.predict.answer import answer
from assay.predict.calibrated import Calibrated
from assay.predict.weights import leading, percent, sentences, verdict
from assay.sweep import Effect, Gain

from .conftest import cluster, training


def effect(name: str, half: tuple[float, float, float], more: tuple[float, float, float]) -> Effect:
    cost, gain = (Gain(mean=m, low=low, high=high) for low, m, high in (half, more))
    return Effect(lever=name, title=f"the {name}", unit="bytes_per_s", value=1e9, half=cost, more=gain, double=gain)


LITTLE = effect("link", (0.00, 0.02, 0.04), (-0.002, -0.001, 0.0))
MUCH = effect("memory", (0.4, 0.5, 0.6), (-0.06, -0.05, -0.04))
AS_MUCH = effect("peak", (0.3, 0.4, 0.5), (-0.05, -0.04, -0.03))
UNSURE = effect("bus", (0.01, 0.04, 0.20), (-0.02, -0.01, 0.0))


def test_what_spans_the_threshold_is_not_proven():
    assert [verdict(e) for e in (LITTLE, MUCH, UNSURE)] == ["hardly matters", "matters", "not proven"]


def test_what_cannot_be_told_from_the_first_leads_with_it():
    assert [e.lever for e in leading([LITTLE, MUCH, UNSURE])] == ["memory"]
    assert [e.lever for e in leading([LITTLE, MUCH, AS_MUCH])] == ["memory", "peak"]


def test_the_sentence():
    result = answer(training(), cluster(2), Plan(data=16, micro_batch=4), Calibrated())
    asked = sentences(result, [MUCH, UNSURE, LITTLE], "link")
    assert asked[0].startswith("The link hardly matters for job on 2 × box: half of it costs 2 % (0–4 %)")
    assert asked[1] == "The memory matters most: 10 % more of it makes a step 5 % shorter (4–6 %)."
    assert asked[2] == "Not proven to matter: the bus, half of it costs 4 % (1–20 %)."
    assert "which of them is not proven" in sentences(result, [MUCH, AS_MUCH])[0]
    assert sentences(result, [LITTLE])[0].startswith("No rate of the machine matters much for job on 2 × box")


def test_percents_have_two_digits():
    assert [percent(x) for x in (0.5, 0.099, 0.0123, 0.0004, -0.1)] == ["50", "9.9", "1.2", "0", "10"]
