"""Like runs are compared, unlike runs are refused, and what is not proven is not claimed."""

from dataclasses import replace

import numpy as np
import pytest

from assay.comparison import compare
from assay.errors import InputError
from assay.history import judge
from assay.judged import WALL, demand, figures_of
from assay.run import Case, Run
from assay.series import series
from assay.summary import figures

ENVIRONMENT = {
    "cpu": "EPYC",
    "numpy": "2.4",
    "torch": "2.13",
    "kernel": "Linux 6.1",
    "contended": False,
    "load_end": 0.1,
}


def a_run(seed: int = 0, slower: float = 1.0, level: float = 0.01, n: int = 40, name: str = "copy", **changes) -> Run:
    values = slower * (1 + level * np.random.default_rng(seed).standard_normal(n))
    run = Run(
        id=f"{seed}-{slower}",
        name="membw",
        command=(),
        started=f"2026-11-26T02:{seed // 60 % 60:02d}:{seed % 60:02d}.000+00:00",
        duration_s=1.0,
        environment=ENVIRONMENT,
        settings={"quick": "no", "budget_s": "9"},
        cases=(Case(name=name, kind="copy", size_bytes=1e6),),
        series=(series(name, "time_s", np.arange(n), values),),
    )
    return replace(run, **changes)


def turns(pairs: int, slower: float = 1.0, **changes) -> tuple[list[Run], list[Run]]:
    """Runs of both sides in turns: old, new, new, old, …"""
    old, new = [], []
    for i in range(pairs):
        first, second = (old, new) if i % 2 == 0 else (new, old)
        first.append(a_run(2 * i, slower if first is new else 1.0, **changes))
        second.append(a_run(2 * i + 1, slower if second is new else 1.0, **changes))
    return old, new


def verdict(old, new, **options) -> tuple[str, str]:
    (change,) = compare(old, new, **options).changes
    return change.verdict, change.why


@pytest.mark.parametrize(
    ("slower", "said"), [(1.05, "worse"), (1.3, "worse"), (0.9, "better"), (1.0, "cannot tell"), (1.01, "cannot tell")]
)
def test_runs_in_turns_prove_a_change_and_nothing_else(slower, said):
    assert verdict(*turns(10, slower))[0] == said


def test_one_run_a_side_shows_the_ratio_and_proves_nothing():
    found = compare(a_run(0), a_run(1, 3.0))
    (change,) = found.changes
    assert change.ratio == pytest.approx(3.0, rel=0.02)
    assert (change.verdict, change.more) == ("cannot tell", 7)
    assert any("assay gate" in note for note in found.notes)


def test_all_of_one_side_before_the_other_proves_nothing():
    """A then B on a drifting host gave 10 % false alarms where turns gave none."""
    old = [a_run(i) for i in range(10)]
    new = [a_run(20 + i, 1.3) for i in range(10)]
    found = compare(old, new)
    assert found.changes[0].verdict == "cannot tell"
    assert "in turns" in found.changes[0].why
    assert (found.changes[0].low, found.changes[0].high, found.changes[0].more) == (None, None, None)
    assert (found.turns, compare(*turns(10, 1.3)).turns) == (False, True)


def test_better_one_way_is_worse_the_other():
    old, new = turns(10, 0.5)
    assert (verdict(old, new)[0], verdict(new, old)[0]) == ("better", "worse")


def test_of_a_rate_more_is_better():
    def rated(run: Run) -> Run:
        (time,) = run.series
        return replace(run, series=(series("", "tokens_per_s", time.at_s, 1 / time.value),))

    old, new = turns(10, 1.1)
    (change,) = compare([rated(r) for r in old], [rated(r) for r in new], metrics=["tokens_per_s"]).changes
    assert change.verdict == "worse"
    assert change.ratio == pytest.approx(1 / 1.1, rel=0.01)


def test_a_command_that_says_nothing_is_judged_by_its_time_as_a_whole():
    old, new = turns(10)
    mute = [[replace(r, series=(), duration_s=d * (1 + i / 1000)) for i, r in enumerate(side)]
            for side, d in ((old, 1.0), (new, 1.2))]  # fmt: skip
    (change,) = compare(*mute).changes
    assert (change.metric.name, change.verdict) == (WALL, "worse")


def test_fast_samples_decide_where_neighbours_disturb_the_rest():
    """One-sided noise: every run has quiet moments, and they are 5 % slower."""
    draw = np.random.default_rng(0)

    def disturbed(run: Run) -> Run:
        (time,) = run.series
        loud = np.where(draw.random(len(time)) < 0.7, 1 + 3 * draw.random(len(time)), 1.0)
        return replace(run, series=(series("copy", "time_s", time.at_s, time.value * loud),))

    old, new = turns(10, 1.05, level=0.002)
    (change,) = compare([disturbed(r) for r in old], [disturbed(r) for r in new]).changes
    assert (change.verdict, change.figure) == ("worse", "fastest")


def test_warm_up_does_not_count():
    def cold(run: Run) -> Run:
        (time,) = run.series
        warm = series("copy", "time_s", np.arange(60), [100.0] * 60, warmup=[True] * 60)
        both = [np.concatenate([getattr(warm, k), getattr(time, k)]) for k in ("at_s", "value", "warmup")]
        return replace(run, series=(series("copy", "time_s", both[0], both[1], warmup=both[2]),))

    old, new = turns(8)
    assert compare(old, [cold(r) for r in new]).changes[0].ratio == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("workload", {"name_of_workload": "gemm"}),
        ("cpu", {"environment": {**ENVIRONMENT, "cpu": "Xeon"}}),
        ("torch", {"environment": {**ENVIRONMENT, "torch": "2.14"}}),
        ("jax", {"environment": {**ENVIRONMENT, "jax": "0.9"}}),
        ("NCCL_ALGO", {"environment": {**ENVIRONMENT, "NCCL_ALGO": "Tree"}}),
        ("quick", {"settings": {"quick": "yes", "budget_s": "9"}}),
        ("dtypes", {"cases": (Case(name="copy", kind="copy", size_bytes=1e6, dtype="bf16"),)}),
        ("definition of copy", {"cases": (Case(name="copy", kind="copy", size_bytes=2e6),)}),
    ],
)
def test_unlike_runs_are_refused_by_name_and_allowed_by_name(key, changes):
    workload = changes.pop("name_of_workload", None)
    new = a_run(1, **changes)
    new = replace(new, name=workload) if workload else new
    with pytest.raises(InputError, match=rf"these runs are unlike: .*{key}") as error:
        compare(a_run(0), new)
    assert f"--allow {key}" in str(error.value)
    allowed = [key, "definition of copy"] if key == "dtypes" else [key]
    assert key in [d.key for d in compare(a_run(0), new, allow=allowed).allowed]


def load(seed: int, first_s: float, asked: str = "0.5", late: int = 0, **changes) -> Run:
    """A load of 60 requests, one a second, of which so many in the beginning wait for ten times as long."""
    wait = np.where(np.arange(60) < late, 10 * first_s, first_s) * (1 + seed / 1e4)
    at_s = np.arange(60) + 10.0
    told = {"ttft_s": wait, "request_s": wait + 1.0, "output_tokens": np.full(60, 50.0)}
    return a_run(seed, cases=(Case(name="4 at once", kind="request"),), settings={"slo_ttft_s": asked},
                 series=tuple(series("4 at once", name, at_s, values) for name, values in told.items()),
                 **changes)  # fmt: skip


def loads(new_first_s: float, **changes) -> list[list[Run]]:
    return [[load(4 * i + 1, 0.4), load(4 * i + 2, new_first_s, **changes)] for i in range(10)]


def judged(pairs: list[list[Run]], **options) -> dict[str, tuple[str, float]]:
    found = compare([old for old, _ in pairs], [new for _, new in pairs], **options)
    return {c.metric.name: (c.verdict, c.ratio) for c in found.changes}


def test_goodput_is_judged_by_one_figure_a_run():
    """Each request may be a little slower; that a third of them is too slow for what was asked is what counts."""
    found = judged(loads(0.4, late=20))
    assert found["goodput_requests_per_s"][0] == "worse"
    assert found["goodput_requests_per_s"][1] == pytest.approx(2 / 3, rel=0.1)
    assert judged(loads(0.4))["goodput_requests_per_s"][0] == "cannot tell"


def test_a_server_that_meets_no_level_any_more_is_worse_and_not_left_out():
    assert judged(loads(0.6))["goodput_requests_per_s"][0] == "worse"


def test_goodput_is_judged_where_a_level_was_asked_for_and_other_rates_where_they_are_named():
    pairs = [[replace(run, settings={}) for run in pair] for pair in loads(0.4)]
    assert "goodput_requests_per_s" not in judged(pairs)
    assert set(judged(pairs, metrics=["output_tokens_per_s"])) == {"output_tokens_per_s"}


def test_slow_requests_at_the_beginning_of_a_load_are_no_warm_up():
    """The window of a load is known: what looks like warm-up in it is a stall that users saw."""
    none, half = (figures_of(load(0, 0.4, late=n), [])["4 at once", "ttft_s"]["median"] for n in (0, 31))
    assert half == pytest.approx(10 * none)


def test_warm_up_ends_for_all_figures_of_a_case_when_its_time_has_settled():
    """As in the run's own summary: memory of the first steps is that of the first steps."""
    time = np.where(np.arange(60) < 10, 5.0, 1.0) * (1 + 0.01 * np.random.default_rng(0).standard_normal(60))
    held = np.where(np.arange(60) < 10, 8e9, 4e9)
    run = a_run(0, series=(series("", "step_s", np.arange(60), time),
                           series("", "memory_reserved_bytes", np.arange(60), held)))  # fmt: skip
    told = next(f.value for f in figures(run) if f.metric.name == "memory_reserved_bytes")
    assert figures_of(run, [])["", "memory_reserved_bytes"]["whole"] == told == 4e9


def test_unlike_runs_of_one_side_are_refused_too():
    stranger = a_run(5, environment={**ENVIRONMENT, "torch": "2.14"})
    with pytest.raises(InputError, match="torch"):
        compare([a_run(0), stranger], [a_run(1), a_run(2)])


def test_allowing_one_difference_does_not_allow_another():
    new = a_run(1, environment={**ENVIRONMENT, "torch": "2.14", "cpu": "Xeon"})
    with pytest.raises(InputError, match="cpu") as error:
        compare(a_run(0), new, allow=["torch"])
    assert "torch" not in error.value.what


def test_allowing_what_does_not_differ_is_a_mistake():
    new = a_run(1, environment={**ENVIRONMENT, "torch": "2.14"})
    with pytest.raises(InputError, match=r'"toch" does not differ.*did you mean "torch"'):
        compare(a_run(0), new, allow=["toch"])


def test_what_a_workload_has_measured_of_itself_makes_no_runs_unlike():
    """The time a reference took, the peak that was found, the memory that was used: numbers, another in each run."""
    told = [{"reference_s": 3.1 + n, "peak_memory_bytes": 10 + n, "gemm_peak_fp32": 1e9 * (1 + n)} for n in (0, 1)]
    found = compare(*(a_run(n, environment={**ENVIRONMENT, **t}) for n, t in enumerate(told)))
    assert found.suspects == ()
    with pytest.raises(InputError, match="flop_per_step"):
        compare(*(a_run(n, environment={**ENVIRONMENT, "flop_per_step": 1e12 * (n + 1)}) for n in (0, 1)))


def sought(seed: int, edge: int, slower: float = 1.0) -> Run:
    """A search that ended at this shape: ten samples, of which the rate says how fast the machine is."""
    flop = 2.0 * edge**3
    time_s = flop / 1e12 * slower * (1 + seed / 1e4) * np.ones(10)
    case = Case(name="torch fp32 peak", kind="peak", dtype="fp32", flop=flop, shape=(edge,) * 3, note=f"of {seed}")
    return a_run(seed, cases=(case,), series=(series(case.name, "time_s", np.arange(10.0), time_s),))


def test_a_peak_is_judged_by_its_rate_whatever_shape_it_was_found_at():
    old, new = turns(8)
    old = [replace(sought(i, 512 + 256 * (i % 2)), started=run.started) for i, run in enumerate(old)]
    new = [replace(sought(i, 1024 + 256 * (i % 3), 1.1), started=run.started) for i, run in enumerate(new)]
    (change,) = compare(old, new).changes
    assert (change.metric.name, change.verdict) == ("flop_per_s", "worse")
    assert change.ratio == pytest.approx(1 / 1.1, rel=0.01)


def test_load_and_budget_may_differ_and_kernel_and_commit_are_suspects():
    new = a_run(
        1,
        environment={**ENVIRONMENT, "load_end": 0.9, "kernel": "Linux 6.2", "git_commit": "abc", "host": "node7"},
        settings={"quick": "no", "budget_s": "5"},
    )
    assert [d.key for d in compare(a_run(0), new).suspects] == ["kernel", "git_commit"]


def test_what_an_older_record_does_not_hold_is_a_suspect_and_no_difference():
    new = a_run(1, environment={**ENVIRONMENT, "device_clocks": ["1410 MHz"]})
    assert [d.key for d in compare(a_run(0), new).suspects] == ["device_clocks"]


def many(slower: float, cases: int = 6, **changes) -> tuple[list[Run], list[Run]]:
    """Runs in turns with several cases, all of which move alike."""
    old, new = turns(10, slower, **changes)

    def widened(run: Run) -> Run:
        (time,) = run.series
        names = [f"case {i}" for i in range(cases)]
        draw = np.random.default_rng(int(run.id.split("-")[0]))
        found = tuple(series(n, "time_s", time.at_s, time.value * (1 + 0.01 * draw.standard_normal())) for n in names)
        return replace(run, series=found, cases=tuple(Case(name=n, kind="copy") for n in names))

    return [widened(r) for r in old], [widened(r) for r in new]


def test_when_everything_moved_and_the_kernel_changed_it_is_the_machine():
    old, new = many(1.2)
    moved = [replace(r, environment={**ENVIRONMENT, "kernel": "Linux 6.2"}) for r in new]
    found = compare(old, moved)
    assert "the machine, not the code" in found.common
    assert {c.verdict for c in found.changes} == {"cannot tell"}
    assert {c.verdict for c in compare(old, new).changes} == {"worse"}  # nothing else changed: it is the code


def test_one_case_of_many_that_moved_is_not_the_machine():
    old, new = many(1.0)
    moved = [replace(r, environment={**ENVIRONMENT, "kernel": "Linux 6.2"}) for r in new]
    slow = [replace(r, series=(replace(r.series[0], value=1.3 * r.series[0].value), *r.series[1:])) for r in moved]
    found = compare(old, slow)
    assert not found.common


def test_of_many_figures_one_that_looks_changed_by_chance_is_not_called_so():
    """Ten pairs can show no single figure of forty to be rarer than chance among forty; more pairs can."""
    old, new = many(1.0, cases=40)
    slow = [replace(r, series=(replace(r.series[0], value=1.1 * r.series[0].value), *r.series[1:])) for r in new]
    change = compare(old, slow).changes[0]
    assert change.verdict == "cannot tell"
    assert "--metric" in change.why
    assert change.more


def test_cases_of_one_side_only_are_named():
    more = replace(
        a_run(1),
        cases=(*a_run(1).cases, Case(name="triad", kind="triad")),
        series=(*a_run(1).series, series("triad", "time_s", [0.0], [1.0])),
    )
    assert compare(a_run(0), more).unmatched == ("triad",)


def test_contended_and_partial_runs_are_told_of():
    loud = a_run(1, environment={**ENVIRONMENT, "contended": True}, partial=True, stopped="interrupted")
    notes = " ".join(compare(a_run(0), loud).notes)
    assert "1 of 2 runs were contended" in notes
    assert "is partial: interrupted" in notes


def test_a_side_without_runs_is_refused():
    with pytest.raises(InputError, match="no run on one side"):
        compare([], a_run(0))


def test_a_metric_that_no_sample_has_is_refused_by_name_with_those_there_are():
    with pytest.raises(InputError, match=r'--metric: run .* has no figure "tim_s"; did you mean "time_s"\?.*wall_s'):
        compare(a_run(0), a_run(1), metrics=["tim_s"])
    demand(a_run(0), ["time_s", WALL])


def test_a_rate_that_work_and_time_come_to_can_be_judged():
    def steps(run: Run) -> Run:
        (time,) = run.series
        index = np.arange(len(time.value))
        told = (series("", "step_s", index, time.value), series("", "tokens", index, np.full(len(index), 4096.0)))
        return replace(run, cases=(Case(name="", kind="step"),), series=told)

    old, new = turns(10, 1.1)
    found = compare([steps(r) for r in old], [steps(r) for r in new], metrics=["tokens_per_s"])
    (change,) = found.changes
    assert (change.metric.name, change.verdict) == ("tokens_per_s", "worse")
    assert change.ratio == pytest.approx(1 / 1.1, rel=0.01)


def test_a_history_is_of_one_command_and_not_of_both_sides_of_a_gate():
    runs = [a_run(n, (1.0, 1.3)[n % 2], command=("bench", ("old", "new")[n % 2])) for n in range(20)]
    found = judge(runs)
    assert (found.runs, found.left_out, found.why) == (10, 10, "command")
    assert {trend.verdict for trend in found.trends} == {"steady"}
