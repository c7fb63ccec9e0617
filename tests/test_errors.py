"""An error is one plain sentence: where, what, and what to type next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import AssayError, Finding, InputError, MeasureError, did_you_mean, nearest

lines = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)


@given(lines, lines, lines)
def test_an_error_says_where_then_what_then_what_to_type(what: str, where: str, hint: str) -> None:
    assert str(InputError(what, where=where, hint=hint)) == f"{where}: {what}; {hint}"
    assert str(InputError(what)) == what
    error = InputError(what, where=where, hint=hint)
    assert (error.what, error.where, error.hint) == (what, where, hint)


@pytest.mark.parametrize(("kind", "code"), [(Finding, 1), (InputError, 2), (MeasureError, 3)])
def test_each_kind_of_error_has_its_exit_code(kind: type[AssayError], code: int) -> None:
    assert kind.exit_code == code
    assert issubclass(kind, AssayError)


@given(st.lists(lines, min_size=1, unique_by=str.casefold))
def test_a_name_that_is_there_is_its_own_nearest(known: list[str]) -> None:
    assert (
        known[0].upper().casefold() != known[0].casefold()
        or nearest(known[0].upper(), known)[0].casefold() == known[0].casefold()
    )


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=8))
def test_a_near_miss_is_always_a_name_that_exists(name: str, known: list[str]) -> None:
    assert set(nearest(name, known)) <= set(known)
    assert bool(did_you_mean(name, known)) == bool(nearest(name, known))


@given(st.integers(1_001, 1_000_000), st.sampled_from(["é", "9", "\n", "ab"]))
def test_a_message_stays_readable_whatever_a_file_was_full_of(times: int, piece: str) -> None:
    noise = piece * times
    assert len(str(InputError(f'unknown key "{noise}"', where=noise, hint=did_you_mean(noise, ["h100-sxm"])))) < 2000


def test_nothing_alike_gives_no_hint() -> None:
    assert did_you_mean("zzz", ["h100-sxm", "mi300x"]) == ""


def test_one_swapped_letter_is_forgiven() -> None:
    assert did_you_mean("h100-smx", ["a100-sxm", "h100-sxm", "mi300x"]).startswith('did you mean "h100-sxm"')
