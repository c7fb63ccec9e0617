"""A stand-in for AMD's binding, in the shapes of amdsmi 7.0.2. STUB_AMDSMI: mi300x, cpx, mi250, guest, absent."""

import os
import time

KIND = os.environ.get("STUB_AMDSMI", "mi300x")
BEGAN_S = time.monotonic()


class AmdSmiException(Exception):
    pass


class AmdSmiClkType:
    GFX, MEM = "gfx", "mem"


class AmdSmiTemperatureType:
    EDGE, HOTSPOT, VRAM = "edge", "hotspot", "vram"


class AmdSmiTemperatureMetric:
    CURRENT = 0


def amdsmi_init():
    if KIND == "absent":
        raise AmdSmiException("AMDSMI_STATUS_DRIVER_NOT_LOADED - Driver not loaded")


def amdsmi_shut_down():
    pass


def amdsmi_get_processor_handles():
    return list(range({"cpx": 8}.get(KIND, 2)))


def _passed_s():
    return time.monotonic() - BEGAN_S


def _silent(gpu):
    """The second die of an MI250, and all partitions but the first, have no word for the whole card."""
    return gpu > 0 and KIND in ("cpx", "mi250")


def amdsmi_get_gpu_device_uuid(gpu):
    return "fcff74a1-0000-1000-80cf-2bb1e8a37f52" if KIND == "cpx" else f"fcff74a1-0000-1000-80cf-2bb1e8a37f{gpu:02x}"


def amdsmi_get_gpu_device_bdf(gpu):
    return f"0000:05:00.{gpu}" if KIND == "cpx" else f"0000:{5 + 32 * gpu:02x}:00.0"


def amdsmi_get_gpu_asic_info(gpu):
    return {
        "market_name": "AMD Instinct MI250X" if KIND == "mi250" else "AMD Instinct MI300X",
        "num_compute_units": 304,
    }


def amdsmi_get_gpu_compute_partition(gpu):
    return {"cpx": "CPX", "mi300x": "SPX"}.get(KIND, "N/A")


def amdsmi_get_gpu_kfd_info(gpu):
    return {"kfd_id": 41310 + gpu, "node_id": 2 + gpu, "current_partition_id": gpu if KIND == "cpx" else "N/A"}


def amdsmi_get_gpu_driver_info(gpu):
    return {"driver_name": "amdgpu", "driver_version": "6.12.12", "driver_date": "N/A"}


def amdsmi_get_gpu_vram_usage(gpu):
    whole = {"cpx": 196592 // 8, "mi250": 65520}.get(KIND, 196592)
    return {"vram_total": whole, "vram_used": whole * 3 // 4 + gpu}


def amdsmi_get_energy_count(gpu):
    if _silent(gpu):
        return {"energy_accumulator": 0, "counter_resolution": 15.3, "timestamp": 0}
    joules = 20909145.914 + 640.0 * _passed_s()
    return {
        "energy_accumulator": int(joules / 15.3e-6),
        "counter_resolution": 15.300000190734863,
        "timestamp": int(time.time() * 1e9),
    }


def amdsmi_get_gpu_process_list(gpu):
    return [{"name": "python3", "pid": 4242, "mem": 1 << 30, "cu_occupancy": 304}]


def amdsmi_get_power_cap_info(gpu):
    if KIND == "guest":
        raise AmdSmiException("AMDSMI_STATUS_NOT_SUPPORTED")
    return {"power_cap": 750_000_000, "default_power_cap": 750_000_000, "max_power_cap": 750_000_000}


def amdsmi_get_gpu_total_ecc_count(gpu):
    return {"correctable_count": gpu, "uncorrectable_count": 0, "deferred_count": 0}


def amdsmi_get_gpu_metrics_info(gpu):
    if KIND == "guest":
        raise AmdSmiException("AMDSMI_STATUS_NOT_SUPPORTED")
    loops = int(1000 * _passed_s())  # one a millisecond
    silent, old = _silent(gpu), KIND == "mi250"
    return {
        "common_header.structure_size": 2048,
        "temperature_edge": 47 if old else "N/A",
        "temperature_hotspot": 0 if silent else 63,
        "temperature_mem": 0 if silent else 51,
        "average_gfx_activity": 0 if silent and not old else 97,
        "average_umc_activity": 0 if silent and not old else 41,
        "average_mm_activity": "N/A",
        "average_socket_power": (0 if silent else 512) if old else "N/A",
        "current_socket_power": "N/A" if old else 0 if silent else 640,
        "current_gfxclk": 1700 if old else "N/A",
        "current_gfxclks": "N/A" if old else [1913, 1911, 1915, 1912, 1914, 1913, 1910, 1912],
        "current_uclk": 1600 if old else 1300,
        "gfx_activity_acc": 123456,
        "temperature_hbm": ["N/A", "N/A", "N/A", "N/A"],
        "xgmi_read_data_acc": ["N/A"] + [9_000_000 + int(4e6 * _passed_s())] * 7,
        "xgmi_write_data_acc": ["N/A"] + [8_000_000 + int(4e6 * _passed_s())] * 7,
        "accumulation_counter": "N/A" if old else 808779 + loops,
        "prochot_residency_acc": "N/A" if old else 0,
        "ppt_residency_acc": "N/A" if old else 1200 + loops // 4,
        "socket_thm_residency_acc": "N/A" if old else 30,
        "vr_thm_residency_acc": "N/A" if old else 0,
        "hbm_thm_residency_acc": "N/A" if old else 0,
        "xcp_stats.gfx_busy_inst": [[97] * 8] * 8,
    }


def amdsmi_get_gpu_activity(gpu):
    return {"gfx_activity": 97, "umc_activity": 41, "mm_activity": "N/A"}


def amdsmi_get_power_info(gpu):
    return {
        "socket_power": 640_000_000,  # µW, as a hypervisor's host says it
        "current_socket_power": "N/A",
        "average_socket_power": "N/A",
        "power_limit": 750,
    }


def amdsmi_get_clock_info(gpu, which):
    return {"clk": 1913 if which == "gfx" else 1300, "min_clk": 132, "max_clk": 2100}


def amdsmi_get_temp_metric(gpu, sensor, metric):
    if sensor == "edge":
        raise AmdSmiException("AMDSMI_STATUS_NOT_SUPPORTED")
    return {"hotspot": 63_000, "vram": 51_000}[sensor]  # m°C, as older libraries say it
