"""What the thermometers on a shipment measured, from the record: the cold report."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from devices.observation import EPOCH
from tracking.domain.custody.cold_report import Thermometer, cold_report
from tracking.judge.gather import gather
from tracking.judge.places import Areas
from tracking.store import coverage as store
from tracking.store import positions
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
    row = store.shipment(conn, number)
    if row is None:
        return None
    until = positions.watermark(conn) or EPOCH
    facts = gather(conn, [row], Areas().current(conn), until)[row.shipment_id]
    found = cold_report(facts, until)
    return Measured(until, tuple(sorted(found, key=lambda one: (one.device, one.thing))))


def told(found: Measured) -> dict[str, Any]:
    """For an answer or a page."""
    shown: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
    return shown
