"""Reading the whole database in one snapshot that several connections share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from psycopg import sql

from tracking.store.database import Connection, connect, queries

SQL: Final = queries("verify")


@contextmanager
def reading(dsn: str, snapshot: str | None = None) -> Iterator[Connection]:
    """A connection within a read-only transaction, on a snapshot that ``share`` gave (None: a new one)."""
    with connect(dsn, application="bondwatch-verify") as conn, conn.transaction():
        conn.execute("set transaction isolation level repeatable read, read only")
        if snapshot is not None:
            conn.execute(sql.SQL("set transaction snapshot {}").format(snapshot))
        yield conn


def share(conn: Connection) -> str:
    """The name under which others may read what this transaction reads."""
    row = conn.execute(SQL["snapshot"]).fetchone()
    assert row is not None
    return str(row[0])


def stream(conn: Connection, query: str, **parameters: Any) -> Iterator[tuple[Any, ...]]:
    """The rows of a named query, through a server-side cursor."""
    with conn.cursor(name=query) as cursor:
        cursor.itersize = 5000
        yield from cursor.execute(SQL[query], parameters)


def rows(conn: Connection, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of a named query."""
    return conn.execute(SQL[query], parameters).fetchall()
