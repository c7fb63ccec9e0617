"""One day of eight devices at 1 Hz, by the way it is really written: its size, and how soon each question is answered.

    python -m benchmarks.day [--hours 24] [--devices 8]

The readings are those of the suite's fake devices: twenty sensors each, with noise, quantised as real sensors are. An
hour is written as the sampler's journal, and turned into columns as a run does it.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

from tests.telemetry import fake_device as fake

from assay import store
from assay.api.observing import observe
from assay.journal import Writer
from assay.run import Run
from assay.series import Series

HOUR_S = 3600
HEAD = Run(id="", name="day", command=(), started="2026-11-27T00:00:00+00:00", duration_s=0.0, environment={})
ASKED = {
    "by device": ("accel.power_w", "accel.busy"),
    "by hour": ("accel.power_w", "accel.matrix.active"),
    "share below": ("accel.busy",),
    "growth": ("accel.energy_j",),
}


def journal(sensors: list[Series], hour: int) -> str:
    """An hour as the sampler writes it: a line a device and second."""
    writer, lines = Writer(), list[str]()
    devices: dict[str, list[Series]] = {}
    for one in sensors:
        devices.setdefault(one.of, []).append(one)
    for second in range(HOUR_S * hour, HOUR_S * (hour + 1)):
        for of, theirs in devices.items():
            told = [(s.metric, float(s.value[second]), s.quality) for s in theirs if second < len(s)]
            lines.append(writer.tick(of, float(second), told))
    return "".join(lines)


def main(args: list[str] | None = None) -> int:
    """Write the day, ask, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--devices", type=int, default=8)
    asked = parser.parse_args(args)
    day = fake.fleet(1, hours=asked.hours, devices=asked.devices, stream=False)
    with tempfile.TemporaryDirectory() as at:
        record = store.begin(HEAD, at)
        cost_s = [_hour(record, day.sensors, hour) for hour in range(asked.hours)]
        folder = record.close(record.head)
        files = list((folder / "telemetry").glob("*.parquet"))
        rows = sum(len(s) for s in day.sensors)
        size = sum(f.stat().st_size for f in files)
        print(f"{rows / 1e6:.1f} M readings in {len(files)} files: {size / 1e6:.1f} MB, {size / rows:.2f} bytes each")
        print(f"an hour becomes columns in {statistics.median(cost_s):.1f} CPU-s")
        print("\n| question | ms | of |\n|---|---|---|")
        for name, metrics in ASKED.items():
            for metric in metrics:
                print(f"| {name} | {_ms(lambda n=name, m=metric: store.questions(folder, n, m)):.0f} | {metric} |")
        every = _ms(lambda: store.telemetry(folder, metrics=["accel.power_w"]))
        print(f"| every reading | {every:.0f} | accel.power_w |")
        begin = time.perf_counter()
        observe(folder)
        print(f"\nall that `observe` makes of it: {time.perf_counter() - begin:.1f} s")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")
    return 0


def _hour(record: store.Recorder, sensors: list[Series], hour: int) -> float:
    path = record.folder / "open" / f"telemetry-{hour:06d}.jsonl"
    path.write_text(journal(sensors, hour))
    begin = time.process_time()
    record.compact(all=True)
    return time.process_time() - begin


def _ms(ask: Callable[[], object]) -> float:
    """The median of five, after one to warm up."""
    ask()
    taken = []
    for _ in range(5):
        begin = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(taken)


if __name__ == "__main__":
    sys.exit(main())
