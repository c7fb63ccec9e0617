"""What training programs print comes out under the canonical names, in SI, at the step it belongs to."""

from __future__ import annotations

import pytest
from tests.measure.logs import columns, heard, recorded, steps, values, warnings

from assay.measure.listen import Listener


@pytest.mark.parametrize("version", ["4", "5"])
def test_the_trainers_dictionaries_get_their_step_from_the_bar(version):
    """Values are bare in the old writing and in quotes in the new one; 4 sequences of 64 tokens are learnt a step."""
    said = heard(recorded(f"hf_trainer_{version}.log"))
    assert steps(said, "loss") == [3, 6, 9, 12, 15, 18, 21, 24]
    assert steps(said, "eval_loss") == [12, 24]
    assert values(said, "tokens") == [256.0] * 7
    assert all(5 < loss < 6 for loss in values(said, "loss"))
    assert values(said, "learning_rate")[0] == pytest.approx({"4": 0.000875, "5": 0.0009167}[version])
    assert warnings(said) == []


def test_a_mean_that_the_trainer_worked_out_is_no_sample_of_a_rate():
    said = heard(recorded("hf_trainer_5.log"))
    assert values(said, "tokens_per_s") == []
    assert values(said, "samples_per_s") == []
    assert values(said, "mean_samples_per_s") == [4.915]
    assert values(said, "loss_mean") == [5.56]


def test_buffered_reports_get_no_step_rather_than_a_wrong_one():
    raw = recorded("hf_trainer_5.log").replace(b"\r", b"\n").split(b"\n")
    bars, reports = ([line for line in raw if (b"{'" in line) == wanted] for wanted in (False, True))
    assert steps(heard(b"\n".join([*bars, *reports])), "loss") == [None] * 8


def test_bars_that_are_not_the_trainers_do_not_lead_it_astray():
    raw = b"\r  50%|# | 7/14 [00:01<00:01,  9.0it/s]\r 100%|##| 14/14 [00:02<00:00,  9.0it/s]\n"
    assert steps(heard(raw + recorded("hf_trainer_4.log")), "loss") == [3, 6, 9, 12, 15, 18, 21, 24]


def test_without_a_bar_the_trainers_lines_are_numbered_by_nobody():
    said = heard(
        b"{'loss': 2.5, 'learning_rate': 5e-05, 'epoch': 0.5}\n{'loss': 2.25, 'rewards/chosen': 1, 'epoch': 1}\n"
    )
    assert columns(said) == {
        ("", "loss"): [(None, 2.5), (None, 2.25)],
        ("", "learning_rate"): [(None, 5e-05)],
        ("", "rewards_chosen"): [(None, 1.0)],
    }


def test_somebody_elses_dictionary_is_none_of_the_trainers():
    assert heard(b"{'host': 'a', 'count': 3}\n{'epoch': 3, 'port': 8000}\n") == []


def test_megatron_says_step_time_work_and_rate():
    said = heard(recorded("megatron.log"))
    assert steps(said, "step_s") == [10, 20, 30, 40]
    assert values(said, "step_s") == pytest.approx([9.7234, 7.4129, 7.4203, 7.4311])
    assert values(said, "device_flop_per_s")[0] == pytest.approx(339.1e12)
    assert values(said, "samples") == [128.0] * 4
    assert values(said, "tokens") == [128 * 4096.0] * 4
    assert columns(said)["", "eval_loss"] == [(20, 9.801133)]
    assert values(said, "memory_reserved_bytes") == [65742 * 2**20]
    assert warnings(said) == ["Megatron counted iterations with NaN, first in the 2 up to iteration 40"]


def test_megatrons_older_layouts_mean_the_same():
    said = heard(recorded("megatron_old.log"))
    assert values(said, "step_s") == [14.82, 8.51, pytest.approx(8.4721)]
    assert values(said, "samples_per_s") == [4.319, 7.521]
    assert values(said, "device_flop_per_s") == pytest.approx([77.32e12, 134.64e12])
    assert values(said, "tokens") == [64 * 2048.0] * 3
    assert warnings(said) == []


def test_lightnings_bar_counts_on_over_epochs():
    said = heard(recorded("lightning.log"))
    assert columns(said)["", "loss"] == [
        (20, 1.23), (30, 1.07), (40, 0.981), (50, 1.01), (60, 0.9), (70, 0.786), (80, 0.729),
    ]  # fmt: skip
    assert steps(said, "eval_loss") == [40, 80]


def test_lightnings_csv_file_is_a_table_of_steps():
    said = Listener().file(recorded("lightning_metrics.csv"))
    assert steps(said, "loss") == list(range(4, 80, 5))
    assert columns(said)["", "eval_loss"][0] == (39, pytest.approx(0.9623491))
    assert {metric for _, metric in columns(said)} == {"loss", "eval_loss", "learning_rate"}


def test_nemos_lines_and_its_bar_say_the_same():
    said = heard(recorded("nemo.log"))
    assert steps(said, "loss") == [0, 1, 2, 3, 4, 5]
    assert values(said, "step_s") == [31.57, 12.36, 12.29, 12.30, 12.70, 12.71]
    assert values(said, "samples") == [512.0] * 4
    assert values(said, "device_flop_per_s") == [611.2e12]
    assert columns(said)["", "eval_loss"] == [(3, 10.98)]
    assert values(said, "memory_allocated_bytes")[0] == 24713682432


def test_deepspeeds_breakdown_is_computation_and_communication():
    said = heard(recorded("deepspeed.log"))
    line = "[Rank 0] time (ms) | fwd: 57.89 | bwd: 95.37 | bwd_inner: 85.28 | bwd_allreduce: 10.03 | step: 25.45"
    assert line.encode() in recorded("deepspeed.log")
    assert values(said, "compute_s")[0] == pytest.approx((57.89 + 85.28 + 25.45) / 1e3)
    assert values(said, "communication_s")[0] == pytest.approx(0.01003)
    assert len(values(said, "compute_s")) == 20  # micro-steps are parts of them
    assert steps(said, "learning_rate") == [0, 5, 10, 15, 20]
    assert columns(said)["", "samples_per_s"][0] == (5, pytest.approx(118.23383977523369))
    assert values(said, "memory_allocated_bytes")[0] == pytest.approx(0.41 * 2**30)


def test_deepspeeds_old_words_mean_the_same():
    said = heard(b"rank=3 time (ms) | forward: 10.0 | backward: 30.0 | backward_inner: 20.0 | "
                 b"backward_allreduce: 9.5 | step: 5.0\n")  # fmt: skip
    assert [(one.metric, one.value, one.rank) for one in said] == [
        ("compute_s", pytest.approx(0.035), 3), ("communication_s", pytest.approx(0.0095), 3),
    ]  # fmt: skip


def test_torchtitan_speaks_through_its_colours():
    said = heard(recorded("torchtitan.log"))
    assert b"\x1b[31mstep:" in recorded("torchtitan.log")
    assert steps(said, "loss") == [1, 2, 4, 6, 8, 10, 12]
    assert columns(said)["", "eval_loss"][-1] == (12, 3.4128)
    assert values(said, "device_tokens_per_s")[-1] == 22.0
    assert values(said, "memory_reserved_bytes")[-1] == pytest.approx(0.74 * 2**30)


def test_torchtitans_thousands_shares_and_older_words():
    said = heard(
        b"[rank0]:step: 1,000  loss:  4.2250  memory: 27.40GiB(28.84%)  tps: 7,520  tflops: 1,388.20  mfu: 38.87%\n"
        b"step: 20  loss:  5.1  memory: 27.40GiB(28.84%)  wps: 1,500  mfu: N/A\n"
    )
    assert columns(said)["", "device_tokens_per_s"] == [(1000, 7520.0), (20, 1500.0)]
    assert values(said, "mfu") == [pytest.approx(0.3887)]
    assert values(said, "device_flop_per_s") == [pytest.approx(1388.2e12)]


def test_mlperf_times_a_run_from_its_start_to_its_stop():
    said = heard(recorded("mllog.log"))
    assert columns(said)["", "time_to_train_s"] == [(960, pytest.approx(0.517))]
    assert values(said, "samples") == [320.0] * 3
    assert values(said, "interval_s") == [pytest.approx(0.151)] * 3
    assert values(said, "loss") == [5.0, 4.0, 3.0]
    assert columns(said)["", "eval_loss"][0] == (320, 4.1)  # llama31_8b calls its loss eval_accuracy
    assert values(said, "accuracy") == []


def test_mlperf_accuracy_is_one_where_the_benchmark_has_one():
    line = b':::MLLOG {"key": "eval_accuracy", "value": 0.7511, "time_ms": 1, "metadata": {"epoch_num": 36}}\n'
    assert columns(heard(line)) == {("", "accuracy"): [(36, 0.7511)]}
    stop = b':::MLLOG {"key": "run_stop", "value": null, "time_ms": 9, "metadata": {"status": "aborted"}}\n'
    assert warnings(heard(stop.replace(b"run_stop", b"run_start") + stop.replace(b"9,", b"99,"))) == [
        "MLPerf log: the run ended with status aborted"
    ]


def test_cerebras_rates_are_of_the_last_steps_and_of_all():
    said = heard(recorded("cerebras.log"))
    assert columns(said)["", "loss"] == [(50, 8.3125), (100, 7.25), (150, 6.53125), (200, 6.3125)]
    assert values(said, "samples_per_s") == [69.37, 68.41, 68.31, 68.29]
    assert values(said, "mean_samples_per_s") == [69.37, 68.56, 68.46, 68.42]
    assert columns(said)["", "eval_loss"] == [(200, 6.27915)]
