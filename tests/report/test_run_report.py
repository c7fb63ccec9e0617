"""The pages of a run as a file: verdict first, nothing left out, nothing invented, a gap is a gap."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report import run_sample as sample
from tests.report.test_report import Page

from assay.metrics import known
from assay.observed import Observation, Usage, Window
from assay.report import RunStudy, render_run, sensors
from assay.report.buckets import MOST, coarse, curve, fold, readings
from assay.report.clock import clock, ticks
from assay.report.palette import LIGHT
from assay.report.panes import DASHES, round_ticks
from assay.report.run_sections import run_sections
from assay.report.run_tables import events_table, figures_table, troubles_table, written
from assay.report.run_text import said
from assay.report.sections import Figure
from assay.report.strips import strips
from assay.report.timelines import timelines
from assay.run import Case, Run
from assay.series import Series, series

NAMES = [*sample.SAMPLES, "hostile"]


@cache
def study(name: str) -> RunStudy:
    return (sample.SAMPLES | {"hostile": sample.hostile})[name]()


@cache
def html(name: str) -> str:
    return render_run(study(name))


@cache
def page(name: str) -> Page:
    return Page(html(name))


def table(text: str, key: str) -> str:
    return text.split(f'id="{key}"')[1].split("</table>", maxsplit=1)[0]


def bare(**more: Any) -> RunStudy:
    """A run that said nothing."""
    run = Run(id="", name="job", command=("job",), started="", duration_s=0.0, environment={}, **more)
    return RunStudy(title="job", created="", run=run, observation=Observation(verdict=""))


def layers(found: Figure, *, phone: bool = False) -> list[dict[str, Any]]:
    return list((found.chart.phone if phone else found.chart.wide)["layer"])


# --- the page --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_tag_is_closed_and_no_id_stands_twice(name: str) -> None:
    assert page(name).unbalanced == page(name).open == []
    ids = [attrs["id"] for _, attrs in page(name).tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert all(a["href"][1:] in ids for tag, a in page(name).tags if tag == "a")


@pytest.mark.parametrize("name", NAMES)
def test_the_verdict_stands_before_everything_else(name: str) -> None:
    told = study(name).observation.verdict
    if told != "nothing stands out":
        assert told.lower().rstrip(".") in page(name).text("h1").lower()
    assert html(name).index("<h1>") < html(name).index("<section")


def test_where_nothing_stands_out_the_first_figure_does() -> None:
    assert page("blind").text("h1") == "Step time 250 ms. Nothing stands out, but no device sensor was read."
    assert page("gemm").text("h1").startswith("Fastest int8 5")


def test_of_moved_bytes_the_largest_size_is_the_key_figure_and_not_what_fits_a_cache() -> None:
    rows = [(Case(name=f"{kind} {size:g}", kind=kind, size_bytes=size), size / rate)
            for kind in ("copy", "triad") for size, rate in ((2e5, 70e9), (3e7, 11e9), (4e7, 10e9))]  # fmt: skip
    found, _ = sample.sampled(rows, {})
    told = sample.whole(sample.made("membw", "assay measure membw", found, cases=tuple(c for c, _ in rows)))
    assert Page(render_run(told)).text("h1").startswith("Copy 10 GB/s")


def test_a_partial_run_says_so_before_its_verdict() -> None:
    text = html("partial")
    first = text.index("Killed by signal 9 (out of memory?), after 10.8 s.")
    assert text.index('class="verdict"') < first < text.index("<h1>")
    assert page("partial").text("h1") == "Cut short. Step time 1.9 s (never settled) until then."
    assert "CUDA out of memory" in text[: text.index("<section")]
    assert 'class="partial"' not in html("blind")


def test_a_run_that_said_nothing_is_still_a_page() -> None:
    text = render_run(bare(partial=True))
    assert "Cut short before anything was measured." in text
    assert "Its end was not seen" in text
    assert "No device sensor was read" in text
    assert "Nothing stood out" in text


def test_what_was_run_when_and_on_what_stands_at_the_top() -> None:
    head = html("train").split("</header>")[0]
    for told in ("torchrun --nproc-per-node 4", "2026-11-26 21:30 UTC", "2:00:00", "gpu-node-17", "8 × H100 SXM5 80GB",
                 "5f3a-train", "1f5a0c7be2d9", "exit code 0", "contended: others used 3.1", "XID 94"):  # fmt: skip
        assert told in head, told


def test_nothing_is_fetched_from_anywhere() -> None:
    for tag, attrs in page("hostile").tags:
        for key in ("src", "srcset", "poster", "data", "action", "xlink:href"):
            assert key not in attrs or attrs[key].startswith(("#", "data:")), (tag, attrs)
    assert "url(" not in page("train").text("style")


def test_hostile_names_stay_text_everywhere() -> None:
    assert page("hostile").count("script") == page("train").count("script") == 2
    assert {tag for tag, _ in page("hostile").tags} <= {tag for tag, _ in (*page("train").tags, *page("partial").tags)}
    assert not any(key.startswith("on") for _, attrs in page("hostile").tags for key in attrs)
    assert sample.HOSTILE in page("hostile").text("h1")


@pytest.mark.parametrize("name", NAMES)
def test_each_chart_is_drawn_for_both_widths_and_has_a_table_and_words(name: str) -> None:
    figures = re.findall(r"<figure .*?</figure>", html(name), flags=re.DOTALL)
    assert figures
    for found in figures:
        drawn = found.count('role="img"')
        assert drawn == 2 * found.count("<table")
        assert len(re.findall(r'role="img" aria-label="[^"]{20,}"', found)) == drawn


@pytest.mark.parametrize("name", NAMES)
def test_each_colour_in_a_chart_has_a_dark_twin(name: str) -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", html(name), flags=re.DOTALL))
    used = set(re.findall(r'(?:fill|stroke)="([^"]*)"', drawn)) - {"none", "transparent"}
    assert used <= set(LIGHT.values())


# --- every figure ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_of_the_study_is_in_the_page(name: str) -> None:
    found = table(html(name), "figures-table")
    for f in study(name).figures:
        assert f'data-v="{f.value}"' in found
        assert f">{f.metric.name}<" in found
        if f.low is not None and f.low != f.high:
            assert f'data-lo="{f.low}" data-hi="{f.high}"' in found
    assert found.count("<tr>") == 1 + len(study(name).figures)


def test_utilization_energy_and_waste_are_there_for_each_device() -> None:
    seen, text = study("train").observation, html("train")
    for one in seen.usage:
        assert all(
            f'data-v="{getattr(one, key)}"' in table(text, "usage-table") for key in ("busy", "matrix", "power_w")
        )
    for drawn in seen.energy:
        assert f'data-v="{drawn.energy_j}"' in table(text, "energy-table")
    assert all(lost.formula in table(text, "waste-table") for lost in seen.waste)
    assert table(text, "energy-table").count("its counter") == len(seen.energy) == 9


def test_what_no_sensor_tells_is_not_zero() -> None:
    one = Usage(device="npu0", window=Window(begin_s=0, end_s=10), busy=0.0, coverage=1.0)
    row = table(render_run(replace(bare(), observation=Observation(verdict="", usage=(one,)))), "usage-table")
    assert row.count("no sensor") == 5  # cores, matrix units, memory, power, memory peak
    assert row.count("unknown") == 3  # working, stalled, MFU
    assert row.count('data-v="0.0"') == 1  # busy was read, and it was 0


def test_troubles_come_in_the_order_of_their_cost_and_bear_the_numbers_of_the_charts() -> None:
    rows = troubles_table(study("train")).rows
    assert [row[0].text for row in rows] == [str(i) for i in range(1, len(rows) + 1)]
    lost = [float(row[3].sort or 0.0) for row in rows]
    assert lost == sorted(lost, reverse=True)
    kinds = {row[1].text for row in rows}
    assert {"straggler", "thermal throttle", "gap"} <= kinds
    svg = html("train").split('id="steps-time"')[1].split("</figure>")[0]
    assert "1 straggler" in svg
    assert "2 thermal throttle" in svg


def test_a_run_without_troubles_says_that_nothing_stood_out() -> None:
    assert "Nothing stood out" in html("blind")
    assert 'id="troubles-table"' not in html("blind")


def test_the_five_parts_of_every_rank_sum_to_its_wall_time() -> None:
    chart = next(f.chart for s in run_sections(study("train")) for f in s.figures if f.chart.id == "split")
    bars = next(one["data"]["values"] for one in chart.wide["layer"] if one["mark"]["type"] == "bar")
    for row in ("all ranks", "rank 0", "rank 3"):
        assert sum(bar["share"] for bar in bars if bar["row"] == row) == pytest.approx(1.0, abs=1e-6)


def test_a_prediction_that_missed_differs_by_shape_and_by_word() -> None:
    assert table(html("train"), "beside-table").count(">yes<") == 3
    assert table(html("train"), "beside-table").count(">no<") == 1
    chart = next(f.chart for s in run_sections(study("train")) for f in s.figures if f.chart.id == "beside")
    shapes = {d["row"]: d["shape"] for one in chart.wide["layer"] for d in one["data"]["values"] if "shape" in d}
    assert shapes == {"Step time": "circle", "Tokens/s": "circle", "MFU": "diamond", "Peak memory": "circle"}


def test_a_load_beyond_what_a_server_can_do_is_seen_in_its_goodput() -> None:
    found = table(html("serve"), "goodput-table")
    rows = {row.split("</th>")[0].rpartition(">")[2]: row for row in found.split("<tr>")[2:]}
    assert 'class="num bad"' in rows["rate 12 poisson"]
    assert "bad" not in rows["rate 8 poisson"]
    assert "time to first token 500 ms" in html("serve")
    latency = html("serve").split('id="latency-ttft"')[1].split("</figure>")[0]
    assert "rate 12 poisson: p99 time to first token" in latency
    assert "client floor" not in latency.split("<details>")[0]  # in the table, not on the axis of the others


def test_without_a_service_level_no_goodput_is_claimed() -> None:
    base = study("serve")
    text = render_run(replace(base, run=replace(base.run, settings={})))
    assert table(text, "goodput-table").count("no level was asked for") == 6
    assert "goodput" not in text.split('class="cards')[1].split("</dl>")[0].split('title="')[0].lower()
    assert "met every level" not in text.split("</header>")[0]


def test_events_settings_and_environment_are_there_and_what_was_not_captured() -> None:
    text = html("train")
    assert events_table(study("train"), study("train").run.events).rows[-1][3].text == "device 6"
    assert "XID 94: contained ECC error" in table(text, "events-table")
    assert ">8192<" in table(text, "settings-table")
    assert ">2.16 TB<" in table(text, "environment-table")
    assert table(text, "packages-table").count("<tr>") == 121
    assert "power cap: permission denied" in table(text, "absent-table")
    assert "governor: not told" in table(text, "absent-table")


def test_a_number_beyond_any_float_is_shown_by_its_digits() -> None:
    assert written("key", int("12" * 200)) == "121212121212… (400 digits)"
    assert written("size_bytes", -int("12" * 200)).endswith("… (400 digits)")


@pytest.mark.parametrize("name", NAMES)
def test_the_figures_are_in_the_file_as_json(name: str) -> None:
    raw = re.findall(r'<script type="application/json" id="assay-data">(.*?)</script>', html(name), flags=re.DOTALL)[0]
    data = json.loads(raw)
    assert data["run"] == study(name).run.id
    assert [f["value"] for f in data["figures"]] == [f.value for f in study(name).figures]
    assert len(data["observation"]["troubles"]) == len(study(name).observation.troubles)
    assert data["command"] == list(study(name).run.command)


def test_a_figure_that_is_no_number_is_said_to_be_none() -> None:
    base = study("blind")
    odd = replace(base.figures[0], value=math.nan, low=math.nan, high=math.inf)
    text = render_run(replace(base, figures=(odd, *base.figures[1:])))
    assert "no number" in table(text, "figures-table")
    assert ">nan" not in text.lower()


def test_a_loss_that_is_no_number_leaves_the_rest_of_its_curve() -> None:
    at = np.arange(1.0, 101.0)
    loss = np.where(at > 50, math.nan, 10 / at)
    found = strips(replace(bare(), run=replace(bare().run, series=(series("", "loss", at, loss),), duration_s=100.0)))
    dots = next(one for one in layers(found[0]) if one["mark"]["type"] == "point")
    assert len(dots["data"]["values"]) == 50


# --- over time -------------------------------------------------------------------------------------------------------

VALUES = st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=300)


@given(values=VALUES, period=st.floats(1e-3, 1e3), most=st.integers(1, 64))
def test_a_spike_survives_however_few_points_are_drawn(values: list[float], period: float, most: int) -> None:
    at = period * np.arange(len(values))
    found = curve(series("", "loss", at, values), float(at[-1]) or 1.0, most)
    assert found is not None
    assert len(found) <= most + 1
    for one in (found, coarse(found, 3)):
        assert one.low.min() == min(values)
        assert one.high.max() == max(values)
        assert (one.low <= one.mid + 1e-6).all()
        assert (one.mid <= one.high + 1e-6).all()
        assert (np.diff(one.at_s) > 0).all()


@settings(deadline=None)
@given(
    before=st.integers(2, 400), after=st.integers(2, 400), away=st.floats(3.01, 500.0), period=st.floats(0.01, 100.0)
)
def test_no_line_is_drawn_across_a_gap_that_can_be_seen(before: int, after: int, away: float, period: float) -> None:
    at = period * np.concatenate([np.arange(before), before - 1 + away + np.arange(after)])
    one = series("d", "accel.power_w", at, np.full(len(at), 300.0))
    run = Run(id="", name="", command=(), started="", duration_s=float(at[-1]), environment={})
    told = RunStudy(title="", created="", run=run, observation=Observation(verdict=""), telemetry=(one,))
    begin, end = (period * (before - 1) / at[-1], period * (before - 1 + away) / at[-1])
    (figure,) = timelines(told)
    for phone, points in ((False, MOST), (True, MOST / 3)):
        if (end - begin) * points <= 1:  # half a point of the page is the least that can be seen; a phone's are wider
            continue
        for one_layer in layers(figure, phone=phone):
            if one_layer["mark"]["type"] == "line":
                wide = (figure.chart.phone if phone else figure.chart.wide)["width"]
                for a, b in pairwise(one_layer["data"]["values"]):
                    middle = (begin + end) / 2 * wide
                    assert a["part"] != b["part"] or not a["x"] < middle < b["x"]


def test_the_sampler_was_away_and_no_chart_of_its_readings_hides_it() -> None:
    length = study("train").length_s
    for figure in timelines(study("train")):
        wide = figure.chart.wide["width"]
        begin, end = (moment / length * wide for moment in sample.AWAY)
        for one in layers(figure):
            told = one["mark"].get("strokeDash") == list(DASHES[3])  # a limit, which is said twice in a run
            if one["mark"]["type"] in ("line", "area") and not told:
                for a, b in pairwise(one["data"]["values"]):
                    assert a["part"] != b["part"] or b["x"] <= begin + 3 or a["x"] >= end - 3
        assert "Grey: " in figure.chart.caption


def test_gaps_too_short_to_be_seen_are_counted() -> None:
    at = np.arange(0.0, 86400.0)
    at = at[(at % 21600 < 100) | (at % 21600 > 110)]
    found = curve(series("d", "accel.busy", at, np.full(len(at), 0.5)), 86400.0)
    assert found is not None
    assert found.short_gaps == 4
    assert found.joined[:-1].all()


@given(steps=st.lists(st.floats(0.0, 1e9), min_size=3, max_size=100), reset=st.integers(1, 98))
def test_a_counter_is_shown_as_its_rate_and_a_reset_is_left_out(steps: list[float], reset: int) -> None:
    count = np.cumsum(steps)
    if reset < len(count) - 1:
        count[reset:] -= count[reset]
    _, rate, _ = readings(series("d", "link.fabric.rx_bytes", 2.0 * np.arange(len(count)), count))
    assert (rate >= 0).all()
    assert len(rate) >= len(count) - 2
    assert rate.max(initial=0.0) <= max(steps) / 2 + 1.0


def test_a_sentinel_does_not_flatten_the_curve_and_is_counted() -> None:
    value = np.full(1000, 300.0)
    value[500] = 9.2e18
    value[600] = math.nan
    found = curve(series("d", "accel.power_w", np.arange(1000.0), value), 1000.0)
    assert found is not None
    assert found.high.max() == 300.0
    assert found.left_out == 2


def test_a_stall_a_thousand_times_a_step_is_no_fault_of_a_sensor() -> None:
    value = np.full(1000, 0.3)
    value[500] = 400.0
    found = curve(series("", "step_s", np.arange(1000.0), value), 1000.0)
    assert found is not None
    assert found.high.max() == 400.0


def test_of_many_devices_the_one_that_differs_is_drawn_and_three_lines_at_most() -> None:
    at = np.arange(0.0, 400.0)
    level = {f"device {i}": np.full(400, 0.9) + 0.001 * i for i in range(64)}
    level["device 17"] = np.full(400, 0.3)
    found = fold({n: c for n, v in level.items() if (c := curve(series(n, "accel.busy", at, v), 400.0)) is not None})
    assert found.odd == ("device 17",)
    assert found.middle.low.min() == 0.3
    for figure in timelines(study("train")):
        panes = max(1, sum(one["mark"].get("fontWeight") == 600 for one in layers(figure)))
        lines = sum(one["mark"]["type"] == "line" and one["mark"]["strokeWidth"] > 1.5 for one in layers(figure))
        assert lines <= 3 * panes
    power = next(f for f in timelines(study("train")) if f.chart.id == "power")
    assert next(key.text for key in power.chart.keys if key.shape == "dashed") == "device 3"
    assert power.each is not None
    assert len(power.each.table.rows) == 8


def test_of_many_ranks_those_that_differ_are_drawn_and_the_table_has_all() -> None:
    base = study("train")
    whole = base.observation.split
    assert whole is not None
    ranks = dict.fromkeys(range(64), whole) | {
        41: replace(whole, input_s=whole.input_s + 900.0, other_s=whole.other_s + 50.0)
    }
    section = next(s for s in run_sections(replace(base, ranks=ranks)) if s.id == "split-time")
    drawn = {d["row"] for one in section.figures[0].chart.wide["layer"] for d in one["data"]["values"]}
    assert {"all ranks", "rank 41"} <= drawn
    assert len(drawn) == 17
    assert len(section.figures[0].table.rows) == 65
    assert "48 more are in the table" in section.figures[0].chart.caption


def test_colour_is_never_alone_in_telling_lines_apart() -> None:
    for name in ("train", "serve", "collective", "gemm"):
        for section in run_sections(study(name)):
            for figure in section.figures:
                keys = [(key.token, key.shape) for key in figure.chart.keys if key.shape not in ("square", "haze")]
                shapes = {shape for _, shape in keys}
                tokens = {token for token, _ in keys}
                assert len(shapes) >= min(len(tokens), 3), (figure.chart.id, keys)


def test_all_charts_over_time_are_aligned() -> None:
    figures = [*strips(study("train")), *timelines(study("train"))]
    assert len(figures) == 8
    for phone in (False, True):
        specs = [f.chart.phone if phone else f.chart.wide for f in figures]
        assert len({(s["padding"]["left"], s["width"]) for s in specs}) == 1
        assert all("time since the run began (h:min:s)" in json.dumps(s) for s in specs)


def test_warm_up_median_and_tails_are_marked_on_the_time_of_each_step() -> None:
    first = strips(study("train"))[0].chart
    words = [d["text"] for one in first.wide["layer"] for d in one["data"]["values"] if "text" in d]
    assert "warm-up" in words
    told = next(f for f in study("train").figures if f.metric.name == "step_s")
    assert f"median {said(told.value, 'step_s')}" in words
    assert f"p99 {said(told.p99, 'step_s')}" in words
    assert "input wait (s)" in words


def test_a_fast_and_a_slow_sample_of_a_short_run_are_both_written_out() -> None:
    found = strips(study("partial"))[0].table
    assert found.caption.endswith("sample by sample")
    assert [row[3].text for row in found.rows] == ["1.9 s", "2.1 s", "1.9 s", "2.2 s", "1.9 s"]


def test_all_sensors_that_are_drawn_are_metrics_and_one_that_is_loaded_is_drawn() -> None:
    assert set(sensors()) <= set(known())
    assert "accel.matrix.active" in sensors()


@given(length=st.floats(0.01, 1e8), most=st.integers(2, 12))
def test_moments_on_an_axis_are_few_round_and_inside(length: float, most: int) -> None:
    found = ticks(length, most)
    assert 1 <= len(found) <= most + 1
    assert found[0][0] == 0
    assert all(at <= length * (1 + 1e-6) for at, _ in found)
    assert len({text for _, text in found}) == len(found)
    assert all(re.fullmatch(r"\d+:[0-5]\d:[0-5]\d(\.\d)?", text) for _, text in found)


@given(st.floats(0, 1e7))
def test_a_moment_never_has_sixty_seconds(at: float) -> None:
    assert re.fullmatch(r"\d+:[0-5]\d:[0-5]\d", clock(at))


@given(low=st.floats(-1e12, 1e12), share=st.floats(1e-3, 1e6))
def test_an_axis_has_a_few_round_values_inside_it(low: float, share: float) -> None:
    size = share * max(abs(low), 1e-6)
    found = round_ticks(low, low + size)
    assert 1 <= len(found) <= 5
    assert all(low - 1e-3 * size <= tick <= low + 1.001 * size for tick in found)


ANY = st.floats(allow_nan=True, allow_infinity=True)
TEXT = st.text(max_size=30)


@st.composite
def anything(draw: st.DrawFn, names: tuple[str, ...]) -> Series:
    n = draw(st.integers(0, 12))
    whole = st.integers(-(10**15), 10**18)  # a store keeps whole microseconds
    at_s = [us / 1e6 for us in draw(st.lists(whole, min_size=n, max_size=n))]
    value = draw(st.lists(ANY, min_size=n, max_size=n))
    return series(draw(TEXT), draw(st.sampled_from(names)), at_s, value, rank=draw(st.integers(0, 3)))


@settings(max_examples=60, deadline=None)
@given(
    stream=st.lists(anything(("step_s", "loss", "ttft_s", "input_wait_s", "memory_resident_bytes")), max_size=4),
    read=st.lists(anything(sensors()), max_size=6), kind=st.sampled_from(["step", "request", "matmul", ""]),
    duration=st.floats(0, 1e6),
)  # fmt: skip
def test_any_numbers_and_names_give_charts_that_are_json(
    stream: list[Series], read: list[Series], kind: str, duration: float
) -> None:
    cases = tuple(Case(name=s.of, kind=kind) for s in stream)
    run = replace(bare().run, series=tuple(stream), cases=cases, duration_s=duration)
    for section in run_sections(replace(bare(), run=run, telemetry=tuple(read))):
        for figure in section.figures:
            json.dumps([figure.chart.wide, figure.chart.phone], allow_nan=False)
        for found in (*section.tables, *(f.table for f in section.figures)):
            assert all(len(row) == len(found.columns) for row in found.rows)


def test_figures_table_names_the_case_where_there_are_several() -> None:
    assert figures_table(study("serve").figures).columns[0].key == "case"
    assert figures_table(study("blind").figures).columns[0].key == "figure"


def test_a_day_of_eight_devices_and_twenty_metrics_is_a_file_that_can_be_sent() -> None:
    told = sample.day()
    assert sum(map(len, told.telemetry)) >= 13.8e6 - 1e6
    text = render_run(told)
    assert len(text) < 3_000_000
    assert "24:00:00" in text


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_small_enough_to_be_sent(name: str) -> None:
    assert len(html(name)) < 1_500_000
