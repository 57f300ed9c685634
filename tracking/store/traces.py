"""Where things were: the positions of the devices that spoke for them.

A long trace is tens of thousands of rows: they come in PostgreSQL's binary form and as structs, which costs a
third of what rows as dictionaries do (``bondwatch bench reading``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from psycopg.rows import args_row

from tracking.store.database import Connection, queries

SQL: Final = queries("traces")


class TracePoint(Struct, frozen=True, gc=False):
    """One position, as it goes out: WGS-84 degrees, metres, metres per second, degrees from north."""

    device: str
    event_time: datetime
    lon: float
    lat: float
    accuracy_m: float | None
    speed_mps: float | None
    heading_deg: float | None
    run: int
    seq: int


def positions(
    conn: Connection, carrying: Sequence[dict[str, Any]], *, since: datetime, until: datetime, limit: int
) -> list[TracePoint]:
    """The positions of carriers within their intervals, in event-time order.

    Args:
        carrying: as ``reading.carriers`` gives it.
        since: from this moment on.
        until: before this one.
        limit: as many at most.
    """
    asked = {
        "devices": [row["device_id"] for row in carrying],
        "names": [row["device"] for row in carrying],
        "froms": [row["valid_from"] for row in carrying],
        "tos": [row["valid_to"] for row in carrying],
        "since": since,
        "until": until,
        "limit": limit,
    }
    with conn.cursor(binary=True, row_factory=args_row(TracePoint)) as cursor:
        return cursor.execute(SQL["positions"], asked).fetchall()
