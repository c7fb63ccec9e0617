"""Which commit the code was at, and whether it was changed since: by git, or without it by reading .git."""

from __future__ import annotations

import re
from pathlib import Path

from assay.measure.inventory.facts import Part, look, said
from assay.measure.inventory.tools import ask

TIMEOUT_S = 2.0
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

# Nothing of the repository is run (hooks, a monitor of its files), nothing of it is written (locks, the index).
_STATUS = (
    "git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
    "status", "--porcelain=v2", "--branch", "--untracked-files=no", "-z",
)  # fmt: skip


def git(cwd: Path, environ: dict[str, str], timeout_s: float = TIMEOUT_S) -> Part:
    """Commit, branch and changes of the checkout that `cwd` is in; None where it is in none.

    Files that git does not know are no change: results that a run writes would make every checkout a changed one.
    """
    folder = _folder(cwd)
    if folder is None:
        return Part({"git_commit": None, "git_branch": None, "git_dirty": None, "git_changed_files": None})
    told, why = ask(_STATUS, timeout_s, environ={**environ, "LC_ALL": "C"}, cwd=cwd)
    if told is not None:
        return Part(_facts(told))
    commit, branch = _head(folder)
    facts: dict[str, object] = {
        "git_commit": commit,
        "git_branch": branch,
        "git_dirty": "unknown",
        "git_changed_files": None,
    }
    return Part(facts, (f"git: {why}",))


def _facts(status: str) -> dict[str, object]:
    """What `git status --porcelain=v2 --branch -z` says (git-status(1), "Porcelain Format Version 2")."""
    head: dict[str, str] = {}
    changed = 0
    pieces = iter(status.split("\0"))
    for piece in pieces:
        if piece.startswith("# "):
            key, _, value = piece[2:].partition(" ")
            head[key] = value
        elif piece:
            changed += 1
            if piece.startswith("2 "):  # renamed: its old name stands by itself
                next(pieces, None)
    commit = head.get("branch.oid", "")
    branch = head.get("branch.head", "")
    return {
        "git_commit": commit if _COMMIT.fullmatch(commit) else None,
        "git_branch": None if branch in ("", "(detached)") else branch,
        "git_dirty": changed > 0,
        "git_changed_files": changed,
    }


def _folder(cwd: Path) -> Path | None:
    """The checkout's own .git folder: it may be a file that names the folder, as in worktrees and submodules."""
    for folder in (cwd, *cwd.parents):
        here = folder / ".git"
        if (here / "HEAD").is_file():
            return here
        text, _ = look(here)
        if text.startswith("gitdir:"):
            there = folder / text.removeprefix("gitdir:").strip()
            return there if (there / "HEAD").is_file() else None
    return None


def _head(folder: Path) -> tuple[str | None, str | None]:
    head = said(folder / "HEAD")
    if _COMMIT.fullmatch(head):
        return head, None
    name = head.removeprefix("ref:").strip()
    shared = folder / (said(folder / "commondir") or ".")  # a worktree keeps its branches with the main one
    if not re.fullmatch(r"refs/(?!.*\.\./)[^\s]+", name):
        return None, None
    for place in (folder, shared):
        commit = said(place / name)
        if _COMMIT.fullmatch(commit):
            return commit, _branch(name)
    match = re.search(rf"^([0-9a-f]{{40,64}}) {re.escape(name)}$", said(shared / "packed-refs"), re.MULTILINE)
    return match[1] if match else None, _branch(name)


def _branch(name: str) -> str | None:
    # Newer repositories keep branches in a table, and write a name here that no branch can have.
    return None if name == "refs/heads/.invalid" else name.removeprefix("refs/heads/")
