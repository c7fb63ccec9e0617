"""What added runs prove: their own figures, what several together come to, and whether they belong here at all."""

import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assay import store
from assay.api import pilot_adding
from assay.api.evidence import known, predicted, stated
from assay.api.pilot_stages import measures, run_stage, scripts_of
from assay.api.pilot_status import status
from assay.api.pilot_steps import hour_usd, open_gates, spent
from assay.api.piloting import pilot
from assay.decision import Ruling
from assay.errors import InputError
from assay.pilot import Candidate, Pilot, Trial, Work
from assay.run import Case, Event, Run
from assay.series import series
from assay.store import pilots

RUNS = Path(__file__).parents[1] / "recorded" / "runs"
AT = "2026-12-05T10:00:00+00:00"
TEXT = """\
name = "p"
question = "?"
starts = 2026-12-01
budget = "1 k USD"
[[workloads]]
name = "train"
model = "gpt-350m-of-ours"
seq_len = 1024
tokens = 1e11
jobs_per_year = 1
[workloads.trial]
workload = "train-step"
settings = { model = "gpt-350m" }
[[candidates]]
name = "rented"
system = "hgx-h100"
via = "rent"
rent = "3.60 USD/h"
[[candidates]]
name = "here"
system = "this machine"
via = "own"
[[gates]]
name = "runs"
stage = 1
metric = "completed"
at_least = 1
[[gates]]
name = "no errors"
stage = 3
metric = "errors"
at_most = 0
[[gates]]
name = "not throttled"
stage = 3
metric = "throttled"
at_most = 0.5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = TEXT.replace('model = "gpt-350m-of-ours"\n', "")
    (tmp_path / "pilot.toml").write_text(text, encoding="utf-8")
    return tmp_path


def steps(n: int = 200, step_s: float = 0.1, slower: float = 0.0, tokens: float = 1000.0, **settings: str) -> Run:
    """A run of steady steps, the later ones slower by a share; noise of 1 %."""
    times = step_s * (1 + slower * np.arange(n) / n) * (1 + 0.01 * np.sin(7.7 * np.arange(n)))
    at = np.cumsum(times)
    told = {"model": "gpt-350m", "micro_batch": "8", "ranks": "1", "seq_len": "1024", **settings}
    return Run(
        id="0123456789abcdef", name="train-step", command=("python",), started=AT, duration_s=float(at[-1]),
        environment={}, settings=told, cases=(Case(name="c", kind="step"),), exit_code=0,
        series=(series("c", "step_s", at, times), series("c", "tokens", at, np.full(n, tokens))),
    )  # fmt: skip


def added(folder: Path, run: Run, candidate: str = "here", **more) -> None:
    place = store.save(run, folder / "elsewhere")
    pilot_adding.add(folder, place, candidate=candidate, at=more.pop("at", AT), by="Ann", **more)


def figure(folder: Path, metric: str, candidate: str = "here"):
    found = known(pilot(folder), folder)
    assert found.unreadable == ()
    return [one for one in found.witnesses if one.metric == metric and one.candidate == candidate]


def test_a_run_says_its_own_figures(folder):
    added(folder, steps())
    (rate,) = figure(folder, "tokens_per_s")
    assert rate.value == pytest.approx(10_000, rel=0.01)
    assert rate.low <= rate.value <= rate.high
    assert (rate.origin, rate.whole, rate.stage) == ("measured", False, 2)


def test_a_run_that_gets_slower_says_so_and_a_steady_one_does_not(folder):
    added(folder, steps(400, slower=0.2), stage=3)
    (slow,) = figure(folder, "slowdown")
    assert slow.value == pytest.approx(1.1775 / 1.0425 - 1, rel=0.05)  # quarters of the last nine tenths, their middles
    assert slow.low > 0.1


def test_a_tail_is_told_where_it_was_seen(folder):
    added(folder, steps(2000), stage=3)
    (tail,) = figure(folder, "tail_ratio")
    assert tail.value == pytest.approx(1.01, abs=0.003)  # the noise is of 1 %
    added(folder, replace(steps(30), id="1123456789abcdef"), stage=3)
    assert len(figure(folder, "tail_ratio")) == 1


def test_two_ranks_scale_as_far_as_their_rate_says(folder):
    added(folder, steps(tokens=1000))
    added(folder, replace(steps(tokens=1600, ranks="2"), id="1123456789abcdef"))
    (scaled,) = figure(folder, "scaling_efficiency")
    assert scaled.value == pytest.approx(0.8, rel=0.02)
    assert scaled.low < 0.8 < scaled.high


def test_what_a_smaller_batch_loses_is_a_share_of_the_best(folder):
    added(folder, steps(tokens=1000, micro_batch="8"))
    added(folder, replace(steps(tokens=2000, micro_batch="16"), id="1123456789abcdef"))
    added(folder, replace(steps(tokens=1000, micro_batch="4"), id="2123456789abcdef"), stage=1)  # of another stage
    (fall,) = figure(folder, "batch_fall")
    assert fall.value == pytest.approx(0.5, rel=0.02)


def test_how_many_runs_completed_and_how_many_checks_passed(folder):
    check = Event(at_s=1.0, kind="check", text="passed: loss trajectory: 8 steps", of="c")
    added(folder, replace(steps(), events=(check, replace(check, text="failed: norm"))), stage=1)
    added(folder, replace(steps(), id="1123456789abcdef", exit_code=1), stage=1)
    assert [one.value for one in figure(folder, "completed")] == [0.5]
    assert [one.value for one in figure(folder, "checks_passed")] == [0.5]


def test_what_no_sensor_tells_is_not_said_to_be_nothing(folder):
    added(folder, steps(), stage=3)
    assert figure(folder, "throttled") == []
    assert [one.value for one in figure(folder, "errors")] == [0.0]


def test_a_real_accelerator_says_whether_it_was_throttled(folder):
    pilot_adding.add(folder, RUNS / "h100-train-step", at=AT, stage=3)  # of the only candidate that has H100s
    (told,) = figure(folder, "throttled", "rented")
    assert told.value == 0.0
    assert [one.value for one in figure(folder, "checks_passed", "rented")] == [1.0]
    assert [one.value for one in figure(folder, "leaks", "rented")] == [0.0]
    (busy,) = figure(folder, "accel.busy", "rented")
    assert 0.5 < busy.value <= 1


def test_published_and_predicted_figures_are_witnesses_of_their_kind(folder):
    text = (folder / "pilot.toml").read_text()
    told = 'value = { is = 9, low = 8, high = 10, from = "MLPerf" }\norigin = "published"\n'
    row = f'[[figures]]\ncandidate = "rented"\nworkload = "train"\nmetric = "tokens_per_s"\n{told}'
    (folder / "pilot.toml").write_text(text + row)
    (one,) = stated(pilot(folder))
    assert (one.origin, one.low, one.value, one.high, one.source) == ("published", 8, 9, 10, "MLPerf")
    from assay.api import predict, system, workload
    from assay.plan import Plan

    job = workload("gpt2", seq_len=1024, global_batch=64)
    guess = predicted("rented", "train", predict(job, system("hgx-h100"), Plan(data=8)))
    assert {one.origin for one in guess} == {"predicted"}
    assert "tokens_per_s" in {one.metric for one in guess}


# --- whose a run is ---------------------------------------------------------------------------------------------------

WORK = Work(name="w", model="llama-3.1-8b", seq_len=8192, precision="bf16", trial=Trial(workload="train-step"))
H100S, MI300XS = Candidate(name="a", system="hgx-h100"), Candidate(name="b", system="mi300x-8")


def test_a_run_of_another_model_is_refused_and_can_be_insisted_on(folder):
    run = steps(model="gpt-1b")
    with pytest.raises(InputError, match="model is gpt-1b, and gpt-350m in the trial") as refused:
        added(folder, run)
    assert "--anyway" in refused.value.hint
    added(folder, run, anyway="the trial was changed on Tuesday")
    (entry,) = known(pilot(folder), folder).added
    assert (entry.anyway, len(entry.unlike)) == ("the trial was changed on Tuesday", 1)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"model": "gpt2"}, "model"), ({"seq_len": "4096"}, "seq_len"), ({"precision": "fp8"}, "precision")],
)
def test_a_run_of_other_work_says_in_what(settings, says):
    told = {"model": "Llama-3.1-8B", "seq_len": "8192", "precision": "bf16", **settings}
    run = replace(store.load(RUNS / "h100-train-step"), name="train", settings=told)
    work = replace(WORK, trial=Trial(command=("python", "train.py")))
    (why,) = pilot_adding.unlikeness(run, work, H100S)
    assert says in why
    same = replace(run, settings=told | {"model": "llama-3.1-8b", "seq_len": "8192", "precision": "bf16"})
    assert pilot_adding.unlikeness(same, work, H100S) == ()
    assert pilot_adding.whole(same, work)


def test_a_run_on_another_accelerator_is_not_this_candidates():
    run = store.load(RUNS / "h100-train-step")
    assert pilot_adding.unlikeness(run, WORK, H100S) == ()
    (why,) = pilot_adding.unlikeness(run, WORK, MI300XS)
    assert "NVIDIA H100 80GB HBM3" in why
    (why,) = pilot_adding.unlikeness(store.load(RUNS / "cpu-train-step"), WORK, H100S)
    assert "ran on a processor" in why


NOTHING = replace(
    store.load(RUNS / "cpu-train-step"), name="sleep", settings={"command": "sleep 1"}, cases=(), series=()
)


def test_a_run_that_says_nothing_proves_nothing(folder):
    other, machine = pilot_adding.unlikeness(NOTHING, WORK, H100S)
    assert "a run of sleep 1, the trial of w is train-step" in other
    assert machine == "nothing says that it ran on h100-sxm, which hgx-h100 has"
    with pytest.raises(InputError, match="nothing says that it ran on h100-sxm"):
        added(folder, NOTHING, candidate="rented", stage=1)
    added(folder, NOTHING, candidate="rented", stage=1, anyway="I was there")
    assert not known(pilot(folder), folder).added[0].whole


def test_a_command_counts_where_it_is_the_trials(folder):
    here, work = (
        Candidate(name="here", system="this machine"),
        replace(WORK, trial=Trial(command=("sleep", "1"), whole=True)),
    )
    assert pilot_adding.unlikeness(NOTHING, work, here) == ()
    assert pilot_adding.whole(NOTHING, work)
    longer = replace(NOTHING, settings={"command": "sleep 2"})
    assert "a run of sleep 2, the trial of w is sleep 1" in pilot_adding.unlikeness(longer, work, here)[0]
    assert not pilot_adding.whole(longer, work)
    itself = {"command": "train.sh", "model": "llama-3.1-8b", "seq_len": "8192", "precision": "bf16"}
    assert pilot_adding.unlikeness(replace(NOTHING, settings=itself), work, here) == ()
    for key in ("model", "seq_len", "precision"):  # what it does not say is not established
        less = replace(NOTHING, settings={name: value for name, value in itself.items() if name != key})
        assert not pilot_adding.whole(less, work)
        assert pilot_adding.unlikeness(less, work, here)


def test_a_command_named_as_a_workload_is_not_that_workload():
    named = replace(NOTHING, name="train-step")
    assert "the trial of w is train-step" in pilot_adding.unlikeness(named, WORK, MI300XS)[0]


def test_where_no_sensor_was_read_the_machine_says_what_it_has():
    run = replace(NOTHING, devices=(), environment={"devices": ["NVIDIA H100 80GB HBM3 (nvidia 580.159.04)"]})
    assert len(pilot_adding.unlikeness(run, WORK, H100S)) == 1  # of the work alone
    assert "it ran on NVIDIA H100" in pilot_adding.unlikeness(run, WORK, MI300XS)[1]


def test_answers_that_nobody_asked_for_are_named(folder):
    csv = folder / "a.csv"
    csv.write_text("id,answer\nspraed,2 %\nspread,3 %\n")
    for name in ("rented", "gone"):
        pilots.add_answers(folder, name, csv, AT)
    found = known(pilot(folder), folder)
    told = " ".join(found.unreadable)
    assert '"spraed" is no question of the RFP; did you mean "spread"' in told
    assert 'answers of "gone": it is no longer in the pilot' in told
    assert list(found.answers) == ["rented"]


def test_whose_a_run_is_has_to_be_said_where_it_may_be_of_several(folder):
    path = folder / "pilot.toml"
    again = path.read_text().replace('name = "here"', 'name = "again"').replace("this machine", "dgx-h100")
    path.write_text(again)
    with pytest.raises(InputError, match="several candidates; name one of"):
        pilot_adding.add(folder, RUNS / "h100-train-step", at=AT)
    with pytest.raises(InputError, match='did you mean "rented"'):
        pilot_adding.add(folder, RUNS / "h100-train-step", candidate="rentd", at=AT)


# --- where it stands --------------------------------------------------------------------------------------------------


def test_days_and_rented_hours_are_counted(folder):
    pilot_adding.add(folder, RUNS / "h100-train-step", at=AT, stage=1)
    added(folder, steps(), stage=1)
    found = status(folder, "2026-12-05")
    assert (found.spent.day, found.spent.days) == (5, 45)
    assert found.spent.usd == pytest.approx(45.59 / 3600 * 3.60, rel=0.001)  # one accelerator for as long as the run
    assert found.spent.forecast_usd == pytest.approx(found.spent.usd * 9)
    assert "1 of 2 runs have no price" in found.spent.note
    assert status(folder, "2026-11-27").spent.day == 0


def test_what_to_measure_next_is_the_first_stage_that_is_open(folder):
    found = status(folder, "2026-12-05")
    assert {(one.candidate, one.stage) for one in found.next} == {("rented", 1), ("here", 1)}
    added(folder, steps(), stage=1)
    found = status(folder, "2026-12-05")
    assert {(one.candidate, one.stage) for one in found.next} == {("rented", 1), ("here", 3)}
    rented = next(one for one in found.next if one.candidate == "rented")
    assert rented.cost_usd == pytest.approx(20 * 8 * 3.60 / 3600)
    assert rented.command == "assay pilot run --stage 1 --candidate rented --workload train"


def test_a_run_of_a_candidate_that_was_taken_out_is_named(folder):
    added(folder, steps())
    path = folder / "pilot.toml"
    path.write_text(path.read_text().replace('name = "here"', 'name = "there"'))
    (text,) = known(pilot(folder), folder).unreadable
    assert "here at train is no longer in the pilot" in text


def test_a_run_that_the_pilot_no_longer_means_is_named_and_not_counted(folder):
    added(folder, steps())
    path = folder / "pilot.toml"
    path.write_text(path.read_text().replace("gpt-350m", "gpt-1b"))
    found = known(pilot(folder), folder)
    assert found.witnesses == ()
    assert "is no longer train on here: model is gpt-350m" in found.unreadable[0]


# --- stages -----------------------------------------------------------------------------------------------------------


def test_a_stage_varies_what_it_is_about():
    work = replace(WORK, trial=Trial(workload="train-step", settings={"micro_batch": "4"}))
    assert [one.settings["micro_batch"] for one in measures(work, 2, ranks=8)] == ["4", "8", "16", "4"]
    assert [one.ranks for one in measures(work, 2, ranks=8)] == [1, 1, 1, 8]
    assert [len(measures(work, stage, ranks=8)) for stage in (1, 3)] == [1, 1]
    assert measures(work, 3)[0].budget_s > measures(work, 3, quick=True)[0].budget_s
    assert measures(replace(work, trial=None), 1) == ()


def test_other_machines_get_scripts_that_install_nothing(folder):
    found = run_stage(folder, 2, candidate="rented")
    assert [path.name for path in found.scripts] == [
        f"stage2-rented-train.{kind}" for kind in ("sh", "sbatch", "yaml")
    ]  # fmt: skip
    shell, slurm, job = (path.read_text() for path in found.scripts)
    for text in (shell, slurm, job):
        assert "assay measure train-step --set model=gpt-350m" in text
        assert "--ranks 8" in text
        assert "assay pilot add RUN --candidate rented --workload train --stage 2" in text
        assert "pip install" not in text
    assert "#SBATCH --gres=gpu:8" in slurm
    assert "kind: Job" in job
    assert run_stage(folder, 2, candidate="rented").scripts == found.scripts


def test_a_command_of_ones_own_is_run_here_and_added(folder):
    path = folder / "pilot.toml"
    says = 'command = ["sh", "-c", "for i in 1 2 3; do echo \'{\\"step\\": 1, \\"loss\\": 2.0}\'; done"]'
    path.write_text(path.read_text().replace('workload = "train-step"\nsettings = { model = "gpt-350m" }', says))
    found = run_stage(folder, 1, candidate="here", by="Ann", vendors=())
    assert [(one.candidate, one.stage, one.by) for one in found.added] == [("here", 1, "Ann")]
    assert not found.failed
    assert next(one.proof for one in status(folder, "2026-12-05").rulings["here"]) == "pass"


@pytest.mark.parametrize("budget_s", [0.0, -5.0, float("nan"), float("inf"), 1e30])
def test_a_stage_takes_a_time_that_there_is(folder, budget_s):
    with pytest.raises(InputError, match="is not possible"):
        run_stage(folder, 1, budget_s=budget_s)


def test_what_cannot_be_measured_does_not_cost_the_rest(folder):
    path = folder / "pilot.toml"
    trial = 'workload = "train-step"\nsettings = { model = "gpt-350m" }'
    serve = 'workload = "serve"\nsettings = { url = "http://127.0.0.1:9/v1" }'
    path.write_text(path.read_text().replace(trial, serve))
    with pytest.raises(InputError, match="is the server up"):
        run_stage(folder, 1, candidate="here", quick=True, vendors=())
    found = run_stage(folder, 1, quick=True, vendors=())  # the other candidate gets its scripts
    assert (found.added, len(found.scripts), found.failed) == ((), 3, True)
    assert "is the server up?" in found.left_out[0]


NASTY = "w\ntouch PWNED #'\"$(touch PWNED)`touch PWNED`"


@pytest.mark.parametrize("command", [(), ("python", "train.py", NASTY)])
def test_nobodys_name_is_run_by_a_launch_script(tmp_path, command):
    trial = Trial(command=command) if command else Trial(workload="train-step", settings={"model": NASTY})
    work = replace(WORK, name=NASTY, trial=trial)
    who = replace(H100S, name=NASTY)
    asked = Pilot(name=NASTY, question="?", starts="2026-12-01", workloads=(work,), candidates=(who,))
    shell, slurm, job = scripts_of(asked, who, work, 1).values()
    (tmp_path / "bin").mkdir()
    heard = tmp_path / "bin" / "assay"
    heard.write_text('#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done >> "$HEARD"\n')
    heard.chmod(0o755)
    block = job.partition("            - |\n")[2]
    assert all(line.startswith(" " * 14) for line in block.splitlines())
    for text in (shell, slurm, "".join(line[14:] for line in block.splitlines(keepends=True))):
        (tmp_path / "it.sh").write_text(text)
        assert subprocess.run(["sh", "-n", "it.sh"], cwd=tmp_path, check=False).returncode == 0
        told = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "HEARD": str(tmp_path / "heard")}
        subprocess.run(["sh", "it.sh"], cwd=tmp_path, env=told, capture_output=True, check=False)
        assert not (tmp_path / "PWNED").exists()
        assert NASTY in (tmp_path / "heard").read_text().replace("model=", "").split("\0")
        (tmp_path / "heard").unlink()


def test_a_system_of_ones_own_is_found_where_it_lies(tmp_path):
    room = tmp_path / "own" / "systems"
    room.mkdir(parents=True)
    ours = (Path(store.__file__).parents[1] / "data" / "systems" / "hgx-h100.toml").read_text()
    (room / "my-box.toml").write_text(
        re.sub(r"(?m)^aliases = .*\n", "", ours).replace('name = "hgx-h100"', 'name = "my-box"')
    )
    text = TEXT.replace('model = "gpt-350m-of-ours"\n', "").replace("hgx-h100", "my-box")
    (tmp_path / "pilot.toml").write_text(text)
    folders = [tmp_path / "own"]
    with pytest.raises(InputError, match="my-box"):
        pilot(tmp_path)
    asked = pilot(tmp_path, folders)
    assert len(run_stage(tmp_path, 1, candidate="rented", folders=folders).scripts) == 3
    entry = pilot_adding.add(tmp_path, RUNS / "h100-train-step", candidate="rented", at=AT, folders=folders)
    found = known(asked, tmp_path, folders)
    assert (found.unreadable, found.added) == ((), (entry,))
    assert hour_usd(asked.candidates[0], folders) == pytest.approx(8 * 3.60)
    assert spent(asked, found.added, "2026-12-05", folders).usd > 0
    waiting = Ruling(name="runs", proof="not proven", text="nothing was measured", stage=1)
    (todo,) = open_gates(asked, {"rented": (waiting,), "here": ()}, folders)
    assert todo.cost_usd == pytest.approx(20 * 8 * 3.60 / 3600)


def test_what_is_to_be_typed_can_be_typed(folder):
    path = folder / "pilot.toml"
    path.write_text(path.read_text().replace('"rented"', '"rented; rm -rf ours"'))
    waiting = Ruling(name="runs", proof="not proven", text="nothing was measured", stage=1)
    (todo,) = open_gates(pilot(folder), {"rented; rm -rf ours": (waiting,), "here": ()})
    assert shlex.split(todo.command)[5:7] == ["--candidate", "rented; rm -rf ours"]


def test_the_launch_scripts_are_shell(folder):
    (script,) = [path for path in run_stage(folder, 3, candidate="rented").scripts if path.suffix == ".sh"]
    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0
    empty = {"PATH": "/nowhere"}
    done = subprocess.run(["/bin/sh", str(script)], env=empty, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "assay is not on the path" in done.stderr
