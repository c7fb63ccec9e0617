"""The store: runs as append-only folders that can be read at any moment, and are never edited.

`runs/20261126T021400Z-gemm-1a2b3c4d/` holds `run.json` (all but the samples), `samples.parquet` (every reading of the
command's own), `telemetry/*.parquet` (what sensors said, an hour a file) and `log.txt` (what the command printed).
While it is measured there is `open/` as well: plain lines, written within a second. A run that was killed has it still,
and is read from it, marked as partial. `run.json` holds a digest, so a run that was changed is noticed.
"""

from __future__ import annotations

from assay.store.folders import find, list_runs, prepare
from assay.store.reading import load
from assay.store.recorder import Recorder, begin, save
from assay.store.telemetry import compact, questions, telemetry

__all__ = [
    "Recorder", "begin", "compact", "find", "list_runs", "load", "prepare", "questions", "save", "telemetry",
]  # fmt: skip
