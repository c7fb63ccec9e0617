"""Packages, variables, code and git state are recorded so that a difference has a name; secrets never are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.measure.inventory import git as git_module
from assay.measure.inventory.discretion import SECRET, arguments, redacted, secret
from assay.measure.inventory.git import git
from assay.measure.inventory.software import code, packages, variables
from assay.roles import FAMILIES, variable

# Packages


def distributions(folder: Path, *names: str) -> dict[str, str]:
    for name in names:
        (folder / name).mkdir(parents=True)
    return {**os.environ, "PYTHONPATH": str(folder)}


def test_every_distribution_is_listed_and_those_that_matter_are_facts_of_their_own(tmp_path):
    environ = distributions(
        tmp_path, "transformers-4.57.1.dist-info", "nvidia_nccl_cu12-2.27.5.dist-info", "Left_Pad-1.0.egg-info",
        "flash_attn-2.8.3+cu12torch2.8.dist-info", "old-1.2-py3.11.egg-info",
    )  # fmt: skip
    facts, missing = packages(sys.executable, environ, 20)
    wanted = {"transformers": "4.57.1", "nccl": "2.27.5", "flash-attn": "2.8.3+cu12torch2.8"}
    assert {key: facts[key] for key in wanted} == wanted
    assert {"left-pad==1.0", "old==1.2"} <= set(facts["packages"])
    assert missing == ()


def test_the_digest_changes_with_any_package_and_not_with_anything_else(tmp_path):
    environ = distributions(tmp_path, "a_thing-1.0.dist-info")
    before = packages(sys.executable, environ, 20).facts["packages_digest"]
    assert packages(sys.executable, {**environ, "X": "1"}, 20).facts["packages_digest"] == before
    (tmp_path / "a_thing-1.0.dist-info").rename(tmp_path / "a_thing-1.1.dist-info")
    assert packages(sys.executable, environ, 20).facts["packages_digest"] != before


def test_a_package_built_from_a_commit_or_still_being_edited_says_so_and_never_its_address(tmp_path):
    environ = distributions(tmp_path, "vllm-0.9.dist-info", "mine-0.1.dist-info")
    url = '{"url": "https://me:hunter2@git/vllm", "vcs_info": {"vcs": "git", "commit_id": "' + "a" * 40 + '"}}'
    (tmp_path / "vllm-0.9.dist-info/direct_url.json").write_text(url)
    (tmp_path / "mine-0.1.dist-info/direct_url.json").write_text('{"dir_info": {"editable": true}}')
    facts = packages(sys.executable, environ, 20).facts
    assert {"vllm==0.9 @ aaaaaaaaaaaa", "mine==0.1 (editable)"} <= set(facts["packages"])
    assert facts["vllm"] == "0.9 @ aaaaaaaaaaaa"
    assert "hunter2" not in str(facts)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("exit 3", "packages: exit 3"),
        ("echo no", "packages: the answer was not understood"),
        ("sleep 30", "packages: no answer within 0.2 s"),
    ],
)
def test_an_interpreter_that_does_not_answer_leaves_packages_missing(tmp_path, body, why):
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\n{body}\n")
    fake.chmod(0o755)
    facts, missing = packages(str(fake), os.environ, 0.2 if "sleep" in body else 20)
    assert (facts["packages"], facts["packages_digest"], missing) == (None, None, (why,))


# Variables


def test_variables_that_matter_are_facts_and_others_are_not():
    environ = {"NCCL_ALGO": "Ring", "XLA_FLAGS": "--x", "EDITOR": "vi", "SSL_CERT_FILE": "/x", "OMP_NUM_THREADS": "4"}
    facts, missing = variables(environ)
    assert facts == {"NCCL_ALGO": "Ring", "XLA_FLAGS": "--x", "thread_settings": {"OMP_NUM_THREADS": "4"}}
    assert missing == ()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("NCCL_ALGO", "alike"), ("CUDA_VISIBLE_DEVICES", "suspect"), ("NCCL_DEBUG", "suspect"), ("PATH", None),
        ("TORCH_HOME", "note"), ("TPU_WORKER_ID", "note"), ("OMPI_MCA_btl", "alike"), ("OMPI_MCA_orte_jobid", None),
        ("PT_HPU_LAZY_MODE", "alike"), ("HSA_XNACK", "alike"), ("LD_PRELOAD", "alike"), ("SLURM_JOB_ID", None),
        ("WORLD_SIZE", "alike"), ("RANK", None), ("TF_CLI_CONFIG_FILE", None), ("CUDA_VERSION", None),
    ],
)  # fmt: skip
def test_each_variable_has_one_meaning(name, meant):
    assert variable(name) == meant


@pytest.mark.parametrize("family", [
    "OMP_", "MKL_", "NCCL_", "RCCL_", "HCCL_", "CUDA_", "HIP_", "ROCR_", "HSA_", "PYTORCH_", "TORCH_", "XLA_", "TPU_",
    "NEURON_", "PT_HPU_", "HABANA_", "KMP_", "GOMP_", "OMPI_MCA_", "UCX_", "FI_", "MALLOC_", "TF_", "JAX_",
])  # fmt: skip
def test_no_family_of_any_vendor_is_forgotten(family):
    assert variable(f"{family}SOMETHING") == "alike"
    assert len(FAMILIES) == len(set(FAMILIES))


# Secrets


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HF_TOKEN", "abc"), ("NCCL_API_KEY", "q9"), ("TF_PASSWORD", "q9"), ("CUDA_SECRET_NAME", "q9"),
        ("VLLM_API_KEYS", "q9"), ("XLA_FLAGS", "--token=hf_abcdefghijklmnop"), ("UCX_X", "http://me:hunter2@proxy:80"),
        ("SLURM_JWT", "eyJ0"), ("TORCH_X", "sk-proj-aaaaaaaaaaaaaaaa"), ("TF_AUTH", "q9"), ("DB_PASS", "q9"),
        ("JAX_X", "AKIAIOSFODNN7EXAMPLE"), ("HF_TOKENS", "abc"),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_never_recorded_but_its_name_is_said(name, value):
    assert secret(name, value)
    facts, missing = variables({name: value})
    assert value not in str(facts) + str(missing)
    assert missing == (() if variable(name) is None else (f"{name}: looks like a secret, not recorded",))


@pytest.mark.parametrize(
    ("name", "value"),
    [("TOKENIZERS_PARALLELISM", "false"), ("VLLM_MAX_NUM_BATCHED_TOKENS", "8192"), ("OMP_PROC_BIND", "close"),
     ("NCCL_SOCKET_IFNAME", "eth0"), ("FI_PROVIDER", "efa"), ("UCX_TLS", "rc,sm"), ("TORCH_BYPASS_X", "1")],
)  # fmt: skip
def test_a_setting_is_not_taken_for_a_secret(name, value):
    assert not secret(name, value)


@given(st.lists(st.text(min_size=1, max_size=20), max_size=8), st.text("abcXYZ019", min_size=12, max_size=30))
def test_a_secret_on_the_command_line_is_gone_wherever_it_stands(words, value):
    for told in (["--api-key", value], [f"--api-key={value}"], [f"HF_TOKEN={value}"]):
        shown = arguments([*words, *told])
        assert value not in "".join(shown[len(words) :])
        assert SECRET in shown[-1]


def test_what_leaves_the_house_names_no_person_machine_or_home():
    facts = {
        "cpu": "EPYC", "host": "node17", "cwd": "/home/eve/work", "job": {"SLURM_JOB_USER": "eve"},
        "not_captured": ["git: unsafe repository /home/eve/work on node17"], "TORCH_HOME": "/Users/eve/x",
        "filesystem": "ext4 on /root/x", "packages": ["eve-tools==1"], "n": 5,
    }  # fmt: skip
    told = redacted(facts, names=("eve", "node17"))
    assert told["not_captured"] == ["git: unsafe repository ~/work on (name)"]
    assert (told["TORCH_HOME"], told["filesystem"], told["n"]) == ("~/x", "ext4 on ~/x", 5)
    assert not {"host", "cwd", "job"} & told.keys()
    assert "node17" not in str(told)


# Code


def test_scripts_and_settings_on_the_command_line_are_told_by_what_they_hold(tmp_path):
    (tmp_path / "train.py").write_text("print(1)")
    (tmp_path / "c.yaml").write_text("lr: 1")
    command = ["python3", "train.py", "--config=c.yaml", "--lr", "3", "x" * 5000]
    facts, missing = code(command, tmp_path)
    assert [line.split()[0] for line in facts["code"]] == ["train.py", "c.yaml"]
    assert missing == ()
    (tmp_path / "train.py").write_text("print(2)")
    changed = code(command, tmp_path).facts["code"]
    assert (changed[0] != facts["code"][0], changed[1] == facts["code"][1]) == (True, True)


def test_a_program_of_ones_own_is_code_and_an_interpreter_is_not(tmp_path):
    for name in ("bench", "python3.11"):
        (tmp_path / name).write_text("x")
    assert len(code(["./bench", "3"], tmp_path).facts["code"]) == 1
    assert code(["./python3.11", "3"], tmp_path).facts["code"] == []


# Git


@pytest.fixture
def checkout(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed here")
    folder = tmp_path / "work"
    folder.mkdir()
    run(folder, "init", "-q", "-b", "trunk")
    (folder / "a.py").write_text("1\n")
    run(folder, "add", ".")
    run(folder, "commit", "-qm", "one")
    return folder


def run(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@x")
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_commit_branch_and_changes_are_told(checkout):
    commit = run(checkout, "rev-parse", "HEAD")
    clean = {"git_commit": commit, "git_branch": "trunk", "git_dirty": False, "git_changed_files": 0}
    assert git(checkout, dict(os.environ)).facts == clean
    (checkout / "results").write_text("what a run writes is no change\n")
    assert git(checkout, dict(os.environ)).facts == clean
    (checkout / "a.py").rename(checkout / "b.py")
    run(checkout, "add", ".")
    changed = git(checkout, dict(os.environ)).facts
    assert (changed["git_dirty"], changed["git_changed_files"]) == (True, 2)


def test_git_runs_nothing_of_the_repository(checkout):
    mark = checkout.parent / "ran"
    for name in ("post-index-change", "fsmonitor"):
        hook = checkout / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
        hook.chmod(0o755)
    run(checkout, "config", "core.fsmonitor", str(checkout / ".git/hooks/fsmonitor"))
    index = (checkout / ".git/index").stat().st_mtime_ns
    os.utime(checkout / "a.py")
    assert git(checkout, dict(os.environ)).facts["git_dirty"] is False
    assert not mark.exists()
    assert (checkout / ".git/index").stat().st_mtime_ns == index


@pytest.mark.parametrize("packed", [False, True])
def test_without_git_the_commit_is_read_and_whether_it_was_changed_is_unknown(checkout, packed, monkeypatch):
    commit = run(checkout, "rev-parse", "HEAD")
    if packed:
        run(checkout, "pack-refs", "--all")
    monkeypatch.setattr(git_module, "_STATUS", ("no-such-git",))
    facts, missing = git(checkout, {})
    assert facts == {"git_commit": commit, "git_branch": "trunk", "git_dirty": "unknown", "git_changed_files": None}
    assert missing == ("git: not installed",)


def test_a_worktree_a_detached_head_and_a_folder_below_are_read_without_git(checkout, monkeypatch):
    commit = run(checkout, "rev-parse", "HEAD")
    run(checkout, "worktree", "add", "-q", "-b", "side", "../side")
    run(checkout, "checkout", "-q", "--detach")
    (checkout / "deep/er").mkdir(parents=True)
    monkeypatch.setattr(git_module, "_STATUS", ("no-such-git",))
    heads = [git(folder, {}).facts for folder in (checkout.parent / "side", checkout / "deep/er")]
    assert [(facts["git_commit"], facts["git_branch"]) for facts in heads] == [(commit, "side"), (commit, None)]


def test_a_folder_in_no_checkout_has_no_commit_and_nothing_is_missing(tmp_path):
    if any((folder / ".git").exists() for folder in tmp_path.parents):
        pytest.skip("the folder for temporary files is itself in a checkout")
    facts, missing = git(tmp_path, dict(os.environ))
    assert (set(facts.values()), missing) == ({None}, ())


@given(st.binary(max_size=80))
def test_no_head_breaks_the_reading_or_leads_out_of_the_repository(tmp_path_factory, head):
    folder = tmp_path_factory.mktemp("work")
    (folder / ".git").mkdir()
    (folder / ".git/HEAD").write_bytes(head)
    facts, _ = git(folder, {"PATH": "/nowhere"})
    assert facts["git_commit"] is None or head.strip() == str(facts["git_commit"]).encode()
