"""One database connection for an asyncio service that asks short questions now and then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

import psycopg

from tracking.store.database import Connection, connect

T = TypeVar("T")


class DatabaseLink:
    """Asks in a thread, one question at a time; connects at the first and again after a failure."""

    def __init__(self, dsn: str, application: str) -> None:
        self._dsn = dsn
        self._application = application
        self._conn: Connection | None = None
        self._using = asyncio.Lock()

    async def ask(self, question: Callable[[Connection], T]) -> T:
        """Run a function of the connection.

        Raises:
            psycopg.OperationalError: the database can't be reached, or went away; the next question tries
            again.
        """
        async with self._using:
            return await asyncio.to_thread(self._ask, question)

    async def close(self) -> None:
        """Disconnect."""
        async with self._using:
            if self._conn is not None:
                self._conn.close()

    def _ask(self, question: Callable[[Connection], T]) -> T:
        if self._conn is None or self._conn.closed:
            self._conn = connect(self._dsn, application=self._application)
        try:
            return question(self._conn)
        except psycopg.OperationalError:
            with contextlib.suppress(psycopg.Error):
                self._conn.close()
            raise
