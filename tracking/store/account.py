"""Reads what an account of a shipment is made of: findings in versions, and what was recorded meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from tracking.domain.custody.account import Happening, Version
from tracking.store.database import Connection, queries

SQL: Final = queries("account")


def versions(conn: Connection, shipment_id: int) -> list[Version]:
    """Every version of every finding, in the order in which they were recorded."""
    return [Version(*row) for row in conn.execute(SQL["versions"], {"shipment_id": shipment_id})]


def happenings(
    conn: Connection, shipment_id: int, carrying: Sequence[Mapping[str, Any]], areas: Collection[str]
) -> list[Happening]:
    """What may have changed what was held true: by the shipment's carriers, and the areas that matter to it.

    Reads every observation of the carriers once.
    """
    intervals = {
        "devices": [row["device_id"] for row in carrying],
        "froms": [row["valid_from"] for row in carrying],
        "tos": [row["valid_to"] for row in carrying],
    }
    said = {"shipment_id": shipment_id, "areas": sorted(areas)}
    found = [*conn.execute(SQL["late"], intervals), *conn.execute(SQL["said"], said)]
    return [Happening(*row) for row in found]
