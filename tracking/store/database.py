"""Connections, pools, named queries, and the locks and channels that everyone agrees on.

Functions in this package take a connection or a cursor and never commit: whoever opened the transaction ends
it. Connections are in autocommit; a transaction is a ``with connection.transaction():`` that you can see.
Sessions speak UTC. Moments are arguments: the only SQL that reads the database's clock is that of leases
(``positions``), which are about the database's clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import psycopg
from psycopg_pool import ConnectionPool

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
Cursor: TypeAlias = psycopg.Cursor[tuple[Any, ...]]

REFERENCE_LOCK: Final = 0x42570001
"""Advisory lock of the reference data: shared by every batch, exclusive for who edits areas, levels or
devices.
"""

MIGRATION_LOCK: Final = 0x42570002
"""Advisory lock of the migration runner: one at a time."""

PARTITION_LOCK: Final = 0x42570003
"""Advisory lock of those who make or drop native partitions."""

WORK_CHANNEL: Final = "bw_work"
OUTBOX_CHANNEL: Final = "bw_outbox"
ALERTS_CHANNEL: Final = "bw_alerts"
CUSTODY_CHANNEL: Final = "bw_custody"
POSITIONS_CHANNEL: Final = "bw_positions"
GATES_CHANNEL: Final = "bw_gates"

_QUERIES: Final = Path(__file__).parent / "queries"
_NAME: Final = re.compile(r"^-- name: ([a-z][a-z0-9_]*)\s*$", re.MULTILINE)

# Class 08: the connection is gone. 40: deadlock, serialization. 53: disk, memory or connections are short.
# 57P: the server shuts down or starts. 55P03: a lock was not to be had. 25P03, 25P04: this transaction took
# too long.
_PASSING: Final = ("08", "40", "53", "57P", "55P03", "25P03", "25P04")

# Class 25: a read-only server. 28, 42: rights, or a schema of another version. 57, 58, F0: an operator, the
# system, the configuration. No value that a message holds brings one of these about.
_NO_VALUES: Final = ("25", "28", "42", "57", "58", "F0")


def connect(
    dsn: str, *, application: str = "bondwatch", idle_in_transaction_s: float | None = None
) -> Connection:
    """Open one connection in autocommit.

    Args:
        dsn: a libpq connection string or URI; several hosts are fine (``target_session_attrs=read-write``).
        application: what ``pg_stat_activity`` shows.
        idle_in_transaction_s: the server ends the session when a transaction stands idle for longer. A
            worker that holds row locks and is stopped or cut off is thus freed of them; give it less than a
            lease.
    """
    connection: Connection = psycopg.connect(dsn, **_arguments(application, idle_in_transaction_s))
    return connection


def pool(dsn: str, *, application: str = "bondwatch", max_size: int = 8) -> ConnectionPool[Connection]:
    """A pool of such connections, opened and ready. Use it as a context manager, or close it."""
    return ConnectionPool(
        dsn, kwargs=_arguments(application, None), min_size=1, max_size=max_size, open=True, name=application
    )


def is_passing(error: psycopg.Error) -> bool:
    """Whether the same work may succeed later: the link, the server or a neighbour was the cause, not the
    work.
    """
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(_PASSING)


def is_no_values_fault(error: psycopg.Error) -> bool:
    """Whether the database refused the statement as such, whatever the values in it."""
    return error.sqlstate is not None and error.sqlstate.startswith(_NO_VALUES)


def notify(cursor: Cursor, channel: str, payload: str = "") -> None:
    """Wake whoever listens, when this transaction commits."""
    cursor.execute("select pg_notify(%s, %s)", (channel, payload))


@cache
def queries(subject: str) -> Mapping[str, bytes]:
    """The named queries of ``queries/<subject>.sql``.

    Raises:
        ValueError: a name appears twice.
    """
    found: dict[str, bytes] = {}
    for name, text in parse_queries((_QUERIES / f"{subject}.sql").read_text(encoding="utf-8")):
        if name in found:
            raise ValueError(f"queries/{subject}.sql: two queries are called {name}")
        found[name] = text.encode()
    return found


def query_subjects() -> list[str]:
    """The subjects that have a file of queries."""
    return sorted(path.stem for path in _QUERIES.glob("*.sql"))


def parse_queries(text: str) -> Iterator[tuple[str, str]]:
    """Split a file of queries at its ``-- name:`` lines; what stands before the first is for people."""
    parts = _NAME.split(text)
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        yield name, body.strip()


def _arguments(application: str, idle_in_transaction_s: float | None) -> dict[str, Any]:
    # What we ask touches few rows: where a plan looks dear, compiling it takes ten times as long as running.
    options = "-c timezone=UTC -c jit=off"
    if idle_in_transaction_s is not None:
        options += f" -c idle_in_transaction_session_timeout={round(idle_in_transaction_s * 1000)}"
    return {
        "autocommit": True,
        "application_name": application,
        "options": options,
        "connect_timeout": 10,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
    }
