"""What a certificate is made of: rows of the log with their places, and raw events with their batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg.rows import dict_row

from tracking.store import log
from tracking.store.database import Connection, queries

SQL: Final = queries("certificate")

Observed = tuple[str, datetime, int, int]
"""An observation by its natural key: device, event time, run, seq."""


class EventRow(NamedTuple):
    """An observation's bytes and where they stand."""

    device: str
    time: datetime
    run: int
    seq: int
    dialect: str
    batch: int
    leaf: int
    body: bytes


def keys(conn: Connection, shipment_id: int) -> dict[str, list[int]]:
    """The rows of the log that a shipment's custody rests on, by kind."""
    found: dict[str, list[int]] = {}
    for kind, key in conn.execute(SQL["keys"], {"shipment_id": shipment_id}):
        found.setdefault(kind, []).append(key)
    return found


def rows(conn: Connection, kind: str, wanted: Sequence[int]) -> dict[int, bytes]:
    """What is hashed for these rows, by key."""
    query = b"select * from (" + log.LEAVES[kind] + b") s where s.key = any(%(keys)s)"
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(query, {"keys": list(wanted)})
        return {row["key"]: log.leaf(kind, row) for row in cursor}


def places(conn: Connection, kind: str, wanted: Sequence[int], size: int) -> dict[int, int]:
    """Where rows stand among the first ``size`` leaves of the log, by key."""
    parameters = {"kind": kind, "keys": list(wanted), "size": size}
    return dict(conn.execute(SQL["places"], parameters).fetchall())


def events(conn: Connection, observed: Sequence[Observed]) -> list[EventRow]:
    """These observations' own bytes; what isn't recorded is left out."""
    parameters = {
        "devices": [device for device, _, _, _ in observed],
        "times": [time for _, time, _, _ in observed],
        "runs": [run for _, _, run, _ in observed],
        "seqs": [seq for _, _, _, seq in observed],
    }
    return [EventRow(*row) for row in conn.execute(SQL["events"], parameters)]


def completeness(conn: Connection, carrying: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What is known to be complete, or not, of each device that carried a shipment."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            SQL["completeness"],
            {
                "devices": [row["device_id"] for row in carrying],
                "roles": [row["role"] for row in carrying],
                "froms": [row["valid_from"] for row in carrying],
                "tos": [row["valid_to"] for row in carrying],
            },
        ).fetchall()
