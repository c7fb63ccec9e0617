"""The page for Prometheus: complete, in its format, never with a value that is not of now."""

import http.client
import math
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.site import AMD, HOST, SLICE, Fake, free_port

from assay import metrics
from assay.errors import InputError, MeasureError
from assay.machine import Device
from assay.telemetry import names
from assay.telemetry.exporter import render, serve
from assay.telemetry.reading import Reading, Snapshot

NOW = 1000.0


def snapshot(*readings: Reading, devices: tuple[Device, ...] = AMD, **more: object) -> Snapshot:
    at_s = {device.id: NOW for device in devices}
    whole = Snapshot(host="n1", devices=devices, readings=readings, at_s=at_s, began_s=0.0)
    return replace(whole, **more)  # type: ignore[arg-type]


def power(device: Device, value: float = 300.5) -> Reading:
    return Reading(device.id, "accel.power_w", value, "average")


SERIES = re.compile(r'([a-zA-Z_]\w*)(?:\{((?:\w+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)')


def parsed(page: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """A page as Prometheus reads it, by the grammar of the text format 0.0.4; AssertionError where it breaks it."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    family, done = "", set()
    assert page.endswith("\n")
    for line in page.split("\n")[:-1]:
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in done, "a family is one block"
            done.add(family)
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2] == family
            assert line.split(" ")[3] in {"gauge", "counter"}
        else:
            match = SERIES.fullmatch(line)
            assert match, line
            assert match[1] == family
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
            plain = {key: re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), text) for key, text in labels.items()}
            key = (family, frozenset(plain.items()))
            assert key not in found, "a series is told once"
            found[key] = float(match[3])
    return found


def value(page: str, family: str, **labels: str) -> float:
    found = [v for (name, told), v in parsed(page).items() if name == family and labels.items() <= dict(told).items()]
    assert len(found) == 1, (family, labels, len(found))
    return found[0]


def families(page: str) -> set[str]:
    return {name for name, _ in parsed(page)}


def test_a_value_carries_its_device_and_host() -> None:
    page = render(snapshot(power(AMD[1])), NOW)
    labels = {"hw_type": "gpu", "hw_id": AMD[1].id, "hw_vendor": "AMD", "host_name": "n1", "hw_name": AMD[1].name}
    assert value(page, "hw_power_watts", **labels) == 300.5
    assert "# TYPE hw_power_watts gauge" in page


def test_every_metric_there_is_can_be_written_and_read() -> None:
    fake = Fake(1)
    page = render(fake(), time.monotonic())
    assert families(page) == {*names.families(), "assay_up", "assay_device_up"}
    assert set(fake.shown[0].values()) <= set(parsed(page).values()), "to the last digit"


def test_a_silent_device_is_left_out_and_said_to_be_silent() -> None:
    whole = snapshot(power(AMD[0]), power(AMD[1]), at_s={AMD[0].id: NOW - 3.01, AMD[1].id: NOW - 2.99}, period_s=1.0)
    page = render(whole, NOW)
    assert {dict(told)["hw_id"] for name, told in parsed(page) if name == "hw_power_watts"} == {AMD[1].id}
    assert [value(page, "assay_device_up", hw_id=device.id) for device in AMD] == [0.0, 1.0]
    assert value(page, "assay_up") == 1.0


def test_when_the_sampler_died_no_value_is_shown() -> None:
    page = render(snapshot(power(AMD[0])), NOW + 60)
    assert value(page, "assay_up") == 0.0
    assert "hw_power_watts" not in families(page)
    assert value(render(None, NOW), "assay_up") == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("view", ["canonical", "dcgm"])
def test_what_is_no_number_is_not_written(bad: float, view: str) -> None:
    page = render(snapshot(power(AMD[0], bad), power(AMD[1])), NOW, view)  # type: ignore[arg-type]
    told = [v for (name, _), v in parsed(page).items() if "power" in name.lower()]
    assert told == [300.5]


@given(st.text(max_size=40), st.text(max_size=20))
def test_a_label_may_hold_anything(name: str, host: str) -> None:
    device = Device(name=f"x{name}", vendor="V", id="d")
    page = render(snapshot(power(device), devices=(device,), host=f"h{host}"), NOW)
    assert value(page, "hw_power_watts", hw_name=f"x{name}", host_name=f"h{host}") == 300.5


def test_one_series_is_written_once_even_if_it_was_read_twice() -> None:
    assert value(render(snapshot(power(AMD[0], 1.0), power(AMD[0], 2.0)), NOW), "hw_power_watts") == 2.0


def test_dashboards_made_for_dcgm_find_an_amd_device_in_their_units() -> None:
    device = AMD[1]
    readings = {
        "accel.busy": 0.87, "accel.core.active": 0.5, "accel.power_w": 611.0, "accel.energy_j": 1234.5,
        "accel.mem.used_bytes": 5 * 2**30, "accel.mem.total_bytes": 192 * 2**30, "accel.clock.core_hz": 2.1e9,
        "accel.temp.core_celsius": 66.0,
    }  # fmt: skip
    page = render(snapshot(*(Reading(device.id, k, v, "instant") for k, v in readings.items())), NOW, "dcgm")
    labels = {"gpu": "1", "UUID": device.id, "modelName": "AMD Instinct MI300X", "Hostname": "n1", "vendor": "AMD"}
    told = {
        "DCGM_FI_DEV_GPU_UTIL": 87.0, "DCGM_FI_PROF_GR_ENGINE_ACTIVE": 0.87, "DCGM_FI_PROF_SM_ACTIVE": 0.5,
        "DCGM_FI_DEV_POWER_USAGE": 611.0, "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": 1234500.0,
        "DCGM_FI_DEV_FB_USED": 5 * 1024.0, "DCGM_FI_DEV_FB_FREE": 187 * 1024.0, "DCGM_FI_DEV_SM_CLOCK": 2100.0,
        "DCGM_FI_DEV_GPU_TEMP": 66.0,
    }  # fmt: skip
    assert {name: pytest.approx(value(page, name, **labels)) for name in told} == told
    assert "# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter" in page
    assert "hw_power_watts" not in families(page)


def test_the_dcgm_view_shows_no_host_and_keeps_a_silent_cards_number() -> None:
    readings = (Reading(HOST.id, "host.load", 1.0, "instant"), power(AMD[0]), power(AMD[1]))
    at_s = {HOST.id: NOW, AMD[0].id: NOW - 60, AMD[1].id: NOW}
    page = render(snapshot(*readings, devices=(HOST, *AMD), at_s=at_s), NOW, "dcgm")
    assert {dict(told)["gpu"] for name, told in parsed(page) if name.startswith("DCGM")} == {"1"}


def test_free_memory_is_not_made_up_where_only_half_is_known() -> None:
    page = render(snapshot(Reading(AMD[0].id, "accel.mem.used_bytes", 1.0, "instant")), NOW, "dcgm")
    assert "DCGM_FI_DEV_FB_FREE" not in families(page)


def get(url: str) -> tuple[int, str, str]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.status, answer.headers["Content-Type"], answer.read().decode()


def test_each_scrape_is_one_whole_look() -> None:
    fake = Fake(3)
    with serve(fake, port=0) as server:
        pages = [get(server.url) for _ in range(4)]
    assert {kind for _, kind, _ in pages} == {"text/plain; version=0.0.4; charset=utf-8"}
    assert [value(page, "accel_event_code", hw_id=SLICE.id) for _, _, page in pages[:3]] == [0.0, 1.0, 2.0]
    for shown, (_, _, page) in zip(fake.shown, pages, strict=False):
        assert set(shown.values()) <= set(parsed(page).values())
    assert families(pages[3][2]) == {"assay_up"}


def test_a_reader_keeps_its_connection() -> None:
    fake = Fake(9)
    with serve(fake, port=0) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        for method, path in [("GET", "/metrics"), ("HEAD", "/metrics"), ("GET", "/metrics?x=1"), ("GET", "/")]:
            connection.request(method, path)
            answer = connection.getresponse()
            assert answer.status == 200
            assert (len(answer.read()) > 0) == (method == "GET")
        connection.request("GET", "/etc/passwd")
        assert connection.getresponse().status == 404
        connection.close()
    assert len(fake.shown) == 3


def test_readers_that_hang_hold_nobody_up() -> None:
    with serve(Fake(1), port=0) as server:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(8)]
        idle[0].sendall(b"GET /metrics HTT")
        assert get(server.url)[0] == 200
        for one in idle:
            one.close()


@pytest.mark.parametrize("noise", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"POST /metrics HTTP/1.1\r\n\r\n"])
def test_noise_on_the_port_is_survived_in_silence(noise: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with serve(Fake(1), port=0) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        assert get(server.url)[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_port_that_is_taken_is_said_to_be() -> None:
    with serve(Fake(1), port=0) as server, pytest.raises(MeasureError, match="something listens there already"):
        serve(Fake(1), port=server.port)


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"port": 99999}, "up to 65535"),
        ({"names": "nvidia"}, "canonical or dcgm"),
        ({"host": "no.such.host.invalid", "port": 0}, "cannot listen there"),
    ],
)
def test_what_cannot_be_served_is_refused_in_words(told: dict, error: str) -> None:
    with pytest.raises((InputError, MeasureError), match=error):
        serve(Fake(1), **told)


def test_the_port_is_free_again_after_closing() -> None:
    port = free_port()
    for _ in range(2):
        with serve(Fake(1), port=port) as server:
            assert get(server.url)[0] == 200
    assert not [thread for thread in threading.enumerate() if thread.name == "exporter"]


def test_ipv6_works_where_there_is_any() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with serve(Fake(1), host="::1", port=0) as server:
        assert get(server.url)[0] == 200


def test_a_scrape_of_eight_devices_is_far_cheaper_than_a_millisecond() -> None:
    """The best of many, so that a busy machine does not fail it: it was 0.2 ms when this was written."""
    devices = tuple(Device(name="MI300X", vendor="AMD", id=f"GPU-{i}") for i in range(8))
    chosen = list(metrics.group("device"))[:20]
    whole = snapshot(*(Reading(d.id, m, 0.123456789, "instant") for d in devices for m in chosen), devices=devices)
    times_s = []
    for _ in range(50):
        begin_s = time.perf_counter()
        render(whole, NOW)
        times_s.append(time.perf_counter() - begin_s)
    assert min(times_s) < 1e-3


def test_a_partition_is_told_with_what_it_is_cut_from() -> None:
    page = render(snapshot(power(SLICE), devices=(*AMD, SLICE)), NOW)
    assert value(page, "hw_power_watts", hw_parent=AMD[0].id, partition="cpx 1") == 300.5
