"""The judge's loop: take work, do it, commit; when there is none, wait until somebody says so.

A task that fails on the world (the database restarts, a deadlock) is done again whole. One that fails on
itself is looked at row by row, so that its neighbours are judged; the row that fails is put off, counted
and logged with its traceback. It stays in the table, and ``bondwatch doctor`` and the work's age show it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from threading import Event
from time import perf_counter, thread_time
from typing import Final, Protocol

import psycopg
import structlog

from tracking.domain.errors import Retryable
from tracking.judge import measures
from tracking.store import positions, work
from tracking.store.database import WORK_CHANNEL, Connection, is_passing
from tracking.store.work import Work, WorkKind

POLL_S: Final = 1.0
"""Due moments come with the watermark, which nobody announces."""

BACKOFF_S: Final = (0.1, 0.3, 1.0, 3.0)
PUT_OFF: Final = timedelta(minutes=5)

log: Final = structlog.get_logger(__name__)


class Task(Protocol):
    """A kind of work and how it is done.

    Attributes:
        name: for metrics.
        kinds: of work that it takes.
        limit: rows at a time.
    """

    @property
    def name(self) -> str: ...
    @property
    def kinds(self) -> tuple[WorkKind, ...]: ...
    @property
    def limit(self) -> int: ...

    def do(self, conn: Connection, taken: Sequence[Work], watermark: datetime | None, now: datetime) -> None:
        """Do some work and finish it, within the transaction that took it."""


def do_round(conn: Connection, task: Task, now: datetime, *, limit: int | None = None) -> int:
    """Take and do what is ready, at most so many rows; returns how many there were.

    Raises:
        Retryable: the world wasn't ready; nothing was done.
    """
    started, processor = perf_counter(), thread_time()
    try:
        with conn.transaction():
            watermark = positions.watermark(conn)
            taken = work.take(conn, watermark, kinds=task.kinds, limit=limit or task.limit)
            if taken:
                task.do(conn, taken, watermark, now)
    except psycopg.Error as error:
        if is_passing(error):
            raise Retryable(str(error)) from error
        raise
    if taken:
        measures.ROUND_SECONDS.labels(task.name).observe(perf_counter() - started)
        measures.ROUND_CPU.labels(task.name).inc(thread_time() - processor)
        measures.WORK_DONE.labels(task.name).inc(len(taken))
    return len(taken)


def do_one_by_one(conn: Connection, task: Task, now: datetime) -> int:
    """Do what is ready one by one; what fails for a reason of its own is put off. Returns how many rows
    there were.

    Raises:
        Retryable: the world wasn't ready; what was done until then stands.
    """
    count = 0
    for _ in range(task.limit):
        try:
            with conn.transaction():
                watermark = positions.watermark(conn)
                taken = work.take(conn, watermark, kinds=task.kinds, limit=1)
                if not taken:
                    break
                _try(conn, task, taken, watermark, now)
        except psycopg.Error as error:
            if is_passing(error):
                raise Retryable(str(error)) from error
            raise
        count += len(taken)
    return count


def drain(conn: Connection, tasks: Sequence[Task], now: Callable[[], datetime]) -> int:
    """Do all that is ready, until nothing is; returns how many rows there were.

    Raises:
        Retryable: the world wasn't ready; what was done until then stands.
    """
    total = 0
    while done := take_turns(conn, tasks, now):
        total += done
    return total


def take_turns(conn: Connection, tasks: Sequence[Task], now: Callable[[], datetime]) -> int:
    """One round of each task; returns how many rows there were.

    Raises:
        Retryable: the world wasn't ready; what was done until then stands.
    """
    return sum(_round_or_one_by_one(conn, task, now()) for task in tasks)


def run(
    connect: Callable[[], Connection],
    tasks: Sequence[Task],
    stop: Event,
    now: Callable[[], datetime],
    *,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Judge until told to stop; survive the database's restarts.

    Args:
        connect: opens a connection in autocommit.
        tasks: in the order in which they have their turns.
        stop: set it from anywhere; the round under way is finished.
        now: for ``recorded_at``.
        on_ready: called at each new connection.
    """
    failures = 0
    while not stop.is_set():
        try:
            with connect() as conn:
                conn.execute(f"listen {WORK_CHANNEL}".encode())
                on_ready()
                while not stop.is_set():
                    done = take_turns(conn, tasks, now)
                    failures = 0
                    if not done:
                        wait_for_news(conn)
        except (Retryable, psycopg.OperationalError) as error:
            log.warning("judging is interrupted", error=str(error).strip(), attempt=failures + 1)
            stop.wait(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1


def wait_for_news(conn: Connection, timeout_s: float = POLL_S) -> None:
    """Return when somebody has notified a channel that this connection listens to, or after the timeout."""
    for _ in conn.notifies(timeout=timeout_s, stop_after=1):
        pass


def _round_or_one_by_one(conn: Connection, task: Task, now: datetime) -> int:
    try:
        return do_round(conn, task, now)
    except Retryable:
        raise
    except Exception:  # noqa: BLE001 - decided row by row: the one that fails is put off and logged
        return do_one_by_one(conn, task, now)


def _try(
    conn: Connection, task: Task, taken: Sequence[Work], watermark: datetime | None, now: datetime
) -> None:
    try:
        with conn.transaction():
            task.do(conn, taken, watermark, now)
        measures.WORK_DONE.labels(task.name).inc(len(taken))
    except Exception as error:
        if isinstance(error, psycopg.Error) and is_passing(error):
            raise
        first = taken[0]
        log.exception("work is put off", kind=first.kind, key=first.key, changed_from=first.changed_from)
        measures.WORK_SET_ASIDE.labels(first.kind).inc()
        work.put_off(conn, [row.work_id for row in taken], (watermark or now) + PUT_OFF)
