"""The report as a file: verdict first, nothing from outside, nothing hidden, nothing invented."""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from assay.report import Measured, Study, render
from assay.report.palette import LIGHT
from assay.report.study import options
from assay.report.text import verdict
from assay.result import Value

sys.path.insert(0, str(Path(__file__).parent))
import report_sample as sample

EMPTY_TAGS = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What a browser would find: tags with attributes, the text of each kind of tag, and whether all tags close."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.unbalanced: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in EMPTY_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.append((self.open[-1], data))

    def text(self, tag: str) -> str:
        return "".join(t for kind, t in self.texts if kind == tag)

    def count(self, tag: str) -> int:
        return sum(t == tag for t, _ in self.tags)


@cache
def plain() -> str:
    return render(sample.study())


@cache
def page() -> Page:
    return Page(plain())


@cache
def hostile() -> str:
    return render(sample.hostile())


def test_every_tag_is_closed_in_order() -> None:
    assert page().unbalanced == []
    assert page().open == []


def test_the_verdict_stands_before_everything_else() -> None:
    study = sample.study()
    assert verdict(study) in page().text("h1")
    assert plain().index("<h1>") < plain().index("<section")


def test_nothing_is_fetched_from_anywhere() -> None:
    allowed = ("#", "data:")
    for tag, attrs in page().tags:
        for name in ("src", "srcset", "poster", "data", "action", "xlink:href"):
            assert name not in attrs or attrs[name].startswith(allowed), (tag, attrs)
        if tag != "a" and "href" in attrs:
            assert attrs["href"].startswith(allowed), (tag, attrs)
    style = page().text("style")
    assert "url(" not in style
    assert "@import" not in style


def test_links_lead_to_sections_that_exist_or_to_sources() -> None:
    ids = [attrs["id"] for _, attrs in page().tags if "id" in attrs]
    assert len(ids) == len(set(ids)), "an id twice"
    for tag, attrs in page().tags:
        if tag == "a" and attrs["href"].startswith("#"):
            assert attrs["href"][1:] in ids
        elif tag == "a":
            assert attrs["href"].startswith("https://")


def test_each_chart_is_drawn_for_both_widths_and_has_a_table() -> None:
    figures = re.findall(r"<figure .*?</figure>", plain(), flags=re.DOTALL)
    assert len(figures) == 11
    for figure in figures:
        assert figure.count('role="img"') == 2
        assert "<table" in figure
        assert re.search(r'aria-label="[^"]{20,}"', figure), "a chart without words for who cannot see it"


def test_tables_name_their_columns_and_rows() -> None:
    for table in re.findall(r"<table.*?</table>", plain(), flags=re.DOTALL):
        assert "<caption" in table
        heads = len(re.findall(r'<th scope="col"', table))
        rows = re.findall(r"<tr>(.*?)</tr>", table.split("<tbody>")[1], flags=re.DOTALL)
        assert rows
        for row in rows:
            assert len(re.findall(r"<t[dh]\b", row)) == heads
            assert row.count('scope="row"') == 1


def test_every_option_is_in_the_table_and_every_refusal_with_its_reason() -> None:
    table = plain().split('id="options-table"')[1].split("</table>")[0]
    for option in options(sample.study()):
        assert f">{option.label}<" in table
    assert "short by 12.4 GB" in plain()


def test_an_unknown_price_is_unknown_and_never_zero() -> None:
    table = plain().split('id="options-table"')[1].split("</table>")[0]
    row = next(r for r in table.split("<tr>") if "wse3-node" in r)
    assert "unknown" in row
    assert "$" not in row
    assert not re.search(r'data-v="0(\.0)?"', row)


def test_a_leader_without_a_price_says_so_in_its_key_figures() -> None:
    study = sample.study()
    dear = tuple(r for r in study.results if "rent_usd" not in r.values)
    html = render(replace(study, results=dear, ties=(), rank_by="rent_usd"))
    cards = html.split('class="cards"')[1].split("</dl>")[0]
    assert "Price" in cards
    assert "unknown" in cards


def test_a_tie_is_declared_and_shares_a_rank() -> None:
    study = sample.study()
    first = options(study)[:3]
    assert {o.rank for o in first} == {1}
    assert options(study)[3].rank == 4
    assert f"{first[0].label}, {first[1].label} and {first[2].label} cannot be told apart" in plain()
    assert plain().count(">1=<") == 3


def test_without_a_tie_one_system_leads_with_its_interval() -> None:
    study = replace(sample.study(), ties=())
    assert verdict(study).startswith("gaudi3-hlb × 4 leads: rent $63,800 ($50,200 to $81,100)")


def test_headroom_carries_its_sign() -> None:
    study = sample.study()
    first = study.results[0]
    short = Value(mean=-12.4e9, low=-14e9, high=-11e9, evidence="C")
    html = render(replace(study, results=(replace(first, values={**first.values, "headroom_bytes": short}),)))
    assert "−12.4 GB" in html
    assert "−14 GB to −11 GB" in html


def test_charts_show_the_leaders_and_say_how_many_more_there_are() -> None:
    study = sample.study(8)
    html = render(study)
    assert "And 116 more in the table." in html
    assert len(html) < 3_000_000
    assert html.split('id="options-table"')[1].split("</table>")[0].count("<tr>") == 129


def test_sources_of_a_whole_catalog_fit_in_the_file() -> None:
    facts = sample.facts()["b200"]
    many = {f"accelerator {i}": {f"{k} {j}": f for j in range(5) for k, f in facts.items()} for i in range(80)}
    html = render(replace(sample.study(), facts=many))
    assert len(html) < 3_000_000
    assert html.split('id="sources-table"')[1].count("<tr>") == 1 + 80 * 25


def test_hostile_names_stay_text_everywhere() -> None:
    found = Page(hostile())
    assert found.unbalanced == []
    assert found.count("script") == page().count("script") == 2
    known = {tag for tag, _ in page().tags}
    assert {tag for tag, _ in found.tags} <= known
    assert not any(name.startswith("on") for _, attrs in found.tags for name in attrs)
    assert sample.HOSTILE in found.text("h1")


def test_a_source_that_is_no_web_address_is_no_link() -> None:
    assert "javascript:alert(1)" in plain()
    assert not any(attrs.get("href", "").startswith("javascript") for _, attrs in page().tags)


def test_the_policy_allows_only_our_script() -> None:
    import base64
    import hashlib

    policy = next(a["content"] for t, a in page().tags if a.get("http-equiv") == "Content-Security-Policy")
    script = re.findall(r"<script>(.*?)</script>", plain(), flags=re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize("text", [plain, hostile])
def test_the_numbers_are_in_the_file_as_json(text: object) -> None:
    raw = re.findall(r'<script type="application/json" id="assay-data">(.*?)</script>', text(), flags=re.DOTALL)[0]  # type: ignore[operator]
    data = json.loads(raw)
    study = sample.study()
    assert data["schema"] == 1
    assert [o["values"].get("rent_usd", {}).get("mean") for o in data["options"]] == [
        r.values["rent_usd"].mean if "rent_usd" in r.values else None for r in study.results
    ]
    assert data["refused"][2]["system"] == sample.HOSTILE


def test_each_colour_in_a_chart_has_a_dark_twin() -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", plain(), flags=re.DOTALL))
    used = set(re.findall(r'(?:fill|stroke)="([^"]*)"', drawn)) - {"none", "transparent"}
    assert used
    assert used <= set(LIGHT.values())


def test_a_figure_that_is_no_number_is_unknown() -> None:
    study = sample.study()
    first = study.results[0]
    values = {**first.values, "rent_usd": Value(mean=math.nan, low=math.nan, high=math.inf, evidence="D")}
    odd = replace(first, values=values, parts=tuple(replace(p, time_s=math.nan) for p in first.parts))
    html = render(replace(study, results=(odd, *study.results[1:])))
    assert ">nan" not in html.lower()
    assert ">inf" not in html.lower()


def test_a_report_of_one_measured_machine_needs_no_prediction() -> None:
    html = render(Study(title="This machine", created="2026-11-24", machine=sample.machine()))
    assert "10 cases measured on 2-core cloud host; 1 never settled." in html
    assert 'id="machine"' in html
    assert 'id="options"' not in html


def test_an_empty_study_is_still_a_page_that_says_so() -> None:
    html = render(Study(title="", created=""))
    assert "there is no verdict" in html
    assert "<section" in html  # what the classes mean


def test_when_all_are_refused_the_verdict_says_none_can() -> None:
    study = sample.study()
    html = render(replace(study, results=(), ties=(), machine=None))
    assert "None of the 3 systems" in html


def test_a_machine_with_no_cases_renders() -> None:
    assert "0 cases" in render(Study(title="t", created="", machine=Measured()))
