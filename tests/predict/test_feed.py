"""Feeding: a step takes as long as its computing or its data, whichever is longer, and says what is narrow."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.assumption import Assumption, exactly
from assay.feed import Feed, Store
from assay.plan import Plan
from assay.predict import feed as feeding
from assay.predict.answer import answer
from assay.predict.calibrated import Calibrated
from assay.predict.flow import WAITING, step_s
from assay.result import Result

from .conftest import cluster, gpu, training

PLAN = Plan(data=8, micro_batch=4)
MB = 1e6


def stated(rate: float, **changes: object) -> Store:
    values = {"name": "the storage", "stated": True, "read_bytes_per_s": rate, "write_bytes_per_s": rate}
    return Store(**(values | changes))  # type: ignore[arg-type]


def result(feed: Feed | None, nodes: int = 1, **changes: object) -> Result:
    box = cluster(nodes, gpu(host_bandwidth_bytes_per_s=25e9))
    return answer(training(feed=feed, target_tokens=1e9, **changes), box, replace(PLAN, data=8 * nodes), Calibrated())


@st.composite
def feeds(draw: st.DrawFn) -> Feed:
    """Any way that data can take."""
    size, decode = draw(st.floats(1e2, 1e8)), draw(st.floats(1e-5, 1.0))
    share = draw(st.sampled_from([0.0, 0.3, 1.0]))
    return Feed(
        sample_bytes=exactly(size), store=stated(draw(st.floats(1e6, 1e12)), read_hz=draw(st.floats(1e2, 1e7))),
        packed=draw(st.booleans()), cache=stated(draw(st.floats(1e6, 1e12)), own=True), cached=share,
        decode_s=draw(st.sampled_from([None, exactly(decode)])), cores=draw(st.sampled_from([None, 8, 128])),
        sent_bytes=draw(st.sampled_from([None, exactly(size)])),
        network_bytes_per_s=draw(st.sampled_from([None, 1e8, 1e11])),
    )  # fmt: skip


@given(feeds())
@settings(max_examples=40, deadline=None)
def test_a_step_is_the_longer_of_its_computing_and_its_data(feed):
    found, alone = result(feed), result(None)
    ways = feeding.ways(feed, found.system, found.plan)
    fed = found.workload.global_batch / min(way.samples_per_s for way in ways)
    assert found.step.mean == pytest.approx(max(alone.step.mean, fed))
    assert sum(part.time_s for part in found.parts) == pytest.approx(found.step.mean)
    assert found.step.low <= found.step.mean <= found.step.high
    waits = [part for part in found.parts if part.name == WAITING]
    assert bool(waits) == (fed > alone.step.mean)
    assert found.values["samples_per_s"].mean <= alone.values["samples_per_s"].mean * (1 + 1e-9)


FASTER = {
    "store": lambda f, k: replace(f, store=replace(f.store, read_bytes_per_s=k * f.store.read_bytes_per_s)),
    "reads": lambda f, k: replace(f, store=replace(f.store, read_hz=k * f.store.read_hz)),
    "units": lambda f, k: replace(f, store=replace(f.store, units=int(k) + 1)),
    "cache": lambda f, k: replace(f, cache=replace(f.cache, read_bytes_per_s=k * f.cache.read_bytes_per_s)),
    "cores": lambda f, k: replace(f, cores=f.cores and f.cores + int(10 * k)),
    "smaller": lambda f, k: replace(f, sample_bytes=exactly(f.sample_bytes.value / k)),
    "decode": lambda f, k: replace(f, decode_s=f.decode_s and exactly(f.decode_s.value / k)),
    "network": lambda f, k: replace(f, network_bytes_per_s=f.network_bytes_per_s and k * f.network_bytes_per_s),
}


@given(feeds(), st.sampled_from(sorted(FASTER)), st.floats(1.0, 100.0))
@settings(max_examples=60, deadline=None)
def test_feeding_faster_never_slows_a_step(feed, what, factor):
    before, after = (result(f).step for f in (feed, FASTER[what](feed, factor)))
    assert after.mean <= before.mean * (1 + 1e-12)
    assert after.low <= before.low * (1 + 1e-12)
    assert after.high <= before.high * (1 + 1e-12)


def test_what_nobody_said_changes_nothing_and_claims_nothing():
    alone, empty = result(None), result(Feed(sample_bytes=exactly(MB)))
    assert (empty.step, empty.parts, empty.bound, empty.notes) == (alone.step, alone.parts, alone.bound, ())


def test_a_wait_by_hand():
    """128 samples of 1 MB a step; storage that gives just what half of the computing speed needs, so half is wait."""
    computing = result(None).step.mean
    rate = 128 * MB / (2.0 * computing)
    found = result(Feed(sample_bytes=exactly(MB), store=stated(rate)))
    assert found.step.mean == pytest.approx(2.0 * computing)
    waits = next(part for part in found.parts if part.name == WAITING)
    assert (waits.bound, waits.time_s) == ("storage", pytest.approx(computing))
    assert found.bound == "storage (50 % of the step)"
    assert found.values["mfu"].mean == pytest.approx(result(None).values["mfu"].mean / 2)
    assert re.search(r"at full speed it needs .+, the storage gives .+: 50 % of every step waits; .+ would be enough",
                     found.notes[-1])  # fmt: skip
    assert found.sensitivity["rate of storage (data)"] == pytest.approx(-1.0)
    assert found.sensitivity["compute peak"] == 0.0


def test_a_cache_takes_its_share_of_reads_off_the_storage():
    ways = {w.name: w for w in feeding.ways(
        Feed(sample_bytes=exactly(MB), store=stated(800 * MB), cache=stated(500 * MB, own=True), cached=0.75),
        cluster(2), replace(PLAN, data=16),
    )}  # fmt: skip
    assert ways["storage"].samples_per_s == pytest.approx(800 / 0.25)
    assert ways["cache"].samples_per_s == pytest.approx(2 * 500 / 0.75)  # of two nodes


def test_what_is_in_each_node_grows_with_the_nodes_and_what_is_shared_does_not():
    for own, times in ((True, 4.0), (False, 1.0)):
        rates = [
            feeding.ways(Feed(sample_bytes=exactly(MB), store=stated(1e9, own=own)), cluster(n), PLAN)[0].samples_per_s
            for n in (1, 4)
        ]
        assert rates[1] / rates[0] == pytest.approx(times)


def test_a_sheet_is_reached_by_half_to_all_and_a_stated_rate_is_meant():
    sheet = Store(name="box", read_bytes_per_s=1e9)
    low, high = (
        feeding.ways(Feed(sample_bytes=exactly(MB), store=s), cluster(), PLAN)[0] for s in (sheet, stated(1e9))
    )
    assert low.low_samples_per_s == pytest.approx(low.samples_per_s / 2)
    assert high.low_samples_per_s == high.samples_per_s
    assert not low.sure
    assert high.sure


def test_a_wait_on_a_sheet_rests_on_the_sheet_alone():
    slow = Feed(sample_bytes=exactly(MB), store=Store(name="box", read_bytes_per_s=1e6))
    assert result(slow).evidence == "D"


def test_waiting_devices_draw_less_and_a_job_that_waits_costs_more():
    alone, slow = result(None), result(Feed(sample_bytes=exactly(MB), store=stated(30 * MB)))
    longer = slow.step.mean / alone.step.mean
    assert longer > 1.5
    assert slow.values["power_w"].mean < alone.values["power_w"].mean
    assert slow.values["energy_j"].mean == pytest.approx(
        slow.values["power_w"].mean * slow.values["time_to_train_s"].mean
    )
    assert slow.values["time_to_train_s"].mean == pytest.approx(longer * alone.values["time_to_train_s"].mean)


def test_what_is_said_and_cannot_be_counted_is_said_to_be_unknown():
    feed = Feed(sample_bytes=exactly(MB), store=Store(name="box"), decode_s=exactly(0.01))
    notes = result(feed).notes
    assert any("how fast 1 × box reads is unknown" in note for note in notes)
    assert any("decoding is not counted" in note for note in notes)


def test_the_remedy_is_enough():
    slow = Feed(
        sample_bytes=exactly(MB), store=Store(name="box", read_bytes_per_s=10 * MB), decode_s=exactly(0.1), cores=2
    )
    note = result(slow).notes[-1]
    cores, units = (
        int(re.findall(rf"([\d,]+) {word}", note)[-1].replace(",", "")) for word in ("cores a node", "× box")
    )
    enough = replace(slow, store=replace(slow.store, units=units), cores=cores)
    assert result(enough).step.mean == pytest.approx(result(None).step.mean)
    assert "data keep up" in result(enough).notes[-1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"sample_bytes": exactly(0.0)}, "more than 0 bytes"), ({"cached": 1.2, "cache": stated(1e9)}, "0 to 100 %"),
     ({"cached": 0.5}, "which cache"), ({"cores": 0}, "cores"), ({"network_bytes_per_s": 0.0}, "above 0")],
)  # fmt: skip
def test_a_feed_that_cannot_be_is_never_made(changes, says):
    with pytest.raises(ValueError, match=says):
        Feed(**({"sample_bytes": exactly(MB)} | changes))


@given(feeds())
@settings(max_examples=20, deadline=None)
def test_the_short_way_to_a_steps_time_is_the_long_one(feed):
    found = result(feed)
    assert step_s(found.workload, found.system, found.plan, Calibrated().constants) == pytest.approx(found.step.mean)


def test_uncertain_samples_make_an_uncertain_step():
    size = Assumption(value=MB, low=0.5 * MB, high=2 * MB)
    found = result(Feed(sample_bytes=size, store=stated(MB)))
    assert found.step.high == pytest.approx(2 * found.step.mean)
    assert found.step.low == pytest.approx(0.5 * found.step.mean)
