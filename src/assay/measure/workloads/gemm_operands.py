"""Operands of matrix products: formats, libraries and devices, and as many sets as it takes to leave the cache."""

from __future__ import annotations

import os
from typing import Any

# Assay's name -> (PyTorch's name, bytes of an element of A and B, of C, where PyTorch is asked for it)
FORMATS = {
    "fp64": ("float64", 8, 8, "accelerator"),
    "fp32": ("float32", 4, 4, "any"),
    "tf32": ("float32", 4, 4, "cuda"),
    "bf16": ("bfloat16", 2, 2, "any"),
    "fp16": ("float16", 2, 2, "any"),
    "int8": ("int8", 1, 4, "any"),  # the product is int32
    "fp8": ("float8_e4m3fn", 1, 2, "accelerator"),  # the product is asked for in bf16
}
_CACHE_BYTES = 256 << 20  # last level of an accelerator whose driver does not say (MI300X: 256 MiB)
_HOST_CACHE_BYTES = 64 << 20
_DRAWN = 1 << 20  # random numbers that are drawn; a pool repeats them


def formats(device: str) -> list[str]:
    """The formats that PyTorch is asked for on a device of this name."""
    kind = device.partition(":")[0]
    places = {"any", kind} | ({"accelerator"} if kind != "cpu" else set())
    return [name for name, (_, _, _, where) in FORMATS.items() if where in places]


def moved(dtype: str, shape: tuple[int, int, int]) -> int:
    """Bytes of A, B and C."""
    (m, n, k), (_, size, out, _) = shape, FORMATS[dtype]
    return size * (m * k + k * n) + out * m * n


def cache_bytes(kit: Any, device: str) -> int:
    """The last-level cache of a device; where it does not say, as much as any is known to have."""
    if device == "cpu":
        return int(kit.settings.get("last_cache_bytes") or _HOST_CACHE_BYTES)
    return told_cache_bytes(kit, device) or _CACHE_BYTES


def told_cache_bytes(kit: Any, device: str) -> int:
    """The last-level cache of an accelerator as its driver tells it; 0 where it does not."""
    read = getattr(getattr(kit.torch, device.partition(":")[0]), "get_device_properties", None)
    # ROCm tells of the L2, and not of the larger cache behind it.
    return int(getattr(read(device), "L2_cache_size", 0)) if read and kit.torch.version.hip is None else 0


def free_bytes(kit: Any, device: str) -> float:
    """Memory of a device that nobody uses; the host's where the device does not say."""
    read = getattr(getattr(kit.torch, device.partition(":")[0], None), "mem_get_info", None)
    if device != "cpu" and read is not None:
        return float(read(device)[0])
    return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def _aligned(count: int) -> int:
    """Elements up to where a vector load likes the next matrix to begin."""
    return -(-count // 128) * 128


class Pool:
    """Random numbers of one format on one device, from which operands are cut.

    Random, not zero: a device that multiplies zeros draws less power and clocks higher than it ever will at work.
    """

    def __init__(self, kit: Any, library: str, dtype: str, device: str) -> None:
        self.kit, self.library, self.dtype, self.device = kit, library, dtype, device
        self.wait = dict(kit.devices()).get(device, lambda: None)
        self.inputs: Any = ()
        self.outputs: Any = ()  # apart: a product that is multiplied again soon outgrows the format
        self.turn = 0  # goes on from one shape to the next: a batch never begins with what the last one left in cache

    def step(self, shape: tuple[int, int, int], span_bytes: float = 0) -> Any:
        """A step that multiplies one set of operands after the other, as many as make up so many bytes."""
        m, n, k = shape
        wide, high = _aligned(m * k) + _aligned(k * n), _aligned(m * n)
        sets = max(1, -(-int(span_bytes) // moved(self.dtype, shape)))
        self._grow(sets * wide, sets * high)
        cut = []
        for i in range(sets):
            a, b, c = i * wide, i * wide + _aligned(m * k), i * high
            operands = self.inputs[a : a + m * k].reshape(m, k), self.inputs[b : b + k * n].reshape(k, n)
            cut.append((*operands, self.outputs[c : c + m * n].reshape(m, n)))
        multiply = self._in_numpy() if self.library == "numpy" else self._in_torch()

        def step(loops: int) -> None:
            for i in range(self.turn, self.turn + loops):
                multiply(*cut[i % sets])
            self.turn += loops
            self.wait()

        return step

    def _grow(self, inputs: int, outputs: int) -> None:
        if len(self.inputs) < inputs:
            self.inputs = ()  # the old ones go first
            self.inputs = self._drawn(-(-inputs // _DRAWN))
        if len(self.outputs) < outputs:
            self.outputs = ()
            self.outputs = self.inputs[:1].repeat(outputs)

    def _drawn(self, times: int) -> Any:
        if self.library == "numpy":
            np = self.kit.numpy
            kind = {"fp32": np.float32, "fp64": np.float64}[self.dtype]
            return np.tile(np.random.default_rng(0).standard_normal(_DRAWN, kind), times)
        torch = self.kit.torch
        if self.dtype == "int8":
            return torch.randint(-100, 100, (_DRAWN,), dtype=torch.int8, device=self.device).repeat(times)
        return torch.randn(_DRAWN, device=self.device).to(getattr(torch, self._kind())).repeat(times)

    def _kind(self) -> str:
        """PyTorch's name of the format; fp8 has another one on AMD's first devices that know it."""
        if self.dtype == "fp8" and self.device.startswith("cuda"):
            chip = getattr(self.kit.torch.cuda.get_device_properties(self.device), "gcnArchName", "")
            return "float8_e4m3fnuz" if chip.startswith("gfx94") else FORMATS["fp8"][0]
        return FORMATS[self.dtype][0]

    def _in_numpy(self) -> Any:
        np = self.kit.numpy
        return lambda a, b, c: np.matmul(a, b, out=c)

    def _in_torch(self) -> Any:
        torch = self.kit.torch
        if self.dtype == "tf32" and torch.version.hip and os.environ.get("HIPBLASLT_ALLOW_TF32") != "1":
            raise RuntimeError("ROCm computes in fp32 instead; set HIPBLASLT_ALLOW_TF32=1")
        torch.set_float32_matmul_precision("high" if self.dtype == "tf32" else "highest")
        if self.dtype == "int8" and self.device == "cpu":
            return lambda a, b, _: torch._int_mm(a, b)  # PyTorch's only int8 product so far
        if self.dtype == "int8":  # B by columns: an H100 is a tenth as fast with rows
            return lambda a, b, _: torch._int_mm(a, b.reshape(b.shape[::-1]).t())
        if self.dtype == "fp8":
            one = torch.ones((), device=self.device)
            # B is stored by columns: tensor cores take fp8 in no other way.
            return lambda a, b, _: torch._scaled_mm(a, b.reshape(b.shape[::-1]).t(), one, one, out_dtype=torch.bfloat16)
        return lambda a, b, c: torch.mm(a, b, out=c)
