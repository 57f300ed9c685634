"""Which worker reads which partition or client id: the store's leases, as a source asks for them.

A worker owns a partition while it holds the lease at an epoch. Whoever takes it over raises the epoch, and a
commit at an older epoch finds no row: so taking over is safe at any moment, also from a worker that is only
paused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.database_link import DatabaseLink
from tracking.store import positions

RENEW_S: Final = 0.8
"""How often a worker says that it lives. With the lease (3 s) and a source's idle wait: taken over within 5
s."""


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

    async def release(self) -> None:
        """Give everything back, so that others needn't wait for the leases to end; disconnect."""
        try:
            await self._link.ask(lambda conn: positions.release(conn, self._source, self.worker))
        finally:
            await self._link.close()
