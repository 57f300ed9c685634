"""Whom a rehearsal concerns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from tracking.store.database import Connection, queries

SQL: Final = queries("rehearsal")


def shipments(conn: Connection, since: datetime, numbers: Sequence[str]) -> list[tuple[Any, ...]]:
    """The shipments of these numbers, or all under custody since then: id, number, park, closing."""
    return conn.execute(SQL["shipments"], {"since": since, "numbers": list(numbers)}).fetchall()


def device_ids(conn: Connection, names: Sequence[str]) -> list[int]:
    """The keys of devices by their names."""
    return [device_id for (device_id,) in conn.execute(SQL["device_ids"], {"names": list(names)})]
