"""The search for the achievable peak finds it in few shapes, and is fooled neither by luck nor by a wrong clock."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.measure.workloads import FOLDER, TORCH, cases, events, kit, lines, needs_torch, times

from assay.measure.workloads import gemm, gemm_operands, gemm_peak

PRETEND = FOLDER.parents[3] / "tests" / "fakes" / "pretend_cuda.py"


def tiled(cores, rows, columns, deep):
    """Rates of a device that fills its cores with tiles: ridges across M and N that follow no slope."""

    def rate(shape):
        m, n, k = shape
        tiles = math.ceil(m / rows) * math.ceil(n / columns)
        filled = tiles / cores / math.ceil(tiles / cores) * m * n / (tiles * rows * columns)
        return filled * k / (k + deep)

    return rate


def sloped(half):
    """Rates of a processor: each edge must be long, and a row of memory pages is slow."""
    return lambda s: math.prod(x / (x + half) for x in s) * (0.95 if s[1] % 1024 == 0 else 1.0)


@pytest.mark.parametrize(
    "rate", [tiled(132, 128, 256, 300), tiled(108, 128, 128, 200), tiled(304, 256, 256, 400), sloped(40), sloped(200)]
)
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_98_percent_of_the_peak_is_found_in_a_fiftieth_of_the_shapes(rate, noise):
    space = gemm_peak.Space(256, 4096)
    shapes = space.shapes()
    draw = random.Random(1)
    tried = gemm_peak.search(
        space, lambda s: rate(s) * (1 - abs(draw.gauss(0, noise))), len(shapes) // 50, lambda: True
    )
    assert len(tried) <= len(shapes) / 50
    best = max(rate(s) for s in gemm_peak.best_of(tried, 6))  # which of these it is, the last rounds tell
    assert best >= 0.98 * max(map(rate, shapes))


@given(
    st.integers(1, 300),
    st.integers(1, 12),
    st.integers(1, 90),
    st.floats(1, 1e12),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_no_shape_is_tried_twice_or_outside_the_space_or_beyond_the_number(step, edges, most, top_flop, seed, dead):
    space = gemm_peak.Space(step, step * edges, max(2 * step**3, top_flop))
    seen = []

    def rate(shape):
        seen.append(shape)
        return 0.0 if dead else random.Random(seed ^ hash(shape)).random()

    assert space.size() == len(space.shapes())
    gemm_peak.search(space, rate, most, lambda: True)
    assert 1 <= len(seen) <= most
    assert len(set(seen)) == len(seen)
    assert set(seen) <= set(space.shapes())


def test_a_search_whose_time_is_over_stops():
    left = iter([True] * 7)
    tried = gemm_peak.search(gemm_peak.Space(256, 4096), lambda s: 1.0, 81, lambda: next(left, False))
    assert len(tried) <= 7


def test_one_lucky_reading_on_a_device_does_not_make_a_winner(monkeypatch):
    good, bad = (512, 512, 512), (256, 256, 256)
    seconds = {good: 1.0, bad: 0.2}  # by FLOP/s the first is 1.6 times as fast
    turn = iter(range(100))
    bench = gemm_peak.Bench(lambda shape: None, on_host=False)
    # Once, the second seems ten times as fast as it is.
    monkeypatch.setattr(bench, "reading", lambda shape: seconds[shape] * (0.1 if next(turn) == 1 else 1.0))
    assert gemm_peak.winner([good, bad], bench, lambda: True) == good


def test_a_processor_that_others_use_is_read_until_it_was_left_alone_twice(monkeypatch):
    readings = iter([3.0, 2.0, 2.5, 4.0, 1.0, 3.0, 1.01, 9.0])
    monkeypatch.setattr(gemm_peak, "_read", lambda step, loops: next(readings))
    bench = gemm_peak.Bench(lambda shape: lambda loops: None, on_host=True)
    monkeypatch.setattr(bench, "ready", lambda shape: (None, 1))
    assert bench.rate((2, 2, 2)) == 16.0
    assert list(readings) == [9.0]


def test_a_device_that_takes_long_to_start_is_not_taken_for_slow(monkeypatch):
    bench = gemm_peak.Bench(lambda shape: None, on_host=False)
    monkeypatch.setattr(bench, "reading", lambda shape: 1e-5 + gemm_peak.flop(shape) / 1e15)
    assert gemm_peak.pace(bench, gemm_peak.Space(256, 16384)) > 0.9e15
    assert gemm_peak.pace(bench, gemm_peak.Space(256, 300)) < 1e13  # there is no larger cube to ask


def test_a_device_with_a_power_limit_is_judged_rested():
    """Its clock falls by half once it has worked for longer than half of the time; then every shape looks alike."""
    now_s, worked = [0.0], [0.0]

    def steps(shape):
        def step(loops):
            warm = worked[0] > 0.5 * now_s[0]
            took_s = loops * (2.0 if warm else 1.0) * gemm_peak.flop(shape) / 1e12
            now_s[0], worked[0] = now_s[0] + took_s, worked[0] + took_s

        return step

    def sleep(seconds):
        now_s[0] += seconds

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gemm_peak.time, "perf_counter", lambda: now_s[0])
        patch.setattr(gemm_peak.time, "sleep", sleep)
        now_s[0] = 1.0
        bench = gemm_peak.Bench(steps, on_host=False)
        rates = [bench.rate((edge,) * 3) for edge in (2048, 4096, 2048, 8192)]
    assert rates == [pytest.approx(1e12)] * 4


def test_a_rate_above_the_peak_is_refused_and_so_is_a_shape_that_cannot_be_done():
    def steps(shape):
        if shape[0] == 512:
            raise RuntimeError("not on this device")
        return lambda loops: None  # takes no time at all

    bench = gemm_peak.Bench(steps, on_host=True, peak_flop_per_s=1e9)
    assert bench.rate((256, 256, 256)) == 0.0
    assert bench.rate((512, 256, 256)) == 0.0
    assert bench.refused == [(256, 256, 256)]
    assert gemm_peak.find(bench, gemm_peak.Space(256, 512), 8, 0.1)[0] is None


@settings(max_examples=20)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 200), st.integers(0, 1 << 20))
def test_operands_outgrow_the_cache_and_products_are_never_multiplied_again(m, n, k, span):
    pool = gemm_operands.Pool(kit(numpy=np), "numpy", "fp32", "cpu")
    step = pool.step((m, n, k), span)
    before = pool.inputs.copy()
    step(5)
    pool.step((n, k, m), span // 2)(5)
    sets = max(1, -(-span // gemm_operands.moved("fp32", (m, n, k))))
    assert sets * gemm_operands.moved("fp32", (m, n, k)) >= span
    assert len(before) >= sets * (m * k + k * n)
    assert np.array_equal(before, pool.inputs[: len(before)])


def test_the_first_product_is_the_product_of_the_operands():
    pool = gemm_operands.Pool(kit(numpy=np), "numpy", "fp64", "cpu")
    pool.step((3, 5, 7))(1)
    a, b = pool.inputs[:21].reshape(3, 7), pool.inputs[128 : 128 + 35].reshape(7, 5)
    np.testing.assert_allclose(pool.outputs[:15].reshape(3, 5), a @ b)


def test_enough_shapes_are_known_for_half_to_judge_the_other_half():
    quick = [s for s in gemm.SHAPES if gemm._flop(s) <= gemm.QUICK_FLOP]
    assert len(quick) >= 16
    assert len(set(gemm.SHAPES)) == len(gemm.SHAPES)
    assert {(128,) * 3, (4096,) * 3} <= set(gemm.SHAPES)


def test_known_shapes_and_peak_are_measured_with_numpy_alone():
    wanted = ["numpy fp32 128x128x128", "numpy fp32 peak"]
    told = {"budget_s": 2.0, "cases": wanted, "options": {"step": "64", "top": "256"}, "last_cache_bytes": 1 << 20}
    said = lines("gemm", told)
    assert cases(said)["numpy fp32 128x128x128"]["flop"] == 2 * 128**3
    peak = cases(said)["numpy fp32 peak"]
    assert peak["kind"] == "peak"
    assert all(edge % 64 == 0 and edge <= 256 for edge in peak["shape"])
    assert "operands not in cache" in peak["note"]
    (fact,) = events(said, "fact")
    assert fact["name"] == "gemm_peak_fp32"
    assert fact["value"] == pytest.approx(peak["flop"] / min(times(said, "numpy fp32 peak")))


def test_without_the_search_there_is_no_peak():
    said = lines("gemm", {"cases": ["numpy fp32 128*", "numpy fp32 peak"], "options": {"peak": "off"}})
    assert all("peak" not in name for name in cases(said))
    assert events(said, "fact") == []


def test_a_peak_that_was_found_before_a_crash_is_not_searched_again():
    said = lines("gemm", {"cases": ["numpy fp?? peak"], "done": ["numpy fp32 peak"], "options": {"top": "256"}})
    assert set(cases(said)) == {"numpy fp64 peak"}


@needs_torch
def test_every_format_has_a_peak_on_a_processor_with_torch():
    told = {"budget_s": 2.0, "cases": ["* peak"], "options": {"step": "32", "top": "64"}, "last_cache_bytes": 1 << 18}
    facts = events(lines("gemm", told, command=(TORCH, str(FOLDER / "engine.py"))), "fact")
    assert {f["name"] for f in facts} == {f"gemm_peak_{d}" for d in ("fp64", "fp32", "bf16", "fp16", "int8")}


@needs_torch
def test_an_accelerator_is_asked_for_every_format_and_its_operands_rotate():
    asked = {
        "budget_s": 3.0, "cases": ["torch * 128x128x128 *", "* peak *"], "options": {"step": "32", "top": "64"},
        "device": "cuda", "peak_flop_per_s": {"fp32": 1.0},
    }  # fmt: skip
    said = lines("gemm", asked, command=(TORCH, str(PRETEND)))
    formats = {"fp64", "fp32", "tf32", "bf16", "fp16", "int8", "fp8"}
    assert {c["dtype"] for c in cases(said).values() if "peak" not in c["name"]} == formats
    assert {f["name"] for f in events(said, "fact")} == {f"gemm_peak_{d}" for d in formats - {"fp32"}}
    assert any("fp32 peak cuda:0: not found" in w["text"] for w in events(said, "warning"))
    assert [c["passed"] for c in events(said, "check")] == [False]


@needs_torch
def test_an_accelerator_says_what_its_best_shape_sustains_too():
    asked = {"cases": ["torch bf16 peak *", "torch bf16 sustained *"], "options": {"step": "32", "top": "64"}}
    said = lines("gemm", asked | {"device": "cuda"}, command=(TORCH, str(PRETEND)))
    assert {c["kind"] for c in cases(said).values()} == {"peak", "sustained"}
    assert len({tuple(c["shape"]) for c in cases(said).values()}) == 1
    assert {f["name"] for f in events(said, "fact")} == {"gemm_peak_bf16", "gemm_sustained_bf16"}


def test_the_benchmark_measures_both_in_a_small_space(capsys, monkeypatch):
    from benchmarks import gemm_search

    monkeypatch.setattr(gemm_search, "ROUNDS", 4)
    assert gemm_search.main(["--step", "32", "--top", "96", "--searches", "1", "--cache", "1"]) == 0
    out = capsys.readouterr().out
    assert "27 shapes; the search may try 1" in out
    assert "of the sweep's" in out
