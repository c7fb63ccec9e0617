"""How a published row becomes a job: what it states is used as stated, what it leaves out is filled and said."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.api.checking import check, published, shelves
from assay.errors import InputError
from assay.plan import Recompute
from assay.predict import validate as filling
from assay.predict.calibrated import Calibrated
from assay.published import Checked, PublishedRow

from .conftest import cluster, gpt, gpu

PAPERS = Path(__file__).resolve().parents[3] / "shared" / "published" / "training" / "megatron_papers.csv"


def row(**cells: object) -> PublishedRow:
    values: dict[str, object] = {
        "id": "r1",
        "source": "us",
        "accelerator": "A100-SXM-80GB",
        "metric_name": "tokens/s/device",
        "metric_value": 1e4,
        "model": "m",
        "family": "dense",
        "layers": 24,
        "hidden": 2048,
        "heads": 16,
        "ffn_hidden": 8192,
        "vocab": 51200,
        "seq_len": 2048,
        "n_accel": 8,
        "accel_per_node": 8,
        "precision": "bf16",
        "global_batch": 64,
        "recompute": "none",
        "date": "2023-06",
    }
    return PublishedRow(**(values | cells))  # type: ignore[arg-type]


PLAN = {
    "dp": 2,
    "tp": 4,
    "pp": 1,
    "vp": 1,
    "zero_stage": 1,
    "sp": "y",
    "micro_batch": 2,
    "recompute": "full",
    "flash_attention": "n",
}


def case(**cells: object) -> filling.Case:
    return filling.case_of(row(**cells), cluster(), None)


# --- what is stated ------------------------------------------------------------------------------------------------


def test_a_stated_plan_is_used_as_stated_and_nothing_is_assumed():
    stated = case(**PLAN)
    plan, filled = filling.plan_of(stated, Calibrated())
    assert stated.assumed == filled == ()
    assert (plan.data, plan.tensor, plan.pipeline, plan.virtual, plan.zero_stage, plan.micro_batch) == (
        2,
        4,
        1,
        1,
        1,
        2,
    )
    assert (plan.sequence_parallel, plan.recompute, plan.flash_attention) == (True, Recompute.FULL, False)


def test_what_a_row_fixes_the_search_does_not_change():
    plan, filled = filling.plan_of(case(tp=2, micro_batch=4, recompute="full"), Calibrated())
    assert (plan.tensor, plan.micro_batch, plan.recompute) == (2, 4, Recompute.FULL)
    assert plan.data * plan.tensor * plan.pipeline == 8
    assert filled == ()


def test_the_row_states_how_many_machines():
    machine = case(n_accel=32, accel_per_node=4).system
    assert (machine.nodes, machine.count_per_node) == (8, 4)
    assert case(n_accel=4).system.accelerators == 4


# --- what is left out ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "said"),
    [("seq_len", "sequence length 2048"), ("global_batch", "global batch 64"), ("recompute", "recomputation"),
     ("precision", "precision bf16")],
)  # fmt: skip
def test_an_empty_cell_is_filled_and_said(cell, said):
    empty = "" if cell in ("recompute", "precision") else None
    filled = case(**{cell: empty})
    assert any(said in words for words in filled.assumed)
    assert len(filled.assumed) == 1


def test_each_thing_assumed_widens_the_interval():
    widths = []
    for cells in ({}, {"seq_len": None}, {"seq_len": None, "precision": ""}):
        value = filling.interval(row(**cells), Calibrated(residual_ln=0.1), 1.0, case(**cells).assumed)
        widths.append(value.high / value.low)
    assert widths[0] < widths[1] < widths[2]


def test_a_row_that_leaves_its_plan_open_gets_the_fastest_and_says_so():
    plan, filled = filling.plan_of(case(), Calibrated())
    assert plan.data * plan.tensor * plan.pipeline == 8
    assert filled == ("plan: the fastest that fits",)


def test_a_row_that_ran_although_our_memory_says_no_gets_the_leanest_plan():
    small = cluster(chip=gpu(memory_bytes=4e9))
    told = filling.case_of(row(**PLAN | {"micro_batch": None, "sp": ""}), small, None)
    plan, filled = filling.plan_of(told, Calibrated())
    assert filled == ("our memory model finds no plan that fits",)
    assert plan.micro_batch == 1


def test_a_batch_that_does_not_divide_is_rounded_and_said():
    rounded = case(**PLAN | {"global_batch": 62})
    assert rounded.job.global_batch in (60, 64)
    assert rounded.assumed == (f"global batch {rounded.job.global_batch}",)


def test_encoders_read_512_tokens_unless_said_and_see_both_ways():
    encoder = case(family="encoder", seq_len=None)
    assert encoder.job.seq_len == 512
    assert encoder.job.model.shape.causal is False


# --- the model -----------------------------------------------------------------------------------------------------


def test_the_catalogs_shape_stands_in_for_an_unstated_one_and_is_said():
    found, assumed = filling.model_of(row(layers=None, hidden=None), gpt())
    assert found == gpt()
    assert assumed == ("shape of gpt",)


def test_a_stated_shape_comes_before_the_catalogs():
    found, assumed = filling.model_of(row(layers=10), gpt())
    assert found.shape.layers == 10
    assert assumed == ()


@given(st.floats(0.1, 1000))
def test_a_bare_size_gets_a_typical_shape_of_about_that_size(params_b):
    found, assumed = filling.model_of(
        row(layers=None, hidden=None, heads=None, ffn_hidden=None, params_b=params_b), None
    )
    shape = found.shape
    size = 12 * shape.layers * shape.hidden**2
    assert abs(math.log(size / (params_b * 1e9))) < 0.35
    assert assumed == (f"shape typical of {params_b:g} B parameters",)


def test_a_row_without_any_size_is_refused_by_name():
    with pytest.raises(InputError, match='"m" is not in the catalog and the row states no shape'):
        filling.model_of(row(layers=None, hidden=None, params_b=None), None)


LLAMA = {"layers": 32, "hidden": 4096, "heads": 32, "ffn_hidden": 11008, "vocab": 32000}


def test_a_gated_mlp_is_inferred_from_the_number_of_parameters():
    gated = {p: filling.model_of(row(**LLAMA, params_b=p), None)[0].shape.blocks[0].ffn.gated for p in (6.7, 5.0)}
    assert gated == {6.7: True, 5.0: False}  # 32 · (4·4096² + 3 or 2 · 4096·11008) + 32000·4096


def test_without_a_size_a_narrow_mlp_is_a_gated_one():
    assert filling.model_of(row(**LLAMA), None)[0].shape.blocks[0].ffn.gated
    assert not filling.model_of(row(**LLAMA | {"ffn_hidden": 4 * 4096}), None)[0].shape.blocks[0].ffn.gated


# --- the machine ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "dtype"),
    [("bf16", "bf16"), ("BF16", "bf16"), ("bf16-amp", "bf16"), ("fp8-current-scaling", "fp8"), ("fp16.16", "fp16"),
     ("mxfp8", "fp8"), ("tf32", "tf32"), ("nvfp4", "fp4"), ("fp32", "fp32")],
)  # fmt: skip
def test_words_for_a_precision_are_understood(words, dtype):
    assert filling.precision_of(row(precision=words), cluster()) == (dtype, ())


def test_an_unsaid_precision_is_16_bits_of_the_kind_the_chip_has():
    assert filling.precision_of(row(precision=""), cluster()) == ("bf16", ("precision bf16",))
    old = cluster(chip=gpu(peak_flop_per_s={"fp16": 100e12, "fp32": 10e12}))
    assert filling.precision_of(row(precision=""), old) == ("fp16", ("precision fp16",))


@pytest.mark.parametrize(
    ("note", "bytes_per_s"),
    [("DGX A100; 8x200Gb/s HDR IB per node (Selene)", 25e9), ("4x100Gbps", 6.25e9), ("EFA 800 Gb/s", 12.5e9),
     ("NVLink only", 25e9), ("", 25e9)],
)  # fmt: skip
def test_the_rows_words_on_its_network_set_the_link_between_nodes(note, bytes_per_s):
    links = case(n_accel=16, interconnect_note=note).system.links
    assert links[-1].bandwidth_bytes_per_s == bytes_per_s
    assert links[0].bandwidth_bytes_per_s == 300e9


@pytest.mark.parametrize("fold", [2, 4])
def test_ranks_counted_several_a_device_are_folded_back(fold):
    """Trainium's tp and dp count cores, of which a chip has two."""
    told = case(dp=2, tp=4 * fold, n_accel=8, global_batch=64)
    assert (told.options.tensor, told.data) == ((4,), 2)


@given(tp=st.integers(1, 64), pp=st.integers(1, 16), dp=st.integers(1, 64) | st.none(), n=st.integers(1, 512))
def test_ranks_always_make_whole_replicas_of_the_devices_there_are(tp, pp, dp, n):
    told = case(tp=tp, pp=pp, dp=dp, n_accel=n, accel_per_node=None)
    assert told.data >= 1
    assert told.data * told.options.tensor[0] * pp <= max(n, told.options.tensor[0] * pp)


# --- what cannot be predicted --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"family": "moe"}, "family moe"),
        ({"family": "convnet"}, "family convnet"),
        ({"experts": 8, "topk": 2}, "mixture"),
        ({"row_flag": "LORA"}, "LoRA"),
        ({"model": "llama-lora"}, "LoRA"),
        ({"metric_name": "time_to_train_min"}, "convergence"),
        ({"metric_name": "elo"}, '"elo"'),
        ({"metric_value": 0.0}, "not above 0"),
        ({"metric_value": -1.0}, "not above 0"),
        ({"metric_value": math.nan}, "not above 0"),
        ({"metric_value": math.inf}, "not above 0"),
    ],
    ids=str,
)
def test_a_row_that_is_not_ours_to_predict_is_skipped_with_the_reason(cells, why):
    told = check(row(**cells), shelves())
    assert told.predicted is None
    assert why in (told.skipped or "")


def test_a_row_that_is_ours_has_no_reason_to_be_skipped():
    told = check(row(), shelves())
    assert told.skipped is None
    assert told.predicted is not None
    assert told.low is not None
    assert told.low < told.predicted


@pytest.mark.parametrize(
    "cells", [{"layers": -3}, {"n_accel": 0}, {"hidden": 10**12}, {"zero_stage": 7}, {"params_b": -1.0}]
)
def test_a_size_that_no_machine_has_is_no_row(cells):
    with pytest.raises(ValueError, match="leave the cell empty"):
        row(**cells)


# --- the papers ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def papers() -> list[Checked]:
    if not PAPERS.exists():
        pytest.skip("the published rows are not here")
    known = shelves()
    return [check(one, known) for one in published(PAPERS)]


def mean_error(rows: list[Checked]) -> float:
    assert rows
    return float(np.mean([abs((r.predicted or math.nan) / r.measured - 1.0) for r in rows]))


@pytest.mark.parametrize("words", ["SC21", "Table 5"], ids=["Narayanan 2021", "Korthikanti 2022"])
def test_the_papers_speeds_are_predicted_within_twelve_percent(papers, words):
    assert mean_error([r for r in papers if words in r.row.source and r.row.metric_name == "iteration_s"]) <= 0.12


def test_the_papers_activation_memory_is_predicted_within_two_percent(papers):
    names = ("mem_activations_GB", "act_mem_pct_of_tp_baseline")
    assert mean_error([r for r in papers if r.row.metric_name in names]) <= 0.02


def test_every_row_of_the_papers_is_predicted(papers):
    assert [r.skipped for r in papers if r.skipped] == []
