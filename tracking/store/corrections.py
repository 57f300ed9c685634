"""Reads corrections of observations, and the retractions of these.

What counts is decided by the views ``counted_…`` of the schema, which folds and judgings read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from tracking.domain.custody.corrections import Correction, Observed, Retraction
from tracking.store import carrying as carrying_
from tracking.store import documents
from tracking.store.carrying import NOTHING
from tracking.store.database import Connection, queries
from tracking.store.registry import Unknown

SQL: Final = queries("corrections")

MOST: Final = 10_000
"""Of one shipment that are told of."""


def one(conn: Connection, entry: int) -> Correction:
    """A correction by its number.

    Raises:
        Unknown: there is none.
    """
    found = listed(conn, entries=[entry], limit=1)
    if not found:
        raise Unknown("correction", str(entry))
    return found[0]


def listed(
    conn: Connection,
    *,
    entries: Sequence[int] | None = None,
    device: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[Correction]:
    """Corrections, newest first: those with these numbers, or of a device; ``before`` goes on with a list."""
    asked = {
        "entries": None if entries is None else list(entries),
        "device": device,
        "before": before,
        "limit": limit,
    }
    return [_correction(row) for row in conn.execute(SQL["listed"], asked)]


def of_observations(conn: Connection, observed: Sequence[Observed]) -> list[Correction]:
    """Every correction of these observations, newest first."""
    return _by_entries(conn, [entry for (entry,) in conn.execute(SQL["of_observations"], _asked(observed))])


def of_shipment(conn: Connection, shipment_id: int) -> list[Correction]:
    """The corrections of what concerns a shipment, newest first: of what devices said while they carried it,
    and of what was said of its things.
    """
    carrying = carrying_.carrying(conn, carrying_.goods_of(conn, [shipment_id]))
    found = carrying.get(shipment_id, NOTHING)
    papers = documents.concerning(conn, carrying, [shipment_id])
    asked = {
        "device_ids": [carrier.device_id for carrier in found.carriers],
        "by_begins": [carrier.begins for carrier in found.carriers],
        "by_ends": [carrier.ends for carrier in found.carriers],
        "thing_ids": [part.thing_id for part in found.parts],
        "begins": [part.aboard.begins for part in found.parts],
        "ends": [part.aboard.ends for part in found.parts],
        "papers": [paper.entry for paper in papers],
    }
    return _by_entries(conn, [entry for (entry,) in conn.execute(SQL["concerning"], asked)])


def is_recorded(conn: Connection, observed: Sequence[Observed]) -> list[bool]:
    """Whether each of these is recorded, in their order; whether it counts doesn't matter."""
    if not observed:
        return []
    there = {place - 1 for (place,) in conn.execute(SQL["recorded"], _asked(observed))}
    return [place in there for place in range(len(observed))]


def standing_of_device(conn: Connection, device_id: int) -> set[tuple[datetime, int, int]]:
    """Time, run and number of what a device has said in error."""
    return set(conn.execute(SQL["standing_of_device"], {"device_id": device_id}).fetchall())


def unrecorded(conn: Connection) -> list[int]:
    """Corrections of observations that aren't there any more."""
    return [entry for (entry,) in conn.execute(SQL["unrecorded"])]


def _by_entries(conn: Connection, entries: Sequence[int]) -> list[Correction]:
    return listed(conn, entries=entries, limit=MOST) if entries else []


def _asked(observed: Sequence[Observed]) -> dict[str, Any]:
    return {
        "devices": [one.device for one in observed],
        "times": [one.time for one in observed],
        "runs": [one.run for one in observed],
        "seqs": [one.seq for one in observed],
    }


def _correction(row: tuple[Any, ...]) -> Correction:
    entry, device, time, run, seq, reason, why, corrective, by, recorded_at, *taken = row
    return Correction(
        entry,
        Observed(device, time, run, seq),
        reason,
        why,
        # not strict: as canonical JSON has it, a number that a double can't hold is a text
        tuple(msgspec.convert(named, Observed, strict=False) for named in corrective),
        by,
        recorded_at,
        None if taken[0] is None else Retraction(*taken),
    )
