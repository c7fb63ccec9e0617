"""Dispatch latency: what it costs to ask for work, by asking for next to none.

On a device an addition of one element and, where PyTorch has one, an empty kernel: queued (many asked for, then waited
for: what the host pays), waited for one by one (the whole way there and back), and replayed as a graph that was
recorded once, where the device knows graphs.
"""

from __future__ import annotations

from typing import Any

BUDGET_S = (3.0, 0.5)
OPTIONS: dict[str, tuple[str, str]] = {}

GRAPH = 100  # kernels in a recorded graph


def cases(kit: Any) -> Any:
    """An empty Python call, and the smallest piece of work in each library and on each device."""
    if kit.on_host:
        yield _case("python call", "python"), lambda: _repeat(lambda: None), None
        if kit.numpy is not None:
            yield _case("numpy add 1 element", "numpy"), lambda: _numpy(kit.numpy), None
        if kit.torch is not None:
            yield _case("torch add 1 element", "torch"), lambda: _add(kit.torch, "cpu"), None
    for device, wait in kit.devices():
        for work, make in (("add 1 element", _add), ("empty kernel", _empty)):
            if work == "empty kernel" and not hasattr(getattr(kit.torch, device.partition(":")[0]), "_sleep"):
                continue
            queued = _case(f"torch {work} {device}, queued", "torch", device)
            yield queued, lambda d=device, w=wait, m=make: _waited(m(kit.torch, d), w, every=False), None
            waited = _case(f"torch {work} {device}, waited for", "torch", device)
            yield waited, lambda d=device, w=wait, m=make: _waited(m(kit.torch, d), w, every=True), None
        if hasattr(getattr(kit.torch, device.partition(":")[0]), "CUDAGraph"):
            graph = _case(f"torch graph of {GRAPH} additions {device}", "torch", device)
            graph["note"] = f"one replay; a kernel of it takes a {GRAPH}th"
            yield graph, lambda d=device, w=wait: _waited(_replay(kit.torch, d), w, every=False), None


def _case(name: str, library: str, device: str = "cpu") -> dict[str, Any]:
    return {"name": name, "kind": "dispatch", "library": library, "device": device, "threads": 1}


def _repeat(action: Any) -> Any:
    def step(loops: int) -> None:
        for _ in range(loops):
            action()

    return step


def _numpy(np: Any) -> Any:
    a, b, c = np.ones(1), np.ones(1), np.ones(1)
    return _repeat(lambda: np.add(a, b, out=c))


def _add(torch: Any, device: str) -> Any:
    a, b = torch.ones(1, device=device), torch.ones(1, device=device)
    return _repeat(lambda: torch.add(a, b))


def _empty(torch: Any, device: str) -> Any:
    torch.cuda.set_device(device)
    return _repeat(lambda: torch.cuda._sleep(0))  # a kernel that spins for no cycle at all


def _replay(torch: Any, device: str) -> Any:
    torch.cuda.set_device(device)
    a, b, graph = torch.ones(1, device=device), torch.ones(1, device=device), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(GRAPH):
            torch.add(a, b, out=a)
    return _repeat(graph.replay)


def _waited(act: Any, wait: Any, every: bool) -> Any:
    """The same work, and a wait after each piece or after all."""

    def step(loops: int) -> None:
        for _ in range(loops if every else 1):
            act(1 if every else loops)
            wait()

    return step
