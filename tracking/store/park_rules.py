"""How parks change rules, as it is kept: revisions that are added to, and the work that each leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tracking.domain.custody.facts import ParkRules
from tracking.domain.custody.park_rules import decode
from tracking.store.database import Connection, queries
from tracking.store.registry import Row, Unknown, wake_judge
from tracking.store.revising import Revised, following

SQL: Final = queries("park_rules")

NONE: Final[Row] = {
    "revision": 0, "valid_from": None, "body": {"rules": {}}, "recorded_at": None, "recorded_by": None
}  # fmt: skip
"""What stands before the first revision."""


def newest(conn: Connection, park: str) -> Row:
    """The newest revision of a park's rules; ``NONE``: it has changed none yet."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(SQL["newest"], {"park": park}).fetchone() or dict(NONE)


def revise(
    conn: Connection,
    park: str,
    *,
    expected: frozenset[int] | None,
    body: Mapping[str, Any],
    valid_from: datetime | None,
    recorded_at: datetime,
    recorded_by: str,
) -> Revised:
    """Let a park change rules from a moment on, and leave the judging of its shipments as work.

    Asked again for what the newest revision already says, nothing changes.

    Args:
        conn: outside a transaction, or within the caller's.
        park: its code.
        expected: revisions of which the newest must be one, 0 for none yet; None: any will do.
        body: what is changed, checked.
        valid_from: the moment; None: ``recorded_at``.
        recorded_at: now.
        recorded_by: who asks.

    Raises:
        Unknown: there is no such park.
        LostUpdate: the newest revision is not an expected one.
    """
    with conn.transaction():
        locked = conn.execute(SQL["lock_park"], {"park": park}).fetchone()
        if locked is None:
            raise Unknown("park", park)
        revised = following(
            newest(conn, park),
            expected=expected,
            body=body,
            valid_from=valid_from,
            recorded_at=recorded_at,
            recorded_by=recorded_by,
        )
        if not revised.is_new:
            return revised
        row = revised.row
        conn.execute(SQL["add"], {**row, "park_id": locked[0], "body": Jsonb(body)})
        conn.execute(SQL["leave_work"], {"park_id": locked[0], "valid_from": row["valid_from"]})
        wake_judge(conn)
        return revised


def of_parks(conn: Connection, parks: Iterable[str]) -> dict[str, tuple[ParkRules, ...]]:
    """Every revision of these parks' rules, by park, oldest first."""
    found: dict[str, list[ParkRules]] = {}
    for park, revision, valid_from, body in conn.execute(SQL["of_parks"], {"parks": sorted(set(parks))}):
        found.setdefault(park, []).append(ParkRules(revision, valid_from, decode(body)))
    return {park: tuple(revisions) for park, revisions in found.items()}
