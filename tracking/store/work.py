"""Work for the judge: what changed, and what comes due. Taken rows stay locked until the judge commits.

Rows are added by whoever makes the change, in the same transaction (``record.add_work`` for a batch). A due
row is one a device or shipment; it is armed anew only when it fires or when its moment has moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from tracking.store.arrays import int8s
from tracking.store.database import Connection, queries

SQL: Final = queries("work")

WorkKind: TypeAlias = Literal[
    "refold", "device", "shipment", "device_due", "shipment_due", "thing", "contents", "goods", "document",
    "gate",
]  # fmt: skip
KINDS: Final[tuple[WorkKind, ...]] = get_args(WorkKind)
DueKind: TypeAlias = Literal["device_due", "shipment_due"]


class Work(NamedTuple):
    """A row of work: something about a device, thing or shipment changed from a moment on, or is due."""

    work_id: int
    kind: WorkKind
    key: int
    changed_from: datetime
    due_at: datetime | None
    urgent: bool


class Backlog(NamedTuple):
    """How much is ready to be taken, and how much of it is urgent."""

    ready: int
    urgent: int


def take(
    conn: Connection,
    watermark: datetime | None,
    *,
    kinds: Sequence[WorkKind] = KINDS,
    limit: int = 200,
) -> list[Work]:
    """Take ready work, urgent first, oldest first; other judges pass it over.

    Args:
        conn: within the judging's transaction.
        watermark: due rows up to it are ready; None: only what doesn't wait for a moment.
        kinds: what to take; a judge may leave re-folds to another.
        limit: rows at most. All ready rows of a device, thing or shipment that is taken come along, beyond
            the limit, so that many changes of one are one judging.
    """
    found = conn.execute(SQL["take"], {"watermark": watermark, "limit": limit, "kinds": list(kinds)})
    return [Work._make(row) for row in found]


def finish(conn: Connection, work_ids: Sequence[int]) -> None:
    """Done: in the transaction that took them."""
    if work_ids:
        conn.execute(SQL["finish"], {"work_ids": int8s(work_ids)})


def put_off(conn: Connection, work_ids: Sequence[int], due_at: datetime) -> None:
    """This couldn't be done: it is ready again when the watermark passes ``due_at``."""
    conn.execute(SQL["put_off"], {"work_ids": int8s(work_ids), "due_at": due_at})


def backlog(conn: Connection, watermark: datetime | None) -> Backlog:
    """For metrics: rows that are ready and not taken yet."""
    row = conn.execute(SQL["backlog"], {"watermark": watermark}).fetchone()
    assert row is not None  # an aggregate always has a row
    return Backlog._make(row)


def unfinished(conn: Connection, watermark: datetime | None) -> int:
    """Rows that judges still owe to what is recorded: every change, late or put off too, and every moment
    that has passed. None: findings, alerts and outbox are what the record tells, up to the watermark.
    """
    row = conn.execute(SQL["unfinished"], {"watermark": watermark}).fetchone()
    assert row is not None  # an aggregate always has a row
    return int(row[0])
