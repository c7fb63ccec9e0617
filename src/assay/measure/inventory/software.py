"""The software of a run: packages of its interpreter, toolkits beside it, variables that matter, the code itself."""

from __future__ import annotations

import errno
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from assay.measure.inventory.discretion import secret
from assay.measure.inventory.facts import Part, said
from assay.measure.inventory.interpreter import SCRIPT
from assay.measure.inventory.tools import ask
from assay.roles import variable

THREADS = re.compile(r"\w+_NUM_THREADS|KMP_AFFINITY")  # these stand together in `thread_settings`

# Name of a distribution, as a pattern -> the fact that holds its version. These must be alike; of all others there is
# the list and its digest.
LIBRARIES = {
    "torch": "torch", "torchvision": "torchvision", "torchao": "torchao", "numpy": "numpy", "jax": "jax",
    "jaxlib": "jaxlib", "tensorflow": "tensorflow", "triton": "triton", "pytorch-triton*": "triton",
    "nvidia-nccl-cu*": "nccl", "nvidia-cudnn-cu*": "cudnn", "nvidia-cublas*": "cublas", "nvidia-cuda-runtime*": "cuda",
    "mkl": "mkl", "transformers": "transformers", "accelerate": "accelerate", "deepspeed": "deepspeed",
    "megatron-core": "megatron-core", "nemo-toolkit": "nemo", "lightning": "lightning",
    "pytorch-lightning": "pytorch-lightning", "torchtitan": "torchtitan", "flash-attn*": "flash-attn",
    "flashinfer*": "flashinfer", "xformers": "xformers", "transformer-engine": "transformer-engine",
    "bitsandbytes": "bitsandbytes", "vllm": "vllm", "sglang": "sglang", "tensorrt": "tensorrt",
    "tensorrt-llm": "tensorrt-llm", "onnxruntime*": "onnxruntime", "openvino": "openvino",
    "intel-extension-for-pytorch": "ipex", "oneccl-bind-pt": "oneccl", "torch-xla": "torch-xla", "libtpu*": "libtpu",
    "neuronx-cc": "neuronx-cc", "torch-neuronx": "torch-neuronx", "habana-torch-plugin": "habana-torch",
    "optimum-habana": "optimum-habana", "cerebras-pytorch": "cerebras-pytorch", "poptorch": "poptorch",
    "torch-npu": "torch-npu", "nvidia-dali-cuda*": "dali", "mpi4py": "mpi4py",
}  # fmt: skip

# Toolkits that are installed beside Python: name -> a file that holds the version, and where in it.
TOOLKITS = (
    ("CUDA", "usr/local/cuda/version.json", r'"cuda"[^}]*?"version"\s*:\s*"([\d.]+)"'),
    ("ROCm", "opt/rocm/.info/version", r"^([\d.]+)"),
    ("oneAPI", "opt/intel/oneapi/compiler/latest/.toolkit-version", r"([\d.]+)"),
    ("CANN", "usr/local/Ascend/ascend-toolkit/latest/version.cfg", r"\[([\d.]+)"),
)
_LONGEST = 1000
_MOST_CODE_BYTES = 16 << 20


def variables(environ: Mapping[str, str]) -> Part:
    """Variables that change how fast something runs, each a fact under its own name. Secrets are left out and named."""
    mine = {k: v for k, v in sorted(environ.items()) if variable(k) is not None and not THREADS.fullmatch(k)}
    hidden = tuple(f"{k}: looks like a secret, not recorded" for k, v in mine.items() if secret(k, v))
    facts: dict[str, object] = {k: v[:_LONGEST] for k, v in mine.items() if not secret(k, v)}
    facts["thread_settings"] = {k: v[:_LONGEST] for k, v in sorted(environ.items()) if THREADS.fullmatch(k)}
    return Part(facts, hidden)


def packages(python: str, environ: Mapping[str, str], timeout_s: float) -> Part:
    """What an interpreter has installed: the libraries that matter by name, all in a list, and the list's digest."""
    told, why = ask([python, str(SCRIPT), "packages"], timeout_s, environ={**environ, "PYTHONDONTWRITEBYTECODE": "1"})
    try:
        listed = json.loads((told or "").strip().rpartition("\n")[2])["packages"]
        names = sorted(str(name) for name in listed)
    except (ValueError, KeyError, TypeError):
        problem = f"packages: {why or 'the answer was not understood'}"
        return Part({"packages": None, "packages_digest": None}, (problem,))
    libraries: dict[str, object] = {}
    for line in names:
        name, _, version = line.partition("==")
        key = next((key for pattern, key in LIBRARIES.items() if fnmatchcase(name, pattern)), None)
        if key:
            libraries[key] = version
    return Part({**libraries, "packages": names, "packages_digest": digest("\n".join(names).encode())})


def toolkits(root: Path) -> Part:
    """Vendors' toolkits of the system: "CUDA 12.8.1"."""
    found = [(name, re.search(pattern, said(root / path))) for name, path, pattern in TOOLKITS]
    return Part({"toolkits": [f"{name} {match[1]}" for name, match in found if match]})


def code(command: Sequence[str], cwd: Path) -> Part:
    """Scripts and settings that the command names, by a digest of what they hold: "train.py 5d41402abc4b"."""
    found, missing = [], []
    # An interpreter is told by its version; what else stands first may be the very program under test.
    is_python = bool(command) and Path(command[0]).name.startswith("python")
    for word in dict.fromkeys(command[1:] if is_python else command):
        path = cwd / (word.rpartition("=")[2] if word.startswith("-") else word)
        try:
            if path.is_file() and path.stat().st_size <= _MOST_CODE_BYTES:
                found.append(f"{path.name} {digest(path.read_bytes())}")
            elif path.is_file():
                missing.append(f"digest of {path.name}: over {_MOST_CODE_BYTES >> 20} MiB")
        except OSError as error:  # a word that is no path at all may be too long for one
            if error.errno != errno.ENAMETOOLONG:
                missing.append(f"digest of {path.name}: {error.strerror}")
    return Part({"code": found}, tuple(missing))


def digest(data: bytes) -> str:
    """Twelve letters that stand for some content.

    >>> digest(b"hello")
    '2cf24dba5fb0'
    """
    return hashlib.sha256(data).hexdigest()[:12]
