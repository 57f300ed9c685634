"""Single goods: what was scanned of each, and which paper spoke of it at a moment.

A wave has thousands of parcels; everything here takes time in proportion to scans and papers.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from devices.identifiers import parse_thing
from devices.observation import Scan
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.told import Document, Report
from tracking.domain.things.subject import subject

Scans: TypeAlias = dict[str, list[Report]]
"""Reports of scans by the URI of what was scanned, in order."""

VEHICLE: Final = "vehicle"


def scans_by_item(facts: Facts) -> Scans:
    """What was scanned of everything that isn't a vehicle."""
    found: Scans = {}
    for report in facts.reports:
        if isinstance(report.fact, Scan):
            thing = subject(report.fact)
            if thing is not None:
                found.setdefault(thing, []).append(report)
    return {thing: reports for thing, reports in found.items() if named(thing).kind != VEHICLE}


def scan_of(report: Report) -> Scan:
    """The fact of a report of ``scans_by_item``."""
    assert isinstance(report.fact, Scan)
    return report.fact


class Named(NamedTuple):
    """What a URI names, as people call it."""

    kind: str
    label: str


@lru_cache(maxsize=1 << 16)
def named(thing: str) -> Named:
    """The kind and label of a thing, from its URI alone."""
    found = parse_thing(thing)
    return Named(found.kind, found.label)


class Papers:
    """Documents of one kind, by what they are about."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self.whole: list[Document] = []
        self.single: dict[str, list[Document]] = {}
        for document in documents:
            for thing in document.things:
                self.single.setdefault(thing, []).append(document)
            if not document.things:
                self.whole.append(document)

    def __bool__(self) -> bool:
        return bool(self.whole or self.single)

    def named(self, thing: str, moment: datetime) -> Document | None:
        """The last that names the thing, by a moment."""
        return _last(self.single.get(thing, ()), moment)

    def general(self, moment: datetime) -> Document | None:
        """The last about the shipment as a whole, by a moment."""
        return _last(self.whole, moment)

    def about(self, thing: str) -> list[Document]:
        """All that concern a thing, in order; of one moment those last that name it."""
        return sorted(
            [*self.whole, *self.single.get(thing, ())], key=lambda d: (d.time, bool(d.things), d.entry)
        )


def _last(documents: Iterable[Document], moment: datetime) -> Document | None:
    found = None
    for document in documents:
        if document.time > moment:
            break
        found = document
    return found
