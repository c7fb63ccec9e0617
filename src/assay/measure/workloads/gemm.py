"""Matrix multiplication C[M,N] = A[M,K] B[K,N]: the rate of known shapes, then the achievable peak of each format.

Work is 2·M·N·K operations, a multiplication and an addition each. The known shapes are what a calibration learns from;
on a processor they stay in its cache if they fit, as a layer's operands do. The peak is searched for on the chosen
device (gemm_peak.py), with operands that rotate through more memory than its last-level cache holds; it is the case
"… peak" and the fact `gemm_peak_FORMAT`, in FLOP/s. It is the denominator an efficiency should have: a datasheet's peak
is one that nothing reaches. On an accelerator it is what bursts reach, with a rest before each; "… sustained" is the
same shape without a rest, and lower where heat or a power limit slows the clock (an H100 at 700 W).
"""

from __future__ import annotations

import math
from typing import Any

BUDGET_S = (50.0, 8.0)
OPTIONS = {
    "peak": ("on", "on: search for the achievable peak of each format, too; off: the known shapes alone"),
    "step": ("256", "edges of the shapes that are searched are multiples of this"),
    "top": ("auto", "the longest edge that is searched; auto: 4096 on a processor, 16384 on an accelerator"),
}

# (M, N, K): squares, then what transformers do: few tokens × weights, wide and deep MLPs, attention heads, vocabulary.
SHAPES = (
    (128, 128, 128), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048), (4096, 4096, 4096),
    (1, 2048, 2048), (8, 2048, 2048), (16, 1024, 4096), (64, 4096, 1024), (64, 8000, 512),
    (128, 128, 4096), (256, 256, 2048), (512, 512, 64), (512, 64, 512), (1024, 1024, 64), (256, 2048, 512),
    (512, 512, 2048), (384, 1536, 384), (768, 768, 768), (512, 4096, 1024), (1024, 512, 4096), (2048, 8192, 1024),
)  # fmt: skip
QUICK_FLOP = 1.2e9  # `quick` keeps the shapes below this; more than 16 are left, so that half can judge the other half

_KNOWN_SHARE = 0.4  # of the budget is for the known shapes
_FEWEST, _MOST = 40, 200  # shapes that are tried; between them a fiftieth of the space
_PRODUCTS = 300  # of the longest kind that a search must have time for
_MOST_EDGES = 512
_SUSTAINED = 400  # samples: as many as the time allows
_INT8_ROWS = 16  # PyTorch's int8 product on an accelerator wants more


def cases(kit: Any) -> Any:
    """Every known shape from small to large, in each format that is at hand: NumPy first, then PyTorch."""
    if kit.numpy is None:
        kit.warn("no numpy in this interpreter: fp32 and fp64 are not measured with it")
    if kit.torch is None:
        kit.warn("no torch in this interpreter: bf16, fp16 and int8 are not measured")
    shapes = [s for s in sorted(SHAPES, key=_flop) if _flop(s) <= QUICK_FLOP or not kit.settings.get("quick")]
    for shape in shapes if kit.numpy and kit.on_host else ():
        for dtype in ("fp32", "fp64"):
            yield _known(kit, "numpy", dtype, shape, "cpu")
    # After NumPy, not beside it: two idle thread pools that spin for work slow each other down.
    host = ["cpu"] if kit.on_host else []
    for device in [*host, *(name for name, _ in kit.devices())] if kit.torch else ():
        for shape in shapes:
            for dtype in kit.beside("gemm_operands").formats(device):
                if dtype == "int8" and device != "cpu" and shape[0] <= _INT8_ROWS:
                    continue
                yield _known(kit, "torch", dtype, shape, device)


def run(kit: Any) -> None:
    """The known shapes, then the peak of each format on the chosen device."""
    budget, seek = float(kit.settings["budget_s"]), kit.options["peak"]
    if seek not in {"on", "off"}:
        raise SystemExit(f"peak: {seek} is not known; write on or off")
    step, top = _edge(kit, "step", 256), _edge(kit, "top", 4096 if kit.place == "cpu" else 16384)
    if top < step:
        raise SystemExit(f"top: {top} is shorter than one step of {step}; write a longer one")
    if top > _MOST_EDGES * step:
        raise SystemExit(
            f"step: {top} is more than {_MOST_EDGES} steps of {step}; write a longer step or a shorter top"
        )
    kit.sweep(cases(kit), _KNOWN_SHARE * budget if seek == "on" else budget)
    due = [pair for pair in _sought(kit) if kit.wanted(_peak_name(*pair, kit.place))] if seek == "on" else []
    for library, dtype in due:
        try:
            _peak(kit, library, dtype, (step, top), (1 - _KNOWN_SHARE) * budget / len(due))
        except Exception as error:  # a format that this device has not
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            if kit.oom(error):
                kit.emit(event="happened", kind="oom", text=why, of=_peak_name(library, dtype, kit.place))
            kit.warn(f"{_peak_name(library, dtype, kit.place)}: not found: {why}")


def _sought(kit: Any) -> list[tuple[str, str]]:
    """Library and format; one library a format, as two would only tell which of them is slower."""
    by_torch = kit.beside("gemm_operands").formats(kit.place) if kit.torch is not None else []
    by_numpy = [d for d in ("fp32", "fp64") if d not in by_torch] if kit.place == "cpu" and kit.numpy else []
    return [*(("numpy", dtype) for dtype in by_numpy), *(("torch", dtype) for dtype in by_torch)]


def _edge(kit: Any, name: str, usual: int) -> int:
    """A length in elements, as the user set it."""
    said = kit.options[name]
    if said == "auto":
        return usual
    if not (said.isdecimal() and 16 <= int(said) <= 1 << 17):
        raise SystemExit(f"{name}: {said} cannot be an edge; write a number of elements from 16 to {1 << 17}")
    return int(said)


def _flop(shape: tuple[int, int, int]) -> int:
    return 2 * shape[0] * shape[1] * shape[2]


def _case(kit: Any, library: str, dtype: str, shape: tuple[int, int, int], device: str) -> dict[str, Any]:
    m, n, k = shape
    return {
        "name": f"{library} {dtype} {m}x{n}x{k}{_at(device)}", "kind": "matmul", "dtype": dtype, "shape": shape,
        "flop": _flop(shape), "bytes": kit.beside("gemm_operands").moved(dtype, shape), "library": library,
        "device": device,
    }  # fmt: skip


def _at(device: str) -> str:
    return "" if device == "cpu" else f" {device}"


def _known(kit: Any, library: str, dtype: str, shape: tuple[int, int, int], device: str) -> Any:
    """A row of the plan: on a processor one set of operands, on an accelerator more than its cache holds."""
    parts = kit.beside("gemm_operands")
    span = 0 if device == "cpu" else 2 * parts.cache_bytes(kit, device)
    case = _case(kit, library, dtype, shape, device) | ({"note": "operands not in cache"} if span else {})
    return case, lambda: parts.Pool(kit, library, dtype, device).step(shape, span), None


def _peak_name(library: str, dtype: str, device: str, what: str = "peak") -> str:
    return f"{library} {dtype} {what}{_at(device)}"


def _peak(kit: Any, library: str, dtype: str, edges: tuple[int, int], budget_s: float) -> None:
    """Search for the shape with the highest rate, and measure that one anew; on an accelerator at length, too."""
    parts, seek, device = kit.beside("gemm_operands"), kit.beside("gemm_peak"), kit.place
    pool, span = parts.Pool(kit, library, dtype, device), 2 * parts.cache_bytes(kit, device)
    ceiling = (kit.settings.get("peak_flop_per_s") or {}).get(dtype) or math.inf
    bench = seek.Bench(lambda shape: pool.step(shape, span), device == "cpu", ceiling)
    # Operands and their product may take an eighth of what is free.
    roomy = int(math.sqrt(parts.free_bytes(kit, device) / 8 / parts.moved(dtype, (1, 1, 1))))
    whole = seek.Space(edges[0], max(edges[0], min(edges[1], roomy)))
    most_flop = max(_flop((edges[0],) * 3), seek.pace(bench, whole) * budget_s / _PRODUCTS)
    space = whole._replace(most_flop=most_flop)
    count = space.size()
    shape, tried = seek.find(bench, space, min(_MOST, max(_FEWEST, count // 50)), 0.75 * budget_s)
    if bench.refused:
        kit.warn(
            f"{library} {dtype}: {len(bench.refused)} shapes refused: above the device's peak of {ceiling:.3g} FLOP/s"
        )
    if shape is None:
        raise ValueError("no shape could be done")
    if tried < min(_FEWEST, whole.size()):
        kit.warn(f"{library} {dtype}: only {tried} shapes were tried, so its peak may be higher; raise --budget")
    case = _case(kit, library, dtype, shape, device) | {
        "name": _peak_name(library, dtype, device), "kind": "peak",
        "note": f"the best of {tried} shapes tried out of {count}; operands not in cache",
    }  # fmt: skip
    _anew(kit, case, bench, 0.25 * budget_s)


def _anew(kit: Any, case: dict[str, Any], bench: Any, budget_s: float) -> None:
    """Measure the shape that was found; on an accelerator in bursts with a rest before each, and then without one."""
    if case["device"] == "cpu":
        _fact(kit, "peak", case, _sampled(kit, case, bench, None, budget_s), bench.fold)
        return
    case["loops"] = bench.ready(case["shape"])[1]
    _fact(kit, "peak", case, _sampled(kit, case, bench, bench.rest, 0.4 * budget_s), bench.fold)
    name = _peak_name(case["library"], case["dtype"], case["device"], "sustained")
    note = f"the same shape as {case['name']}, without a rest: what heat and the power limit leave of it"
    case |= {"name": name, "kind": "sustained", "note": note, "fewest": _SUSTAINED}
    times = _sampled(kit, case, bench, None, 0.6 * budget_s)
    _fact(kit, "sustained", case, times[len(times) // 2 :], bench.fold)


def _sampled(kit: Any, case: dict[str, Any], bench: Any, before: Any, budget_s: float) -> list[float]:
    found: dict[str, list[float]] = kit.sweep([(case, lambda: bench.steps(case["shape"]), before)], budget_s)
    return found.get(case["name"], [])


def _fact(kit: Any, what: str, case: dict[str, Any], times: list[float], fold: Any) -> None:
    if times:
        kit.emit(event="fact", name=f"gemm_{what}_{case['dtype']}", value=case["flop"] / fold(times))
