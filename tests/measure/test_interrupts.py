"""The first request to end ends a measurement; those that follow must not cost what was measured."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from assay.measure import interrupts


@pytest.fixture(autouse=True)
def heeding() -> Iterator[None]:
    before = {sign: signal.signal(sign, signal.default_int_handler) for sign in interrupts.SIGNS}
    yield
    for sign, handler in before.items():
        signal.signal(sign, handler)


def press(times: int = 1) -> None:
    for _ in range(times):
        signal.raise_signal(signal.SIGINT)


def test_only_the_first_of_many_is_raised_and_afterwards_all_is_as_it_was() -> None:
    with interrupts.heeded_once():
        with pytest.raises(KeyboardInterrupt):
            press()
        press(20)
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        press()


def test_one_that_comes_while_a_run_is_closed_is_raised_once_it_is() -> None:
    closed = []

    def measured() -> None:
        with interrupts.heeded_once():
            interrupts.deafen()
            press(3)
            closed.append("whole")

    with pytest.raises(KeyboardInterrupt):
        measured()
    assert closed == ["whole"]


def test_a_request_that_got_lost_does_not_make_us_deaf_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "_DEAF_S", 0.0)
    with interrupts.heeded_once():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                press()


def test_what_a_program_answers_itself_or_ignores_is_left_to_it() -> None:
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda sign, _: heard.append(sign))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interrupts.heeded_once():
        press(2)
        signal.raise_signal(signal.SIGHUP)
    assert heard == [signal.SIGINT] * 2
