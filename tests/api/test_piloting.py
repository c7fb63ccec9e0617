"""A pilot's file: the examples can be used as they are, and whatever is wrong with one is told by line, all of it."""

import hashlib
import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.api import pilot_schema
from assay.api.jobs import job_of_work
from assay.api.pilot_start import TEMPLATES, start
from assay.api.piloting import Problem, check, pilot
from assay.codec import decode, problems
from assay.errors import InputError
from assay.pilot import Pilot

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "pilots").iterdir())
TODAY = "2026-11-27"
SOUND = """\
name = "sound"
question = "Buy or rent?"
starts = 2026-12-01

[[workloads]]
name = "train"
model = "llama-3.1-8b"
tokens = "100 G tokens"
jobs_per_year = 2
[workloads.trial]
workload = "train-step"

[[candidates]]
name = "bought"
system = "hgx-h100"
via = "buy"
site = "here"
price = { is = "250 k USD", date = "2026-10-01" }

[[candidates]]
name = "rented"
system = "hgx-h100"
via = "rent"
rent = { is = "3 USD/h", date = "2026-10-01" }

[[sites]]
name = "here"
power = [{ date = 2027-01-01, power = "100 kW" }, { date = 2027-06-01, power = "200 kW" }]

[[gates]]
name = "runs"
stage = 1
metric = "completed"
at_least = 1
"""

# What is changed in a sound pilot -> the key that is told of, a word of what is told, a word of the hint.
WRONG = {
    "a negative price": ('"250 k USD"', '"-3 USD"', "candidates[0].price", "below 0", "leave out"),
    "a price of nothing": ('"250 k USD"', '"0 USD"', "candidates[0].price_usd", "no price", "own"),
    "another currency": ('"250 k USD"', '"120 EUR"', "candidates[0].price", "EUR", "convert"),
    "another currency for all": ("starts =", 'currency = "GBP"\nstarts =', "currency", "GBP", "convert"),
    "a price from the future": (
        '"2026-10-01" }\n\n[[s',
        '"2027-10-01" }\n\n[[s',
        "candidates[1].rent_usd_per_s",
        "yet to come",
        "day",
    ),
    "a date that is none": ("2026-12-01", '"soon"', "starts", "not a date", "2026-11-27"),
    "needed before it starts": (
        "[[gates]]",
        "[demand]\nneeded_by = 2026-01-01\n[[gates]]",
        "demand.needed_by",
        "before",
        "order",
    ),
    "power steps out of order": ("2027-06-01", "2026-06-01", "sites[0].power[1].date", "not after", "sort"),
    "days without end": ("starts =", "days = 400\nstarts =", "days", "400", "365"),
    "a metric that does not exist": ('"completed"', '"complete"', "gates[0].metric", "no metric", '"completed"'),
    "a limit in another unit": (
        'metric = "completed"\nat_least = 1',
        'metric = "step_s"\nat_most = "3 GB"',
        "gates[0].at_most",
        "step_s",
        "s",
    ),
    "a gate without a limit": ("at_least = 1", "", "gates[0].at_least", "no limit", "at_least"),
    "a gate nobody can pass": (
        "at_least = 1",
        'at_least = 1\naccepts = ["predicted"]',
        "gates[0].accepts",
        "measuring",
        "measured",
    ),
    "a gate that contradicts itself": (
        "at_least = 1",
        "at_least = 1\nat_most = 0",
        "gates[0].at_least",
        "nothing can pass",
        "exchange",
    ),
    "an unknown system": (
        '"hgx-h100"\nvia = "buy"',
        '"hgx-h10"\nvia = "buy"',
        "candidates[0].system",
        "hgx-h10",
        '"hgx-h100"',
    ),
    "an unknown model": ("llama-3.1-8b", "llama-3.1-8bb", "workloads[0].model", "8bb", '"llama-3.1-8b"'),
    "an unknown site": ('site = "here"', 'site = "hare"', "candidates[0].site", "hare", '"here"'),
    "an unknown workload": (
        "at_least = 1",
        'at_least = 1\nworkload = "trian"',
        "gates[0].workload",
        "trian",
        '"train"',
    ),
    "an unknown candidate": (
        "at_least = 1",
        'at_least = 1\ncandidates = ["baught"]',
        "gates[0].candidates",
        "baught",
        '"bought"',
    ),
    "an unknown trial": ('"train-step"', '"train-stop"', "workloads[0].trial.workload", "train-stop", '"train-step"'),
    "an unknown key": (
        'via = "buy"',
        'via = "buy"\ndelvery = "1 week"',
        "candidates[0].delvery",
        "delvery",
        '"delivery"',
    ),
    "power paid twice": (
        "[[gates]]",
        '[[sites]]\nname = "c"\ncolo = "200 USD/kW/month"\ncolo_covers = ["power"]\n'
        'electricity = "0.1 USD/kWh"\n[[gates]]',
        "sites[1].electricity_usd_per_j",
        "twice",
        "colo_covers",
    ),
    "cooling paid twice": (
        "[[gates]]",
        '[[sites]]\nname = "c"\ncolo = "200 USD/kW/month"\ncolo_covers = ["cooling"]\npue = 1.3\n[[gates]]',
        "sites[1].pue",
        "twice",
        "colo_covers",
    ),
    "what no price covers": (
        'via = "buy"',
        'via = "buy"\ncovers = ["netwrok"]',
        "candidates[0].covers",
        "netwrok",
        '"network"',
    ),
    "bought to stand nowhere": ('site = "here"\n', "", "candidates[0].site", "no site", "site"),
    "rented at a purchase price": (
        'rent = { is = "3 USD/h"',
        'price = { is = "3 USD"',
        "candidates[1].price_usd",
        "no purchase price",
        "rent",
    ),
    "work without an amount": ('tokens = "100 G tokens"\n', "", "workloads[0].tokens", "no amount", "tokens"),
    "an amount in bytes": ("100 G tokens", "100 GB", "workloads[0].tokens", "bytes", "G tokens"),
    "the same name twice": ('"rented"', '"bought"', "candidates[1].name", "twice", "name"),
    "more than all of it": (
        "[[gates]]",
        "[demand]\nutilization = 70\n[[gates]]",
        "demand.utilization",
        "more than all",
        "70 %",
    ),
}
WARNED = {
    "a price that is missing": (
        'price = { is = "250 k USD", date = "2026-10-01" }\n',
        "",
        "candidates[0].price_usd",
        "the one offer of the catalog is taken, $285,000",
    ),
    "a price that is old": (
        '"250 k USD", date = "2026-10-01"',
        '"250 k USD", date = "2024-10-01"',
        "candidates[0].price_usd",
        "older",
    ),
    "a price without a date": ('"250 k USD", date = "2026-10-01"', '"250 k USD"', "candidates[0].price_usd", "date"),
    "no trial": ('[workloads.trial]\nworkload = "train-step"\n', "", "workloads[0].trial", "no trial"),
}


def written(folder: Path, text: str) -> Path:
    (folder / "pilot.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda path: path.name)
def test_an_example_can_be_used_as_it_is(folder):
    assert [one for one in check(folder, TODAY) if one.severity == "error"] == []
    told = pilot(folder)
    assert 2 <= len(told.candidates) <= 6
    assert {gate.stage for gate in told.gates} == ({2} if folder.name == "one-server" else {1, 2, 3})
    assert folder.name == "one-server" or any(one.system == "this machine" for one in told.candidates)
    stated = [one.price_usd or one.rent_usd_per_s for one in told.candidates]
    assert all(price.source and price.date for price in stated if price)
    assert all(figure.value.source and figure.value.date for figure in told.figures)


def test_a_sound_pilot_has_no_problem(tmp_path):
    assert check(written(tmp_path, SOUND), TODAY) == ()
    job = job_of_work(pilot(tmp_path).workloads[0]).workload
    assert (job.model.name, job.target_tokens) == ("llama-3.1-8b", 1e11)


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_with_its_line_and_what_to_write(tmp_path, case):
    before, after, key, says, hint = WRONG[case]
    assert before in SOUND
    text = SOUND.replace(before, after, 1)
    found = [one for one in check(written(tmp_path, text), TODAY) if one.severity == "error"]
    assert [one.key for one in found] == [key]
    assert says in found[0].what
    assert hint in found[0].hint
    last = key.rpartition(".")[2]
    line = text.splitlines()[(found[0].line or 0) - 1]
    assert last.split("_usd")[0].partition("[")[0] in line or line.startswith("[[")
    if case != "a price from the future":  # which only a calendar tells
        with pytest.raises(InputError, match=r"pilot\.toml:\d+: "):
            pilot(tmp_path)


@pytest.mark.parametrize("case", WARNED)
def test_what_is_missing_or_old_is_warned_of_and_can_be_used(tmp_path, case):
    before, after, key, says = WARNED[case]
    assert before in SOUND
    found = check(written(tmp_path, SOUND.replace(before, after, 1)), TODAY)
    assert [(one.key, one.severity) for one in found] == [(key, "warning")]
    assert says in found[0].what
    assert pilot(tmp_path).name == "sound"


def test_every_problem_is_told_and_not_the_first_alone(tmp_path):
    text = SOUND
    told = ["a negative price", "an unknown model", "days without end", "a limit in another unit", "an unknown key"]
    for before, after, *_ in map(WRONG.__getitem__, told):
        text = text.replace(before, after, 1)
    found = check(written(tmp_path, text), TODAY)
    assert {one.key for one in found} == {WRONG[case][2] for case in told}
    assert [one.line for one in found] == sorted(one.line or 0 for one in found)
    with pytest.raises(InputError, match="and 4 more: assay pilot check"):
        pilot(tmp_path)


def test_what_cannot_be_read_hides_nothing_behind_it(tmp_path):
    text = SOUND.replace('name = "bought"\n', "", 1).replace('"rented"', '"rented"\nnodes = 0', 1)
    found = {one.key: one for one in check(written(tmp_path, text), TODAY)}
    assert found["candidates[0]"].what == '"name" is missing'
    assert text.splitlines()[found["candidates[1].nodes"].line - 1] == "nodes = 0"


def test_a_slice_that_is_not_the_one_agreed_on_is_told(tmp_path):
    (tmp_path / "slice.bin").write_bytes(b"data")
    right = hashlib.sha256(b"data").hexdigest()
    for digest, told in ((right, []), ("0" * 64, ["workloads[0].data.sha256"])):
        table = f'[workloads.data]\npath = "slice.bin"\nsha256 = "{digest}"\n[workloads.trial]'
        text = SOUND.replace("[workloads.trial]", table)
        assert [one.key for one in check(written(tmp_path, text), TODAY)] == told


def test_a_file_that_two_people_changed_is_told_by_line(tmp_path):
    text = SOUND.replace(
        'question = "Buy or rent?"', '<<<<<<< HEAD\nquestion = "a"\n=======\nquestion = "b"\n>>>>>>> x'
    )
    (found,) = check(written(tmp_path, text), TODAY)
    assert (found.line, found.severity) == (2, "error")
    assert "two people" in found.what


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("name = \n", 1, "not TOML"),
        ("schema = 2\n", None, "newer Assay"),
        ("\n\nname = 'a'\nname = 'b'\n", 4, "not TOML"),
    ],
)
def test_what_is_no_pilot_is_told(tmp_path, text, line, says):
    (found,) = check(written(tmp_path, text), TODAY)
    assert found.line == line
    assert says in found.what


def test_a_folder_without_a_pilot_says_how_to_begin_one(tmp_path):
    with pytest.raises(InputError, match="assay pilot init"):
        check(tmp_path)


@given(cut=st.integers(0, len(SOUND)), noise=st.text(st.sampled_from('[]{}="\n#,.-0aE€'), max_size=6))
def test_no_file_ends_in_a_traceback(tmp_path_factory, cut, noise):
    folder = written(tmp_path_factory.mktemp("noise"), SOUND[:cut] + noise + SOUND[cut:])
    found = check(folder, TODAY)
    assert all(isinstance(one, Problem) and one.what for one in found)
    try:
        pilot(folder)
    except InputError as error:
        assert "pilot.toml" in str(error)
    else:
        assert all(one.severity == "warning" for one in check(folder))


@given(
    place=st.sampled_from(SOUND.splitlines()), value=st.sampled_from(["-1", '"x"', "[]", "{ is = 1 }", "true", "1e40"])
)
def test_what_has_no_problem_can_be_read_and_nothing_else(place, value):
    key, equals, _ = place.partition(" = ")
    text = SOUND.replace(place, f"{key} = {value}", 1) if equals else SOUND
    raw = tomllib.loads(text)
    found = list(problems(raw, Pilot))
    try:
        decode(raw, Pilot)
    except InputError:
        assert found
    else:
        assert found == []


# --- the schema -------------------------------------------------------------------------------------------------------


def plain(path: Path) -> object:
    return json.loads(json.dumps(tomllib.loads(path.read_text(encoding="utf-8")), default=str))


def test_the_schema_that_ships_is_that_of_the_nouns():
    made = "from assay.api.pilot_schema import SHIPPED, text; SHIPPED.write_text(text())"
    assert pilot_schema.SHIPPED.read_text(encoding="utf-8") == pilot_schema.text(), made
    jsonschema.Draft7Validator.check_schema(pilot_schema.schema())


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_what_the_schema_says(folder):
    jsonschema.Draft7Validator(pilot_schema.schema()).validate(plain(folder / "pilot.toml"))


@pytest.mark.parametrize("case", ["an unknown key"])
def test_the_schema_refuses_what_no_pilot_holds(tmp_path, case):
    before, after, *_ = WRONG[case]
    folder = written(tmp_path, SOUND.replace(before, after, 1))
    with pytest.raises(jsonschema.ValidationError, match="delvery"):
        jsonschema.Draft7Validator(pilot_schema.schema()).validate(plain(folder / "pilot.toml"))


def test_the_schema_says_what_a_key_means():
    price = pilot_schema.schema()["definitions"]["Candidate"]["properties"]["price"]
    assert price["description"] == "buy: one node; in usd or with its unit"


# --- a new one --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("task", ["", "serve"])
def test_a_new_pilot_can_be_used_at_once(tmp_path, template, task):
    systems = ["hgx-h100", "buy:hgx-h100", "buy:l40s-8"]
    path = start(tmp_path / "new", today=TODAY, owner="Ann", template=template, task=task, systems=systems)
    assert [one for one in check(path, TODAY) if one.severity == "error"] == []
    told = pilot(path)
    assert [one.name for one in told.candidates] == ["rent-hgx-h100", "buy-hgx-h100", "buy-l40s-8", "here"]
    assert told.candidates[1].price_usd
    assert told.candidates[2].price_usd is None  # the catalog knows none, and makes up none
    assert told.owners == {"decision": "Ann"}
    jsonschema.Draft7Validator(pilot_schema.schema()).validate(plain(path))
    with pytest.raises(InputError, match="already"):
        start(tmp_path / "new", today=TODAY)


@pytest.mark.parametrize("question", ['he said "yes"\\', "tab\there", "two\nlines", "ü × 日本"])
def test_any_question_can_be_asked(tmp_path, question):
    assert pilot(start(tmp_path / "q", today=TODAY, question=question)).question == question
