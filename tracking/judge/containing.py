"""Things: what was scanned or reported of them becomes stays; whoever is in them is to be judged.

A thing of whom something new is said, in one transaction:

1. take      its work
2. lock      the things, in order; whoever folds one of them meanwhile commits first
3. fold      all their events -> stays and conflicts                                  pure
4. write     what changed, in versions
5. finish    delete the work; who is in them has something to hear: that is work of its own

Things whose stays have changed, or that somebody has named, and documents, in a later transaction: the
shipments that they concern, however deep in them, are left to be judged, each once. It reads after the change
was committed. So of two changes at the same time ("parcel into box", "box onto truck") whichever commits
last, this finds both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tracking.domain.things.fold import fold
from tracking.store import concern, judging, things, work
from tracking.store.database import WORK_CHANNEL, Connection, notify
from tracking.store.work import Work, WorkKind


class Containing:
    """The task of folding things, and of finding who is concerned by what is said of them."""

    name: Final = "things"
    kinds: Final[tuple[WorkKind, ...]] = ("thing", "contents", "goods", "document")
    limit: Final = 5000

    def do(self, conn: Connection, taken: Sequence[Work], watermark: datetime | None, now: datetime) -> None:  # noqa: ARG002 - a fold of things waits for no moment
        """Fold, and find who is concerned, within the transaction that took the work."""
        said = _earliest(taken, "thing")
        work.finish(conn, [row.work_id for row in taken])
        _fold(conn, list(said), now)
        things.leave_contents(conn, said)
        urgent = [row for row in taken if row.urgent]
        _leave(conn, urgent, now, urgent=True)
        _leave(conn, [row for row in taken if not row.urgent], now, urgent=False)
        with conn.cursor() as cursor:
            notify(cursor, WORK_CHANNEL)


def _leave(conn: Connection, taken: Sequence[Work], now: datetime, *, urgent: bool) -> None:
    """Leave whoever is concerned to be judged."""
    contents, goods, papers = (_earliest(taken, kind) for kind in ("contents", "goods", "document"))
    concerned = concern.concerned_shipments(conn, {}, contents, goods=goods, documents=list(papers))
    since = min([*contents.values(), *goods.values(), *papers.values()], default=now)
    judging.leave_shipments(conn, concerned, since, urgent=urgent)


def _fold(conn: Connection, thing_ids: Sequence[int], now: datetime) -> None:
    """Let the stays of these things be those of all their events."""
    uris = things.lock(conn, thing_ids)
    events = things.events_of(conn, list(uris))
    histories = [fold(uri, events.get(thing_id, [])) for thing_id, uri in uris.items()]
    things.replace(conn, things.standing(conn, list(uris)), histories, recorded_at=now)


def _earliest(taken: Sequence[Work], kind: WorkKind) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    for row in taken:
        if row.kind == kind:
            found[row.key] = min(found.get(row.key, row.changed_from), row.changed_from)
    return found
