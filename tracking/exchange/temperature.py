"""What the thermometers on a shipment measured, from the record: the cold report."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from tracking.domain.custody.cold_report import Thermometer, cold_report
from tracking.exchange import gathered
from tracking.exchange.gathered import Gathered
from tracking.store.database import Connection


class Measured(Struct, frozen=True):
    """The record of a shipment's thermometers.

    Attributes:
        through: as of this watermark.
        thermometers: on the goods or around them.
    """

    through: datetime
    thermometers: tuple[Thermometer, ...]


def shipment(conn: Connection, number: str) -> Measured | None:
    """What was measured of one shipment; None: there is no such shipment.

    Args:
        conn: within a transaction of one snapshot.
        number: of the shipment.
    """
    found = gathered.of_one(conn, number)
    return None if found is None else of(found)


def of(found: Gathered) -> Measured:
    """What was measured of a shipment whose facts are there."""
    report = cold_report(found.facts, found.through)
    return Measured(found.through, tuple(sorted(report, key=lambda one: (one.device, one.thing))))


def told(found: Measured) -> dict[str, Any]:
    """For an answer or a page."""
    shown: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
    return shown
