"""The report of a decision as a file: nothing invented, nothing hidden, nothing from outside; the unknown says so."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report import decision_sample as sample
from tests.report.test_report import Page

from assay.assumption import Assumption
from assay.decision import Answer, Decision
from assay.report import decision_tables, render_decision, table_rows
from assay.report.decision_page import cards, spent
from assay.report.decision_words import ANSWERS, money, overturned, reach, said
from assay.report.palette import LIGHT
from assay.report.table import Table
from assay.result import Value
from assay.siting import Fit

CREATED = "2026-11-21T10:00:00+00:00"
SAMPLES: Mapping[str, Decision] = {
    "plain": sample.decision(), "hostile": sample.hostile(), "empty": sample.empty()
}  # fmt: skip


@cache
def html(name: str) -> str:
    return render_decision(SAMPLES[name], created=CREATED)


@cache
def page(name: str) -> Page:
    return Page(html(name))


def tables(decision: Decision | None = None) -> dict[str, Table]:
    return {t.id: t for t in decision_tables(decision or SAMPLES["plain"])}


def column(table: Table, key: str) -> list[str]:
    at = [c.key for c in table.columns].index(key)
    return [row[at].text for row in table.rows]


def row(table: Table, first: str) -> list[str]:
    return next([c.text for c in cells] for cells in table.rows if any(c.text == first for c in cells))


# --- the page --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_every_tag_is_closed_and_every_link_leads_somewhere(name: str) -> None:
    assert page(name).unbalanced == page(name).open == []
    ids = [attrs["id"] for _, attrs in page(name).tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for href in (attrs["href"] for tag, attrs in page(name).tags if tag == "a"):
        assert href[1:] in ids if href.startswith("#") else href.startswith("https://")


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_is_fetched_from_anywhere(name: str) -> None:
    allowed = ("#", "data:")
    for tag, attrs in page(name).tags:
        for key in ("src", "srcset", "poster", "data", "action", "xlink:href"):
            assert key not in attrs or attrs[key].startswith(allowed), (tag, attrs)
        assert tag == "a" or attrs.get("href", "#").startswith(allowed)
    assert "url(" not in page(name).text("style")
    assert "@import" not in page(name).text("style")
    policy = next(a["content"] for t, a in page(name).tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'")


def test_the_verdict_and_the_answer_stand_before_everything_else() -> None:
    head = html("plain").split("<section")[0]
    assert page("plain").text("h1").startswith("Buy 32 H100 or 32 MI300X")
    assert re.search(r'class="answer soft"><span aria-hidden="true">=</span> A tie<', head)
    for told in ("h100-colo and mi300x-colo cannot be told apart", "b200-own-room needs 28.6 kW", "day 17 of 45",
                 "$6,200 of $15,000 spent", "At this pace $16,400", "264 days old"):  # fmt: skip
        assert told in head, told


@pytest.mark.parametrize("answer", ANSWERS)
def test_each_answer_has_a_word_and_a_sign_of_its_own(answer: Answer) -> None:
    text = render_decision(replace(sample.empty(), answer=answer), created=CREATED)
    sign, badge, _ = ANSWERS[answer]
    assert f"{sign}</span> {badge}<" in text
    assert len({sign for sign, *_ in ANSWERS.values()}) == len(ANSWERS)


def test_what_would_overturn_it_is_said_in_words_with_both_numbers() -> None:
    head = html("plain").split("<section")[0].replace("\N{NO-BREAK SPACE}", " ")
    assert "If utilization falls from 70 % to 55.5 %, h100-cloud leads. That lies within its range." in head
    assert "rises from $250,000 to $372,000, h100-cloud leads. That lies outside its range." in head
    none = render_decision(replace(sample.decision(), overturns=()), created=CREATED)
    assert "Nothing was found that would" in none


def test_what_to_do_next_comes_with_its_command_its_worth_and_its_cost() -> None:
    head = html("plain").split("<section")[0]
    assert "<code>assay pilot run --stage 2 --candidate mi300x-colo</code>" in head
    assert "Knowing it is worth about $38,000. It costs about $640." in head
    assert "It decides a gate. What it costs is unknown." in head


def test_a_pilot_that_knows_nothing_is_still_a_page() -> None:
    assert page("empty").text("h1") == "Nothing was decided."
    assert "Pilot first" in html("empty")
    assert page("empty").count("figure") == page("empty").count("table") == 0
    assert cards(sample.empty()) == spent(sample.empty()) == []


def test_every_part_of_the_decision_has_its_section_and_its_link() -> None:
    ids = [
        "options",
        "performance",
        "money",
        "facility",
        "risk",
        "hybrid",
        "stages",
        "trust",
        "questions",
        "provenance",
    ]
    assert re.findall(r'<section id="([^"]+)"', html("plain")) == ids
    assert re.findall(r'<li><a href="#([^"]+)"', html("plain")) == ids


@pytest.mark.parametrize("name", ["plain", "hostile"])
def test_each_chart_is_drawn_for_both_widths_and_has_the_same_as_a_table(name: str) -> None:
    figures = re.findall(r"<figure .*?</figure>", html(name), flags=re.DOTALL)
    assert len(figures) >= 14
    for figure in figures:
        assert figure.count('role="img"') == 2
        assert re.search(r"<tbody>\s*<tr>", figure)
        assert re.search(r'aria-label="[^"]{20,}"', figure), "a chart without words for who cannot see it"


@pytest.mark.parametrize("name", ["plain", "hostile"])
def test_tables_name_their_columns_and_rows(name: str) -> None:
    found = re.findall(r"<table.*?</table>", html(name), flags=re.DOTALL)
    assert len(found) == len(decision_tables(SAMPLES[name]))
    for table in found:
        heads = len(re.findall(r'<th scope="col"', table))
        rows = re.findall(r"<tr>(.*?)</tr>", table.split("<tbody>")[1], flags=re.DOTALL)
        assert rows
        assert all(len(re.findall(r"<t[dh]\b", one)) == heads for one in rows)


def test_colours_of_charts_follow_the_theme() -> None:
    fills = set(re.findall(r"<svg viewBox.*?</svg>", html("plain"), flags=re.DOTALL))
    used = {c for svg in fills for c in re.findall(r'(?:fill|stroke)="(#[0-9a-f]{6})"', svg)}
    assert used <= set(LIGHT.values())


@pytest.mark.parametrize("name", ["hostile"])
def test_text_of_a_team_stays_text(name: str) -> None:
    assert page(name).count("script") == 2
    assert "<script>alert" not in html(name)
    assert sample.HOSTILE in page(name).text("h1")
    assert "javascript:" not in " ".join(a.get("href", "") for _, a in page(name).tags)


# --- what is unknown -------------------------------------------------------------------------------------------------


def test_an_unknown_price_is_unknown_in_every_table_and_never_zero() -> None:
    told = tables()
    assert row(told["options-table"], sample.WAFER)[3:5] == ["unknown", "unknown"]
    assert row(told["options-table"], sample.WAFER)[2] == "not ranked, unknown: price of a node"
    assert row(told["sums-table"], sample.WAFER)[1:8] == ["unknown"] * 7
    assert row(told["sums-table"], sample.WAFER)[8] == "price of a node"
    assert row(told["ranking-table"], sample.WAFER)[1] == "unknown"
    zero = [(t.id, c.key) for t in told.values() for cells in t.rows if any(one.text == sample.WAFER for one in cells)
            for c, one in zip(t.columns, cells, strict=True) if one.sort == 0 and "usd" in c.key]  # fmt: skip
    assert zero == []


def test_what_nobody_knows_says_so_wherever_it_would_stand() -> None:
    told = tables()
    assert [cells[3].text for cells in told["limits-table"].rows if cells[1].text == "floor load"] == ["unknown"] * 3
    assert column(told["phases-table"], "available_w").count("unknown") == 3
    assert row(told["cooling-table"], "immersion")[6] == "unknown"
    assert row(told["places-table"], "us-east")[3] == "unknown"
    assert "no answer" in row(told["rfp-table"], "software")
    assert "not asked" not in row(told["rfp-table"], "thermal")
    assert row(told["downtime-table"], sample.H100)[2] == "7.3 days"
    assert "Whether h100-colo fits Frankfurt colo is not proven: floor load is unknown" in html("plain")


def test_free_is_free_and_not_unknown() -> None:
    assert row(tables()["sums-table"], sample.CLOUD)[6] == "$0"
    assert money(0.0) == "$0"
    assert money(None) == "unknown"


def test_never_is_an_answer_to_when_it_pays_back() -> None:
    told = {tuple(c.text for c in cells[:2]): cells for cells in tables()["against-table"].rows}
    assert told[sample.H100, sample.MI300X][3].text == "never"
    assert told[sample.H100, sample.MI300X][5].text == "—"  # both are paid for all day: use does not enter
    assert told[sample.H100, sample.CLOUD][3].text == "34"
    assert "h100-colo pays back in month 34 against h100-cloud." in html("plain")


def test_a_risk_without_evidence_is_unknown_and_never_low() -> None:
    assert row(tables()["risk-table"], "end of life")[1:] == ["? unknown"] * 5
    shown = {c.text for cells in tables()["risk-table"].rows for c in cells[1:]}
    assert shown == {"● low", "◐ medium", "▲ high", "? unknown"}


# --- order, ties, rulings --------------------------------------------------------------------------------------------


def test_a_tie_is_marked_on_everybody_in_it_and_on_nobody_else() -> None:
    assert column(tables()["options-table"], "rank") == ["1=", "2=", "3", "—", "—"]
    assert column(tables()["options-table"], "standing")[:3] == ["tied in the lead", "tied in the lead", "place 3"]
    alone = replace(sample.decision(), ties=(), answer="choose")
    assert column(tables(alone)["options-table"], "rank")[:2] == ["1", "2"]
    assert column(tables(alone)["options-table"], "standing")[0] == "leads"
    assert 'class="tie"' not in render_decision(alone, created=CREATED)


def test_who_is_ruled_out_is_named_with_the_constraint_and_by_how_much() -> None:
    (told,) = tables()["ruled-out-table"].rows
    assert [c.text for c in told] == [
        sample.B200, "fits the site", "wants 28.6 of 11.5 kW a rack: short by 17.1 kW", "facility"
    ]  # fmt: skip
    drawn = html("plain").split('id="pareto"')[1].split("</figure>")[0].split("<details>")[0]
    assert "Not drawn, ruled out or unknown: cs3-colo and b200-own-room." in drawn


def test_a_gate_has_three_answers_each_with_a_sign() -> None:
    shown = {c.text for cells in tables()["gates-table"].rows for c in cells[2:]}
    assert shown == {"✓ pass", "? not proven"}
    failed = replace(sample.decision(), candidates=tuple(
        replace(c, gates=tuple(replace(g, proof="fail") for g in c.gates)) for c in sample.candidates()[:1]
    ))  # fmt: skip
    assert {c.text for cells in tables(failed)["gates-table"].rows for c in cells[2:]} == {"✕ fail"}
    assert column(tables(failed)["options-table"], "standing") == ["ruled out: runs, fast enough, holds for a day"]


def test_a_prediction_can_be_told_from_a_measurement_by_its_word_and_its_shape() -> None:
    assert set(column(tables()["rates-table"], "origin")) == {"measured", "published", "stated", "predicted"}
    drawn = html("plain").split('id="rate-1"')[1].split("</figure>")[0]
    for name in ("h100-colo, measured", "h100-colo, predicted", "mi300x-colo, published", "cs3-colo, stated"):
        assert f">{name}</text>" in drawn
    marks = re.findall(r'<path [^>]*d="(M[^"]*)"[^>]*><title>[^<]*?, (\w+):', drawn)
    assert {origin for _, origin in marks} == {"measured", "published", "stated", "predicted"}
    assert len({(form, origin) for form, origin in marks}) == len({form for form, _ in marks}) == 4


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_the_lines_of_a_bill_sum_to_the_year_and_the_drawn_bar_ends_there() -> None:
    table = tables()["bill-table"]
    for c in sample.candidates():
        if c.worth is not None:
            lines = [cells for cells in table.rows if cells[0].text == c.name]
            assert sum(float(cells[3].sort or 0) for cells in lines) == pytest.approx(c.worth.year_usd.mean, rel=1e-9)
            if c.worth.used_share.mean and c.name != sample.CLOUD:
                per_hour = sum(float(cells[4].sort or 0) for cells in lines)
                assert per_hour == pytest.approx(c.worth.used_usd_per_s.mean, rel=0.03)


def test_what_has_been_paid_is_the_sum_of_the_months() -> None:
    h100 = sample.candidates()[0].worth
    assert h100 is not None
    last = tables()["cumulative-table"].rows[-1]
    assert last[1].sort == pytest.approx(sum(m.net_usd for m in h100.months))
    cash = tables()["cash-table"]
    assert [c.key for c in cash.columns][:4] == [
        "month", "h100-colo capital_usd", "h100-colo running_usd", "h100-colo resale_usd"
    ]  # fmt: skip
    assert sum(float(cells[1].sort or 0) for cells in cash.rows) == pytest.approx(
        sum(m.capital_usd for m in h100.months)
    )


def test_the_curves_of_use_cross_where_the_decision_says_they_do() -> None:
    h100, cloud = sample.candidates()[0].worth, sample.candidates()[2].worth
    assert h100 is not None
    assert cloud is not None
    share = h100.against[0].breakeven_utilization
    assert share is not None
    assert h100.available_usd_per_s.mean / share == pytest.approx(cloud.used_usd_per_s.mean)
    rows = {float(cells[0].sort or 0): cells for cells in tables()["breakeven-table"].rows}
    cheaper = {u for u, cells in rows.items() if float(cells[1].sort or 0) < float(cells[3].sort or 0)}
    assert cheaper == {u for u in rows if u > share}


def test_the_tornado_says_both_ends_and_its_two_sentences() -> None:
    figure = html("plain").split('id="tornado"')[1].split("</figure>")[0]
    assert "from 40 % to 90 % used, an hour falls from $4.09 to $1.82." in figure
    assert "utilization at its low end, 40 %: $4.09/h" in figure
    widths = [float(cells[5].sort or 0) for cells in tables()["tornado-table"].rows]
    assert widths == sorted(widths, reverse=True)


def test_an_assumption_shows_range_source_date_and_whose_it_is_and_a_stale_one_is_marked() -> None:
    told = tables()["assumptions-table"]
    price = next(cells for cells in told.rows if cells[0].text == "h100-colo.price")
    assert (price[1].text, price[1].low, price[1].high) == ("$250,000", 1.9e5, 3.3e5)
    assert [c.text for c in price[2:7]] == ["this pilot", "high", "2026-03-01", "264 days, stale", "offer"]
    assert sum("stale" in cells[5].text for cells in told.rows) == 1
    life = next(cells for cells in told.rows if cells[0].text == "server life")
    assert (life[1].text, life[1].note, life[2].text) == ("5 years", "3 to 6 years", "default")


def test_the_figures_are_in_the_page_once_more_in_full() -> None:
    data = json.loads(page("plain").text("script").split('"use strict"')[0])
    first = data["decision"]["candidates"][0]
    assert data["title"] == "chat-models"
    assert first["worth"]["year_usd"]["mean"] == sample.candidates()[0].score.mean  # type: ignore[union-attr]
    assert data["decision"]["candidates"][3]["score"] is None


@given(st.floats(min_value=-1e12, max_value=1e12))
def test_money_is_said_in_three_digits_and_never_off_by_more_than_they_allow(usd: float) -> None:
    text = money(usd)
    size = float(re.sub(r"[^\d.e-]", "", text.replace("−", "")))
    size *= 1e9 if text.endswith("B") else 1e6 if text.endswith("M") else 1.0
    assert size == pytest.approx(abs(usd), rel=0.0051, abs=0.0005)
    assert ("−" in text) is (usd < 0 and size > 0) or abs(usd) < 0.0005


def test_intervals_are_said_as_from_to_with_the_unit_once() -> None:
    assert reach(1.2e6, 1.4e6, "usd") == "$1.2M to $1.4M"
    assert reach(2.03 / 3600, 2.64 / 3600, "usd_per_s") == "$2.03 to $2.64/h"
    assert said(2.34 / 3600, "usd_per_s") == "$2.34/h"
    assert overturned(sample.decision().overturns[0]).startswith("If utilization falls from 70 % to 55.5 %")


def test_an_assumption_is_said_in_the_unit_that_the_decision_gives_it() -> None:
    told = replace(
        sample.decision(), assumptions={
            "pay of an engineer": Assumption(value=36.0 / 3600, low=30.0 / 3600, high=40.0 / 3600),
            "fall of rents": Assumption(value=0.2, low=0.0, high=0.4), "PUE": Assumption(value=1.3, low=1.1, high=1.6),
        }, units={"pay of an engineer": "usd_per_s"},
    )  # fmt: skip
    assert column(tables(told)["assumptions-table"], "value") == ["$36.00/h", "20 %", "1.3"]
    assert column(tables(told)["assumptions-table"], "date") == ["undated"] * 3


def test_an_old_price_is_marked_by_the_date_that_the_decision_warns_of() -> None:
    told = replace(
        sample.decision(), warnings=("candidates[0].price_usd: a price of 2024 is older than 365 days",), assumptions={
            "price of hgx-h100": replace(assumed(), date="2024"), "life of servers": replace(assumed(), date="2024"),
            "price of mi300x-8": replace(assumed(), date="2025"),
        },
    )  # fmt: skip
    assert ["stale" in text for text in column(tables(told)["assumptions-table"], "age_s")] == [True, False, False]
    assert "Stale, to be asked again: price of hgx-h100." in render_decision(told, created=CREATED)


def assumed() -> Assumption:
    return Assumption(value=2.5e5, low=2e5, high=3e5)


# --- what is said once ------------------------------------------------------------------------------------------------


def test_what_would_overturn_it_is_said_once_though_the_reasons_say_it_too() -> None:
    more = ("If utilization were 55.5 % instead of 70 %, h100-cloud would lead.", "renting costs more")
    head = render_decision(replace(sample.decision(), reasons=more), created=CREATED).split("<section")[0]
    assert head.count("utilization") == 1
    assert "Renting costs more." in head


def test_many_warnings_stand_in_a_table_and_the_first_ones_at_the_top() -> None:
    told = replace(sample.decision(), warnings=tuple(f"sites[{i}].racks: none said" for i in range(9)))
    head = render_decision(told, created=CREATED).split("<section")[0]
    assert "<li>sites[0].racks: none said.</li>" in head
    assert "sites[4]" not in head
    assert "And 5 more, listed under" in head
    assert len(tables(told)["warnings-table"].rows) == 9


def test_those_who_never_pay_back_share_a_sentence() -> None:
    never = [replace(c, worth=replace(c.worth, against=tuple(replace(a, payback_months=None) for a in c.worth.against)))
             if c.worth else c for c in sample.candidates()]  # fmt: skip
    text = render_decision(replace(sample.decision(), candidates=tuple(never)), created=CREATED)
    assert "h100-colo and mi300x-colo never pay back within the horizon against h100-cloud." in text


def test_a_rent_that_is_paid_used_or_not_falls_with_use_like_what_is_bought() -> None:
    first, second, cloud, *others = sample.candidates()
    for elastic in (True, False):
        told = replace(sample.decision(), candidates=(first, second, replace(cloud, elastic=elastic), *others))
        rents = [cells[3].sort for cells in tables(told)["breakeven-table"].rows]
        assert (len(set(rents)) == 1) is elastic


def test_a_rented_machine_is_not_asked_whether_it_fits_its_owner_s_building() -> None:
    first, second, cloud, *others = sample.candidates()
    site = Fit(site="eu-central", nodes=4, racks=0, nodes_per_rack=0, power_w=4e4, limits=())
    told = replace(sample.decision(), candidates=(first, second, replace(cloud, fit=site), *others))
    fits = {cells[0].text: cells for cells in tables(told)["fits-table"].rows}
    assert [c.text for c in fits[sample.CLOUD][2:7]] == ["not ours to ask", "—", "4", "—", "—"]
    assert not [cells for cells in tables(told)["limits-table"].rows if cells[0].text == sample.CLOUD]


# --- CSV -------------------------------------------------------------------------------------------------------------


def test_every_table_of_the_page_can_be_written_as_csv_with_full_numbers() -> None:
    for table in decision_tables(SAMPLES["plain"]):
        rows = table_rows(table)
        assert len(rows) == len(table.rows) + 1
        assert len({len(one) for one in rows}) == 1
        assert len(set(rows[0])) == len(rows[0]), f"{table.id}: a column twice"
        written = io.StringIO()
        csv.writer(written).writerows(rows)
        assert len(list(csv.reader(io.StringIO(written.getvalue())))) == len(rows)
    options = table_rows(tables()["options-table"])
    score = sample.candidates()[0].score
    assert isinstance(score, Value)
    assert options[0][3:6] == ["score", "score_low", "score_high"]
    assert options[1][3:6] == [score.mean, score.low, score.high]
    assert options[4][3:6] == ["unknown", "", ""]


def test_no_cell_of_csv_is_a_formula() -> None:
    for table in decision_tables(SAMPLES["hostile"]):
        for cells in table_rows(table):
            assert not [c for c in cells if isinstance(c, str) and c.startswith(("=", "+", "-", "@"))]
    assert "'=1+1" in table_rows(tables(SAMPLES["hostile"])["checklist-table"])[1]


def test_a_wild_number_is_unknown_and_breaks_nothing() -> None:
    first, *others = sample.candidates()
    assert first.worth is not None
    wild = Value(mean=float("nan"), low=float("nan"), high=float("inf"), evidence="D")
    worth = replace(first.worth, year_usd=wild, used_usd_per_s=wild)
    text = render_decision(replace(sample.decision(), candidates=(replace(first, score=wild, worth=worth), *others)),
                           created=CREATED)  # fmt: skip
    table = text.split('id="options-table"')[1].split("</table>")[0]
    assert "unknown" in table
    assert "nan" not in re.sub(r"<[^>]*>", "", table)
