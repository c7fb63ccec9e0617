"""./dev on a bare machine: it says what is missing, redoes what was cut short, and loses no time afterwards."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def dev(tmp_path: Path) -> ModuleType:
    """The script as a module, in a folder of its own whose .venv was set up for users."""
    shutil.copy(ROOT / "dev", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(Path(sys.executable).resolve())
    (programs / "assay").touch()
    (programs / "pip").write_text(f"#!{programs}/python\nimport sys\n")
    (programs.parent / "pyvenv.cfg").touch()
    loader = SourceFileLoader("dev", str(tmp_path / "dev"))
    spec = spec_from_loader("dev", loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    module.stamp("core")
    return module


def test_a_set_up_is_found_again(dev: ModuleType) -> None:
    assert dev.ready("core")
    assert not dev.ready("dev")
    dev.stamp("dev")
    assert dev.ready("core")
    assert dev.ready("dev")


def test_new_dependencies_are_installed_and_new_lint_rules_are_not(dev: ModuleType) -> None:
    project = dev.ROOT / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace("line-length = 120", "line-length = 100"), encoding="utf-8")
    assert dev.ready("core")
    project.write_text(text.replace('"rich>=13"', '"rich>=14"'), encoding="utf-8")
    assert not dev.ready("core")


@pytest.mark.parametrize(
    "hurt", ["stamp cut short", "stamp of another shape", "no python", "another python", "no assay", "nothing"]
)
def test_a_set_up_that_was_cut_short_or_broken_is_done_again(dev: ModuleType, hurt: str) -> None:
    python = dev.VENV / "bin" / "python"
    if hurt.startswith("stamp"):
        dev.STAMP.write_text("{" if "cut" in hurt else "[]")
    elif hurt == "no assay":
        (dev.VENV / "bin" / "assay").unlink()
    elif hurt == "nothing":
        shutil.rmtree(dev.VENV)
    else:
        python.unlink()
        python.symlink_to("/bin/false" if "another" in hurt else "/no/such/python")
        assert not dev.usable()
    assert not dev.ready("core")


def test_a_moved_folder_is_noticed(dev: ModuleType) -> None:
    assert dev.usable()
    pip = dev.VENV / "bin" / "pip"
    pip.write_text(pip.read_text().replace("#!/", "#!/elsewhere/"))
    assert not dev.usable()


def test_a_python_without_venv_is_told_what_to_install(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev, "find_spec", lambda name: None)
    assert dev.make_venv() == 3
    assert "apt install python3-venv" in capsys.readouterr().err


def test_a_folder_of_the_users_own_is_never_wiped(dev: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    (dev.VENV / "pyvenv.cfg").unlink()
    (dev.VENV / "thesis.tex").touch()
    assert dev.make_venv() == 2
    assert "is no virtual environment" in capsys.readouterr().err
    assert (dev.VENV / "thesis.tex").exists()


def test_what_pip_says_is_shown_when_it_fails_and_only_then(
    dev: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dev.quietly([sys.executable, "-c", "print('all is well')"])
    assert not dev.quietly([sys.executable, "-c", "print('no route'); raise SystemExit(1)"])
    said = capsys.readouterr().err
    assert "no route" in said
    assert "all is well" not in said


def test_a_failed_check_is_named_last_and_no_test_runs(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev, "CHECKS", {"good": ["python", "-c", ""], "bad": ["python", "-c", "print(1); exit(1)"]})
    monkeypatch.setattr(dev, "set_up", lambda extra: 0)
    monkeypatch.setattr(dev, "become", lambda command: pytest.fail("tests were run"))
    assert dev.main(["test"]) == 1
    said = capsys.readouterr()
    assert said.err == "dev: failed: bad; no test was run\n"
    assert said.out.startswith("good: ok")


def test_an_unknown_verb_is_refused_with_those_that_are_known(
    dev: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dev.main(["tset"]) == 2
    assert "demo, test, check" in capsys.readouterr().err


def test_every_verb_is_in_its_help(dev: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main(["help"]) == 0
    shown = capsys.readouterr().out
    assert [verb for verb in dev.VERBS if f"./dev {verb} " not in shown] == []


def test_there_is_at_least_one_core(dev: ModuleType) -> None:
    assert dev.cores() >= 1


def test_an_old_python_can_read_the_script_and_is_told_what_is_wanted() -> None:
    text = (ROOT / "dev").read_text(encoding="utf-8")
    top = text.partition("import fcntl")[0]
    ast.parse(top, feature_version=(3, 7))
    old = "import sys, shutil; sys.version_info = (3, 9, 2); shutil.which = lambda name: None\n"
    done = subprocess.run([sys.executable, "-c", old + top], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "dev: Assay needs Python 3.11 or newer, this is 3.9; on Debian: apt install python3.11\n"


def test_it_uses_nothing_but_the_standard_library() -> None:
    tree = ast.parse((ROOT / "dev").read_text(encoding="utf-8"), feature_version=(3, 8))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names
