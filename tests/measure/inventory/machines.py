"""Machines as Linux shows them, written down as trees of /proc and /sys: what a capture is tried on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.machine import Cpu, Device, Machine


def tree(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def on_bus(root: Path, bridges: str, address: str, **files: str) -> Path:
    """A device behind bridges, as /sys/devices has it, with the link that /sys/bus/pci has to it."""
    home = f"sys/devices/{bridges}/{address}"
    tree(root, {f"{home}/{name}": f"{text}\n" for name, text in files.items()})
    link = root / "sys/bus/pci/devices" / address
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(root / home)
    return root / home


def infiniband(root: Path, device: Path, name: str) -> None:
    card = {
        "fw_ver": "28.39.1002", "ports/1/state": "4: ACTIVE", "ports/1/rate": "400 Gb/sec (4X NDR)",
        "ports/1/link_layer": "InfiniBand",
    }  # fmt: skip
    tree(root, {f"sys/class/infiniband/{name}/{key}": f"{text}\n" for key, text in card.items()})
    (root / f"sys/class/infiniband/{name}/device").symlink_to(device)


def module_17(size: int = 0x7FFF, extended: int = 65536, kind: int = 0x22, speed: int = 4800, now: int = 4400) -> bytes:
    """A memory module's table as SMBIOS 3.7 lays it out (section 7.18), 64 GiB of DDR5 unless told."""
    raw = bytearray(0x28)
    raw[0], raw[1], raw[0x12] = 17, 0x28, kind
    raw[0x0C:0x0E], raw[0x15:0x17] = size.to_bytes(2, "little"), speed.to_bytes(2, "little")
    raw[0x1C:0x20], raw[0x20:0x22] = extended.to_bytes(4, "little"), now.to_bytes(2, "little")
    return bytes(raw)


def h100_server(root: Path) -> Path:
    """Two sockets; eight H100 behind switches; an InfiniBand card next to the first; power caps that all may read."""
    cpus, files = "sys/devices/system/cpu", {}
    for name, text in {"name": "package-0", "enabled": "1", "constraint_0_name": "long_term",
                       "constraint_0_power_limit_uw": "350000000", "constraint_1_name": "short_term",
                       "constraint_1_power_limit_uw": "420000000"}.items():  # fmt: skip
        files[f"sys/class/powercap/intel-rapl:0/{name}"] = text
        files[f"sys/class/powercap/intel-rapl-mmio:0/{name}"] = text.replace("350", "300")
    for name, text in {"sys_vendor": "NVIDIA", "product_name": "DGXH100", "board_name": "DGXH100", "bios_vendor": "AMI",
                       "bios_version": "1.1.3", "bios_date": "08/28/2023"}.items():  # fmt: skip
        files[f"sys/class/dmi/id/{name}"] = text
    for i in range(4):
        files[f"sys/firmware/dmi/entries/17-{i}/raw"] = module_17(*([0] if i == 3 else []))
    for i in (0, 1):
        files[f"{cpus}/cpufreq/policy{i}/scaling_governor"] = "performance"
        files[f"{cpus}/cpufreq/policy{i}/scaling_driver"] = "intel_pstate"
        files[f"{cpus}/cpufreq/policy{i}/scaling_min_freq"] = "800000"
        files[f"{cpus}/cpufreq/policy{i}/scaling_max_freq"] = "3800000"
        files[f"sys/devices/system/node/node{i}/distance"] = "10 21" if i == 0 else "21 10"
        files[f"{cpus}/cpu{i}/thermal_throttle/core_throttle_count"] = "3"
        files[f"{cpus}/cpu{i}/thermal_throttle/package_throttle_count"] = "7"
    files |= {
        f"{cpus}/intel_pstate/no_turbo": "0", f"{cpus}/smt/control": "on",
        f"{cpus}/vulnerabilities/spectre_v2": "Mitigation: Enhanced IBRS",
        f"{cpus}/vulnerabilities/l1tf": "Not affected",
        "proc/cpuinfo": "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Platinum 8480C\nmicrocode\t: 0x2b000571\n",
        "proc/cmdline": "BOOT_IMAGE=/vmlinuz root=UUID=1 ro mitigations=off iommu=pt console=ttyS0 isolcpus=4-7\n",
        "proc/meminfo": "MemTotal: 2113000000 kB\nSwapTotal: 0 kB\nHugePages_Total: 16\nHugepagesize: 2048 kB\n",
        "proc/stat": "cpu 1 2 3\nctxt 1000\nbtime 1700000000\n",
        "proc/sys/kernel/numa_balancing": "1", "proc/sys/vm/swappiness": "60",
        "proc/self/status": "Name:\tpython\nCpus_allowed_list:\t0-223\nMems_allowed_list:\t0-1\n",
        "proc/self/mountinfo": "21 1 259:2 / / rw,relatime - ext4 /dev/nvme0n1p2 rw\n"
        "40 21 0:50 / /data rw,noatime - nfs4 filer:/data rw,vers=4.2,rsize=1048576,nconnect=16,addr=10.0.0.9\n",
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
        "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
        "sys/module/nvidia/version": "550.90.07", "sys/module/mlx5_core/version": "24.04-0.6.6",
        "usr/local/cuda/version.json": '{"cuda": {"name": "CUDA SDK", "version": "12.4.1"}}',
        "sys/block/nvme0n1/size": "7501476528", "sys/block/nvme0n1/device/model": "SAMSUNG MZQL23T8HCLS-00A07",
        "sys/block/nvme0n1/queue/rotational": "0", "sys/block/loop0/size": "8",
        "sys/class/net/ens6f0/speed": "100000", "sys/class/net/ens6f0/operstate": "up",
        "sys/class/net/ens6f0/device/vendor": "0x15b3", "sys/class/net/docker0/operstate": "down",
    }  # fmt: skip
    tree(root, files)
    link = {"max_link_speed": "32.0 GT/s PCIe", "max_link_width": "16", "current_link_width": "16"}
    for device in H100:
        i = int(device.id[-1])
        bridges = f"pci0000:{i:02x}/0000:{i:02x}:01.0/0000:{0x18 + i:x}:00.0/0000:{0x19 + i:x}:00.0"
        numa = str(i // 4)
        on_bus(root, bridges, device.address, vendor="0x10de", **{"class": "0x030200"}, numa_node=numa, **link)
    shared = "pci0000:00/0000:00:01.0/0000:18:00.0/0000:19:01.0"
    infiniband(root, on_bus(root, shared, "0000:1a:00.0", vendor="0x15b3", numa_node="0"), "mlx5_0")
    return root


H100 = tuple(
    Device(
        name="NVIDIA H100 80GB HBM3", vendor="NVIDIA", id=f"GPU-{i}", memory_bytes=85520809984.0,
        driver="nvidia 550.90.07", address=f"0000:{0x40 + i:02x}:00.0", found_by="nvml",
    )
    for i in range(8)
)  # fmt: skip


def h100_nvml(**changes: Any) -> dict[str, Any]:
    """What the library says of these eight, each with its eighteen links to the switch."""
    common = {
        "power_cap_w": 700.0, "power_default_w": 700.0, "power_max_w": 700.0, "max_hz": 1.98e9,
        "vbios": "96.00.74.00.01",
        "application_hz": 1.98e9, "default_hz": 1.98e9, "ecc": True, "mig": False, "persistence": True,
        "compute_mode": 0,
        "pcie_generation": 5, "pcie_width": 16, "pcie_width_now": 16, "nvlinks": ["switch"] * 18, "processes": [],
        "partitions": [], **changes,
    }  # fmt: skip
    devices = [{"index": i, "uuid": d.id, "address": f"0000{d.address}", **common} for i, d in enumerate(H100)]
    return {"driver": "550.90.07", "cuda": "12.4", "devices": devices}


MI300X = tuple(
    Device(
        name="AMD Instinct MI300X", vendor="AMD", id=address, memory_bytes=206141652992.0, driver="amdgpu 6.8.5",
        address=address, found_by="sysfs",
    )
    for address in ("0000:05:00.0", "0000:26:00.0")
)  # fmt: skip


def mi300_server(root: Path) -> Path:
    """Two MI300X that reach each other by xGMI, inside a Slurm job; the processor's caps are root's alone to read."""
    kfd = "sys/class/kfd/kfd/topology/nodes"
    for i, device in enumerate(MI300X):
        on_bus(
            root, f"pci0000:{i:02x}/0000:{i:02x}:01.1", device.address, vendor="0x1002", numa_node=str(i),
            vbios_version="113-M3000100-102", power_dpm_force_performance_level="auto",
            pp_dpm_sclk="0: 132Mhz *\n1: 2100Mhz", current_compute_partition="SPX", current_memory_partition="NPS1",
            max_link_speed="32.0 GT/s PCIe", max_link_width="16", current_link_width="8",
            **{"hwmon/hwmon3/power1_cap": "650000000", "hwmon/hwmon3/power1_cap_default": "750000000",
               "hwmon/hwmon3/power1_cap_max": "750000000"},
        )  # fmt: skip
        location = int(device.address[5:7], 16) << 8
        tree(root, {
            f"{kfd}/{i + 1}/properties": f"simd_count 1216\nlocation_id {location}\ndomain 0\n",
            f"{kfd}/{i + 1}/io_links/0/properties": "type 2\nnode_from 1\nnode_to 0\n",
            f"{kfd}/{i + 1}/io_links/1/properties": f"type 11\nnode_to {2 - i}\n",
        })  # fmt: skip
    scope = "sys/fs/cgroup/system.slice/slurmstepd.scope/job_731"
    return tree(root, {
        f"{kfd}/0/properties": "cpu_cores_count 96\nsimd_count 0\nlocation_id 0\n",
        "proc/self/cgroup": "0::/system.slice/slurmstepd.scope/job_731/step_0\n",
        f"{scope}/memory.max": "549755813888\n", f"{scope}/step_0/memory.max": "max\n",
        f"{scope}/cpu.max": "max 100000\n", f"{scope}/step_0/cpu.max": "800000 100000\n",
        f"{scope}/step_0/cpu.stat": "usage_usec 5\nnr_periods 200\nnr_throttled 50\nthrottled_usec 9\n",
        f"{scope}/step_0/memory.events": "low 0\noom_kill 2\n",
        "opt/rocm/.info/version": "6.2.1-112\n", "sys/module/amdgpu/version": "6.8.5\n",
    })  # fmt: skip


XE = Device(name="Intel GPU 0xe20b", vendor="Intel", id="0000:03:00.0", address="0000:03:00.0", found_by="sysfs")


def xe_workstation(root: Path) -> Path:
    """An Intel card whose clock somebody has locked."""
    files = {"tile0/gt0/freq0/min_freq": "2000", "tile0/gt0/freq0/max_freq": "2000", "tile0/gt0/freq0/rp0_freq": "2850",
             "hwmon/hwmon5/power1_max": "190000000"}  # fmt: skip
    on_bus(root, "pci0000:00/0000:00:06.0", XE.address, vendor="0x8086", numa_node="-1", **files)
    return root


GAUDI = Device(name="Intel Gaudi Gaudi 0x1020", vendor="Intel Gaudi", id="0000:19:00.0", address="0000:19:00.0")


def gaudi_server(root: Path) -> Path:
    on_bus(
        root, "pci0000:15/0000:15:01.0", GAUDI.address, vendor="0x1da3", numa_node="0", max_power="600000",
        clk_max_freq_mhz="1650", fw_os_ver="hl-gaudi2-1.19.0", cpucp_ver="1.19.0-fw",
    )  # fmt: skip
    return root


def machine(devices: tuple[Device, ...] = (), **changes: Any) -> Machine:
    cpu = Cpu(
        model="Intel(R) Xeon(R) Platinum 8480C", architecture="x86_64", sockets=2, cores=112, threads=224,
        usable_threads=224, isa=("AVX-512",), max_hz=3.8e9,
    )  # fmt: skip
    told = {
        "memory_bytes": 2113000000 * 1024.0,
        "available_bytes": 2e12,
        "system": "Ubuntu 22.04",
        "kernel": "Linux 5.15",
    }
    return Machine(**{"cpu": cpu, "devices": devices, **told, **changes})  # type: ignore[arg-type]
