"""The pages of a run in a real browser: no request, no message, readable on a phone, in the dark, without script."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.report import run_sample as sample
from tests.report.browsing import Opened, needs_chromium

from assay.report import render_run

if TYPE_CHECKING:
    pass

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, found = tmp_path_factory.mktemp("run"), {}
    for name, study in sample.studies():
        found[name] = folder / f"{name}.html"
        found[name].write_text(render_run(study), encoding="utf-8")
    return found


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("name", [*sample.SAMPLES, "hostile"])
def test_a_page_never_scrolls_sideways_and_each_chart_is_seen_once(opened: Opened, name: str, width: int) -> None:
    page = opened(name, width=width, color_scheme="dark" if width == 390 else "light")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.body.scrollWidth <= innerWidth")
    seen = page.locator("figure > .chart svg:visible")
    assert seen.count() == page.locator("figure").count() > 0
    for i in range(seen.count()):
        box = seen.nth(i).bounding_box()
        assert box is not None
        assert box["height"] > 50
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


@pytest.mark.parametrize("name", [*sample.SAMPLES, "hostile"])
def test_text_in_charts_can_be_read_on_a_phone_and_is_not_cut(opened: Opened, name: str) -> None:
    page = opened(name, width=390)
    told = page.evaluate(
        """[...document.querySelectorAll('figure > .chart.phone text')].map(t => {
            const [a, b] = [t.getBoundingClientRect(), t.ownerSVGElement.getBoundingClientRect()];
            return [t.textContent, a.height, a.left - b.left, b.right - a.right]}).filter(row => row[1])"""
    )
    assert len(told) >= 6
    assert min(height for _, height, *_ in told) >= 9
    if name != "hostile":  # a name of that sort may be cut
        assert [row for row in told if row[2] < -2 or row[3] < -2] == []


def test_words_on_a_chart_over_time_do_not_lie_on_one_another(opened: Opened) -> None:
    for width, kind in ((1400, "wide"), (390, "phone")):
        page = opened("train", width=width)
        boxes = page.evaluate(
            f"""[...document.querySelectorAll('figure > .chart.{kind} svg')].map(s => [...s.querySelectorAll('text')]
                .map(t => [t.textContent, t.getBoundingClientRect()]).map(([t, r]) =>
                 [t, r.left + 1, r.top + 3, r.right - 1, r.bottom - 3]))"""
        )
        for texts in boxes:
            for i, (a, *p) in enumerate(texts):
                for b, *q in texts[:i]:
                    apart = p[0] >= q[2] or q[0] >= p[2] or p[1] >= q[3] or q[1] >= p[3]
                    assert apart, (width, a, b)


def test_with_javascript_off_all_is_there_but_the_tools(opened: Opened) -> None:
    page = opened("train", java_script_enabled=False)
    for key in ("figures-table", "troubles-table", "energy-table", "waste-table", "events-table"):
        assert page.locator(f"#{key} tbody tr:visible").count() > 0, key
    for key in ("split", "steps-time", "usage", "utilization", "beside"):
        assert page.locator(f"#{key} .wide svg:visible").count() == 1, key
        page.locator(f"#{key} > details > summary").first.click()
        assert page.locator(f"#{key}-table tbody tr:visible").count() > 0, key
    assert page.locator("button").count() == 0


def test_single_devices_are_shown_on_demand(opened: Opened) -> None:
    page = opened("train")
    each = page.locator("#power .each")
    assert not each.locator("svg:visible").count()
    each.locator("summary").click()
    assert each.locator("svg:visible").count() == 1
    assert each.locator("tbody tr:visible").count() == 8


def test_a_moment_says_its_numbers_when_pointed_at(opened: Opened) -> None:
    page = opened("train")
    strip = page.locator("#power .wide path.m").nth(13)
    strip.scroll_into_view_if_needed()
    box = strip.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 9, box["y"] + 70)  # below the curves
    tip = page.locator("#tip")
    assert tip.is_visible()
    assert tip.inner_text().startswith("0:32:30 to 0:35:00: power ")
    assert "W" in tip.inner_text()


def test_where_a_trouble_was_its_name_is_said(opened: Opened) -> None:
    page = opened("train")
    told = page.evaluate("[...document.querySelectorAll('#power .wide .m')].map(m => m.dataset.tip)")
    assert any("core clock" in text and "· 2 thermal throttle" in text for text in told)
    assert any(text.startswith("0:45:00 to 0:47:30: busy no reading") for text in page.evaluate(
        "[...document.querySelectorAll('#utilization .wide .m')].map(m => m.dataset.tip)"))  # fmt: skip


def test_figures_sort_and_come_as_csv_with_full_numbers(opened: Opened) -> None:
    page = opened("train")
    panel = page.locator(".panel", has=page.locator("#figures-table"))
    page.locator("#figures-table th[data-key=spread] button").click()
    spread = page.evaluate("[...document.querySelectorAll('#figures-table tbody tr')].map(r => +r.cells[4].dataset.v)")
    assert spread == sorted(spread)
    with page.expect_download() as waiting:
        panel.get_by_role("button", name="CSV").click()
    lines = Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0].split(",")[:4] == ["figure", "value", "value_low", "value_high"]
    assert len(lines) == 1 + len(sample.train().figures)


def test_the_dark_theme_reaches_the_curves(opened: Opened) -> None:
    page = opened("train", color_scheme="dark")
    stroke = "getComputedStyle(document.querySelector('#utilization .wide path[stroke]')).stroke"
    dark = page.evaluate(stroke)
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(stroke) != dark


def test_a_partial_run_says_so_on_the_first_screen_of_a_phone(opened: Opened) -> None:
    page = opened("partial", width=390)
    box = page.locator(".partial").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 400


def test_a_hostile_name_runs_nothing(opened: Opened) -> None:
    page = opened("hostile")
    assert sample.HOSTILE in page.locator("h1").inner_text()
    assert page.locator("script").count() == 2
    assert page.locator(".chart script").count() == 0
    assert page.evaluate("JSON.parse(document.getElementById('assay-data').textContent).title") == sample.HOSTILE


def test_on_paper_everything_is_open_and_light(opened: Opened) -> None:
    page = opened("train", color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert len(page.pdf()) > 10_000


def test_each_control_can_be_reached_and_has_a_name(opened: Opened) -> None:
    page = opened("train")
    names = page.evaluate(
        "[...document.querySelectorAll('button, input, select, [tabindex]')]"
        ".map(e => e.getAttribute('aria-label') || e.ariaLabel || e.innerText || e.textContent)"
    )
    assert len(names) > 50
    assert all(name and name.strip() for name in names)
