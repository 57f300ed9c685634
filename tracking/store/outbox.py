"""What must reach MQTT at least once: written with its cause in one transaction, relayed by any number of
processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from tracking.store.arrays import byteas, int2s, int8s, texts
from tracking.store.database import OUTBOX_CHANNEL, Connection, queries

SQL: Final = queries("outbox")


class Outgoing(NamedTuple):
    """A message to publish."""

    topic: str
    payload: bytes
    qos: int = 1


class Waiting(NamedTuple):
    """A message that is not known to be delivered."""

    outbox_id: int
    topic: str
    payload: bytes
    qos: int


class Age(NamedTuple):
    """How many messages wait, and since when the oldest does."""

    waiting: int
    oldest: datetime | None


def add(conn: Connection, messages: Sequence[Outgoing], *, created_at: datetime) -> None:
    """Leave messages for the relay, and wake it when this transaction commits."""
    if messages:
        conn.execute(
            SQL["add"],
            {
                "topics": texts([message.topic for message in messages]),
                "payloads": byteas([message.payload for message in messages]),
                "qos": int2s([message.qos for message in messages]),
                "created_at": created_at,
                "channel": OUTBOX_CHANNEL,
            },
        )


def take(conn: Connection, *, limit: int = 100) -> list[Waiting]:
    """Take the oldest messages in order. They stay locked until the transaction ends: publish, then
    ``mark_sent``.

    Dying in between publishes them again: at least once.
    """
    found = conn.cursor(binary=True).execute(SQL["take"], {"limit": limit})
    return [Waiting._make(row) for row in found]


def mark_sent(conn: Connection, outbox_ids: Sequence[int], *, sent_at: datetime) -> None:
    """The broker has acknowledged these."""
    if outbox_ids:
        conn.execute(SQL["mark_sent"], {"outbox_ids": int8s(outbox_ids), "sent_at": sent_at})


def prune(conn: Connection, before: datetime) -> int:
    """Forget messages that were sent before a moment; returns how many."""
    return conn.execute(SQL["prune"], {"before": before}).rowcount


def age(conn: Connection) -> Age:
    """For metrics and alarms."""
    row = conn.execute(SQL["age"]).fetchone()
    assert row is not None  # an aggregate always has a row
    return Age._make(row)
