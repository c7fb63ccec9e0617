"""A small world to predict in: round numbers, no catalog."""

from __future__ import annotations

import pytest

from assay.hardware import Accelerator, Link, System
from assay.model import Attention, Block, FeedForward, Model, TransformerShape
from assay.workload import Workload

collect_ignore = ["torch_models"]  # for an interpreter with PyTorch; test_in_torch.py starts it


def gpu(**changes: object) -> Accelerator:
    values: dict[str, object] = {
        "name": "chip", "vendor": "maker", "architecture": "gpu", "peak_flop_per_s": {"bf16": 300e12, "fp32": 20e12},
        "memory_bytes": 80e9, "bandwidth_bytes_per_s": 2e12, "compute_units": 108, "power_w": 400.0,
    }  # fmt: skip
    return Accelerator(**(values | changes))  # type: ignore[arg-type]


def cluster(nodes: int = 1, chip: Accelerator | None = None, **changes: object) -> System:
    inner = Link(name="inner", bandwidth_bytes_per_s=300e9, latency_s=1e-6, domain=8)
    outer = Link(name="outer", bandwidth_bytes_per_s=25e9, latency_s=2e-6)
    values: dict[str, object] = {
        "name": "box", "vendor": "maker", "accelerator": chip or gpu(), "count_per_node": 8, "nodes": nodes,
        "links": (inner, outer),
    }  # fmt: skip
    return System(**(values | changes))  # type: ignore[arg-type]


def gpt(layers: int = 24, hidden: int = 2048, heads: int = 16, **changes: object) -> Model:
    block = Block(
        count=layers, attention=Attention(heads=heads, kv_heads=heads, head_dim=hidden // heads),
        ffn=FeedForward(hidden=4 * hidden, gated=False),
    )  # fmt: skip
    values: dict[str, object] = {"hidden": hidden, "vocab": 51200, "blocks": (block,), "tied": True, "norm_bias": True}
    shape = TransformerShape(**(values | changes))  # type: ignore[arg-type]
    return Model(name="gpt", family="transformer", shape=shape)


def training(model: Model | None = None, **changes: object) -> Workload:
    values: dict[str, object] = {"name": "job", "model": model or gpt(), "seq_len": 2048, "global_batch": 128}
    return Workload(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture
def job() -> Workload:
    return training()


@pytest.fixture
def box() -> System:
    return cluster()
