"""All vendors alike: what they have agreed on, held against every recording; and the traps of each, one by one."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import metrics
from assay.telemetry import plugins, reading
from assay.telemetry.reading import Field, living, number, table
from assay.telemetry.recording import opened
from assay.telemetry.vendors import amd, neuron, nvidia, tpu
from assay.testing import complaints

RECORDED = Path(__file__).parents[1] / "recorded" / "telemetry"
VENDORS = ("amd", "cerebras", "gaudi", "graphcore", "host", "intel", "neuron", "nvidia", "replay", "tpu")


def recordings(vendor: str) -> list[Path]:
    return [path for path in sorted(RECORDED.glob("*.jsonl")) if opened(path)[0]["vendor"] == vendor]


def told(name: str) -> list[dict]:
    """The readings of a recording, answer by answer, as {(device, metric): value}."""
    head, answers = opened(RECORDED / f"{name}.jsonl")
    normalise = plugins.load(head["vendor"]).normalise
    return [{(r.of, r.metric): r.value for r in normalise(answer.raw)} for answer in answers]


def of(readings: dict, device: str) -> dict:
    return {metric: value for (name, metric), value in readings.items() if name == device}


# --- all of them ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendor_keeps_to_what_all_have_agreed_on(vendor):
    assert complaints(f"assay.telemetry.vendors.{vendor}", recordings(vendor)) == ()


def test_every_vendor_in_the_house_is_tried_and_all_but_the_replay_on_a_recording():
    assert set(VENDORS) == {path.stem for path in Path(plugins.vendors.__path__[0]).glob("[a-z]*.py")}
    assert [vendor for vendor in VENDORS if not recordings(vendor)] == ["replay"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_everything_a_vendor_can_tell_is_told_in_some_recording(vendor):
    """A row of a table that no recording reaches is a guess that nobody has tried."""
    heard = {metric for path in recordings(vendor) for answer in told(path.stem) for _, metric in answer}
    assert {field.metric for field in plugins.load(vendor).FIELDS} - heard <= UNHEARD.get(vendor, set())


UNHEARD = {"intel": {"accel.mem.total_bytes"}}  # the kernel does not tell it on our recorded card

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


@given(JSON)
def test_no_value_is_too_strange_to_be_read_as_none(value):
    read = number(value)
    assert read is None or (isinstance(read, float) and abs(read) < 9.3e18)


@given(
    st.dictionaries(
        st.sampled_from(["utilization", "gpm", "memory", "energy", "power_average", "reasons", "xid"]), JSON
    )
)
def test_a_driver_that_answers_nonsense_gives_possible_readings_or_none(answers):
    for r in nvidia.normalise({"devices": [{"id": "GPU-0", **answers}]}):
        if r.metric in ("accel.busy", "accel.core.active", "accel.throttle.power"):
            assert 0 <= r.value <= 1


@given(st.floats(0, 1e15, allow_nan=False), st.floats(1e-9, 1e9))
def test_a_value_within_its_bounds_is_scaled_and_nothing_else(value, scale):
    (read,) = table({"id": "x", "a": {"b": value}}, [Field("accel.power_w", "a.b", scale)])
    assert read.value == value * scale


def test_of_two_paths_the_first_that_answers_counts_and_a_metric_is_told_once():
    fields = [Field("accel.busy", "a"), Field("accel.busy", "b.1"), Field("accel.busy", "c")]
    assert [r.value for r in table({"id": 7, "a": "N/A", "b": [0.1, 0.2], "c": 0.3}, fields)] == [0.2]


@pytest.mark.parametrize(
    "value",
    [9223372036854775792, 9223372036854775794, 9223372036854775795, 140737488355328.0, 140737488355331.0, 2147483632,
     2147483635, 4294967295, 18446744073709551615, float("nan"), float("inf"), "N/A", "[N/A]", "", None, True, [1]],
)  # fmt: skip
def test_a_drivers_way_of_saying_nothing_is_no_number(value):
    assert number(value) is None


def test_a_dead_profiler_is_known_by_a_device_that_is_busy_and_does_nothing_at_all():
    def device(busy, *profiled):
        names = ["accel.core.active", "accel.matrix.active"]
        values = zip(["accel.busy", *names], [busy, *profiled], strict=False)
        return [r.value for r in living(reading.Reading("x", metric, value, "average") for metric, value in values)]

    assert device(1.0, 0.0, 0.0) == [1.0]  # NVIDIA/DCGM issue 303
    assert device(1.0, 0.2, 0.0) == [1.0, 0.2, 0.0]  # it waits for others: busy, and no matrix work
    assert device(0.0, 0.0, 0.0) == [0.0, 0.0, 0.0]  # idle is idle


# --- imports -------------------------------------------------------------------------------------------------------

FOREIGN = {
    "DCGM_FI_DEV_FB_USED": (32429, "accel.mem.used_bytes", 32429 * 2**20),
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": (5e6, "accel.energy_j", 5e3),
    "DCGM_FI_DEV_SM_CLOCK": (1755, "accel.clock.core_hz", 1.755e9),
    "DCGM_FI_DEV_GPU_UTIL": (97, "accel.busy", 0.97),
    "DCGM_FI_PROF_SM_ACTIVE": (0.9126, "accel.core.active", 0.9126),
    "DCGM_FI_DEV_POWER_VIOLATION": (3e9, "accel.throttle.power.time_s", 3.0),
    "gpu_used_vram": (1000, "accel.mem.used_bytes", 1000 * 2**20),
    "gpu_energy_consumed": (5e6, "accel.energy_j", 5.0),
    "gpu_prof_tensor_active_percent": (40, "accel.matrix.active", 0.4),
    "habanalabs_power_mW": (512300, "accel.power_w", 512.3),
    "habanalabs_energy": (5000, "accel.energy_j", 5.0),
    "neuroncore_utilization_ratio": (0.42, "accel.busy", 0.42),  # the tool itself says per cent
    "xpum_energy_joules": (5, "accel.energy_j", 5.0),
    "node_rapl_package_joules_total": (5, "host.energy_j", 5.0),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_others_export_is_read_in_their_units(name):
    value, metric, ours = FOREIGN[name]
    (rule,) = [plugins.load(v).PROMETHEUS[name] for v in VENDORS if name in plugins.load(v).PROMETHEUS]
    assert (rule.metric, value * rule.scale) == (metric, pytest.approx(ours))


def test_old_and_new_dcgm_names_mean_the_same():
    pairs = {
        "DCGM_FI_PROF_SM_ACTIVE": "DCGM_FI_PROF_SM_UTIL_RATIO",
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE": "DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO",
        "DCGM_FI_DEV_POWER_USAGE": "DCGM_FI_DEV_BOARD_POWER_WATTS",
        "DCGM_FI_DEV_GPU_TEMP": "DCGM_FI_DEV_GPU_TEMP_CELSIUS",
    }
    assert all(nvidia.PROMETHEUS[old] == nvidia.PROMETHEUS[new] for old, new in pairs.items())


def test_dcgm_traffic_is_a_rate_though_its_name_says_bytes():
    for name in ("PCIE_TX", "PCIE_RX", "NVLINK_TX", "NVLINK_RX"):
        rule = nvidia.PROMETHEUS[f"DCGM_FI_PROF_{name}_BYTES"]
        assert rule.metric.endswith("_bytes_per_s")
        assert rule.quality != "counter"


def test_names_that_are_known_to_be_wrong_are_never_imported():
    wrong = {"accelerator_power_usage_watts", "accelerator_sm_clock_hertz", "accelerator_memory_clock_hertz"}
    assert not wrong & {name for vendor in VENDORS for name in plugins.load(vendor).PROMETHEUS}


def test_no_two_vendors_claim_one_exported_name():
    names = [name.casefold() for vendor in VENDORS for name in plugins.load(vendor).PROMETHEUS]
    assert len(names) == len(set(names))


# --- NVIDIA (by its own binding: test_nvml.py) ---------------------------------------------------------------------


def test_the_zeros_of_an_idle_gpu_are_zeros():
    *_, last = told("nvidia-idle")
    gpu = of(last, "GPU-604ac76c-0000-0000-0000-000000000000")
    assert (gpu["accel.busy"], gpu["accel.core.active"], gpu["accel.matrix.active"]) == (0, 0, 0)
    assert gpu["accel.power_w"] == pytest.approx(69.12)
    assert gpu["accel.throttle.other"] == 0  # a clock that is low for want of work is not throttled


def test_blanks_of_every_kind_leave_a_hole_and_no_number():
    *_, last = told("nvidia-blanks")
    first, second = (of(last, f"GPU-604ac76c-0000-000{i}-0000-000000000000") for i in (0, 1))
    absent = {
        "accel.temp.mem_celsius", "accel.energy_j", "accel.power_w", "accel.temp.core_celsius",
        "accel.temp.margin_celsius", "accel.clock.mem_hz", "link.fabric.tx_bytes", "accel.mem.used_bytes",
    }  # fmt: skip
    assert not absent & first.keys()
    assert first["accel.mem.total_bytes"] == 85899345920
    assert "accel.core.active" not in second  # 6553.5 % is another quantity
    assert second["accel.matrix.active"] == pytest.approx(0.2794)
    assert not {"accel.temp.mem_celsius", "accel.power_w"} & second.keys()


# --- AMD -----------------------------------------------------------------------------------------------------------


def test_amds_megabytes_are_binary_and_its_energy_is_a_product():
    *_, last = told("amd-mi300x")
    name = "fcff74a1-0000-1000-80cf-2bb1e8a37f00"
    gpu = of(last, name)
    assert gpu["accel.mem.total_bytes"] == 196592 * 2**20  # 192 GiB less a little
    assert gpu["accel.energy_j"] == pytest.approx(20909145.914, rel=1e-4)
    assert (gpu["accel.power_w"], of(told("amd-mi300x")[0], name)["accel.power.limit_w"]) == (640, 750)


def test_amds_throttling_is_a_share_of_the_firmwares_loops():
    answers = told("amd-mi300x")
    gpu = "fcff74a1-0000-1000-80cf-2bb1e8a37f00"
    assert "accel.throttle.power.time_s" not in of(answers[0], gpu)  # of one look nothing can be said
    assert of(answers[-1], gpu)["accel.throttle.power"] == 1
    assert of(answers[-1], gpu)["accel.throttle.thermal"] == 0
    _, lines = opened(RECORDED / "amd-mi300x.jsonl")
    times = [answer.at_s for answer in lines]
    assert of(answers[-1], gpu)["accel.throttle.power.time_s"] == pytest.approx((times[-1] - times[0]) / 4, rel=0.1)


def test_of_a_card_in_partitions_only_the_first_tells_power_and_the_others_are_silent_not_zero():
    *_, last = told("amd-mi300x-cpx")
    names = sorted({device for device, _ in last})
    assert len(names) == 8
    assert of(last, names[0])["accel.power_w"] == 640
    for name in names[1:]:
        assert of(last, name).keys() <= amd.OF_A_PARTITION
        assert of(last, name)["accel.mem.total_bytes"] == 24574 * 2**20
    _, answers = opened(RECORDED / "amd-mi300x-cpx.jsonl")
    described = reading.about(next(answers).raw)
    assert {device.parent for device in described[1:]} == {described[0].id}
    assert described[3].partition == "CPX 3"


def test_the_second_die_of_a_card_is_silent_where_the_first_speaks_for_both():
    *_, last = told("amd-mi250x")
    first, second = (of(last, f"fcff74a1-0000-1000-80cf-2bb1e8a37f0{i}") for i in (0, 1))
    assert first["accel.power_w"] == 512
    assert not {"accel.power_w", "accel.energy_j", "accel.temp.mem_celsius"} & second.keys()
    assert (second["accel.busy"], second["accel.temp.core_celsius"]) == (pytest.approx(0.97), 47)  # it has its own


def test_microwatts_and_thousandths_of_degrees_are_known_by_their_size():
    *_, last = told("amd-hypervisor")
    gpu = of(last, "fcff74a1-0000-1000-80cf-2bb1e8a37f00")
    assert (gpu["accel.power_w"], gpu["accel.temp.core_celsius"], gpu["accel.temp.mem_celsius"]) == (640, 63, 51)


@given(st.floats(1, 2000))
def test_a_power_reads_alike_in_watts_and_in_microwatts(power_w):
    for raw in ({"socket_power": power_w}, {"socket_power": power_w * 1e6}):
        (read,) = amd.normalise({"devices": [{"id": "x", "power": raw}]})
        assert read.value == pytest.approx(power_w)


def test_a_gpu_of_which_the_tool_says_n_a_has_nothing_but_its_size():
    *_, last = [answer for answer in told("amd-smi") if answer]
    assert of(last, "0000:25:00.0") == {"accel.mem.total_bytes": 294896 * 2**20}
    whole = of(last, "fcff74a1-0000-1000-80cf-2bb1e8a37f00")
    assert (whole["accel.busy"], whole["accel.power_w"], whole["accel.energy_j"]) == (pytest.approx(0.47), 239, 12345.5)
    assert (whole["accel.throttle.power"], whole["accel.throttle.thermal"]) == (1, 0)


def test_sixteen_bits_of_ones_are_no_activity_and_no_watts():
    *_, last = told("amd-blanks")
    gpu = of(last, "fcff74a1-0000-1000-80cf-2bb1e8a37f00")
    absent = {"accel.busy", "accel.power_w", "accel.temp.core_celsius", "accel.mem.used_bytes", "link.fabric.rx_bytes"}
    assert not absent & gpu.keys()
    assert gpu["accel.energy_j"] == pytest.approx(1366611000000 * 15.3e-6, rel=1e-6)  # by its older name


# --- the others ----------------------------------------------------------------------------------------------------


def test_gaudi_reads_alike_through_library_and_tool():
    *_, library = told("gaudi-hlml")
    busy = of(library, "01P0-HL2080A0-15-TN8S77-06-04-00")
    assert (busy["accel.busy"], busy["accel.power_w"], busy["accel.clock.core_hz"]) == (0.93, 512.3, 1.65e9)
    assert (busy["accel.throttle.power"], busy["accel.throttle.thermal"]) == (1, 0)
    assert "accel.temp.mem_celsius" not in of(library, "01P0-HL2080A0-15-TN8S77-06-04-01")
    tool = next(answer for answer in told("gaudi-hl-smi") if answer)
    idle = of(tool, "01P0-HL2080A0-15-TN8S77-06-04-00")
    assert idle == {"accel.busy": 0, "accel.mem.used_bytes": 672 * 2**20, "accel.mem.total_bytes": 98304 * 2**20,
                    "accel.power_w": 98, "accel.power.limit_w": 600, "accel.temp.core_celsius": 27}  # fmt: skip


def test_an_ipu_without_a_power_sensor_has_no_power():
    *_, last = told("graphcore")
    busy, idle = of(last, "ipu-0000:b1:00.0"), of(last, "ipu-0000:b2:00.0")
    assert (busy["accel.power_w"], busy["accel.busy"], busy["accel.clock.core_hz"]) == (87.32, 0.7831, 1.85e9)
    assert "accel.power_w" not in idle
    assert (idle["accel.busy"], idle["accel.health"]) == (0, 1)
    inside = next(answer for answer in told("graphcore-gc-monitor") if answer)
    assert of(inside, "ipu-0000:b2:00.0")["accel.health"] == 0


def test_a_core_that_two_processes_use_is_one_core():
    *_, last = told("neuron-trn1")
    core = of(last, "neuroncore1")
    assert core["accel.busy"] == pytest.approx(0.905)  # 60.5 % and 30 %
    assert core["accel.processes"] == 2
    assert core["accel.mem.used_bytes"] == 2 * (1024 + 101188640 + 1210336)
    assert of(last, "neuroncore0")["accel.busy"] == pytest.approx(0.4201)
    assert of(last, "neuron0")["accel.mem.total_bytes"] == 32 * 2**30
    assert "accel.power_w" not in {metric for _, metric in last}


@given(st.lists(st.floats(0, 100), min_size=1, max_size=4))
def test_shares_of_a_neuron_core_never_add_up_to_more_than_all_of_it(shares):
    runtimes = [
        {"report": {"neuroncore_counters": {"neuroncores_in_use": {"0": {"neuroncore_utilization": share}}}}}
        for share in shares
    ]
    read = list(neuron.normalise({"devices": [], "document": {"neuron_runtime_data": runtimes}}))
    assert all(r.value <= 1 for r in read if r.metric == "accel.busy")


def test_a_tpu_tells_shares_memory_throttling_and_links_by_chip():
    *_, last = told("tpu-v5e")
    assert of(last, "/dev/accel0")["accel.matrix.active"] == pytest.approx(0.612)
    assert of(last, "/dev/accel1")["accel.throttle.score"] == pytest.approx(0.1)
    assert of(last, "/dev/accel1")["link.health"] == 0.5
    assert of(last, "/dev/accel0")["accel.exec.device_s"] == pytest.approx(800e-6)
    assert of(last, "/dev/accel3")["accel.mem.used_bytes"] == 0
    assert told("tpu-idle")[-1] == {}  # without a program there is nothing to hear, and nothing is made up


def test_cores_of_a_chip_are_averaged_and_their_memory_added():
    raw = {
        "devices": [{"id": "a"}, {"id": "b"}],
        "metrics": {"tensorcore_util": ["10", "30", "0", "0"], "hbm_capacity_usage": ["1", "2", "3", "4"]},
    }
    read = {(r.of, r.metric): r.value for r in tpu.normalise(raw)}
    assert read["a", "accel.matrix.active"] == pytest.approx(0.2)
    assert read["b", "accel.mem.used_bytes"] == 7
    raw["metrics"]["tensorcore_util"] = ["10", "30", "0"]  # of two chips? nobody can say
    assert ("a", "accel.matrix.active") not in {(r.of, r.metric) for r in tpu.normalise(raw)}


def test_idle_time_of_a_tpu_goes_on_when_its_own_count_starts_anew():
    idle = tpu.Idle()
    assert [idle.since([told])[0] for told in ("10", "12", "0", "3")] == [0, 2, 2, 5]


def test_a_wafer_is_well_or_not_and_of_an_unknown_state_nothing_is_said():
    assert told("cerebras")[0] == {("cs2-01", "accel.health"): 1, ("cs2-02", "accel.health"): 0}
    _, answers = opened(RECORDED / "cerebras-silent.jsonl")
    assert "neither utilization nor power" in " ".join(reading.warnings(next(answers).raw))


def test_an_intel_gpus_energy_is_the_kernels_and_its_utilization_the_tools():
    *_, last = told("intel-max1550")
    gpu = of(last, "0000:4d:00.0")
    assert (gpu["accel.energy_j"], gpu["accel.power.limit_w"], gpu["accel.clock.core_hz"]) == (5951, 600, 1.55e9)
    assert (gpu["accel.busy"], gpu["accel.core.active"]) == (pytest.approx(0.712), pytest.approx(0.445))
    assert (gpu["accel.temp.core_celsius"], gpu["accel.temp.mem_celsius"]) == (57, 63)
    assert (gpu["accel.throttle.power"], gpu["accel.throttle.thermal"]) == (1, 0)


def test_every_recording_says_what_it_is_and_how_far_it_may_be_trusted():
    for path in RECORDED.glob("*.jsonl"):
        head, answers = opened(path)
        assert len(head["recorded"]) > 20
        assert len(list(answers)) > 0
        assert json.loads(path.read_text(encoding="utf-8").splitlines()[0])["vendor"] in VENDORS


def test_every_device_metric_is_told_by_some_vendor_or_made_by_us():
    """A name in the canonical table that nobody can tell would be an empty promise."""
    tables = {field.metric for vendor in VENDORS for field in plugins.load(vendor).FIELDS}
    worked_out = {f"accel.throttle.{kind}" for kind in ("thermal", "power", "other")}
    worked_out |= {
        "accel.health",
        "link.errors",
        "host.cpu.busy",
        "host.cpu.iowait",
        "host.cpu.steal",
        "host.mem.used_bytes",
    }
    assert {*metrics.group("device"), *metrics.group("host")} - tables - worked_out == set()
