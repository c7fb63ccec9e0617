"""Matrix multiplication C[M,N] = A[M,K] B[K,N] over shapes and number formats; work is 2·M·N·K operations."""

from __future__ import annotations

from typing import Any

# (M, N, K): squares, then what transformers do: few tokens × weights, wide and deep MLPs, attention heads, vocabulary.
SHAPES = (
    (128, 128, 128), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048), (4096, 4096, 4096),
    (1, 2048, 2048), (8, 2048, 2048), (16, 1024, 4096), (64, 4096, 1024), (64, 8000, 512),
    (128, 128, 4096), (256, 256, 2048), (512, 512, 64), (512, 64, 512), (1024, 1024, 64), (256, 2048, 512),
    (512, 512, 2048), (384, 1536, 384), (768, 768, 768), (512, 4096, 1024), (1024, 512, 4096), (2048, 8192, 1024),
)  # fmt: skip
QUICK_FLOP = 1.2e9  # `quick` keeps the shapes below this; more than 16 are left, so that half can judge the other half

# Assay's name -> (PyTorch's name, where it is tried); int8 has its own function with int32 results.
TORCH = {
    "fp32": ("float32", "any"),
    "tf32": ("float32", "accelerator"),
    "bf16": ("bfloat16", "any"),
    "fp16": ("float16", "any"),
    "int8": ("int8", "any"),
}


def cases(kit: Any) -> Any:
    """Every shape from small to large, in each format that is at hand: NumPy first, then PyTorch."""
    if kit.numpy is None:
        kit.warn("no numpy in this interpreter: fp32 and fp64 are not measured with it")
    if kit.torch is None:
        kit.warn("no torch in this interpreter: bf16, fp16 and int8 are not measured")
    shapes = [s for s in sorted(SHAPES, key=_flop) if _flop(s) <= QUICK_FLOP or not kit.settings.get("quick")]
    for shape in shapes if kit.numpy else ():
        for dtype in ("fp32", "fp64"):
            yield _case("numpy", dtype, shape), _in_numpy(kit.numpy, dtype, shape), None
    # After NumPy, not beside it: two idle thread pools that spin for work slow each other down.
    for device, wait in [("cpu", None), *kit.devices()] if kit.torch else ():
        for shape in shapes:
            for dtype, (_, where) in TORCH.items():
                if where == "any" or device != "cpu":
                    step = _in_torch(kit.torch, dtype, shape, device, wait)
                    yield _case("torch", dtype, shape, device), step, None


def _flop(shape: tuple[int, int, int]) -> int:
    return 2 * shape[0] * shape[1] * shape[2]


def _case(library: str, dtype: str, shape: tuple[int, int, int], device: str = "cpu") -> dict[str, Any]:
    m, n, k = shape
    size = {"fp64": 8, "fp32": 4, "tf32": 4, "bf16": 2, "fp16": 2, "int8": 1}[dtype]
    out = 4 if dtype == "int8" else size
    where = "" if device == "cpu" else f" {device}"
    return {
        "name": f"{library} {dtype} {m}x{n}x{k}{where}", "kind": "matmul", "dtype": dtype, "shape": shape,
        "flop": _flop(shape), "bytes": size * (m * k + k * n) + out * m * n, "library": library, "device": device,
    }  # fmt: skip


def _in_numpy(np: Any, dtype: str, shape: tuple[int, int, int]) -> Any:
    def prepare() -> Any:
        m, n, k = shape
        kind = {"fp32": np.float32, "fp64": np.float64}[dtype]
        draw = np.random.default_rng(0)
        a, b = draw.standard_normal((m, k), kind), draw.standard_normal((k, n), kind)
        c = np.empty((m, n), kind)

        def step(loops: int) -> None:
            for _ in range(loops):
                np.matmul(a, b, out=c)

        return step

    return prepare


def _in_torch(torch: Any, dtype: str, shape: tuple[int, int, int], device: str, wait: Any) -> Any:
    def prepare() -> Any:
        m, n, k = shape
        kind = getattr(torch, TORCH[dtype][0])
        if device.startswith("cuda"):
            torch.backends.cuda.matmul.allow_tf32 = dtype == "tf32"
        if dtype == "int8":
            a = torch.randint(-100, 100, (m, k), dtype=kind, device=device)
            b = torch.randint(-100, 100, (k, n), dtype=kind, device=device)
            multiply = torch._int_mm  # PyTorch's only int8 product so far
        else:
            a, b = (torch.randn(size, device=device).to(kind) for size in ((m, k), (k, n)))
            multiply = torch.matmul

        def step(loops: int) -> None:
            for _ in range(loops):
                multiply(a, b)
            if wait is not None:
                wait()

        return step

    return prepare
