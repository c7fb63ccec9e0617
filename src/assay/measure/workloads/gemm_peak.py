"""The achievable peak of matrix multiplication: a search over shapes from coarse to fine, with operands out of cache.

An exhaustive sweep of such a space takes days and tells more of the room's temperature than of the shapes. Here a
coarse grid is tried first, then the best are followed along each axis with ever smaller steps, and the finalists are
measured again in turn, so that the winner is not the shape that was lucky once. What is reported is measured after
all that, and was not chosen for being fast.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

Shape = tuple[int, int, int]

_FINALISTS = 6
_READINGS, _TURNS = (3, 12), (6, 24)  # of a shape that is tried, of a finalist: the fewest, the most
_ALIKE = 1.02  # two fastest readings that differ by less were both undisturbed
_BEAM = 2  # shapes that are followed at once
_LOOP_S = 5e-3  # what one reading takes at least
_LOUD_S = 1e-3  # a product that takes so long is not all launching
_REST = 3.0  # times as long as it worked an accelerator rests, so that its power limit does not choose the shape


class Space(NamedTuple):
    """Shapes (M, N, K) that are looked at: edges are multiples of `step` up to `top`, work is within `most_flop`."""

    step: int
    top: int
    most_flop: float = math.inf

    def holds(self, shape: Shape) -> bool:
        """Whether this shape is one of them."""
        return all(0 < x <= self.top and x % self.step == 0 for x in shape) and flop(shape) <= self.most_flop

    def size(self) -> int:
        """How many they are, without a list of them."""
        edges = self.top // self.step
        room = self.most_flop / (2 * self.step**3)  # for m·n·k, in steps
        return sum(int(min(edges, room // (m * n))) for m in range(1, edges + 1) for n in range(1, edges + 1))

    def shapes(self) -> list[Shape]:
        """All of them."""
        edges = range(self.step, self.top + 1, self.step)
        return [s for s in itertools.product(edges, edges, edges) if flop(s) <= self.most_flop]


def flop(shape: Shape) -> int:
    """2·M·N·K: a multiplication and an addition each."""
    return 2 * shape[0] * shape[1] * shape[2]


def search(space: Space, rate: Callable[[Shape], float], most: int, more: Callable[[], bool]) -> dict[Shape, float]:
    """Rates of at most `most` shapes of the space, tried from coarse to fine for as long as `more()` says so."""
    tried: dict[Shape, float] = {}

    def attempt(shapes: Iterable[Shape], room: int = most) -> bool:
        """Try up to so many new ones; whether one of them is the best so far."""
        best, full = max(tried.values(), default=0.0), min(most, len(tried) + room)
        for shape in shapes:
            if len(tried) >= full or not more():
                break
            if shape not in tried and space.holds(shape):
                tried[shape] = rate(shape)
        return max(tried.values(), default=0.0) > best

    attempt(coarse(space, max(4, most // 4)))
    attempt(scattered(space, *best_of(tried, 1)), most // 3)
    stride = max(space.step, space.top // 4 // space.step * space.step)
    while stride >= space.step and len(tried) < most and more():
        if not attempt([near for shape in best_of(tried, _BEAM) for near in _around(shape, stride)]):
            stride = stride // 2 // space.step * space.step
    followed: set[Shape] = set()  # what is left is spent around the next best
    while len(followed) < len(tried) < most and more():
        shape = next(s for s in best_of(tried, len(tried)) if s not in followed)
        followed.add(shape)
        attempt([near for stride in (space.step, 2 * space.step) for near in _around(shape, stride)])
    return tried


def coarse(space: Space, most: int) -> list[Shape]:
    """Shapes to begin with: squares, then every mix of edges that halve from the largest, thinned out evenly."""
    # With little time for a product no cube is as long as the space is; twice the longest one is long enough.
    top = min(float(space.top), max(space.step, 2 * (space.most_flop / 2) ** (1 / 3)))
    levels = [max(space.step, int(top / 2**i) // space.step * space.step) for i in range(4)]
    half = [max(space.step, int(0.75 * top / 2**i) // space.step * space.step) for i in range(3)]
    squares = [
        shape for shape in ((x, x, x) for x in dict.fromkeys([*levels, *half, space.step])) if space.holds(shape)
    ]
    mixed = [s for s in sorted(set(itertools.product(levels, levels, levels)), key=flop) if space.holds(s)]
    rest = [shape for shape in mixed if shape not in squares]
    room = max(1, most - len(squares))
    return [*squares, *rest[:: -max(1, -(-len(rest) // room))]][:most]


def scattered(space: Space, best: Shape = (0, 0, 0)) -> Iterator[Shape]:
    """Shapes all over the plane of M and N at the best K: how tiles fill the cores there follows no slope.

    Evenly but without a grid's regularity: the R2 sequence (Roberts 2018, "The unreasonable effectiveness of
    quasirandom sequences").
    """
    edges, golden, m, n = space.top // space.step, 1.32471795724474602596, 0.5, 0.5
    for _ in range(4 * edges * edges):
        m, n = (m + 1 / golden) % 1, (n + 1 / golden**2) % 1
        shape = (space.step * (1 + int(m * edges)), space.step * (1 + int(n * edges)), best[2])
        if shape[0] * shape[1] >= (space.top / 4) ** 2:
            yield shape


def best_of(tried: dict[Shape, float], count: int) -> list[Shape]:
    """The fastest shapes, best first."""
    return sorted(tried, key=lambda shape: -tried[shape])[:count]


def _around(shape: Shape, stride: int) -> list[Shape]:
    """Its neighbours along each axis."""
    m, n, k = shape
    return [s for d in (stride, -stride) for s in ((m + d, n, k), (m, n + d, k), (m, n, k + d))]


def winner(finalists: Sequence[Shape], bench: Bench, more: Callable[[], bool]) -> Shape:
    """The fastest of a few, each read anew in turn while there is time: what disturbs one round disturbs all."""
    seconds: dict[Shape, list[float]] = {shape: [] for shape in finalists}
    fewest, most = _TURNS
    for turn in range(most):
        for shape in finalists if turn % 2 == 0 else reversed(finalists):
            seconds[shape].append(bench.reading(shape))
        if turn >= 1 and not more():
            break
        if turn + 1 >= fewest and all(map(bench.sure, seconds.values())):
            break
    return max(finalists, key=lambda shape: flop(shape) / bench.fold(seconds[shape]))


class Bench:
    """Times shapes of one format on one device, each product with operands that have left the cache.

    `steps(shape)` makes a step(loops); the fold is the fastest reading on a processor, which others only ever slow
    down, and the median on an accelerator, whose clock goes both ways.
    """

    def __init__(self, steps: Callable[[Shape], Any], on_host: bool, peak_flop_per_s: float = math.inf) -> None:
        self.steps, self.peak_flop_per_s = steps, peak_flop_per_s
        self.on_host = on_host
        self.fold: Callable[[list[float]], float] = min if on_host else _median
        self.refused: list[Shape] = []
        self.worked_s = 0.0

    def rate(self, shape: Shape) -> float:
        """FLOP/s in a few quick readings; 0 where a shape cannot be done, or is done faster than is possible."""
        fewest, most = _READINGS
        try:
            step, loops = self.ready(shape)
            seconds = [self._rested(step, loops) for _ in range(fewest)]
            while len(seconds) < most and not self.sure(seconds):
                seconds.append(self._rested(step, loops))
            got = flop(shape) / self.fold(seconds)
        except (RuntimeError, ValueError, TypeError, MemoryError):  # this library cannot do this shape
            return 0.0
        if got > self.peak_flop_per_s:
            self.refused.append(shape)
            return 0.0
        return got

    def sure(self, seconds: list[float]) -> bool:
        """Whether more readings would not help: on a processor, when the two fastest are alike."""
        best, second = sorted(seconds)[:2]
        return not self.on_host or second <= _ALIKE * best

    def reading(self, shape: Shape) -> float:
        """Seconds for one product, in one reading."""
        return self._rested(*self.ready(shape))

    def rest(self) -> None:
        """Let an accelerator that has just worked draw little for a while."""
        if not self.on_host:
            time.sleep(_REST * self.worked_s)

    def _rested(self, step: Any, loops: int) -> float:
        self.rest()
        once_s = _read(step, loops)
        self.worked_s = once_s * loops
        return once_s

    def ready(self, shape: Shape) -> tuple[Any, int]:
        """A step, and how many loops of it are long enough to be timed."""
        step = self.steps(shape)
        step(1)
        once = _read(step, 1)
        return step, max(1, math.ceil(_LOOP_S / max(once, 1e-9)))


def _read(step: Any, loops: int) -> float:
    begin = time.perf_counter()
    step(loops)
    return (time.perf_counter() - begin) / loops


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def pace(bench: Bench, space: Space) -> float:
    """FLOP/s of a cube that is just large enough for its time to say something."""
    edge = space.step
    while True:
        cube = (edge, edge, edge)
        seconds = min(bench.reading(cube) for _ in range(3))
        if seconds > _LOUD_S or 2 * edge > space.top:
            return flop(cube) / seconds
        edge *= 2


def find(bench: Bench, space: Space, most: int, budget_s: float) -> tuple[Shape | None, int]:
    """The shape with the achievable peak, and how many were tried; None where not one could be done."""
    start = time.perf_counter()
    tried = search(space, bench.rate, most, lambda: time.perf_counter() - start < 2 / 3 * budget_s)
    finalists = [shape for shape in best_of(tried, _FINALISTS) if tried[shape] > 0]
    if not finalists:
        return None, len(tried)
    return winner(finalists, bench, lambda: time.perf_counter() - start < budget_s), len(tried)
