"""The kit for vendors has teeth: each way to break the agreement is told."""

from types import ModuleType

import pytest

from assay.telemetry import recording
from assay.telemetry.reading import Field, Imported, Reading, table
from assay.testing import complaints

GOOD = {"devices": [{"id": "x", "power": 300, "energy": 10, "busy": 0.5}], "about": [{"id": "x"}]}
FIELDS = (
    Field("accel.power_w", "power"),
    Field("accel.energy_j", "energy", quality="counter"),
    Field("accel.busy", "busy", quality="average"),
)


def plugin(**parts):
    made = ModuleType("assay.telemetry.vendors.replay")  # any module that can be imported alone
    whole = {"NAME": "acme", "FIELDS": FIELDS, "PROMETHEUS": {}, "probe": lambda root, environment: (), "read": None}
    vars(made).update(whole)
    made.normalise = lambda raw: (r for device in raw["devices"] for r in table(device, FIELDS))
    vars(made).update(parts)
    return made


@pytest.fixture
def recorded(tmp_path):
    def write(*raws, at_s=None, vendor="acme"):
        path = tmp_path / "acme.jsonl"
        times = at_s or range(len(raws))
        path.write_text(recording.head(vendor, "") + "".join(map(recording.line, times, raws)))
        return path

    return write


def test_a_good_plug_in_has_no_complaints(recorded):
    assert complaints(plugin(), [recorded(GOOD, GOOD)]) == ()


def changed(**values):
    return {**GOOD, "devices": [{**GOOD["devices"][0], **values}]}


@pytest.mark.parametrize(
    ("raws", "said"),
    [
        ([changed(busy=50)], "accel.busy of x: 50.0 is not within 0 and 1"),
        ([changed(power=-3)], "not within"),
        ([changed(power=300_000)], "not within"),
        ([changed(energy=10), changed(energy=9)], "falls from 10.0 to 9.0"),
        ([{"devices": [{"id": "y", "power": 1}], "about": [{"id": "x"}]}], "y was not described"),
    ],
)
def test_an_impossible_reading_is_told(raws, said, recorded):
    (told,) = complaints(plugin(), [recorded(*raws)])
    assert said in told


@pytest.mark.parametrize(
    ("normalise", "said"),
    [
        (lambda raw: [Reading("x", "accel.power_w", 0.0, "instant")], "reads 0.0 from N/A"),
        (lambda raw: [Reading("x", "accel.power_w", 9.3e18, "instant")], "way of saying nothing"),
        (lambda raw: [Reading("x", "accel.mood", 1.0, "instant")], "no metric of a device"),
        (lambda raw: [Reading("x", "accel.energy_j", 1.0, "instant")], "its quality cannot be"),
        (lambda raw: [Reading("x", "accel.busy", 0.1, "average")] * 2, "told twice"),
        (lambda raw: raw["nothing"], "fails with KeyError"),
        (
            lambda raw, count=[0]: [Reading("x", "accel.busy", count.append(0) or 1 / len(count), "average")],
            "alike twice",
        ),
    ],
)
def test_a_reader_that_makes_things_up_is_told(normalise, said, recorded):
    assert any(said in told for told in complaints(plugin(normalise=normalise), [recorded(GOOD)]))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"FIELDS": (Field("accel.mood", "mood"),)}, '"mood" leads to "accel.mood"'),
        ({"FIELDS": (Field("accel.energy_j", "energy"),)}, "its quality cannot be"),
        ({"PROMETHEUS": {"acme_power": Imported("accel.watts")}}, '"acme_power" leads to "accel.watts"'),
        ({"probe": lambda root, environment: [1]}, "finds 1 devices where there is nothing"),
        ({"probe": lambda root, environment: __import__("time").sleep(0.06) or ()}, "ms where there is nothing"),
        ({"__name__": "no_such_module"}, "cannot be imported alone"),
    ],
)
def test_tables_probes_and_imports_are_looked_at(parts, said):
    assert any(said in told for told in complaints(plugin(**parts)))


def test_an_import_of_something_large_is_told(tmp_path, monkeypatch):
    (tmp_path / "assay_acme.py").write_text("import pydantic\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert any("importing it imports" in t and "pydantic" in t for t in complaints(plugin(__name__="assay_acme")))


def test_a_plug_in_that_lacks_parts_is_told_them(recorded):
    assert complaints(ModuleType("half")) == ("it has no NAME, FIELDS, PROMETHEUS, probe, read, normalise",)
    wrong = complaints(plugin(), [recorded(GOOD, GOOD, at_s=(1.0, 1.0), vendor="other")])
    assert any('of "other"' in told for told in wrong)
    assert any("time does not go on" in told for told in wrong)
