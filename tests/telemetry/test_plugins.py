"""Plug-ins found and left out: ours, others', broken ones; and recordings played as if they were devices."""

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from assay.errors import InputError
from assay.telemetry import plugins, reading, recording
from assay.telemetry.vendors import nvidia, replay

RECORDED = Path(__file__).parents[1] / "recorded" / "telemetry"


@pytest.fixture
def theirs(monkeypatch):
    """Plug-ins that were installed beside ours, by entry point."""

    def install(**entries):
        loaders = [SimpleNamespace(name=name, load=load) for name, load in entries.items()]
        monkeypatch.setattr(
            "importlib.metadata.entry_points", lambda group: loaders if group == "assay.vendors" else []
        )
        plugins.plugins.cache_clear()

    yield install
    monkeypatch.undo()
    plugins.plugins.cache_clear()


def raising(error):
    def load():
        raise error

    return load


def module(**parts):
    whole = {"NAME": "acme", "FIELDS": (), "PROMETHEUS": {}, "probe": lambda *_: (), "read": None, "normalise": None}
    return SimpleNamespace(**{**whole, **parts})


def test_a_vendor_that_was_installed_beside_ours_is_found(theirs):
    acme = module()
    theirs(acme=lambda: acme)
    assert plugins.load("acme") is acme
    assert {"nvidia", "host", "acme"} <= plugins.plugins().keys()


@pytest.mark.parametrize(
    ("loader", "said"),
    [
        (raising(ImportError("no libacme")), "does not load: ImportError: no libacme"),
        (raising(SystemExit(1)), "does not load: SystemExit"),
        (lambda: SimpleNamespace(NAME="acme", FIELDS=()), "has no PROMETHEUS, probe, read, normalise"),
    ],
)
def test_a_broken_plug_in_is_told_with_its_reason_and_keeps_nobody_from_working(loader, said, theirs, tmp_path):
    theirs(acme=loader)
    with pytest.raises(InputError, match=said):
        plugins.load("acme")
    problems = {found.plugin: found.problem for found in plugins.survey(tmp_path, {}) if found.problem}
    assert said in problems.pop("acme")
    assert problems == {}
    assert plugins.load("nvidia") is nvidia


def test_a_plug_in_that_stumbles_over_a_machine_is_a_problem_of_its_own(theirs, tmp_path):
    theirs(acme=lambda: module(probe=raising(ZeroDivisionError("0"))))
    (found,) = [found for found in plugins.survey(tmp_path, {}) if found.plugin == "acme"]
    assert "could not look" in found.problem
    assert plugins.present(root=tmp_path, environment={}) == ()


def test_a_second_plug_in_of_a_name_does_not_take_the_place_of_the_first(theirs):
    theirs(nvidia=lambda: module(NAME="nvidia"))
    assert plugins.load("nvidia") is nvidia
    assert "another" in plugins.plugins()["nvidia (second)"].problem


def test_a_name_that_is_none_gets_the_nearest(theirs):
    theirs()
    with pytest.raises(InputError, match='did you mean "nvidia"'):
        plugins.load("nvidea")
    with pytest.raises(InputError):
        plugins.present(["nvidia", "amt"])
    assert plugins.present(["amd", "nvidia"]) == ("amd", "nvidia")


# --- recordings ----------------------------------------------------------------------------------------------------


def play(monkeypatch, path: Path, pace: str = "full"):
    monkeypatch.setenv("ASSAY_REPLAY", str(path))
    monkeypatch.setenv("ASSAY_REPLAY_PACE", pace)
    return replay.read(())


def test_a_recording_is_read_as_its_devices_were(monkeypatch):
    path = RECORDED / "nvidia-h100.jsonl"
    played = list(play(monkeypatch, path))
    _, answers = recording.opened(path)
    once = [list(nvidia.normalise(answer.raw)) for answer in answers]
    assert [list(replay.normalise(raw)) for raw in played] == once
    assert once[-1]
    devices = replay.probe(Path("/"), {"ASSAY_REPLAY": str(path)})
    assert [device.name for device in devices] == ["NVIDIA H100 80GB HBM3"] * 2
    assert plugins.about(played[0], replay)[0].id == devices[0].id


def test_a_recording_is_played_at_its_own_pace_with_nothing_said_twice(monkeypatch, tmp_path):
    path = tmp_path / "slow.jsonl"
    raws = [{"devices": [{"id": "x", "energy": i}]} for i in range(3)]
    raws[1]["events"] = [{"kind": "xid", "of": "x", "text": "XID 31"}]
    path.write_text(
        recording.head("nvidia", "made for this test") + "".join(map(recording.line, (5.0, 5.2, 5.4), raws))
    )
    clock = itertools.chain([0.0, 0.0, 0.0, 0.1, 0.5, 0.5, 0.5], itertools.repeat(9.0))
    monkeypatch.setattr(replay.time, "monotonic", lambda: next(clock))
    played = list(itertools.islice(play(monkeypatch, path, ""), 4))
    assert [raw["devices"] for raw in played] == [raws[0]["devices"], [], raws[2]["devices"], []]
    assert [event.text for event in reading.events(played[2], 0.0)] == ["XID 31"]  # what was passed over is not lost


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no recording"),
        ("[1]\n", "no recording"),
        ('{"vendor": 3}\n', "no recording"),
        ('{"vendor": "nvidia"}\nnonsense\n{"at_s": 1, "raw": {}}\n', r"bad\.jsonl:2: this line is no answer"),
        ('{"vendor": "nvidia"}\n{"raw": {}}\n{"at_s": 1, "raw": {}}\n', r":2: "),
    ],
)
def test_a_file_that_is_no_recording_is_refused_with_the_line(text, said, tmp_path, monkeypatch):
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        list(play(monkeypatch, path))


def test_a_recording_that_was_cut_off_is_played_as_far_as_it_goes(tmp_path, monkeypatch):
    path = tmp_path / "cut.jsonl"
    path.write_text(recording.head("nvidia", "") + recording.line(0.0, {"devices": []}) + '{"at_s": 1.0, "ra')
    assert len(list(play(monkeypatch, path))) == 1


def test_a_recording_that_is_not_there_is_a_plain_error(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="cannot be read"):
        next(play(monkeypatch, tmp_path / "none.jsonl"))
    monkeypatch.delenv("ASSAY_REPLAY")
    with pytest.raises(InputError, match="nothing to replay"):
        next(replay.read(()))
    assert replay.probe(Path("/"), {}) == ()


def test_what_was_recorded_can_be_recorded_again(tmp_path):
    path = RECORDED / "amd-mi300x.jsonl"
    head, answers = recording.opened(path)
    again = recording.head(head["vendor"], head["recorded"]) + "".join(itertools.starmap(recording.line, answers))
    assert [json.loads(line) for line in again.splitlines()] == [
        json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()
    ]
