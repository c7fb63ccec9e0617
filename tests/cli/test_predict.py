"""`assay predict`: what is typed becomes a job, the answer says how sure it is, and what cannot be done says why."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.api import search, system, workload
from assay.api.jobs import Stated, count, divisible, job_of, machines
from assay.cli import answers
from assay.cli import main as cli
from assay.cli.stacked import split
from assay.errors import AssayError, InputError
from assay.result import METRICS, Result, Value

SMALL = ("predict", "gpt2", "--seq-len", "1024", "--batch", "64")


def assay(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(arg) for arg in args])
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


def answer(capsys, *args: object) -> dict:
    code, out, err = assay(capsys, *args, "--format", "json")
    assert code == 0, err
    return json.loads(out)


@pytest.fixture(scope="module")
def results() -> list[Result]:
    job = workload("gpt2", seq_len=1024, global_batch=64, tokens=1e9)
    return search(job, system("hgx-h100"), top=3)


# --- what is typed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [("512", 512), ("4M", 4_000_000), ("100B", 10**11), ("1e11", 10**11), ("4_194_304", 4_194_304), ("1,024", 1024),
     ("4Mi", 4_194_304), ("1.5T", 1_500_000_000_000), (" 15 T tokens", 15 * 10**12), (512.0, 512), (1e11, 10**11)],
)  # fmt: skip
def test_a_count_is_read_as_people_write_it(written, meant):
    assert count(written, "--tokens") == meant


@pytest.mark.parametrize(
    "written", ["0", "-5", "nan", "inf", "1e400", "4.5", "", "abc", "1e19", "٣", "4 M B", True, -1, math.nan, "9" * 70]
)
def test_a_count_that_cannot_be_says_where_and_what_to_write(written):
    with pytest.raises(InputError, match=r"--batch.*write a whole number"):
        count(written, "--batch")


@given(st.text(max_size=30) | st.floats() | st.integers())
def test_no_text_is_worse_than_refused(written):
    try:
        assert 1 <= count(written, "--batch") <= 10**18
    except InputError as error:
        assert "--batch" in str(error)


@given(st.floats(1, 1e8))
def test_a_batch_in_tokens_moves_at_most_five_percent_or_half_a_sequence(sequences):
    found = divisible(sequences)
    assert abs(found - sequences) <= max(0.05 * sequences, 0.5)


def test_four_million_tokens_of_8192_are_the_512_sequences_they_are_said_of():
    job = job_of("llama-3.1-8b", Stated(model="", seq_len="8192", batch_tokens="4M"))
    assert job.workload.global_batch == 512
    assert "4,194,304 tokens" in job.assumed[0]
    assert job_of("llama-3.1-8b", Stated(model="", seq_len=2000, batch_tokens="4M")).workload.global_batch == 2000


def test_8k_may_be_two_lengths_and_is_asked_back(capsys):
    code, _, err = assay(capsys, "predict", "gpt2", "--on", "l4", "--seq-len", "8k")
    assert code == 2
    assert "write 8192 or 8000" in err


def test_a_workload_file_says_the_job_and_flags_come_first(tmp_path):
    (tmp_path / "job.toml").write_text('model = "gpt2"\nseq_len = 512\nbatch_tokens = "64Ki"\ntokens = "10B"\n')
    told = job_of(str(tmp_path / "job.toml"), Stated(model="")).workload
    assert (told.model.name, told.seq_len, told.global_batch, told.target_tokens) == ("gpt2", 512, 128, 1e10)
    over = job_of(str(tmp_path / "job.toml"), Stated(model="", global_batch="32", precision="fp16")).workload
    assert (over.global_batch, over.precision, over.seq_len) == (32, "fp16", 512)


def test_a_workload_file_finds_the_config_beside_it(tmp_path):
    config = {"model_type": "gpt2", "n_embd": 256, "n_layer": 2, "n_head": 4, "vocab_size": 1000, "n_positions": 128}
    (tmp_path / "mine.json").write_text(json.dumps(config))
    (tmp_path / "job.toml").write_text('name = "ours"\nmodel = "mine.json"\n')
    told = job_of(str(tmp_path / "job.toml"), Stated(model="")).workload
    assert (told.name, told.model.shape.hidden, told.seq_len) == ("ours", 256, 128)  # no longer than it can read


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('model = "gpt2"\nbatch = 4', "global_batch .sequences. or batch_tokens"),
        ('model = "gpt2"\nsequence_length = 4', 'unknown key "sequence_length"'),
        ('model = "gpt2"\nseq_len = true', "not a count"),
        ('model = "gpt2"\nseq_len = [1]', "seq_len"),
        ('model = "gpt2"\nglobal_batch = 4\nbatch_tokens = 4', "same twice"),
        ('model = "gpt2"\ntask = "serve"', "serving is not predicted yet"),
        ('model = "gpt2"\ntask = "dance"', "task"),
        ("seq_len = 4", '"model" is missing'),
        ("model = 4", "model"),
        ("model", "not TOML"),
    ],
)
def test_a_workload_file_that_is_wrong_is_refused_in_a_sentence(text, says, tmp_path):
    (tmp_path / "job.toml").write_text(text)
    with pytest.raises(InputError, match=says):
        job_of(str(tmp_path / "job.toml"), Stated(model=""))


@given(text=st.text(max_size=80))
def test_no_workload_file_gives_a_traceback(text, tmp_path):
    (tmp_path / "job.toml").write_text(f'model = "gpt2"\nseq_len = 128\n{text}', encoding="utf-8", errors="ignore")
    try:
        job_of(str(tmp_path / "job.toml"), Stated(model=""))
    except AssayError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("name", "nodes", "per_node", "many"),
    [
        ("hgx-h100", None, 8, 1),
        ("8x H100", "2", 8, 2),
        ("4x H100", None, 4, 1),
        ("4xH100", "2", 4, 2),
        ("16x H100", None, 8, 2),
        ("4x DGX H100", None, 8, 4),
        ("MI300X", "3", 8, 3),
    ],
)
def test_a_count_before_a_name_is_meant(name, nodes, per_node, many):
    (found,) = machines([name], nodes)
    assert (found.count_per_node, found.nodes) == (per_node, many)


def test_a_count_that_makes_no_whole_nodes_is_refused():
    with pytest.raises(InputError, match="--nodes N; it has 8 a node"):
        machines(["12x H100"], None)


def test_systems_and_nodes_are_every_pair_once():
    found = machines(["hgx-h100, l4-8", "hgx-h100"], "1,2")
    assert [(m.name, m.nodes) for m in found] == [("hgx-h100", 1), ("hgx-h100", 2), ("l4-8", 1), ("l4-8", 2)]


# --- the answer ----------------------------------------------------------------------------------------------------


def test_the_best_plans_of_one_system_are_ranked_and_told_to_be_close(capsys):
    code, out, err = assay(capsys, *SMALL, "--on", "hgx-h100")
    assert code == 0
    title, head, *lines = out.splitlines()
    assert title == "gpt2: training, 64 × 1,024 tokens a step, bf16"
    assert head.split()[:4] == ["#", "system", "devices", "tokens/s"]
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4", "5"]
    assert "1–5 are closer in speed than our intervals are wide" in err
    assert err.rstrip().splitlines()[-1].startswith("Next: assay predict gpt2 --on hgx-h100 --nodes 1 --seq-len 1024")


def test_what_nobody_said_is_said_to_be_assumed(capsys):
    _, _, err = assay(capsys, "predict", "gpt2", "--on", "l4", "--top", "1")
    assert "Assumed: sequence length 1,024 (--seq-len); batch of 512 sequences (--batch); precision bf16." in err


def test_with_a_target_the_answer_is_a_duration(capsys):
    found = answer(capsys, *SMALL, "--on", "hgx-h100", "--tokens", "1B", "--top", "1")["results"][0]["values"]
    steps = math.ceil(1e9 / 65536)
    assert found["time_to_train_s"]["mean"] == pytest.approx(steps * found["step_s"]["mean"])
    assert found["energy_j"]["mean"] == pytest.approx(found["power_w"]["mean"] * found["time_to_train_s"]["mean"])
    _, out, _ = assay(capsys, *SMALL, "--on", "hgx-h100", "--tokens", "1B", "--top", "1")
    assert "time to train" in out
    assert "B tokens in all" not in out.replace("1 B tokens in all", "")


def test_json_holds_every_metric_with_its_interval_and_its_class(capsys):
    found = answer(capsys, *SMALL, "--on", "hgx-h100,cs-3", "--nodes", "1")
    assert found["ranked_by"] == "step_s"
    assert len(found["results"]) == 2
    for one in found["results"]:
        assert set(one["values"]) == set(METRICS)
        known = [v for v in one["values"].values() if v is not None]
        assert all(v["low"] <= v["mean"] <= v["high"] and v["evidence"] in "ABCD" for v in known)
        assert math.fsum(p["share"] for p in one["parts"]) == pytest.approx(1.0)
        memory = math.fsum(part["size_bytes"] for part in one["memory"])
        assert memory == pytest.approx(one["values"]["peak_memory_bytes"]["mean"])
        assert one["plan"]["data"] * one["plan"]["tensor"] * one["plan"]["pipeline"] == one["accelerators"]
    wafer = next(one for one in found["results"] if one["system"] == "cs-3")
    assert wafer["values"]["rent_usd"] is None  # nobody asks a price for an hour of it: unknown, never 0


def test_unknown_is_written_unknown_and_never_zero(capsys):
    _, out, _ = assay(capsys, *SMALL, "--on", "cs-3")
    assert "unknown" in out


def test_csv_has_a_column_for_each_end_of_each_interval(capsys):
    _, out, _ = assay(capsys, *SMALL, "--on", "hgx-h100", "--top", "2", "--format", "csv")
    first, second = csv.DictReader(io.StringIO(out))
    assert float(first["step_s_low"]) < float(first["step_s"]) < float(first["step_s_high"])
    assert float(first["step_s"]) <= float(second["step_s"])
    assert first["time_to_train_s"] == ""


def test_a_stated_plan_is_used_as_stated(capsys):
    found = answer(capsys, *SMALL, "--on", "hgx-h100", "--plan", "tp=4,mbs=2,zero=0,ac=full")["results"]
    plan = found[0]["plan"]
    assert len(found) == 1
    assert (plan["tensor"], plan["data"], plan["micro_batch"], plan["zero_stage"], plan["recompute"]) == (4, 2, 2, 0, 2)


def test_a_plan_too_large_for_memory_is_priced_and_is_a_finding(capsys):
    code, out, err = assay(
        capsys, "predict", "llama-3.1-8b", "--on", "l4", "--plan", "tp=8,mbs=64", "--seq-len", "8192", "--batch", "64"
    )
    assert code == 1
    assert "−" in out
    assert re.search(r"does not fit: short by [\d,.]+ [GT]B per device; raise tp", err)


def test_rows_come_in_the_order_that_was_asked_for(capsys):
    for by, metric in answers.RANKED_BY.items():
        found = answer(capsys, *SMALL, "--on", "hgx-h100,l4,t4,cs-3", "--by", by)["results"]
        values = [one["values"][metric] for one in found]
        known = [value["mean"] for value in values if value]
        assert known == sorted(known)
        assert values[: len(known)] == [value for value in values if value]  # what is unknown is last


def test_several_nodes_are_several_rows(capsys):
    found = answer(capsys, *SMALL, "--on", "l4", "--nodes", "1,2,4")["results"]
    assert sorted(one["nodes"] for one in found) == [1, 2, 4]


def test_all_systems_are_answered_or_listed_with_the_reason(capsys):
    from assay import catalog

    code, out, err = assay(capsys, "predict", "llama-3.1-8b", "--on", "all", "--format", "json")
    found = json.loads(out)
    asked = {one["system"] for one in found["results"]} | {one["system"] for one in found["cannot"]}
    assert code == 0
    assert asked == set(catalog.systems())
    assert f"{len(found['cannot'])} of {len(asked)} systems cannot do this job as asked:" in err
    assert all(one["reason"] for one in found["cannot"])
    assert re.search(r"1 × t4-4 +does not fit on 4 × t4: short by [\d.]+ GB of 16 GB", err)


def test_explain_tells_time_memory_levers_prices_and_constants(capsys):
    code, out, _ = assay(capsys, *SMALL, "--on", "hgx-h100", "--explain")
    assert code == 0
    titles = ["Where the step's time goes", "Memory of the fullest device", "What would change it", "Prices used",
              "How we know"]  # fmt: skip
    assert [line for line in out.splitlines() if line in titles] == titles
    assert "Williams et al. 2009" in out
    assert re.search(r"\+10 % compute peak +−\d\.\d %", out)
    assert re.search(r"rent, per accelerator +\$\d", out)
    assert re.search(r"overlap_data +0\.\d", out)


def test_every_part_a_formula_names_says_where_it_is_from():
    from assay.cli import explain
    from assay.predict.answer import PARTS

    assert {name for name, _ in PARTS.values()} == explain.FORMULAS.keys()
    assert explain.WITHOUT_TOKENS.keys() <= explain.FORMULAS.keys() | explain.MEMORY.keys()


def test_every_constant_is_explained_in_its_own_words(capsys):
    """In the order of the formulas; two constants never read the same."""
    from assay.calibration import CONSTANTS
    from assay.cli import explain

    assert set(CONSTANTS) == explain.CONSTANTS.keys()
    assert len(set(explain.CONSTANTS.values())) == len(CONSTANTS)
    _, out, _ = assay(capsys, *SMALL, "--on", "hgx-h100", "--explain")
    rows = [line for line in out.partition("How we know")[2].splitlines() if line.split("  ")[0] in CONSTANTS]
    assert [line.split()[0] for line in rows] == list(CONSTANTS)
    assert all(explain.CONSTANTS[line.split()[0]] in line for line in rows)


# --- models without tokens -------------------------------------------------------------------------------------------

PICTURES = ("predict", "resnet-50", "--batch", "4096")
SAMPLES = ["resnet-50", "dlrm-dcnv2", "rnn-t", "stable-diffusion-v2", "swin-base", "unet-3d"]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_model_without_tokens_is_answered_in_samples(name, capsys):
    code, out, err = assay(capsys, "predict", name, "--on", "hgx-h100", "--explain")
    assert code == 0
    title, head, *_ = out.splitlines()
    assert title == f"{name}: training, 512 samples a step, bf16"
    assert "samples/s" in head
    assert {"energy / M samples", "rent / M samples"} <= set(re.split(r"  +", head))
    assert "batch of 512 samples (--batch)" in err
    assert not re.search(r"token|sequence|vocabulary", out + err)


def test_what_a_million_samples_cost_is_what_so_many_steps_do(capsys):
    found = answer(capsys, *PICTURES, "--on", "hgx-h100", "--top", "1")["results"][0]["values"]
    _, out, _ = assay(capsys, *PICTURES, "--on", "hgx-h100", "--top", "1")
    steps = 1e6 / 4096
    told = re.search(r"\$([\d.]+) – \$([\d.]+)|\$([\d.]+) ±", out)  # a range, or a figure with what it may be off by
    assert told is not None
    ends = {"low": told[1], "high": told[2]} if told[1] else {"mean": told[3]}
    for end, shown in ends.items():
        assert float(shown) == pytest.approx(steps * found["rent_usd"][end], rel=0.06)


def test_json_of_a_model_without_tokens_has_none(capsys):
    found = answer(capsys, *PICTURES, "--on", "hgx-h100", "--top", "1", "--samples", "115M")
    job, values = found["workload"], found["results"][0]["values"]
    assert (job["seq_len"], job["tokens_per_step"], job["target_tokens"]) == (1, None, None)
    assert job["target_samples"] == 115e6
    assert values["tokens_per_s"] is None
    assert values["device_tokens_per_s"] is None
    assert values["samples_per_s"]["mean"] == pytest.approx(4096 / values["step_s"]["mean"])
    assert values["time_to_train_s"]["mean"] == pytest.approx(math.ceil(115e6 / 4096) * values["step_s"]["mean"])
    tokens = answer(capsys, *SMALL, "--on", "hgx-h100", "--top", "1")["workload"]
    assert (tokens["tokens_per_step"], tokens["target_samples"]) == (65536, None)


def test_an_amount_of_samples_is_said_and_asked_for_again(capsys):
    _, out, err = assay(capsys, *PICTURES, "--on", "hgx-h100", "--samples", "115M", "--top", "1")
    assert "115 M samples in all" in out.splitlines()[0]
    assert "time to train" in out
    assert "--samples 115M" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--seq-len", "512"), "--seq-len: resnet-50 has no tokens: its batches and its amount are samples"),
        (("--batch-tokens", "4M"), "write --batch"),
        (("--tokens", "1B"), "write --samples"),
        (("--plan", "tp=2"), "resnet-50 has no attention heads to cut over tp = 2; nearest legal tp: 1"),
        (("--plan", "cp=2"), "resnet-50 has no sequence to cut over cp = 2; nearest legal cp: 1"),
        (("--plan", "ep=2"), "resnet-50 has no experts to spread over ep=2; nearest legal ep: 1"),
    ],
    ids=str,
)
def test_words_of_sequences_are_refused_where_there_are_none(args, says, capsys):
    code, out, err = assay(capsys, "predict", "resnet-50", "--on", "hgx-h100", *args)
    assert (code, out) == (2, "")
    assert says in err


def test_sequences_are_not_counted_as_samples(capsys):
    code, _, err = assay(capsys, "predict", "gpt2", "--on", "hgx-h100", "--samples", "1M")
    assert code == 2
    assert "--samples: gpt2 is counted in tokens; write --tokens" in err


def test_a_workload_file_may_count_samples(tmp_path):
    (tmp_path / "job.toml").write_text('model = "resnet-50"\nglobal_batch = 1024\nsamples = "115M"\n')
    told = job_of(str(tmp_path / "job.toml"), Stated(model=""))
    assert (told.workload.seq_len, told.workload.target_tokens, told.workload.counted) == (1, 115e6, "samples")
    assert told.assumed == ("precision bf16",)
    with pytest.raises(InputError, match="resnet-50 is not counted in tokens; say its amount in samples"):
        workload("resnet-50", tokens=1e9)


# --- how sure ------------------------------------------------------------------------------------------------------


def value(mean: float, half: float, evidence: str = "B") -> Value:
    return Value(mean=mean, low=mean / half, high=mean * half, evidence=evidence)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "unit", "words"),
    [
        (value(100.0, 1.1), "s", "100 s ±10 %"),
        (value(100.0, 1.1, "C"), "s", "91 – 110 s"),
        (value(100.0, 2.0), "s", "50 – 200 s"),
        (value(86400.0 * 3, 2.0, "D"), "s", "1.5 – 6 days"),
        (value(4e9, 2.0, "D"), "bytes", "2 – 8 GB"),
        (value(1e9, 1.5, "D"), "bytes", "0.67 – 1.5 GB"),
        (value(1234.5, 2.0, "D"), "usd", "$620 – $2,500"),
        (value(0.5, 1.2), "%", "50.0 % ±20 %"),
        (value(0.5, 2.0, "D"), "%", "25 – 100 %"),
        (value(0.0002, 2.0, "D"), "%", "0.01 – 0.04 %"),
        (value(1e6, 1.0), "wh", "1 MWh"),
        (None, "usd", "unknown"),
    ],
)  # fmt: skip
def test_a_figure_is_told_no_finer_than_it_is_known(told, unit, words):
    assert answers.shown(told, unit) == words


@given(st.floats(1e-3, 1e15), st.floats(1.0001, 4.0), st.sampled_from(["s", "bytes", "tokens", "w", "wh", "usd"]))
def test_low_confidence_is_never_a_point(mean, half, unit):
    assert " – " in answers.shown(value(mean, half, "D"), unit)


def test_results_are_tied_as_far_as_they_cannot_be_told_apart(results):
    first = results[0]

    def slower(factor: float, half: float) -> Result:
        step = value(first.step.mean * factor, half)
        return replace(first, values={**first.values, "step_s": step})

    close = [slower(1.0, 1.1), slower(1.05, 1.1), slower(2.0, 1.1)]
    assert answers.tied(close, "time") == 2
    assert answers.tied([slower(1.0, 2.0), slower(1.5, 2.0)], "time") == 2
    assert (
        answers.tied(
            [
                replace(r, values={**r.values, "rent_usd": v})
                for r, v in zip(close, [value(1, 1.1), value(1.01, 1.1), value(9, 1.1)], strict=True)
            ],
            "rent",
        )
        == 2
    )


def test_a_plan_that_does_not_fit_ranks_after_those_that_do(results):
    first = results[0]
    short = Value(mean=-1e9, low=-2e9, high=0.0, evidence="D")
    large = replace(first, values={**first.values, "step_s": value(1e-6, 1.1), "headroom_bytes": short})
    assert answers.ranked([large, first], "time") == [first, large]


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--on", "h100-sxn"), 'did you mean "h100-sxm"'),
        (("--on", ","), "write --on hgx-h100, or --on all"),
        (("--on", "hgx-h100", "--plan", "tp=5"), "12 attention heads do not divide by tp = 5; nearest legal tp: 4"),
        (("--on", "hgx-h100", "--plan", "pp=5,dp=1"), "nearest legal pp"),
        (("--on", "hgx-h100", "--plan", "mbs=7"), "nearest legal"),
        (("--on", "hgx-h100", "--plan", "tp=4,pp=12"), "write --nodes 6, or less of tp, pp or cp"),
        (("--on", "hgx-h100", "--plan", "dp=1,tp=4"), "nearest legal dp: 2"),
        (("--on", "hgx-h100", "--plan", "tpp=4"), "did you mean"),
        (("--on", "hgx-h100", "--precision", "fp7"), 'did you mean "fp8"'),
        (("--on", "hgx-h100", "--tokens", "-1"), "--tokens: "),
        (("--on", "hgx-h100", "--nodes", "0"), "--nodes: "),
        (("--on", "hgx-h100", "--nodes", "1,x"), '--nodes: "x"'),
        (("--on", "hgx-h100", "--batch-tokens", "3"), "less than one sequence"),
        (("--on", "hgx-h100", "--batch-tokens", "1M", "--batch", "3"), "same twice"),
        (("--on", "hgx-h100", "--catalog", "/no/such/place"), "no such catalog folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_is_exit_2_with_what_to_type(args, says, capsys):
    code, out, err = assay(capsys, "predict", "gpt2", *args)
    assert (code, out) == (2, "")
    assert says in err
    assert err.startswith("Error: ")


@pytest.mark.parametrize(
    ("name", "says"),
    [("gpt-2-xll", "did you mean"), ("resnet-500", "did you mean"), ("no.toml", "No such file"),
     ("no/config.json", "No such file")],
)  # fmt: skip
def test_an_unknown_model_is_exit_2(name, says, capsys):
    code, out, err = assay(capsys, "predict", name, "--on", "hgx-h100")
    assert (code, out) == (2, "")
    assert says in err


def test_a_model_that_fits_nowhere_says_how_short_and_how_many_nodes_would_do(capsys):
    code, _, err = assay(capsys, "predict", "llama-3.1-70b", "--on", "hgx-h100")
    assert code == 2
    found = re.search(r"short by [\d.]+ GB of 80 GB per device; it fits on --nodes (\d+)", err)
    assert found
    assert assay(capsys, "predict", "llama-3.1-70b", "--on", "hgx-h100", "--nodes", found[1], "--top", 1)[0] == 0
    less = str(int(found[1]) // 2)
    assert assay(capsys, "predict", "llama-3.1-70b", "--on", "hgx-h100", "--nodes", less, "--top", 1)[0] == 2


def test_where_none_of_several_can_each_says_why(capsys):
    code, out, err = assay(capsys, "predict", "llama-3.1-70b", "--on", "t4,l4")
    assert (code, out) == (2, "")
    assert "2 of 2 systems cannot" in err
    assert len(re.findall(r"short by", err)) == 2


# --- the screen ----------------------------------------------------------------------------------------------------


def on_a_terminal(columns: int, *args: str) -> str:
    """What a person sees on a terminal so wide."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    code = f"from assay.cli.main import main; main({list(args)!r})"
    with subprocess.Popen([sys.executable, "-c", code], stdout=theirs, stderr=subprocess.DEVNULL, env=env) as shown:
        os.close(theirs)
        out = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            out += chunk
        shown.wait()
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", out.decode().replace("\r\n", "\n"))


@pytest.mark.parametrize("columns", [80, 120, 400])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost(columns):
    out = on_a_terminal(columns, *SMALL, "--on", "hgx-h100,gb200-nvl72-tray", "--tokens", "1B")
    lines = out.splitlines()
    assert max(map(len, lines)) <= columns
    heads = [line for line in lines if line.startswith("#")]
    assert (len(heads) == 1) == (columns == 400)
    for word in ("tokens/s", "time to train", "plan", "headroom", "purchase share"):
        assert sum(word in head for head in heads) == 1


@given(st.integers(1, 60), st.lists(st.text("abcdef", min_size=1, max_size=12), min_size=2, max_size=8, unique=True))
def test_a_stacked_table_keeps_every_cell(width: int, names: Sequence[str]):
    rows = [{name: f"{name}!" for name in names}]
    tables = split(rows, names[:1], width)
    assert {key: cell for table in tables for key, cell in table[0].items()} == rows[0]
    assert all(next(iter(table[0])) == names[0] for table in tables)


def test_help_shows_how_a_question_is_asked(capsys):
    code, out, _ = assay(capsys, "predict", "--help")
    assert code == 0
    assert "--batch-tokens 4M --tokens 100B" in out


def test_a_folder_of_your_own_adds_a_machine(capsys, tmp_path: Path):
    from assay.catalog.shelf import ROOMS

    source = Path(cli.__file__).parents[1] / "data" / ROOMS["system"] / "hgx-h100.toml"
    (tmp_path / ROOMS["system"]).mkdir()
    text = source.read_text(encoding="utf-8").replace('"hgx-h100"', '"our-h100"').replace("default = true", "")
    text = re.sub(r"(?m)^aliases = .*$", "", text)
    (tmp_path / ROOMS["system"] / "our-h100.toml").write_text(text, encoding="utf-8")
    found = answer(capsys, *SMALL, "--on", "our-h100", "--top", "1", "--catalog", tmp_path)
    assert found["results"][0]["system"] == "our-h100"
