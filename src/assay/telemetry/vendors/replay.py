"""Plays a recording instead of asking devices, so that everything can be tried on a laptop.

`ASSAY_REPLAY=recording.jsonl` names it. It plays at the pace it was recorded at; with `ASSAY_REPLAY_PACE=full` every
call gets the next answer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from assay.errors import InputError
from assay.machine import Device
from assay.telemetry import reading
from assay.telemetry.reading import Field, Imported, Raw, Reading
from assay.telemetry.recording import Answer, opened

NAME = "replay"
FIELDS: tuple[Field, ...] = ()  # those of the vendor whose answers are played
PROMETHEUS: Mapping[str, Imported] = {}

NEWS = ("about", "warnings", "events")  # is told once, and so is handed on by an answer that is passed over
FILE, PACE = "ASSAY_REPLAY", "ASSAY_REPLAY_PACE"


def probe(root: Path, environment: Mapping[str, str]) -> tuple[Device, ...]:
    """The devices of the recording that the environment names."""
    path = environment.get(FILE)
    if not path:
        return ()
    _, answers = opened(Path(path))
    first = next(answers, Answer(0.0, {"devices": []}))
    described = reading.about(first.raw) or tuple(
        Device(id=str(device["id"]), name=str(device["id"]), vendor="") for device in first.raw["devices"]
    )
    return tuple(replace(device, address=path, found_by="recording") for device in described)


def read(devices: Sequence[Device]) -> Iterator[Raw]:
    """The answers of the recording: nothing while none is due or left, and of several that are due the newest."""
    path = os.environ.get(FILE) or next((device.address for device in devices), "")
    if not path:
        raise InputError("there is nothing to replay", where=FILE, hint=f"set {FILE} to the path of a recording")
    told, answers = opened(Path(path))
    vendor = {"vendor": told["vendor"]}
    if os.environ.get(PACE) == "full":
        yield from ({**answer.raw, **vendor} for answer in answers)
        return
    began_s, ahead = time.monotonic(), next(answers, None)
    first_s = ahead.at_s if ahead else 0.0
    while True:
        due: Raw = {"devices": []}
        while ahead is not None and ahead.at_s - first_s <= time.monotonic() - began_s:
            due = {**{key: due[key] for key in NEWS if key in due}, **ahead.raw}
            ahead = next(answers, None)
        yield {**due, **vendor}


def normalise(raw: Raw) -> Iterator[Reading]:
    """Readings by the plug-in of the vendor who was recorded."""
    from assay.telemetry.plugins import load

    yield from load(raw["vendor"]).normalise(raw)
