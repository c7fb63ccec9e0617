"""Reports of folders: one run that cannot be read does not cost the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assay import store
from assay.api import search, system, workload
from assay.api.reporting import predict_command, report, write
from assay.errors import InputError
from assay.report.study import Study
from assay.run import Case, Run
from assay.series import series


def kept(root: Path, minute: int, *, broken: bool = False) -> Path:
    """A run of one timed case; a broken one holds a file that is cut short."""
    path = store.save(
        Run(
            id="", name="bench", command=("bench",), started=f"2026-11-26T02:{minute:02d}:00.000+00:00", duration_s=1.0,
            environment={}, cases=(Case(name="", kind="step"),),
            series=(series("", "step_s", np.arange(30), np.full(30, 0.1)),),
        ),
        root,
    )  # fmt: skip
    if broken:
        (path / "run.json").write_text("{")
    return path


@pytest.mark.parametrize("good", [1, 2])
def test_a_run_of_a_folder_that_cannot_be_read_is_skipped_and_named(tmp_path, good):
    for minute in range(good):
        kept(tmp_path / "mix", minute)
    bad, told = kept(tmp_path / "mix", 9, broken=True), list[str]()
    written = report(tmp_path / "mix", tmp_path / "report.html", tell=told.append)
    assert "bench" in written.read_text()
    assert len(told) == 1
    assert bad.name in told[0]


def test_a_run_that_was_named_must_be_read(tmp_path):
    bad = kept(tmp_path, 0, broken=True)
    with pytest.raises(InputError, match=r"run\.json"):
        report([bad, kept(tmp_path, 1)], tmp_path / "report.html")


def test_a_folder_of_which_nothing_can_be_read_is_refused(tmp_path):
    kept(tmp_path / "mix", 0, broken=True)
    with pytest.raises(InputError, match="none of 1 runs can be read"):
        report(tmp_path / "mix", tmp_path / "report.html")


def test_several_runs_are_listed_with_what_came_of_each(tmp_path):
    for minute in range(3):
        kept(tmp_path / "runs", minute)
    text = report(tmp_path / "runs", tmp_path / "report.html").read_text(encoding="utf-8")
    listed = text[text.index('id="runs-table"') :]
    listed = listed[: listed.index("</table>")]
    assert listed.count("step time 100 ms") == 3
    assert all(run.name[-8:] in listed for run in store.list_runs(tmp_path / "runs"))


def test_a_folder_of_folders_of_runs_says_where_they_are(tmp_path):
    kept(tmp_path / "runs" / "gate", 0)
    with pytest.raises(InputError, match=r"there are runs in .*gate"):
        report(tmp_path / "runs", tmp_path / "report.html")


def test_a_report_on_a_model_without_tokens_speaks_of_samples(tmp_path):
    job = workload("resnet-50", global_batch=4096, samples=1.15e8)
    found = tuple(search(job, system("hgx-h100"), top=2))
    study = Study(title="Pictures", created="2026-11-26", results=found, rank_by="samples_per_s")
    text = write(study, tmp_path / "report.html").read_text(encoding="utf-8")
    body = text[text.index("<body") :]
    assert "amples/s" in body
    assert "tokens/s" not in body.lower()
    assert predict_command(found[0]) == (
        "assay predict resnet-50 --on hgx-h100 --batch 4096 --samples 115000000 --precision bf16"
    )
