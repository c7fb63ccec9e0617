"""Machines read from copies of what Linux shows of them, and interpreters that misbehave."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.measure.inventory import interpreter
from assay.measure.inventory.cpu import cpu
from assay.measure.inventory.detect import host, machine
from assay.measure.inventory.devices import MAKERS, devices


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def sapphire_rapids(root: Path) -> Path:
    """Two sockets with two cores of two threads each, and a cache of their own."""
    flags = "fpu sse4_2 avx avx2 fma avx512f avx512_bf16 amx_tile amx_bf16 amx_int8 hypervisor"
    entry = "processor\t: {i}\nmodel name\t: Intel(R) Xeon(R) Platinum 8480+\nflags\t\t: " + flags + "\n"
    files = {"proc/cpuinfo": "\n".join(entry.format(i=i) for i in range(8))}
    for i in range(8):
        cpus = f"sys/devices/system/cpu/cpu{i}"
        files[f"{cpus}/topology/physical_package_id"] = f"{i // 4}\n"
        files[f"{cpus}/topology/core_id"] = f"{i % 4 // 2}\n"
        l3 = {"level": "3", "type": "Unified", "size": "107520K", "shared_cpu_list": "0-3" if i < 4 else "4-7"}
        files |= {f"{cpus}/cache/index3/{key}": value for key, value in l3.items()}
    files["sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"] = "3800000\n"
    files["sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"] = "powersave\n"
    files["proc/meminfo"] = "MemTotal:       1000 kB\nMemAvailable:    600 kB\n"
    files["sys/devices/system/node/node0/meminfo"] = "Node 0 MemTotal:       500 kB\n"
    files["sys/devices/system/node/node1/meminfo"] = "Node 1 MemTotal:       500 kB\n"
    files["sys/class/dmi/id/sys_vendor"] = "Amazon EC2\n"
    files["etc/os-release"] = 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12"\n'
    return tree(root, files)


def test_sockets_cores_caches_and_amx_are_read_from_proc_and_sys(tmp_path):
    found = cpu(sapphire_rapids(tmp_path), usable=8)
    assert (found.sockets, found.cores, found.threads) == (2, 4, 8)
    assert {"AVX-512", "AMX bf16", "AMX int8"} <= set(found.isa)
    assert [(c.level, c.count, c.size_bytes) for c in found.caches] == [(3, 2, 107520 * 1024)]
    assert found.last_cache_bytes == 2 * 107520 * 1024
    assert (found.max_hz, found.governor) == (3.8e9, "powersave")


def test_memory_numa_system_and_cloud_are_read(tmp_path):
    found = host(sapphire_rapids(tmp_path), {})
    assert (found.memory_bytes, found.available_bytes) == (1000 * 1024, 600 * 1024)
    assert found.numa_bytes == {"node0": 500 * 1024, "node1": 500 * 1024}
    assert (found.system, found.hypervisor, found.container) == ("Debian GNU/Linux 12", "AWS EC2", None)


def test_a_container_limit_is_told_beside_the_memory_there_is(tmp_path):
    root = tree(
        sapphire_rapids(tmp_path), {"sys/fs/cgroup/memory.max": "4096\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}
    )
    (root / ".dockerenv").write_text("")
    found = host(root, {})
    assert (found.memory_limit_bytes, found.container) == (4096, "Docker")
    assert found.cpu.usable_threads <= 2


def test_no_limit_is_no_number(tmp_path):
    assert host(tree(sapphire_rapids(tmp_path), {"sys/fs/cgroup/memory.max": "max\n"}), {}).memory_limit_bytes is None


def test_arm_parts_have_names_and_sve(tmp_path):
    text = "processor\t: 0\nFeatures\t: fp asimd sve sve2 bf16 i8mm\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f\n"
    found = cpu(tree(tmp_path, {"proc/cpuinfo": text}), usable=1)
    assert found.model == "Arm Neoverse V2"
    assert set(found.isa) == {"NEON", "SVE", "SVE2", "NEON bf16", "NEON int8 matmul"}


def test_what_a_machine_hides_is_unknown_and_not_zero(tmp_path):
    found = cpu(tmp_path, usable=1)
    assert (found.model, found.sockets, found.cores, found.max_hz, found.last_cache_bytes) == ("unknown", *[None] * 4)


@given(st.binary(max_size=300))
def test_any_cpuinfo_gives_a_processor(tmp_path_factory, text):
    root = tmp_path_factory.mktemp("root")
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_bytes(text)
    assert cpu(root, usable=1).threads >= 1


def on_bus(root: Path, address: str, vendor: str, kind: str, **more: str) -> Path:
    files = {"vendor": vendor, "class": kind, "device": "0x1234", **more}
    return tree(root, {f"sys/bus/pci/devices/{address}/{k}": v + "\n" for k, v in files.items()})


@pytest.mark.parametrize("maker", [m for m in MAKERS if m.pci], ids=lambda m: m.vendor)
def test_every_maker_is_found_on_the_bus_with_its_driver(tmp_path, maker):
    on_bus(tmp_path, "0000:17:00.0", maker.pci, (maker.classes[0] + "000000")[:8])
    for module in maker.driver[:1]:
        tree(tmp_path, {f"sys/module/{module}/version": "1.2.3\n"})
    (found,) = devices(tmp_path, {})
    assert (found.vendor, found.address) == (maker.vendor, "0000:17:00.0")
    assert found.driver == (f"{maker.driver[0]} 1.2.3" if maker.driver else None)


def test_amd_memory_comes_from_sysfs(tmp_path):
    root = on_bus(
        tmp_path, "0000:05:00.0", "0x1002", "0x120000", mem_info_vram_total="206141652992", product_name="MI300X"
    )
    (found,) = devices(root, {})
    assert (found.name, found.memory_bytes) == ("MI300X", 206141652992)


@pytest.mark.parametrize(("vendor", "kind"), [("0x1d0f", "0x020000"), ("0x1a03", "0x030000"), ("0x8086", "0x060000")])
def test_network_cards_and_management_displays_are_no_accelerators(tmp_path, vendor, kind):
    assert devices(on_bus(tmp_path, "0000:00:05.0", vendor, kind), {}) == ()


def test_an_accelerator_of_an_unknown_maker_is_still_told(tmp_path):
    (found,) = devices(on_bus(tmp_path, "0000:00:05.0", "0xabcd", "0x120000"), {})
    assert found.vendor == "PCI vendor 0xabcd"


def test_a_container_that_hides_the_bus_still_shows_its_nodes(tmp_path):
    root = tree(tmp_path, {"dev/neuron0": "", "dev/neuron1": "", "sys/module/neuron/version": "2.20"})
    assert [(d.address, d.driver) for d in devices(root, {})] == [(f"/dev/neuron{i}", "neuron 2.20") for i in (0, 1)]


def test_a_shared_node_belongs_to_the_loaded_driver(tmp_path):
    root = tree(tmp_path, {"dev/accel/accel0": "", "sys/module/habanalabs/version": "1.19"})
    assert [d.vendor for d in devices(root, {})] == ["Intel Gaudi"]


def test_machines_reached_over_the_network_are_named_by_their_variable(tmp_path):
    assert [d.vendor for d in devices(tmp_path, {"CEREBRAS_CS_IP": "10.0.0.1"})] == ["Cerebras"]


# Interpreters


def test_this_interpreter_is_seen_with_numpy_and_blas():
    found = interpreter.look(sys.executable)
    import numpy

    assert (found.version, found.numpy, found.problem) == (sys.version.split()[0], numpy.__version__, "")
    assert found.blas


def with_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, body: str) -> interpreter.Framework:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(textwrap.dedent(body))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (found,) = machine(sys.executable, timeout_s=3).interpreters
    return next(f for f in found.frameworks if f.name == name)


def test_a_framework_that_crashes_on_import_is_reported(tmp_path, monkeypatch):
    found = with_package(tmp_path, monkeypatch, "torch", "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    assert (found.status, found.detail) == ("fails", "exit -11: it said nothing")


def test_a_framework_that_raises_tells_its_reason(tmp_path, monkeypatch):
    found = with_package(tmp_path, monkeypatch, "jax", "raise KeyError('libamd_smi.so')")
    assert found.status == "fails"
    assert "KeyError: 'libamd_smi.so'" in found.detail


def test_a_framework_that_hangs_is_reported(tmp_path, monkeypatch):
    found = with_package(tmp_path, monkeypatch, "tensorflow", "import time\ntime.sleep(60)")
    assert (found.status, found.detail) == ("hangs", "no answer within 3 s")


def test_a_framework_that_prints_on_import_is_understood(tmp_path, monkeypatch):
    found = with_package(
        tmp_path, monkeypatch, "jax",
        """
        print("Failed to load libhlml", end="")
        __version__ = "9.9"
        default_backend = lambda: "cpu"
        devices = lambda: ["TFRT_CPU_0"]
        """,
    )  # fmt: skip
    assert (found.status, found.version, found.devices) == ("works", "9.9", ("TFRT_CPU_0",))


def test_an_interpreter_that_is_none_says_so(tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho hello\n")
    fake.chmod(0o755)
    (found,) = machine(str(fake)).interpreters
    assert found.problem == "its answer was not understood"


@pytest.mark.parametrize("name", ["", "no-such-python", "/nowhere/python"])
def test_an_interpreter_that_is_missing_names_the_option(name):
    if name:
        with pytest.raises(InputError, match="--python"):
            machine(name)
    else:
        assert interpreter.find(None) == sys.executable


def test_the_framework_script_runs_alone():
    done = subprocess.run([sys.executable, "-S", str(interpreter.SCRIPT)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["version"] == sys.version.split()[0]
