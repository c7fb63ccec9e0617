"""Containers, pods, batch jobs and their limits; who else is there; and what the kernel counts of hard times."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.measure.inventory.machines import H100, h100_nvml, h100_server, mi300_server, tree

from assay.measure.inventory import counters, tenants
from assay.measure.inventory.cgroup import cpu_quota, memory_limit, owner, throttled
from assay.measure.inventory.container import container
from assay.measure.inventory.cpu import cpu
from assay.measure.inventory.detect import host

POD = "kubepods-burstable-pod0d1f7e2a_1111_2222_3333_444455556666.slice"
CONTAINER = "ab" * 32


def test_limits_of_the_groups_around_a_job_hold_inside_it(tmp_path):
    root = mi300_server(tmp_path)
    assert (memory_limit(root), cpu_quota(root)) == (549755813888, 8.0)
    assert throttled(root) == (200, 50)
    assert cpu(root, usable=64).usable_threads <= 64


def test_the_older_groups_are_read_as_well(tmp_path):
    root = tree(tmp_path, {
        "proc/self/cgroup": "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/\n",
        "sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "1073741824\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us": "150000\n",
        "sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us": "100000\n",
        "proc/meminfo": "MemTotal: 4000000 kB\nMemAvailable: 1 kB\n",
    })  # fmt: skip
    assert (memory_limit(root), cpu_quota(root)) == (1 << 30, 1.5)
    found = host(root, {})
    assert (found.memory_limit_bytes, found.cpu.usable_threads <= 2) == (1 << 30, True)


def test_no_limit_is_none(tmp_path):
    tree(tmp_path, {"sys/fs/cgroup/cpu.max": "max 100000\n", "sys/fs/cgroup/memory.max": "max\n"})
    assert (memory_limit(tmp_path), cpu_quota(tmp_path), throttled(tmp_path)) == (None, None, None)


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_table_of_groups_breaks_the_reading(tmp_path_factory, groups, limit):
    root = tree(tmp_path_factory.mktemp("root"), {"proc/self/cgroup": groups, "sys/fs/cgroup/cpu.max": limit})
    assert cpu_quota(root) is None or cpu_quota(root) >= 0


@pytest.mark.parametrize(
    ("text", "whose"),
    [
        ("0::/system.slice/slurmstepd.scope/job_731/step_0/user/task_0", "Slurm job 731"),
        (f"0::/kubepods.slice/{POD}/cri-containerd-{CONTAINER}.scope", "pod 0d1f7e2a"),
        (f"0::/kubepods/burstable/pod0d1f7e2a-1111-2222-3333-444455556666/{CONTAINER}", "pod 0d1f7e2a"),
        (f"0::/system.slice/docker-{CONTAINER}.scope", "container abababababab"),
        (f"12:pids:/docker/{CONTAINER}", "container abababababab"),
        ("0::/system.slice/prometheus.service", "service prometheus"),
        ("0::/user.slice/user-1000.slice/session-4.scope", "session-4"),
        ("0::/lxc.payload.web01/init", "LXC web01"),
        ("0::/machine.slice/machine-qemu\\x2d12\\x2dbuilder.scope", "virtual machine builder"),
        ("0::/", ""),
        ("", ""),
    ],
)
def test_a_group_says_whose_a_process_is(text, whose):
    assert owner(text) == whose


def test_a_pod_is_told_by_what_its_author_set_and_else_by_what_all_have(tmp_path):
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "train-0", "NODE_NAME": "gpu7"}
    account = "var/run/secrets/kubernetes.io/serviceaccount/namespace"
    tree(tmp_path, {account: "team-a\n"})
    assert container(tmp_path, environ, "Kubernetes").facts["pod"] == "team-a/train-0 on gpu7"
    named = {**environ, "POD_NAME": "a", "POD_NAMESPACE": "b"}
    assert container(tmp_path, named, "Kubernetes").facts["pod"] == "b/a on gpu7"


def test_the_id_of_a_container_is_found_where_its_group_does_not_name_it(tmp_path):
    line = f"612 600 254:1 /var/lib/docker/containers/{CONTAINER}/hostname /etc/hostname rw - ext4 /dev/vda1 rw\n"
    tree(tmp_path, {"proc/self/mountinfo": line, "proc/self/cgroup": "0::/\n"})
    assert container(tmp_path, {}, "Docker").facts["container_id"] == "abababababab"


def test_an_image_is_told_by_whoever_started_it_and_is_missing_otherwise(tmp_path):
    told = {"APPTAINER_CONTAINER": "/images/pytorch.sif", "NVIDIA_PYTORCH_VERSION": "25.03"}
    facts, missing = container(tmp_path, told, None)
    assert (facts["image"], missing) == ("/images/pytorch.sif, NVIDIA PyTorch 25.03", ())
    facts, missing = container(tmp_path, {}, "Docker")
    assert facts["image"] is None
    assert missing[0].startswith("container image: not shown")
    assert container(tmp_path, {}, None).missing == ()


def test_a_batch_job_is_told_with_what_it_asked_for_and_without_its_secrets(tmp_path):
    environ = {"SLURM_JOB_ID": "731", "SLURM_NNODES": "4", "SLURM_JWT": "eyJhbGciOi", "HOME": "/x"}
    facts = container(tmp_path, environ, None).facts
    assert (facts["scheduler"], facts["job"]) == ("Slurm", {"SLURM_JOB_ID": "731", "SLURM_NNODES": "4"})
    assert container(tmp_path, {"SLURM_CONF": "/etc/slurm.conf"}, None).facts["job"] == {}


# Who else is there


def process(root: Path, pid: int, name: str, ticks: int, parent: int = 1) -> None:
    fields = f"{pid} ({name}) S {parent} " + "0 " * 9 + f"{ticks} 0 " + "0 " * 10
    tree(root, {f"proc/{pid}/stat": fields, f"proc/{pid}/comm": f"{name}\n"})


def test_a_busy_neighbour_is_named_with_what_it_belongs_to_and_we_are_not(tmp_path):
    for pid, name, parent in ((7, "train) x", 1), (8, "idle", 1), (os.getpid(), "assay", 1), (9, "ours", os.getpid())):
        process(tmp_path, pid, name, 100, parent)
    tree(tmp_path, {"proc/7/cgroup": "0::/system.slice/slurmstepd.scope/job_5/step_0\n"})
    before = tenants.ticks(tmp_path)
    for pid, name, parent in ((7, "train) x", 1), (os.getpid(), "assay", 1), (9, "ours", os.getpid())):
        process(tmp_path, pid, name, 100 + 95, parent)
    after = tenants.ticks(tmp_path)._replace(at_s=before.at_s + 1)
    (line,) = tenants.busy(before, after, tmp_path)
    assert line.startswith("train) x 0.95, Slurm job 5")


def test_a_worker_of_the_kernel_that_is_named_anew_has_not_worked_all_its_life_now(tmp_path):
    process(tmp_path, 7, "kworker/0:1-events", 90000)
    before = tenants.ticks(tmp_path)
    process(tmp_path, 7, "kworker/0:1-mm_percpu_wq", 90001)
    assert tenants.busy(before, tenants.ticks(tmp_path)._replace(at_s=before.at_s + 1), tmp_path) == []


def test_a_real_neighbour_is_seen_on_this_machine():
    name = Path("/proc/self/comm")
    if not name.exists():
        pytest.skip("this system shows no processes in /proc")
    loop = subprocess.Popen([sys.executable, "-c", f"open('{name}', 'w').write('a-neighbour')\nwhile 1: pass"])
    try:
        # Of our own children nothing is told, so it is looked for from a process beside it.
        look = (
            "import time; from assay.measure.inventory import tenants as t; t.LOUD = 0.02; a = t.ticks(); "
            "time.sleep(0.5); print(*t.busy(a, t.ticks()), sep='\\n')"
        )
        told = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout
    finally:
        loop.kill()
        loop.wait()
    assert "a-neighbour" in told


def test_processes_on_an_accelerator_are_told_by_the_driver(tmp_path):
    process(tmp_path, 4242, "vllm", 1)
    told = h100_nvml(processes=[{"pid": 4242, "memory_bytes": 5}, {"pid": 99, "memory_bytes": None}])
    told["devices"] = told["devices"][:1]
    facts, _ = tenants.tenants(tmp_path, H100[:1], told)
    assert facts["accelerator_processes"] == [
        {"device": "GPU-0", "pid": 4242, "name": "vllm", "memory_bytes": 5},
        {"device": "GPU-0", "pid": 99, "name": "not seen from here", "memory_bytes": None},
    ]


def test_without_a_driver_that_tells_whoever_holds_the_node_is_named(tmp_path):
    process(tmp_path, 77, "hl-train", 1)
    process(tmp_path, 78, "sshd", 1)
    tree(tmp_path, {"dev/accel/accel0": "", "proc/77/fd/.keep": "", "proc/78/fd/.keep": ""})
    (tmp_path / "proc/77/fd/3").symlink_to("/dev/accel/accel0")
    (tmp_path / "proc/78/fd/3").symlink_to("/dev/null")
    facts, missing = tenants.tenants(tmp_path, (), {})
    held = [(entry["device"], entry["pid"], entry["name"]) for entry in facts["accelerator_processes"]]
    assert (held, missing) == ([("/dev/accel/accel0", 77, "hl-train")], ())


def test_a_machine_without_accelerators_has_no_such_processes(tmp_path):
    assert tenants.tenants(h100_server(tmp_path), (), {}).facts == {"accelerator_processes": []}


# Hard times


def test_heat_swapping_waiting_and_killing_are_counted(tmp_path):
    root = tree(mi300_server(h100_server(tmp_path)), {
        "proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0 total=1\n",
        "proc/vmstat": "pswpin 10\npswpout 5\noom_kill 9\n",
    })  # fmt: skip
    told = counters.counters(root)
    assert told["heat"] == 3 + 3 + 7  # each core's own, and the package's once
    assert (told["memory_pressure_s"], told["switches"]) == (2.5, 1000)
    assert told["swapped_bytes"] == 15 * os.sysconf("SC_PAGE_SIZE")
    assert told["killed"] == 2  # in our own group, not on the whole machine


def test_what_grew_is_told_as_a_share_of_the_time_or_as_a_count_and_warned_of():
    before = {"memory_pressure_s": 1.0, "heat": 5.0, "quota_periods": 100.0, "quota_held": 0.0, "swapped_bytes": 0.0}
    after = {"memory_pressure_s": 2.0, "heat": 9.0, "quota_periods": 200.0, "quota_held": 50.0, "swapped_bytes": 1e9}
    told = counters.grown(before, after, 10.0)
    wanted = {"memory_pressure_share": 0.1, "heat_throttles": 4, "quota_share": 0.5, "swapped_bytes": 1e9}
    assert {key: told[key] for key in wanted} == wanted
    assert told["io_pressure_share"] is None
    assert len(counters.warnings(told)) == 4


def test_calm_and_unknown_are_no_warning():
    assert counters.warnings(counters.grown({}, {}, 1.0)) == ()
    same = counters.counters()
    assert counters.warnings(counters.grown(same, same, 1.0)) == ()
