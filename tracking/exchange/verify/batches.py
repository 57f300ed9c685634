"""Raw events against the roots of their batches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any

from tracking.domain.ledger.pruned import Gone, Missing, PrunedTree
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
            _check_batch(part, batch, [])
            batch = next(batches, None)
        if batch is None or batch[0] != batch_id:
            part.differs("batches", batch_id, f"is missing; {len(held)} observations name it")
            continue
        _check_batch(part, batch, held)
        batch = next(batches, None)
    while batch is not None:
        _check_batch(part, batch, [])
        batch = next(batches, None)
    ((entered, dropped),) = verify.rows(conn, "dropped")
    if entered != dropped:
        says = f"{dropped} events are gone from their batches, and the entries of the log drop {entered}"
        part.differs("dropped", "all", says)
    return part


def _check_batch(part: Part, batch: tuple[Any, ...], held: list[Event]) -> None:
    batch_id, recorded_at, count, root, *arrays = batch
    gone = [Gone(*one) for one in zip(*arrays, strict=True)] if arrays[0] is not None else []
    dropped = sum(one.ends - one.begins for one in gone)
    part.dropped += dropped
    if not held and not gone:
        part.differs("batches", batch_id, f"all {count} observations of it are missing")
        return
    if len(held) + dropped > count or any(leaf >= count for _, leaf, _, _ in held):
        part.differs("batches", batch_id, "has an event too many")
        return
    try:
        derived = PrunedTree(count, {leaf: hashed for _, leaf, hashed, _ in held}, gone).root()
    except Missing as missing:
        part.differs("observations", batch_id, f"event {missing.leaf} of batch {batch_id} is missing")
        return
    if derived != root:
        part.differs("observations", f"batch {batch_id}", "its events aren't those that its root stands for")
    for _, leaf, _, at in held:
        if at != recorded_at:
            part.differs("observations", f"batch {batch_id} event {leaf}", "wasn't recorded with its batch")
