"""Which worker reads which partition or client id: the store's leases, as a source asks for them.

A worker owns a partition while it holds the lease at an epoch. Whoever takes it over raises the epoch, and a
commit at an older epoch finds no row: so taking over is safe at any moment, also from a worker that is only
paused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import psycopg
import structlog

from gateway.database_link import DatabaseLink
from tracking.store import positions, sessions
from tracking.store.database import Connection

RENEW_S: Final = 0.8
"""How often a worker says that it lives. With the lease (3 s) and a source's idle wait: taken over within 5
s."""


_ENDED_S: Final = positions.LEASE_S + 1
"""After this, the lease of a worker that was killed just before has ended."""

log = structlog.get_logger()


async def retire_others(dsn: str, source: str) -> None:
    """Retire the sources that nobody reads any more: the site has changed its broker.

    Asked at the start, and once more when the lease of a worker that was killed just before has ended.
    """
    link = DatabaseLink(dsn, "bondwatch-retire")
    try:
        for wait_s in (0.0, _ENDED_S):
            await asyncio.sleep(wait_s)
            try:
                for retired in await link.ask(lambda conn: positions.retire_others(conn, source)):
                    log.warning("source_retired", source=retired, instead=source)
            except psycopg.OperationalError as error:  # the next start asks again
                log.warning("sources_not_retired", error=str(error).strip())
    finally:
        await link.close()


class PartitionLeases:
    """The partitions of one worker of one source."""

    def __init__(self, dsn: str, source: str, worker: str, *, partitions: int = positions.PARTITIONS) -> None:
        self.worker = worker
        self._source = source
        self._partitions = partitions
        self._link = DatabaseLink(dsn, f"bondwatch-leases {worker}")

    async def keep(self) -> Mapping[int, positions.Held]:
        """Renew what this worker holds, settle at its fair share, and say what it owns now, with fresh
        positions."""
        return await self._link.ask(
            lambda conn: positions.keep(conn, self._source, self.worker, partitions=self._partitions)
        )

    async def mark(self, epochs: Mapping[int, int], through_us: int) -> None:
        """Everything of these partitions up to this broker time is recorded."""
        await self._link.ask(
            lambda conn: positions.mark_through(conn, self._source, self.worker, epochs, through_us)
        )

    async def advance(self, steps: Sequence[positions.Step]) -> None:
        """Move partitions that hold nothing new, without a batch.

        Raises:
            Fenced: one of them is another worker's by now.
        """

        def move(conn: Connection) -> None:
            with conn.transaction(), conn.cursor() as cur:
                positions.advance(cur, self._source, self.worker, steps, through_us=0)

        await self._link.ask(move)

    async def release(self) -> None:
        """Give everything back, so that others needn't wait for the leases to end; disconnect."""
        try:
            await self._link.ask(lambda conn: positions.release(conn, self._source, self.worker))
        finally:
            await self._link.close()


class SessionLeases:
    """The client ids of one worker: its own, and those it has adopted."""

    def __init__(self, dsn: str, worker: str, *, prefix: str) -> None:
        self.worker = worker
        self._prefix = prefix
        self._link = DatabaseLink(dsn, f"bondwatch-leases {worker}")

    async def claim(self) -> sessions.Session:
        """A client id that nobody holds, with what waits there; else a new one."""
        return await self._link.ask(lambda conn: sessions.claim_session(conn, self._prefix, self.worker))

    async def keep(self) -> list[sessions.Session]:
        """Renew what this worker holds, and say what that is."""
        return await self._link.ask(lambda conn: sessions.keep_sessions(conn, self.worker))

    async def adopt(self) -> sessions.Session | None:
        """A client id whose worker is gone, if there is one: drain it."""
        return await self._link.ask(lambda conn: sessions.adopt_session(conn, self._prefix, self.worker))

    async def mark(self, held: Sequence[sessions.Session], through_us: int) -> None:
        """Everything that the broker had for these client ids up to this time is recorded."""
        await self._link.ask(lambda conn: sessions.mark_sessions_through(conn, self.worker, held, through_us))

    async def drained(self, session: sessions.Session) -> None:
        """The broker has nothing left for this client id and has forgotten it."""
        await self._link.ask(lambda conn: sessions.mark_drained(conn, self.worker, session))

    async def release(self) -> None:
        """Give everything back, so that others needn't wait for the leases to end; disconnect."""
        try:
            await self._link.ask(lambda conn: sessions.release_sessions(conn, self.worker))
        finally:
            await self._link.close()
