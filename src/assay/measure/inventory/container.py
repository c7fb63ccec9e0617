"""Where the work runs: in which container, image, pod and batch job, and what they allow it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from assay.measure.inventory.cgroup import cpu_quota, memory_limit
from assay.measure.inventory.discretion import secret
from assay.measure.inventory.facts import Part, said

# Variables in which runtimes and schedulers say which image they started; a container does not show it otherwise.
IMAGES = (
    "APPTAINER_CONTAINER", "SINGULARITY_CONTAINER", "SLURM_CONTAINER",
    "SLURM_SPANK__SLURM_SPANK_OPTION_pyxis_container_image",
    "CONTAINER_IMAGE", "IMAGE_NAME", "DOCKER_IMAGE", "AIP_CONTAINER_IMAGE", "CI_JOB_IMAGE",
)  # fmt: skip
# … and builds that name themselves, with the variable that says which build it is.
BUILDS = {
    "NVIDIA_PYTORCH_VERSION": "NVIDIA PyTorch", "NVIDIA_TENSORFLOW_VERSION": "NVIDIA TensorFlow",
    "NVIDIA_JAX_VERSION": "NVIDIA JAX", "NVIDIA_TRITON_SERVER_VERSION": "NVIDIA Triton", "CUDA_VERSION": "CUDA",
    "ROCM_VERSION": "ROCm",
}  # fmt: skip

# Scheduler -> the variable that proves it, and what its variables begin with.
SCHEDULERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Slurm": ("SLURM_JOB_ID", ("SLURM_",)),
    "PBS": ("PBS_JOBID", ("PBS_",)),
    "LSF": ("LSB_JOBID", ("LSB_JOB", "LSB_HOSTS", "LSB_DJOB", "LSB_QUEUE")),
    "Flux": ("FLUX_JOB_ID", ("FLUX_JOB",)),
    "Grid Engine": ("SGE_TASK_ID", ("SGE_", "NSLOTS", "NHOSTS")),
    "Ray": ("RAY_JOB_ID", ("RAY_JOB",)),
    "SageMaker": ("SM_TRAINING_ENV", ("SM_HOSTS", "SM_CURRENT_", "SM_NUM_", "SM_NETWORK_")),
    "Vertex AI": ("CLOUD_ML_JOB_ID", ("CLOUD_ML_",)),
    "Azure ML": ("AZUREML_RUN_ID", ("AZUREML_RUN_ID", "AZUREML_NODE_COUNT")),
    "SkyPilot": ("SKYPILOT_TASK_ID", ("SKYPILOT_NUM_", "SKYPILOT_TASK_ID", "SKYPILOT_NODE_RANK")),
    "GitHub Actions": ("GITHUB_RUN_ID", ("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "RUNNER_NAME", "RUNNER_ENVIRONMENT")),
    "GitLab CI": ("CI_JOB_ID", ("CI_JOB_ID", "CI_RUNNER_DESCRIPTION")),
}
_LONGEST = 1000


def container(root: Path, environ: Mapping[str, str], kind: str | None) -> Part:
    """The container, pod and job around this process; `kind` is what `detect` calls the container, if it is in one."""
    scheduler = next((name for name, (proof, _) in SCHEDULERS.items() if environ.get(proof)), None)
    image = _image(environ) if kind or any(environ.get(name) for name in IMAGES) else None
    facts: dict[str, object] = {
        "container_id": _id(root),
        "image": image,
        "pod": _pod(root, environ),
        "scheduler": scheduler,
        "job": _job(environ, scheduler),
        "cpu_quota": cpu_quota(root),
        "memory_limit_bytes": memory_limit(root),
    }
    untold = kind is not None and image is None
    return Part(
        facts, ("container image: not shown inside a container (set CONTAINER_IMAGE to name it)",) if untold else ()
    )


def _image(environ: Mapping[str, str]) -> str | None:
    named = next((environ[name] for name in IMAGES if environ.get(name)), None)
    builds = [f"{title} {environ[name]}" for name, title in BUILDS.items() if environ.get(name)]
    told = ", ".join([*([named] if named else []), *builds])
    return told[:_LONGEST] if told and not secret("", told) else None


def _id(root: Path) -> str | None:
    """Of Docker, containerd and Podman: in the path of the group, or of the files they mount."""
    texts = (said(root / "proc/self/cgroup"), said(root / "proc/self/mountinfo"))
    patterns = (r"\b([0-9a-f]{64})\b", r"/containers/(?:overlay-containers/)?([0-9a-f]{64})/")
    found = (re.search(pattern, text) for pattern, text in zip(patterns, texts, strict=True))
    return next((match[1][:12] for match in found if match), None)


def _pod(root: Path, environ: Mapping[str, str]) -> str | None:
    """Namespace and name of the pod: from the variables and files that its author set, else from what all pods have."""
    if not environ.get("KUBERNETES_SERVICE_HOST"):
        return None
    name = environ.get("POD_NAME") or said(root / "etc/podinfo/name") or environ.get("HOSTNAME", "")
    account = "var/run/secrets/kubernetes.io/serviceaccount/namespace"
    space = environ.get("POD_NAMESPACE") or said(root / "etc/podinfo/namespace") or said(root / account)
    node = environ.get("NODE_NAME") or environ.get("K8S_NODE_NAME")
    return "/".join(filter(None, (space, name))) + (f" on {node}" if node else "") or None


def _job(environ: Mapping[str, str], scheduler: str | None) -> dict[str, str]:
    """The scheduler's variables: what was asked for, and what was given."""
    if scheduler is None:
        return {}
    proof, begins = SCHEDULERS[scheduler]
    mine = {k: v[:_LONGEST] for k, v in sorted(environ.items()) if k == proof or k.startswith(begins)}
    return {name: value for name, value in mine.items() if not secret(name, value)}
