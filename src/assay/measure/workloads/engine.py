"""Runs a workload in the interpreter that is measured: `python engine.py gemm '{"budget_s": 5}'`.

Several processes: `python -m torch.distributed.run --nproc-per-node 2 engine.py collective '{}'`. What is measured goes
to the folder in $ASSAY_EMIT as marks.py writes it; without one the same lines go to standard output. Whatever a library
prints goes to standard error.

A workload is a file beside this one, loaded by its path, with `BUDGET_S`, `OPTIONS`, and `cases(kit)` or `run(kit)`:

- `cases(kit)` yields (case, prepare, before): a table that says what the case does; a function that makes ready and
  returns `step(loops)`, which does it that many times and waits until it is done; and a function to call untimed before
  each sample, or None (without it, `loops` is chosen so that a sample is worth reading a clock for).
- `run(kit)` does all itself, and says so with `kit.emit(...)`. It wins where a file has both.

The clock is the host's, around batches that are waited for: events of a device are not trusted (they have told rates
that no device has). The `Kit` in kit.py is what a workload may use.
"""

from __future__ import annotations

import os
import sys

# This folder is off the search path before anything else is imported: copy.py here must not hide Python's own.
if __name__ == "__main__" and sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):  # noqa: PTH100, PTH120
    del sys.path[0]

import importlib.util
import json
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent


def load(path: Path) -> Any:
    """A Python file as a module, by its path: where it lies on the search path does not matter."""
    name = f"assay_workload_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SystemExit(f"no workload {path.stem}: there is no {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: what it defines can then be pickled
    spec.loader.exec_module(module)
    return module


def main(name: str, settings: dict[str, Any]) -> None:
    """Run one workload, and write what it measured."""
    kits, workload = load(_HERE / "kit.py"), load(_HERE / f"{name.replace('-', '_')}.py")
    kit = kits.Kit(settings, options(workload, settings), load)
    os.dup2(2, 1)  # from here on: what a library prints must not be taken for ours
    if hasattr(workload, "run"):
        workload.run(kit)
    else:
        kit.sweep(workload.cases(kit))
    kit.leave()


def options(workload: Any, settings: dict[str, Any]) -> dict[str, str]:
    """The workload's options as text: its own, with what the user set in their place."""
    known = {key: str(default) for key, (default, _) in getattr(workload, "OPTIONS", {}).items()}
    said = settings.get("options") or {}
    if set(said) - set(known):
        raise SystemExit(f"{min(set(said) - set(known))}: no such option; options: {', '.join(known) or 'none'}")
    return known | {key: str(value) for key, value in said.items()}


if __name__ == "__main__":
    try:
        main(sys.argv[1], json.loads(sys.argv[2]))
    except SystemExit as end:
        if not isinstance(end.code, str):
            raise
        sys.stderr.write(end.code + "\n")  # what was asked for cannot be done, and why
        sys.exit(64)  # EX_USAGE
