"""What an archive of a closed shipment holds, as rows; and that there is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from tracking.domain.custody.intervals import Interval, joined
from tracking.store import retention
from tracking.store.database import Connection

SQL: Final = retention.SQL
PAGE: Final = 10_000


class ToArchive(NamedTuple):
    """A closed shipment that no archive holds yet."""

    shipment_id: int
    number: str
    park: str


class Table(NamedTuple):
    """One file of an archive.

    Attributes:
        columns: each with its type: ``text``, ``int``, ``float``, ``bytes`` or ``moment``.
        query: which rows.
    """

    name: str
    query: str
    columns: Sequence[tuple[str, str]]


TABLES: Final = (
    Table(
        "observations",
        "observations_of",
        (
            ("device", "text"), ("event_time", "moment"), ("run", "int"), ("seq", "int"), ("kind", "text"),
            ("received_at", "moment"), ("recorded_at", "moment"), ("batch", "int"), ("leaf", "int"),
            ("lon", "float"), ("lat", "float"), ("accuracy_m", "float"), ("speed_mps", "float"),
            ("heading_deg", "float"), ("thing", "text"), ("body", "bytes"),
        ),
    ),
    Table(
        "readings",
        "readings_of",
        (
            ("device", "text"), ("event_time", "moment"), ("run", "int"), ("seq", "int"),
            ("quantity", "text"), ("value", "float"),
        ),
    ),
    Table(
        "milestones",
        "milestones_told",
        (
            ("device", "text"), ("time", "moment"), ("kind", "text"), ("area", "text"), ("detail", "text"),
            ("at_time", "moment"), ("at_run", "int"), ("at_seq", "int"),
        ),
    ),
    Table(
        "findings",
        "findings_of",
        (
            ("finding", "text"), ("number", "int"), ("rule", "text"), ("rules_version", "int"),
            ("cause", "text"), ("verdict", "text"), ("state", "text"), ("severity", "text"),
            ("opened_at", "moment"), ("closed_at", "moment"), ("evidence", "text"), ("parameters", "text"),
            ("terms_revision", "int"), ("recorded_at", "moment"), ("superseded_at", "moment"),
        ),
    ),
)  # fmt: skip


def waiting(conn: Connection, before: datetime) -> list[ToArchive]:
    """Shipments that were closed before a moment, the first closed first."""
    return [ToArchive(*row) for row in conn.execute(SQL["to_archive"], {"before": before})]


def rows(conn: Connection, table: Table, shipment_id: int) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a file, by pages. Within a transaction.

    Evidence is taken as retention takes it: all that the shipment's devices said while they carried it, with
    the margin.
    """
    pieces: dict[int, list[Interval]] = {}
    for one in retention.evidence(conn, [shipment_id]):
        pieces.setdefault(one.device_id, []).append((one.begins, one.ends))
    spans = [(device, *span) for device, found in pieces.items() for span in joined(found)]
    asked = {
        "shipment_id": shipment_id,
        "devices": [device for device, _, _ in spans],
        "begins": [begins for _, begins, _ in spans],
        "ends": [ends for _, _, ends in spans],
    }
    with conn.cursor(name=f"archive_{table.name}") as cursor:
        cursor.itersize = PAGE
        cursor.execute(SQL[table.query], asked)
        while page := cursor.fetchmany(PAGE):
            yield page


def complete_at(conn: Connection, now: datetime) -> datetime:
    """A moment up to which a snapshot that is taken from here on holds everything that was recorded.

    A batch says when its transaction began, and may be committed much later: the standby was away.
    """
    (began,) = conn.execute(SQL["oldest_running"]).fetchone() or (None,)
    return now if began is None else min(now, began)


def add(
    conn: Connection,
    shipment_id: int,
    *,
    digest: bytes,
    events: int,
    by: str,
    taken_at: datetime,
    at: datetime,
) -> None:
    """An archive holds it, as it was at ``taken_at``. Its manifest's digest goes into the log."""
    row = {"shipment_id": shipment_id, "digest": digest, "events": events, "by": by}
    conn.execute(SQL["add_archive"], {**row, "taken_at": taken_at, "at": at})
