"""A trace counts what a module does: as torch's own counter where that is right, and what it misses."""

import functools
import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.measure.workloads import TORCH, needs_torch

from assay.api.tracing import total, trace
from assay.catalog.models import model
from assay.counting import parameters
from assay.errors import InputError, MeasureError

FAKES = Path(__file__).parents[1] / "fakes"


@functools.cache
def traced(factory, inputs, batch=None, suffix=".toml"):
    """A trace of one of the fakes, from their folder."""
    here = Path.cwd()
    os.chdir(FAKES)
    try:
        out = Path(tempfile.mkdtemp(prefix="assay-tests-"), f"{factory}{suffix}")
        return trace(f"nets:{factory}", inputs, python=TORCH, out=out, batch=batch)
    finally:
        os.chdir(here)


FINE = {
    "encoder": "src=float32[4,10,64]",
    "translator": "source=float32[4,10,64],target=float32[4,12,64]",
    "gpt": "ids=int64[4,16],labels=int64[4,16]",
    "resnet50": "x=float32[2,3,224,224]",
    "dlrm": "nets:clicks",
    "lstm": "float32[4,12,16]",
    "mixed": "x=float32[4,16],mask=bool[4]",
    "each_alone": "x=float32[8,16]",
    "stack": "float32[8,8]",
    "told": "x=float32[4,8]",
    "on_host": "x=float32[4,8]",
}


# --- beside torch's counter -------------------------------------------------------------------------------------------


@needs_torch
@pytest.mark.parametrize("name", FINE)
@pytest.mark.parametrize("phase", ["forward", "backward"])
def test_flop_are_those_of_torchs_counter_where_it_is_right(name, phase):
    found = traced(name, FINE[name])
    assert found.flop(phase) == pytest.approx(found.torch_flop[phase], rel=0.005)
    assert found.flop(phase) > 0
    assert found.differs == ()
    assert found.shape.flagged == ()


@needs_torch
@pytest.mark.parametrize("name", FINE)
def test_a_product_is_two_operations_for_each_of_its_multiplications(name):
    found = traced(name, FINE[name])
    at = found.shape.batch
    for op in found.shape.ops:
        if op.kind in ("matmul", "conv") and op.k.at(at):  # of an operation that is the user's own only flop are known
            sides = op.m.at(at) * op.n.at(at) * op.k.at(at) * op.groups.at(at)
            assert op.flop.at(at) == pytest.approx(2 * sides), op.name


@needs_torch
def test_resnet_50_has_its_published_size_and_work():
    found = traced("resnet50", FINE["resnet50"])
    assert parameters(found.shape) == found.shape.trained_parameters == 25_557_032
    assert found.shape.buffers == 53_173  # means and variances of 53 norms, and how often each was updated
    assert found.flop("forward") / 2 == pytest.approx(2 * 4.089e9, rel=0.001)
    first_layer = next(op for op in found.shape.ops if op.kind == "conv")
    assert found.flop("backward") == 2 * found.flop("forward") - total(first_layer, "flop", 2)


@needs_torch
def test_gpt_2_has_its_published_size_with_the_tied_matrix_once_and_the_work_of_its_formula():
    found = traced("gpt2", "ids=int64[2,1024]")
    assert found.shape.parameters == 124_439_808
    width, layers, vocab, length = 768, 12, 50257, 1024
    weights = length * 2 * (layers * 12 * width**2 + vocab * width)
    scores = layers * 4 * length**2 * width
    assert found.flop("forward") / 2 == weights + scores
    assert found.flop("backward") / 2 == 2 * weights + 2.5 * scores  # fused attention computes its scores again
    assert [op.causal for op in found.shape.ops if op.kind == "attention"] == [True, True]


@needs_torch
def test_fused_attention_keeps_and_moves_no_scores():
    short, long = (traced("gpt", f"ids=int64[2,{length}]") for length in (16, 32))
    assert long.shape.kept_bytes.per_sample == pytest.approx(2 * short.shape.kept_bytes.per_sample)
    attention = [next(op for op in one.shape.ops if op.kind == "attention") for one in (short, long)]
    assert attention[1].moved_bytes.per_sample == pytest.approx(2 * attention[0].moved_bytes.per_sample)
    assert attention[1].flop.per_sample == 4 * attention[0].flop.per_sample


@needs_torch
def test_grouped_products_count_though_torchs_counter_sees_none():
    found = traced("moe", "x=bfloat16[4,32,64]")
    tokens, chosen, width, wide, experts = 4 * 32, 2, 64, 128, 4
    grouped = 2 * tokens * chosen * width * wide * 2
    router = 2 * tokens * width * experts
    assert found.flop("forward") == grouped + router
    assert found.torch_flop["forward"] == router
    assert found.flop("backward") == 1.5 * grouped + router  # the module's own input wants no gradient
    assert any("_grouped_mm" in text and "no formula" in text for text in found.differs)
    ups = [op for op in found.shape.ops if op.name == "_grouped_mm"]
    assert {op.groups.at(4) for op in ups} == {experts}
    assert ups[0].m.at(4) == tokens * chosen / experts


@needs_torch
def test_grouped_products_count_alike_in_formats_that_pytorch_has_them_for_on_devices_only():
    low, full = traced("moe", "x=bfloat16[4,32,64]"), traced("moe32", "x=float32[4,32,64]")
    assert [full.flop(phase) for phase in ("forward", "backward")] == [low.flop("forward"), low.flop("backward")]
    assert full.moved_bytes("forward") > 1.8 * low.moved_bytes("forward")


@needs_torch
def test_a_layer_that_chance_may_leave_out_is_counted():
    found = traced("layer_drop", "float32[4,8]")
    assert sum(op.count.at(4) for op in found.shape.ops if op.kind == "matmul" and op.phase == "forward") == 3
    assert found.shape.flagged == ()


@needs_torch
def test_the_gradient_of_a_depthwise_convolution_is_as_much_work_as_the_convolution():
    found = traced("depthwise", "float32[4,8,32,32]")
    assert found.flop("forward") == found.torch_flop["forward"]
    first = next(op for op in found.shape.ops if op.kind == "conv")
    assert found.flop("backward") == 2 * found.flop("forward") - total(first, "flop", 4)
    assert any("grouped convolution" in text for text in found.differs)


@needs_torch
def test_an_lstm_multiplies_each_step_by_its_weights_of_input_and_state():
    found = traced("lstm", FINE["lstm"])
    steps, hidden = 12, 32
    layer = [2 * 4 * hidden * (inside + hidden) for inside in (16, hidden)]
    assert found.flop("forward") / 4 == steps * sum(layer)
    assert found.shape.parameters == sum(4 * hidden * (inside + hidden + 2) for inside in (16, hidden))


# --- bytes ------------------------------------------------------------------------------------------------------------


@needs_torch
def test_bytes_of_a_stack_are_those_counted_by_hand():
    found = traced("stack", FINE["stack"])
    at = 8
    first = next(op for op in found.shape.ops if op.kind == "matmul")
    assert first.moved_bytes.at(at) == 4 * (at * 8 + 8 * 32 + 32 + at * 32)  # input, weight, bias; output
    assert found.shape.kept_bytes.at(at) == 4 * at * (32 + 16)  # after ReLU and Tanh; the input is the caller's
    assert found.shape.input_bytes.at(at) == 4 * at * 8
    assert found.shape.output_bytes.at(at) == 4 * at * 4


@needs_torch
def test_a_look_up_reads_the_rows_it_is_asked_for_and_its_gradient_is_as_large_as_the_table():
    found = traced("dlrm", "nets:clicks", 64)
    bags = [op for op in found.shape.ops if op.kind == "lookup" and op.name.startswith("tables")]
    forward = [op for op in bags if op.phase == "forward"]
    assert sum(op.count.at(64) for op in forward) == 3
    assert all(op.moved_bytes.at(64) < 64 * 1000 for op in forward)
    largest = max(op.moved_bytes.at(64) for op in bags if op.phase == "backward")
    assert largest > 1000 * 16 * 4


@needs_torch
def test_what_is_frozen_in_place_mixed_or_an_integer_is_counted_as_what_it_is():
    shape = traced("mixed", FINE["mixed"]).shape
    assert (shape.parameters, shape.trained_parameters, shape.buffers) == (480, 408, 8)
    assert shape.parameter_bytes == 2 * (16 * 16 + 16) + 4 * (16 * 8 + 8 + 8 * 8 + 8)
    assert {op.dtype for op in shape.ops if op.kind == "matmul"} == {"bfloat16", "float32"}
    names = [op.name.split(" ")[-1] for op in shape.ops if op.phase == "forward"]
    assert {"mul_", "masked_fill_", "argmax"} <= {*names, *(f"{name}_" for name in names)}
    assert not {"view", "unsqueeze", "t"} & set(names)


# --- the batch --------------------------------------------------------------------------------------------------------


@needs_torch
@pytest.mark.parametrize(("name", "small", "large"), [
    ("gpt", "ids=int64[2,16]", "ids=int64[4,16]"), ("lstm", "float32[3,12,16]", "float32[6,12,16]"),
    ("each_alone", "x=float32[2,16]", "x=float32[4,16]"),
])  # fmt: skip
def test_a_trace_at_one_batch_says_what_a_trace_at_twice_the_batch_finds(name, small, large):
    one, two = traced(name, small), traced(name, large)
    at = two.shape.batch
    for size in ("flop", "moved_bytes"):
        said = sum(total(op, size, at) for op in one.shape.ops)
        assert said == pytest.approx(sum(total(op, size, at) for op in two.shape.ops))
    assert one.shape.kept_bytes.at(at) == pytest.approx(two.shape.kept_bytes.at(at))


@needs_torch
def test_what_compares_each_sample_with_each_is_said_to_be_no_line_and_its_product_still_knows_its_sides():
    found = traced("contrastive", "x=float32[8,16]")
    assert any(text.startswith("mm (forward): flop is no line") for text in found.shape.flagged)
    scores = next(op for op in found.shape.ops if op.name == "mm" and op.phase == "forward")
    assert [scores.m.at(20), scores.n.at(20), scores.k.at(20)] == [20, 20, 32]


# --- what is unknown --------------------------------------------------------------------------------------------------


@needs_torch
def test_an_operation_that_is_not_known_is_counted_by_its_bytes_and_flagged():
    found = traced("spectrum", "x=float32[4,8,8]")
    assert any("_linalg_eigh" in text and "its FLOP are not" in text for text in found.shape.flagged)


@needs_torch
def test_an_operation_of_the_users_own_counts_by_the_formula_that_is_registered_for_it():
    found = traced("told", FINE["told"])
    assert next(op for op in found.shape.ops if op.name == "product").flop.at(4) == 2 * 4 * 8 * 4


@needs_torch
def test_a_fourier_transform_is_counted_where_torchs_counter_sees_none():
    found = traced("fourier", "x=float32[8,64]")
    assert found.flop("forward") == 2 * 2.5 * 8 * 64 * 6
    assert found.torch_flop["forward"] == 0


@needs_torch
def test_a_factory_that_reads_numbers_out_of_tensors_is_built_in_memory_and_says_so():
    found = traced("scheduled", "float32[4,8]")
    assert found.shape.parameters == 3 * (8 * 8 + 8)
    assert any("in memory" in note for note in found.notes)


@needs_torch
@pytest.mark.parametrize(
    ("factory", "inputs", "says"),
    [
        ("nets:custom", "x=float32[4,8]", ("nets::secret", "inner.0", "register_flop_formula")),
        ("nets:choosing", "x=float32[4,8]", ("needs the values of a tensor", "nets.py:", "torch.where")),
        ("nets:on_gpu", "x=float32[4,8]", ("needs no accelerator", "nets.py:")),
        ("nets:from_file", "x=float32[4,8]", ("FileNotFoundError", "neither weights nor data")),
        ("nets:raising", "x=float32[4,8]", ("ValueError: no such size", "nets.py:")),
        ("nets:wanting", "x=float32[4,8]", ("width", "without arguments")),
        ("nets:nothing", "x=float32[4,8]", ("returns int", "nn.Module")),
        ("nets:constant", "x=float32[4,8]", ("is int, no function",)),
        ("nets:gtp", "ids=int64[4,8]", ('did you mean "gpt"',)),
        ("nuts:gpt", "ids=int64[4,8]", ("no module nuts", "folder")),
        ("nets", "ids=int64[4,8]", ("module:function",)),
        ("nets:gpt", "x=int64[4,8]", ("unexpected keyword argument 'x'", "forward takes (ids, labels=None)")),
        ("nets:stack", "float32[4,9]", ("in 0, the forward pass raises RuntimeError", "forward takes (input)")),
        ("nets:gpt", "nets:raising", ("raises TypeError", "batch size")),
    ],
)
def test_what_cannot_be_traced_is_refused_in_words_with_what_to_do(factory, inputs, says, monkeypatch, tmp_path):
    monkeypatch.chdir(FAKES)
    with pytest.raises(InputError) as refused:
        trace(factory, inputs, python=TORCH, out=tmp_path / "out.toml")
    assert all(words in str(refused.value) for words in says), str(refused.value)
    assert "Traceback" not in str(refused.value)
    assert not (tmp_path / "out.toml").exists()


@pytest.mark.skipif(find_spec("torch") is not None, reason="this interpreter has PyTorch")
def test_an_interpreter_without_torch_is_named_with_what_to_install(monkeypatch, tmp_path):
    monkeypatch.chdir(FAKES)
    with pytest.raises(MeasureError, match="has no PyTorch") as refused:
        trace("nets:gpt", "ids=int64[4,8]", python=sys.executable, out=tmp_path / "out.toml")
    assert "pip install torch" in str(refused.value)
    assert "--python" in str(refused.value)
    assert refused.value.exit_code == 3


def test_a_model_file_is_toml_or_json(tmp_path):
    with pytest.raises(InputError, match="TOML or JSON"):
        trace("nets:gpt", "ids=int64[4,8]", out=tmp_path / "out.yaml")


# --- the file ---------------------------------------------------------------------------------------------------------


@needs_torch
def test_toml_and_json_hold_the_same_model():
    toml, json = (traced("stack", FINE["stack"], suffix=suffix) for suffix in (".toml", ".json"))
    assert model(toml.path).shape == model(json.path).shape == toml.shape
    assert toml.model.family == "traced"
    assert "assay trace nets:stack" in toml.model.source
