"""Communication between ranks: all-reduce, all-gather, reduce-scatter, all-to-all, broadcast, and point to point.

Start it with several processes: `torchrun --nproc-per-node 2 engine.py collective '{}'`. The library is the one for the
device: gloo, NCCL or RCCL, oneCCL, HCCL. Sizes, `bytes_per_s` and `bus_bytes_per_s` are those of nccl-tests
(https://github.com/NVIDIA/nccl-tests, doc/PERFORMANCE.md: algbw and busbw). The size is the whole of what a collective
is about: all that is gathered, scattered or exchanged by a rank. Bus bandwidth is what each link must have carried,
whatever the number of ranks n: algbw times 2(n-1)/n for all-reduce, (n-1)/n for all-gather, reduce-scatter and
all-to-all, 1 for the rest.

`time_s` is the time of the slowest rank, a mean over as many repetitions as rank 0 says; one more, untimed, is done on
numbers whose result is known, on every rank. A ring sends to the next rank and receives from the one before; a pair
sends there and back, and half of that is its time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

BUDGET_S = (40.0, 8.0)
OPTIONS = {
    "smallest": ("1", "KiB of the smallest size"),
    "largest": ("auto", "KiB of the largest size; auto: 262144 (256 MiB), or 4096 with --quick"),
    "pairs": ("first", "first: the pair of ranks 0 and 1; all: every pair, which shows a slow link"),
}

KIB = 1 << 10
GROWTH = 4  # from one size to the next
_FEWEST, _MOST, _MOST_LOOPS = 10, 100, 1000
_LOOP_S = 5e-3  # a reading takes at least this, so that its beginning, which ranks do not share, is little

# Kind -> the factor from algbw to busbw, for n ranks (nccl-tests, doc/PERFORMANCE.md).
BUS: dict[str, Callable[[int], float]] = {
    "all-reduce": lambda n: 2 * (n - 1) / n,
    "all-gather": lambda n: (n - 1) / n,
    "reduce-scatter": lambda n: (n - 1) / n,
    "all-to-all": lambda n: (n - 1) / n,
    "broadcast": lambda n: 1.0,
    "ring": lambda n: 1.0,
    "pair": lambda n: 1.0,
}


def run(kit: Any) -> None:
    """Every kind, from small sizes to large."""
    if kit.ranks < 2:
        raise SystemExit("collective: one process has nobody to talk to; start two or more, as torchrun does")
    sizes = sizes_of(kit)
    if kit.options["pairs"] not in {"first", "all"}:
        raise SystemExit(f"pairs: {kit.options['pairs']} is not known; write first or all")
    team = Team(kit)
    every = [(a, b) for a in range(kit.ranks) for b in range(a + 1, kit.ranks)]
    ways: list[tuple[str, tuple[int, int]]] = [(kind, (0, 1)) for kind in BUS if kind != "pair"]
    ways += [("pair", pair) for pair in (every if kit.options["pairs"] == "all" else every[:1])]
    plan = [(kind, pair, size) for kind, pair in ways for size in sizes]
    due = [row for row in plan if kit.wanted(_name(kit, *row))]
    end, wrong, asked = time.monotonic() + float(kit.settings["budget_s"]), [], 0
    for place, (kind, pair, size) in enumerate(due):
        case = _case(kit, team, kind, pair, size)
        team.say(event="begin", case=case, number=place + 1, of=len(due))
        share = team.agreed(max(0.1, (end - time.monotonic()) / (len(due) - place)))
        why, right = _measure(kit, team, case, pair, share)
        asked += right is not None
        wrong += [case["name"]] if right is False else []
        ended = {"event": "skip", "why": why, "for_time": why.startswith("time")} if why else {"event": "end"}
        team.say(case=case["name"], **ended)
    if asked:
        text = f"{len(wrong)} wrong: {', '.join(wrong[:3])}" if wrong else f"{asked} cases, every number on every rank"
        team.say(event="check", name="results of communication", passed=not wrong, text=text)


def sizes_of(kit: Any) -> list[int]:
    """Bytes from the smallest to the largest size."""
    said = dict(kit.options)
    if said["largest"] == "auto":
        said["largest"] = "4096" if kit.settings.get("quick") else "262144"
    for name in ("smallest", "largest"):
        if not (said[name].isdecimal() and 1 <= int(said[name]) <= 1 << 24):
            raise SystemExit(f"{name}: {said[name]} is no size in KiB; write a number from 1 to {1 << 24}")
    low, high = int(said["smallest"]), int(said["largest"])
    if high < low:
        raise SystemExit(f"largest: {high} KiB is below the smallest, {low} KiB")
    return [KIB * low * GROWTH**i for i in range(int(math.log(high / low, GROWTH) + 1e-9) + 1)]


def numbers(kit: Any, size: int) -> int:
    """fp32 numbers that make up about this size, and that every rank has an equal part of."""
    return int(max(1, size // 4 // kit.ranks) * kit.ranks)


def _name(kit: Any, kind: str, pair: tuple[int, int], size: int) -> str:
    label = f"{size // KIB} KiB" if size < KIB * KIB else f"{size / KIB / KIB:g} MiB"
    return f"{kind} {label} {f'ranks {pair[0]} and {pair[1]}' if kind == 'pair' else f'{kit.ranks} ranks'}"


def _case(kit: Any, team: Team, kind: str, pair: tuple[int, int], size: int) -> dict[str, Any]:
    return {
        "name": _name(kit, kind, pair, size), "kind": kind, "dtype": "fp32", "bytes": 4 * numbers(kit, size),
        "library": team.backend, "device": kit.place,
    }  # fmt: skip


def _measure(
    kit: Any, team: Team, case: dict[str, Any], pair: tuple[int, int], share_s: float
) -> tuple[str, bool | None]:
    """Sample one case; why it was skipped, and whether its result is right (None: it did not come to that)."""
    act: Any = None
    check: Any = None
    why = ""
    try:
        act, check = team.prepare(case["kind"], case["bytes"], pair)
    except Exception as error:  # as some ranks may have memory and others not, all must hear of it
        why = _reason(error)
        if kit.oom(error):
            kit.emit(event="happened", kind="oom", text=why, of=case["name"])
    if team.agreed(1.0 if why else 0.0, "max"):
        return why or "another rank could not make it ready", None
    try:
        act(1)  # what this library does not know fails here, on all ranks alike
        kit.sync()
    except Exception as error:
        return _reason(error), None
    right = bool(team.agreed(float(check()), "min"))
    return _sample(kit, team, case, act, share_s), right


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip() or 'no reason given').splitlines()[0]}"


def _sample(kit: Any, team: Team, case: dict[str, Any], act: Any, share_s: float) -> str:
    """Readings that all ranks take together; rank 0 says how many, and of how many repetitions."""
    tight, factor = kit.beside("sampling").tight, BUS[case["kind"]](kit.ranks)
    start, loops, times = time.monotonic(), 1, list[float]()
    for index in range(_MOST):
        team.meet()
        begin = time.perf_counter()
        act(loops)
        kit.sync()
        taken = team.agreed(time.perf_counter() - begin, "max")
        warmup = not times and (index == 0 or taken < _LOOP_S) and loops < _MOST_LOOPS
        each = taken / loops / (2 if case["kind"] == "pair" else 1)
        rate = {"bytes_per_s": case["bytes"] / each, "bus_bytes_per_s": factor * case["bytes"] / each}
        team.say(case=case["name"], step=index, warmup=warmup, time_s=each, **rate)
        if not warmup:
            times.append(each)
        spent = time.monotonic() - start
        grown = min(_MOST_LOOPS, max(2 * loops if index else 1, math.ceil(1.2 * _LOOP_S / max(taken, 1e-9) * loops)))
        enough = len(times) >= _FEWEST and (spent > share_s or tight(times))
        short = len(times) < _FEWEST and spent + (_FEWEST - len(times)) * taken > max(2 * share_s, 0.5)
        # Ranks read different clocks: what rank 0 thinks counts.
        loops, ends, hopeless = team.told([grown if warmup else loops, enough, short])
        if hopeless:
            return f"time: {_FEWEST} readings of {taken:.2g} s do not fit its share, {share_s:.2g} s"
        if ends:
            break
    return ""


class Team:
    """The ranks, what they agree on, and what they can do together."""

    def __init__(self, kit: Any) -> None:
        self.kit, self.torch, self.dist, self.device = kit, kit.torch, kit.group(), kit.device()
        self.backend = str(self.dist.get_backend())
        self.rank, self.ranks = kit.rank, kit.ranks

    def say(self, **said: Any) -> None:
        """Rank 0 speaks for all."""
        if self.rank == 0:
            self.kit.emit(**said)

    def meet(self) -> None:
        """Wait for all, and for all devices."""
        self.agreed(0.0)
        self.kit.sync()

    def agreed(self, value: float, fold: str = "max") -> float:
        """The largest or smallest of what the ranks say."""
        box = self.torch.tensor([value], dtype=self.torch.float32, device=self.device)
        self.dist.all_reduce(box, op=self.dist.ReduceOp.MAX if fold == "max" else self.dist.ReduceOp.MIN)
        return float(box.item())

    def told(self, values: list[int]) -> list[int]:
        """What rank 0 says."""
        box = self.torch.tensor(values, dtype=self.torch.int32, device=self.device)
        self.dist.broadcast(box, 0)
        return [int(x) for x in box.tolist()]

    def prepare(self, kind: str, size: int, pair: tuple[int, int]) -> tuple[Any, Any]:
        """What does it `loops` times, and what says whether the first time gave the right numbers."""
        act, result, wanted = self._pair(size // 4, pair) if kind == "pair" else self._collective(kind, size // 4)

        def repeat(loops: int) -> None:
            for _ in range(loops):
                act()

        return repeat, lambda: wanted is None or bool(self.torch.equal(result, wanted))

    def _collective(self, kind: str, count: int) -> tuple[Any, Any, Any]:
        """The action, where its result lies, and what must stand there after it was done once."""
        n, r, dist, part = self.ranks, self.rank, self.dist, count // self.ranks
        if kind == "all-reduce":
            box = self._numbers(count, r)
            return lambda: dist.all_reduce(box), box, self._sum(count)
        if kind == "all-gather":
            own, out = self._numbers(part, r), self._numbers(count, n)
            wanted = self.torch.cat([self._numbers(part, i) for i in range(n)])
            gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor  # its older name
            return lambda: gather(out, own), out, wanted
        if kind == "reduce-scatter":
            box, out = self._numbers(count, r), self._numbers(part, n)
            scatter = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor  # its older name
            return lambda: scatter(out, box), out, self._sum(count)[r * part : (r + 1) * part]
        if kind == "all-to-all":
            box, out = self._numbers(count, r), self._numbers(count, n)
            mine = [self._numbers(count, i)[r * part : (r + 1) * part] for i in range(n)]
            return lambda: dist.all_to_all_single(out, box), out, self.torch.cat(mine)
        if kind == "broadcast":
            box = self._numbers(count, r)
            return lambda: dist.broadcast(box, 0), box, self._numbers(count, 0)
        own, out = self._numbers(count, r), self._numbers(count, n)
        ring = [dist.P2POp(dist.isend, own, (r + 1) % n), dist.P2POp(dist.irecv, out, (r - 1) % n)]
        return lambda: [work.wait() for work in dist.batch_isend_irecv(ring)], out, self._numbers(count, (r - 1) % n)

    def _pair(self, count: int, pair: tuple[int, int]) -> tuple[Any, Any, Any]:
        """There and back; who is not of the pair looks on."""
        if self.rank not in pair:
            return lambda: None, None, None
        other, dist = sum(pair) - self.rank, self.dist
        own, out = self._numbers(count, self.rank), self._numbers(count, self.ranks)

        def act() -> None:
            if self.rank == pair[0]:
                dist.send(own, other)
                dist.recv(out, other)
            else:
                dist.recv(out, other)
                dist.send(own, other)

        return act, out, self._numbers(count, other)

    def _numbers(self, count: int, rank: int) -> Any:
        """What this rank brings: small whole numbers, so that sums are exact."""
        places = self.torch.arange(count, dtype=self.torch.int32, device=self.device)
        return ((places + rank) % 13).to(self.torch.float32)

    def _sum(self, count: int) -> Any:
        return sum(self._numbers(count, i) for i in range(self.ranks))
