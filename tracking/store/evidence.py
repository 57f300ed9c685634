"""The raw messages that findings rest on, read by what evidence calls them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg.rows import class_row

from tracking.store.database import Connection, queries

SQL: Final = queries("evidence")


class Message(NamedTuple):
    """One observation as it came: its natural key, when it arrived, where it stands in the log, its bytes."""

    device: str
    time: datetime
    run: int
    seq: int
    kind: int
    received_at: datetime
    recorded_at: datetime
    batch: int
    leaf: int
    dialect: str
    body: bytes


def observed(conn: Connection, keys: Collection[tuple[str, datetime, int, int]]) -> list[Message]:
    """The messages of these keys (device, event time, run, seq), in order of time, without what is gone."""
    asked = {
        "devices": [device for device, _, _, _ in keys],
        "times": [time for _, time, _, _ in keys],
        "runs": [run for _, _, run, _ in keys],
        "seqs": [seq for _, _, _, seq in keys],
    }
    return _messages(conn, "observed", asked)


def heard_at(conn: Connection, moments: Collection[tuple[str, datetime]]) -> list[Message]:
    """The messages of devices at just these moments, in order of time."""
    asked = {"devices": [device for device, _ in moments], "times": [time for _, time in moments]}
    return _messages(conn, "heard_at", asked)


def _messages(conn: Connection, query: str, asked: dict[str, Any]) -> list[Message]:
    with conn.cursor(row_factory=class_row(Message)) as cursor:
        return cursor.execute(SQL[query], asked).fetchall()
