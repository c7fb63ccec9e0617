"""Charts as data: what they may show, for any numbers and any names."""

from __future__ import annotations

import json
import math
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.report.axes import log_ticks, place, scale, text_width
from assay.report.palette import TOKENS, shade, text_on
from assay.report.plots import frontier, pareto
from assay.report.sections import sections
from assay.report.stacks import capacity, part_colors, used
from assay.report.study import ParityPoint, Study, options
from assay.report.svg import draw
from assay.report.text import percent
from assay.result import METRICS, MemoryPart, Part, Point, Result, Value

sys.path.insert(0, str(Path(__file__).parent))
import report_sample as sample

ANY = st.floats(allow_nan=True, allow_infinity=True)
TEXT = st.text(max_size=40)
VALUES = st.builds(Value, mean=ANY, low=ANY, high=ANY, evidence=st.sampled_from("ABCD"))
BASE = sample.result(sample.MACHINES[0])


@st.composite
def results(draw_: st.DrawFn) -> Result:
    return replace(
        BASE,
        system=replace(BASE.system, name=draw_(TEXT), vendor=draw_(TEXT)),
        values=draw_(st.dictionaries(st.sampled_from(sorted(METRICS)), VALUES, max_size=6)),
        parts=tuple(draw_(st.lists(st.builds(Part, name=TEXT, time_s=ANY, bound=TEXT), max_size=3))),
        memory=tuple(draw_(st.lists(st.builds(MemoryPart, name=TEXT, size_bytes=ANY), max_size=3))),
        roofline=tuple(draw_(st.lists(st.builds(Point, name=TEXT, flop=ANY, bytes=ANY, time_s=ANY), max_size=3))),
        sensitivity=draw_(st.dictionaries(TEXT, ANY, max_size=3)),
    )


POINTS = st.builds(
    ParityPoint, label=TEXT, group=TEXT, measured=ANY, predicted=ANY, low=ANY, high=ANY, held_out=st.booleans()
)


@settings(max_examples=60, deadline=None)
@given(
    found=st.lists(results(), max_size=4),
    parity=st.lists(POINTS, max_size=4),
    tie=st.lists(st.integers(0, 5), max_size=3),
)
def test_any_numbers_and_names_give_charts_that_are_json(
    found: list[Result], parity: list[ParityPoint], tie: list[int]
) -> None:
    study = Study(title="t", created="", results=tuple(found), parity=tuple(parity), ties=(tuple(tie),))
    for section in sections(study, options(study)):
        for figure in section.figures:
            json.dumps([figure.chart.wide, figure.chart.phone], allow_nan=False)
            assert all(len(row) == len(figure.table.columns) for row in figure.table.rows)


@settings(deadline=None)
@given(names=st.lists(TEXT, min_size=1, max_size=8))
def test_every_option_has_a_label_of_its_own(names: list[str]) -> None:
    found = tuple(replace(BASE, system=replace(BASE.system, name=n)) for n in names)
    labels = [o.label for o in options(Study(title="t", created="", results=found))]
    assert len(set(labels)) == len(names)
    assert all(label.isprintable() for label in labels)


def test_one_node_that_ties_says_nothing_of_a_cluster_of_the_same_system() -> None:
    node, cluster = BASE, replace(BASE, system=replace(BASE.system, nodes=8))
    other = replace(BASE, system=replace(BASE.system, name="other"))
    study = Study(title="t", created="", results=(node, cluster, other), ties=((0, 2),))
    assert [bool(option.tied) for option in options(study)] == [True, False, True]


@given(low=st.floats(1e-9, 1e15), factor=st.floats(1.01, 1e12), most=st.integers(2, 9))
def test_ticks_of_a_log_axis_are_few_and_inside(low: float, factor: float, most: int) -> None:
    ticks = log_ticks(low, low * factor, most)
    assert ticks == sorted(set(ticks))
    assert len(ticks) <= most
    assert all(low <= t <= low * factor for t in ticks)


@given(
    values=st.lists(st.floats(1e-12, 1e24), min_size=1),
    unit=st.sampled_from(["s", "bytes", "flop_per_s", "usd", "tokens_per_s", ""]),
)
def test_a_scale_makes_the_largest_value_readable(values: list[float], unit: str) -> None:
    told = scale(values, unit)
    assert told.factor > 0
    if unit == "flop_per_s" and max(values) >= 1:
        assert 1 <= max(values) / told.factor < 1e7


@given(
    points=st.lists(st.tuples(st.floats(0, 500), st.floats(0, 400), st.floats(1, 10)), max_size=15),
    texts=st.lists(st.text(alphabet="abcdefgh-xW", min_size=1, max_size=20), min_size=15, max_size=15),
)
def test_labels_cover_neither_each_other_nor_a_point(
    points: list[tuple[float, float, float]], texts: list[str]
) -> None:
    boxes = []
    for spot, text in zip(place(points, texts[: len(points)], (500, 400)), texts, strict=False):
        if spot is not None:
            half = text_width(text, 11) / 2
            boxes.append((spot[0] - half, spot[1] - 6.8, spot[0] + half, spot[1] + 6.8))
    marks = [(x - r, y - r, x + r, y + r) for x, y, r in points]
    for i, a in enumerate(boxes):
        assert a[0] >= 0 <= a[1]
        assert a[2] <= 500
        for b in (*boxes[:i], *marks):
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


@given(st.lists(st.tuples(st.floats(1, 9), st.floats(1, 9)), min_size=1))
def test_nothing_beats_the_frontier_and_the_rest_is_beaten(points: list[tuple[float, float]]) -> None:
    front = frontier(points)
    for i, (x, y) in enumerate(points):
        beaten = any(a <= x and b <= y and (a, b) != (x, y) for a, b in points)
        twin = any(points[j] == (x, y) for j in front)
        assert (i in front or twin) != beaten


def test_hues_follow_what_bounds_a_part() -> None:
    step = (
        Part(name="gemm", time_s=5, bound="compute"),
        Part(name="wait", time_s=1, bound="bubble"),
        Part(name="all-reduce", time_s=2, bound="network"),
        Part(name="norm", time_s=1, bound="memory"),
        Part(name="attention", time_s=2, bound="compute"),
    )
    assert part_colors([step]) == {
        "gemm": "compute-1",
        "attention": "compute-2",
        "norm": "memory-1",
        "all-reduce": "network-1",
        "wait": "wait-1",
    }


def test_a_stack_adds_up_to_the_whole_step_and_memory_to_what_is_used() -> None:
    option = options(sample.study())[0]
    section = {s.id: s for s in sections(sample.study(), options(sample.study()))}
    bars = section["steps"].figures[0].chart.wide["layer"][0]["data"]["values"]
    assert sum(b["share"] for b in bars if b["row"] == option.label) == pytest.approx(1)
    left = option.value("headroom_bytes")
    assert left is not None
    assert capacity(option) - used(option) == pytest.approx(left.mean)


def test_far_off_systems_do_not_squeeze_the_others_into_a_corner() -> None:
    chart = pareto(options(sample.study()))
    assert chart is not None
    assert "2 more lie far beyond this frame. 3 more have no known rent." in chart.caption


def test_points_outside_their_interval_differ_by_shape_and_not_by_colour_alone() -> None:
    study = sample.study()
    chart = next(f.chart for s in sections(study, options(study)) for f in s.figures if f.chart.id == "parity")
    dots = chart.wide["layer"][-1]["data"]["values"]
    assert {d["shape"] for d in dots} == {"circle", "diamond"}
    assert len({(d["shape"], d["stroke"]) for d in dots}) == 2


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    """WCAG 2.2, success criterion 1.4.3."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
def test_text_can_be_read_in_both_themes(theme: int) -> None:
    color = {name: pair[theme] for name, pair in TOKENS.items()}
    for text in ("ink", "muted", "accent", "bad", "good"):
        for ground in ("page", "surface", "soft"):
            assert contrast(color[text], color[ground]) >= 4.5, (text, ground)
    for token in (shade(hue, i) for hue in ("compute", "memory", "network", "wait") for i in range(3)):
        on = "on-dark" if text_on(token) == TOKENS["on-dark"][0] else "on-light"
        assert contrast(color[token], color[on]) >= 4.5, token


def test_each_light_colour_means_one_token() -> None:
    lights = [light for light, dark in TOKENS.values()]
    assert len(set(lights)) == len(lights)


def test_a_drawing_is_whole_xml_and_its_marks_say_their_numbers() -> None:
    study = sample.hostile()
    chart = next(f.chart for s in sections(study, options(study)) for f in s.figures if f.chart.id == "time")
    root = ET.fromstring(draw(chart.wide, sample.HOSTILE))
    titles = [t.text or "" for t in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) > 50
    assert any(sample.HOSTILE in t and "%" in t for t in titles)
    assert root.get("aria-label") == sample.HOSTILE


def test_small_shares_keep_their_sign() -> None:
    assert percent(-0.0051) == "−0.51 %"
    assert percent(0.00001) == "0 %"
    assert math.isclose(float(percent(0.125, sign=False).removesuffix(" %")), 12.5)
