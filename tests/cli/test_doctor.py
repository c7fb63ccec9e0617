"""`assay doctor` says what is here, asks nothing and sends nothing."""

import json
import sys

import pytest

from assay.cli.main import main


def assay(capsys, *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(list(args))
    out, err = capsys.readouterr()
    return end.value.code, out, err


def test_the_table_names_processor_memory_frameworks_and_the_network(capsys):
    code, out, err = assay(capsys, "doctor", "--python", sys.executable)
    assert code == 0
    for row in ("processor", "memory", "accelerator", "torch", "tensorflow", "network used"):
        assert f"\n{row} " in out.replace("\n  ", "\n")
    assert out.splitlines()[-1].split() == ["network", "used", "none"]
    assert err.strip().startswith("Next: assay")


def test_json_has_units_in_its_names(capsys):
    code, out, _ = assay(capsys, "doctor", "--python", sys.executable, "--format", "json")
    found = json.loads(out)
    assert code == 0
    assert found["network_used"] == "none"
    assert found["memory_bytes"] > 1e8
    assert found["cpu"]["threads"] >= found["cpu"]["usable_threads"] >= 1
    assert found["interpreters"][0]["version"] == sys.version.split()[0]


def test_a_missing_interpreter_is_an_input_error(capsys):
    code, out, err = assay(capsys, "doctor", "--python", "/no/such/python")
    assert (code, out) == (2, "")
    assert "--python" in err


def test_the_machine_is_described_as_mlperf_wants_it_and_gaps_are_named(capsys, tmp_path):
    out = tmp_path / "system.json"
    told = ("--set", "submitter=Us", "--set", "division=open")
    code, _, err = assay(capsys, "doctor", "--python", sys.executable, "--mlperf", "training", *told, "-o", str(out))
    assert code == 0
    found = json.loads(out.read_text())
    assert found["submitter"] == "Us"
    assert found["host_processor_model_name"]
    unknown = err.partition("Unknown, and left empty: ")[2]
    assert unknown
    assert all(found[name.strip()] == "" for name in unknown.splitlines()[0].split(","))


def test_a_kept_runs_machine_can_be_described_and_names_left_out(capsys, tmp_path):
    from assay.api import measure

    run = measure([sys.executable, "-c", "pass"], out=tmp_path, vendors=())
    (folder,) = tmp_path.glob("*")
    code, out, _ = assay(capsys, "doctor", "--mlperf", "inference", "--run", str(folder), "--redact")
    assert code == 0
    host = str(run.environment["host"])
    assert host not in out.split('"')
    assert json.loads(out)["number_of_nodes"] == "1"


def test_what_belongs_to_the_description_alone_is_refused_without_it(capsys):
    code, _, err = assay(capsys, "doctor", "--redact")
    assert code == 2
    assert "belong to --mlperf" in err
