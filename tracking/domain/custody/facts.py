"""Everything that a judging reads, as plain data.

Facts say nothing of how they arrived. Two gatherings of the same records are equal, whatever the order,
batching or repetition in which the records came.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from tracking.domain.custody.terms import Terms

PRIMARY: Final = "primary"

READ_KINDS: Final = ("entered", "left", "crossed", "strayed", "returned", "silent", "heard")
"""Kinds of milestones that some rule or the legs read; the gatherer brings no others."""

FORBIDDEN_KINDS: Final = frozenset({"layby_forbidden", "restricted"})
"""Kinds of zones where goods under customs control may not be, unless the terms name the zone."""


class Milestone(Struct, frozen=True):
    """A change in a device's track, as the first fold recorded it.

    Attributes:
        time: when it happened (UTC).
        kind: ``entered``, ``left``, ``crossed``, ``strayed``, ``returned``, ``silent``, ``heard`` and
            others.
        area: code of the zone or corridor, for the kinds that have one.
        detail: what the fold adds, by kind.
        at: (event time, run, seq) of the observation at which the fold knew it; run and seq are -1 for
            passing time.
    """

    time: datetime
    kind: str
    area: str | None
    detail: Mapping[str, Any]
    at: tuple[datetime, int, int]


class Silence(Struct, frozen=True):
    """No observation between two moments of a device's time.

    Attributes:
        last_heard: event time of the last observation before.
        heard: event time of the next one; None while there is none.
    """

    last_heard: datetime
    heard: datetime | None


class Carriage(Struct, frozen=True):
    """One device on the shipment's goods during [begins, ends).

    Attributes:
        device: its name, ``SIP/TRK-001``.
        role: ``primary`` gives the position; the others stand beside it.
        expected_every_s: how often the registration expects word, in seconds.
        begins: when it began to carry for this shipment (the later of attachment and loading).
        ends: when it stopped; None while it carries.
        last_heard: event time of the newest observation of the device, None if it never spoke.
        last_fix: event time of the newest position, None if it never gave one.
        milestones: in order of time; the newest before ``begins`` of every area, and of silence, tell how
            things stood when the carriage began.
        gaps: silences measured in the observations themselves, where a leg asks for more than milestones
            tell.
        leaving: zones that its newest fixes lie outside of, too few yet for ``left``: the last fix before
            those.
    """

    device: str
    role: str
    expected_every_s: int
    begins: datetime
    ends: datetime | None
    last_heard: datetime | None
    last_fix: datetime | None
    milestones: tuple[Milestone, ...]
    gaps: tuple[Silence, ...] = ()
    leaving: Mapping[str, datetime] = {}


class AreaRevision(Struct, frozen=True):
    """What a zone or corridor was during [valid_from, valid_to).

    Attributes:
        code: its code.
        kind: ``cbz``, ``port``, ``layby_forbidden``, ``restricted``, ``corridor`` and so on.
        bonded: goods under customs control may be kept there.
        parent: the zone around it.
        revision: number of the revision.
    """

    code: str
    kind: str
    bonded: bool
    parent: str | None
    revision: int
    valid_from: datetime
    valid_to: datetime | None = None


class TermsRevision(Struct, frozen=True):
    """Terms with the moment from which they hold."""

    revision: int
    valid_from: datetime
    terms: Terms


class Facts(Struct, frozen=True):
    """One shipment's facts.

    Attributes:
        shipment: its number.
        terms: all revisions; the newest whose moment has come holds.
        carriages: its devices.
        areas: revisions by code, of every area that a milestone or the terms name, and of the zones around
            them.
        closed_at: when the shipment was closed; nothing is held against anybody after it.
    """

    shipment: str
    terms: tuple[TermsRevision, ...]
    carriages: tuple[Carriage, ...]
    areas: Mapping[str, tuple[AreaRevision, ...]]
    closed_at: datetime | None = None

    def terms_at(self, moment: datetime) -> TermsRevision | None:
        """The terms in force at a moment: a revision holds from its moment on, whatever older ones said."""
        held = [revision for revision in self.terms if revision.valid_from <= moment]
        return max(held, key=lambda revision: revision.revision) if held else None

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
