"""What couldn't be taken, whole, with its reason: listed, shown, and given out to be replayed."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from tracking.store.database import Connection, queries

SQL: Final = queries("rejections")


class Summary(NamedTuple):
    """A rejection in a list. ``run`` and ``seq`` are null where the event's number couldn't be read."""

    rejection_id: int
    topic: str
    reason: str
    detail: str
    run: int | None
    seq: int | None
    payload_bytes: int
    received_at: datetime
    replayed_at: datetime | None


class Rejection(NamedTuple):
    """A rejection with everything that was kept; ``leaf``: of the park through whose leaf node it came."""

    rejection_id: int
    topic: str
    payload: bytes
    properties: dict[str, str]
    reason: str
    detail: str
    run: int | None
    seq: int | None
    received_at: datetime
    recorded_at: datetime
    replayed_at: datetime | None
    leaf: str


def listed(
    conn: Connection,
    *,
    reason: str | None = None,
    topic: str | None = None,
    waiting: bool = False,
    before: int | None = None,
    limit: int = 50,
) -> list[Summary]:
    """A page of rejections, newest first.

    Args:
        reason: only of this reason.
        topic: only of this topic, that is, of one device.
        waiting: only those that were not replayed.
        before: the last id of the page before.
        limit: rows at most.
    """
    page = {"reason": reason, "topic": topic, "waiting": waiting, "before": before, "limit": limit}
    return [Summary._make(row) for row in conn.execute(SQL["listed"], page)]


def whole(conn: Connection, rejection_id: int) -> Rejection | None:
    """One rejection; None when there is none of this id."""
    row = conn.execute(SQL["whole"], (rejection_id,)).fetchone()
    return Rejection._make(row) if row else None


def waiting(conn: Connection, *, reason: str | None = None, topic: str | None = None) -> list[int]:
    """The ids of all rejections that were not replayed, in the order in which they arrived."""
    found = conn.execute(SQL["waiting"], {"reason": reason, "topic": topic})
    return [rejection_id for (rejection_id,) in found]
