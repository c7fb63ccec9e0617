"""A pilot's folder is only added to: what two people add is merged by git alone, and nothing in it is rewritten."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from assay import store
from assay.api.piloting import check
from assay.errors import InputError
from assay.store import pilots
from assay.store.pilots import Added

RUNS = Path(__file__).parents[1] / "recorded" / "runs"
H100, CPU = RUNS / "h100-train-step", RUNS / "cpu-train-step"


def entry(place: Path, **more) -> Added:
    told = {
        "run": place.name, "id": f"{place.name}-0123456789", "candidate": "rent H100", "workload": "train", "stage": 2,
        "by": "Ann", "at": "2026-12-02T10:00:00+00:00", "sha256": pilots.fingerprint(place), "duration_s": 45.6, **more,
    }  # fmt: skip
    return Added(**told)


def test_what_is_added_is_read_again(tmp_path):
    told = entry(H100, anyway="the only one there is", unlike=("its model is another",), accelerators=1)
    pilots.add_run(tmp_path, H100, told)
    found = pilots.kept(tmp_path)
    assert found.added == (told,)
    assert store.load(pilots.where(tmp_path, told)).name == "train-step"
    assert pilots.where(tmp_path, told) == tmp_path / "runs" / H100.name


def test_adding_the_same_once_more_is_no_change(tmp_path):
    first = pilots.add_run(tmp_path, H100, entry(H100))
    assert pilots.add_run(tmp_path, H100, entry(H100)) == first
    assert len(list(tmp_path.rglob("added/*"))) == 1


def test_nothing_that_is_there_is_rewritten(tmp_path):
    path = pilots.keep(tmp_path / "decisions" / "one.json", "1\n")
    with pytest.raises(InputError, match="nothing in a pilot's folder is rewritten"):
        pilots.keep(path, "2\n")
    assert path.read_text() == "1\n"
    pilots.add_run(tmp_path, H100, entry(H100))
    with pytest.raises(InputError, match="another run of this name"):
        pilots.add_run(tmp_path, CPU, entry(CPU, run=H100.name))


def test_a_run_may_stay_where_it_is(tmp_path):
    told = entry(H100, run=str(H100.resolve()))
    pilots.add_run(tmp_path, H100, told, link=True)
    assert not (tmp_path / "runs").exists()
    assert store.load(pilots.where(tmp_path, told)).name == "train-step"


def test_a_run_that_is_not_here_or_was_changed_is_named(tmp_path):
    told = entry(H100)
    pilots.add_run(tmp_path, H100, told)
    head = tmp_path / "runs" / H100.name / "run.json"
    head.write_text(head.read_text().replace("train-step", "train-stop", 1))
    with pytest.raises(InputError, match="not the one that was added"):
        pilots.where(tmp_path, told)
    shutil.rmtree(head.parent)
    with pytest.raises(InputError, match="is not here; Ann has it"):
        pilots.where(tmp_path, told)


def test_what_cannot_be_read_is_named_and_hides_nothing(tmp_path):
    pilots.add_run(tmp_path, H100, entry(H100))
    (tmp_path / "added" / "2026-12-01-broken.json").write_text('{"run": ')
    (tmp_path / "added" / "README.md").write_text("ours\n")
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "rent-h100-2026-12-01-00000000.csv").write_text("question\n1\n")
    found = pilots.kept(tmp_path)
    assert len(found.added) == 1
    assert len(found.unreadable) == 2
    assert all("broken.json" in text or "rent-h100" in text for text in found.unreadable)


def test_the_latest_answer_of_a_vendor_counts(tmp_path):
    csv = tmp_path / "a.csv"
    for at, answer in (("2026-12-03", "99.9 %"), ("2026-12-09", "99.5 %")):
        csv.write_text(f"id,answer\nsla,{answer}\nspread,\n")
        pilots.add_answers(tmp_path, "rent H100", csv, at)
    found = pilots.kept(tmp_path)
    assert found.answers == {"rent H100": {"sla": "99.5 %"}}
    csv.write_text("question,answer\n")
    with pytest.raises(InputError, match='"id" is missing'):
        pilots.add_answers(tmp_path, "rent H100", csv, "2026-12-10")


def test_names_that_look_alike_are_told_apart_and_the_later_of_a_day_wins(tmp_path):
    csv = tmp_path / "a.csv"
    long = "vendor offer of 2026 for the eight-GPU server, "
    told = [(long + "air", "1"), (long + "liquid", "2"), ("日本", "3"), ("中国", "4")]
    first = [("10:15:00", name, answer) for name, answer in told]
    for at, name, answer in [*first, ("23:00:01", "日本", "5"), ("09:00:00", "日本", "6")]:
        csv.write_text(f"id,answer\nspread,{answer}\n")
        pilots.add_answers(tmp_path, name, csv, f"2026-12-03T{at}+00:00")
    found = {name: told["spread"] for name, told in pilots.kept(tmp_path).answers.items()}
    assert found == {long + "air": "1", long + "liquid": "2", "日本": "5", "中国": "4"}


def test_answers_that_git_could_not_merge_are_named(tmp_path):
    csv = tmp_path / "a.csv"
    csv.write_text("id,answer\nspread,1\n")
    path = pilots.add_answers(tmp_path, "rent", csv, "2026-12-03T10:00:00+00:00")
    path.write_text("candidate,id,answer\n<<<<<<< HEAD\nrent,spread,1\n=======\nrent,spread,2\n>>>>>>> other\n")
    found = pilots.kept(tmp_path)
    assert found.answers == {}
    assert ".csv:2: two people changed" in found.unreadable[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("accelerators", 0), ("accelerators", -8), ("stage", 7), ("at", "zzz"), ("duration_s", -1.0),
        ("duration_s", 1e300), ("run", ""), ("run", "a" * 5000), ("id", ""), ("accelerators", 10**40),
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_is_named_and_not_counted(tmp_path, key, value):
    path = pilots.add_run(tmp_path, H100, entry(H100))
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    found = pilots.kept(tmp_path)
    assert found.added == ()
    assert path.name in found.unreadable[0]


@pytest.mark.parametrize("run", ["a" * 300, "a\0b", "../../../etc"])
def test_a_run_that_can_be_nowhere_is_not_here(tmp_path, run):
    with pytest.raises(InputError, match="is not here"):
        pilots.where(tmp_path, entry(H100, run=run))


def test_decisions_are_kept_in_the_order_they_were_made(tmp_path):
    for day, told in ((9, "b"), (3, "a"), (9, "c")):
        pilots.add_decision(tmp_path, {"verdict": told}, f"2026-12-{day:02d}T10:00:00+00:00")
    names = [path.name for path in pilots.kept(tmp_path).decisions]
    assert [name[:15] for name in names] == ["20261203T100000", "20261209T100000", "20261209T100000"]


def test_a_script_that_changed_gets_a_name_of_its_own(tmp_path):
    first = pilots.add_script(tmp_path, "stage1-a-w.sh", "one\n")
    second = pilots.add_script(tmp_path, "stage1-a-w.sh", "two\n")
    assert (first.read_text(), second.read_text()) == ("one\n", "two\n")
    assert pilots.add_script(tmp_path, "stage1-a-w.sh", "two\n") == second


# --- two people -------------------------------------------------------------------------------------------------------


def git(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    own = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *own, *words], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A pilot in git."""
    if shutil.which("git") is None:
        pytest.skip("no git here")
    (tmp_path / "pilot.toml").write_text('name = "p"\nquestion = "?"\nstarts = 2026-12-01\n')
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path)
    return tmp_path


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    assert git(folder, "commit", "-q", "-m", "more").returncode == 0


def test_what_two_people_add_is_merged_by_git_alone(team):
    pilots.add_run(team, H100, entry(H100))
    git(team, "checkout", "-q", "-b", "ann")
    commit(team)
    git(team, "checkout", "-q", "main")
    pilots.add_run(team, H100, replace(entry(H100), by="Bob", note="mine"))  # the same run, the same day
    pilots.add_run(team, CPU, replace(entry(CPU), by="Bob", candidate="here"))
    pilots.add_script(team, "stage1-a-w.sh", "one\n")
    commit(team)
    assert git(team, "merge", "-q", "ann", "-m", "both").returncode == 0
    found = pilots.kept(team)
    assert len(list((team / "added").iterdir())) == 3
    assert [one.candidate for one in sorted(found.added, key=lambda a: a.candidate)] == ["here", "rent H100"]
    assert found.unreadable == ()


def test_a_file_that_two_people_edited_is_explained_with_its_line(team):
    file = team / "pilot.toml"
    git(team, "checkout", "-q", "-b", "ann")
    file.write_text(file.read_text().replace('"?"', '"Buy?"'))
    commit(team)
    git(team, "checkout", "-q", "main")
    file.write_text(file.read_text().replace('"?"', '"Rent?"'))
    commit(team)
    assert git(team, "merge", "-q", "ann", "-m", "both").returncode == 1
    (problem,) = check(team)
    assert file.read_text().splitlines()[problem.line - 1].startswith("<<<<<<<")
    assert "git add pilot.toml" in problem.hint
