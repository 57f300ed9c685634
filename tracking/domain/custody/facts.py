"""Everything that a judging reads, as plain data.

Facts say nothing of how they arrived. Two gatherings of the same records are equal, whatever the order,
batching or repetition in which the records came.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from msgspec import Struct

from tracking.domain.custody.carriage import (
    PRIMARY,
    SEAL,
    Carriage,
    Milestone,
    MissingNumbers,
    Position,
    Reused,
    Sample,
    Silence,
)
from tracking.domain.custody.terms import Override, Terms
from tracking.domain.custody.told import Aboard, Document, Report
from tracking.domain.things.fold import Conflict

__all__ = [
    "FORBIDDEN_KINDS", "GATE", "PRIMARY", "READ_KINDS", "SEAL", "AreaBook", "AreaRevision", "Carriage",
    "Facts", "GateWatch", "Milestone", "MissingNumbers", "Position", "Reused", "Sample", "Silence",
    "TermsRevision",
]  # fmt: skip

READ_KINDS: Final = (
    "entered", "left", "crossed", "strayed", "returned", "silent", "heard", "stopped", "moved",
    "seal_locked", "seal_unlocked", "seal_cut", "seal_tampered", "jumped", "jump_settled",
    "datum_suspected", "datum_undetermined", "datum_cleared",
)  # fmt: skip
"""Kinds of milestones that some rule or the legs read; the gatherer brings no others."""

FORBIDDEN_KINDS: Final = frozenset({"layby_forbidden", "restricted"})
"""Kinds of zones where goods under customs control may not be, unless the terms name the zone."""


GATE: Final = "gate"
"""The kind of areas through which a zone is entered and left; their parent is the zone."""


class GateWatch(Struct, frozen=True):
    """The device of a gate that matters to the terms: whether it could have told of a passage.

    Attributes:
        gate: code of the gate.
        zone: the zone that it leads into.
        device: name of its device.
        expected_every_s: how often it is expected to say something, seconds.
        last_heard: event time of its newest observation, None if it never spoke.
        milestones: its ``silent`` and ``heard``.
    """

    gate: str
    zone: str
    device: str
    expected_every_s: int
    last_heard: datetime | None
    milestones: tuple[Milestone, ...]


class AreaRevision(Struct, frozen=True):
    """What a zone or corridor was during [valid_from, valid_to).

    Attributes:
        code: its code.
        kind: ``cbz``, ``port``, ``layby_forbidden``, ``restricted``, ``corridor`` and so on.
        bonded: goods under customs control may be kept there.
        parent: the zone around it.
        revision: number of the revision.
        properties: everything else that is known of it: a gate's ``lane`` and ``direction``, a corridor's
            ``mode``, ``allowed_stops`` and ``max_transit_h``, a store's ``temp_profile``.
        lon: of its middle, WGS-84 degrees; of gates only.
        lat: of its middle, WGS-84 degrees; of gates only.
    """

    code: str
    kind: str
    bonded: bool
    parent: str | None
    revision: int
    valid_from: datetime
    valid_to: datetime | None = None
    properties: Mapping[str, Any] = {}
    lon: float | None = None
    lat: float | None = None


class AreaBook(dict[str, tuple[AreaRevision, ...]]):
    """Revisions of areas, by code. It isn't changed once it is asked."""

    @cached_property
    def gates(self) -> Mapping[str, tuple[str, ...]]:
        """The gates that lead into a zone by one of their revisions, in order, by zone.

        Every judging asks for them at every border that the goods crossed, and there are many areas.
        """
        found: dict[str, set[str]] = {}
        for code, revisions in self.items():
            for revision in revisions:
                if revision.kind == GATE and revision.parent is not None:
                    found.setdefault(revision.parent, set()).add(code)
        return {zone: tuple(sorted(codes)) for zone, codes in found.items()}


class TermsRevision(Struct, frozen=True):
    """Terms with the moment from which they hold."""

    revision: int
    valid_from: datetime
    terms: Terms


class ParkRules(Struct, frozen=True):
    """How a park changes rules for its shipments, with the moment from which that holds."""

    revision: int
    valid_from: datetime
    rules: Mapping[str, Override]


class Facts(Struct, frozen=True):
    """One shipment's facts.

    Attributes:
        shipment: its number.
        terms: all revisions; the newest whose moment has come holds.
        carriages: its devices.
        areas: revisions by code, of every area that a milestone or the terms name, and of the zones around
            them.
        closed_at: when the shipment was closed; nothing is held against anybody after it.
        aboard: what the shipment consists of and what carried that, in order of (begins, thing).
        reports: what devices said of all that, in their total order.
        documents: what people and partners said, in order of (time, entry).
        gates: the gates of every zone that the terms name.
        keys: public keys (Ed25519, 32 bytes) of the devices in ``reports`` that sign, by their name; all
            that were ever registered, because what was signed under an old key stays signed.
        reused: numbers of its devices, and of those in ``reports``, that came again with another content.
        conflicts: where what was scanned of its goods, or of what they are in, contradicts itself.
        park_rules: all revisions of its park's; the newest whose moment has come holds.
    """

    shipment: str
    terms: tuple[TermsRevision, ...]
    carriages: tuple[Carriage, ...]
    areas: AreaBook
    closed_at: datetime | None = None
    aboard: tuple[Aboard, ...] = ()
    reports: tuple[Report, ...] = ()
    documents: tuple[Document, ...] = ()
    gates: tuple[GateWatch, ...] = ()
    keys: Mapping[str, tuple[bytes, ...]] = {}
    reused: tuple[Reused, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    park_rules: tuple[ParkRules, ...] = ()

    def terms_at(self, moment: datetime) -> TermsRevision | None:
        """The terms in force at a moment: a revision holds from its moment on, whatever older ones said."""
        held = [revision for revision in self.terms if revision.valid_from <= moment]
        return max(held, key=lambda revision: revision.revision) if held else None

    def overrides_at(self, moment: datetime) -> Mapping[str, Override]:
        """How rules are changed at a moment: by the park, and over that by the terms."""
        parks = [revision for revision in self.park_rules if revision.valid_from <= moment]
        found = dict(max(parks, key=lambda revision: revision.revision).rules) if parks else {}
        terms = self.terms_at(moment)
        for code, override in (terms.terms.rules if terms is not None else {}).items():
            below = found.get(code, Override())
            found[code] = Override(
                override.severity or below.severity, {**below.parameters, **override.parameters}
            )
        return found

    def area_at(self, code: str, moment: datetime) -> AreaRevision | None:
        """What an area was at a moment; of two revisions that claim it, the newer."""
        held = [
            revision
            for revision in self.areas.get(code, ())
            if revision.valid_from <= moment and (revision.valid_to is None or moment < revision.valid_to)
        ]
        return max(held, key=lambda revision: revision.revision) if held else None

    def around(self, code: str, moment: datetime) -> frozenset[str]:
        """The zones that contain this one at a moment, by their ``parent``."""
        found: set[str] = set()
        area = self.area_at(code, moment)
        while area is not None and area.parent is not None and area.parent not in found:
            found.add(area.parent)
            area = self.area_at(area.parent, moment)
        return frozenset(found)
