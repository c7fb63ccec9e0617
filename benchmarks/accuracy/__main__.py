"""How accurate predictions are: docs/how-accurate.md, its plots, and the limits that hold it. `make accuracy`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.accuracy import limits
from benchmarks.accuracy.goals import goals, goals_table
from benchmarks.accuracy.page import page
from benchmarks.accuracy.plots import plots

from assay.api.accuracy import Accuracy, accuracy, quick

ROOT = Path(__file__).resolve().parents[2]
PAGE, PLOTS = ROOT / "docs" / "how-accurate.md", ROOT / "docs" / "accuracy"
LIMITS = limits.FILE
PUBLISHED, FIGURES = "ASSAY_PUBLISHED", "ASSAY_ACCURACY_FIGURES"


def main(args: list[str]) -> int:
    """Compute, hold the limits, write. --loosen REASON lets figures be worse than they were."""
    if args and (args[0] != "--loosen" or len(args) != 2 or not args[1].strip()):
        print(f'accuracy: {args[0]} is not understood; known: --loosen "REASON"', file=sys.stderr)
        return 2
    paths = tables()
    if not paths:
        print(
            "accuracy: no published results here, so the page stays as it is. Name their folder: "
            f"{PUBLISHED}=FOLDER make accuracy (CSV files as in docs/published-format.md)"
        )
        return 0
    start = time.monotonic()
    found = accuracy(paths, lambda words: tell(words, start))
    now = limits.figures(found, quick(paths))
    print(goals_table(goals(found)))
    if not args and not held(now):
        tell('worse than a limit, so nothing was written; --loosen "REASON" says why it may be', start)
        return 1
    why = f"{datetime.now(UTC):%Y-%m-%d}: {args[1].strip()}" if args else ""
    write(found, now, why, (time.monotonic() - start) / 60)
    return 0


def tables() -> list[Path]:
    """The published results, where there are any."""
    named = os.environ.get(PUBLISHED)
    folder = Path(named) if named else ROOT.parent / "shared" / "published" / "training"
    return sorted(folder.glob("*.csv"))


def held(now: limits.Figures) -> bool:
    """Whether every limit holds: the guard in tests/accuracy, on figures that were just computed."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder, "figures.json")
        kept.write_text(json.dumps(now), encoding="utf-8")
        guard = [sys.executable, "-m", "pytest", "-q", "-m", "slow", "tests/accuracy"]
        return subprocess.run(guard, cwd=ROOT, env=os.environ | {FIGURES: str(kept)}, check=False).returncode == 0


def write(found: Accuracy, now: limits.Figures, why: str, minutes: float) -> None:
    """The page, its plots and the limits."""
    PLOTS.mkdir(exist_ok=True)
    for name, drawn in plots(found).items():
        PLOTS.joinpath(name).write_text(drawn, encoding="utf-8")
    PAGE.write_text(page(found, datetime.now(UTC).date(), minutes), encoding="utf-8")
    limits.write(limits.tightened(now, limits.read(LIMITS), why), LIMITS)


def tell(words: str, start: float) -> None:
    print(f"accuracy: {time.monotonic() - start:5.0f} s  {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
