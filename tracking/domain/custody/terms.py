"""The terms of custody: what a shipment is held to, as ordered legs.

``parse`` reads the JSON of one revision and refuses what is none, naming every wrong field by its JSON
Pointer. Whether what was read can hold anybody to anything (do the legs connect? do the places exist?) is
asked in :mod:`.checks`; the JSON Schema is made in :mod:`.published`.

    {"legs": [
        {"type": "stay", "zones": ["PVGCARGO"], "seal": "any"},
        {"type": "move", "from_zones": ["PVGCARGO"], "corridor": "C-PVG-SIPE", "to_zones": ["SIPCBZ-E"],
         "deadline": "2026-03-10T14:41:00+08:00", "custodian": "91310115MA1WDEM06X", "max_silence_s": 900},
        {"type": "stay", "zones": ["SIPCBZ-E"]}
     ],
     "rules": {"route_deviation": {"severity": "critical", "parameters": {"min_duration_s": 60}}}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from devices.observation import Code
from tracking.domain.custody.faults import Fault, faults
from tracking.domain.custody.profiles import ProfileName

Zones: TypeAlias = Annotated[tuple[Code, ...], Meta(min_length=1, max_length=100)]
Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]
Party: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Seconds: TypeAlias = Annotated[int, Meta(gt=0, le=31_536_000)]
Minutes: TypeAlias = Annotated[float, Meta(ge=0, le=525_600)]
Seal: TypeAlias = Annotated[str, Meta(pattern=r"^\S(.{0,30}\S)?(?!\n)$")]
Quantity: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}(?!\n)$")]
RuleCode: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}(?!\n)$")]
Grade: TypeAlias = Literal["critical", "major", "minor", "info"]

ANY_SEAL: Final = "any"
NO_SEAL: Final = "none"


class TermsError(ValueError):
    """These terms can't hold anybody to anything.

    Attributes:
        faults: everything that is wrong, at least one.
    """

    def __init__(self, found: Sequence[Fault]) -> None:
        self.faults: Final = tuple(found)
        super().__init__("\n".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in found))

    @property
    def pointer(self) -> str:
        """JSON Pointer to the first wrong field, ``""`` for the whole document."""
        return self.faults[0].pointer

    @property
    def detail(self) -> str:
        """What is wrong there, and what was probably meant."""
        return self.faults[0].detail


class Limit(Struct, frozen=True, forbid_unknown_fields=True):
    """What a measured quantity is held to, in the quantity's own unit.

    Attributes:
        low: no lower than this.
        high: no higher than this.
        tolerated_min: minutes that a value may stay outside.
        mean_kinetic_c: limit of the mean kinetic temperature, degrees Celsius; of ``temperature_c`` only.
        profile: what is usual for these goods holds where the terms say nothing else: ``frozen``,
            ``frozen_meat_min``, ``chilled``, ``chilled_meat``, ``fruit``, ``pharma_2_8``, ``pharma_crt`` or
            ``other``; absent: what the range tells of. Of ``temperature_c`` only.
    """

    low: float | None = None
    high: float | None = None
    tolerated_min: Minutes | None = None
    mean_kinetic_c: float | None = None
    profile: ProfileName | None = None


class Override(Struct, frozen=True, forbid_unknown_fields=True):
    """How these terms change one rule.

    Attributes:
        severity: of its findings, instead of the rule's own.
        parameters: values of the rule's own parameters, by name; the others keep their defaults.
    """

    severity: Grade | None = None
    parameters: dict[str, Any] = {}


class _Leg(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    not_before: Moment | None = None
    deadline: Moment | None = None
    custodian: Party | None = None
    seal: Seal | None = None
    limits: dict[Quantity, Limit] = {}
    max_silence_s: Seconds | None = None
    needs_release: bool = False


class StayLeg(_Leg, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="stay"):
    """The goods are kept in these zones.

    Attributes:
        zones: codes; being in any of them is being there.
        not_before: the leg should not begin earlier.
        deadline: the leg should be over by then.
        custodian: the party that answers for the goods (credit code).
        seal: the number of the seal that must be on; ``any``: some seal must be; ``none``: none may be;
            absent: it doesn't matter.
        limits: what measured quantities are held to, by quantity (``temperature_c``).
        max_silence_s: seconds without word from the primary device; default: five times the interval that
            its registration expects.
        max_dwell_s: seconds that the goods may be kept here.
        needs_release: customs must have released the goods before they may leave.
        mixing: ``by_status``: bonded and other goods side by side, told apart by their status; ``none``:
            not in one place; absent: it doesn't matter.
    """

    zones: Zones
    max_dwell_s: Seconds | None = None
    mixing: Literal["by_status", "none"] | None = None


class MoveLeg(_Leg, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="move"):
    """The goods travel from these zones, along this corridor, to those zones.

    Attributes:
        from_zones: the leg begins when the last of them is left.
        corridor: the designated route; without one, any way will do.
        to_zones: the leg is over when one of them is entered.
        not_before: as in a stay.
        deadline: as in a stay.
        custodian: as in a stay.
        seal: as in a stay.
        limits: as in a stay.
        max_silence_s: as in a stay.
        max_stop_s: seconds that the goods may stand still outside every zone.
        needs_release: as in a stay.
    """

    from_zones: Zones
    corridor: Code | None = None
    to_zones: Zones
    max_stop_s: Seconds | None = None


Leg: TypeAlias = StayLeg | MoveLeg


class Terms(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One revision of what a shipment is held to.

    Attributes:
        legs: in the order in which the goods take them.
        rules: how these terms change rules, by the rule's code.
    """

    legs: Annotated[tuple[Leg, ...], Meta(min_length=1, max_length=100)]
    rules: dict[RuleCode, Override] = {}

    def zones(self) -> frozenset[str]:
        """Every zone that any leg names."""
        return frozenset(code for leg in self.legs for _, codes in zone_fields(leg) for code in codes)

    def corridors(self) -> frozenset[str]:
        """Every corridor that any leg names."""
        return frozenset(
            leg.corridor for leg in self.legs if isinstance(leg, MoveLeg) and leg.corridor is not None
        )


def zone_fields(leg: Leg) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The fields of a leg that name zones, where it begins before where it ends."""
    if isinstance(leg, StayLeg):
        return (("zones", leg.zones),)
    return (("from_zones", leg.from_zones), ("to_zones", leg.to_zones))


def parse(body: bytes | str | Mapping[str, Any]) -> Terms:
    """Read terms from JSON text, or from JSON already decoded.

    Raises:
        TermsError: with every field that is wrong.
    """
    try:
        decoded = msgspec.json.decode(body) if isinstance(body, bytes | str) else body
    except msgspec.DecodeError as error:
        raise TermsError([Fault("", f"not JSON: {error}")]) from None
    found = list(faults(decoded, Terms))
    if found:
        raise TermsError(found)
    return msgspec.convert(decoded, Terms)


def decode(body: bytes) -> Terms:
    """Read terms that were taken once: what has been agreed is not argued with again."""
    return msgspec.json.decode(body, type=Terms)


def encode(terms: Terms) -> bytes:
    """The terms as JSON; ``parse(encode(terms)) == terms``."""
    return msgspec.json.encode(terms)
