"""Single goods: what was scanned of each, and which paper spoke of it at a moment.

A wave has thousands of parcels; everything here takes time in proportion to scans and papers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from devices.identifiers import parse_thing
from devices.observation import Scan
from tracking.domain.custody.told import Document, Report
from tracking.domain.things.subject import thing_uri

Scanned: TypeAlias = Sequence[tuple[str, Report, Scan]]
"""Scans in order: the URI of what was scanned, the report, and the fact in it."""

Scans: TypeAlias = Mapping[str, Sequence[tuple[Report, Scan]]]
"""Scans by the URI of what was scanned, each in order."""

VEHICLE: Final = "vehicle"


def scanned(reports: Sequence[Report]) -> Scanned:
    """The scans of everything that isn't a vehicle."""
    return [
        (thing, report, report.fact)
        for report in reports
        if isinstance(report.fact, Scan)
        and (thing := thing_uri(report.fact.code)) is not None
        and named(thing).kind != VEHICLE
    ]


def by_item(found: Scanned) -> Scans:
    """Scans by what was scanned."""
    items: dict[str, list[tuple[Report, Scan]]] = {}
    for thing, report, scan in found:
        items.setdefault(thing, []).append((report, scan))
    return items


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
