"""The facts of shipments as of the watermark, for what is told of them when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from devices.observation import EPOCH
from tracking.domain.custody.facts import Facts
from tracking.judge.gather import gather
from tracking.judge.places import Areas
from tracking.store import coverage as store
from tracking.store import positions
from tracking.store.database import Connection
from tracking.store.judging import ShipmentRow

AT_ONCE: Final = 50
"""Shipments gathered together."""


class Gathered(Struct, frozen=True):
    """One shipment's facts.

    Attributes:
        shipment: whose.
        through: as of this watermark.
        facts: of it; the largest thing that a page reads, so it is read once for all that stands there.
    """

    shipment: ShipmentRow
    through: datetime
    facts: Facts


def of_one(conn: Connection, number: str) -> Gathered | None:
    """The facts of one shipment; None: there is no such shipment.

    Args:
        conn: within a transaction of one snapshot, or not within any.
        number: of the shipment.

    Raises:
        Undecodable: recorded bytes that can't be read.
    """
    row = store.shipment(conn, number)
    return None if row is None else next(of_each(conn, [row]))


def of_each(conn: Connection, rows: Sequence[ShipmentRow]) -> Iterator[Gathered]:
    """The facts of shipments, some of them at once; as ``of_one``."""
    until = positions.watermark(conn) or EPOCH
    areas = Areas().current(conn)
    for at in range(0, len(rows), AT_ONCE):
        some = rows[at : at + AT_ONCE]
        facts = gather(conn, some, areas, until)
        for row in some:
            yield Gathered(row, until, facts[row.shipment_id])
