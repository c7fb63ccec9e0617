"""Who is at work here, as git knows them."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from assay.measure.inventory.tools import ask

_TIMEOUT_S = 2.0


def owner(folder: Path) -> str:
    """The name git would sign with in this folder; else that of the account; empty where there is neither."""
    told, _ = ask(("git", "config", "user.name"), _TIMEOUT_S, environ=dict(os.environ), cwd=folder)
    try:
        return (told or "").strip() or getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        return ""
