"""What a pilot cannot say: what cannot be, is yet to come, or is not there; each told with its line."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from assay import pilot as nouns
from assay.api.pilot_bounds import BOUNDS, bounds
from assay.api.piloting import check, pilot
from assay.assumption import exactly
from assay.economics import Economics
from assay.errors import InputError
from tests.api import pilots as made
from tests.api.test_piloting import SOUND, TODAY, written

NOUNS = [one for one in vars(nouns).values() if isinstance(one, type) and hasattr(one, "__dataclass_fields__")]
FIELDS = {f"{noun.__name__}.{field.name}" for noun in [*NOUNS, Economics] for field in fields(noun)}
FIGURE = '[[figures]]\ncandidate = "bought"\nworkload = "train"\nmetric = "tokens_per_s"\nvalue = {}\n'


def demand(line: str) -> tuple[str, str]:
    return "[[gates]]", f"[demand]\n{line}\n[[gates]]"


def assumed(line: str) -> tuple[str, str]:
    return "[[gates]]", f"[assumptions]\n{line}\n[[gates]]"


def bought(line: str) -> tuple[str, str]:
    return 'via = "buy"', f'via = "buy"\n{line}'


def site(line: str) -> tuple[str, str]:
    return 'name = "here"', f'name = "here"\n{line}'


# What is changed in a sound pilot, the key that is told of, a word of what is told.
IMPOSSIBLE = {
    "more nodes than there are": (*bought("nodes = 1_000_001"), "candidates[0].nodes", "at most 1,000,000"),
    "a number without end": (*bought(f"clusters = 1{'0' * 300}"), "candidates[0].clusters", "1e+300"),
    "no cluster": (*bought("clusters = 0"), "candidates[0].clusters", "at least 1"),
    "a week of delivery too many": (*bought('delivery = "30 years"'), "candidates[0].delivery_s", "at most 20 years"),
    "a machine of no power": (*bought('power_w = "0 W"'), "candidates[0].power_w", "above 0"),
    "a machine of no weight": (*bought('weight = "0 kg"'), "candidates[0].weight_kg", "above 0"),
    "no time to look at": (*demand('horizon = "0 s"'), "demand.horizon_s", "at least 30 days"),
    "a millennium": (*demand('horizon = "1000 years"'), "demand.horizon_s", "at most 50 years"),
    "all of it is lost": (*demand("growth = -1"), "demand.growth", "-0.99"),
    "it may shrink below nothing": (*demand("growth = { is = 0, low = -2, high = 1 }"), "demand.growth", "-0.99"),
    "a hundredfold a year": (*demand("growth = 100"), "demand.growth", "at most 10"),
    "never used": (*demand("utilization = 0"), "demand.utilization", "above 0"),
    "never there": (*assumed("availability = 0"), "assumptions.availability", "above 0"),
    "a life of no length": (*assumed('server_life = "0 s"'), "assumptions.server_life_s", "at least 30 days"),
    "a network that is all of it": (*assumed("network_share = 0.85"), "assumptions.network_share", "servers"),
    "network and storage together": (
        *assumed("network_share = 0.5\nstorage_share = 0.5"), "assumptions.network_share", "100 %",
    ),
    "less than all power arrives": (*site("pue = 0.5"), "sites[0].pue", "at least 1"),
    "no breaker": (*site("derating = 0"), "sites[0].derating", "above 0"),
    "no job": ("jobs_per_year = 2", "jobs_per_year = 0", "workloads[0].jobs_per_year", "above 0"),
    "perhaps no job": (
        "jobs_per_year = 2", "jobs_per_year = { is = 2, low = 0, high = 3 }", "workloads[0].jobs_per_year",
        "it may be 0",
    ),
    "no token": ('"100 G tokens"', '"0 tokens"', "workloads[0].tokens", "above 0"),
    "paid for a minute": ('via = "rent"', 'via = "rent"\ncommitment = "1 min"', "candidates[1].commitment_s", "24 h"),
    "a price that may be nothing": (
        '{ is = "250 k USD"', '{ is = "250 k USD", low = "0 USD"', "candidates[0].price_usd", "no price",
    ),
    "a name of nothing": ('"rented"', '" "', "candidates[1].name", "empty"),
    "a name of two lines": ('"rented"', '"rented\\nrm -rf /"', "candidates[1].name", "one line"),
    "a batch of nothing": (
        'workload = "train-step"', 'workload = "train-step"\nsettings = { micro_batch = "x" }',
        "workloads[0].trial.settings.micro_batch", "batch",
    ),
    "needed in a month": (*demand("needed_by = '2027-06'"), "demand.needed_by", "day"),
    "not of our times": ("2026-12-01", "9999-12-31", "starts", "not of our times"),
    "before our times": (*bought('price_date = "1066"'), "candidates[0].price_date", "not of our times"),
    "another name of the weather": (*site('weather = "leesbrug"'), "sites[0].weather", "leesbrug"),
    "a file that is not there": (*site('carbon_file = "carbonn.csv"'), "sites[0].carbon_file", "carbonn.csv"),
    "a file of a name too long": (*site(f'weather = "{"x" * 5000}"'), "sites[0].weather", "ships"),
    "another name of the region": (*site('region = "US-Virgina"'), "sites[0].region", "US-Virgina"),
    "a figure of nothing": ("[[gates]]", FIGURE.format(0) + "[[gates]]", "figures[0].value", "not possible"),
    "a figure of tomorrow": (
        "[[gates]]", FIGURE.format('{ is = 1e5, date = "2099-01-01" }') + "[[gates]]", "figures[0].value",
        "yet to come",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_cannot_be_is_told_with_its_line(tmp_path, case):
    before, after, key, says = IMPOSSIBLE[case]
    assert before in SOUND
    found = [one for one in check(written(tmp_path, SOUND.replace(before, after, 1)), TODAY) if one.severity == "error"]
    assert [one.key for one in found] == [key]
    assert says in found[0].what + found[0].hint
    assert found[0].line
    with pytest.raises(InputError, match=r"pilot\.toml:\d+: "):
        pilot(tmp_path, today=TODAY)


def test_near_misses_of_what_a_site_is_like_are_named(tmp_path):
    told = {"weather": ("leesbrug", '"leesburg"'), "region": ("US-Virgina", '"US-Virginia"')}
    for name, (written_, near) in told.items():
        (found,) = check(written(tmp_path, SOUND.replace(*site(f'{name} = "{written_}"'), 1)), TODAY)
        assert near in found.hint


def test_two_figures_that_contradict_each_other_are_told_with_both_lines(tmp_path):
    two = FIGURE.format(1e5) + FIGURE.format(2e5)
    text = SOUND.replace("[[gates]]", two + "[[gates]]", 1)
    (found,) = check(written(tmp_path, text), TODAY)
    first = next(i for i, line in enumerate(text.splitlines(), start=1) if line == "value = 100000.0")
    assert (found.key, found.line) == ("figures[1].value", first + 5)
    assert f"line {first}" in found.what
    overlap = FIGURE.format(1e5) + FIGURE.format("{ is = 2e5, low = 9e4, high = 3e5 }")
    assert check(written(tmp_path, SOUND.replace("[[gates]]", overlap + "[[gates]]", 1)), TODAY) == ()


def test_a_day_makes_a_price_from_the_future_an_error_for_whoever_reads(tmp_path):
    written(tmp_path, SOUND.replace('"2026-10-01" }\n\n[[s', '"2099-01-01" }\n\n[[s'))
    assert pilot(tmp_path).name == "sound"
    with pytest.raises(InputError, match="yet to come"):
        pilot(tmp_path, today=TODAY)


def test_in_use_after_it_is_needed_is_warned_of(tmp_path):
    text = SOUND.replace(*demand("needed_by = 2027-06-01\nstart = 2037-06-01"), 1)
    (found,) = check(written(tmp_path, text), TODAY)
    assert (found.key, found.severity) == ("demand.start", "warning")


def test_what_is_taken_where_no_price_is_stated_is_said(tmp_path):
    rent = 'rent = { is = "3 USD/h", date = "2026-10-01" }\n'
    (found,) = check(written(tmp_path, SOUND.replace(rent, "")), "2026-10-27")
    assert found.severity == "warning"
    assert "the middle of" in found.what
    assert "/h to $" in found.what
    assert "older than" not in found.what
    (found,) = check(tmp_path, TODAY)
    assert "older than 180 days" in found.what
    unknown = SOUND.replace(rent, "").replace('"hgx-h100"\nvia = "rent"', '"gaudi2-8"\nvia = "rent"\nterm = "reserved"')
    assert [one.what for one in check(written(tmp_path, unknown), TODAY) if "it stays unknown" in one.what]


@pytest.mark.parametrize("name", BOUNDS)
def test_every_bound_is_of_a_number_that_there_is(name):
    assert name in FIELDS or name in {one.partition(".")[2] for one in FIELDS}
    least, most = BOUNDS[name]
    assert least < most


@pytest.mark.parametrize("folder", ["one-server", "llm-pretraining", "fine-tune-serve", "vision-input"])
def test_no_example_is_out_of_bounds(folder):
    assert list(bounds(pilot(Path(__file__).parents[2] / "examples" / "pilots" / folder))) == []


def test_what_is_usual_counts_beside_what_is_stated():
    one = made.pilot(made.BUY)
    high = replace(one.assumptions, network_share=exactly(0.8))
    assert list(bounds(one)) == []
    assert list(bounds(replace(one, assumptions=high))) == []
    (wrong,) = bounds(replace(one, assumptions=replace(high, network_share=exactly(0.83))))
    assert wrong.key == "assumptions.network_share"
