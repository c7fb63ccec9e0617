"""What a sampler writes is what anybody reads, line by line."""

import json

from hypothesis import given
from hypothesis import strategies as st

from assay.journal import Reader, Tick, Writer
from assay.machine import Device
from assay.run import Event

GPU = Device(name="H100", vendor="NVIDIA", id="GPU-1", memory_bytes=80e9)

readings = st.dictionaries(
    st.sampled_from(["accel.power_w", "accel.busy", "accel.energy_j"]), st.floats(-1e12, 1e12), max_size=3
)


def read(text: str) -> list:
    reader = Reader()
    return [said for line in text.splitlines() if (said := reader.take(line)) is not None]


@given(st.lists(readings, max_size=10))
def test_what_was_said_is_read_and_what_was_not_is_not_there(rounds):
    writer = Writer()
    text = writer.about(GPU) + "".join(
        writer.tick("GPU-1", float(i), [(m, v, "instant") for m, v in said.items()]) for i, said in enumerate(rounds)
    )
    device, *ticks = read(text)
    assert device == GPU
    got = [{m: v for (m, _), v in zip(t.columns, t.values, strict=False) if v is not None} for t in ticks]
    assert got == rounds


def test_a_sensor_that_falls_silent_is_nothing_and_not_its_last_value():
    writer = Writer()
    text = writer.about(GPU) + writer.tick("GPU-1", 0.0, [("accel.power_w", 300.0, "average")])
    text += writer.tick("GPU-1", 1.0, [])
    assert read(text)[-1] == Tick(1.0, "GPU-1", (("accel.power_w", "average"),), (None,))


def test_what_was_told_of_a_device_is_not_told_again():
    writer = Writer()
    assert writer.about(GPU)
    assert writer.about(GPU) == ""


def test_writers_that_share_a_journal_do_not_share_numbers():
    one, two = Writer(0), Writer(1000)
    text = one.about(GPU) + two.about(Device(name="host", vendor="", id="host"))
    text += one.tick("GPU-1", 0.0, [("accel.busy", 1.0, "average")]) + two.tick(
        "host", 0.0, [("host.load", 2.0, "instant")]
    )
    assert [t.of for t in read(text) if isinstance(t, Tick)] == ["GPU-1", "host"]


def test_events_come_back_as_they_were():
    event = Event(at_s=3.5, kind="gap", text="nvidia did not answer", of="nvidia")
    assert read(Writer().event(event)) == [event]


@given(st.one_of(st.text(), st.binary(), st.recursive(st.none() | st.integers() | st.text(max_size=3),
       lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(["n", "device", "metrics", "event"]), x))
       .map(json.dumps)))  # fmt: skip
def test_any_other_line_says_nothing(line):
    assert Reader().take(line) is None or isinstance(Reader().take(line), (Event, Device))
