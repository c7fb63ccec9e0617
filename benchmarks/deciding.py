"""How fast decisions are made, in CPU-seconds of one thread; prints one JSON object.

A million draws of the worked case (a server of eight, ten inputs with ranges), and each shipped pilot from its file to
its decision and to its page.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from assay.api.deciding import decide
from assay.api.reporting import report_decision
from assay.assumption import Assumption, exactly
from assay.decide.case import Case
from assay.decide.cost import used_usd_per_s
from assay.decide.money import MONTH_S, YEAR_S
from assay.decide.simulate import simulate
from assay.decision import Decision

PILOTS = Path(__file__).resolve().parent.parent / "examples" / "pilots"
DRAWS = 1_000_000
DAY = "2026-11-27"


def about(value: float, low: float, high: float) -> Assumption:
    return Assumption(value=value, low=low, high=high)


# Eight H100 for 250,000 USD in colocation, and how far each input may be off.
WORKED = {
    "utilization": about(0.7, 0.4, 0.9),
    "price_usd": about(250e3, 190e3, 330e3),
    "server_life_s": about(5 * YEAR_S, 3 * YEAR_S, 6 * YEAR_S),
    "resale": about(0.1, 0.0, 0.3),
    "cost_of_capital": about(0.1, 0.06, 0.15),
    "colo_usd_per_w_per_s": about(184.06 / 1e3 / MONTH_S, 120 / 1e3 / MONTH_S, 250 / 1e3 / MONTH_S),
    "maintenance_share": about(0.05, 0.02, 0.1),
    "staff_usd_per_s": about(6e3 / YEAR_S, 2e3 / YEAR_S, 15e3 / YEAR_S),
    "electricity_usd_per_j": about(0.087 / 3.6e6, 0.05 / 3.6e6, 0.15 / 3.6e6),
    "pue": about(1.35, 1.1, 1.6),
    "power_load": exactly(0.8),
    "availability": exactly(0.97),
}
CASE = Case(
    name="worked", nodes=1, per_node=8, clusters=1, horizon_s=3 * YEAR_S, power_w=10.2e3,
    covers=frozenset({"network", "storage", "racks", "install", "spares"}), keys={name: name for name in WORKED},
)  # fmt: skip


def draws(n: int = DRAWS) -> tuple[float, float, float]:
    """P5, P50 and P95 of the cost of a used accelerator-hour, in USD, from so many draws."""

    found = simulate([CASE], WORKED, {"used": lambda o: used_usd_per_s(o.bill)}, n=n, keep_inputs=False)
    low, middle, high = np.quantile(found.figures["worked"]["used"], (0.05, 0.5, 0.95))
    return 3600 * float(low), 3600 * float(middle), 3600 * float(high)


def taken(action: Callable[[], object], repetitions: int) -> list[float]:
    """CPU-seconds of each repetition, the fastest first."""
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return sorted(times)


def measure(repetitions: int = 5, n: int = DRAWS) -> dict[str, object]:
    """Every figure of this benchmark."""
    found: dict[str, object] = {"draws": n, "drawn": draws(n), "draw_s": taken(lambda: draws(n), repetitions)}
    pilots: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "decision.html"
        for file in sorted(PILOTS.glob("*/pilot.toml")):
            made: Decision = decide(file, today=DAY)
            pilots[file.parent.name] = {
                "decide_s": taken(lambda file=file: decide(file, today=DAY), 3),  # type: ignore[misc]
                "report_s": taken(lambda made=made: report_decision(made, page), 3),  # type: ignore[misc]
            }
    return {**found, "pilots": pilots}


if __name__ == "__main__":
    json.dump(measure(), sys.stdout)
