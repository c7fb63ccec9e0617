"""Golden: what the Megatron papers measured, beside what we say without having been tuned on it.

Times: Narayanan et al. 2021 (SC21), table 1, from its TFLOP/s by the paper's formula; Korthikanti et al. 2022
(arXiv 2205.05198), table 5. Memory: Korthikanti 2022, figures 1 and 7 and equations 1 to 6. All on DGX A100 80 GB,
NVLink 3 inside, one HDR InfiniBand port per GPU.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from assay.calibration import Constants
from assay.hardware import Accelerator, Link, System
from assay.plan import Plan, Recompute
from assay.predict import estimate

from .conftest import gpt, training

A100 = Accelerator(
    name="a100", vendor="nvidia", architecture="gpu", peak_flop_per_s={"fp16": 312e12, "fp32": 19.5e12},
    memory_bytes=80e9, bandwidth_bytes_per_s=2.039e12, compute_units=108,
)  # fmt: skip
LINKS = (
    Link(name="nvlink-3", bandwidth_bytes_per_s=300e9, latency_s=1e-6, domain=8),
    Link(name="hdr", bandwidth_bytes_per_s=25e9, latency_s=1e-6),
)

# hidden, layers, heads, GPUs, tensor, pipeline, data, micro-batch, global batch, seconds
SC21 = [
    (2304, 24, 24, 32, 1, 1, 32, 16, 512, 3.528), (3072, 30, 32, 64, 2, 1, 32, 16, 512, 3.697),
    (4096, 36, 32, 128, 4, 1, 32, 16, 512, 3.696), (6144, 40, 48, 256, 8, 1, 32, 4, 1024, 9.399),
    (8192, 48, 64, 512, 8, 2, 32, 4, 1536, 14.454), (10240, 60, 80, 1024, 8, 4, 32, 2, 1792, 16.058),
    (12288, 80, 96, 1536, 8, 8, 24, 2, 2304, 24.817), (16384, 96, 128, 1920, 8, 16, 15, 1, 2160, 37.614),
    (20480, 105, 128, 2520, 8, 35, 9, 1, 2520, 54.085), (25600, 128, 160, 3072, 8, 64, 6, 1, 3072, 102.63),
]  # fmt: skip
# hidden, layers, heads, GPUs, pipeline, chunks, micro-batch, global batch, seconds with full / selective recomputation
K22 = [
    (6144, 48, 64, 8, 1, 1, 4, 4, 1.42, 1.10), (12288, 96, 96, 64, 8, 3, 1, 64, 18.13, 13.75),
    (20480, 105, 128, 280, 35, 3, 1, 280, 49.05, 37.83), (25600, 128, 160, 512, 64, 1, 1, 512, 94.42, 71.49),
]  # fmt: skip


def job_of(hidden: int, layers: int, heads: int, batch: int):
    return training(gpt(layers, hidden, heads, positions=2048), seq_len=2048, global_batch=batch, precision="fp16")


def system_of(gpus: int) -> System:
    return System(name="dgx", vendor="nvidia", accelerator=A100, count_per_node=8, nodes=gpus // 8, links=LINKS)


def ln_error(job, system, plan, seconds: float) -> float:
    return math.log(float(estimate.price(job, system, plan, Constants()).step_s[0]) / seconds)


def errors() -> list[float]:
    found = []
    for h, layers, a, n, t, p, d, b, batch, seconds in SC21:
        plan = Plan(
            tensor=t, pipeline=p, data=d, micro_batch=b, recompute=Recompute.FULL, zero_stage=0,
            sequence_parallel=False, flash_attention=False,
        )  # fmt: skip
        found.append(ln_error(job_of(h, layers, a, batch), system_of(n), plan, seconds))
    for h, layers, a, n, p, v, b, batch, full, selective in K22:
        for recompute, seconds in ((Recompute.FULL, full), (Recompute.SELECTIVE, selective)):
            plan = Plan(
                tensor=8, pipeline=p, virtual=v, micro_batch=b, recompute=recompute, zero_stage=0,
                sequence_parallel=recompute == Recompute.SELECTIVE, flash_attention=False,
            )  # fmt: skip
            found.append(ln_error(job_of(h, layers, a, batch), system_of(n), plan, seconds))
    return found


def test_prior_constants_predict_the_megatron_papers_within_twelve_percent():
    found = np.array(errors())
    assert np.mean(np.abs(found[:10])) < 0.12
    assert np.mean(np.abs(found[10:])) < 0.12
    assert np.max(np.abs(found)) < 0.20


def test_errors_from_1_to_1000_billion_parameters_differ_little():
    """No trend with size is left: the constants are the same for all ten models of the table."""
    found = np.array(errors())
    assert np.std(found[:10]) < 0.06


@pytest.mark.parametrize(
    ("hidden", "layers", "heads", "p", "v", "b", "batch", "kept_gib", "selective_gib"),
    [
        (6144, 48, 64, 1, 1, 4, 4, 59.25, 9.5625),
        (12288, 96, 96, 8, 3, 1, 64, 66.8438, 12.3516),
        (20480, 105, 128, 35, 3, 1, 280, 114.023, 23.0762),
        (25600, 128, 160, 64, 1, 1, 512, 131.25, 26.5625),
    ],
)
def test_activation_memory_is_that_of_figure_1(hidden, layers, heads, p, v, b, batch, kept_gib, selective_gib):
    job = job_of(hidden, layers, heads, batch)
    for recompute, sp, gib in ((Recompute.NONE, False, kept_gib), (Recompute.SELECTIVE, True, selective_gib)):
        plan = Plan(
            tensor=8, pipeline=p, virtual=v, micro_batch=b, recompute=recompute, zero_stage=0, sequence_parallel=sp,
            flash_attention=False,
        )  # fmt: skip
        parts = estimate.memory_of(job, plan, Constants())
        assert float(parts["activations"][0]) / 2**30 == pytest.approx(gib, rel=0.002)


@pytest.mark.parametrize(
    ("hidden", "layers", "heads", "recompute", "sp", "percent"),
    [
        (6144, 48, 64, Recompute.NONE, True, 66.84), (6144, 48, 64, Recompute.SELECTIVE, False, 49.42),
        (6144, 48, 64, Recompute.SELECTIVE, True, 16.18), (6144, 48, 64, Recompute.FULL, False, 7.64),
        (12288, 96, 96, Recompute.NONE, True, 62.04), (12288, 96, 96, Recompute.SELECTIVE, True, 18.49),
    ],
)  # fmt: skip
def test_activations_against_plain_tensor_parallelism_are_those_of_figure_7(
    hidden, layers, heads, recompute, sp, percent
):
    job = job_of(hidden, layers, heads, 64)
    plan = Plan(tensor=8, recompute=recompute, sequence_parallel=sp, flash_attention=False)
    plain = Plan(tensor=8, sequence_parallel=False, flash_attention=False)
    share = estimate.kept_per_layer_bytes(job, plan) / estimate.kept_per_layer_bytes(job, plain)
    assert 100 * share == pytest.approx(percent, rel=0.01)
