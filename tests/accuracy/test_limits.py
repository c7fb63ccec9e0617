"""No source has become worse than its limit. Minutes long: `make accuracy` runs it, on figures it has just computed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from benchmarks.accuracy import __main__ as program
from benchmarks.accuracy import limits

from assay.api.accuracy import accuracy, quick


@pytest.mark.slow
def test_no_source_is_worse_than_its_limit(published: list[Path]) -> None:
    kept = os.environ.get(program.FIGURES)
    now = json.loads(Path(kept).read_text(encoding="utf-8")) if kept else None
    found = now or limits.figures(accuracy(published), quick(published))
    assert found
    assert limits.broken(found, limits.read()) == []
