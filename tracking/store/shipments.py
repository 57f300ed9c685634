"""Shipments as they are created and closed: goods, terms, and the work that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias

from psycopg.types.json import Jsonb

from tracking.store import levels
from tracking.store.database import Connection
from tracking.store.registry import SQL, Unknown, add_work, one, park_id, thing

Outcome: TypeAlias = Literal["created", "same", "differs"]


def create(
    conn: Connection,
    *,
    number: str,
    park: str,
    reference: str,
    things: Sequence[str],
    terms: Mapping[str, Any],
    valid_from: datetime,
    recorded_at: datetime,
    recorded_by: str,
) -> Outcome:
    """Put a shipment under watch with its first revision of terms; all of it or nothing.

    Returns:
        ``created``; ``same``: it stands as asked already; ``differs``: the number is another's.

    Raises:
        Unknown: there is no such park.
    """
    with conn.transaction():
        keys = dict(thing(conn, text) for text in things)
        row = one(
            conn,
            "add_shipment",
            park_id=park_id(conn, park),
            number=number,
            reference=reference,
            created_at=recorded_at,
        )
        if row is None:
            stands = one(conn, "shipment_as_created", number=number)
            asked = {
                "park": park,
                "reference": reference,
                "body": terms,
                "things": sorted(parsed.uri for parsed in keys.values()),
            }
            return "same" if stands == asked else "differs"
        shipment_id = row["shipment_id"]
        for thing_id in keys:
            conn.execute(
                SQL["add_shipment_thing"],
                {
                    "shipment_id": shipment_id,
                    "thing_id": thing_id,
                    "valid_from": valid_from,
                    "recorded_at": recorded_at,
                },
            )
        conn.execute(
            SQL["add_terms"],
            {
                "shipment_id": shipment_id,
                "revision": 1,
                "valid_from": valid_from,
                "body": Jsonb(terms),
                "recorded_at": recorded_at,
                "recorded_by": recorded_by,
            },
        )
        add_work(conn, "shipment", shipment_id, valid_from)
        levels.add(conn, terms, valid_from=valid_from, recorded_at=recorded_at, recorded_by=recorded_by)
    return "created"


def close(conn: Connection, number: str, at: datetime | None, *, now: datetime) -> datetime:
    """End a shipment's custody, and leave its last judging as work; closed once, it stays as it was closed.

    Args:
        conn: outside a transaction.
        number: the shipment's.
        at: when; None: now.
        now: when this is recorded.

    Returns:
        When it was closed.

    Raises:
        Unknown: there is no such shipment.
    """
    with conn.transaction():
        closed = one(conn, "close_shipment", number=number, at=at or now)
        if closed is not None:
            add_work(conn, "shipment", closed["shipment_id"], at or now)
            return at or now
        stands = one(conn, "closing_of_shipment", number=number)
        if stands is None:
            raise Unknown("shipment", number)
        closed_at: datetime = stands["closed_at"]
        return closed_at
