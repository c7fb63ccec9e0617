"""`assay sweep`, and the flags of storage and checkpoints: what is typed is answered, or refused with what to type."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from assay.api.feeding import StatedFeed, feed_of, store_of
from assay.api.jobs import Stated, job_of
from assay.cli import main as cli
from assay.errors import InputError

SMALL = ("gpt2", "--on", "hgx-h100", "--seq-len", "1024", "--batch", "64")
PICTURES = ("resnet-50", "--on", "hgx-h100", "--batch", "2048", "--top", "1")


def assay(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(arg) for arg in args])
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


# --- sweeping -------------------------------------------------------------------------------------------------------


def test_a_sweep_over_nodes_is_a_table_a_line_and_a_sentence(capsys):
    code, out, err = assay(capsys, "sweep", *SMALL, "--over", "nodes", "--values", "1,2,4")
    title, head, *lines = out.splitlines()
    assert code == 0
    assert title == "gpt2 on hgx-h100 over the number of nodes, the batch stays: the best plan at each"
    assert head.split()[0] == "nodes"
    assert "100 % of first" in lines[0]
    assert [line.split()[0] for line in lines] == ["1", "2", "4"]
    assert re.search(r"^[▁-█·]{3}  tokens/s", err, re.MULTILINE)
    assert re.search(r"4 × the nodes give [\d.]+ × the tokens/s \(\d+ % per device\)\.", err)
    assert "Next: assay predict gpt2" in err


def test_points_equal_predictions_and_json_has_them_whole(capsys):
    _, out, _ = assay(capsys, "sweep", *SMALL, "--over", "batch", "--values", "64,1x,2x", "--format", "json")
    found = json.loads(out)
    assert [p["value"] for p in found["points"]] == [64, 128]
    _, alone, _ = assay(capsys, "predict", *SMALL[:-1], "128", "--top", "1", "--format", "json")
    assert found["points"][1]["result"]["values"] == json.loads(alone)["results"][0]["values"]


def test_a_rate_is_swept_in_its_unit_and_has_its_sentence(capsys):
    _, out, err = assay(capsys, "sweep", *SMALL, "--nodes", "2", "--over", "outer-link", "--values", "100Gb/s,50 GB/s")
    assert out.splitlines()[2].startswith("12.5 GB/s")
    assert "The link between nodes" in err


def test_a_point_that_cannot_be_is_skipped_with_its_reason(capsys):
    code, out, err = assay(capsys, "sweep", *SMALL, "--over", "nodes", "--values", "1,9", "--plan", "mbs=1")
    assert code == 0
    assert "Skipped: nodes = 9: plan: a global batch of 64 does not divide by dp × mbs = 72" in err
    assert "unknown" in out


def test_the_chart_is_an_svg_and_the_page_asks_for_nothing(capsys, tmp_path):
    svg, page = tmp_path / "s.svg", tmp_path / "s.html"
    code, _, _ = assay(capsys, "sweep", *SMALL, "--over", "nodes", "--values", "1,2,4", "--svg", svg, "--html", page)
    assert code == 0
    assert svg.read_text(encoding="utf-8").startswith("<svg ")
    text = page.read_text(encoding="utf-8")
    assert "4 × the nodes give" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text


def test_without_a_lever_all_are_weighed(capsys):
    code, out, err = assay(capsys, "sweep", "llama-3.1-8b", "--on", "hgx-h100", "--nodes", "16", "--seq-len", "8192",
                           "--batch", "512")  # fmt: skip
    assert code == 0
    assert out.splitlines()[1].split()[:3] == ["lever", "now", "half"]
    assert "The compute peak matters most for llama-3.1-8b on 16 × hgx-h100: 10 % more of it makes a step" in err
    assert re.search(r"Hardly matters: .*the link between nodes, half of it costs [\d.]+ % \([\d.]+–[\d.]+ %\)", err)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--over", "streaming"), "hgx-h100 has no bandwidth that weights stream in by; known here: batch"),
        (("--over", "colour"), "is nothing that can be turned; known here: batch"),
        (("--over", "storage"), "write --storage"),
        (("--over", "nodes", "--values", "x"), '--values: "x" is not a count'),
        (("--over", "nodes", "--values", "0"), "--values"),
        (("--over", "nodes", "--values", ","), "no value is named"),
        (("--over", "peak", "--values", "3 GB"), "--values"),
        (("--over", "peak", "--values", "0x"), "a value above 0"),
        (("--over", "peak", "--weak"), "write --over nodes"),
        (("--svg", "x.svg"), "write --over nodes"),
        (("--over", "nodes", "--plan", "tp=5"), "nothing of it can be predicted"),
        (("--over", "nodes", "--values", "1,2", "--svg", "x.png"), "name a file that ends in .svg"),
        (("--over", "nodes", "--nodes", "1,2"), "2 systems are named"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_swept_is_exit_2_with_what_to_type(args, says, capsys):
    code, _, err = assay(capsys, "sweep", *SMALL, *args)
    assert code == 2
    assert says in err
    assert "Error: " in err


# --- feeding and staying up -----------------------------------------------------------------------------------------


def test_a_job_that_waits_says_what_it_needs_what_there_is_and_what_would_do(capsys):
    flags = ("--data", "imagenet", "--storage", "s3-standard x 16", "--cores", "112", "--explain")
    code, out, err = assay(capsys, "predict", *PICTURES, *flags)
    assert code == 0
    assert re.search(r"at full speed it needs \d+ cores, the host has 112: \d\d % of every step waits", err)
    assert re.search(r"\d+ cores a node and \d+ × s3-standard would be enough", err)
    assert "waiting for data" in out
    assert "How data reach the devices" in out
    assert "+10 % rate of decoding (data)" in out
    assert "--storage 's3-standard x 16'" in err


def test_a_stated_rate_is_meant(capsys):
    _, _, err = assay(capsys, "predict", *PICTURES, "--sample-bytes", "110kB", "--storage", "1.4GB/s")
    assert re.search(r"at full speed it needs \d\.\d+ GB/s, the storage gives 1\.4 GB/s: \d+ % of every step waits", err)


def test_time_on_the_clock_stands_beside_time_without_stops(capsys):
    job = (*SMALL, "--tokens", "300B", "--top", "1", "--format", "json")
    plain = json.loads(assay(capsys, "predict", *job)[1])["results"][0]["values"]
    flags = ("--checkpoint-to", "ddn-ai400x2", "--failures", "2/year")
    kept = json.loads(assay(capsys, "predict", *job, *flags)[1])["results"][0]["values"]
    assert kept["compute_time_to_train_s"] == plain["time_to_train_s"]
    assert kept["time_to_train_s"]["mean"] == pytest.approx(plain["time_to_train_s"]["mean"] / kept["goodput"]["mean"])
    assert plain["goodput"] is plain["compute_time_to_train_s"] is None


def test_a_long_job_whose_stops_nobody_described_is_told_how_many_are_usual(capsys):
    big = ("llama-3.1-70b", "--on", "hgx-h100", "--nodes", "128", "--seq-len", "8192", "--batch", "1024", "--top", "1")
    _, _, err = assay(capsys, "predict", *big, "--tokens", "15T")
    assert re.search(r"as if nothing ever stopped: about \d+ stops are usual in that time on 1,024 devices", err)
    _, _, err = assay(capsys, "predict", *big, "--tokens", "15T", "--checkpoint-to", "weka-8")
    assert "as if nothing ever stopped" not in err
    assert re.search(r"1,024 devices stop once in 2.06 days; 988 GB are saved every", err)


def test_a_workload_file_has_tables_of_its_own(tmp_path, capsys):
    file = tmp_path / "job.toml"
    file.write_text(
        'model = "gpt2"\nseq_len = 1024\nglobal_batch = 64\ntokens = "100B"\n'
        '[feed]\nstorage = "ddn-ai400x2"\ncache = "50 % nvme-pcie5 x 4"\n'
        'sample = { is = "4 kB", low = "2 kB", high = "4 kB" }\n'
        '[checkpoint]\nto = "9 GB/s"\nmode = "async"\nevery = "30 min"\nfailure = "0.5 1/year"\n',
        encoding="utf-8",
    )
    job = job_of(str(file), Stated(model="")).workload
    assert (job.feed.cached, job.feed.cache.units, job.feed.cache.own) == (0.5, 4, True)
    assert (job.checkpoint.behind, job.checkpoint.period_s, job.checkpoint.store.stated) == (True, 1800.0, True)
    over = job_of(str(file), Stated(model="", feed=StatedFeed(storage="weka-8"))).workload
    assert (over.feed.store.name, over.feed.cached) == ("weka-8", 0.5)
    assert assay(capsys, "predict", file, "--on", "hgx-h100", "--explain")[0] == 0


@pytest.mark.parametrize(
    ("written", "name", "units"),
    [("ddn-ai400x2", "ddn-ai400x2", 1), ("ddn-ai400x2 x 3", "ddn-ai400x2", 3), ("4 × nvme-pcie5", "nvme-pcie5", 4),
     ("nvme-pcie5 x4", "nvme-pcie5", 4), ("PM1743", "nvme-pcie5", 1), ("9 GB/s", "the storage", 1)],
)  # fmt: skip
def test_storage_is_read_as_people_write_it(written, name, units):
    found = store_of(written, "--storage")
    assert (found.name, found.units) == (name, units)


def test_tokens_weigh_four_bytes_and_pictures_have_to_be_described():
    from assay.catalog.models import model

    found, told = feed_of(StatedFeed(storage="9GB/s"), model("gpt2"), 1024)
    assert found.sample_bytes.value == 4096
    assert "tokens as integers" in told[0]
    with pytest.raises(InputError, match="write --data imagenet"):
        feed_of(StatedFeed(storage="9GB/s"), model("resnet-50"), 1)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--storage", "lustr"), "--storage"),
        (("--storage", "ddn-ai400x9"), "did you mean"),
        (("--storage", "weka-8 x 0"), "write from 1 to a million"),
        (("--storage", "0GB/s"), "write a rate above 0"),
        (("--storage", "9 GB"), "is no storage known here"),
        (("--storage", "weka-8", "--sample-bytes", "0"), "--sample-bytes: a sample of 0 bytes"),
        (("--storage", "weka-8", "--sample-bytes", "3 s"), "--sample-bytes"),
        (("--storage", "weka-8", "--cache", "120% nvme-pcie5"), "from 0 to 100 %"),
        (("--storage", "weka-8", "--cache", "1.5 nvme-pcie5"), "from 0 to 100 %"),
        (("--storage", "weka-8", "--cache", "80%"), "--cache"),
        (("--storage", "weka-8", "--cache", "80% ram"), "--cache"),
        (("--storage", "weka-8", "--decode", "fast"), "--decode"),
        (("--storage", "weka-8", "--cores", "0"), "--cores"),
        (("--data", "imagnet"), 'did you mean "imagenet"'),
        (("--checkpoint-to", "nowhere"), "--checkpoint-to"),
        (("--failures", "-1/year"), "--failures"),
        (("--failures", "often"), "--failures"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_storage_that_cannot_be_is_exit_2_with_what_to_type(args, says, capsys):
    code, out, err = assay(capsys, "predict", *SMALL, *args)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert says in err


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('[feed]\nstorag = "x"', 'unknown key "feed.storag"'),
        ('[feed]\nstorage = "x"', "feed: storage"),
        ("[feed]\nsample = 0", "0 bytes"),
        ('[feed]\ncache = "2 weka-8"', "feed: cache"),
        ("[feed]\ncores = -1", "cores"),
        ('[feed]\nstorage = "weka-8"\nnetwork = 0', "network"),
        ('[checkpoint]\nmode = "never"', "mode"),
        ('[checkpoint]\nevery = "0 s"', "every"),
        ("feed = 3", "feed"),
    ],
)
def test_a_table_that_is_wrong_is_refused_in_a_sentence(table, says, tmp_path):
    (tmp_path / "job.toml").write_text(f'model = "gpt2"\n{table}\n', encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(says)):
        job_of(str(tmp_path / "job.toml"), Stated(model=""))


def test_every_kind_of_data_has_sources():
    from assay.catalog.feeds import TABLE, samples

    assert set(samples()) == {"tokens", "imagenet", "criteo"}
    assert Path(TABLE).exists()
    for sample in samples().values():
        for known in (sample.sample_bytes, sample.token_bytes, sample.decode_s, sample.sent_bytes):
            assert known is None or (known.source and known.date)
