"""The terms of custody: what a shipment is held to, as ordered legs.

``parse`` reads the JSON of one revision and refuses what it can't hold anybody to; the refusal names the
wrong field by its JSON Pointer (RFC 6901). ``problems`` checks the places that the terms name against those
that exist.

    {"legs": [
        {"type": "stay", "zones": ["PVGCARGO"]},
        {"type": "move", "from_zones": ["PVGCARGO"], "corridor": "C-PVG-SIPE", "to_zones": ["SIPCBZ-E"],
         "deadline": "2026-03-10T14:41:00+08:00", "custodian": "91310115MA1WDEM06X", "max_silence_s": 900},
        {"type": "stay", "zones": ["SIPCBZ-E"]}
    ]}
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from devices.observation import Code

Zones: TypeAlias = Annotated[tuple[Code, ...], Meta(min_length=1, max_length=100)]
Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]
Party: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Seconds: TypeAlias = Annotated[int, Meta(gt=0, le=31_536_000)]

CORRIDOR: Final = "corridor"
"""The kind of an area that is a line with a tolerance; every other kind is a zone."""


class TermsError(ValueError):
    """These terms can't hold anybody to anything.

    Attributes:
        pointer: JSON Pointer to the wrong field, ``""`` for the whole document.
        detail: what is wrong there, and what is expected.
    """

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer or '/'}: {detail}")
        self.pointer = pointer
        self.detail = detail


class _Leg(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    not_before: Moment | None = None
    deadline: Moment | None = None
    custodian: Party | None = None
    max_silence_s: Seconds | None = None


class StayLeg(_Leg, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="stay"):
    """The goods are kept in these zones.

    Attributes:
        zones: codes; being in any of them is being there.
        not_before: the leg should not begin earlier.
        deadline: the leg should be over by then.
        custodian: the party that answers for the goods (credit code).
        max_silence_s: seconds without word from the primary device; default: five times the interval that
            its registration expects.
    """

    zones: Zones


class MoveLeg(_Leg, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="move"):
    """The goods travel from these zones, along this corridor, to those zones.

    Attributes:
        from_zones: the leg begins when the last of them is left.
        corridor: the designated route; without one, any way will do.
        to_zones: the leg is over when one of them is entered.
        not_before: as in a stay.
        deadline: as in a stay.
        custodian: as in a stay.
        max_silence_s: as in a stay.
    """

    from_zones: Zones
    corridor: Code | None = None
    to_zones: Zones


Leg: TypeAlias = StayLeg | MoveLeg


class Terms(Struct, frozen=True, forbid_unknown_fields=True):
    """One revision of what a shipment is held to."""

    legs: Annotated[tuple[Leg, ...], Meta(min_length=1, max_length=100)]

    def zones(self) -> frozenset[str]:
        """Every zone that any leg names."""
        return frozenset(code for leg in self.legs for _, codes in _zone_fields(leg) for code in codes)

    def corridors(self) -> frozenset[str]:
        """Every corridor that any leg names."""
        return frozenset(
            leg.corridor for leg in self.legs if isinstance(leg, MoveLeg) and leg.corridor is not None
        )


def parse(body: bytes | str | Mapping[str, Any]) -> Terms:
    """Read terms from JSON text, or from JSON already decoded.

    Raises:
        TermsError: with the JSON Pointer of the first field that is wrong.
    """
    try:
        if isinstance(body, bytes | str):
            terms = msgspec.json.decode(body, type=Terms)
        else:
            terms = msgspec.convert(body, Terms)
    except msgspec.ValidationError as error:
        raise _located(str(error)) from None
    except msgspec.DecodeError as error:
        raise TermsError("", f"not JSON: {error}") from None
    for problem in _contradictions(terms):
        raise problem
    return terms


def encode(terms: Terms) -> bytes:
    """The terms as JSON; ``parse(encode(terms)) == terms``."""
    return msgspec.json.encode(terms)


def schema() -> dict[str, Any]:
    """The JSON Schema of the terms."""
    return msgspec.json.schema(Terms)


def problems(terms: Terms, kinds: Mapping[str, str]) -> list[TermsError]:
    """The places that these terms name and that aren't there.

    Args:
        terms: what was parsed.
        kinds: kind by code of every area that may be named.
    """
    corridors = {code for code, kind in kinds.items() if kind == CORRIDOR}
    zones = kinds.keys() - corridors
    found: list[TermsError] = []
    for at, leg in enumerate(terms.legs):
        for field, codes in _zone_fields(leg):
            found += [
                TermsError(f"/legs/{at}/{field}/{position}", f'no zone "{code}"{_meant(code, zones)}')
                for position, code in enumerate(codes)
                if code not in zones
            ]
        if isinstance(leg, MoveLeg) and leg.corridor is not None and leg.corridor not in corridors:
            detail = f'no corridor "{leg.corridor}"{_meant(leg.corridor, corridors)}'
            found.append(TermsError(f"/legs/{at}/corridor", detail))
    return found


def _zone_fields(leg: Leg) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if isinstance(leg, StayLeg):
        return (("zones", leg.zones),)
    return (("from_zones", leg.from_zones), ("to_zones", leg.to_zones))


def _meant(code: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(code, sorted(known), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def _contradictions(terms: Terms) -> Iterator[TermsError]:
    """What no type can refuse."""
    for at, leg in enumerate(terms.legs):
        if leg.not_before and leg.deadline and leg.deadline <= leg.not_before:
            yield TermsError(f"/legs/{at}/deadline", "must be later than not_before")
        for field, codes in _zone_fields(leg):
            for position, code in enumerate(codes):
                if code in codes[:position]:
                    yield TermsError(f"/legs/{at}/{field}/{position}", f'"{code}" is named twice')
        if isinstance(leg, MoveLeg):
            for position, code in enumerate(leg.to_zones):
                if code in leg.from_zones:
                    detail = f'"{code}" is where the move begins; it can\'t end there too'
                    yield TermsError(f"/legs/{at}/to_zones/{position}", detail)


_PLACE: Final = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_FIELD: Final = re.compile(r"(?:missing required|unknown) field `(?P<field>[^`]+)`")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


def _located(message: str) -> TermsError:
    """A decoder's message with its ``$.legs[0].zones`` turned into ``/legs/0/zones``."""
    match = _PLACE.match(message)
    what, path = (match["what"], match["path"] or "$") if match else (message, "$")
    pointer = "".join(f"/{name or number}" for name, number in _STEP.findall(path))
    if field := _FIELD.search(what):
        pointer += f"/{field['field']}"
    return TermsError(pointer, what[:1].lower() + what[1:])
