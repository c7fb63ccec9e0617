"""A training loop in NumPy that says what it does.

Run it alone, or under `assay measure -- python examples/train_loop.py`. A two-layer network learns to tell the points
inside a ring from those outside. Batches come from a loader that is slow on purpose, so there is something to find.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import numpy as np

try:
    from assay import batches, emit, phase
except ImportError:  # it runs without Assay as well; or copy src/assay/marks.py beside it
    from contextlib import nullcontext as phase

    def batches(loader):
        """The loader as it is."""
        return loader

    def emit(**_):
        """Say nothing."""


BATCH, HIDDEN, RATE = 4096, 256, 0.5


def loader(steps: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Points and whether they lie in the ring; reading them takes some milliseconds."""
    draw = np.random.default_rng(0)
    for _ in range(steps):
        time.sleep(0.008)
        x = draw.uniform(-1.5, 1.5, (BATCH, 2)).astype(np.float32)
        r = np.hypot(x[:, 0], x[:, 1])
        yield x, ((r > 0.5) & (r < 1.2)).astype(np.float32)


def main(steps: int = 200) -> None:
    """Train, and say how it goes."""
    draw = np.random.default_rng(1)
    w1, b1 = draw.standard_normal((2, HIDDEN)).astype(np.float32), np.zeros(HIDDEN, np.float32)
    w2, b2 = 0.1 * draw.standard_normal(HIDDEN).astype(np.float32), np.float32(0)
    for step, (x, y) in enumerate(batches(loader(steps))):
        h = np.maximum(x @ w1 + b1, 0)
        p = 1 / (1 + np.exp(-(h @ w2 + b2)))
        loss = -np.mean(y * np.log(p + 1e-7) + (1 - y) * np.log(1 - p + 1e-7))
        error = (p - y) / BATCH
        back = np.outer(error, w2) * (h > 0)
        w2, b2 = w2 - RATE * (h.T @ error), b2 - RATE * error.sum()
        w1, b1 = w1 - RATE * (x.T @ back), b1 - RATE * back.sum(0)
        if step % 50 == 49:
            with phase("checkpoint"):
                time.sleep(0.05)
        emit(step=step, loss=float(loss), samples=BATCH)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
