"""The report of a decision in a real browser: no request, no message, readable on a phone, on paper, without script."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.report import decision_sample as sample
from tests.report.browsing import Opened, needs_chromium

from assay.report import decision_tables, render_decision

if TYPE_CHECKING:
    pass

pytestmark = needs_chromium

SAMPLES = {"plain": sample.decision, "hostile": sample.hostile, "empty": sample.empty}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, found = tmp_path_factory.mktemp("decision"), {}
    for name, made in SAMPLES.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(render_decision(made(), created="2026-11-21"), encoding="utf-8")
    return found


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_never_scrolls_sideways_and_each_chart_is_seen_once(opened: Opened, name: str, width: int) -> None:
    page = opened(name, width=width, color_scheme="dark" if width == 390 else "light")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.body.scrollWidth <= innerWidth")
    seen = page.locator(".chart svg:visible")
    assert seen.count() == page.locator("figure").count()
    for i in range(seen.count()):
        box = seen.nth(i).bounding_box()
        assert box is not None
        assert box["height"] > 50
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


@pytest.mark.parametrize(("width", "kind"), [(1400, "wide"), (390, "phone")])
def test_text_in_charts_can_be_read_and_is_not_cut(opened: Opened, width: int, kind: str) -> None:
    told = opened(width=width).evaluate(
        f"""[...document.querySelectorAll('.chart.{kind} text')].map(t => {{
            const [a, b] = [t.getBoundingClientRect(), t.ownerSVGElement.getBoundingClientRect()];
            return [t.textContent, a.height, a.left - b.left, b.right - a.right]}}).filter(row => row[1])"""
    )
    assert len(told) > 150
    assert min(height for _, height, *_ in told) >= 9
    assert [row for row in told if row[2] < -2 or row[3] < -2] == []


@pytest.mark.parametrize(("width", "kind"), [(1400, "wide"), (390, "phone")])
def test_words_on_a_chart_do_not_lie_on_one_another(opened: Opened, width: int, kind: str) -> None:
    charts = opened(width=width).evaluate(
        f"""[...document.querySelectorAll('.chart.{kind} svg')].map(s => [...s.querySelectorAll('text')]
            .filter(t => t.textContent).map(t => [t.textContent, t.getBoundingClientRect()]).map(([t, r]) =>
             [t, r.left + 2, r.top + 3, r.right - 2, r.bottom - 3]))"""
    )
    met = [
        (a[0], b[0])
        for words in charts
        for i, a in enumerate(words)
        for b in words[:i]
        if a[1] < b[3] and b[1] < a[3] and a[2] < b[4] and b[2] < a[4]
    ]
    assert met == []


def test_with_javascript_off_all_is_there_but_the_tools(opened: Opened) -> None:
    page = opened(java_script_enabled=False)
    assert page.locator("table").count() == len(decision_tables(sample.decision()))
    assert page.locator("#options-table tbody tr:visible").count() == 5
    assert page.locator("button").count() == 0
    page.locator("#cumulative summary").click()
    assert page.locator("#cumulative-table tbody tr:visible").count() == 37


def test_every_table_can_be_taken_home_as_csv(opened: Opened) -> None:
    page = opened()
    assert page.get_by_role("button", name="CSV", include_hidden=True).count() == page.locator("table").count()
    panel = page.locator(".panel", has=page.locator("#options-table"))
    with page.expect_download() as waiting:
        panel.get_by_role("button", name="CSV").click()
    lines = Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("rank,candidate,standing,score,score_low,score_high,used_usd_per_s")
    assert len(lines) == 6


def test_a_mark_says_its_numbers_when_pointed_at(opened: Opened) -> None:
    page = opened()
    mark = page.locator("#ranking .wide path.m").first
    mark.scroll_into_view_if_needed()
    mark.hover()
    assert page.locator("#tip").inner_text() == "h100-colo: $459,000 ($404,000 to $514,000)"


def test_on_paper_every_fold_is_open_the_page_is_light_and_heads_are_repeated(opened: Opened) -> None:
    page = opened(color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert not page.locator("nav").is_visible()
    assert page.locator(".tools:visible").count() == 0
    assert page.locator(".chart.wide svg:visible").count() == page.locator("figure").count()
    assert page.locator("tbody tr:visible").count() == page.locator("tbody tr").count()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('.chart')).breakInside") == "avoid"
    assert page.evaluate("getComputedStyle(document.querySelector('thead')).breakInside") == "avoid"
    assert len(page.pdf(format="A4")) > 100_000


def test_text_of_a_team_runs_nothing(opened: Opened) -> None:
    page = opened("hostile")
    assert sample.HOSTILE in page.locator("h1").inner_text()
    assert page.locator("script").count() == 2
    assert page.evaluate("JSON.parse(document.getElementById('assay-data').textContent).title") == sample.HOSTILE


def test_each_control_can_be_reached_and_has_a_name(opened: Opened) -> None:
    names = opened().evaluate(
        "[...document.querySelectorAll('button, input, select, [tabindex]')]"
        ".map(e => e.getAttribute('aria-label') || e.ariaLabel || e.innerText || e.textContent)"
    )
    assert len(names) > 100
    assert all(name and name.strip() for name in names)
