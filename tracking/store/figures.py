"""How much there is: figures for the demo's table and for the doctor. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tracking.store.database import Connection, queries

_SQL = queries("figures")


class Mark(NamedTuple):
    """Where a counting begins."""

    batch: int
    rejection: int
    shipment: int
    duplicates: int


class Quick(NamedTuple):
    """What has come since a mark, and what there is."""

    recorded: int
    rejected: int
    devices: int
    open_shipments: int


class EventKey(NamedTuple):
    """Names an event."""

    park: str
    code: str
    run: int
    seq: int


class OfSource(NamedTuple):
    """What a source's batches recorded, and how many rejections there are of all sources."""

    recorded: int
    rejections: int


class NewAlert(NamedTuple):
    """An alert in one line."""

    severity: str
    rule: str
    shipment: str
    opened_at: datetime


class Server(NamedTuple):
    """The database server."""

    version: str
    clock: datetime
    synchronous_commit: str
    fsync: str
    size_bytes: int
    timescaledb: str | None
    timescaledb_offered: str | None


def mark(conn: Connection) -> Mark:
    """Begin to count here."""
    return Mark(*_row(conn, "mark"))


def of_source(conn: Connection, source: str) -> OfSource:
    """Figures of one source, to be taken before and after."""
    return OfSource(*_row(conn, "of_source", {"source": source}))


def quick(conn: Connection, since: Mark) -> Quick:
    """Cheap figures since the mark, by what the batches say."""
    return Quick(*_row(conn, "quick", since._asdict()))


def recorded(conn: Connection, since: Mark) -> int:
    """Observations that stand in the record since the mark, counted row by row."""
    return int(_row(conn, "recorded", {"batch": since.batch})[0])


def duplicates(conn: Connection, since: Mark) -> int:
    """Events that came again since the mark and were recognised."""
    return int(_row(conn, "duplicates")[0]) - since.duplicates


def recorded_of(conn: Connection, keys: Sequence[EventKey]) -> int:
    """How many of these events are recorded, or stand in the rejections."""
    park, code, run, seq = ([key[place] for key in keys] for place in range(4))
    return int(_row(conn, "recorded_of", {"park": park, "code": code, "run": run, "seq": seq})[0])


def alerts(conn: Connection, since: Mark) -> dict[str, int]:
    """Alerts with a finding that holds, of shipments put under watch since the mark, by rule."""
    return dict(conn.execute(_SQL["alerts"], {"shipment": since.shipment}).fetchall())


def newest_alerts(conn: Connection, since: Mark, limit: int) -> list[NewAlert]:
    """The last raised of those alerts."""
    rows = conn.execute(_SQL["newest_alerts"], {"shipment": since.shipment, "limit": limit})
    return [NewAlert(*row) for row in rows]


def due_work(conn: Connection, watermark: datetime) -> tuple[int, float]:
    """Work that a judge could take now: how many rows, and since how many seconds the oldest is due."""
    count, age_s = _row(conn, "due_work", {"watermark": watermark})
    return int(count), float(age_s)


def waiting_outbox(conn: Connection) -> tuple[int, datetime | None]:
    """Messages that nobody has relayed yet, and since when the oldest waits."""
    count, oldest = _row(conn, "waiting_outbox")
    return int(count), oldest


def rejections_since(conn: Connection, since: datetime) -> dict[str, int]:
    """Rejections by reason, most frequent first."""
    return dict(conn.execute(_SQL["rejections_since"], {"since": since}).fetchall())


def positions(conn: Connection, source: str) -> dict[int, tuple[int, bool]]:
    """Partition -> sequence recorded, and whether a worker holds the partition now."""
    rows = conn.execute(_SQL["positions"], {"source": source})
    return {partition: (sequence, bool(held)) for partition, sequence, held in rows}


def server(conn: Connection) -> Server:
    """What the database server is."""
    return Server(*_row(conn, "server"))


def _row(conn: Connection, name: str, values: dict[str, Any] | None = None) -> tuple[Any, ...]:
    row = conn.execute(_SQL[name], values).fetchone()
    if row is None:
        raise RuntimeError(f"figures.{name} gave no row")
    return row
