"""What was loaded on vehicles, counted from the intervals that scans and reports make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from psycopg.rows import dict_row

from tracking.store.database import Connection, queries

SQL: Final = queries("loadings")

COUNTS: Final = (
    "loaded", "pulled_back", "aboard", "under_custody", "others", "released", "held", "may_leave",
)  # fmt: skip
MOST_VEHICLES: Final = 1000
"""On a page."""


class Loadings(Struct, frozen=True):
    """What went onto vehicles.

    Attributes:
        vehicles: a page of them, by what people call them, each with ``COUNTS``.
        count: of the vehicles on all pages.
        total: ``COUNTS`` of all of these together.
    """

    vehicles: list[dict[str, Any]]
    count: int
    total: dict[str, int]

    @property
    def last(self) -> tuple[str, str] | None:
        """The last vehicle of this page, by which the next one is asked for; None: it has none."""
        return (self.vehicles[-1]["vehicle"], self.vehicles[-1]["uri"]) if self.vehicles else None


def loadings(
    conn: Connection,
    *,
    since: datetime,
    until: datetime,
    vehicles: Sequence[str] | None = None,
    after: tuple[str, str] | None = None,
    limit: int = MOST_VEHICLES,
) -> Loadings:
    """A page of vehicles, and the counts of all.

    Args:
        conn: the database.
        since: what was loaded from here on.
        until: and before this; how things stand is told as of it.
        vehicles: URIs; None: all into which something went.
        after: the last vehicle of the page before.
        limit: vehicles at most.
    """
    label, uri = after if after is not None else (None, None)
    asked = {
        "since": since,
        "until": until,
        "vehicles": None if vehicles is None else list(vehicles),
        "label": label,
        "uri": uri,
        "limit": limit,
    }
    with conn.cursor(row_factory=dict_row) as cursor:
        whole, *rows = cursor.execute(SQL["loadings"], asked).fetchall()
    for row in rows:
        del row["vehicles"]
    return Loadings(rows, whole["vehicles"], {name: whole[name] for name in COUNTS})
