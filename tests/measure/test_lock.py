"""Two measurements on one machine meet, whoever started them."""

from __future__ import annotations

import contextvars
import os

import pytest

from assay.errors import MeasureError
from assay.measure.lock import alone, for_several


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_LOCK", str(tmp_path / "lock"))
    return tmp_path / "lock"


@pytest.fixture
def stranger(monkeypatch):
    """From here on whoever opens the lock is another user, who may only read it."""
    real = os.open

    def opened(path, flags, mode=0o777):
        if flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, mode)

    return lambda: monkeypatch.setattr("assay.measure.lock.os.open", opened)


def test_a_second_one_is_refused_and_told_what_marks_what(path):
    with (
        alone("first"),
        pytest.raises(MeasureError, match=r"under way: first \(process \d+\)") as refused,
        alone("second"),
    ):
        pass
    assert refused.value.hint == "wait for its end, or add --together: this run will be marked as contended"


def test_another_user_who_may_only_read_the_lock_is_kept_out_too(path, stranger):
    with alone("first"):
        stranger()
        with pytest.raises(MeasureError, match="under way: first"), alone("second"):
            pass
        with alone("second", together=True) as other:
            assert other == f"first (process {os.getpid()})"


def test_another_user_who_may_only_read_the_lock_holds_it_and_is_not_taken_for_the_last(path, stranger):
    with alone("first"):
        pass
    stranger()
    with (
        alone("second"),
        pytest.raises(MeasureError, match="under way: one that does not say what it is"),
        alone("third"),
    ):
        pass


def test_where_there_is_no_place_for_a_lock_nobody_is_kept_out(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_LOCK", str(tmp_path / "none" / "lock"))
    with alone("first") as other:
        assert other == ""


def test_nobody_comes_in_between_the_measurements_of_a_gate(path):
    def another():
        with alone("another"):
            pytest.fail("it came in between")

    with for_several("assay gate"):
        for _ in range(2):
            with alone("assay measure") as other:
                assert other == ""
            with pytest.raises(MeasureError, match="under way: assay gate"):
                contextvars.Context().run(another)
    with alone("later") as other:
        assert other == ""
