"""Kinds of jobs whose predictions are off by alike: an interval rests on held-out results of its own kind."""

from __future__ import annotations

from assay.model import TracedShape, TransformerShape
from assay.workload import Workload

REGIMES = ("dense", "moe", "encoder", "adapter", "convnet", "dlrm", "diffusion", "recurrent", "swin")


def regime_of(job: Workload) -> str:
    """The kind of a job.

    >>> from assay.model import ConvShape, Model
    >>> shape = ConvShape(image_px=8, layers=(), classes=1, features=1)
    >>> regime_of(Workload(name="", model=Model(name="", family="convnet", shape=shape), seq_len=1, global_batch=1))
    'convnet'
    """
    shape = job.model.shape
    if isinstance(shape, TracedShape):
        return _traced(shape)
    if not isinstance(shape, TransformerShape):
        return job.model.family
    if job.adapter_rank is not None:
        return "adapter"
    if any(block.ffn.experts for block in shape.blocks):
        return "moe"
    return "dense" if shape.causal else "encoder"


def _traced(shape: TracedShape) -> str:
    """What most of a traced module's operations are like: convolutions, look-ups, causal attention, or an encoder's."""
    work: dict[str, float] = {}
    for op in shape.ops:
        work[op.kind] = work.get(op.kind, 0.0) + op.count.at(shape.batch) * op.flop.at(shape.batch)
    if work.get("conv", 0.0) > 0.5 * sum(work.values()):
        return "convnet"
    if any(op.causal for op in shape.ops):
        return "dense"
    tables = sum(op.count.at(shape.batch) * op.moved_bytes.at(shape.batch) for op in shape.ops if op.kind == "lookup")
    return "dlrm" if tables > 0.0 and not work.get("attention") else "encoder"
