"""Dispatch latency: what it costs to ask for work, by asking for next to none."""

from __future__ import annotations

from typing import Any


def cases(kit: Any) -> Any:
    """An empty Python call, and a one-element addition in each library and on each device."""
    yield _case("python call", "python"), lambda: _repeat(lambda: None), None
    if kit.numpy is not None:
        yield _case("numpy add 1 element", "numpy"), lambda: _numpy(kit.numpy), None
    if kit.torch is not None:
        yield _case("torch add 1 element", "torch"), lambda: _torch(kit.torch, "cpu", None, every=False), None
        for device, wait in kit.devices():
            queued = _case(f"torch add 1 element {device}, queued", "torch", device)
            yield queued, lambda d=device, w=wait: _torch(kit.torch, d, w, every=False), None
            waited = _case(f"torch add 1 element {device}, waited for", "torch", device)
            yield waited, lambda d=device, w=wait: _torch(kit.torch, d, w, every=True), None


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


def _torch(torch: Any, device: str, wait: Any, every: bool) -> Any:
    a, b = torch.ones(1, device=device), torch.ones(1, device=device)

    def step(loops: int) -> None:
        for _ in range(loops):
            torch.add(a, b)
            if every:
                wait()
        if wait is not None and not every:
            wait()

    return step
