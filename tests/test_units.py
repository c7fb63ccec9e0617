"""Laws of units: what is printed can be read back, prefixes multiply, and apples are not oranges."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.units import SUFFIXES, dimension, parse, show, suffix

UNITS = [
    "s", "bytes", "flop", "w", "j", "hz", "usd", "tokens", "samples", "bytes_per_s", "flop_per_s", "tokens_per_s",
    "samples_per_s", "usd_per_s", "usd_per_j", "usd_per_token", "usd_per_byte", "usd_per_w", "usd_per_sample",
    "bytes_per_flop", "flop_per_byte", "flop_per_j", "j_per_token", "bytes_per_sample", "w_per_byte",
]  # fmt: skip
sizes = st.floats(min_value=1e-12, max_value=1e24) | st.floats(min_value=1e-3, max_value=1e6)
words = st.lists(st.sampled_from(sorted(SUFFIXES)), min_size=1, max_size=3, unique=True)


@given(sizes, st.sampled_from(UNITS), st.sampled_from([1, -1]))
def test_what_is_shown_can_be_read_back_to_the_digits_shown(size: float, unit: str, sign: int) -> None:
    value = sign * size
    shown = show(value, unit)
    assert parse(shown, unit) == pytest.approx(value, rel=0.006, abs=0), shown


@given(st.floats(min_value=1e-9, max_value=1e20), st.sampled_from(UNITS), st.integers(4, 12))
def test_more_digits_lose_less(size: float, unit: str, digits: int) -> None:
    if not unit.startswith("usd"):  # money is shown in cents
        assert parse(show(size, unit, digits), unit) == pytest.approx(size, rel=6 * 10.0**-digits)


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(UNITS))
def test_a_bare_number_is_already_in_si(value: float, unit: str) -> None:
    assert parse(value, unit) == value
    assert parse(repr(value), unit) == value


@given(st.integers(1, 999))
def test_each_prefix_is_a_thousand_of_the_one_before(n: int) -> None:
    for unit, symbol in (("bytes", "B"), ("flop_per_s", "FLOP/s"), ("w", "W"), ("tokens_per_s", "tokens/s")):
        steps = [parse(f"{n} {prefix}{symbol}", unit) for prefix in ("", "k", "M", "G", "T", "P")]
        assert all(b == pytest.approx(1000 * a) for a, b in pairwise(steps))


@given(st.integers(1, 999))
def test_binary_prefixes_are_powers_of_1024_and_a_byte_is_eight_bits(n: int) -> None:
    assert parse(f"{n} GiB", "bytes") == n * 2**30
    assert parse(f"{n} Gb/s", "bytes_per_s") * 8 == parse(f"{n} GB/s", "bytes_per_s")
    assert parse(f"{n} KB", "bytes") == parse(f"{n} kB", "bytes") == 1000 * n


@pytest.mark.parametrize(
    ("text", "unit", "si"),
    [
        ("3.35 TB/s", "bytes_per_s", 3.35e12),  # HBM3 of an H100 SXM, as its datasheet prints it
        ("989.4 TFLOPS", "flop_per_s", 989.4e12),
        ("$2.49/h", "usd_per_s", 2.49 / 3600),
        ("2.49 USD/hour", "usd_per_s", 2.49 / 3600),
        ("-$3", "usd", -3),
        ("$0.60/M tokens", "usd_per_token", 0.6e-6),
        ("0.12 USD/kWh", "usd_per_j", 0.12 / 3.6e6),
        ("1,980 MHz", "hz", 1.98e9),
        ("50 µs", "s", 50e-6),
        ("5 years", "s", 5 * 365.25 * 86400),
        ("37 %", "", 0.37),
        ("2x", "", 2),
        ("1 W", "j_per_s", 1),
        ("1_000", "", 1000),
        (".5 s", "s", 0.5),
        ("  80   GB ", "bytes", 80e9),
    ],
)
def test_values_are_read_as_their_sources_print_them(text: str, unit: str, si: float) -> None:
    assert parse(text, unit) == pytest.approx(si, rel=1e-12)


@given(st.sampled_from(UNITS), st.sampled_from(UNITS), st.floats(min_value=0.1, max_value=1e9))
def test_a_value_is_refused_in_every_dimension_but_its_own(one: str, other: str, value: float) -> None:
    if dimension(one) == dimension(other):
        assert parse(show(value, one), other) == pytest.approx(parse(show(value, one), one))
    else:
        with pytest.raises(InputError, match="wanted"):
            parse(show(value, one), other)


def test_a_wrong_dimension_is_answered_with_what_to_write() -> None:
    with pytest.raises(InputError) as caught:
        parse("3.35 TB", "bytes_per_s")
    assert str(caught.value) == '"3.35 TB" is in bytes, bytes per second wanted; write "3.35 TB/s"'


def test_a_unit_that_is_almost_one_gets_its_near_miss() -> None:
    with pytest.raises(InputError, match='"TFLOP'):
        parse("989 TFLOPs", "flop_per_s")


def test_a_near_miss_is_a_unit_of_what_is_wanted() -> None:
    with pytest.raises(InputError) as caught:
        parse("10m", "s")
    assert caught.value.hint == 'did you mean "ms" or "min"?'


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-inf", "1e999", "1e308 TB", "", "   ", "GB", "1 2", "--5", "+-5 W", "5.", "٣ GB"]
)
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse(text, "bytes")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, True, False])
def test_numbers_that_are_none_are_refused_too(value: float) -> None:
    with pytest.raises(InputError):
        parse(value, "bytes")


@given(
    st.text(max_size=30) | st.from_regex(r"[-+$0-9., eE_]{1,12}[A-Za-zµ%$/ ]{0,10}\n?", fullmatch=True),
    st.sampled_from(UNITS),
)
def test_any_text_is_a_finite_number_or_a_plain_refusal(text: str, unit: str) -> None:
    try:
        assert math.isfinite(parse(text, unit))
    except InputError as error:
        assert str(error)


@given(st.sampled_from("19 ,_/kGe\n$"), st.integers(1_000, 200_000))
def test_a_long_text_is_refused_and_not_repeated(piece: str, times: int) -> None:
    with pytest.raises(InputError) as caught:
        parse(piece * times + "!", "bytes")
    assert len(str(caught.value)) < 300


@given(words)
def test_a_name_tells_its_unit_whatever_stands_before_it(parts: list[str]) -> None:
    unit = "_per_".join(parts)
    assert suffix(f"peak_memory_{unit}") == unit
    assert suffix("peak_memory") == ""


@pytest.mark.parametrize(
    "name", ["count_per_node", "nodes", "heads", "power_per_rack", "tokens_per_s_per_device", "kv_heads"]
)
def test_a_pure_number_has_no_unit(name: str) -> None:
    assert suffix(name) == ""


def test_unknown_is_said_and_is_not_zero() -> None:
    assert show(None, "usd") == "unknown"
    assert show(0.0, "usd") == "$0"
    assert show(math.nan, "s") == "nan"


@given(st.sampled_from([u for u in UNITS if not u.startswith("usd")]), sizes, sizes)
def test_what_is_larger_is_never_shown_as_smaller(unit: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert parse(show(small, unit), unit) <= parse(show(large, unit), unit)
