"""Sweeping: every point is the prediction it would be alone; what cannot be predicted is a point with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import assay
from assay.api.jobs import machines
from assay.errors import InputError
from assay.predict.levers import lever, levers
from assay.predict.weights import verdict

GPT2 = assay.workload("gpt2", seq_len=1024, global_batch=64)


def by_value(sweep):
    return {point.value: point for point in sweep.points}


def test_a_point_is_the_prediction_of_its_own():
    machine = assay.system("hgx-h100")
    for value, point in by_value(assay.sweep(GPT2, machine, "nodes", [1, 2, 4])).items():
        assert point.result == assay.predict(GPT2, machine.with_nodes(int(value)))
    for value, point in by_value(assay.sweep(GPT2, machine, "batch", [64, 128])).items():
        assert point.result == assay.predict(assay.workload("gpt2", seq_len=1024, global_batch=int(value)), machine)


def test_a_kept_plan_is_kept_and_data_parallelism_takes_the_nodes():
    found = assay.sweep(GPT2, assay.system("hgx-h100"), "nodes", [1, 2, 4], plan=assay.Plan(tensor=2, micro_batch=1))
    assert [(p.result.plan.tensor, p.result.plan.data) for p in found.points] == [(2, 4), (2, 8), (2, 16)]


@given(tensor=st.sampled_from([1, 2, 4]), batch=st.sampled_from([64, 256]), zero=st.integers(0, 3),
       system=st.sampled_from(["hgx-h100", "l40s-8", "mi300x-8"]))  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_strong_scaling_of_one_plan_is_never_better_than_linear(tensor, batch, zero, system):
    job = assay.workload("gpt2", seq_len=1024, global_batch=batch)
    plan = assay.Plan(tensor=tensor, micro_batch=1, zero_stage=zero)
    found = assay.sweep(job, assay.system(system), "nodes", [1, 2, 4], plan=plan)
    assert all(found.against(point) <= 1 + 1e-9 for point in found.found)


def test_weak_scaling_grows_the_batch():
    found = assay.sweep(GPT2, assay.system("hgx-h100"), "nodes", [1, 2, 4], weak=True)
    assert [p.result.workload.global_batch for p in found.points] == [64, 128, 256]
    assert found.against(found.points[0]) == 1.0


def test_nodes_the_batch_does_not_divide_over_are_a_point_with_its_reason():
    found = assay.sweep(GPT2, assay.system("hgx-h100"), "nodes", [1, 8, 100, 3000], plan=assay.Plan(micro_batch=1))
    assert [p.result is None for p in found.points] == [False, False, True, True]
    assert "does not divide by dp" in found.points[2].reason


def test_what_fits_nowhere_is_told_for_each_point_or_refused_for_all():
    job = assay.workload("llama-3.1-70b", seq_len=4096, global_batch=64)
    found = assay.sweep(job, assay.system("hgx-h100"), "nodes", [1, 4])
    assert "short by" in found.points[0].reason
    with pytest.raises(InputError, match=r"nothing of it can be predicted: .*short by"):
        assay.sweep(job, assay.system("hgx-h100"), "nodes", [1])


@pytest.mark.parametrize("name", ["peak", "memory-bandwidth", "inner-link", "outer-link", "host-link"])
def test_more_of_a_rate_never_slows_a_step(name):
    found = assay.sweep(GPT2, assay.system("hgx-h100", nodes=2), name)
    steps = [p.result.step.mean for p in found.points]
    assert steps == sorted(steps, reverse=True)


def test_a_link_is_turned_by_its_own_name_too():
    machine = assay.system("hgx-h100", nodes=2)
    assert lever("infiniband-ndr", GPT2, machine).read(GPT2, machine) == machine.links[1].bandwidth_bytes_per_s


def test_every_lever_sets_what_it_reads():
    job, machine = GPT2, assay.system("hgx-h100", nodes=2)
    for one in levers(job, machine).values():
        value = one.read(job, machine)
        assert one.read(*one.at(job, machine, 2 * value)) == pytest.approx(2 * value)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: assay.sweep(GPT2, assay.system("hgx-h100"), "streaming"), "hgx-h100 has no bandwidth that weights"),
        (lambda: assay.sweep(GPT2, assay.system("hgx-h100"), "storage"), "write --storage"),
        (lambda: assay.sweep(GPT2, assay.system("hgx-h100"), "memory-bandwith"), 'did you mean "memory-bandwidth"'),
        (lambda: assay.sweep(GPT2, assay.system("hgx-h100"), "nodes", [1.5]), "whole number"),
        (lambda: assay.sweep(GPT2, assay.system("hgx-h100"), "peak", [0.0]), "above 0"),
        (lambda: assay.sweep(GPT2, assay.system("hgx-h100"), "peak", [float("nan")]), "above 0"),
        (lambda: assay.sweep(GPT2, assay.system("hgx-h100"), "peak", []), "no sweep"),
        (lambda: assay.sweep(GPT2, assay.system("hgx-h100"), "peak", weak=True), "--over nodes"),
    ],
)  # fmt: skip
def test_what_cannot_be_swept_says_what_to_write(call, says):
    with pytest.raises(InputError, match=says):
        call()


# --- what matters ---------------------------------------------------------------------------------------------------


def test_the_link_between_nodes_hardly_matters_to_8b_on_16_nodes_of_h100():
    found = assay.weigh(
        assay.workload("llama-3.1-8b", seq_len=8192, global_batch=512), assay.system("hgx-h100", nodes=16)
    )
    effects = {e.lever: e for e in found.effects}
    assert verdict(effects["outer-link"]) == "hardly matters"
    assert found.effects[0].lever == "peak"
    assert found.sentences[0].startswith("The compute peak matters most")


def test_the_link_matters_most_to_70b_with_tensor_parallelism_over_pcie():
    job = assay.workload("llama-3.1-70b", seq_len=4096, global_batch=256)
    found = assay.weigh(job, assay.system("l40s-8", nodes=16), assay.Plan(tensor=8, pipeline=4, micro_batch=1))
    assert found.effects[0].lever == "inner-link"
    assert found.effects[0].half.mean > 0.5
    assert found.sentences[0].startswith("The link inside a node matters most")


def test_memory_bandwidth_matters_most_to_unfused_kernels_and_a_batch_of_one():
    unfused = assay.Plan(fused=False, flash_attention=False, micro_batch=4)
    many = assay.weigh(assay.workload("gpt2-xl", seq_len=1024, global_batch=512), assay.system("hgx-h100"), unfused)
    assert many.sentences[0].startswith("Memory bandwidth matters most")
    assert many.effects[0].half.low > 0.4
    assert {e.half.replanned for e in many.effects if e.half} == {None}
    few = assay.weigh(assay.workload("llama-3.2-1b", seq_len=256, global_batch=1), machines(["1x h100"], None)[0])
    assert few.sentences[0].startswith("Memory bandwidth matters most")


def test_a_kink_is_seen_where_a_slope_is_not():
    """A link that is hidden costs nothing at the margin; at half it is hidden no more."""
    job = assay.workload("llama-3.1-70b", seq_len=4096, global_batch=256)
    found = {e.lever: e for e in assay.weigh(job, assay.system("l40s-8", nodes=16)).effects}
    half = found["inner-link"].half
    assert half.mean > 5 * -found["inner-link"].more.mean
    assert half.low < half.mean < half.high
    assert half.replanned <= half.mean + 1e-9  # another plan is never worse than the one that was kept


def test_half_costs_and_double_brings():
    for effect in assay.weigh(GPT2, assay.system("hgx-h100")).effects:
        assert effect.half.mean >= -1e-12
        assert effect.double.mean <= 1e-12
        assert effect.half.low <= effect.half.mean <= effect.half.high


def test_a_model_without_tokens_scales_in_samples_and_has_no_length(tmp_path):
    from assay.api.sweep_pages import write_page
    from assay.cli.swept import swept_rows, swept_sentences

    job, machine = assay.workload("resnet-50", global_batch=4096), assay.system("hgx-h100")
    found = assay.sweep(job, machine, "nodes", [1, 2])
    rates = [p.result.values["samples_per_s"].mean for p in found.points]
    assert found.against(found.points[1]) == pytest.approx(rates[1] / rates[0] / 2)
    assert {"samples/s", "rent / M samples"} <= swept_rows(found)[0].keys()
    assert "× the samples/s" in swept_sentences(found)[0]
    page = write_page(found, tmp_path / "sweep.html", "Pictures", ())
    text = page.read_text(encoding="utf-8")
    assert "Samples/s" in text
    assert "okens/s" not in text[text.index("<body") :]
    assert "seq-len" not in levers(job, machine)
    with pytest.raises(InputError, match="its samples are no sequences"):
        lever("seq-len", job, machine)
