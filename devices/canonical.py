"""Canonical JSON: one value, one sequence of bytes, so that a hash over it means the value.

Keys are sorted by their UTF-16 code units, texts hold only the escapes that JSON demands, numbers are
written as ECMAScript writes them. Beside JSON's own values three are taken, each with one spelling: a moment
as RFC 3339 in UTC with microseconds, bytes in hexadecimal, and an integer that a double can't hold as a text
of its digits.

What it refuses: NaN and infinities, moments without an offset, texts with lone surrogates, keys that aren't
text.

Source: RFC 8785 (JSON Canonicalization Scheme); its appendix B gives the numbers that the tests use, its
appendix D the advice about large integers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

_LARGEST: Final = 2**53 - 1
"""The largest integer of I-JSON (RFC 7493, section 2.2)."""

_MOST_DIGITS: Final = 21
"""ECMAScript writes numbers below 10 to this power without an exponent."""

_LEAST_EXPONENT: Final = -6
"""And fractions down to 10 to this power."""


def canonical(value: Any) -> bytes:
    """The canonical bytes of a value.

    Raises:
        ValueError: a number that isn't finite, a text that isn't Unicode, a moment without an offset.
        TypeError: a value that JSON doesn't know.
    """
    return _text(value).encode()


def _text(value: Any) -> str:  # noqa: PLR0911 - one line a kind of value
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case int():
            return str(value) if abs(value) <= _LARGEST else f'"{value}"'
        case float():
            return number(value)
        case datetime():
            return f'"{_moment(value)}"'
        case bytes():
            return f'"{value.hex()}"'
        case Mapping():
            pairs = sorted(value.items(), key=lambda pair: _units(pair[0]))
            return "{" + ",".join(f"{_text(key)}:{_text(held)}" for key, held in pairs) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_text, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no canonical form")


def number(value: float) -> str:
    """A finite double as ECMAScript's ``Number.prototype.toString`` writes it.

    Raises:
        ValueError: it is NaN or infinite.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} has no canonical form")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    _, all_digits, exponent = Decimal(repr(abs(value))).as_tuple()
    assert isinstance(exponent, int)  # finite
    digits = "".join(map(str, all_digits)).rstrip("0")
    point = len(all_digits) + exponent  # where the decimal point stands, counted from the first digit
    if len(digits) <= point <= _MOST_DIGITS:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= _MOST_DIGITS:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if _LEAST_EXPONENT < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"


def _units(key: Any) -> bytes:
    if not isinstance(key, str):
        raise TypeError(f"the key {key!r} is no text")
    return key.encode("utf-16-be")


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{value} has no offset")
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
