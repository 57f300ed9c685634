"""What was loaded on vehicles, counted from the intervals that scans and reports make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row

from tracking.store.database import Connection, queries

SQL: Final = queries("loadings")

COUNTS: Final = (
    "loaded", "pulled_back", "aboard", "under_custody", "others", "released", "held", "may_leave",
)  # fmt: skip
MOST_VEHICLES: Final = 1000


def loadings(
    conn: Connection, *, since: datetime, until: datetime, vehicles: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """``COUNTS`` by vehicle, of at most ``MOST_VEHICLES``.

    Args:
        conn: the database.
        since: what was loaded from here on.
        until: and before this; how things stand is told as of it.
        vehicles: URIs; None: all into which something went.
    """
    asked = {
        "since": since,
        "until": until,
        "vehicles": None if vehicles is None else list(vehicles),
        "limit": MOST_VEHICLES,
    }
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(SQL["loadings"], asked).fetchall()


def total(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """The counts of all vehicles together."""
    return {name: sum(row[name] for row in rows) for name in COUNTS}
