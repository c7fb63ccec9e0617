"""What comes back from Prometheus is what was scraped, under our names; what is no value is nothing, and is said."""

import gzip
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.site import (
    AMD,
    HOST,
    HOSTNAME,
    SLICE,
    TICK,
    Asked,
    Fake,
    Held,
    Said,
    answering,
    free_port,
    prometheus,
    small_prometheus,
    success,
    until,
    victoria,
)

from assay.errors import InputError, MeasureError
from assay.series import Series
from assay.telemetry import importer
from assay.telemetry.exporter import serve
from assay.telemetry.importer import History, read
from assay.telemetry.prometheus import server
from assay.telemetry.prometheus.meanings import WRONG

T0 = 1_700_000_000.0
H100 = {"UUID": "GPU-1", "gpu": "0", "device": "nvidia0", "modelName": "NVIDIA H100", "Hostname": "n1"}


def held(name: str, values: Sequence[float | str], every_s: float = 1.0, **labels: str) -> Held:
    rows = [(T0 + i * every_s, str(value)) for i, value in enumerate(values)]
    return Held({"__name__": name, "instance": "10.0.0.1:9400", "job": "gpu", **labels}, rows)


def history(*series: Held, end_s: float = T0 + 1000, **more: Any) -> History:
    with answering(small_prometheus(series)) as url:
        return read(url, start_s=T0, end_s=end_s, **more)


def only(found: History, metric: str, of: str | None = None) -> Series:
    (one,) = [s for s in found.series if s.metric == metric and of in (None, s.of)]
    return one


# --- what is read ---------------------------------------------------------------------------------------------------


def test_values_come_in_our_units_with_their_times_and_quality() -> None:
    energy = held("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", [1000, 2000, 3500], 0.5, **H100)
    found = history(energy, held("DCGM_FI_DEV_GPU_TEMP", [60], **H100))
    one = only(found, "accel.energy_j")
    assert one.value.tolist() == [1.0, 2.0, 3.5]
    assert one.at_s.tolist() == [0.0, 0.5, 1.0]
    assert (one.of, one.quality) == ("GPU-1", "counter")
    (device,) = found.devices
    assert (device.name, device.vendor, device.detail) == ("NVIDIA H100", "NVIDIA", "n1")


def test_a_counter_keeps_its_resets() -> None:
    found = history(held("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", [5e6, 6e6, 10, 1010], **H100))
    assert only(found, "accel.energy_j").value.tolist() == [5000.0, 6000.0, 0.01, 1.01]


def test_names_are_known_in_any_case_and_old_or_new() -> None:
    found = history(
        held("dcgm_fi_dev_gpu_temp", [50, 51], **H100),
        held("DCGM_FI_PROF_SM_UTIL_RATIO", [0.5], **H100),
        held("habanalabs_power_mW", [350_000], UUID="HL-1"),
        held("gpu_gfx_activity", [47], gpu_id="0", serial_number="692", card_model="MI300X", hostname="n2"),
    )
    assert only(found, "accel.temp.core_celsius").value.tolist() == [50.0, 51.0]
    assert only(found, "accel.core.active").value.tolist() == [0.5]
    assert only(found, "accel.power_w", "HL-1").value.tolist() == [350.0]
    assert only(found, "accel.busy", "692").value.tolist() == [pytest.approx(0.47)]


def test_who_writes_opentelemetrys_names_is_understood_whoever_it_is() -> None:
    labels = {"hw_id": "arc-0", "hw_type": "gpu", "hw_vendor": "Intel", "hw_name": "Arc Pro B60"}
    found = history(
        held("hw_power_watts", [75.5], **labels), held("hw_power_watts", [9.0], hw_type="cpu", hw_id="cpu-0")
    )
    assert only(found, "accel.power_w").value.tolist() == [75.5]
    assert [(d.id, d.vendor) for d in found.devices] == [("arc-0", "Intel")]


@pytest.mark.parametrize(
    "sentinel",
    ["NaN", "+Inf", "-Inf", "9223372036854775794", "140737488355328", "140737488355331", "4294967295", "2147483632"],
)
def test_a_sentinel_is_no_value(sentinel: str) -> None:
    found = history(held("DCGM_FI_DEV_MEMORY_TEMP", [60, sentinel, 62], **H100))
    one = only(found, "accel.temp.mem_celsius")
    assert (one.value.tolist(), one.at_s.tolist()) == ([60.0, 62.0], [0.0, 2.0])


def test_memory_there_is_is_added_up_from_what_is_used_free_and_reserved() -> None:
    used, free, reserved = (
        held(f"DCGM_FI_DEV_FB_{name}", values, **H100)
        for name, values in {"USED": [100, 200, 300], "FREE": [800, 700, 600], "RESERVED": [24, 24, 24]}.items()
    )
    one = only(history(used, free, reserved), "accel.mem.total_bytes")
    assert (one.value.tolist(), one.quality) == ([924 * 2.0**20] * 3, "derived")
    assert only(history(used, free), "accel.mem.total_bytes").value.tolist() == [900 * 2.0**20] * 3
    late = free._replace(rows=free.rows[1:])
    assert only(history(used, late), "accel.mem.total_bytes").at_s.tolist() == [1.0, 2.0], "half a sum is none"
    told = held("DCGM_FI_DEV_FB_TOTAL", [81559], **H100)
    assert only(history(used, free, told), "accel.mem.total_bytes").value.tolist() == [81559 * 2.0**20]


def test_a_share_beyond_one_is_a_percentage_or_is_clamped_and_said_so() -> None:
    found = history(
        held("DCGM_FI_PROF_SM_ACTIVE", [0.5, 1.04], **H100), held("DCGM_FI_PROF_DRAM_ACTIVE", [37, 90], **H100)
    )
    assert only(found, "accel.core.active").value.tolist() == [0.5, 1.0]
    assert only(found, "accel.memory.active").value.tolist() == [0.37, 0.9]
    assert [note for note in found.notes if "read as 1" in note or "taken for a percentage" in note] == list(
        found.notes
    )
    assert len(found.notes) == 2


def test_a_sensor_that_says_0_all_the_time_is_not_there() -> None:
    found = history(
        held("gpu_package_power", [0, 0, 0], serial_number="gcd-1"),
        held("gpu_gfx_activity", [0, 0], serial_number="gcd-1"),
    )
    assert [one.metric for one in found.series] == ["accel.busy"], "idle is 0, and is a value"
    assert "says 0 all the time" in found.notes[0]


def test_slices_of_a_card_are_devices_and_what_the_card_says_counts_once() -> None:
    slices = [{**H100, "GPU_I_ID": number, "GPU_I_PROFILE": "1g.10gb"} for number in ("7", "8")]
    found = history(
        *(held("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", [1000, 2000], **labels) for labels in slices),
        *(held("DCGM_FI_PROF_GR_ENGINE_ACTIVE", [0.25], **labels) for labels in slices),
        *(held("DCGM_FI_DEV_GPU_UTIL", [0], **labels) for labels in slices),
    )
    assert only(found, "accel.energy_j").of == "GPU-1"
    assert only(found, "accel.energy_j").value.tolist() == [1.0, 2.0]
    assert [(s.of, s.value.tolist()) for s in found.series if s.metric == "accel.busy"] == [
        ("GPU-1/7", [0.25]),
        ("GPU-1/8", [0.25]),
    ]
    parts = {d.id: (d.parent, d.partition) for d in found.devices if d.parent}
    assert parts == {"GPU-1/7": ("GPU-1", "1g.10gb"), "GPU-1/8": ("GPU-1", "1g.10gb")}


def test_what_a_card_says_itself_counts_before_what_its_slices_repeat() -> None:
    part = {**H100, "GPU_I_ID": "7", "GPU_I_PROFILE": "1g.10gb"}
    found = history(held("DCGM_FI_DEV_POWER_USAGE", [1], **part), held("DCGM_FI_DEV_POWER_USAGE", [600], **H100))
    assert only(found, "accel.power_w").value.tolist() == [600.0]


def test_the_utilization_that_a_slice_cannot_have_is_not_0_but_missing() -> None:
    part = {**H100, "GPU_I_ID": "7", "GPU_I_PROFILE": "1g.10gb"}
    found = history(held("DCGM_FI_DEV_GPU_UTIL", [0, 0], **part), held("DCGM_FI_DEV_FB_USED", [9], **part))
    assert [one.metric for one in found.series] == ["accel.mem.used_bytes"]


def test_a_gpu_that_is_not_cut_is_one_device() -> None:
    labels = {"serial_number": "692", "gpu_partition_id": "0", "gpu_compute_partition_type": "spx"}
    assert history(held("gpu_gfx_activity", [50], **labels)).devices[0].id == "692"


def test_a_device_that_changes_its_pod_is_one_series() -> None:
    first, second = (
        held("DCGM_FI_DEV_GPU_TEMP", [50, 51], **H100, pod="a"),
        held("DCGM_FI_DEV_GPU_TEMP", [], **H100, pod="b"),
    )
    later = second._replace(rows=[(T0 + 2, "60"), (T0 + 3, "61")])
    assert only(history(first, later), "accel.temp.core_celsius").value.tolist() == [50.0, 51.0, 60.0, 61.0]


def test_one_value_told_twice_at_one_moment_counts_once_and_a_quarrel_is_told() -> None:
    twice = [
        held("DCGM_FI_DEV_GPU_TEMP", values, **H100, pod=pod) for values, pod in (([50, 51], "a"), ([50, 51], "b"))
    ]
    assert history(*twice).notes == ()
    quarrel = history(twice[0], held("DCGM_FI_DEV_GPU_TEMP", [50, 99], **H100, pod="c"))
    assert only(quarrel, "accel.temp.core_celsius").value.tolist() == [50.0, 51.0]
    assert "is there twice, and differs" in quarrel.notes[0]


def test_when_an_exporter_was_renamed_both_of_its_names_make_one_series() -> None:
    old = held("DCGM_FI_PROF_SM_ACTIVE", [0.1, 0.2, 0.3], **H100)
    new = held("DCGM_FI_PROF_SM_UTIL_RATIO", [], **H100)._replace(rows=[(T0 + 2, "0.9"), (T0 + 3, "0.4")])
    assert only(history(old, new), "accel.core.active").value.tolist() == [0.1, 0.2, 0.3, 0.4]


def test_a_device_without_identity_is_called_by_its_place() -> None:
    found = history(
        held("dcgm_fi_dev_gpu_temp", [50], gpu="3", Hostname="n1"),
        held("dcgm_fi_dev_gpu_temp", [50], gpu="3", Hostname="n2"),
    )
    assert [device.id for device in found.devices] == ["n1/gpu3", "n2/gpu3"]


def test_devices_of_two_hosts_that_are_called_alike_are_two() -> None:
    both = [
        held("hw_power_watts", [watts], hw_id="0000:05:00.0", hw_type="gpu", host_name=on)
        for watts, on in ((1, "a"), (2, "b"))
    ]
    loads = [held("host_load", [load], hw_id="host", host_name=on) for load, on in ((3, "a"), (4, "b"))]
    found = history(*both, *loads)
    assert only(found, "accel.power_w", "0000:05:00.0").value.tolist() == [1.0]
    assert only(found, "accel.power_w", "b/0000:05:00.0").value.tolist() == [2.0]
    assert [only(found, "host.load", on).value.tolist() for on in ("a", "b")] == [[3.0], [4.0]]
    assert [(d.id, d.detail) for d in found.devices if d.vendor != "host"] == [
        ("0000:05:00.0", "a"),
        ("b/0000:05:00.0", "b"),
    ]


def test_a_card_that_moved_to_another_host_stays_the_same_card() -> None:
    moved = [held("DCGM_FI_DEV_GPU_TEMP", [50], **{**H100, "Hostname": on}) for on in ("n1", "n2")]
    assert [d.id for d in history(*moved).devices] == ["GPU-1"]


def test_parts_of_a_host_add_up() -> None:
    sockets = [
        held("node_rapl_package_joules_total", values, index=i, path="x")
        for i, values in (("0", [1, 2, 3]), ("1", [10, 20, 30]))
    ]
    one = only(history(*sockets), "host.energy_j")
    assert (one.of, one.value.tolist()) == ("10.0.0.1", [11.0, 22.0, 33.0])


def test_only_the_devices_that_were_asked_for_come() -> None:
    series = [held("DCGM_FI_DEV_GPU_TEMP", [50], **{**H100, "UUID": f"GPU-{i}"}) for i in range(3)]
    assert [d.id for d in history(*series, devices=["GPU-1"]).devices] == ["GPU-1"]
    with pytest.raises(MeasureError, match="devices that are here: GPU-0, GPU-1, GPU-2"):
        history(*series, devices=["GPU-9"])


# --- what is said ---------------------------------------------------------------------------------------------------


def test_names_that_nobody_knows_are_listed_and_wrong_ones_are_said_to_be_wrong() -> None:
    unknown = [held(f"DCGM_FI_DEV_NEW_{i:02d}", [1], **H100) for i in range(13)]
    wrong = [held(name, [1], UUID="HL-1") for name in WRONG]
    found = history(held("DCGM_FI_DEV_GPU_TEMP", [50], **H100), held("go_goroutines", [9]), *unknown, *wrong)
    notes = "\n".join(found.notes)
    assert "DCGM_FI_DEV_NEW_09 and 3 more" in notes
    assert "DCGM_FI_DEV_NEW_10" not in notes
    assert "go_" not in notes, "what is no device's is nobody's business"
    assert "accelerator_power_usage_watts was left out: its name is wrong, it holds milliwatts" in notes
    assert {one.metric for one in found.series} == {"accel.temp.core_celsius"}


def test_nothing_there_says_where_to_look() -> None:
    with pytest.raises(MeasureError, match=r"no samples of a device in this time: 1 names are here.*--match"):
        history(held("go_goroutines", [9]))
    with pytest.raises(MeasureError, match="no samples of a device"):
        history(held("DCGM_FI_DEV_GPU_TEMP", ["NaN", "NaN"], **H100))


@pytest.mark.parametrize("span", [(5.0, 5.0), (9.0, 5.0), (math.nan, 5.0), (0.0, math.inf), (-1.0, 5.0)])
def test_a_time_that_is_none_is_refused(span: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="a start and a later end"):
        read("http://127.0.0.1:9", start_s=span[0], end_s=span[1])


PROBLEM = {"status": "error", "errorType": "bad_data", "error": "1:2: parse error"}


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        (Said(400, json.dumps(PROBLEM).encode()), InputError, "1:2: parse error .bad_data, 400.*check --match"),
        (Said(401, b"Unauthorized"), InputError, "wants to know who asks.*Bearer TOKEN"),
        (Said(403, b"<html>no"), InputError, "wants to know who asks"),
        (Said(404, b"404 page not found"), InputError, "is not a Prometheus server"),
        (Said(200, b"<!doctype html><title>Sign in"), InputError, "a web page answers here"),
        (Said(200, b'{"status": "success"}'), MeasureError, "not like Prometheus"),
        (Said(200, b"[1, 2]"), InputError, "is not a Prometheus server"),
        (Said(200, b""), InputError, "is not a Prometheus server"),
        (Said(200, b"\xff\xfe{"), InputError, "is not a Prometheus server"),
        (Said(500, b"boom"), MeasureError, "the server failed: HTTP 500"),
        (Said(502, b"<html>Bad Gateway"), MeasureError, "the server failed: HTTP 502"),
        (Said(200, b"[" * 100_000), InputError, "is not a Prometheus server"),
    ],
)
def test_a_server_that_does_not_answer_as_wanted_is_told_in_words(said: Said, error: type, words: str) -> None:
    with answering(lambda asked: said) as url, pytest.raises(error, match=words):
        read(url, start_s=T0, end_s=T0 + 10)


def test_nobody_there_is_told_in_words() -> None:
    with pytest.raises(MeasureError, match="nothing listens there"):
        read(f"http://127.0.0.1:{free_port()}", start_s=T0, end_s=T0 + 10)


STRANGE = [
    {}, None, {"result": 3}, {"result": [{}]}, {"result": [{"metric": {}, "values": [[1]]}]},
    {"result": [{"metric": {"UUID": 3}, "values": [[1e400, "1"]]}]}, {"result": [{"metric": {}, "values": [[1, {}]]}]},
    {"result": [{"metric": [], "values": []}]},
]  # fmt: skip


@pytest.mark.parametrize("data", STRANGE)
def test_samples_of_another_shape_are_no_traceback(data: object) -> None:
    def answer(asked: Asked) -> Said:
        return success(["DCGM_FI_DEV_GPU_TEMP"]) if asked.path.endswith("values") else success(data)

    with answering(answer) as url, pytest.raises(MeasureError, match=r"not like Prometheus|no samples"):
        read(url, start_s=T0, end_s=T0 + 10)


def test_headers_gzip_a_path_and_a_filter_reach_the_server() -> None:
    asked: list[Asked] = []
    inner = small_prometheus([held("DCGM_FI_DEV_GPU_TEMP", [50], **H100, cluster="a")])

    def answer(one: Asked) -> Said:
        asked.append(one)
        said = inner(one)
        return Said(said.status, gzip.compress(said.body), {**said.headers, "Content-Encoding": "gzip"})

    with answering(answer) as url:
        told = {"Authorization": "Bearer abc", "X-Scope-OrgID": "7"}
        found = read(f"{url}/prometheus/", start_s=T0, end_s=T0 + 9, match='{cluster="a",}', headers=told)
    assert only(found, "accel.temp.core_celsius").value.tolist() == [50.0]
    assert {one.headers["Authorization"] for one in asked} == {"Bearer abc"}
    assert all(one.path.startswith("/prometheus/api/v1/") for one in asked)
    assert {one.query["match[]"] for one in asked if one.path.endswith("values")} == {'{cluster="a"}'}
    assert [one.query["query"] for one in asked if one.path.endswith("query")] == [
        '{__name__="DCGM_FI_DEV_GPU_TEMP",cluster="a"}[9001ms]'
    ]


def test_what_the_server_warns_of_is_told() -> None:
    inner = small_prometheus([held("DCGM_FI_DEV_GPU_TEMP", [50], **H100)])

    def answer(asked: Asked) -> Said:
        said = inner(asked)
        return (
            said
            if said.status != 200
            else success(json.loads(said.body)["data"], warnings=["partial response: store gone"])
        )

    with answering(answer) as url:
        assert "the server warns: partial response: store gone" in read(url, start_s=T0, end_s=T0 + 9).notes


# --- pages ----------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(1, 200).map(lambda tick: 500 * tick), max_size=60, unique=True).map(sorted),
    st.integers(2, 80).map(lambda ticks: 500 * ticks),  # so that samples lie on the edges of pages
    st.integers(1, 30),
)
def test_pages_of_any_size_give_each_sample_once(times_ms: list[int], first_ms: int, page: int) -> None:
    """Whether the server's windows include their beginning (Prometheus 2) or not (3)."""
    for includes in (True, False):
        told = server.Server.__new__(server.Server)
        told._exports = False
        windows = []

        def _queried(_: str, low: int, high: int, includes: bool = includes, windows: list = windows) -> Any:
            windows.append(high - low)
            here = [at for at in times_ms if (low <= at if includes else low < at) and at <= high]
            return iter([server.Scraped({}, here, [float(at) for at in here])])

        told._queried = _queried  # type: ignore[method-assign]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server, "FIRST_MS", first_ms)
            patch.setattr(server, "PAGE", page)
            found = [at for part in told.pages("{}", 1, 100_000) for one in part for at in one.at_ms]
        assert found == times_ms
        assert sum(windows) == 100_000


def test_a_server_that_cannot_answer_so_much_is_asked_for_less() -> None:
    inner = small_prometheus([held("DCGM_FI_DEV_GPU_TEMP", range(500), **H100)])
    windows = []

    def answer(asked: Asked) -> Said:
        if "query" not in asked.query:
            return inner(asked)
        windows.append(int(asked.query["query"].rpartition("[")[2][:-3]))
        if windows[-1] > 60_000:
            error = {
                "status": "error",
                "errorType": "execution",
                "error": "query processing would load too many samples",
            }
            return Said(422, json.dumps(error).encode())
        return inner(asked)

    with answering(answer) as url:
        assert len(only(read(url, start_s=T0, end_s=T0 + 600), "accel.temp.core_celsius")) == 500
    assert len(windows) < 60


def test_a_server_that_cannot_answer_at_all_is_given_up() -> None:
    error = {"status": "error", "errorType": "timeout", "error": "query timed out in expression evaluation"}

    def answer(asked: Asked) -> Said:
        return (
            success(["DCGM_FI_DEV_GPU_TEMP"]) if "query" not in asked.query else Said(503, json.dumps(error).encode())
        )

    with answering(answer) as url, pytest.raises(MeasureError, match=r"query timed out.*shorter time"):
        read(url, start_s=T0, end_s=T0 + 600)


def test_no_more_than_one_metric_is_held() -> None:
    asked: list[str] = []
    inner = small_prometheus(
        [held(name, [1, 2], **H100) for name in ("DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_POWER_USAGE")]
    )

    def answer(one: Asked) -> Said:
        asked.append(one.query.get("query", ""))
        return inner(one)

    with answering(answer) as url:
        work = iter(importer.Import(url, start_s=T0, end_s=T0 + 9))
        assert next(work).metric == "accel.power_w"
        assert not any("GPU_TEMP" in query for query in asked)
        assert [one.metric for one in work] == ["accel.temp.core_celsius"]


# --- real servers ---------------------------------------------------------------------------------------------------

LOOKS = 20


def agrees(found: History, fake: Fake, *, exact: bool, least: int = 100) -> None:
    """Every series holds what was shown at the looks that were scraped, in their order."""
    looks = [round(value) for value in only(found, TICK, AMD[0].id).value]
    assert looks == sorted(set(looks))
    assert len(looks) >= 0.8 * LOOKS, "the machine was too busy for every scrape, but not for this many"
    compared = 0
    for one in found.series:
        key = (HOST.id if one.of == HOSTNAME else one.of, one.metric)  # where there are many, a host has its own name
        shown = [fake.shown[look][key] for look in looks if key in fake.shown[look]]
        if exact:
            assert one.value.tolist() == shown, (one.of, one.metric)
        else:
            np.testing.assert_allclose(one.value, shown, rtol=1e-11, err_msg=f"{one.of} {one.metric}")
        assert (np.diff(one.at_s) > 0).all()
        compared += 1
    assert compared >= least


def test_a_real_prometheus_gives_back_sample_for_sample_what_was_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both views of one site, each scraped by Debian's Prometheus, and imported from there in small pages."""
    monkeypatch.setattr(server, "FIRST_MS", 3_000)
    monkeypatch.setattr(server, "PAGE", 60)
    start_s = time.time()
    ours, theirs = Fake(LOOKS), Fake(LOOKS, AMD)
    with serve(ours, port=0) as one, serve(theirs, port=0, names="dcgm") as other:
        targets = {"own": f"127.0.0.1:{one.port}", "dcgm": f"127.0.0.1:{other.port}"}
        with prometheus(tmp_path, targets) as url:
            until(lambda: len(ours.shown) == len(theirs.shown) == LOOKS)
            time.sleep(1.0)  # until the last look is scraped and stored
            end_s = time.time()
            own = read(url, start_s=start_s, end_s=end_s, match='job="own"')
            dcgm = read(url, start_s=start_s, end_s=end_s, match='job="dcgm"')
    agrees(own, ours, exact=True)
    told = {d.id: (d.name, d.vendor, d.parent, d.partition) for d in own.devices}
    assert told.pop(HOSTNAME) == (HOSTNAME, "host", "", "")
    assert told == {d.id: (d.name, d.vendor, d.parent, d.partition) for d in (*AMD, SLICE)}
    assert own.notes == ()
    agrees(dcgm, theirs, exact=False, least=40)
    assert {d.id: (d.name, d.vendor, d.address) for d in dcgm.devices} == {
        d.id: (d.name, "AMD", d.address) for d in AMD
    }


def test_a_real_victoriametrics_gives_back_what_was_shown(tmp_path: Path) -> None:
    """It keeps 64-bit numbers as decimals, and so rounds them in the twelfth place."""
    start_s = time.time()
    fake = Fake(LOOKS)
    with serve(fake, port=0) as shown, victoria(tmp_path, {"own": f"127.0.0.1:{shown.port}"}) as url:
        until(lambda: len(fake.shown) == LOOKS)

        def told() -> History | None:
            try:
                return read(url, start_s=start_s, end_s=time.time())
            except MeasureError:  # it makes samples visible after a second or two
                return None

        until(lambda: (now := told()) and len(next(s for s in now.series if s.metric == TICK)) == LOOKS)
        found = read(url, start_s=start_s, end_s=time.time())
    agrees(found, fake, exact=False)
    assert HOSTNAME in {device.id for device in found.devices}
