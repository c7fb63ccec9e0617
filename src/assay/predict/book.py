"""All operations of a job as columns: what machines price, whoever wrote them down and for however many layouts.

A book holds rows (layouts of one job, or jobs of their own), each with runs of equal layers. It knows no constants: it
is made once, and priced as often as constants are tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from assay.calibration import Constants
from assay.predict.device import Device
from assay.predict.network import Reached, allreduce_seconds, alltoall_seconds, p2p_seconds
from assay.predict.ops import Array, Layer, Layout, Number, Op
from assay.predict.roofline import KINDS, USES, Work
from assay.predict.roofline import seconds as work_seconds

# A pointwise operation that no compiler and no hand has fused reads and writes more often, in more kernels.
_UNFUSED = 2.0
_ONE, _UNKNOWN = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
COMPUTE = ("matmul", "attention", "elementwise")
MESSAGES = ("tensor", "context", "expert")
_TERM_OF_KIND = np.array([0, 0, 1, 2, 2])  # place in COMPUTE by place in KINDS
_EXCHANGE = {"allreduce": 0, "alltoall": 1, "p2p": 2}

Index = np.ndarray[tuple[int, ...], np.dtype[np.intp]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """Exchanges inside layers as columns of one length."""

    kind: Array  # one of _EXCHANGE
    bytes: Array
    members: Array
    stride: Array
    repeats: Array
    hidden: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Operations and messages with the cell each belongs to: (run of layers, pass)."""

    work: Work
    work_cell: Index
    work_again: Array  # share of each that selective recomputation does twice
    messages: Messages
    message_cell: Index
    message_term: Index  # place in MESSAGES
    launches: Array  # (runs, 2 passes)
    launches_again: Array  # (runs): of the forward pass, those that selective recomputation repeats
    waits: Array  # (runs, 2 passes)
    count: Array  # of equal layers in each run
    row: Index  # of each run
    end: Array  # 1: embedding and output, not part of the pipeline's body
    gathers: Array  # a row's sequence parallelism with software that can gather while it multiplies: 0 or 1

    @property
    def rows(self) -> int:
        """Layouts or jobs."""
        return len(self.gathers)


def book(layers: Sequence[Layer], ends: Layer, layout: Layout) -> Book:
    """The book of one job for all its layouts."""
    rows = len(np.atleast_1d(np.asarray(layout.tensor)))
    works: list[tuple[Op, Index]] = []
    messages: list[tuple[Op, Index]] = []
    launches, again = np.zeros((len(layers) + 1, rows, 2)), np.zeros((len(layers) + 1, rows))
    waits = np.zeros((len(layers) + 1, rows, 2))
    for i, layer in enumerate((*layers, ends)):
        for op in layer.ops:
            phase = 0 if op.phase == "forward" else 1
            cell = (i * rows + np.arange(rows)) * 2 + phase
            (works if op.kind in KINDS else messages).append((op, cell))
            active = np.asarray(op.flop) + op.bytes + op.message_bytes > 0
            launched = op.launches * op.repeats * active * _kernels(op, layout)
            launches[i, :, phase] += launched
            again[i] += launched * op.again if phase == 0 else 0.0
            waits[i, :, phase] += op.waits
    every = (*layers, ends)
    return Book(
        work=_work([op for op, _ in works], layout, rows), work_cell=_flat([c for _, c in works]),
        messages=_messages([op for op, _ in messages], layout, rows), message_cell=_flat([c for _, c in messages]),
        message_term=np.repeat([MESSAGES.index(op.over) for op, _ in messages], rows).astype(np.intp),
        launches=launches.reshape(-1, 2), launches_again=again.ravel(), work_again=_shares(works, rows),
        waits=waits.reshape(-1, 2),
        count=np.repeat([layer.count for layer in every], rows), row=np.tile(np.arange(rows), len(every)),
        end=np.repeat([0.0] * len(layers) + [1.0], rows),
        gathers=np.broadcast_to(np.asarray(layout.sequence_parallel) * layout.flash_attention, rows).astype(float),
    )  # fmt: skip


def bind(books: Sequence[Book]) -> Book:
    """Several books as one, their rows one after the other."""
    runs = np.cumsum([0] + [len(b.count) for b in books])
    rows = np.cumsum([0] + [b.rows for b in books])
    return Book(
        work=joined([b.work for b in books]), messages=joined([b.messages for b in books]),
        work_cell=_flat([b.work_cell + 2 * r for b, r in zip(books, runs, strict=False)]),
        message_cell=_flat([b.message_cell + 2 * r for b, r in zip(books, runs, strict=False)]),
        message_term=_flat([b.message_term for b in books]), launches=np.concatenate([b.launches for b in books]),
        launches_again=np.concatenate([b.launches_again for b in books]),
        work_again=np.concatenate([b.work_again for b in books]),
        waits=np.concatenate([b.waits for b in books]),
        count=np.concatenate([b.count for b in books]), end=np.concatenate([b.end for b in books]),
        row=_flat([b.row + r for b, r in zip(books, rows, strict=False)]),
        gathers=np.concatenate([b.gathers for b in books]),
    )  # fmt: skip


def joined(parts: Sequence[T]) -> T:
    """Records of columns as one, field by field."""
    first = parts[0]
    names = [f.name for f in fields(first)]  # type: ignore[arg-type]
    return replace(first, **{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})  # type: ignore[type-var]


def at(record: T, rows: Index, names: Sequence[str] = ()) -> T:
    """A record's columns at these rows, or those of `names` that are asked for; plain numbers stay what they are."""
    wanted = names or [f.name for f in fields(record)]  # type: ignore[arg-type]
    changed = {n: np.asarray(value)[rows] for n in wanted if np.ndim(value := getattr(record, n)) > 0}
    return replace(record, **changed) if changed else record  # type: ignore[type-var]


def layer_seconds(of: Book, on: Device, net: Reached, constants: Constants) -> dict[str, Array]:
    """Seconds of a whole model and of its ends for one micro-batch of every row, by pass and term.

    Columns: forward_, backward_, again_ (what selective recomputation repeats), head_forward_, head_backward_, each
    with matmul, attention, elementwise, launch, tensor, context, expert; and forward_taken, backward_taken, the
    computing that exchanges inside a layer hide behind.
    """
    runs = len(of.count)
    computed, again = _computing(of, on, constants)
    cells = np.concatenate([computed, _exchanging(of, net, constants)]).reshape(-1, runs, 2)
    mine = at(constants, of.row)
    computing = cells[:3].sum(axis=0)
    again_wait = np.maximum(0.0, of.launches_again * mine.launch_s - again.sum(axis=0))
    # Gathering while multiplying needs sequence parallelism, and software of the age of fused attention (Transformer
    # Engine's user buffers; XLA's collective matmul, Wang et al. 2023, ASPLOS); it hides no more than there is
    # computing to hide behind.
    gathered = _column(mine.overlap_tensor * of.gathers[of.row], 1) * np.minimum(cells[3], computing)
    routed = _column(mine.overlap_expert, 1) * np.minimum(cells[5], computing - gathered)
    cells[3] -= gathered
    cells[5] -= routed
    # The host launches ahead of the device, exchanges too; where it cannot keep up, the device waits for it.
    launched = of.launches * _column(mine.launch_s, 1)
    wait = np.maximum(0.0, launched - cells.sum(axis=0)) + of.waits * _column(mine.routing_s, 1)
    table: dict[str, Array] = {}
    for phase, name in enumerate(("forward", "backward")):
        table[f"{name}_taken"] = _by_row(of, (gathered + routed)[:, phase], end=False)
    for i, term in enumerate((*COMPUTE, *MESSAGES, "launch")):
        seconds = wait if term == "launch" else cells[i]
        for phase, name in enumerate(("forward", "backward")):
            table[f"{name}_{term}"] = _by_row(of, seconds[:, phase], end=False)
            table[f"head_{name}_{term}"] = _by_row(of, seconds[:, phase], end=True)
        twice = again_wait if term == "launch" else again[i] if i < len(again) else np.zeros(runs)
        table[f"again_{term}"] = _by_row(of, twice, end=False)
    return table


def _by_row(of: Book, seconds: Array, *, end: bool) -> Array:
    weights = seconds * of.count * (of.end if end else 1.0 - of.end)
    return _summed(of.row, weights, of.rows)


def _computing(of: Book, on: Device, constants: Constants) -> tuple[Array, Array]:
    """Seconds of computing by term and cell; and by term and run, of what selective recomputation does twice."""
    rows, cells = of.row[of.work_cell // 2], 2 * len(of.count)
    seconds = work_seconds(of.work, at(on, rows), at(constants, rows, USES))
    term = _TERM_OF_KIND[of.work.kind.astype(np.intp)]
    spent = _summed(term * cells + of.work_cell, seconds, 3 * cells).reshape(3, cells)
    twice = np.flatnonzero(of.work_again)
    place = term[twice] * len(of.count) + of.work_cell[twice] // 2
    again = _summed(place, seconds[twice] * of.work_again[twice], 3 * len(of.count))
    return spent, again.reshape(3, len(of.count))


def _exchanging(of: Book, net: Reached, constants: Constants) -> Array:
    """Exchanges by term; one that is sent while its layer computes shows where it is not hidden."""
    m, cells = of.messages, 2 * len(of.count)
    rows = of.row[of.message_cell // 2]
    tiers = Reached(tiers=tuple(at(tier, rows) for tier in net.tiers))
    seconds = np.where(
        m.kind == _EXCHANGE["allreduce"], allreduce_seconds(m.bytes, m.members, m.stride, tiers),
        np.where(
            m.kind == _EXCHANGE["alltoall"], alltoall_seconds(m.bytes, m.members, m.stride, tiers),
            p2p_seconds(m.bytes, m.members * m.stride, tiers),
        ),
    )  # fmt: skip
    shown = np.where(m.hidden > 0, 1.0 - at(constants, rows, ("overlap_data",)).overlap_data, 1.0)
    seconds = np.where(m.bytes > 0, m.repeats * seconds * shown, 0.0)
    return _summed(of.message_term * cells + of.message_cell, seconds, 3 * cells).reshape(3, cells)


def _summed(places: Index, values: Array, many: int) -> Array:
    sums: Array = np.bincount(places, weights=values, minlength=many).astype(np.float64)
    return sums


def _shares(works: Sequence[tuple[Op, Index]], rows: int) -> Array:
    """Of each operation and row, the share that selective recomputation does twice; nothing of a backward pass."""
    shares = [np.broadcast_to(np.asarray(op.again if op.phase == "forward" else 0.0), rows) for op, _ in works]
    return np.concatenate(shares).astype(np.float64)


def _kernels(op: Op, layout: Layout) -> Number:
    return _UNFUSED - np.asarray(layout.fused) * (_UNFUSED - 1.0) if op.kind == "elementwise" else 1.0


def _work(ops: Sequence[Op], layout: Layout, rows: int) -> Work:
    def column(values: Sequence[Number]) -> Array:
        return np.concatenate([np.broadcast_to(np.asarray(v, dtype=np.float64), rows) for v in values])

    shapes = [op.shape or (_UNKNOWN if op.kind == "attention" else _ONE) for op in ops]
    return Work(
        kind=column([float(KINDS[op.kind]) for op in ops]), flop=column([op.flop for op in ops]),
        bytes=column([op.bytes * np.asarray(_kernels(op, layout)) for op in ops]), m=column([s[0] for s in shapes]),
        n=column([s[1] for s in shapes]), k=column([s[2] for s in shapes]), groups=column([op.groups for op in ops]),
        repeats=column([op.repeats for op in ops]), wide=column([float(not op.narrow) for op in ops]),
    )  # fmt: skip


def work_of(op: Op) -> Work:
    """One operation of one layout as columns of length 1."""
    plain = Layout(
        tensor=1.0, context=1.0, expert=1.0, micro_batch=1.0, sequence_parallel=0.0, flash_attention=1.0, fused=1.0,
        context_kind=0.0,
    )  # fmt: skip
    return _work([op], plain, 1)


def _messages(ops: Sequence[Op], layout: Layout, rows: int) -> Messages:
    members = {"tensor": layout.tensor, "context": layout.context, "expert": layout.expert}
    stride = {"tensor": 1.0, "context": layout.tensor, "expert": 1.0}

    def column(values: Sequence[Number]) -> Array:
        if not values:
            return np.zeros(0)
        return np.concatenate([np.broadcast_to(np.asarray(v, dtype=np.float64), rows) for v in values])

    return Messages(
        kind=column([float(_EXCHANGE[op.kind]) for op in ops]), bytes=column([op.message_bytes for op in ops]),
        members=column([members[op.over] for op in ops]), stride=column([stride[op.over] for op in ops]),
        repeats=column([op.repeats for op in ops]), hidden=column([float(op.hidden) for op in ops]),
    )  # fmt: skip


def _flat(parts: Sequence[Index]) -> Index:
    return np.concatenate(parts).astype(np.intp) if parts else np.zeros(0, dtype=np.intp)


def _column(value: Number, more: int) -> Array:
    """A number, or a column with so many axes behind it."""
    array = np.asarray(value, dtype=np.float64)
    return array if array.ndim == 0 else array.reshape(-1, *[1] * more)
