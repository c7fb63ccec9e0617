"""Runs the workload `serve` as the measuring process does: in a child, its lines read back."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

WORKLOADS = Path(__file__).resolve().parents[2] / "src" / "assay" / "measure" / "workloads"
ENGINE = WORKLOADS / "engine.py"


class Done(NamedTuple):
    """What came of it."""

    code: int
    lines: list[dict[str, Any]]
    complaint: str  # what it said on its standard error

    def told(self, event: str, **wanted: object) -> list[dict[str, Any]]:
        """The lines of one event."""
        return [x for x in self.lines if x.get("event") == event and wanted.items() <= x.items()]

    def of(self, metric: str, *, warmup: bool = False, case: str = "") -> dict[int, Any]:
        """A metric of each request that counts (or does not), by the request's number."""
        return {
            x["step"]: x[metric]
            for x in self.lines
            if metric in x and x.get("warmup") is warmup and x["case"] != "client floor" and case in ("", x["case"])
        }


def command(port: int, settings: Mapping[str, object] | None = None, **options: object) -> list[str]:
    """The command line of the workload against a server on loopback."""
    plan = {"url": f"http://127.0.0.1:{port}/v1", "floor": "false"} | {k: str(v) for k, v in options.items()}
    told = {"budget_s": 5.0, "quick": True, **(settings or {}), "options": plan}
    return [sys.executable, str(ENGINE), "serve", json.dumps(told)]


def serve(port: int, settings: Mapping[str, object] | None = None, env: Mapping[str, str] | None = None,
          **options: object) -> Done:  # fmt: skip
    """Run it to its end."""
    environment = {k: v for k, v in os.environ.items() if k != "ASSAY_EMIT"} | dict(env or {})
    ran = subprocess.run(
        command(port, settings, **options), capture_output=True, text=True, check=False, timeout=120, env=environment
    )
    return Done(ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()], ran.stderr)


def beside(name: str) -> Any:
    """A file of the workloads' folder as a module, as they load each other."""
    key = f"tested_{name}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, WORKLOADS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[key] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[key])
    return sys.modules[key]
