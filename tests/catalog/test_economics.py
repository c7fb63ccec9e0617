"""Every number that a decision assumes says where it is from, when, and how far it may be off."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from assay.assumption import Assumption
from assay.catalog.economics import economics
from assay.economics import Economics

NAMES = [f.name for f in fields(Economics)]


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_source_a_date_and_a_range(name: str) -> None:
    stated = getattr(economics(), name)
    assert isinstance(stated, Assumption), f"{name} has no default"
    assert stated.low < stated.high
    assert len(stated.source) > 10
    assert re.fullmatch(r"20\d\d(-\d\d){0,2}", stated.date)


@pytest.mark.parametrize("name", NAMES)
def test_what_no_source_was_found_for_is_of_low_confidence(name: str) -> None:
    stated = getattr(economics(), name)
    assert stated.confidence == "low" or not stated.source.startswith(("no source", "as commonly"))


def test_a_pilot_states_its_own() -> None:
    own = Economics(resale=Assumption(value=0.2, low=0.1, high=0.3))
    both = own.over(economics())
    assert both.resale == own.resale
    assert both.server_life_s == economics().server_life_s
