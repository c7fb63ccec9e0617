"""What a difference in a fact about a machine or its software means for two runs that are compared."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

# "alike"    it must be the same, or the difference is what is tested;
# "suspect"  it may explain a change and is told;
# "note"     it is kept for the record and says nothing about speed.
Role = Literal["alike", "suspect", "note"]

# Every fact once. A name in capitals is a variable of the environment; any other that is not here is a library with its
# version, or something the command itself has told, and must be alike if it is no number: numbers are measured.
ROLES: dict[str, Role] = {
    # the processor and its memory
    "cpu": "alike", "architecture": "alike", "sockets": "alike", "cores": "alike", "threads": "alike",
    "usable_threads": "alike", "isa": "alike", "caches": "alike", "last_cache_bytes": "alike", "cpu_max_hz": "alike",
    "memory_bytes": "suspect", "memory_modules": "suspect", "memory_limit_bytes": "suspect", "shm_bytes": "suspect",
    "numa_nodes": "alike", "numa_distances": "suspect", "cpus_allowed": "suspect", "memory_nodes_allowed": "suspect",
    "offline_cpus": "suspect", "cpu_quota": "suspect",
    # the accelerators, each fact a list in the order of `devices`
    "devices": "alike", "device_names": "alike", "device_memory_bytes": "alike", "device_modes": "alike",
    "device_power_cap_w": "alike", "device_power_default_w": "suspect", "device_power_max_w": "suspect",
    "device_clocks": "alike", "device_max_hz": "alike", "device_firmware": "suspect", "device_partitions": "alike",
    "device_pcie": "suspect", "device_pcie_width": "suspect", "device_numa": "suspect", "device_topology": "suspect",
    "device_addresses": "note",
    # firmware, drivers and the board
    "board": "suspect", "firmware": "suspect", "microcode": "suspect", "drivers": "suspect", "toolkits": "suspect",
    # how the system is set
    "system": "alike", "kernel": "suspect", "kernel_flags": "suspect", "hypervisor": "alike", "libc": "suspect",
    "governor": "suspect", "cpufreq_driver": "suspect", "cpu_clock_limits_hz": "suspect",
    "energy_preference": "suspect", "turbo": "suspect", "smt": "suspect", "cpu_power_cap_w": "alike",
    "clocksource": "suspect", "idle": "suspect",
    "transparent_hugepages": "suspect", "hugepages_bytes": "suspect", "swap_bytes": "suspect", "swappiness": "suspect",
    "numa_balancing": "suspect", "mitigated": "suspect", "booted": "note",
    # what is attached
    "networks": "suspect", "infiniband": "suspect", "disks": "suspect", "filesystem": "suspect",
    "filesystem_source": "note",
    # the container and the scheduler
    "container": "alike", "container_id": "note", "image": "suspect", "pod": "note", "scheduler": "note", "job": "note",
    "host": "note", "cwd": "note",
    # software
    "interpreter": "note", "python": "alike", "numpy": "alike", "blas": "alike", "thread_settings": "alike",
    "packages_digest": "suspect", "packages": "note", "code": "suspect", "git_commit": "suspect",
    "git_branch": "note", "git_dirty": "suspect", "git_changed_files": "suspect",
    # who else was there
    "accelerator_processes": "note", "busy_at_start": "note", "not_captured": "note",
    # what went on meanwhile: that decides whether a run can be trusted, not whether it is like another
    "load_start": "note", "load_end": "note", "others_cores": "note", "steal_share": "note", "pressure_share": "note",
    "hz_start": "note", "hz_end": "note", "busy_processes": "note", "tenants": "note", "contended": "note",
    "memory_pressure_share": "note", "io_pressure_share": "note", "quota_share": "note", "swapped_bytes": "note",
    "context_switches_per_s": "note", "heat_throttles": "note", "oom_kills": "note",
}  # fmt: skip

# What our own workloads tell of themselves, where that differs from what is told of any fact.
TOLD: dict[str, Role] = {"flop_per_step": "alike", "peak_memory_of": "note"}

# Variables that change how fast something runs, by families; no other is recorded.
FAMILIES = (
    "WORLD_SIZE", "LOCAL_WORLD_SIZE", "OMP_*", "KMP_*", "GOMP_*", "MKL_*", "OPENBLAS_*", "BLIS_*", "GOTO_*", "NVPL_*",
    "VECLIB_*", "NUMEXPR_*", "TBB_*", "ONEDNN_*", "DNNL_*", "LD_PRELOAD", "LD_LIBRARY_PATH", "MALLOC_*", "MIMALLOC_*",
    "TCMALLOC_*", "GLIBC_TUNABLES", "PYTHONMALLOC", "PYTHONOPTIMIZE", "PYTHON_GIL", "PYTHON_JIT",
    "NCCL_*", "RCCL_*", "HCCL_*", "CCL_*", "MSCCL*", "UCX_*", "UCC_*", "FI_*", "OMPI_*", "NVSHMEM_*", "GLOO_*",
    "CUDA_*", "CUBLAS*", "CUDNN_*", "NVIDIA_TF32_OVERRIDE", "NVTE_*", "HIP_*", "HIPBLASLT_*", "ROCBLAS_*", "ROCR_*",
    "HSA_*", "MIOPEN_*", "AMD_*", "GPU_MAX_HW_QUEUES", "GPU_DEVICE_ORDINAL", "SYCL_*", "ZE_*", "IPEX_*", "NEURON_*",
    "PT_HPU_*", "HABANA_*", "TPU_*", "LIBTPU_*", "XLA_*", "PJRT_*", "POPLAR_*", "IPUOF_*", "CSTORCH_*", "ASCEND_*",
    "PYTORCH_*", "TORCH_*", "TORCHINDUCTOR_*", "TORCHDYNAMO_*", "TRITON_*", "JAX_*", "TF_*", "VLLM_*", "SGLANG_*",
    "SGL_*", "FLASHINFER_*", "DEEPSPEED_*", "DS_*", "ACCELERATE_*", "FSDP_*", "TOKENIZERS_PARALLELISM",
)  # fmt: skip

# Those of them in which runs may differ and still be alike: which device of several, how much is logged, where files
# lie, what a launcher numbers anew each time. The first that fits says what a difference means; None: not recorded.
LENIENT: tuple[tuple[str, Role | None], ...] = (
    ("TF_CLI_*", None), ("CUDA_VERSION", None), ("CUDA_PKG*", None), ("NCCL_VERSION", None),
    ("*VISIBLE_DEVICES", "suspect"), ("*VISIBLE_CORES", "suspect"), ("GPU_DEVICE_ORDINAL", "suspect"),
    ("ZE_AFFINITY_MASK", "suspect"), ("NCCL_IB_HCA", "suspect"), ("*_SOCKET_IFNAME", "suspect"),
    ("*_DEBUG", "suspect"), ("*_DEBUG_SUBSYS", "suspect"), ("*_LOG_LEVEL", "suspect"), ("TORCH_LOGS", "suspect"),
    ("LD_LIBRARY_PATH", "suspect"), ("*_HOME", "note"), ("*_PATH", "note"), ("*_DIR", "note"), ("*_FILE", "note"),
    ("*_HOST", "note"), ("*_ADDR", "note"), ("TPU_NAME", "note"), ("TPU_WORKER_*", "note"), ("TF_CONFIG", "note"),
    ("OMPI_MCA_ess_*", None), ("OMPI_MCA_orte_*", None), ("OMPI_MCA_*", "alike"), ("OMPI_*", "note"),
)  # fmt: skip


def meaning(fact: str) -> Role:
    """What a difference in a fact means, whatever machine it is of.

    >>> meaning("kernel"), meaning("torch"), meaning("NCCL_ALGO"), meaning("git_branch")
    ('suspect', 'alike', 'alike', 'note')
    """
    if fact.startswith("profile_rank_"):  # where a profile was written
        return "note"
    return ROLES.get(fact) or TOLD.get(fact) or (variable(fact) if fact.isupper() else None) or "alike"


def variable(name: str) -> Role | None:
    """What a difference in a variable of the environment means; None where the variable does not matter."""
    if not any(fnmatchcase(name, pattern) for pattern in FAMILIES):
        return None
    return next((told for pattern, told in LENIENT if fnmatchcase(name, pattern)), "alike")
