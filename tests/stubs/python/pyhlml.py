# ruff: noqa: N802, T201 - the names are Habana's, and so is what it prints
"""A stand-in for Habana's binding, in the shapes of habana-pyhlml 1.24: two Gaudi 2."""

import os
import time
from types import SimpleNamespace

BEGAN_S = time.monotonic()


class HLMLError(Exception):
    def __init__(self, code):
        super().__init__(f"HLML Error with code {code}")


def hlmlInit():
    if os.environ.get("STUB_HLML") == "absent":
        print("Failed to load libhlml")
        raise HLMLError(1)


def hlmlShutdown():
    pass


def hlmlDeviceGetCount():
    return 2


def hlmlDeviceGetHandleByIndex(index):
    return index


def hlmlGetDriverVersion():
    return b"1.24.2-4c1b8e4"


def hlmlDeviceGetUUID(card):
    return f"01P0-HL2080A0-15-TN8S77-06-04-{card:02d}".encode()


def hlmlDeviceGetName(card):
    return b"HL-225"


def hlmlDeviceGetUtilizationRates(card):
    return SimpleNamespace(aip=0 if card else 93, memory=0)


def hlmlDeviceGetMemoryInfo(card):
    used = 704643072 if card else 89_000_000_000
    return SimpleNamespace(free=103079215104 - used, total=103079215104, used=used)


def hlmlDeviceGetPowerUsage(card):
    return 98_000 if card else 512_300


def hlmlDeviceGetTotalEnergyConsumption(card):
    return int(1e9 + hlmlDeviceGetPowerUsage(card) * (time.monotonic() - BEGAN_S))


def hlmlDeviceGetTemperature(card, sensor):
    if sensor == 3 and card:
        raise HLMLError(2)
    return 26 + (35 if not card else 0) + sensor


def hlmlDeviceGetClockInfo(card, which=0):
    return 1650


def hlmlDeviceGetCurrentClocksThrottleReasons(card):
    return 0 if card else 1


def hlmlDeviceGetPowerManagementDefaultLimit(card):
    return 600_000


def hlmlDeviceGetTotalECCErrors(card, kind, since):
    if kind == 0:
        raise HLMLError(3)
    return 0
