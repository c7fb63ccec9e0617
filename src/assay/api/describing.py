"""Describing: a machine as MLPerf's submissions do, from here and now or from a run that is kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from assay import store
from assay.measure.inventory import detect
from assay.measure.inventory.capture import capture, names
from assay.measure.inventory.discretion import redacted
from assay.measure.inventory.interpreter import find, look
from assay.measure.inventory.mlperf import Description, Shape
from assay.measure.inventory.mlperf import system as describe


def described(
    shape: str, *, python: str | None = None, run: Path | str | None = None, told: Mapping[str, str] | None = None,
    redact: bool = False,
) -> Description:  # fmt: skip
    """This machine (or that of a run) in one of MLPerf's shapes; `told` fills what cannot be detected."""
    if run is not None:
        machine, environment = None, dict(store.load(store.find(run)).environment)
    else:
        machine = detect.host()
        environment = capture(machine, look(find(python)), cwd=Path.cwd(), environ=os.environ).environment
    if redact:
        environment = redacted(environment, names=names())
    return describe(machine, environment, shape=cast("Shape", shape), told=told or {})
