"""What has to be done now and then, by one judge at a time: an advisory lock says whose turn it is.

- partitions for the weeks ahead, so that no batch has to make one
- ``resend`` commands for numbers that devices skipped
- ``passes`` commands for gates whose zones' passes have changed
- old rows that nobody needs: sent messages, ids that can't be repeated any more
- measures of what waits
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event
from typing import Final

import psycopg
import structlog
from msgspec import Struct

from tracking.judge import measures, resend
from tracking.judge.kept_passes import KeptPassesSender
from tracking.judge.loop import BACKOFF_S
from tracking.store import judging, outbox, positions, work
from tracking.store.database import Connection, is_passing
from tracking.store.partitions import ensure_partitions

EVERY: Final = timedelta(seconds=5)
TIDY_EVERY: Final = timedelta(hours=1)
TURN_LOCK: Final = 0x42570010
"""Advisory lock of whoever's turn it is."""

log: Final = structlog.get_logger(__name__)


class Keep(Struct, frozen=True):
    """How much is kept ready, and how long what is done with.

    Attributes:
        weeks_ahead: partitions exist for so many weeks after this one.
        sent: messages stay for so long after the broker has acknowledged them.
        event_ids: ids of events stay for so long: the late window, and a day for clocks.
    """

    weeks_ahead: int = 4
    sent: timedelta = timedelta(days=7)
    event_ids: timedelta = timedelta(days=31)


class Upkeep:
    """One process's share of it."""

    def __init__(self, keep: Keep = Keep()) -> None:  # noqa: B008 - frozen
        self._keep = keep
        self._tidied: datetime | None = None
        self._passes = KeptPassesSender()

    def look_after(self, conn: Connection, now: datetime) -> None:
        """Do what is due, unless another judge is at it."""
        self._measure(conn, now)
        with conn.transaction():
            if not judging.try_lock(conn, TURN_LOCK):
                return
            resend.ask_for_missing(conn, now)
            self._passes.send_changed(conn, now)
        if self._tidied is None or now - self._tidied >= TIDY_EVERY:
            self._tidy(conn, now)
            self._tidied = now

    def _tidy(self, conn: Connection, now: datetime) -> None:
        made = ensure_partitions(conn, now, now + timedelta(weeks=self._keep.weeks_ahead))
        if made:
            log.info("partitions made", names=made)
        with conn.transaction():
            if judging.try_lock(conn, TURN_LOCK):
                outbox.prune(conn, now - self._keep.sent)
                judging.forget_event_ids(conn, now - self._keep.event_ids)

    def _measure(self, conn: Connection, now: datetime) -> None:
        watermark = positions.watermark(conn)
        measures.WORK_READY.set(work.backlog(conn, watermark).ready)
        oldest = judging.oldest_ready(conn, watermark)
        lag = (watermark - oldest).total_seconds() if oldest is not None and watermark is not None else 0.0
        measures.WORK_AGE.set(max(lag, 0.0))
        age = outbox.age(conn)
        measures.OUTBOX_WAITING.set(age.waiting)
        measures.OUTBOX_AGE.set((now - age.oldest).total_seconds() if age.oldest is not None else 0.0)


def run(
    connect: Callable[[], Connection],
    stop: Event,
    now: Callable[[], datetime],
    upkeep: Upkeep | None = None,
) -> None:
    """Look after things every few seconds until told to stop; survive the database's restarts."""
    upkeep = upkeep or Upkeep()
    failures = 0
    while not stop.is_set():
        try:
            with connect() as conn:
                while not stop.is_set():
                    upkeep.look_after(conn, now())
                    failures = 0
                    stop.wait(EVERY.total_seconds())
        except psycopg.Error as error:
            if not is_passing(error):
                raise
            log.warning("upkeep is interrupted", error=str(error).strip(), attempt=failures + 1)
            stop.wait(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1
