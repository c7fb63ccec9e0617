"""Names lead out of Assay and back, and are those that other people's tools look for."""

import re

import pytest
from tests.telemetry.site import AMD, HOST, SLICE

from assay import metrics
from assay.machine import Device
from assay.telemetry import names
from assay.telemetry.reading import Reading, Snapshot

EXPORTED = [*metrics.group("device"), *metrics.group("host")]


@pytest.mark.parametrize(
    ("ours", "prometheus", "otel", "unit"),
    [
        ("accel.power_w", "hw_power_watts", "hw.power", "W"),
        ("accel.energy_j", "hw_energy_joules_total", "hw.energy", "J"),
        ("accel.busy", "hw_gpu_utilization_ratio", "hw.gpu.utilization", "1"),
        ("accel.mem.used_bytes", "hw_gpu_memory_usage_bytes", "hw.gpu.memory.usage", "By"),
        ("accel.temp.mem_celsius", "hw_temperature_celsius", "hw.temperature", "Cel"),
        ("accel.errors.corrected", "hw_errors_total", "hw.errors", "{error}"),
        ("accel.core.active", "accel_core_active_ratio", "accel.core.active", "1"),
        ("accel.clock.core_hz", "accel_clock_core_hertz", "accel.clock.core", "Hz"),
        (
            "accel.throttle.thermal.time_s",
            "accel_throttle_thermal_time_seconds_total",
            "accel.throttle.thermal.time",
            "s",
        ),
        ("accel.throttle.thermal", "accel_throttle_thermal", "accel.throttle.thermal", "{state}"),
        ("accel.processes", "accel_processes", "accel.processes", "{process}"),
        ("accel.flop_per_s", "accel_flop_per_second", "accel.flop", "{operation}/s"),
        ("link.fabric.tx_bytes", "link_fabric_tx_bytes_total", "link.fabric.tx", "By"),
        ("link.fabric.tx_bytes_per_s", "link_fabric_tx_rate_bytes_per_second", "link.fabric.tx.rate", "By/s"),
        ("host.net.rx_bytes", "system_network_io_bytes_total", "system.network.io", "By"),
    ],
)
def test_a_name_follows_the_rules_of_opentelemetry(ours: str, prometheus: str, otel: str, unit: str) -> None:
    known = names.exported(ours)
    assert (known.prometheus, known.otel, known.unit) == (prometheus, otel, unit)


def test_every_name_is_one_that_prometheus_takes_and_tells_no_two_metrics_alike() -> None:
    seen = set()
    for metric in EXPORTED:
        known = names.exported(metric)
        assert re.fullmatch(r"[a-z_][a-z0-9_]*", known.prometheus)
        assert "__" not in known.prometheus
        assert (known.prometheus.endswith("_total")) == (metrics.metric(metric).kind == "counter")
        seen.add((known.prometheus, *sorted(known.attributes.items())))
    assert len(seen) == len(EXPORTED)


def test_metrics_that_share_a_name_share_unit_and_shape() -> None:
    """Prometheus and OpenTelemetry refuse a name that is a counter here and a gauge there."""
    by_otel: dict[str, set[tuple[str, str, str]]] = {}
    for metric in EXPORTED:
        known = names.exported(metric)
        by_otel.setdefault(known.otel, set()).add((known.unit, known.shape, known.prometheus))
    assert {name: told for name, told in by_otel.items() if len(told) > 1} == {}


def test_every_name_leads_back_to_the_metric_it_came_from() -> None:
    back = {
        (family, tuple((row.labels or {}).items())): row.metric for family, rows in names.own().items() for row in rows
    }
    for metric in EXPORTED:
        known = names.exported(metric)
        labels = tuple((names.label(key), value) for key, value in known.attributes.items())
        assert back[known.prometheus, labels] == metric


def test_a_metric_of_a_plugin_that_nobody_described_is_exported_by_its_unit() -> None:
    assert names.exported("chip.fan_w").prometheus == "chip_fan_watts"
    assert names.exported("chip.mood").prometheus == "chip_mood_ratio"


def test_every_name_of_the_dcgm_view_is_in_nvidias_own_table() -> None:
    from assay.telemetry.vendors import nvidia

    assert set(names.DCGM) <= nvidia.PROMETHEUS.keys()
    assert {old.name for rows in names.dcgm().values() for old in rows} == set(names.DCGM)
    assert names.dcgm()["accel.power_w"] == (names.Old("DCGM_FI_DEV_POWER_USAGE", 1.0),)


def snapshot(devices: tuple[Device, ...], *readings: Reading) -> Snapshot:
    return Snapshot(
        host="n1", devices=devices, readings=readings, at_s={d.id: 1.0 for d in devices}, began_s=0.0
    )  # fmt: skip


def test_the_dcgm_view_counts_accelerators_and_not_the_host() -> None:
    told = dict(names.dcgm_labels(snapshot((HOST, *AMD), Reading("host", "host.load", 1.0, "instant"))))
    assert HOST.id not in told
    assert [told[device.id]["gpu"] for device in AMD] == ["0", "1"]
    first = told[AMD[0].id]
    assert (first["UUID"], first["modelName"], first["Hostname"]) == (AMD[0].id, "AMD Instinct MI300X", "n1")
    assert first["pci_bus_id"] == AMD[0].address


def test_a_partition_looks_like_a_mig_slice_of_its_card() -> None:
    told = dict(names.dcgm_labels(snapshot((*AMD, SLICE))))[SLICE.id]
    assert (told["gpu"], told["UUID"], told["GPU_I_ID"], told["GPU_I_PROFILE"]) == ("0", AMD[0].id, "1", "cpx 1")
