"""This machine in the formulas' terms: what made the timings is found again, and unseen shapes are predicted."""

from __future__ import annotations

import pytest

from assay.calibration import Constants
from assay.errors import InputError
from assay.hardware import Accelerator
from assay.predict.host import Rates, calibrate_host, seconds
from assay.run import Case
from assay.summary import CaseSummary

SHAPES = [
    (64, 64, 64), (128, 128, 128), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (512, 2048, 512),
    (2048, 512, 64), (64, 4096, 1024), (256, 256, 2048), (384, 1536, 384), (1024, 1024, 64), (768, 768, 768),
]  # fmt: skip
RATES = Rates(memory_bytes=16e9, bandwidth_bytes_per_s=20e9, threads=4)
CHIP = Accelerator(
    name="truth", vendor="", architecture="cpu", peak_flop_per_s={"fp32": 400e9, "fp64": 200e9}, memory_bytes=16e9,
    bandwidth_bytes_per_s=20e9, compute_units=4,
)  # fmt: skip
TRUE = Constants(matmul=0.8, matmul_half_k=60.0, tile=16.0, memory=0.7, launch_s=10e-6)


def timed(shape: tuple[int, int, int], dtype: str = "fp32", *, steady: bool = True, factor: float = 1.0) -> CaseSummary:
    m, n, k = shape
    flop = 2.0 * m * n * k
    case = Case(name=f"{dtype} {m}x{n}x{k}", kind="matmul", dtype=dtype, flop=flop, shape=shape)
    bare = CaseSummary(
        case=case, n=10, dropped=1, time_s=1.0, low_s=None, high_s=None, best_s=1.0, spread=0.0, rate=flop,
        rate_low=None, rate_high=None, rate_unit="flop_per_s", steady=steady,
    )  # fmt: skip
    time = factor * seconds(bare, CHIP, TRUE)
    return CaseSummary(
        case=case, n=10, dropped=1, time_s=time, low_s=time, high_s=time, best_s=time, spread=0.0, rate=flop / time,
        rate_low=None, rate_high=None, rate_unit="flop_per_s", steady=steady,
    )  # fmt: skip


def test_a_machine_that_obeys_the_law_is_predicted_within_a_tenth():
    host = calibrate_host([timed(s, d) for s in SHAPES for d in ("fp32", "fp64")], RATES)
    assert host.typical_error < 0.1
    assert host.calibration.evidence == "A"


def test_half_of_the_shapes_take_no_part_in_the_fit():
    host = calibrate_host([timed(s) for s in SHAPES], RATES)
    held = [p for p in host.points if p.held_out]
    assert len(held) == len(SHAPES) // 2
    assert host.calibration.rows == len(SHAPES) - len(held)


def test_a_lie_in_the_unseen_half_widens_the_interval_and_leaves_the_constants_alone():
    honest = [timed(s) for s in SHAPES]
    by_work = sorted(honest, key=lambda s: s.case.flop or 0.0)
    victim = by_work[5].case.shape  # the second, fourth, sixth … by work are the test half
    lying = [timed(s, factor=3.0 if s == victim else 1.0) for s in SHAPES]
    one, two = calibrate_host(honest, RATES), calibrate_host(lying, RATES)
    assert two.calibration.constants == one.calibration.constants
    assert two.calibration.residual_ln > one.calibration.residual_ln


def test_shapes_that_never_settled_teach_nothing():
    with pytest.raises(InputError, match="settled"):
        calibrate_host([timed(s, steady=i > 7) for i, s in enumerate(SHAPES)], RATES)
