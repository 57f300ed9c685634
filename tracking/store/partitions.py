"""Native partitions of the time series, one an ISO week, made before they are needed.

With TimescaleDB nothing is to be done: chunks appear by themselves. A partition is created as a table of its
own and then attached, which hinders no insert. ``Partitions`` remembers what is there, so that a batch asks
only about weeks it has never seen. Call it before the batch's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from devices.observation import EPOCH, micros
from tracking.store.database import PARTITION_LOCK, Connection, queries

SERIES: Final = ("observations", "readings")

SQL: Final = queries("partitions")
_MONDAY: Final = EPOCH + timedelta(days=4)
_WEEK: Final = timedelta(weeks=1)
_MONDAY_US: Final = micros(_MONDAY)
_WEEK_US: Final = _WEEK // timedelta(microseconds=1)


def ensure_partitions(conn: Connection, begin: datetime, end: datetime) -> list[str]:
    """Make the partitions of every week that meets [begin, end]; safe when others do the same at the same
    time.

    Returns:
        The names of the tables made now.
    """
    return _make(conn, range(_week(begin), _week(end) + 1))


class Partitions:
    """What one worker knows to be there."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def ensure(self, conn: Connection, times_us: Iterable[int] | NDArray[np.integer[Any]]) -> list[str]:
        """Make the partitions that rows of these times need; costs a few microseconds when all are known.

        Args:
            conn: in autocommit, outside a transaction.
            times_us: event times, microseconds since the epoch.
        """
        times = np.asarray(times_us if isinstance(times_us, np.ndarray) else list(times_us), dtype=np.int64)
        weeks = set(np.unique((times - _MONDAY_US) // _WEEK_US).tolist()) - self._known
        if not weeks:
            return []
        made = _make(conn, weeks)
        self._known |= weeks
        return made

    def forget(self) -> None:
        """After an insert found no partition: someone has dropped one. Ask again next time."""
        self._known.clear()


def drop_empty(conn: Connection, before: datetime) -> list[str]:
    """Drop the partitions or chunks that lie wholly before a moment and hold nothing.

    ``retention`` has emptied them. What arrives for such a week all the same makes it anew.

    Args:
        conn: in autocommit, outside a transaction.

    Returns:
        The names of what was dropped.
    """
    return _drop_partitions(conn, before) if _native(conn) else _drop_chunks(conn, before)


def _drop_chunks(conn: Connection, before: datetime) -> list[str]:
    dropped = []
    for series in SERIES:
        for (name,) in conn.execute(SQL["chunks"], {"series": series, "before": before}).fetchall():
            chunk = sql.Identifier(*name.split("."))
            with conn.transaction():
                if _is_empty(conn, chunk):
                    conn.execute(sql.SQL("drop table {}").format(chunk))
                    dropped.append(name)
    return dropped


def _drop_partitions(conn: Connection, before: datetime) -> list[str]:
    dropped = []
    conn.execute("select pg_advisory_lock(%s)", (PARTITION_LOCK,))
    try:
        for series in SERIES:
            for name, detaching in conn.execute(SQL["partitions"], {"series": series}).fetchall():
                if _week_of(name) >= _week(before) or not _is_empty(conn, sql.Identifier(name)):
                    continue
                # Dropping an attached partition would wait for every batch in flight and make the next ones
                # wait.
                how = sql.SQL("finalize") if detaching else sql.SQL("concurrently")
                parts = {"series": sql.Identifier(series), "part": sql.Identifier(name), "how": how}
                conn.execute(sql.SQL("alter table {series} detach partition {part} {how}").format(**parts))
                conn.execute(sql.SQL("drop table {part}").format(**parts))
                dropped.append(name)
    finally:
        if not conn.broken:
            conn.execute("select pg_advisory_unlock(%s)", (PARTITION_LOCK,))
    return dropped


def _is_empty(conn: Connection, table: sql.Composable) -> bool:
    return conn.execute(sql.SQL("select not exists (select from {})").format(table)).fetchone() == (True,)


def _make(conn: Connection, weeks: Iterable[int]) -> list[str]:
    if not _native(conn):
        return []
    wanted = [(series, week) for series in SERIES for week in sorted(weeks)]
    if not _missing(conn, wanted):
        return []
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", (PARTITION_LOCK,))
        made = []
        for series, week in _missing(conn, wanted):
            name = _name(series, week)
            begin = _MONDAY + week * _WEEK
            parts = {
                "series": sql.Identifier(series),
                "part": sql.Identifier(name),
                "begin": sql.Literal(begin),
                "end": sql.Literal(begin + _WEEK),
            }
            create = "create table {part} (like {series} including defaults including constraints)"
            attach = "alter table {series} attach partition {part} for values from ({begin}) to ({end})"
            conn.execute(sql.SQL(create).format(**parts))
            conn.execute(sql.SQL(attach).format(**parts))
            made.append(name)
        return made


def _missing(conn: Connection, wanted: list[tuple[str, int]]) -> list[tuple[str, int]]:
    names = [_name(series, week) for series, week in wanted]
    there = {name for (name,) in conn.execute(SQL["which_exist"], {"names": names})}
    return [pair for pair, name in zip(wanted, names, strict=True) if name not in there]


def _native(conn: Connection) -> bool:
    return conn.execute(SQL["is_partitioned"]).fetchone() == (True,)


def _week(moment: datetime) -> int:
    return (moment - _MONDAY) // _WEEK


def _name(series: str, week: int) -> str:
    year, number, _ = (_MONDAY + week * _WEEK).isocalendar()
    return f"{series}_{year}w{number:02d}"


def _week_of(name: str) -> int:
    year, number = name.rsplit("_", 1)[1].split("w")
    return _week(datetime.fromisocalendar(int(year), int(number), 1).replace(tzinfo=EPOCH.tzinfo))
