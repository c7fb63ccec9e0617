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
