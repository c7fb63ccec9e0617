"""`python pretend_cuda.py NAME SETTINGS`: the engine, in a PyTorch that believes it reaches two CUDA devices.

Tensors of a device lie in host memory, and every call that a workload makes of a device is there and does nothing. What
is measured is worth nothing; that each line of the workloads is passed through is.
"""

import contextlib
import json
import runpy
import sys
import types
from pathlib import Path

import torch

ENGINE = Path(__file__).resolve().parents[2] / "src/assay/measure/workloads/engine.py"


def on_host(make):
    def made(*args, device=None, pin_memory=False, **options):
        assert device is None or str(device) in {"cpu", "cuda:0", "cuda:1"}
        return make(*args, **options)

    return made


class Graph:
    def replay(self):
        pass


for name in ("ones", "empty", "randn", "randint", "arange", "tensor", "zeros"):
    setattr(torch, name, on_host(getattr(torch, name)))
for name, answer in {
    "is_available": lambda: True,
    "device_count": lambda: 2,
    "synchronize": lambda device=None: None,
    "set_device": lambda device: None,
    "get_device_properties": lambda device: types.SimpleNamespace(L2_cache_size=1 << 20, gcnArchName=""),
    "mem_get_info": lambda device: (1 << 28, 1 << 30),
    "memory_allocated": lambda device=None: 1000,
    "memory_reserved": lambda device=None: 2000,
    "empty_cache": lambda: None,
    "CUDAGraph": Graph,
    "graph": contextlib.nullcontext,
    "_sleep": lambda cycles: None,
}.items():
    setattr(torch.cuda, name, answer)

if __name__ == "__main__":
    engine = runpy.run_path(str(ENGINE))
    engine["main"](sys.argv[1], json.loads(sys.argv[2]))
