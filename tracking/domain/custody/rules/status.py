"""Rules about where goods of each status lie, when bonded and others are kept in one warehouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise, zip_longest
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from devices.observation import Scan
from tracking.domain.custody.case import Case
from tracking.domain.custody.documents import Status
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.intervals import Interval, overlap, united
from tracking.domain.custody.items import Papers, named
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.told import Document, Report
from tracking.domain.custody.verdicts import (
    Evidence,
    Outcome,
    Severity,
    Verdict,
    cite_document,
    cite_report,
)
from tracking.domain.things.placing import TAKES_AWAY

BONDED: Final = "bonded"
NON_BONDED: Final = "non_bonded"


class LocationLimits(Struct, frozen=True):
    """Parameters of ``status_location_conflict``.

    Attributes:
        grace_min: minutes for which goods may lie in the wrong place while they are handled.
        bonded_kinds: kinds of places for bonded goods alone.
        nonbonded_kinds: kinds of places for other goods alone.
        handling_zones: codes of places where goods of either status are handled.
    """

    grace_min: Annotated[float, Meta(ge=0, le=10_080)] = 15
    bonded_kinds: tuple[str, ...] = ("storage_bonded",)
    nonbonded_kinds: tuple[str, ...] = ("storage_nonbonded",)
    handling_zones: tuple[str, ...] = ("staging",)


Misplaced = tuple[str, Interval, tuple[Report | Document, ...]]
"""An item, for how long it lay in the wrong place, and what tells of it."""


def conflict_due(case: Case, limits: LocationLimits) -> datetime | None:
    """When the minutes of something that lies in the wrong place are over."""
    grace = timedelta(minutes=limits.grace_min)
    opening = (
        begins + grace
        for _, (begins, ends), _ in _misplaced(case, limits)
        if ends is None or begins + grace < ends
    )
    return min((moment for moment in opening if moment > case.until), default=None)


@rule(
    number="E1",
    code="status_location_conflict",
    severity=Severity.MAJOR,
    limits=LocationLimits,
    due=conflict_due,
)
def status_location_conflict(case: Case, limits: LocationLimits) -> Iterator[Verdict]:
    """A bonded item lies among non-bonded stock, or the reverse (货物状态与库位不符).

    Opens exactly ``grace_min`` minutes after the scan that put the item there, or after its status changed
    where it lay. Closes when a scan puts it elsewhere or takes it away, or when its status changes to the
    place's.

    Must not fire when the item was moved within the minutes; for places in ``handling_zones``, and those of
    no such kind (a hold for inspection); for items of whose status nobody has said anything; for a scan
    that takes an item out of the wrong place; nor twice for an item that is scanned there again.

    Args:
        case: the shipment as of the watermark.
        limits: ``grace_min``, minutes, default 15; ``bonded_kinds``, default storage_bonded;
            ``nonbonded_kinds``, default storage_nonbonded; ``handling_zones``, default staging.

    Evidence: the scans, and the paper with the status.
    Source: GACC notice 72 of 2016: goods of either status may be kept in one warehouse when a linked system
    tells them apart. The minutes are ours.
    """
    grace = timedelta(minutes=limits.grace_min)
    for item, (begins, ends), told in _misplaced(case, limits):
        opened_at = begins + grace
        terms = case.facts.terms_at(opened_at)
        if terms is None or opened_at > case.until or (ends is not None and ends <= opened_at):
            continue
        yield Verdict(
            rule="status_location_conflict",
            cause=named(item).label,
            outcome=Outcome.FINDING,
            severity=Severity.MAJOR,
            opened_at=opened_at,
            closed_at=ends,
            evidence=tuple(_cite(piece) for piece in told),
            parameters=msgspec.to_builtins(limits),
            terms_revision=terms.revision,
        )


def _misplaced(case: Case, limits: LocationLimits) -> Iterator[Misplaced]:
    """Everything that lay where goods of its status may not be, however short."""
    statuses = Papers(d for d in case.facts.documents if isinstance(d.body, Status))
    if not statuses:
        return
    for item, scans in case.scans.items():
        stays = list(_stays(case.facts, scans, limits))
        held = list(_statuses(statuses.about(item))) if stays else []
        wrong: list[tuple[Interval, tuple[Report | Document, ...]]] = [
            (shared, (report, status))
            for stay, report, wanted in stays
            for during, status in held
            if _status(status) != wanted and (shared := overlap(stay, during)) is not None
        ]
        for during, told in united(wrong):
            yield item, during, told


def _stays(
    facts: Facts, scans: Sequence[tuple[Report, Scan]], limits: LocationLimits
) -> Iterator[tuple[Interval, Report, str]]:
    """The times at which an item lay in places for one status alone, and that status."""
    placing = [(r, scan) for r, scan in scans if scan.location is not None or scan.action in TAKES_AWAY]
    ends = [report.time for report, _ in placing[1:]]
    for (report, scan), then in zip_longest(placing, ends):
        wanted = _wanted(facts, scan, report.time, limits)
        if wanted is not None:
            yield (report.time, then), report, wanted


def _wanted(facts: Facts, scan: Scan, moment: datetime, limits: LocationLimits) -> str | None:
    """The status that goods must have where a scan put them; None: any, or it put them nowhere."""
    location = scan.location
    if location is None or scan.action in TAKES_AWAY or location in limits.handling_zones:
        return None
    area = facts.area_at(location, moment)
    if area is None:
        return None
    if area.kind in limits.bonded_kinds:
        return BONDED
    return NON_BONDED if area.kind in limits.nonbonded_kinds else None


def _statuses(documents: list[Document]) -> Iterator[tuple[Interval, Document]]:
    """For how long each paper's status held."""
    for document, then in pairwise([*documents, None]):
        assert document is not None
        yield (document.time, then.time if then is not None else None), document


def _status(document: Document) -> str:
    assert isinstance(document.body, Status)
    return document.body.status


def _cite(piece: Report | Document) -> Evidence:
    return cite_report(piece) if isinstance(piece, Report) else cite_document(piece)
