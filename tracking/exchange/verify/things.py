"""Scans and reports to what is in what: each thing's events folded again.

That the events are those that were scanned, ``tracks`` looks at; those that were reported have their leaves.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracking.domain.things.fold import fold
from tracking.exchange.verify.report import Part
from tracking.store import things, verify
from tracking.store.database import Connection


def check(conn: Connection, thing_ids: Sequence[int]) -> Part:
    """Derive the stays and conflicts of these things again."""
    part = Part()
    uris: dict[int, str] = dict(verify.rows(conn, "uris", ids=list(thing_ids)))
    events = things.events_of(conn, thing_ids)
    histories = [fold(uri, events.get(thing_id, [])) for thing_id, uri in uris.items()]
    held = things.standing(conn, thing_ids)
    stays = {stay for history in histories for stay in history.stays}
    conflicts = {conflict for history in histories for conflict in history.conflicts}
    for stay, key in held.stays.items():
        if stay not in stays:
            part.differs("containments", key, f"isn't told by what was said of {stay.child}")
    for stay in sorted(stays - held.stays.keys(), key=lambda one: (one.child, one.begins, one.parent)):
        name = f"{stay.child} in {stay.parent} {stay.begins.isoformat()}"
        part.differs("containments", name, "is missing")
    for conflict, key in held.conflicts.items():
        if conflict not in conflicts:
            part.differs("containment_conflicts", key, f"isn't told by what was said of {conflict.child}")
    for conflict in sorted(conflicts - held.conflicts.keys(), key=lambda one: (one.child, one.begins)):
        name = f"{conflict.child} {conflict.kind.value} {conflict.begins.isoformat()}"
        part.differs("containment_conflicts", name, "is missing")
    return part
