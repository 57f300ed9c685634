"""Levels as they are kept: those built in, and those that terms have added."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from devices.observation import micros, moment
from tracking.domain.custody.levels import BUILT_IN, of_terms
from tracking.domain.custody.terms import Terms
from tracking.domain.tracks import Level, Levels
from tracking.store.database import Connection, queries
from tracking.store.registry import lock_reference, wake_judge

SQL: Final = queries("levels")


def added(conn: Connection) -> list[Level]:
    """The levels that terms have added, each from the moment at which the first of them held."""
    return [
        Level(quantity, value, micros(valid_from))
        for quantity, value, valid_from in conn.execute(SQL["levels"])
    ]


def all_levels(conn: Connection) -> Levels:
    """Every level: what the fold of tracks reads."""
    return Levels([*BUILT_IN, *added(conn)])


def derived(conn: Connection) -> list[Level]:
    """The levels that all terms on record need, worked out again."""
    found: dict[tuple[str, float], int] = {}
    for valid_from, body in conn.execute(SQL["all_terms"]):
        for level in of_terms(msgspec.convert(body, Terms), micros(valid_from)):
            key = (level.quantity, level.value)
            found[key] = min(level.since_us, found.get(key, level.since_us))
    return sorted(Level(quantity, value, since_us) for (quantity, value), since_us in found.items())


def add(
    conn: Connection,
    body: Mapping[str, Any],
    *,
    valid_from: datetime,
    recorded_at: datetime,
    recorded_by: str,
) -> int:
    """Add the levels that new terms need, and leave the re-folds that follow.

    Last in the transaction of the terms: where a level is new, it takes the reference lock, so that no batch
    commits against levels that it did not see, and keeps every batch out until the transaction ends.

    Args:
        conn: within the transaction that puts the terms.
        body: the terms that are put, checked.
        valid_from: from when on they hold.
        recorded_at: now.
        recorded_by: who puts them.

    Returns:
        How many levels are new.
    """
    wanted = of_terms(msgspec.convert(body, Terms), micros(valid_from))
    if not wanted:
        return 0
    known = {(level.quantity, level.value): level.since_us for level in added(conn)}
    new = sorted(
        level
        for level in wanted
        if known.get((level.quantity, level.value), level.since_us + 1) > level.since_us
    )
    if not new:
        return 0
    lock_reference(conn)
    conn.execute(
        SQL["add_levels"],
        {
            "quantities": [level.quantity for level in new],
            "values": [level.value for level in new],
            "valid_from": valid_from,
            "recorded_at": recorded_at,
            "recorded_by": recorded_by,
        },
    )
    since = moment(min(level.since_us for level in new))
    quantities = sorted({level.quantity for level in new})
    row = conn.execute(SQL["replan_readers"], {"since": since, "quantities": quantities}).fetchone()
    if row is not None and row[0]:
        wake_judge(conn)
    return len(new)
