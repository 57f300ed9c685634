"""Raw events against the roots of their batches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any

from tracking.domain.ledger import merkle
from tracking.exchange.verify.report import Part
from tracking.store import verify
from tracking.store.database import Connection

Event = tuple[int, int, bytes, datetime]
"""Batch, leaf, leaf hash, when it was recorded."""


def check(conn: Connection) -> Part:
    """Every batch and every event. Rejected and repeated events are in no batch."""
    part = Part()
    batches = verify.stream(conn, "batches")
    batch: tuple[Any, ...] | None = next(batches, None)
    events: Iterator[Event] = verify.stream(conn, "events")
    for batch_id, group in groupby(events, key=lambda event: event[0]):
        held = list(group)
        part.observations += len(held)
        while batch is not None and batch[0] < batch_id:
            part.differs("batches", batch[0], f"all {batch[2]} observations of it are missing")
            batch = next(batches, None)
        if batch is None or batch[0] != batch_id:
            part.differs("batches", batch_id, f"is missing; {len(held)} observations name it")
            continue
        _check_batch(part, batch, held)
        batch = next(batches, None)
    while batch is not None:
        part.differs("batches", batch[0], f"all {batch[2]} observations of it are missing")
        batch = next(batches, None)
    return part


def _check_batch(part: Part, batch: tuple[Any, ...], held: list[Event]) -> None:
    batch_id, recorded_at, count, root = batch
    if [leaf for _, leaf, _, _ in held] != list(range(count)):
        there = {leaf for _, leaf, _, _ in held}
        missing = sorted(set(range(count)) - there)
        says = f"event {missing[0]} of batch {batch_id} is missing" if missing else "has an event too many"
        part.differs("observations" if missing else "batches", batch_id, says)
    elif merkle.root_of_hashes([hashed for _, _, hashed, _ in held]) != root:
        part.differs("observations", f"batch {batch_id}", "its events aren't those that its root stands for")
    for _, leaf, _, at in held:
        if at != recorded_at:
            part.differs("observations", f"batch {batch_id} event {leaf}", "wasn't recorded with its batch")
