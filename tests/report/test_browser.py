"""The report in a real browser: no request, no error, charts and tables there with and without JavaScript."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.report.browsing import Opened, needs_chromium

from assay.report import render

sys.path.insert(0, str(Path(__file__).parent))
import report_sample as sample

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("report")
    found = {name: folder / f"{name}.html" for name in ("plain", "hostile", "large")}
    studies = {"plain": sample.study(), "hostile": sample.hostile(), "large": sample.study(8)}
    for name, path in found.items():
        path.write_text(render(studies[name]), encoding="utf-8")
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_charts_are_seen_once_and_the_page_never_scrolls_sideways(opened: Opened, theme: str, width: int) -> None:
    page = opened(width=width, color_scheme=theme)
    seen = page.locator(".chart svg:visible")
    assert seen.count() == page.locator("figure").count() == 11
    for i in range(11):
        box = seen.nth(i).bounding_box()
        assert box is not None
        assert box["height"] > 50
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.body.scrollWidth <= innerWidth")


def test_text_in_charts_can_be_read_on_a_phone(opened: Opened) -> None:
    page = opened(width=390)
    heights = page.evaluate(
        "[...document.querySelectorAll('.chart.phone text')].map(t => t.getBoundingClientRect().height).filter(h => h)"
    )
    assert len(heights) > 100
    assert min(heights) >= 9


def test_with_javascript_off_all_is_there_but_the_tools(opened: Opened) -> None:
    page = opened(java_script_enabled=False)
    assert page.locator(".chart svg:visible").count() == 11
    assert page.locator("table").count() == 15
    assert page.locator("#options-table tbody tr:visible").count() == 16
    assert page.locator("button").count() == 0
    page.locator("#time summary").click()
    assert page.locator("#time-table:visible").count() == 1
    told = page.locator("#time .wide .m title").first.text_content() or ""
    assert re.fullmatch(r"gaudi3-hlb × 4, matrix multiply: 26 % = 3\.73 s", told)


def test_a_column_sorts_both_ways_and_the_unknown_stays_last(opened: Opened) -> None:
    page = opened()
    head = page.locator("#options-table th[data-key=rent_usd]")
    rents = "[...document.querySelectorAll('#options-table tbody tr')].map(r => r.cells[4].dataset.v ?? null)"
    for direction in ("ascending", "descending"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == direction
        found = page.evaluate(rents)
        known = [float(v) for v in found if v is not None]
        assert known == sorted(known, reverse=direction == "descending")
        assert found[-3:] == [None, None, None]


def test_rows_are_filtered_by_words_and_by_vendor(opened: Opened) -> None:
    page = opened()
    panel = page.locator(".panel", has=page.locator("#options-table"))
    panel.locator("input").fill("MI3")
    assert page.locator("#options-table tbody tr:visible").count() == 2
    assert panel.locator(".count").inner_text() == "2 of 16 rows"
    panel.locator("input").fill("")
    panel.locator("select").select_option("Google")
    assert page.locator("#options-table tbody tr:visible").count() == 2


def test_a_long_table_opens_with_its_first_rows_and_shows_all_on_demand(opened: Opened) -> None:
    page = opened("large")
    panel = page.locator(".panel", has=page.locator("#options-table"))
    assert page.locator("#options-table tbody tr:visible").count() == 20
    panel.get_by_role("button", name="Show all 128").click()
    assert page.locator("#options-table tbody tr:visible").count() == 128


def test_csv_has_full_numbers_with_their_intervals(opened: Opened) -> None:
    page = opened()
    panel = page.locator(".panel", has=page.locator("#options-table"))
    with page.expect_download() as waiting:
        panel.get_by_role("button", name="CSV").click()
    lines = Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()
    assert waiting.value.suggested_filename == "options-table.csv"
    head = lines[0].split(",")
    assert head[:7] == ["rank", "system", "vendor", "devices", "rent_usd", "rent_usd_low", "rent_usd_high"]
    first = sample.study().results[0].values["rent_usd"]
    assert float(lines[1].split(",")[4]) == first.mean
    assert float(lines[1].split(",")[5]) == first.low
    assert len(lines) == 17


def test_csv_of_hostile_names_holds_no_formula(opened: Opened) -> None:
    page = opened("hostile")
    with page.expect_download() as waiting:
        page.locator(".panel", has=page.locator("#refused-table")).get_by_role("button", name="CSV").click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert '"<script>alert(""1"")</script>&</svg>"' in text


def test_a_mark_says_its_numbers_when_pointed_at(opened: Opened) -> None:
    page = opened()
    mark = page.locator("#ranking .wide path.m").first
    mark.scroll_into_view_if_needed()
    mark.hover()
    tip = page.locator("#tip")
    assert tip.is_visible()
    assert re.match(r"gaudi3-hlb × 4: \$63,800 \(90 %: \$50,200 to \$81,100, class C\)", tip.inner_text())
    page.mouse.move(5, 5)
    assert not tip.is_visible()


def test_a_legend_entry_brings_its_parts_forward(opened: Opened) -> None:
    page = opened()
    page.locator("#time .legend li", has_text="attention").press("Enter")
    assert page.locator("#time .wide .m.on").count() == 12
    assert page.locator("#time .chart.wide.dim").count() == 1
    page.locator("#time .legend li", has_text="attention").press("Enter")
    assert page.locator("#time .chart.dim").count() == 0


def test_the_theme_follows_the_system_until_the_reader_chooses(opened: Opened) -> None:
    page = opened(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    bar = "getComputedStyle(document.querySelector('#time .wide .m')).fill"
    dark = page.evaluate(ground), page.evaluate(bar)
    page.get_by_role("button", name="Light").click()
    light = page.evaluate(ground), page.evaluate(bar)
    assert dark[0] != light[0]
    assert dark[1] != light[1]


def test_a_hostile_name_runs_nothing(opened: Opened) -> None:
    page = opened("hostile")
    assert sample.HOSTILE in page.locator("h1").inner_text()
    assert page.locator("script").count() == 2
    assert page.locator(".chart script").count() == 0
    assert page.evaluate("JSON.parse(document.getElementById('assay-data').textContent).title") == sample.HOSTILE
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_script_that_is_not_ours_is_refused(browser: Browser, files: dict[str, Path], tmp_path: Path) -> None:
    planted = tmp_path / "planted.html"
    text = files["plain"].read_text(encoding="utf-8")
    planted.write_text(text.replace("</footer>", "</footer><script>window.planted = 1</script>"), encoding="utf-8")
    page = browser.new_page()
    page.goto(planted.as_uri())
    assert page.evaluate("window.planted") is None
    page.close()


def test_on_paper_everything_is_open_and_light(opened: Opened) -> None:
    page = opened(color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(26, 31, 38)"
    assert len(page.pdf()) > 10_000


def test_each_control_can_be_reached_and_has_a_name(opened: Opened) -> None:
    page = opened()
    names = page.evaluate(
        "[...document.querySelectorAll('button, input, select, [tabindex]')]"
        ".map(e => e.getAttribute('aria-label') || e.ariaLabel || e.innerText || e.textContent)"
    )
    assert len(names) > 50
    assert all(name and name.strip() for name in names)
