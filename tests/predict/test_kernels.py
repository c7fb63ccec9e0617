"""What attention's shape is worth, and what kernels alone say of a device: laws, and a made-up chip found again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.kernels.__main__ import attended, products
from hypothesis import given
from hypothesis import strategies as st

from assay.api.learning import prior
from assay.calibration import Calibration, Constants
from assay.catalog import accelerators
from assay.catalog.calibrations import calibration, calibrations, write
from assay.errors import InputError
from assay.model import Attention, FeedForward
from assay.plan import ContextKind, Plan
from assay.predict import estimate
from assay.predict.calibrated import calibrate_for
from assay.predict.roofline import attention_shape_share, matmul_shape_share

from .conftest import cluster, training
from .test_laws import FREE
from .test_trial import blocks_of

MORE = st.floats(1.0, 1e6)


@given(MORE, MORE, st.floats(0, 1e4), st.floats(0, 1e3))
def test_longer_sequences_and_wider_heads_never_reach_less(length, width, half_len, half_head):
    c = replace(Constants(), attention_half_len=half_len, attention_half_head=half_head)
    one = float(attention_shape_share(length, width, c))
    assert 0 < one <= 1 + 1e-9
    assert float(attention_shape_share(2 * length, width, c)) >= one - 1e-12
    assert float(attention_shape_share(length, 2 * width, c)) >= one - 1e-12


def test_half_of_the_rate_is_reached_at_the_length_that_says_so():
    c = Constants()
    assert float(attention_shape_share(c.attention_half_len, 128.0, c)) == pytest.approx(0.5)
    assert float(attention_shape_share(1e12, 256.0, c)) == pytest.approx(1.0)
    assert float(attention_shape_share(0.0, 0.0, c)) == 1.0  # nothing is known of it


def attending(context_kind: ContextKind = ContextKind.RING, context: int = 1, **changes: object) -> float:
    narrow = Attention(**({"heads": 64, "kv_heads": 64, "head_dim": 64} | changes))  # type: ignore[arg-type]
    model = blocks_of(narrow, FeedForward(hidden=8192), "attending")
    plan = Plan(data=8 // context, context=context, context_kind=context_kind)
    terms = estimate.terms_of(training(model, seq_len=8192, global_batch=8), cluster(), plan, FREE)
    return float(np.ravel(terms["attention"])[0])


def test_narrow_heads_take_longer_for_the_same_work():
    assert attending() > 1.05 * attending(heads=32, kv_heads=32, head_dim=128)


def test_keys_that_come_in_parts_are_shorter_sequences():
    """The same work on each device; passed round a ring, a kernel sees an eighth of the keys at a time."""
    ring, gathered = (attending(kind, context=8) for kind in (ContextKind.RING, ContextKind.GATHER))
    assert ring > 1.1 * gathered


def test_a_window_lies_in_one_part_or_two_of_a_ring():
    near = {
        kind: attending(kind, context=8, kind="sliding", window=256) for kind in (ContextKind.RING, ContextKind.GATHER)
    }
    assert near[ContextKind.GATHER] < near[ContextKind.RING] < 2.0 * near[ContextKind.GATHER]


def test_a_window_is_a_short_sequence():
    whole, near = attending(), attending(kind="sliding", window=256)
    assert near > whole * 256 / 8192 * 1.5


# --- kernels as priors ---------------------------------------------------------------------------------------------

KERNELS = Calibration(
    name="k",
    applies_to="h100-sxm",
    evidence="D",
    constants={},
    residual_ln=0.5,
    offsets={"attention": 0.5, "launch_s": -1},
)
CLASS = Calibration(name="c", applies_to="gpu", evidence="C", constants={"attention": 0.5}, residual_ln=0.2)


def test_kernels_move_what_the_class_knows_and_nothing_of_how_surely():
    chip = accelerators()["h100-sxm"]
    before, after = calibrate_for(chip, [CLASS]), calibrate_for(chip, [CLASS, KERNELS])
    assert after.constants.attention == pytest.approx(1 / (1 + np.exp(-0.5)))
    assert after.constants.launch_s == pytest.approx(before.constants.launch_s / np.e)
    assert (after.evidence, after.residual_ln) == (before.evidence, before.residual_ln) == ("C", 0.2)
    assert after.sources == ("c", "k")


def test_a_calibration_with_offsets_is_read_as_it_was_written(tmp_path):
    write(KERNELS, tmp_path / "k.toml")
    assert "launch = -1" in (tmp_path / "k.toml").read_text()
    assert calibration(tmp_path / "k.toml").offsets == KERNELS.offsets
    (tmp_path / "k.toml").write_text((tmp_path / "k.toml").read_text().replace("attention =", "atention ="))
    with pytest.raises(InputError, match="offsets: atention"):
        calibration(tmp_path / "k.toml")


@pytest.mark.parametrize(
    "changes",
    [{"constants": {"matmul": 0.5}}, {"evidence": "A"}, {"applies_to": "gpu"}, {"applies_to": "gpu NVIDIA"},
     {"applies_to": "all"}],
    ids=str,
)  # fmt: skip
def test_offsets_that_would_be_lost_are_refused(tmp_path, changes):
    with pytest.raises(InputError, match="stand alone in a calibration of evidence D"):
        write(replace(KERNELS, **changes), tmp_path / "k.toml")


@pytest.mark.parametrize("name", ["speed", "reserve_bytes", "tile", "nope"])
def test_offsets_of_what_no_kernel_says_are_refused(tmp_path, name):
    write(KERNELS, tmp_path / "k.toml")
    (tmp_path / "k.toml").write_text((tmp_path / "k.toml").read_text().replace("attention =", f"{name} ="))
    with pytest.raises(InputError, match=f"offsets: {name}"):
        calibration(tmp_path / "k.toml")


def test_priors_know_a_devices_kernels():
    shipped = {found.applies_to: found for found in calibrations() if found.offsets}
    assert len(shipped) >= 15
    usual, hopper = prior("gpu"), prior("gpu", device="h100-sxm")
    assert hopper.matmul_8bit < usual.matmul_8bit
    assert hopper.matmul == usual.matmul  # a burst of products says little of a step
    assert prior("gpu", device="b200-sxm").attention_half_head > hopper.attention_half_head
    assert prior("gpu", device="mi300x") == usual


def test_a_made_up_chip_is_found_again():
    chip = accelerators()["a100-sxm-80gb"]
    truth = Constants(attention=0.62, attention_half_len=700, attention_half_head=39)
    shapes = [(b, s, h, d) for b in (1, 4) for s in (512, 2048, 8192) for h in (32, 64) for d in (64, 128)]
    b, s, h, d = np.array(shapes, dtype=float).T
    share = truth.attention * attention_shape_share(s, d, truth)
    latency = 1e3 * 2 * b * h * s**2 * d / share / chip.peak_flop_per_s["bf16"]
    table = {"batch_size": b, "isl": s, "num_heads": h, "head_dim": d, "latency": latency}
    found = attended(table, chip.peak_flop_per_s["bf16"])
    assert found == pytest.approx({name: getattr(truth, name) for name in found}, rel=0.02)
    assert len(found) == 3
    edges = [512, 1024, 2048, 4096, 8192]
    m, n, k = np.array([(m, n, k) for m in edges for n in edges for k in edges], dtype=float).T
    shape = matmul_shape_share(m, n, k, 1.0, 108.0, Constants(matmul_half_k=90))
    latency = 1e3 * (2.0 * m * n * k / (0.8 * shape * chip.peak_flop_per_s["bf16"]) + 3e-6)
    told = products({"m": m, "n": n, "k": k, "latency": latency}, chip, "bf16", Constants())
    assert told == pytest.approx((0.8, 90, 3e-6), rel=0.1)
