"""Whom a change concerns: the shipments that are to be judged again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from tracking.store.database import Connection, queries
from tracking.store.kinds import KIND_NUMBERS

SQL: Final = queries("concern")

PAPER_REACH: Final = timedelta(hours=48)
"""What a document says of a thing counts for goods that were in it so long before or after its moment."""


def concerned_shipments(
    conn: Connection,
    devices: Mapping[int, datetime],
    things: Mapping[int, datetime],
    *,
    goods: Mapping[int, datetime] | None = None,
    documents: Sequence[int] = (),
) -> list[int]:
    """The shipments that were on or in these, however deep, at any time from their moments on.

    Args:
        conn: within the judging's transaction.
        devices: whose track or attachment has changed, or who has said something, and since when.
        things: whose containment has changed, or of whom something is said, and since when.
        goods: things of whom something is said that matters only to whom they belong.
        documents: new ones, by their entries.
    """
    direct = goods or {}
    if not (devices or things or direct or documents):
        return []
    parameters = {
        "device_ids": list(devices),
        "device_froms": list(devices.values()),
        "thing_ids": list(things),
        "thing_froms": list(things.values()),
        "goods_ids": list(direct),
        "goods_froms": list(direct.values()),
        "entries": list(documents),
        "reach": PAPER_REACH,
        "handover": KIND_NUMBERS["handover"],
    }
    return [shipment_id for (shipment_id,) in conn.execute(SQL["concerned_shipments"], parameters)]
