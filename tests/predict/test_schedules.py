"""Machines that do not run kernel by kernel: a wafer that weights stream through, a pipeline of SRAM tiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from assay.calibration import Constants
from assay.hardware import Accelerator, Link, System
from assay.plan import Plan
from assay.predict import estimate, search

from .conftest import gpt, training

WAFER = System(
    name="wafer", vendor="maker", count_per_node=1,
    accelerator=Accelerator(
        name="wafer", vendor="maker", architecture="wafer", execution="weight-streaming",
        peak_flop_per_s={"bf16": 7.5e15}, memory_bytes=40e9, bandwidth_bytes_per_s=20e15, streaming_bytes=1.5e12,
        streaming_bandwidth_bytes_per_s=150e9,
    ),
    links=(Link(name="swarm", bandwidth_bytes_per_s=150e9, latency_s=5e-6),),
)  # fmt: skip
TILES = System(
    name="pod", vendor="maker", count_per_node=16,
    accelerator=Accelerator(
        name="tiles", vendor="maker", architecture="tiles", execution="tile-pipeline", peak_flop_per_s={"bf16": 350e12},
        memory_bytes=0.9e9, bandwidth_bytes_per_s=65e12, streaming_bytes=64e9, streaming_bandwidth_bytes_per_s=20e9,
        compute_units=1472,
    ),
    links=(Link(name="link", bandwidth_bytes_per_s=160e9, latency_s=1e-6, domain=64),),
)  # fmt: skip
CONSTANTS = Constants(tile=1.0, reserve_bytes=1e8)


def terms(job, system, plan):
    return {n: float(np.ravel(t)[0]) for n, t in estimate.terms_of(job, system, plan, CONSTANTS).items()}


def test_a_wafer_with_little_work_waits_for_its_weights():
    small, large = (training(gpt(hidden=4096, heads=32), seq_len=128, global_batch=b) for b in (1, 1024))
    waiting = terms(small, WAFER, Plan(micro_batch=1, zero_stage=0))
    busy = terms(large, WAFER, Plan(micro_batch=1024, zero_stage=0))
    assert waiting["streaming"] > 0.5 * sum(waiting.values())
    assert busy["streaming"] < 0.1 * sum(busy.values())


def test_two_wafers_halve_the_work_and_share_the_stream():
    job = training(gpt(hidden=4096, heads=32), seq_len=2048, global_batch=64)
    one = terms(job, WAFER, Plan(data=1, micro_batch=64, zero_stage=0))
    two = terms(job, WAFER.with_nodes(2), Plan(data=2, micro_batch=32, zero_stage=0))
    assert two["matmul"] == pytest.approx(one["matmul"] / 2, rel=0.05)


def test_weights_that_stream_take_no_room_on_the_wafer():
    job = training(gpt(layers=96, hidden=12288, heads=96), seq_len=512, global_batch=2)
    priced = estimate.price(job, WAFER, Plan(micro_batch=1, zero_stage=0), CONSTANTS)
    assert "weights" not in priced.parts
    assert priced.peak_memory_bytes[0] < 40e9


def test_a_tile_pipeline_needs_enough_chips_to_lay_the_model_out_on():
    small = training(gpt(layers=24, hidden=1024, heads=16, vocab=30000), seq_len=128, global_batch=64)
    large = training(gpt(layers=96, hidden=12288, heads=96), seq_len=128, global_batch=64)
    found = search.search(small, TILES, CONSTANTS)
    assert found.plans
    assert found.plans[0].pipeline > 1
    assert not search.search(large, TILES, CONSTANTS).plans


def test_more_micro_batches_fill_a_tile_pipeline():
    job = training(gpt(layers=24, hidden=1024, heads=16), seq_len=128, global_batch=64)
    few = terms(replace(job, global_batch=16), TILES, Plan(pipeline=8, data=2, micro_batch=2, zero_stage=0))
    many = terms(job, TILES, Plan(pipeline=8, data=2, micro_batch=2, zero_stage=0))
    assert many["bubble"] / sum(many.values()) < few["bubble"] / sum(few.values())
