"""GS1 keys in any of their dresses, to one canonical Digital Link.

The same pallet may come as a bar code's element string (``00`` and 18 digits, with or without brackets), as a
Digital Link of anybody's domain, or as an EPC URI. A URN needs the length of the company prefix, a Digital
Link doesn't; so the Digital Link under ``https://id.gs1.org`` is the one name.

Source: GS1 General Specifications (application identifiers, mod 10), GS1 Digital Link URI Syntax 1.2,
GS1 TDS 2.0 (EPC URIs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct
from stdnum import ean

CANONICAL: Final = "https://id.gs1.org"

_GROUP_SEPARATOR: Final = "\x1d"
_SYMBOLOGY: Final = re.compile(r"\](?:C1|e0|d2|Q3|J1)")
_BRACKETED: Final = re.compile(r"\((\d{2,4})\)([^()\x1d]+)\x1d?")
_EPC: Final = re.compile(r"urn:epc:(?:id|class):([a-z]+):(.+)", re.IGNORECASE)
_TEXT: Final = re.compile(r"[!-~]{1,30}")


class _Shape(Struct, frozen=True):
    kind: str
    digits: int = 0
    """Length of the leading number whose last digit is its check digit; 0: free text."""
    tail: bool = False
    """Free text may follow the number (the serial of a returnable asset)."""


_PRIMARY: Final[dict[str, _Shape]] = {
    "00": _Shape("handling_unit", 18),
    "8004": _Shape("asset"),
    "8003": _Shape("asset", 14, tail=True),
    "01": _Shape("product", 14),
    "414": _Shape("location", 13),
    "401": _Shape("consignment"),
    "402": _Shape("consignment", 17),
}
"""Application identifier of a key -> what it names. Where a code carries several, the first here counts."""

_QUALIFIERS: Final[dict[str, tuple[str, ...]]] = {"01": ("21", "10"), "414": ("254",)}
"""What makes a key finer. The first that is there decides: an item's lot is no part of its name."""

_FIXED: Final = {
    "00": 18, "01": 14, "02": 14, "11": 6, "12": 6, "13": 6, "15": 6, "16": 6, "17": 6, "20": 2, "402": 17,
    "410": 13, "411": 13, "412": 13, "413": 13, "414": 13, "415": 13, "416": 13, "417": 13,
}  # fmt: skip
_VARIABLE: Final = (
    "10",
    "21",
    "22",
    "30",
    "37",
    "240",
    "241",
    "250",
    "254",
    "400",
    "401",
    "403",
    "8003",
    "8004",
)

_FREE_EPC: Final = {"giai": "8004", "ginc": "401"}
_NUMBERED_EPC: Final[dict[str, tuple[str, str | None]]] = {
    "sscc": ("00", None),
    "gsin": ("402", None),
    "grai": ("8003", ""),
    "sgln": ("414", "254"),
    "sgtin": ("01", "21"),
    "lgtin": ("01", "10"),
}
"""Scheme of an EPC URI -> application identifiers of the key and of its third part (None: has no third)."""


class Key(Struct, frozen=True):
    """A GS1 key: its canonical Digital Link, what it names, and its number as people read it."""

    link: str
    kind: str
    label: str


def parse(text: str) -> Key | None:
    """The GS1 key that the text carries; None where the text isn't GS1's.

    Raises:
        ValueError: it is a GS1 key, with a wrong check digit, a wrong length or a part missing.
    """
    if epc := _EPC.fullmatch(text):
        elements = _of_epc(epc[1].lower(), epc[2])
    elif text[:8].lower().startswith(("http://", "https://")):
        elements = _of_link(text)
    else:
        elements = _of_element_string(text)
    return _key(elements) if elements else None


def check_digit(number: str) -> str:
    """The mod 10 check digit of a GS1 number without it (SSCC, GTIN, GLN, GRAI, GSIN)."""
    return str(ean.calc_check_digit(number))


def _key(elements: Mapping[str, str]) -> Key:
    primary = next(ai for ai in _PRIMARY if ai in elements)
    shape, value = _PRIMARY[primary], elements[primary]
    _check(primary, shape, value)
    link, label, kind = f"{CANONICAL}/{primary}/{quote(value, safe='')}", value, shape.kind
    qualifier = next((ai for ai in _QUALIFIERS.get(primary, ()) if ai in elements), None)
    if qualifier is None:
        return Key(link, kind, label)
    part = elements[qualifier]
    if not _TEXT.fullmatch(part):
        raise ValueError(f"GS1 ({qualifier}) {part!r} is not 1 to 30 characters")
    kind = "item" if qualifier == "21" else kind
    return Key(f"{link}/{qualifier}/{quote(part, safe='')}", kind, f"{label} {part}")


def _check(ai: str, shape: _Shape, value: str) -> None:
    number = value[: shape.digits]
    if not shape.digits:
        if not _TEXT.fullmatch(value):
            raise ValueError(f"GS1 ({ai}) {value!r} is not 1 to 30 characters")
        return
    if (
        len(number) != shape.digits
        or not _is_digits(number)
        or (len(value) > shape.digits and not shape.tail)
    ):
        raise ValueError(f"GS1 ({ai}) {value!r} is not {shape.digits} digits")
    right = check_digit(number[:-1])
    if number[-1] != right:
        raise ValueError(f"GS1 ({ai}) {value} has check digit {number[-1]}, should be {right}")


def _of_element_string(text: str) -> dict[str, str] | None:
    if bracketed := _BRACKETED.findall(text):
        if _BRACKETED.sub("", text):
            return None
        return _known(dict(bracketed))
    symbol = _SYMBOLOGY.match(text)
    plain = text[symbol.end() :] if symbol else text
    if symbol or _GROUP_SEPARATOR in text:
        return _known(_split(plain.lstrip(_GROUP_SEPARATOR)))
    if _is_digits(text) and len(text) == 20 and text.startswith("00"):
        return {"00": text[2:]}
    if _is_digits(text) and len(text) in (13, 14, 18) and check_digit(text[:-1]) == text[-1]:
        return {"00": text} if len(text) == 18 else {"01": text.zfill(14)}
    return None


def _split(text: str) -> dict[str, str]:
    """Cut an unbracketed element string by the fixed lengths and the group separators."""
    elements: dict[str, str] = {}
    while text:
        ai = next(
            (text[:size] for size in (2, 3, 4) if text[:size] in _FIXED or text[:size] in _VARIABLE), None
        )
        if ai is None:
            raise ValueError(
                f"GS1 element string has an application identifier we don't know at {text[:8]!r}"
            )
        rest = text[len(ai) :]
        value = rest[: _FIXED[ai]] if ai in _FIXED else rest.split(_GROUP_SEPARATOR, 1)[0]
        elements[ai] = value
        text = rest[len(value) :].removeprefix(_GROUP_SEPARATOR)
    return elements


def _of_link(text: str) -> dict[str, str] | None:
    try:
        levels = [unquote(level) for level in urlsplit(text).path.split("/")]
    except ValueError:
        return None
    for start in range(len(levels) - 1):
        ai, value = levels[start], levels[start + 1]
        shape = _PRIMARY.get(ai)
        if shape is None or (shape.digits and not _is_digits(value[:8])):
            continue
        pairs = dict(zip(levels[start::2], levels[start + 1 :: 2], strict=False))
        if ai == "01":
            pairs["01"] = value.zfill(14)
        return _known(pairs)
    return None


def _of_epc(scheme: str, body: str) -> dict[str, str] | None:
    if ai := _FREE_EPC.get(scheme):
        return {ai: unquote(body.replace(".", "", 1))}
    if scheme not in _NUMBERED_EPC:
        return None
    ai, qualifier = _NUMBERED_EPC[scheme]
    prefix, reference, serial, *_ = [*(unquote(part) for part in body.split(".", 2)), "", ""]
    if "." not in body or not _is_digits(prefix + reference) or bool(serial) is (qualifier is None):
        raise ValueError(f"EPC URI urn:epc:id:{scheme}:{body} is not complete")
    number = reference[:1] + prefix + reference[1:] if ai in ("00", "01") else prefix + reference
    number += check_digit(number)
    if scheme == "grai":
        return {ai: f"0{number}{serial}"}
    if qualifier is None or (scheme == "sgln" and serial == "0"):
        return {ai: number}
    return {ai: number, qualifier: serial}


def _known(elements: dict[str, str]) -> dict[str, str] | None:
    """The elements, if one of them is a key."""
    return elements if any(ai in _PRIMARY for ai in elements) else None


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
