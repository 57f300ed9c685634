"""What a rule is given: the facts, and what the fold has already made of them."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

import msgspec
from msgspec import Struct

from tracking.domain.custody.course import Stretch, course
from tracking.domain.custody.facts import Carriage, Facts
from tracking.domain.custody.gatehouse import book
from tracking.domain.custody.handovers import Handing, handovers
from tracking.domain.custody.items import Scanned, Scans, by_item, scanned
from tracking.domain.custody.legs import Legs, fold
from tracking.domain.custody.passages import PassBook, PassLimits
from tracking.domain.custody.seals import Seals, worn


class Case(Struct, frozen=True, dict=True):
    """One shipment as of one moment.

    Attributes:
        facts: everything recorded of it.
        stretches: which primary device speaks for its position, when.
        legs: its legs, as the facts have taken them.
        until: the watermark, UTC: for the rules, time has passed as far as that and no further.
    """

    facts: Facts
    stretches: tuple[Stretch, ...]
    legs: Legs
    until: datetime

    @cached_property
    def scanned(self) -> Scanned:
        """Every scan with the URI of what was scanned, in order; vehicles are no items."""
        return scanned(self.facts.reports)

    @cached_property
    def scans(self) -> Scans:
        """The same, by item."""
        return by_item(self.scanned)

    @cached_property
    def handovers(self) -> tuple[Handing, ...]:
        """Who handed what to whom, by the words of both sides."""
        return handovers(self.facts)

    @cached_property
    def seals(self) -> Seals:
        """Which seal is on the goods, when and in which state."""
        return worn(self.facts, self.legs)

    def book(self, limits: PassLimits) -> PassBook:
        """The shipment's passes and its vehicles' passages, by what counts as a use."""
        counts = PassLimits(limits.min_ocr_conf, limits.early_tolerance_min)
        if counts not in self._books:
            self._books[counts] = book(self.facts, counts)
        return self._books[counts]

    @cached_property
    def _books(self) -> dict[PassLimits, PassBook]:
        return {}


def open_case(facts: Facts, until: datetime) -> Case:
    """Take the facts through course and legs, in an order that doesn't depend on how they were gathered.

    Terms whose moment neither the watermark nor any observation has reached are not in force yet.
    """
    reached = max([until, *(c.last_heard for c in facts.carriages if c.last_heard is not None)])
    facts = msgspec.structs.replace(
        facts,
        terms=tuple(
            sorted(
                (revision for revision in facts.terms if revision.valid_from <= reached),
                key=lambda revision: (revision.valid_from, revision.revision),
            )
        ),
        carriages=tuple(sorted(facts.carriages, key=_place)),
        aboard=tuple(sorted(facts.aboard, key=lambda aboard: (aboard.begins, aboard.thing))),
        reports=tuple(sorted(facts.reports, key=lambda report: report.order)),
        documents=tuple(sorted(facts.documents, key=lambda document: (document.time, document.entry))),
        gates=tuple(sorted(facts.gates, key=lambda watch: (watch.gate, watch.device))),
    )
    stretches = course(facts.carriages)
    return Case(facts, stretches, fold(facts, stretches), until)


def _place(carriage: Carriage) -> tuple[str, datetime, str, bool, datetime]:
    ends = carriage.ends
    return (carriage.device, carriage.begins, carriage.role, ends is None, ends or carriage.begins)
