"""Canonical JSON against the RFC's own examples."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.canonical import canonical, number

# RFC 8785, appendix B: the double's bits, and how it is written.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize(("bits", "written"), NUMBERS.items())
def test_numbers_as_the_rfc_writes_them(bits: str, written: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert number(value) == written


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000"])
def test_what_is_no_number_is_refused(bits: str) -> None:
    with pytest.raises(ValueError, match="no canonical form"):
        number(struct.unpack(">d", bytes.fromhex(bits))[0])


def test_the_rfc_s_sample() -> None:
    """RFC 8785, section 3.2.2 and 3.2.4."""
    sample = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical(sample) == (
        b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_sorted_by_their_utf_16_code_units() -> None:
    """RFC 8785, section 3.2.3."""
    given_keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    text = canonical(dict.fromkeys(given_keys, "")).decode()
    assert [pair.split('":')[0] for pair in text[2:].split(',"')] == ["\\r", *ordered[1:]]


def test_moments_bytes_and_large_integers_have_one_spelling() -> None:
    noon = datetime(2026, 3, 10, 12, tzinfo=UTC)
    there = noon.astimezone(timezone(timedelta(hours=8)))
    assert canonical([noon, there]) == b'["2026-03-10T12:00:00.000000Z","2026-03-10T12:00:00.000000Z"]'
    assert canonical([b"\x00\xff", 2**53 - 1, 2**53, -(2**63)]) == (
        b'["00ff",9007199254740991,"9007199254740992","-9223372036854775808"]'
    )


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), datetime.fromisoformat("2026-03-10T12:00:00"), "\ud800"],
    ids=["nan", "inf", "naive", "lone"],
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        canonical(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_reads_back(value: float) -> None:
    assert float(number(value)) == value
