"""How a published row becomes a job: what it states is used as stated, what it leaves out is filled and said."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.api import learning
from assay.api.checking import check, published, shelves
from assay.errors import InputError
from assay.plan import Offload, Plan, Recompute
from assay.predict import row_words as words_of
from assay.predict import validate as filling
from assay.predict.calibrated import Calibrated
from assay.predict.row_model import model_of
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


SHAPE = ("layers", "hidden", "heads", "ffn_hidden", "vocab", "seq_len")  # what a row need not state


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
        made = case(**cells)
        value = filling.interval(row(**cells), made.job, Calibrated(residual_ln=0.1), 1.0, made.assumed)
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
    found, assumed = model_of(row(layers=None, hidden=None), gpt())
    assert found == gpt()
    assert assumed == ("shape of gpt",)


def test_a_stated_shape_comes_before_the_catalogs():
    found, assumed = model_of(row(layers=10), gpt())
    assert found.shape.layers == 10
    assert assumed == ()


@given(st.floats(0.1, 1000))
def test_a_bare_size_gets_a_typical_shape_of_about_that_size(params_b):
    found, assumed = model_of(row(layers=None, hidden=None, heads=None, ffn_hidden=None, params_b=params_b), None)
    shape = found.shape
    size = 12 * shape.layers * shape.hidden**2
    assert abs(math.log(size / (params_b * 1e9))) < 0.35
    assert assumed == (f"shape typical of {params_b:g} B parameters",)


def test_a_row_without_any_size_is_refused_by_name():
    with pytest.raises(InputError, match='"m" is not in the catalog and the row states no shape'):
        model_of(row(layers=None, hidden=None, params_b=None), None)


LLAMA = {"layers": 32, "hidden": 4096, "heads": 32, "ffn_hidden": 11008, "vocab": 32000}


def test_a_gated_mlp_is_inferred_from_the_number_of_parameters():
    gated = {p: model_of(row(**LLAMA, params_b=p), None)[0].shape.blocks[0].ffn.gated for p in (6.7, 5.0)}
    assert gated == {6.7: True, 5.0: False}  # 32 · (4·4096² + 3 or 2 · 4096·11008) + 32000·4096


def test_without_a_size_a_narrow_mlp_is_a_gated_one():
    assert model_of(row(**LLAMA), None)[0].shape.blocks[0].ffn.gated
    assert not model_of(row(**LLAMA | {"ffn_hidden": 4 * 4096}), None)[0].shape.blocks[0].ffn.gated


# --- the machine ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "dtype"),
    [("bf16", "bf16"), ("BF16", "bf16"), ("bf16-amp", "bf16"), ("fp8-current-scaling", "fp8"), ("fp16.16", "fp16"),
     ("mxfp8", "fp8"), ("tf32", "tf32"), ("nvfp4", "fp4"), ("fp32", "fp32")],
)  # fmt: skip
def test_words_for_a_precision_are_understood(words, dtype):
    assert words_of.precision_of(row(precision=words), cluster()) == (dtype, ())


def test_an_unsaid_precision_is_16_bits_of_the_kind_the_chip_has():
    assert words_of.precision_of(row(precision=""), cluster()) == ("bf16", ("precision bf16",))
    old = cluster(chip=gpu(peak_flop_per_s={"fp16": 100e12, "fp32": 10e12}))
    assert words_of.precision_of(row(precision=""), old) == ("fp16", ("precision fp16",))


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


# --- what its words say ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "levels", "share"),
    [
        ("none", (Recompute.NONE,), 1.0),
        ("selective", (Recompute.SELECTIVE,), 1.0),
        ("full", (Recompute.FULL,), 1.0),
        ("selective(every 4th layer)", (Recompute.FULL,), 0.25),
        ("selective(block)", (Recompute.FULL,), 0.5),
        ("selective(per-op)", (Recompute.PER_OP,), 1.0),
        ("", (Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL), 1.0),
    ],
)
def test_words_for_recomputation_say_what_is_done_twice_and_for_how_many_layers(stated, levels, share):
    assert words_of.recompute_of(stated) == levels
    assert words_of.layers_again(stated) == share


def test_every_fourth_of_24_layers_is_six():
    made = case(**PLAN | {"recompute": "selective(every 4th layer)"})
    assert made.options.kept.recompute_layers == 6
    plan, _ = filling.plan_of(made, Calibrated())
    assert (plan.recompute, plan.recompute_layers) == (Recompute.FULL, 6)


def test_a_sharding_group_is_read_where_it_divides_the_replicas():
    """HSDP shards inside a node; a group of three divides no eight replicas, and all of them are no group."""
    shared = {"dp": 16, "tp": 1, "pp": 1, "n_accel": 16, "zero_stage": 3}
    notes = ("HSDP", "FSDP group = 4", "FSDP group = 3", "FSDP group = 16", "")
    assert [case(**shared, notes=text).options.kept.shard for text in notes] == [8, 4, 0, 0, 0]


def test_packed_sequences_leave_their_padding_out():
    assert words_of.mean_len(row(notes="mean real length ~650"), 2048) == 650.0
    assert words_of.mean_len(row(model="BERT Large packed"), 512) == 250.0
    assert words_of.mean_len(row(), 2048) is None


# --- families beside dense transformers -----------------------------------------------------------------------------


def dense_and(**cells: object) -> tuple[Checked, Checked]:
    known = shelves()
    return check(row(), known), check(row(**cells), known)


@pytest.mark.parametrize("cells", [{"family": "moe", "experts": 8, "topk": 2}, {"experts": 8, "topk": 2}], ids=str)
def test_a_row_with_experts_is_predicted_with_as_many_as_it_states(cells):
    """Two MLPs a token instead of one: fewer tokens a second, though more than half as many."""
    dense, moe = dense_and(**cells)
    assert moe.skipped is None
    assert 0.3 * dense.predicted < moe.predicted < dense.predicted
    shape = case(**cells).job.model.shape
    assert (shape.blocks[0].ffn.experts, shape.blocks[0].ffn.experts_per_token) == (8, 2)


def test_the_experts_of_a_row_that_names_none_are_the_catalogs():
    told = check(row(model="Mixtral 8x7B", family="moe", metric_value=1000.0, **dict.fromkeys(SHAPE)), shelves())
    assert told.skipped is None
    assert "shape of mixtral-8x7b" in told.assumed


def test_a_rung_of_a_ladder_stands_on_those_below():
    def rung(notes: str) -> filling.Case:
        return case(notes=f"{notes} (cumulative ladder); peak memory ACTIVE GiB", **PLAN | {"dp": 8, "tp": 1})

    plan = rung("+activation ckpt").options.kept
    assert (plan.fused, plan.loss_chunks, plan.offload_activations) == (True, 8, Offload.NONE)
    assert rung("+packed").options.kept == Plan(fused=False)
    assert rung("+act offload").options.kept.offload_activations == Offload.HOST
    assert rung("+8bit AdamW").job.optimizer == "adam-8bit"
    packed = rung("QLoRA")
    assert (packed.job.storage, packed.job.adapter_rank, packed.options.kept.loss_chunks) == ("nf4", 16, 8)
    assert packed.options.kept.offload_activations == Offload.NONE
    assert case(notes="packed").options.kept == Plan()  # a word alone is no ladder


@pytest.mark.parametrize(
    ("notes", "where"),
    [("act offload=False; learned", Offload.NONE), ("act offload=True", Offload.HOST), ("no recompute", Offload.NONE),
     ("with activation offloading", Offload.HOST), ("activation offload: off", Offload.NONE),
     ("no activation offloading", Offload.NONE), ("without act offload", Offload.NONE)],
)  # fmt: skip
def test_activations_go_where_a_row_says(notes, where):
    assert case(notes=notes).options.kept.offload_activations == where


@pytest.mark.parametrize(
    ("accelerator", "source", "date", "pace"),
    [
        ("h100-sxm", "us", "2023-06", 0.6), ("h100-sxm", "us", "2024-12", 1.0), ("h100-sxm", "us", "", 1.0),
        ("h100-sxm", "NVIDIA NeMo", "2023-06", 1.0), ("h100-sxm", "MLPerf Training v3.0", "2023-06", 1.0),
        ("a100-sxm-80gb", "us", "2023-06", 1.0), ("gh200", "us", "2023-2024", 0.6), ("mi300x", "us", "2023-06", 1.0),
    ],
)  # fmt: skip
def test_an_attention_kernel_may_be_older_than_its_device(accelerator, source, date, pace):
    chip = shelves().machine(accelerator, 8)[0].accelerator
    assert words_of.attention_pace(row(source=source, date=date), chip) == pace


@pytest.mark.parametrize(
    ("notes", "pieces"),
    [("chunked CE", 8), ("no chunked CE", 1), ("chunked CE=False", 1), ("unchunked loss", 1),
     ("chunked cross-entropy", 8), ("without chunked cross-entropy", 1), ("baseline (cumulative ladder)", 1)],
)  # fmt: skip
def test_a_loss_comes_in_pieces_where_a_row_says_so(notes, pieces):
    assert case(notes=notes).options.kept.loss_chunks == pieces


def test_no_adapters_beside_a_model_without_matrices_for_them():
    told = check(row(model="ResNet-50", family="convnet", notes="QLoRA", **dict.fromkeys(SHAPE)), shelves())
    assert told.skipped == "resnet-50 has no matrices that adapters go beside"


def test_memory_that_counts_tensors_alone_is_less():
    cells = PLAN | {"metric_name": "peak_mem_GB", "metric_value": 20.0}
    whole, alone = (check(row(notes=n, **cells), shelves()).predicted for n in ("", "peak memory ACTIVE GiB"))
    assert 1.3 < whole - alone < 4.0


def test_a_dense_row_whose_shape_is_the_catalogs_is_the_catalogs():
    """Llama-3.2-3B has one matrix for what it reads and what it writes, which no column says."""
    cells = {"layers": 28, "hidden": 3072, "heads": 24, "ffn_hidden": 8192}
    known = shelves().model("llama-3.2-3b")
    same, other = (model_of(row(**cells | more, vocab=128256), known)[0] for more in ({}, {"layers": 30}))
    assert (same.name, same.shape.tied) == ("llama-3.2-3b", True)
    assert other.shape.layers == 30
    assert model_of(row(**cells, vocab=128512), known)[0].shape.vocab == 128512
    for more in ({"vocab": 10**6}, {"params_b": 70}, {"experts": 8, "topk": 2}):
        assert model_of(row(**{**cells, "vocab": 128256, **more}), known)[0].name != "llama-3.2-3b"
    moe = shelves().model("deepseek-v3")
    dense = {"layers": 61, "hidden": 7168, "heads": 128, "ffn_hidden": 18432, "vocab": 129280}
    assert not model_of(row(**dense), moe)[0].shape.blocks[-1].ffn.experts


@pytest.mark.parametrize("cells", [{"row_flag": "LORA"}, {"model": "llama-lora"}, {"family": "peft-dense"}], ids=str)
def test_adapters_are_predicted_and_are_faster_than_learning_everything(cells):
    adapted = {"row_flag": "LORA"} | cells
    assert case(**adapted).job.adapter_rank == 16
    dense, lora = dense_and(**adapted)
    assert lora.predicted > dense.predicted


@pytest.mark.parametrize(
    ("model", "family", "batch"),
    [("ResNet-50", "convnet", 8 * 128), ("DLRM-DCNv2", "dlrm", 8 * 8192), ("RNN-T", "rnn", 8 * 32),
     ("Stable Diffusion v2", "diffusion", 8 * 8), ("SSD-RetinaNet", "convnet", 8 * 128)],
)  # fmt: skip
def test_models_whose_samples_are_not_made_of_tokens_are_predicted_in_samples(model, family, batch):
    cells = {"model": model, "family": family, "metric_name": "samples/s", "metric_value": 10.0, "global_batch": None,
             "recompute": ""}  # fmt: skip
    told = check(row(**cells | dict.fromkeys(SHAPE)), shelves())
    assert told.skipped is None
    assert told.predicted > 0
    assert f"global batch {batch}" in told.assumed
    assert not any("sequence" in words or "recomputation" in words for words in told.assumed)


# --- what cannot be predicted --------------------------------------------------------------------------------------


def test_a_speed_beyond_every_peak_is_no_measurement():
    told = check(row(metric_name="TFLOPs/device(model)", metric_value=5000.0), shelves())
    assert told.predicted is None
    assert "would need 5,000 TFLOP/s of each device; a100-sxm-80gb has 624 at most" in told.skipped
    assert learning.learnt(row(metric_name="TFLOPs/device(model)", metric_value=5000.0), shelves()) is None


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"family": "gnn"}, "family gnn is not priced"),
        ({"family": "rl"}, "family rl is not priced"),
        ({"family": "convnet"}, "not in the catalog"),
        ({"family": "dlrm"}, "not in the catalog"),
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
