"""Kinds of jobs whose predictions are off by alike: an interval rests on held-out results of its own kind."""

from __future__ import annotations

from assay.model import TransformerShape
from assay.workload import Workload

REGIMES = ("dense", "moe", "encoder", "adapter", "convnet", "dlrm", "diffusion", "recurrent", "traced")


def regime_of(job: Workload) -> str:
    """The kind of a job.

    >>> from assay.model import ConvShape, Model
    >>> shape = ConvShape(image_px=8, layers=(), classes=1, features=1)
    >>> regime_of(Workload(name="", model=Model(name="", family="convnet", shape=shape), seq_len=1, global_batch=1))
    'convnet'
    """
    shape = job.model.shape
    if not isinstance(shape, TransformerShape):
        return job.model.family
    if job.adapter_rank is not None:
        return "adapter"
    if any(block.ffn.experts for block in shape.blocks):
        return "moe"
    return "dense" if shape.causal else "encoder"
