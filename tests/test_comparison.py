"""Like runs are compared, unlike runs are refused, and what is not proven is not claimed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.comparison import FLOOR, compare
from assay.errors import InputError
from assay.run import Case, Run, Sample

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
        name="memory",
        command=(),
        started="2026-11-23T02:14:00+00:00",
        duration_s=1.0,
        environment=ENVIRONMENT,
        settings={"quick": "no", "budget_s": "9"},
        cases=(Case(name=name, kind="copy", size_bytes=1e6),),
        samples=tuple(Sample(case=name, metric="time_s", value=float(v), index=i) for i, v in enumerate(values)),
    )
    return replace(run, **changes)


def verdict(old: Run, new: Run) -> tuple[str, str]:
    (change,) = compare(old, new).changes
    return change.verdict, change.why


@pytest.mark.parametrize(
    ("slower", "said"), [(1.3, "worse"), (0.7, "better"), (1.0, "cannot tell"), (1.03, "cannot tell")]
)
def test_the_verdict_follows_the_change(slower, said):
    assert verdict(a_run(0), a_run(1, slower))[0] == said


def test_ratio_and_times_are_new_over_old():
    (change,) = compare(a_run(0), a_run(1, 2.0)).changes
    assert change.ratio == pytest.approx(2.0, rel=0.02)
    assert change.low < 2.0 * 1.02
    assert change.high > 2.0 * 0.98
    assert (change.old_s, change.new_s) == (pytest.approx(1, rel=0.02), pytest.approx(2, rel=0.02))


@given(st.integers(min_value=0, max_value=10_000))
def test_the_same_machine_twice_is_never_worse(seed):
    assert not compare(a_run(seed), a_run(seed + 1)).worse


def test_better_one_way_is_worse_the_other():
    old, new = a_run(0), a_run(1, 0.5)
    assert (verdict(old, new)[0], verdict(new, old)[0]) == ("better", "worse")


def test_a_change_smaller_than_the_noise_is_not_claimed():
    assert verdict(a_run(0, level=0.4, n=8), a_run(1, 1.2, level=0.4, n=8))[0] == "cannot tell"


def test_contention_on_either_side_leaves_the_question_open():
    loud = {**ENVIRONMENT, "contended": True}
    assert verdict(a_run(0), a_run(1, 3.0, environment=loud)) == ("cannot tell", "contended")
    assert verdict(a_run(0, environment=loud), a_run(1, 3.0)) == ("cannot tell", "contended")


def test_a_case_that_never_settled_is_not_judged():
    wild = (Case(name="copy", kind="copy", size_bytes=1e6, steady=False),)
    assert verdict(a_run(0), a_run(1, 3.0, cases=wild)) == ("cannot tell", "never settled")


def test_five_samples_are_too_few_to_judge():
    assert verdict(a_run(0), a_run(1, 3.0, n=5)) == ("cannot tell", "5 samples")


def test_warm_up_does_not_count():
    cold = tuple(Sample(case="copy", metric="time_s", value=100.0, index=100 + i, warmup=True) for i in range(60))
    slow_start = replace(a_run(1), samples=(*cold, *a_run(1).samples))
    assert compare(a_run(0), slow_start).changes[0].ratio == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("probe", {"name_of_probe": "matmul"}),
        ("cpu", {"environment": {**ENVIRONMENT, "cpu": "Xeon"}}),
        ("torch", {"environment": {**ENVIRONMENT, "torch": "2.14"}}),
        ("jax", {"environment": {**ENVIRONMENT, "jax": "0.9"}}),
        ("quick", {"settings": {"quick": "yes", "budget_s": "9"}}),
        ("dtypes", {"cases": (Case(name="copy", kind="copy", size_bytes=1e6, dtype="bf16"),)}),
        ("definition of copy", {"cases": (Case(name="copy", kind="copy", size_bytes=2e6),)}),
    ],
)
def test_unlike_runs_are_refused_by_name_and_allowed_by_name(key, changes):
    probe = changes.pop("name_of_probe", None)
    new = a_run(1, **changes)
    new = replace(new, name=probe) if probe else new
    with pytest.raises(InputError, match=rf"these runs are unlike: .*{key}") as error:
        compare(a_run(0), new)
    assert f"--allow {key}" in str(error.value)
    allowed = [key, "definition of copy"] if key == "dtypes" else [key]
    assert key in [d.key for d in compare(a_run(0), new, allow=allowed).allowed]


def test_allowing_one_difference_does_not_allow_another():
    new = a_run(1, environment={**ENVIRONMENT, "torch": "2.14", "cpu": "Xeon"})
    with pytest.raises(InputError, match="cpu") as error:
        compare(a_run(0), new, allow=["torch"])
    assert "torch" not in error.value.what


def test_allowing_what_does_not_differ_is_a_mistake():
    new = a_run(1, environment={**ENVIRONMENT, "torch": "2.14"})
    with pytest.raises(InputError, match=r'"toch" does not differ.*did you mean "torch"'):
        compare(a_run(0), new, allow=["toch"])


def test_load_and_budget_may_differ_and_the_kernel_is_a_suspect():
    new = a_run(
        1,
        environment={**ENVIRONMENT, "load_end": 0.9, "kernel": "Linux 6.2"},
        settings={"quick": "no", "budget_s": "5"},
    )
    assert [d.key for d in compare(a_run(0), new).suspects] == ["kernel"]


def test_cases_of_one_run_only_are_named():
    both = a_run(1)
    more = replace(both, cases=(*both.cases, Case(name="triad", kind="triad")),
                   samples=(*both.samples, Sample(case="triad", metric="time_s", value=1.0, index=0)))  # fmt: skip
    assert compare(a_run(0), more).unmatched == ("triad",)


def test_runs_without_a_common_case_are_refused():
    with pytest.raises(InputError, match="no case in common"):
        compare(a_run(0, name="copy"), a_run(1, name="triad"))


def test_what_one_run_a_side_cannot_show_is_said():
    notes = compare(a_run(0), a_run(1, partial=True, stopped="interrupted")).notes
    assert any(f"less than {100 * FLOOR:.0f} %" in note for note in notes)
    assert any("partial: interrupted" in note for note in notes)
