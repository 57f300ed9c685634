"""What coverage asks of the record: whom sums are about, and what is signed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from tracking.store.database import Connection, queries
from tracking.store.judging import ShipmentRow

SQL: Final = queries("coverage")

REACH: Final = 20_000
"""So many batches behind the newest signed one, any may have been committed late and wait for its leaf."""


def shipments(
    conn: Connection, *, since: datetime, until: datetime, after: int, limit: int
) -> list[ShipmentRow]:
    """A page of the shipments under custody during [since, until), by their keys."""
    asked = {"since": since, "until": until, "after": after, "limit": limit}
    return [ShipmentRow(*row) for row in conn.execute(SQL["shipments"], asked)]


def shipment(conn: Connection, number: str) -> ShipmentRow | None:
    """The one of this number."""
    row = conn.execute(SQL["shipment"], {"number": number}).fetchone()
    return None if row is None else ShipmentRow(*row)


def unsigned_batches(conn: Connection) -> list[int] | None:
    """Batches that stand below no signed head yet; None: none stands below one."""
    (newest,) = conn.execute(SQL["newest_leaf"]).fetchone() or (None,)
    if newest is None:
        return None
    found = conn.execute(SQL["unsigned_batches"], {"newest": newest, "reach": REACH})
    return [batch for (batch,) in found]


def signed_until(
    conn: Connection, batches: Collection[int], devices: Collection[str], since: datetime
) -> dict[str, datetime | None]:
    """Up to which event time a device's observations are signed, of those with some in unsigned batches.

    Args:
        conn: within a snapshot.
        batches: the unsigned ones.
        devices: names.
        since: no older observation matters.
    """
    if not batches or not devices:
        return {}
    asked = {"batches": list(batches), "devices": list(devices), "since": since}
    return dict(conn.execute(SQL["signed_until"], asked).fetchall())
