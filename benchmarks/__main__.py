"""Every benchmark, each in a process of its own; `--write` puts the tables into docs/performance.md.

One thread, CPU-seconds where a speed is claimed, the best of several repetitions and what the others took.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks import footprint, speed

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# Evaluations of Calculon at commit caa4b11 in its own search for the same question: a sample was timed.
CALCULON_PER_CPU_S = 216


def main(args: list[str]) -> int:
    """Run all, print the tables; with --write also keep them."""
    if set(args) - {"--write"}:
        print(f"benchmarks: {args[0]} is not an option; known: --write", file=sys.stderr)
        return 2
    parts = [machine()]
    for measure in (pricing, deciding, start_up, weight):
        print(f"benchmarks: {measure.__name__.replace('_', '-')} …", file=sys.stderr, flush=True)
        parts.append(measure())
    text = "\n\n".join(parts)
    print(text)
    if "--write" in args:
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 0


def machine() -> str:
    """Where and when this was measured."""
    names = re.findall(r"^model name\s*: (.*)", _read("/proc/cpuinfo"), re.MULTILINE)
    chip = names[0] if names else platform.processor() or platform.machine()
    load = "/".join(f"{x:.1f}" for x in os.getloadavg())
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {chip}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, NumPy {np.__version__}; load at the start {load}."
    )


def pricing() -> str:
    """Pricing, searching and the memory both take, measured in one fresh process with one thread."""
    child = [sys.executable, "-m", "benchmarks.speed"]
    done = subprocess.run(child, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, text=True, check=True)
    return speed_tables(json.loads(done.stdout))


def speed_tables(m: dict[str, Any]) -> str:
    """The figures of `benchmarks.speed` as tables."""
    calculon_s = speed.CALCULON_SETTINGS / CALCULON_PER_CPU_S
    covered_s, equal_s = m["covered_s"][0], m["settings"] / CALCULON_PER_CPU_S
    usual, widest = m["usual"], m["widest"]
    rows = [
        _speed(f"{m['plans']:,} plans priced: time, memory, cost, energy", m["plans"], m["price_s"]),
        _speed("the search, usual options", usual[0], m["usual_s"]),
        _speed("the search, every option", widest[0], m["widest_s"]),
        _speed(f"{m['settings']:,} settings, everything included", m["settings"], m["covered_s"]),
    ]
    return "\n\n".join(
        (
            "### Speed",
            _table(("what", "CPU-s, best", "median", "worst", "repetitions", "plans per CPU-s"), rows),
            f"The search considers {usual[0]:,} legal plans with its usual options, of which {usual[1]:,} fit, and "
            f"{widest[0]:,} with every option, of which {widest[1]:,} fit. The last row goes over those "
            f"{m['distinct']:,} distinct plans until {m['settings']:,} are priced; each pass builds its table and its "
            "grid again.",
            "### Beside Calculon",
            _table(
                ("GPT-3 175B, 512 A100, batch 512", "settings", "per CPU-s", "CPU time"),
                [
                    ("Calculon", f"{speed.CALCULON_SETTINGS:,}", f"{CALCULON_PER_CPU_S}", f"{calculon_s / 3600:.1f} h"),
                    ("Assay, as many", f"{m['settings']:,}", _count(m["settings"] / covered_s), f"{covered_s:.1f} s"),
                ],
            ),
            f"In the same CPU time Assay prices {_count(equal_s / covered_s)} times as many settings. They are not the "
            "same settings: see below.",
            "### Memory",
            f"Peak resident memory of a process that ran both searches and priced {m['settings']:,} settings: "
            f"**{m['peak_bytes'] / 1e6:.0f} MB**, {m['start_bytes'] / 1e6:.0f} MB of them after the imports.",
        )
    )


def deciding() -> str:
    """Draws, decisions and their pages, in one fresh process with one thread."""
    child = [sys.executable, "-m", "benchmarks.deciding"]
    done = subprocess.run(child, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, text=True, check=True)
    return decision_table(json.loads(done.stdout))


def decision_table(m: dict[str, Any]) -> str:
    """The figures of `benchmarks.deciding` as a table."""
    low, middle, high = m["drawn"]
    rows = [_taken(f"{m['draws']:,} draws of a bill with ten uncertain inputs", m["draw_s"])]
    for name, times in m["pilots"].items():
        rows.append(_taken(f"`pilot decide` of {name}", times["decide_s"]))
        rows.append(_taken("… its page", times["report_s"]))
    return (
        "### Deciding\n\n" + _table(("what", "CPU-s, best", "median", "worst", "repetitions"), rows) + "\n\n"
        f"The draws give {low:.2f}, {middle:.2f} and {high:.2f} USD for a used accelerator-hour at 5, 50 and 95 %."
    )


def start_up() -> str:
    """How long a user waits for the first line."""
    rows = []
    for name, command in footprint.COMMANDS.items():
        wall_s, cpu_s = footprint.start(command)
        held, foreign = footprint.modules(command[1:] if command[0] == footprint.ASSAY else [])
        rows.append((f"`{name}`", f"{1e3 * wall_s:.0f} ms", f"{1e3 * cpu_s:.0f} ms", str(held), ", ".join(foreign)))
    return "### Start\n\n" + _table(
        ("best of 10", "wall", "CPU", "modules", "packages beside the standard library"), rows
    )


def weight() -> str:
    """What `pip install assay` puts on a disk."""
    sizes = {name: footprint.size_bytes(held) for name, held in footprint.installed().items()}
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])
    rows = [(name, f"{size / 1e6:.1f}") for name, size in heaviest[:5]]
    rest = sum(size for _, size in heaviest[5:])
    rows += [(f"{len(heaviest) - 5} others", f"{rest / 1e6:.1f}"), ("sum", f"{sum(sizes.values()) / 1e6:.1f}")]
    return (
        f"### Installation\n\nAssay brings {len(sizes)} distributions, no PyTorch among them, with "
        f"{sum(sizes.values()) / 1e6:.0f} MB on disk.\n\n{_table(('distribution', 'MB'), rows)}"
    )


def filled(page: str, text: str) -> str:
    """The page with these tables in place of the old ones."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"benchmarks: {PAGE.name} has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def _speed(what: str, plans: int, taken_s: list[float]) -> tuple[str, ...]:
    times = (taken_s[0], taken_s[len(taken_s) // 2], taken_s[-1])
    return (what, *(f"{t:#.3g}" for t in times), str(len(taken_s)), _count(plans / taken_s[0]))


def _taken(what: str, taken_s: list[float]) -> tuple[str, ...]:
    times = (taken_s[0], taken_s[len(taken_s) // 2], taken_s[-1])
    return (what, *(f"{t:#.3g}" for t in times), str(len(taken_s)))


def _count(value: float) -> str:
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{float(f'{value:.3g}'):,.0f}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = [tuple(head), *(tuple(row) for row in rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:]])


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
