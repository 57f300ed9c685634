"""Terms of custody as they are kept: revisions that are added to, and the work that each leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from devices.identifiers import parse_thing
from tracking.domain.custody.checks import Place
from tracking.store import levels
from tracking.store.database import Connection, queries
from tracking.store.registry import SQL as REGISTRY
from tracking.store.registry import Row, Unknown, add_work
from tracking.store.revising import Revised, following

SQL: Final = queries("terms")


def revise(
    conn: Connection,
    number: str,
    *,
    expected: frozenset[int] | None,
    body: Mapping[str, Any],
    valid_from: datetime | None,
    recorded_at: datetime,
    recorded_by: str,
) -> Revised:
    """Hold a shipment to new terms from a moment on, and leave its judging as work; all of it or nothing.

    Asked again for what the newest revision already says, nothing changes.

    Args:
        conn: outside a transaction, or within the caller's.
        number: of the shipment.
        expected: revisions of which the newest must be one; None: any will do.
        body: the terms, checked.
        valid_from: the moment; None: ``recorded_at``.
        recorded_at: now.
        recorded_by: who asks.

    Raises:
        Unknown: there is no such shipment.
        LostUpdate: the newest revision is not an expected one.
    """
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        shipment = cursor.execute(SQL["lock_shipment"], {"number": number}).fetchone()
        if shipment is None:
            raise Unknown("shipment", number)
        shipment_id = shipment["shipment_id"]
        stands = cursor.execute(SQL["newest"], {"shipment_id": shipment_id}).fetchone()
        assert stands is not None  # a shipment is made with its first terms
        revised = following(
            stands,
            expected=expected,
            body=body,
            valid_from=valid_from,
            recorded_at=recorded_at,
            recorded_by=recorded_by,
        )
        if not revised.is_new:
            return revised
        row = revised.row
        conn.execute(REGISTRY["add_terms"], {**row, "shipment_id": shipment_id, "body": Jsonb(body)})
        add_work(conn, "shipment", shipment_id, row["valid_from"])
        levels.add(
            conn,
            body,
            valid_from=row["valid_from"],
            recorded_at=recorded_at,
            recorded_by=recorded_by,
        )
        return revised


def revisions(conn: Connection, shipment_id: int) -> list[Row]:
    """All revisions of a shipment's terms, newest first."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(SQL["revisions"], {"shipment_id": shipment_id}).fetchall()


def places(conn: Connection) -> dict[str, Place]:
    """Every area that terms may name, by code."""
    return {code: Place(kind, parent) for code, kind, parent in conn.execute(SQL["places"])}


def reporting(conn: Connection, number: str, at: datetime, things: Sequence[str] = ()) -> dict[str, int]:
    """The primary devices on a shipment's goods at a moment, with the seconds between their reports.

    Args:
        conn: any connection.
        number: of the shipment.
        at: the moment.
        things: what else counts as its goods: those of a shipment that is not there yet.
    """
    goods = {"number": number, "at": at, "things": [parse_thing(text).uri for text in things]}
    return dict(conn.execute(SQL["reporting"], goods).fetchall())
