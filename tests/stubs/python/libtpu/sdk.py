"""Metrics of a v5e host with four chips; STUB_TPU=idle: no program uses them, so all lists are empty."""

import os
from types import SimpleNamespace

DATA = {
    "tensorcore_util": ["61.20", "60.90", "61.00", "0.00"],
    "duty_cycle_pct": ["93.10", "92.80", "93.00", "0.00"],
    "runtime_hbm_utilization": ["44.10", "43.70", "44.00", "0.00"],
    "hbm_capacity_total": ["17066622976"] * 4,
    "hbm_capacity_usage": ["15032385536", "15032385536", "15032385536", "0"],
    "tpu_throttle_score": ["0-0", "1-1", "2-0", "3-0"],
    "ici_link_health": [
        "tray1.chip0.ici0.int: 0", "tray1.chip0.ici1.int: 0", "tray1.chip1.ici0.int: 0", "tray1.chip1.ici1.int: 10",
        "tray1.chip2.ici0.int: 0", "tray1.chip3.ici0.int: 0",
    ],
    "hlo_execution_timing": ["[tensorcore_0, 812.0, 800.0, 910.0, 950.0, 1200.0]", "[tensorcore_1, 815, 801, 9, 9, 9]"],
    "idle_duration": [],
    "hlo_queue_size": ["tensorcore_0: 0"],
}  # fmt: skip
_calls = [0]


def _metric(name):
    _calls[0] += 1
    data = DATA[name] if name != "idle_duration" else ["0", "0", "0", str(10 + _calls[0])]
    if os.environ.get("STUB_TPU") == "idle":
        data = []
    return SimpleNamespace(data=lambda: data, description=lambda: name)


tpumonitoring = SimpleNamespace(list_supported_metrics=lambda: list(DATA), get_metric=_metric)
