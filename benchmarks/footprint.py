"""What an installation weighs, and how long `assay` takes to start."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

ASSAY = str(Path(sys.executable).with_name("assay"))
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "assay --help": [ASSAY, "--help"],
    "assay catalog h100-sxm": [ASSAY, "catalog", "h100-sxm"],
}
_HELD = """
import contextlib, io, json, sys
if len(sys.argv) > 1:
    from assay.cli.main import main
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main(sys.argv[1:])
print(json.dumps(sorted(sys.modules)))
"""


def installed(name: str = "assay") -> dict[str, Distribution]:
    """The distributions that installing this one brings, itself and extras left out."""
    brought: dict[str, Distribution] = {}
    waiting = [name]
    while waiting:
        for need in map(Requirement, distribution(waiting.pop()).requires or ()):
            key = need.name.lower().replace("_", "-")
            if key not in brought and (need.marker is None or need.marker.evaluate({"extra": ""})):
                brought[key] = distribution(need.name)
                waiting.append(need.name)
    return brought


def size_bytes(held: Distribution) -> int:
    """Bytes on disk of the files a distribution put there, compiled ones included."""
    paths = [Path(str(held.locate_file(path))) for path in held.files or ()]
    return sum(path.stat().st_size for path in paths if path.is_file())


def start(command: list[str], repetitions: int = 10) -> tuple[float, float]:
    """Wall and CPU seconds that a command takes, each the best of several, after one to warm the disk."""
    _run(command)
    taken = [_run(command) for _ in range(repetitions)]
    return min(wall for wall, _ in taken), min(cpu for _, cpu in taken)


def _run(command: list[str]) -> tuple[float, float]:
    before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    wall, after = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# What a distribution of Python runs at every start: Debian ships the first, people add the second.
_SITE = ("sitecustomize", "usercustomize", "apport_python_hook")


def modules(args: list[str]) -> tuple[int, list[str]]:
    """How many modules python holds after a verb of assay, and the foreign packages among them; none: python alone."""
    done = subprocess.run([sys.executable, "-c", _HELD, *args], capture_output=True, text=True, check=True)
    held = json.loads(done.stdout)
    tops = {name.partition(".")[0] for name in held} - set(sys.stdlib_module_names) - {"assay", *_SITE}
    return len(held), sorted(top for top in tops if not top.startswith("_"))
