"""How true the load generator is: `python -m benchmarks.load_truth [--quick]` prints a table.

A fake server with known timing (tests/fakes/openai_server.py) writes down what it really sent when; our figures are
compared with that, request by request and token by token. Figures of other clients are those of an earlier study on a
like host (2 shared cores, load 3 to 11) against a server of the same timing; they were not taken at the same moment.

As root the server has precedence over all other processes, so that what it writes down is true on a crowded host, too,
and a second column shows the client with precedence as well (`realtime=true`): it says what the client adds, where the
first says what the crowd adds besides.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.fakes.openai_server import running

ENGINE = Path(__file__).resolve().parents[1] / "src" / "assay" / "measure" / "workloads" / "engine.py"
TTFT_S, ITL_S, STREAMS = 0.05, 0.01, 16
STALL_S, EVERY_S = 1.0, 5.0
# Of an earlier study: time to first token over the truth, 50.8 ms; the p99 of a request where the server stands still
# for 1 s in 5; requests per second of a server that answers at once, 32 streams.
OTHERS = {
    "TTFT too long, p50": "aiperf +2.8 ms, guidellm +2.0 ms",
    "ITL too long, p50": "aiperf +0.08 ms, guidellm -0.04 ms",
    "closed loop of 2, p99": "aiperf 35 ms: the stall is hidden",
    "most requests/s": "aiperf 711, guidellm 277",
}


def main(args: list[str]) -> int:
    """Measure and print."""
    if set(args) - {"--quick"}:
        print(f"load_truth: {args[0]} is not an option; known: --quick", file=sys.stderr)
        return 2
    quick = "--quick" in args
    root = os.geteuid() == 0 and shutil.which("chrt") is not None
    first = ("chrt", "-f", "2") if root else ()
    columns = {"Assay": study(quick, first, {})}
    if root:
        columns["Assay, realtime=true"] = study(quick, first, {"realtime": "true"})
    print(f"Load at the start {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.\n")
    print(table(columns))
    return 0


def study(quick: bool, before: tuple[str, ...], more: dict[str, str]) -> dict[str, str]:
    """All rows of one column."""
    return {**truth(quick, before, more), **stalls(quick, before, more)}


def truth(quick: bool, before: tuple[str, ...], more: dict[str, str]) -> dict[str, str]:
    """What the client adds to times that are known, and the most it can do."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        timing = ("--ttft", str(TTFT_S), "--itl", str(ITL_S), "--role-first", "--log", str(log))
        with running(*timing, before=before) as port:
            lines = serve(port, concurrency=STREAMS, requests=80 if quick else 480, output_tokens=50, **more)
        sent = {row["id"].rpartition("-")[2]: row for row in map(json.loads, log.read_text().splitlines()) if row["id"]}
    ttft, itl = [], []
    for line in counted(lines):
        real = sent[str(line["step"])]
        if "ttft_s" in line:
            ttft.append((line["ttft_s"] - (real["sent_s"][0] - real["received_s"]), line["ttft_s"] - TTFT_S))
        else:
            itl += [mine - (b - a) for mine, (a, b) in zip(line["itl_s"], pairwise(real["sent_s"]), strict=True)]
    facts = {line["name"]: line["value"] for line in lines if line.get("event") == "fact"}
    over, late = [a for a, _ in ttft], [b for _, b in ttft]
    (check,) = (x for x in lines if x.get("event") == "check" and x["name"] == "client in time")
    return {
        "TTFT too long, p50": ms(at(over, 0.5)),
        "TTFT too long, p99": ms(at(over, 0.99)),
        f"TTFT less the planned {1e3 * TTFT_S:.0f} ms, p50": ms(at(late, 0.5)),
        "ITL too long, p50": ms(at(itl, 0.5)),
        "ITL too long, p1 to p99": f"{ms(at(itl, 0.01))} to {ms(at(itl, 0.99))}",
        "client alone: TTFT p50": ms(facts["client_floor_ttft_s"]),
        "most requests/s": f"{facts['client_max_requests_per_s']:.0f}",
        "most tokens/s": f"{facts['client_max_tokens_per_s']:.0f}",
        "it says that it was in time": "yes" if check["passed"] else "no",
    }


def stalls(quick: bool, before: tuple[str, ...], more: dict[str, str]) -> dict[str, str]:
    """A server that stands still for 1 s in 5: what an open and a closed loop see of it."""
    found = {}
    with running("--ttft", "0.005", "--itl", "0.002", "--stall", str(STALL_S), "--stall-every", str(EVERY_S),
                 before=before) as port:  # fmt: skip
        shared = {"duration_s": 11 if quick else 31, "output_tokens": 8, "floor": "false", **more}
        for name, load in {"open loop at 40/s": {"rate": 40}, "closed loop of 2": {"concurrency": 2}}.items():
            taken = [line["request_s"] for line in counted(serve(port, **load, **shared)) if "request_s" in line]
            found |= {f"{name}, p50": ms(at(taken, 0.5), ""), f"{name}, p99": ms(at(taken, 0.99), "")}
    return found


def serve(port: int, **options: object) -> list[dict[str, Any]]:
    """The workload's lines, run as `assay measure serve` runs it."""
    told = {"url": f"http://127.0.0.1:{port}/v1"} | {name: str(value) for name, value in options.items()}
    command = [sys.executable, str(ENGINE), "serve", json.dumps({"budget_s": 30, "options": told})]
    environment = {name: value for name, value in os.environ.items() if name != "ASSAY_EMIT"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return [json.loads(line) for line in done.stdout.splitlines()]


def counted(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of requests that count."""
    return [line for line in lines if line.get("warmup") is False and line["case"] != "client floor"]


def at(values: list[float], p: float) -> float:
    """A quantile, by rank."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(p * len(ranked)))]


def ms(time_s: float, sign: str = "+") -> str:
    """In milliseconds."""
    return f"{1e3 * time_s:{sign}.2f} ms"


def table(columns: dict[str, dict[str, str]]) -> str:
    """Markdown."""
    heads: list[tuple[str, Callable[[str], str]]] = [(name, rows.__getitem__) for name, rows in columns.items()]
    heads.append(("others", lambda row: OTHERS.get(row, "")))
    lines = [["", *(name for name, _ in heads)], ["---"] * (len(heads) + 1)]
    lines += [[row, *(read(row) for _, read in heads)] for row in next(iter(columns.values()))]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
