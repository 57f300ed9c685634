"""What devices measured, where they were, and what they never said, while they carried something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from tracking.domain.custody.facts import MissingNumbers, Position, Sample
from tracking.store.carrying import Carrier
from tracking.store.database import Connection, queries
from tracking.store.record import NUMBERS_REACH

SQL: Final = queries("measured")


def samples(conn: Connection, carriers: Sequence[Carrier]) -> dict[int, tuple[Sample, ...]]:
    """What sensors measured within each carriage, and of each quantity the newest value before, by place."""
    return _by_place(_rows(conn, "samples", carriers), Sample)


def fixes(conn: Connection, carriers: Sequence[Carrier]) -> dict[int, tuple[Position, ...]]:
    """Every position within each carriage, by place. They may be many: ask where they are needed."""
    return _by_place(_rows(conn, "fixes", carriers), Position)


def missing(conn: Connection, carriers: Sequence[Carrier]) -> dict[int, tuple[MissingNumbers, ...]]:
    """The numbers that never came while each device carried, by place; found by those beside them, which
    are looked for as far as ``NUMBERS_REACH`` on either side of the carriage.
    """
    return _by_place(_rows(conn, "missing", carriers, reach=NUMBERS_REACH), MissingNumbers)


def _rows(
    conn: Connection, query: str, carriers: Sequence[Carrier], **parameters: Any
) -> Iterator[tuple[Any, ...]]:
    if not carriers:
        return
    asked = {
        "device_ids": [carrier.device_id for carrier in carriers],
        "begins": [carrier.begins for carrier in carriers],
        "ends": [carrier.ends for carrier in carriers],
    }
    with conn.cursor(binary=True) as cursor:
        yield from cursor.execute(SQL[query], asked | parameters)


def _by_place(rows: Iterator[tuple[Any, ...]], kind: Any) -> dict[int, tuple[Any, ...]]:
    found: dict[int, list[Any]] = {}
    for place, *values in rows:
        found.setdefault(place - 1, []).append(kind(*values))
    return {place: tuple(values) for place, values in found.items()}
