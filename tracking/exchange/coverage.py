"""Custody coverage from the record: gathered, judged and measured as of the watermark, when it is asked for.

Nothing is kept and nothing is written. One shipment costs what a judging of it costs; sums are asked for by
the page, and say which shipment comes next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct
from psycopg import IsolationLevel

from devices.observation import EPOCH
from tracking.domain.custody.case import Case, open_case
from tracking.domain.custody.continuity import ContinuityReport, continuity, measured
from tracking.domain.custody.continuity import as_json as continuity_json
from tracking.domain.custody.coverage import coverage
from tracking.domain.custody.intervals import Interval, earlier
from tracking.domain.custody.judge import judge
from tracking.domain.custody.shares import Coverage, ShipmentCoverage, Total, as_json, within
from tracking.exchange import gathered
from tracking.exchange.gathered import Gathered
from tracking.store import coverage as store
from tracking.store import positions
from tracking.store.database import Connection
from tracking.store.judging import ShipmentRow


class By(StrEnum):
    """What sums are made by."""

    CARRIER = "carrier"
    """Whom the leg's terms name as custodian."""
    PARK = "park"
    """Of the shipment."""
    ROUTE = "route"
    """The leg's corridor."""


class Covered(Struct, frozen=True):
    """A shipment's numbers.

    Attributes:
        shipment: whose.
        through: as of this watermark.
        continuity: its chain of custody, with what sensors measured.
        coverage: None: its first leg hasn't begun.
    """

    shipment: ShipmentRow
    through: datetime
    continuity: ContinuityReport
    coverage: ShipmentCoverage | None


class Summed(Struct, frozen=True):
    """The sums over a page of shipments.

    Attributes:
        through: as of this watermark.
        groups: totals by carrier, park or route; None: the terms name none.
        shipments: how many were counted.
        next: the key of the last one where there may be more; None: that was all.
    """

    through: datetime
    groups: dict[str | None, Total]
    shipments: int
    next: int | None


def shipment(conn: Connection, number: str) -> Covered | None:
    """The numbers of one shipment; None: there is no such shipment.

    Args:
        conn: within a transaction of one snapshot, or not within any.
        number: of the shipment.
    """
    found = gathered.of_one(conn, number)
    return None if found is None else of(conn, found)


def of(conn: Connection, found: Gathered) -> Covered:
    """The numbers of a shipment whose facts are there; within the same snapshot."""
    return _covered(conn, found, store.unsigned_batches(conn))


def sums(conn: Connection, by: By, during: tuple[datetime, datetime], *, after: int, limit: int) -> Summed:
    """The time that fell into an interval, summed over a page of shipments.

    Args:
        conn: within a transaction of one snapshot.
        by: the groups.
        during: [since, until).
        after: the key of the last shipment of the page before; 0: from the first.
        limit: shipments at most.
    """
    rows = store.shipments(conn, since=during[0], until=during[1], after=after, limit=limit)
    groups: dict[str | None, Total] = {}
    counted = 0
    unsigned = store.unsigned_batches(conn)
    for facts in gathered.of_each(conn, rows):
        one = _covered(conn, facts, unsigned)
        mine = list(_shares(one, by, during))
        counted += bool(mine)
        for group, found in mine:
            groups[group] = groups.get(group, Total()) + found
    through = positions.watermark(conn) or EPOCH
    return Summed(through, groups, counted, rows[-1].shipment_id if len(rows) == limit else None)


@contextmanager
def snapshot(conn: Connection) -> Iterator[Connection]:
    """A transaction that reads one state of the record and can't write."""
    conn.isolation_level, conn.read_only = IsolationLevel.REPEATABLE_READ, True
    try:
        with conn.transaction():
            yield conn
    finally:
        conn.isolation_level, conn.read_only = None, None


def told(found: Covered) -> dict[str, Any]:
    """For an answer, a certificate or a page."""
    numbers = found.coverage
    return {
        "through": found.through.isoformat(),
        "continuity": continuity_json(found.continuity),
        "whole": None if numbers is None else as_json(numbers.whole),
        "legs": [
            {"index": leg.index, "custodian": leg.custodian, "corridor": leg.corridor, "zones": leg.zones}
            | as_json(leg.coverage)
            for leg in (() if numbers is None else numbers.legs)
        ],
    }


def _covered(conn: Connection, found: Gathered, unsigned: Sequence[int] | None) -> Covered:
    findings = judge(found.facts, found.through).findings
    case = open_case(found.facts, found.through)
    report = measured(continuity(case, findings), case)
    signed = [] if unsigned is None else _signed(conn, unsigned, case)
    return Covered(found.shipment, found.through, report, coverage(case, findings, signed))


def _signed(conn: Connection, unsigned: Sequence[int], case: Case) -> list[Interval]:
    """The stretches during which what the speaking device said is signed."""
    if not case.stretches:
        return []
    devices = {stretch.carriage.device for stretch in case.stretches}
    since = min(stretch.begins for stretch in case.stretches)
    limits = store.signed_until(conn, unsigned, devices, since)
    found: list[Interval] = []
    for stretch in case.stretches:
        device = stretch.carriage.device
        if device not in limits:
            found.append((stretch.begins, stretch.ends))
        elif (limit := limits[device]) is not None and limit > stretch.begins:
            found.append((stretch.begins, earlier(limit, stretch.ends)))
    return found


def _shares(found: Covered, by: By, during: tuple[datetime, datetime]) -> Iterator[tuple[str | None, Total]]:
    if found.coverage is None:
        return
    parts: list[tuple[str | None, Coverage]]
    if by is By.PARK:
        parts = [(found.shipment.park, found.coverage.whole)]
    elif by is By.CARRIER:
        parts = [(leg.custodian, leg.coverage) for leg in found.coverage.legs]
    else:
        parts = [(leg.corridor, leg.coverage) for leg in found.coverage.legs]
    for group, part in parts:
        clipped = within(part, *during)
        if clipped != Total():
            yield group, clipped
