"""The demo, end to end and for real: runs on disk, a report that opens, nothing asked of any network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assay import store

# Refuses every socket connection, then runs the demo; loopback included.
GUARDED = """
import sys
def refuse(event, args):
    if event == "socket.connect":
        raise RuntimeError(f"the demo reached for the network: {args}")
sys.addaudithook(refuse)
from assay.api import demo as d
d.BUDGETS.update({"gemm": 3.0, "membw": 1.0, "storage": 0.5, "launch": 0.3})
from assay.cli.main import main
main(["demo", "--out", sys.argv[1]])
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("demo") / "runs"
    command = [sys.executable, "-c", GUARDED, str(out)]
    return out, subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)


def test_the_demo_ends_well_and_says_what_to_type_next(done):
    out, said = done
    assert said.returncode == 0, said.stderr
    assert [f"[{i}/5]" for i in range(1, 6) if f"[{i}/5]" in said.stderr] == [f"[{i}/5]" for i in range(1, 6)]
    assert said.stderr.strip().splitlines()[-1].startswith("Next: assay")
    assert (out / "report.html").stat().st_size < 3_000_000


def test_each_probe_left_a_run_with_its_raw_samples(done):
    out, _ = done
    runs = [store.load(path) for path in store.list_runs(out)]
    assert {run.name for run in runs} == {"gemm", "membw", "storage", "launch"}
    assert all(run.series and run.environment for run in runs)


def test_the_table_prints_an_unknown_price_as_unknown_and_no_price_as_zero(done):
    _, said = done
    assert "$0 " not in said.stdout
    assert "machine" in said.stdout


def test_the_report_holds_its_data_and_every_system_is_answered_or_refused(done):
    out, _ = done
    page = (out / "report.html").read_text(encoding="utf-8")
    start = page.index('<script type="application/json"')
    data = json.loads(page[page.index(">", start) + 1 : page.index("</script>", start)])
    assert data
    for name in ("mi300x-8", "gaudi2-8", "cs-3", "tpu-v5p-pod", "trn2-48xl", "bow-pod64", "xeon-8480-2s"):
        assert name in page
