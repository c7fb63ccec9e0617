"""Any workload that has cases, for hours: one of them again and again without pause, a line for each second.

`time_s` of a line is the sum of the times of a window over the number of repetitions in it. Beside it stands what the
framework's allocator holds. Whether the device throttled, drifted, leaked or fragmented is not decided here: that takes
the sensors' readings of the same hours.
"""

from __future__ import annotations

import fnmatch
import time
from typing import Any

BUDGET_S = (600.0, 20.0)
OPTIONS = {
    "of": ("gemm", "the workload that is sustained: gemm, membw, copy, launch or storage"),
    "case": ("*", "its case, by a glob; of several the one with the highest rate on the chosen device"),
    "minutes": ("auto", "how long; auto: the budget, 10 minutes"),
}

_WINDOW_S = 1.0
_BATCH_S = 0.05  # repetitions between two looks at the clock: what a wait for the device costs is little beside it
_LOOK_S = 0.05  # what each case is tried for, to find the one with the highest rate
_TRIES_S = 30.0  # … and all together


def run(kit: Any) -> None:
    """Choose the case, and repeat it to the end."""
    minutes = kit.options["minutes"]
    try:
        budget_s = float(kit.settings["budget_s"]) if minutes == "auto" else 60 * float(minutes)
    except ValueError:
        budget_s = 0.0
    if not 0 < budget_s < 1e7:
        raise SystemExit(f"minutes: {minutes} is no length of time; write a number of minutes, such as 120")
    case, step, before = choose(kit, plan(kit))
    name = f"sustain {case['name']}"
    told = {key: value for key, value in case.items() if key not in {"least_s", "fewest"}} | {"name": name}
    kit.emit(event="setting", name="sustained", value=case["name"])
    kit.emit(event="begin", case=told, number=1, of=1)
    try:
        for index, window in enumerate(windows(step, before, budget_s)):
            kit.emit(case=name, step=index, time_s=window[0] / window[1], loops=window[1], **kit.memory())
    except Exception as error:
        why = f"{type(error).__name__}: {(str(error).strip() or 'no reason given').splitlines()[0]}"
        if kit.oom(error):
            kit.emit(event="happened", kind="oom", text=why, of=name)
        kit.emit(event="skip", case=name, why=why, for_time=False)
        return
    kit.emit(event="end", case=name)


def plan(kit: Any) -> list[Any]:
    """The cases of the workload that was asked for."""
    of = kit.options["of"]
    if not of.replace("-", "_").isidentifier() or of == "sustain":
        raise SystemExit(f"of: {of} cannot be sustained; write gemm, membw, copy, launch or storage")
    workload = kit.beside(of.replace("-", "_"))
    if not hasattr(workload, "cases"):
        raise SystemExit(f"of: {of} has no cases to repeat: measure it with a long --budget instead")
    # Its own options hold while it says what its cases are.
    kit.options = {name: default for name, (default, _) in workload.OPTIONS.items()} | kit.options
    rows = [row for row in workload.cases(kit) if fnmatch.fnmatchcase(row[0]["name"], kit.options["case"])]
    if not rows:
        raise SystemExit(f"case: {of} has none that is like {kit.options['case']}; without it the fastest is taken")
    return rows


def choose(kit: Any, rows: list[Any]) -> tuple[dict[str, Any], Any, Any]:
    """The case with the highest rate, made ready: operations where there are any, else bytes, else calls per second.

    On the chosen device, where one of them is: the host's share of a plan is not what is to be sustained.
    """
    rows = [row for row in rows if row[0].get("device") == kit.place] or rows
    unit = next((u for u in ("flop", "bytes") if any(row[0].get(u) for row in rows)), "")
    best: tuple[float, Any] = (0.0, None)
    problem, end = "", time.perf_counter() + _TRIES_S
    for case, prepare, before in rows:
        if best[1] is not None and time.perf_counter() > end:
            break
        try:
            step = prepare()
            if before is not None:
                before()
            step(1)  # may load a library
            seconds, loops = next(windows(step, before, _LOOK_S, _LOOK_S))
        except Exception as error:  # this device cannot do it; another case will serve
            problem = f"{type(error).__name__}: {error}"
            kit.oom(error)
            continue
        rate = (case.get(unit) or 0.0 if unit else 1.0) * loops / seconds
        if rate > best[0]:
            best = (rate, (case, prepare, before))
    if best[1] is None:
        raise SystemExit(f"case: none could be done; the last one said: {problem}")
    case, prepare, before = best[1]
    return case, prepare(), before


def windows(step: Any, before: Any, budget_s: float, window_s: float = _WINDOW_S) -> Any:
    """(seconds, repetitions) of each window until the time is over; what is done `before` each one does not count."""
    end, batch = time.perf_counter() + budget_s, 1
    while True:
        start, spent, loops = time.perf_counter(), 0.0, 0
        while time.perf_counter() - start < window_s:
            if before is not None:
                before()
            begin = time.perf_counter()
            step(batch)
            taken = time.perf_counter() - begin
            spent, loops = spent + taken, loops + batch
            if before is None:
                batch = max(1, min(2 * batch, int(_BATCH_S / max(taken / batch, 1e-9))))
        yield spent, loops
        if time.perf_counter() >= end:
            return
