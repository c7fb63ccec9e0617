"""A training step is what it says it is: its size, its work, its parts, and that it learns what it should."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.measure.workloads import ENGINE, TORCH, cases, events, kit, needs_torch, refused, start

from assay.catalog.models import model
from assay.codec import decode
from assay.counting import parameters
from assay.measure.workloads import train_check, train_job, train_operators, train_presets, train_shapes, train_step
from assay.measure.workloads.train_check import Reference, compare
from assay.measure.workloads.train_loop import Trace
from assay.model import ConvShape, DlrmShape, Model, TransformerShape
from assay.predict.families import family
from assay.workload import Workload

SHAPES = {"transformer": TransformerShape, "convnet": ConvShape, "dlrm": DlrmShape}
TINY = ("gpt-tiny", "llama-tiny", "vit-tiny", "dit-tiny", "resnet-tiny", "dlrm-tiny")


def needed_flop(shape, seq_len):
    """What a prediction counts for one sample."""
    net = Model(name="net", family="transformer", shape=shape)
    job = Workload(name="job", model=net, seq_len=seq_len, global_batch=1)
    return family(job.model).model_flop(shape, job)


def net_of(name):
    preset = train_presets.PRESETS[name]
    return train_shapes.FAMILIES[preset["family"]](**preset["net"]), preset.get("seq_len")


def shape_of(net, seq_len):
    return decode(train_shapes.table(net, seq_len), SHAPES[train_shapes.family(net)], "train-step")


# --- its size and its work, without PyTorch ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", train_presets.PRESETS)
def test_a_preset_is_a_shape_of_the_catalogs_kind(name):
    net, seq_len = net_of(name)
    assert parameters(shape_of(net, seq_len)) > 0


@pytest.mark.parametrize(("ours", "theirs"), [("gpt-125m", "gpt2"), ("vit-b", "vit-b-16")])
def test_a_preset_is_the_catalogs_model_of_that_size(ours, theirs):
    assert shape_of(*net_of(ours)) == model(theirs).shape


@pytest.mark.parametrize(
    ("name", "published"),
    [("gpt-350m", 354_823_168), ("llama-1b", 1_235_814_400), ("resnet-18", 11_689_512), ("resnet-50", 25_557_032)],
)
def test_a_preset_has_the_parameters_its_makers_published(name, published):
    assert parameters(shape_of(*net_of(name))) == published


def test_dit_s_has_the_33_million_parameters_of_its_paper():
    assert parameters(shape_of(*net_of("dit-s"))) == pytest.approx(33e6, rel=0.01)


def test_resnet_50_takes_the_4_giga_multiplications_that_are_published():
    net, _ = net_of("resnet-50")
    assert train_shapes.flop_per_sample(net) == pytest.approx(6 * 4.09e9, rel=0.01)


decoders = st.builds(
    lambda layers, heads, groups, size, mlp, vocab, gated, modern: train_shapes.Decoder(
        layers=layers, hidden=heads * groups * 2 * size, heads=heads * groups, kv_heads=heads, mlp=mlp, vocab=vocab,
        gated=gated, modern=modern,
    ),
    *[st.integers(1, 40), st.integers(1, 8), st.integers(1, 8), st.integers(1, 64), st.integers(1, 9000)],
    *[st.integers(1, 200_000), st.booleans(), st.booleans()],
)  # fmt: skip


@given(net=decoders, seq_len=st.integers(1, 9000))
def test_a_decoders_work_is_what_the_prediction_counts(net, seq_len):
    shape = shape_of(net, seq_len)
    assert train_shapes.flop_per_sample(net, seq_len) == pytest.approx(needed_flop(shape, seq_len))


def test_sizes_that_are_not_given_follow_those_that_are():
    net, _ = net_of("gpt-tiny")
    wider = train_shapes.resized(net, {"hidden": 256, "heads": 8})
    assert (wider.mlp, wider.kv_heads) == (4 * 256, 8)
    assert train_shapes.resized(net, {"hidden": 256, "mlp": 300}).mlp == 300
    grouped, _ = net_of("llama-tiny")
    assert train_shapes.resized(grouped, {"heads": 8}).kv_heads == grouped.kv_heads


@pytest.mark.parametrize(
    ("name", "said", "why"),
    [
        ("gpt-tiny", {"heads": 3}, "heads: 3 do not divide"),
        ("llama-tiny", {"kv_heads": 3}, "kv_heads: 3 do not divide 4 heads"),
        ("llama-tiny", {"hidden": 4, "heads": 4, "kv_heads": 4}, "heads of even width"),
        ("vit-tiny", {"image_px": 33}, "image_px: 33 is no multiple of the patch"),
        ("resnet-tiny", {"vocab": 3}, "vocab: a resnet has none"),
    ],
)
def test_a_size_that_cannot_be_is_refused_in_words(name, said, why):
    with pytest.raises(SystemExit, match=why):
        train_shapes.resized(net_of(name)[0], said)


# --- the check --------------------------------------------------------------------------------------------------------


def trace(losses, norms=None, skipped=None):
    return Trace(losses=losses, norms=norms or [1.0] * len(losses), skipped=skipped or [False] * len(losses))


def test_a_trajectory_is_compared_by_loss_and_by_gradient_norm():
    sound = Reference(losses=[4.0, 3.0], norms=[1.0, 1.0])
    assert compare(trace([4.0, 3.0]), sound, [1e-3, 1e-2])[0]
    assert not compare(trace([4.0, 3.01]), sound, [1e-3, 1e-2])[0]
    passed, text = compare(trace([4.0, 3.0], norms=[1.0, 2.0]), sound, [1e-3, 1e-2])
    assert not passed
    assert text == "2 steps against fp32: loss off by 0 (0.001 allowed), gradient norm off by 1 (0.01 allowed)"


def test_after_a_step_that_the_scaler_left_out_nothing_is_compared():
    sound = Reference(losses=[4.0, 3.0, 2.0], norms=[1.0] * 3)
    passed, text = compare(trace([4.0, 3.0, 9.0], [1.0, float("inf"), 9.0], [False, True, False]), sound, [1e-3, 1e-2])
    assert passed
    assert text.startswith("2 steps")


def test_where_no_gradient_norm_is_finite_nothing_was_shown():
    sound = Reference(losses=[4.0], norms=[1.0])
    assert not compare(trace([4.0], [float("inf")], [True]), sound, [1e-3, 1e-2])[0]


def test_a_reference_that_does_not_fit_in_memory_is_a_doubt_and_no_verdict(monkeypatch):
    def full(*_):
        raise MemoryError

    made = kit(settings={"budget_s": 1})
    monkeypatch.setattr(train_check, "_reference", full)
    train_check.check(made, None, trace([4.0]))
    assert made.said == [{"text": "loss trajectory: not checked, as the reference in fp32 does not fit in memory"}]


# --- real runs, all in one interpreter --------------------------------------------------------------------------------


def run_jobs(folder, jobs, *launcher):
    """Each job's lines and exit code, for each rank."""
    out = folder / "out"
    out.with_suffix(".jobs").write_text(json.dumps(jobs), encoding="utf-8")
    command = [TORCH, *launcher, str(Path(__file__).with_name("in_torch.py")), str(out)]
    env = {key: value for key, value in os.environ.items() if key != "ASSAY_EMIT"} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("out.[0-9]"))]


def job(fault="", quick=True, folder="", **options):
    told = {"steps": "6", "precision": "fp32", **{key: str(value) for key, value in options.items()}}
    return ["train_step", {"options": told, "fault": fault, "quick": quick, "folder": folder}]


SOUND = {
    **{f"{name} {precision}": {"model": name, "precision": precision}
       for name in TINY for precision in ("fp32", "bf16", "fp16")},
    "accumulated": {"accumulation": 3, "micro_batch": 2},
    "recomputed": {"recompute": "full", "model": "llama-tiny"},
    "recomputed with a batch norm": {"recompute": "full", "model": "resnet-tiny", "accumulation": 2},
    "eager": {"attention": "eager"},
    "fused": {"optimizer": "adamw-fused", "precision": "bf16"},
    "sgd": {"optimizer": "sgd"},
    "resized": {"layers": 1, "hidden": 64, "heads": 2, "mlp": 96, "vocab": 2048, "gated": 1, "seq_len": 32},
    "text": {"data": "real", "workers": 2},
    "pictures": {"data": "real", "workers": 2, "model": "resnet-tiny"},
}  # fmt: skip

FAULTY = {
    **{f"{name} learns twice as fast": ("learning-rate", {"model": name, "precision": "bf16"}) for name in TINY},
    "a micro-batch is dropped": ("dropped", {"accumulation": 2}),
    "a micro-batch of four is dropped": ("dropped", {"accumulation": 4, "micro_batch": 1, "precision": "bf16"}),
    "a scale is never taken back": ("unscaled", {}),
    "a scale is never taken back in fp16": ("unscaled", {"precision": "fp16"}),
    "a loss is no number": ("nan", {"precision": "bf16"}),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Every real run with one rank."""
    folder = tmp_path_factory.mktemp("alone")
    jobs = {name: job(**options) for name, options in SOUND.items()}
    jobs |= {name: job(fault=fault, **options) for name, (fault, options) in FAULTY.items()}
    jobs |= {f"count {name}": ["count", {"model": name, "micro_batch": "2"}] for name in train_presets.PRESETS}
    jobs |= {f"operators of {name}": job(model=name, precision=how, check_steps=0, steps=1, operators="on")
             for name, how in zip(TINY, ("fp32", "bf16", "fp16", "fp16", "bf16", "fp32"), strict=True)}  # fmt: skip
    jobs["planted operators"] = ["operators", {}]
    jobs["checkpoints"] = job(checkpoint_every=3, folder=str(folder))
    return {**run_jobs(folder, jobs)[0], "folder": folder}


def checks(lines):
    return [(line["passed"], line["text"]) for line in lines if line.get("event") == "check"]


def steps(lines):
    return [line for line in lines if "step_s" in line]


@needs_torch
@pytest.mark.parametrize("name", train_presets.PRESETS)
def test_the_model_that_is_built_has_the_parameters_that_are_counted(ran, name):
    counted, _ = ran[f"count {name}"]
    assert counted["parameters"] == parameters(shape_of(*net_of(name)))


@needs_torch
@pytest.mark.parametrize("name", train_presets.PRESETS)
def test_the_model_that_is_built_does_the_work_that_is_told(ran, name):
    """Counted by PyTorch; it leaves out the gradient of the input, which nobody needs."""
    net, seq_len = net_of(name)
    forward, backward = (flop / 2 for flop in ran[f"count {name}"][0]["flop"])  # of two samples
    told = train_shapes.flop_per_sample(net, seq_len)
    assert forward == pytest.approx(told / 3, rel=1e-9)
    if isinstance(net, train_shapes.Decoder):
        assert backward == pytest.approx(2 * told / 3, rel=1e-9)


@needs_torch
@pytest.mark.parametrize("name", SOUND)
def test_a_sound_run_learns_what_the_reference_does(ran, name):
    lines, code = ran[name]
    assert code == 0
    ((passed, text),) = checks(lines)
    assert passed, text
    assert text.startswith("6 steps against fp32")
    assert [line["step"] for line in steps(lines)] == list(range(6))


@needs_torch
@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_run_does_not_pass(ran, name):
    lines, _ = ran[name]
    ((passed, text),) = checks(lines)
    assert not passed, text


@needs_torch
@pytest.mark.parametrize("name", TINY)
def test_each_operator_of_a_sound_step_comes_to_what_the_host_comes_to(ran, name):
    lines, code = ran[f"operators of {name}"]
    assert code == 0
    told = {line["name"]: line for line in lines if line.get("event") == "check"}
    assert len(told) > 25
    assert all(line["passed"] for line in told.values()), [line for line in told.values() if not line["passed"]]
    assert {"operator mm", "operator addmm"} & told.keys()
    attention = [line["text"] for key, line in told.items() if "scaled_dot_product" in key]
    assert all("off the host's fp64" in text for text in attention)
    assert bool(attention) == (name not in {"resnet-tiny", "dlrm-tiny"})


@needs_torch
def test_an_operator_that_is_wrong_or_runs_elsewhere_is_found(ran):
    found, _ = ran["planted operators"]
    assert {name for name, (passed, _) in found.items() if not passed} == {
        "wrong", "fallen", "broken", "shaped", "placed",
    }  # fmt: skip
    assert found["wrong"][1] == "1 call a step, 0.05 off the host's fp64 (0.001 allowed)"
    assert found["placed"][1] == "1 call a step, 0.5 off the host's fp64 (0.001 allowed)"
    assert found["fallen"][1] == "1 call a step, computed on the host, not on toy"
    assert found["only_fp32"][1] == found["rand"][1] == "1 call a step, not compared"
    assert found["mm"][1].startswith("2 calls a step, 0 off")


def test_an_operator_that_the_device_has_not_is_named():
    made = kit(place="mps")
    text = "The operator 'aten::_upsample_bicubic2d_aa.out' is not currently implemented for the MPS device.\nMore"
    train_operators.missing(made, NotImplementedError(text))
    train_operators.missing(made, RuntimeError("'aten::mm' went wrong"))
    (said,) = made.said
    assert (said["name"], said["passed"]) == ("operator _upsample_bicubic2d_aa", False)
    assert said["text"].endswith("is not currently implemented for the MPS device.")


@needs_torch
def test_a_loss_that_is_no_number_is_an_event_and_ends_the_run(ran):
    lines, code = ran["a loss is no number"]
    (event,) = [line for line in lines if line.get("event") == "happened"]
    assert event["kind"] == "nan"
    assert event["text"].startswith("step 3: loss nan")
    assert len(steps(lines)) == 4
    assert code == 0


@needs_torch
def test_the_parts_of_a_step_make_the_step(ran):
    for line in steps(ran["text"][0]) + steps(ran["checkpoints"][0]):
        told = sum(line.get(f"{part}_s", 0.0) for part in ("input_wait", "compute", "communication", "checkpoint"))
        assert 0.9 * line["step_s"] - 1e-3 <= told <= line["step_s"]
        assert "communication_s" not in line  # nobody to communicate with: not zero, but not there


@needs_torch
def test_a_checkpoint_is_told_in_the_steps_that_write_one_and_leaves_nothing(ran):
    lines, _ = ran["checkpoints"]
    assert [line["step"] for line in steps(lines) if "checkpoint_s" in line] == [2, 5]
    assert (ran["folder"] / "assay-data").is_dir()
    assert not list(ran["folder"].rglob("checkpoint*"))


@needs_torch
def test_real_data_are_waited_for_and_synthetic_data_are_not(ran):
    waits = {name: [line["input_wait_s"] for line in steps(ran[name][0])[2:]] for name in ("text", "gpt-tiny fp32")}
    assert max(waits["gpt-tiny fp32"]) < 1e-3
    assert sum(waits["text"]) > sum(waits["gpt-tiny fp32"])


@needs_torch
def test_what_was_trained_can_be_predicted_from_what_the_run_says(ran):
    lines, _ = ran["resized"]
    said = {line["name"]: line["value"] for line in lines if line.get("event") in {"setting", "fact"}}
    shape = decode(said["shape"], SHAPES[said["family"]], "run")
    assert (shape.layers, shape.hidden, shape.vocab) == (said["layers"], said["hidden"], said["vocab"]) == (1, 64, 2048)
    assert shape.blocks[0].attention.heads == said["heads"] == 2
    assert shape.blocks[0].ffn.hidden == said["mlp"] == 96
    assert shape.blocks[0].ffn.gated
    assert parameters(shape) == said["parameters"]
    tokens = said["global_batch"] * said["seq_len"]
    assert tokens == steps(lines)[0]["tokens"] == 2 * 32
    assert said["flop_per_step"] == pytest.approx(said["global_batch"] * needed_flop(shape, said["seq_len"]))
    assert sum(line["flop"] for line in steps(lines)) == pytest.approx(6 * said["flop_per_step"])
    assert said["peak_memory_bytes"] >= max(line["memory_resident_bytes"] for line in steps(lines)) * 0.99


# --- several ranks ----------------------------------------------------------------------------------------------------

TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Every real run with two ranks over gloo: what each of them said."""
    folder = tmp_path_factory.mktemp("together")
    jobs = {
        "ddp": job(parallel="ddp", accumulation=2), "zero1": job(parallel="zero1", checkpoint_every=3),
        "fsdp": job(parallel="fsdp", accumulation=2, checkpoint_every=3),
        "fsdp recomputed": job(parallel="fsdp", recompute="full", precision="bf16"),
        "batch norm": job(model="resnet-tiny"), "text": job(data="real"), "alone": job(parallel="none"),
        "unreduced": job(fault="unreduced"), "nan": job(fault="nan"), "fp16": job(precision="fp16"),
        "until it is time": ["train_step", {"budget_s": 0.5, "options": {"precision": "fp32"}}],
    }  # fmt: skip
    return run_jobs(folder, jobs, *TORCHRUN)


@needs_torch
@pytest.mark.parametrize("name", ["ddp", "zero1", "fsdp", "fsdp recomputed", "batch norm", "text", "alone", "fp16"])
def test_ranks_together_learn_what_one_learns_from_all_their_data(both, name):
    first, second = (rank[name][0] for rank in both)
    ((passed, text),) = checks(first)
    assert passed, text
    assert checks(second) == []  # one reference is enough
    assert len(steps(first)) == len(steps(second)) == 6


@needs_torch
@pytest.mark.parametrize("name", ["unreduced", "nan"])
def test_ranks_that_do_not_share_their_gradients_or_numbers_do_not_pass(both, name):
    ((passed, text),) = checks(both[0][name][0])
    assert not passed, text


@needs_torch
def test_exposed_communication_is_told_where_it_is_measured(both):
    for rank in both:
        for name in ("ddp", "zero1"):
            for line in steps(rank[name][0]):
                assert 0 < line["communication_s"] < line["step_s"]
        for line in steps(rank["fsdp"][0]):
            assert "communication_s" not in line
            assert "compute_s" not in line  # what is left would hold communication


@needs_torch
def test_work_of_all_ranks_adds_up_to_the_jobs(both):
    said = {line["name"]: line["value"] for line in both[0]["ddp"][0] if line.get("event") in {"setting", "fact"}}
    assert said["global_batch"] == 2 * 2 * said["micro_batch"]
    assert said["flop_per_step"] == sum(steps(rank["ddp"][0])[0]["flop"] for rank in both)
    assert said["global_batch"] == sum(steps(rank["ddp"][0])[0]["samples"] for rank in both)


@needs_torch
def test_ranks_stop_together(both):
    counts = {len(steps(rank["until it is time"][0])) for rank in both}
    assert len(counts) == 1
    assert counts.pop() >= 4


# --- through the engine -----------------------------------------------------------------------------------------------


@needs_torch
def test_two_processes_are_heard_each_with_its_rank(tmp_path):
    command = (TORCH, *TORCHRUN, str(ENGINE))
    settings = {"options": {"steps": "4", "precision": "fp32"}, "device": "cpu"}
    done = start("train-step", settings, command=command, ASSAY_EMIT=str(tmp_path), OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for path in tmp_path.glob("*.jsonl") for line in path.read_text().splitlines()]
    assert {(line["rank"], line["step"]) for line in steps(lines)} == {(rank, n) for rank in (0, 1) for n in range(4)}
    assert list(cases(lines)) == ["gpt-tiny fp32 2x1"]
    assert [passed for passed, _ in checks(lines)] == [True]


def limited():
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


@needs_torch
def test_memory_that_runs_out_is_told_and_ends_with_a_code_of_its_own():
    settings = {"options": {"micro_batch": "30000", "precision": "fp32"}, "device": "cpu", "budget_s": 5, "threads": 1}
    command = [TORCH, str(ENGINE), "train-step", json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200, preexec_fn=limited)
    assert done.returncode == 77
    (event,) = events([json.loads(line) for line in done.stdout.splitlines()], "happened")
    assert event["kind"] == "oom"
    assert event["of"] == "gpt-tiny fp32 30000x1"
    assert "can't allocate memory" in event["text"]


@needs_torch
def test_a_compiled_step_learns_the_same(tmp_path):
    if shutil.which("g++") is None:
        pytest.skip("no g++ here for PyTorch to compile with")
    small = {"layers": 1, "hidden": 32, "heads": 2, "seq_len": 16, "vocab": 64}
    lines, _ = run_jobs(tmp_path, {"compiled": job(compile="on", **small)})[0]["compiled"]
    ((passed, text),) = checks(lines)
    assert passed, text


@needs_torch
def test_without_a_compiler_it_says_what_is_missing(tmp_path):
    settings = {"options": {"compile": "on"}, "device": "cpu"}
    told = {"PATH": "/nowhere", "CXX": "", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    why = refused("train-step", settings, command=(TORCH, str(ENGINE)), **told)
    assert why.startswith("compile: InvalidCxxCompiler: No working C++ compiler")


def test_without_pytorch_it_says_where_to_find_it():
    assert "this needs PyTorch" in refused("train-step", {"device": "cpu"}, command=(sys.executable, str(ENGINE)))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"model": "gpt-9t"}, "model: gpt-9t is not known; write gpt-tiny, "),
        ({"precision": "tf32"}, "precision: tf32 is a format of matrix units that this device has not"),
        ({"parallel": "fsdp"}, "parallel: fsdp needs several processes"),
        ({"model": "vit-tiny", "seq_len": "64"}, "seq_len: vit-tiny has no sequences"),
        ({"micro_batch": "0"}, "micro_batch: 0 is not possible; write a whole number, 1 or more"),
        ({"learning_rate": "fast"}, "learning_rate: fast is not possible"),
        ({"model": "dlrm-tiny", "data": "real"}, "data: there is nothing to read for a dlrm; write synthetic"),
        ({"model": "dlrm-tiny", "recompute": "full"}, "recompute: a dlrm has no layers"),
        ({"model": "resnet-tiny", "attention": "eager"}, "attention: a resnet has none"),
        ({"data": "real", "vocab": "100"}, "vocab: the text has 1024 tokens"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_words(options, why):
    known = {key: default for key, (default, _) in train_step.OPTIONS.items()}
    with pytest.raises(SystemExit, match=why):
        train_job.read(kit(options=known | options))
