"""NVIDIA's library is asked in a process of its own: whatever it does, the capture goes on."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from assay.measure.inventory import nvml
from assay.measure.inventory.devices import devices

LIBRARY = """
class NVMLError(Exception): pass
class Old(NVMLError): pass
NVML_CLOCK_SM, NVML_CLOCK_GRAPHICS, NVML_AFFINITY_SCOPE_NODE = 1, 0, 0
class Info: busId, total, pid, usedGpuMemory = b"00000000:17:00.0", 85520809984, 4242, (1 << 64) - 1
def nvmlInit(): pass
def nvmlDeviceGetCount(): return 1
def nvmlDeviceGetHandleByIndex(i): return i
def nvmlSystemGetDriverVersion(): return b"550.90.07"
def nvmlSystemGetCudaDriverVersion_v2(): return 12040
def nvmlDeviceGetName(h): return "NVIDIA H100 80GB HBM3"
def nvmlDeviceGetUUID(h): return "GPU-5fd4f087"
def nvmlDeviceGetPciInfo(h): return Info
def nvmlDeviceGetMemoryInfo(h): return Info
def nvmlDeviceGetEnforcedPowerLimit(h): return 450000
def nvmlDeviceGetMigMode(h): raise NVMLError("Not Supported")
def nvmlDeviceGetMemoryAffinity(h, size, scope): return [0b10]
def nvmlDeviceGetNvLinkState(h, link):
    if link > 2: raise NVMLError("Invalid Argument")
    return int(link != 1)
def nvmlDeviceGetNvLinkRemotePciInfo(h, link): return Info
def nvmlDeviceGetNvLinkRemoteDeviceType(h, link): return 2 if link else 0
def nvmlDeviceGetComputeRunningProcesses(h): return [Info]
"""


STUB = Path(__file__).parents[2] / "stubs/nvml/nvml.c"


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Puts a library in place of the real one, and something in place of its driver's device node."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(nvml, "SIGNS", ("proc/self",))
    if not Path("/proc/self").exists():
        pytest.skip("no /proc here to stand for a device node")
    return (tmp_path / "pynvml.py").write_text


def test_all_that_a_device_answers_is_told_in_si_and_what_it_does_not_is_absent(library):
    library(LIBRARY)
    told, why = nvml.told()
    assert (why, told["driver"], told["cuda"]) == ("", "550.90.07", "12.4")
    (device,) = told["devices"]
    wanted = {"uuid": "GPU-5fd4f087", "power_cap_w": 450.0, "memory_bytes": 85520809984, "numa_node": 1}
    assert {key: device[key] for key in wanted} == wanted
    assert device["nvlinks"] == ["00000000:17:00.0", "switch"]
    assert device["processes"] == [{"pid": 4242, "memory_bytes": None}]  # "not available" is no size
    assert not {"mig", "ecc", "vbios"} & device.keys()


def test_a_device_carries_the_id_that_its_readings_carry(library):
    library(LIBRARY)
    (device,) = [d for d in devices() if d.found_by == "nvml"]
    assert (device.id, device.address, device.driver) == ("GPU-5fd4f087", "0000:17:00.0", "nvidia 550.90.07")


def test_through_the_real_binding_a_cut_device_tells_its_cap_and_its_parts(tmp_path, monkeypatch):
    compiler = shutil.which("cc")
    if compiler is None or not Path("/proc/self").exists():
        pytest.skip("no C compiler here to build the stub of NVIDIA's library")
    built = tmp_path / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", built, STUB], check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    monkeypatch.setenv("STUB_NVML", "mig,devices=1")
    monkeypatch.setattr(nvml, "SIGNS", ("proc/self",))
    told, why = nvml.told()
    (device,) = told["devices"]
    assert (why, device["power_cap_w"], device["mig"]) == ("", 700.0, True)
    assert [part["name"].rpartition(" ")[2] for part in device["partitions"]] == ["3g.40gb"] * 2
    monkeypatch.setenv("STUB_NVML", "absent")
    assert nvml.told() == ({}, "NVML: Driver Not Loaded")


def test_a_device_without_a_uuid_is_called_by_its_address(tmp_path):
    home = tmp_path / "sys/bus/pci/devices/0000:05:00.0"
    home.mkdir(parents=True)
    (home / "vendor").write_text("0x1002\n")
    (home / "class").write_text("0x120000\n")
    assert [d.id for d in devices(tmp_path, {"CEREBRAS_CS_IP": "1"})] == ["0000:05:00.0", "$CEREBRAS_CS_IP"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (LIBRARY.replace("def nvmlInit(): pass", 'def nvmlInit(): raise NVMLError("Driver Not Loaded")'),
         "NVML: Driver Not Loaded"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "NVML: exit -11"),
        ("import os\nprint('garbage')\nos._exit(0)", "NVML: the answer was not understood"),
        ("raise ImportError", "NVML: nvidia-ml-py is not installed"),
    ],
    ids=["refuses", "crashes", "babbles", "absent"],
)  # fmt: skip
def test_a_driver_that_is_broken_is_missing_with_the_reason(library, body, why):
    library(body)
    assert nvml.told() == ({}, why)


def test_a_driver_that_hangs_is_left_behind(library):
    library(LIBRARY.replace("def nvmlInit(): pass", "def nvmlInit(): import time; time.sleep(60)"))
    began = time.monotonic()
    assert nvml.told(timeout_s=0.5) == ({}, "NVML: no answer within 0.5 s")
    assert time.monotonic() - began < 3


def test_where_there_is_no_driver_nothing_is_started(monkeypatch):
    monkeypatch.setattr(nvml, "SIGNS", ("nowhere",))
    monkeypatch.setattr(nvml, "SCRIPT", Path("/nowhere"))
    assert nvml.told() == ({}, "")
