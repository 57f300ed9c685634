"""What a scanned or typed text names: one URI a thing, however it was written.

Containers (ISO 6346), Chinese plates, GS1 keys, our own URNs; anything else is a code of somebody's own and
still a thing. A text that looks like one of these but fails its check digit is never corrected silently: it
stays a code, with a warning that says what is wrong.

Source: ISO 6346; GA 36-2018 (plates); GB 32100-2015 (credit codes); ``devices.gs1`` for GS1.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import quote, unquote

from msgspec import Struct
from stdnum import iso6346
from stdnum.cn import uscc

from devices import gs1

OWN: Final = "urn:bondwatch"
BIC: Final = "urn:epc:id:bic"

OWN_KINDS: Final = ("vehicle", "seal", "pass", "shipment", "asset", "parcel", "code")
"""Kinds of things that have no GS1 key: ``urn:bondwatch:{kind}:{number}``."""

_MAX_TEXT: Final = 2000
_PROVINCE: Final = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_PLATE: Final = re.compile(
    rf"[{_PROVINCE}][A-HJ-NP-Z]"
    r"(?:[A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳]"  # ordinary, trailer, cross-border
    r"|[A-HJK][A-HJ-NP-Z0-9]\d{4}"  # new energy, small
    r"|\d{5}[A-HJK])",  # new energy, large
    re.ASCII,
)
_PLATE_NOISE: Final = re.compile(r"[\s·•・‧.\-]")
_CONTAINER: Final = re.compile(r"[A-Z]{3}[UJZ][0-9]{7}")
_CONTAINER_NOISE: Final = re.compile(r"[\s\-/]")
_OWN_URN: Final = re.compile(rf"{OWN}:([a-z]+):(.+)", re.IGNORECASE)
_CREDIT_CODE: Final = re.compile(r"[0-9A-HJ-NPQRTUW-Y]{18}")
_ASCII_TO_ESCAPE: Final = re.compile(r"[^A-Za-z0-9_.~\-\u0080-\U0010ffff]")


class Thing(Struct, frozen=True):
    """What a text names.

    Attributes:
        uri: its one name: EPC URI, GS1 Digital Link, or ``urn:bondwatch:{kind}:{number}``.
        kind: ``container``, ``vehicle``, ``handling_unit``, ``item``, ``product``, ``asset``, ``location``,
            ``consignment``, ``seal``, ``pass``, ``shipment``, ``parcel`` or ``code``.
        label: what people call it.
        warning: the text looks like something better but is wrong; says what and how.
    """

    uri: str
    kind: str
    label: str
    warning: str | None = None


def parse_thing(text: str) -> Thing:
    """What the text names. Total: a text that is nothing else is a ``code``.

    Raises:
        ValueError: the text is empty, or over 2000 characters.
    """
    text = _clean(text)
    if not 1 <= len(text) <= _MAX_TEXT:
        raise ValueError(f"a thing's code has 1 to {_MAX_TEXT} characters, not {len(text)}")
    if own := _OWN_URN.fullmatch(text):
        return _of_own_urn(own[1].lower(), unquote(own[2]), text)
    bare = text[len(BIC) + 1 :] if text.lower().startswith(BIC + ":") else text
    number = _CONTAINER_NOISE.sub("", bare).upper()
    if _CONTAINER.fullmatch(number):
        wrong = container_warning(number)
        return _code(text, wrong) if wrong else Thing(f"{BIC}:{number}", "container", number)
    if plate := normal_plate(text):
        return Thing(_own_uri("vehicle", plate), "vehicle", plate)
    try:
        key = gs1.parse(text)
    except ValueError as error:
        return _code(text, str(error))
    if key is not None:
        return Thing(key.link, key.kind, key.label)
    hint = plate_hint(text)
    return _code(text, f"no plate; perhaps {hint}, if O was 0 or I was 1" if hint else None)


def own_thing(kind: str, number: str) -> Thing:
    """A thing of ours by its number: ``own_thing("seal", "ES-77031")``. The number's case is kept.

    Raises:
        ValueError: the kind is none of ``OWN_KINDS``, or the number is empty.
    """
    number = _clean(number)
    if kind not in OWN_KINDS:
        raise ValueError(f"kind {kind!r} is none of {', '.join(OWN_KINDS)}")
    if not number:
        raise ValueError(f"a {kind} needs a number")
    if kind == "vehicle":
        number = normal_plate(number) or number.upper()
    return Thing(_own_uri(kind, number), kind, number)


def seal_uri(number: str) -> str:
    """The URI of a seal by its number, which is opaque and case-sensitive.

    Raises:
        ValueError: the number is empty.
    """
    return own_thing("seal", number).uri


def pass_uri(number: str) -> str:
    """The URI of a gate pass (核放单) by its number.

    Raises:
        ValueError: the number is empty.
    """
    return own_thing("pass", number).uri


def container_warning(number: str) -> str | None:
    """What is wrong with a container number; None when its check digit is right.

    Args:
        number: 4 letters, 6 digits, check digit; upper case, no separators.
    """
    if not _CONTAINER.fullmatch(number):
        return f"container number {number!r} is not 3 letters, U, J or Z, and 7 digits"
    right = str(iso6346.calc_check_digit(number[:-1]))
    if number[-1] == right:
        return None
    return f"container number {number} has check digit {number[-1]}, should be {right}"


def normal_plate(text: str) -> str | None:
    """The plate as stored (upper case, no dot, no spaces), or None where the text is no Chinese plate.

    Letters that a plate never has (O, I) are not mended here: see ``plate_hint``.
    """
    plate = _PLATE_NOISE.sub("", _clean(text)).upper()
    return plate if _PLATE.fullmatch(plate) else None


def plate_hint(text: str) -> str | None:
    """The plate that a camera probably saw where it read O for 0 or I for 1: a hint, never a fact."""
    plate = _PLATE_NOISE.sub("", _clean(text)).upper()
    mended = plate[:2] + plate[2:].replace("O", "0").replace("I", "1")
    return mended if mended != plate and _PLATE.fullmatch(mended) else None


def credit_code_warning(code: str) -> str | None:
    """What seems wrong with a unified social credit code; None when nothing does.

    A warning and no error: codes that fail the check digit have been issued.
    """
    code = _clean(code).upper()
    if not _CREDIT_CODE.fullmatch(code):
        return f"credit code {code!r} is not 18 of 0-9 and A-Z without I, O, S, V, Z"
    right = str(uscc.calc_check_digit(code[:-1]))
    return None if code[-1] == right else f"credit code {code} has check digit {code[-1]}, should be {right}"


def _of_own_urn(kind: str, number: str, text: str) -> Thing:
    if kind not in OWN_KINDS or not _clean(number):
        return _code(text, f"kind {kind!r} is none of {', '.join(OWN_KINDS)}")
    return own_thing(kind, number)


def _code(text: str, warning: str | None) -> Thing:
    return Thing(_own_uri("code", text), "code", text, warning)


def _own_uri(kind: str, number: str) -> str:
    escaped = _ASCII_TO_ESCAPE.sub(lambda match: quote(match[0], safe=""), number)
    return f"{OWN}:{kind}:{escaped}"


def _clean(text: str) -> str:
    """Full-width forms to half-width, no space around."""
    return unicodedata.normalize("NFKC", text).strip(" \t\r\n")
