"""One demo from start to its account: everything published is recorded, or stands in the rejections."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec
import psycopg

from gateway.demo.outboxes import waiting
from gateway.demo.scoreboard import Scoreboard
from gateway.demo.simulation import OUTBOXES, Simulation
from gateway.embedded.addresses import database_dsn
from gateway.embedded.home import Home
from gateway.embedded.supervisor import Supervisor
from gateway.problem import Problem
from gateway.settings import Settings
from tracking.store import figures
from tracking.store.database import Connection, connect
from tracking.store.positions import watermark

RECORDED_S: Final = 60.0
JUDGED_S: Final = 120.0
QUICK_TICK_S: Final = 0.2

T = TypeVar("T")


class Account(msgspec.Struct):
    """The demo in figures: ``recorded + rejected + waiting = published``, ``lost = 0``, or else.

    Attributes:
        published: distinct events that the devices reported; also what an earlier run left unrecorded.
        recorded: observations, counted row by row.
        duplicates: events that came again and were recognised.
        rejected: messages and events that stand in the rejections.
        waiting: events that aren't recorded yet; their devices keep them, and send them in the next run.
        lost: what is nowhere.
        alerts: alerts with a finding that holds, by rule, of the shipments of this run.
    """

    published: int
    recorded: int
    duplicates: int
    rejected: int
    waiting: int
    lost: int
    alerts: dict[str, int]


class Demo:
    """A running installation with the simulator.

    Args:
        settings: of the installation.
        home: its data directory.
        supervisor: keeps it running; everything is ready.
    """

    def __init__(self, settings: Settings, home: Home, supervisor: Supervisor) -> None:
        self._home = home
        self._supervisor = supervisor
        self._dsn = database_dsn(settings)
        self._conn: Connection | None = None

    def run(self, for_s: float | None, scenario: str, *, quiet: bool) -> Account:
        """Simulate until the time is over or a signal comes, then end the simulator and count.

        Raises:
            Problem: the simulator failed, or the database doesn't come back.
        """
        self._clear_the_road()
        since = self._read(figures.mark)
        known = self._recorded_of_waiting()
        endpoints = self._home.endpoints()
        simulation = Simulation(self._home, endpoints, scenario)
        try:
            with Scoreboard(since, endpoints.api or "", quiet=quiet) as board:
                ends_at = None if for_s is None else time.monotonic() + for_s

                def over() -> bool:
                    self._reading(board.show)
                    if not simulation.running:
                        return True
                    return ends_at is not None and time.monotonic() >= ends_at

                self._supervisor.watch(over)
                published = simulation.finish(self._tend).events - known
                self._settle(since, published)
                self._reading(board.show)
        finally:
            simulation.kill()
        return self._account(since, published)

    def _clear_the_road(self) -> None:
        """Wait until what an earlier run left in the broker is recorded: it is none of this run's."""
        begun = datetime.now(UTC)

        def emptied(conn: Connection) -> bool:
            reached = watermark(conn)
            return reached is not None and reached >= begun

        self._wait(emptied, RECORDED_S)

    def _recorded_of_waiting(self) -> int:
        """How many events that still wait in an outbox are recorded: only their receipt is missing."""
        keys = waiting(self._home.path / OUTBOXES)
        return self._read(lambda conn: figures.recorded_of(conn, keys))

    def _tend(self, finished: Callable[[], bool]) -> None:
        """Keep the installation running until ``finished``, also after a first signal: the account is due."""
        self._supervisor.watch(finished, tick_s=QUICK_TICK_S, through_first_stop=True)

    def _settle(self, since: figures.Mark, published: int) -> None:
        """Wait until everything published is recorded, then until it is judged; each with its deadline."""

        def recorded(conn: Connection) -> bool:
            quick = figures.quick(conn, since)
            return quick.recorded + quick.rejected >= published

        def judged(conn: Connection) -> bool:
            reached = watermark(conn)
            return reached is not None and figures.due_work(conn, reached)[0] == 0

        self._wait(recorded, RECORDED_S)
        self._wait(judged, JUDGED_S)

    def _wait(self, condition: Callable[[Connection], bool], patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        self._tend(lambda: bool(self._reading(condition)) or time.monotonic() > deadline)

    def _account(self, since: figures.Mark, published: int) -> Account:
        keys = waiting(self._home.path / OUTBOXES)

        def counted(conn: Connection) -> Account:
            recorded = figures.recorded(conn, since)
            rejected = figures.quick(conn, since).rejected
            kept = len(keys) - figures.recorded_of(conn, keys)
            return Account(
                published=published,
                recorded=recorded,
                duplicates=figures.duplicates(conn, since),
                rejected=rejected,
                waiting=kept,
                lost=published - recorded - rejected - kept,
                alerts=figures.alerts(conn, since),
            )

        return self._read(counted)

    def _read(self, read: Callable[[Connection], T]) -> T:
        """What a reading gives, as soon as the database is there.

        Raises:
            Problem: it isn't for too long.
        """
        found: list[T] = []

        def done(conn: Connection) -> bool:
            found.append(read(conn))
            return True

        self._wait(done, RECORDED_S)
        if not found:
            raise Problem(f"the database didn't answer for {RECORDED_S:.0f} s", f"see {self._home.logs}")
        return found[0]

    def _reading(self, read: Callable[[Connection], Any]) -> Any:
        """What a reading gives; None while the database is away."""
        try:
            return read(self._connection())
        except psycopg.OperationalError:
            if self._conn is not None:
                with suppress(psycopg.Error):
                    self._conn.close()
                self._conn = None
            return None

    def _connection(self) -> Connection:
        if self._conn is None:
            self._conn = connect(self._dsn, application="bondwatch-demo")
        return self._conn
