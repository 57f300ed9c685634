"""Things: what was scanned or reported of them becomes stays; whoever is in them is to be judged.

A thing of whom something new is said, in one transaction:

1. take      its work
2. lock      the things, in order; whoever folds one of them meanwhile commits first
3. fold      all their events -> stays and conflicts                                  pure
4. write     what changed, in versions
5. finish    delete the work; what is in them has changed: that is work of its own

Things whose stays have changed, in a later transaction: the shipments in them, however deep, are left to be
judged, each once. It reads after the change was committed. So of two changes at the same time ("parcel into
box", "box onto truck") whichever commits last, this finds both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tracking.domain.things.fold import fold
from tracking.store import judging, things, work
from tracking.store.database import WORK_CHANNEL, Connection, notify
from tracking.store.work import Work, WorkKind


class Containing:
    """The task of folding things, and of finding who is concerned."""

    name: Final = "things"
    kinds: Final[tuple[WorkKind, ...]] = ("thing", "contents")
    limit: Final = 5000

    def do(self, conn: Connection, taken: Sequence[Work], watermark: datetime | None, now: datetime) -> None:  # noqa: ARG002 - a fold of things waits for no moment
        """Fold, and find who is concerned, within the transaction that took the work."""
        said, changed = _earliest(taken, "thing"), _earliest(taken, "contents")
        work.finish(conn, [row.work_id for row in taken])
        things.leave_contents(conn, _fold(conn, said, now))
        judging.leave_shipments(
            conn, judging.concerned_shipments(conn, {}, changed), min(changed.values(), default=now)
        )
        with conn.cursor() as cursor:
            notify(cursor, WORK_CHANNEL)


def _fold(conn: Connection, said: dict[int, datetime], now: datetime) -> dict[int, datetime]:
    """Let the stays of these things be those of all their events; which have changed, and since when."""
    uris = things.lock(conn, list(said))
    events = things.events_of(conn, list(uris))
    histories = [fold(uri, events.get(thing_id, [])) for thing_id, uri in uris.items()]
    changed = things.replace(conn, things.standing(conn, list(uris)), histories, recorded_at=now)
    return {thing_id: said[thing_id] for thing_id, uri in uris.items() if uri in changed}


def _earliest(taken: Sequence[Work], kind: WorkKind) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    for row in taken:
        if row.kind == kind:
            found[row.key] = min(found.get(row.key, row.changed_from), row.changed_from)
    return found
