"""What devices measured, where they were, and what they never said, while they carried something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from tracking.domain.custody.facts import MissingNumbers, Position, Sample
from tracking.store.carrying import Carrier
from tracking.store.database import Connection, queries
from tracking.store.record import NUMBERS_REACH

SQL: Final = queries("measured")

Places: TypeAlias = Mapping[int, Carrier]
"""Carriers by the caller's own numbers, by which it gets its answers."""

NOBODY: Final[frozenset[int]] = frozenset()


def measuring(conn: Connection, device_ids: Iterable[int]) -> frozenset[int]:
    """Those of these devices that ever measured anything."""
    asked = sorted(set(device_ids))
    return (
        frozenset(key for (key,) in conn.execute(SQL["measuring"], {"device_ids": asked}))
        if asked
        else NOBODY
    )


def odd(conn: Connection, device_ids: Iterable[int]) -> tuple[frozenset[int], frozenset[int]]:
    """Those of these devices that miss numbers, and those of whom one came again with another content."""
    asked = sorted(set(device_ids))
    found = conn.execute(SQL["odd"], {"device_ids": asked}).fetchall() if asked else []
    missing, reused = ({key for key, what in found if what == name} for name in ("missing", "reused"))
    return frozenset(missing), frozenset(reused)


def samples(conn: Connection, carriers: Places) -> dict[int, tuple[Sample, ...]]:
    """What sensors measured within each carriage, and of each quantity the newest value before."""
    return _found(conn, "samples", carriers, Sample)


def fixes(conn: Connection, carriers: Places) -> dict[int, tuple[Position, ...]]:
    """Every position within each carriage. They may be many: ask where they are needed."""
    return _found(conn, "fixes", carriers, Position)


def missing(conn: Connection, carriers: Places) -> dict[int, tuple[MissingNumbers, ...]]:
    """The numbers that never came while each device carried; found by those beside them, which are looked
    for as far as ``NUMBERS_REACH`` on either side of the carriage.
    """
    return _found(conn, "missing", carriers, MissingNumbers, reach=NUMBERS_REACH)


def _found(
    conn: Connection, query: str, carriers: Places, kind: Any, **parameters: Any
) -> dict[int, tuple[Any, ...]]:
    if not carriers:
        return {}
    places = list(carriers)
    asked = {
        "device_ids": [carriers[place].device_id for place in places],
        "begins": [carriers[place].begins for place in places],
        "ends": [carriers[place].ends for place in places],
    }
    found: dict[int, list[Any]] = {}
    with conn.cursor(binary=True) as cursor:
        for place, *values in cursor.execute(SQL[query], asked | parameters):
            found.setdefault(places[place - 1], []).append(kind(*values))
    return {place: tuple(values) for place, values in found.items()}
