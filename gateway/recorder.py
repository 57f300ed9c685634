"""Writes what a tap hears into a file, a block a second, and the reference data beside it.

1. receive    what the broker delivers
2. write      a block, when it is large enough or a second old; it is on disk before
3. keep       the broker is told that it may forget
4. reference  every half minute, and at the end, what is new of it

Dying before 2 loses nothing that the broker doesn't still have; the file is readable up to its last block.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final

import msgspec

from gateway.clock import Clock
from gateway.database_link import DatabaseLink
from gateway.pipeline.batch import Message
from gateway.sources.recording import Rows, Writer
from gateway.sources.taps import Tap
from tracking.store import reference
from tracking.store.database import Connection

BLOCK_S: Final = 1.0
BLOCK_MESSAGES: Final = 5000
BLOCK_BYTES: Final = 4 << 20
REFERENCE_S: Final = 30.0
LAST_S: Final = 5.0
"""How long an end waits for what the broker still has."""


class ReferenceReader:
    """Reads the reference data, and gives what is new since the last time."""

    def __init__(self, dsn: str) -> None:
        self._link = DatabaseLink(dsn, "bondwatch-record")
        self._known: set[bytes] = set()

    async def news(self) -> Rows:
        """Rows that are new or have changed.

        Raises:
            psycopg.Error: the database can't be read.
        """
        return await self._link.ask(self._news)

    async def close(self) -> None:
        """Disconnect."""
        await self._link.close()

    def _news(self, conn: Connection) -> Rows:
        rows: dict[str, list[reference.Row]] = {}
        for table, row in reference.read(conn):
            said = hashlib.blake2b(table.encode() + msgspec.json.encode(row), digest_size=16).digest()
            if said not in self._known:
                self._known.add(said)
                rows.setdefault(table, []).append(row)
        return rows


class Recorder:
    """See the module.

    Args:
        tap: opened; the caller closes it.
        writer: ended by :meth:`run`.
        reader: of the reference data; None: there is none to record.
        clock: the installation's: what the broker stamped is told as it showed it.
        show: called after each block.
    """

    def __init__(
        self,
        tap: Tap,
        writer: Writer,
        reader: ReferenceReader | None,
        clock: Clock,
        show: Callable[[], None],
    ) -> None:
        self._tap = tap
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._show = show
        self._waiting: list[Message] = []
        self._bytes = 0
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Take what the broker still has, then end the file."""
        self._stopping.set()

    async def run(self, for_s: float | None) -> None:
        """Record until told to stop, or for so long.

        Raises:
            Problem: the broker is gone. The file is whole up to its last block.
        """
        now_s = asyncio.get_running_loop().time
        ends_s = None if for_s is None else now_s() + for_s
        reference_s = await self._write_reference()
        block_s = now_s()
        try:
            while not self._stopping.is_set() and (ends_s is None or now_s() < ends_s):
                await self._hear()
                if self._is_large() or now_s() - block_s >= BLOCK_S:
                    await self._write()
                    block_s = now_s()
                if now_s() - reference_s >= REFERENCE_S:
                    reference_s = await self._write_reference()
            last_s = now_s() + LAST_S
            while await self._hear() and now_s() < last_s:
                if self._is_large():
                    await self._write()
            await self._write()
            ended_us = await self._tap.ended_us()
            await self._write_reference()
            self._writer.end(self._clock.at_us(ended_us) if ended_us else 0)
        finally:
            self._writer.close()

    async def _hear(self) -> bool:
        came = await self._tap.receive()
        self._waiting += [
            msgspec.structs.replace(one, received_us=self._clock.at_us(one.received_us)) for one in came
        ]
        self._bytes += sum(len(one.payload) for one in came)
        return bool(came)

    def _is_large(self) -> bool:
        return len(self._waiting) >= BLOCK_MESSAGES or self._bytes >= BLOCK_BYTES

    async def _write(self) -> None:
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        await asyncio.to_thread(self._writer.add_messages, waiting)
        await self._tap.kept()
        self._show()

    async def _write_reference(self) -> float:
        """Returns when, by the loop's clock."""
        if self._reader is not None:
            rows = await self._reader.news()
            await asyncio.to_thread(self._writer.add_reference, rows)
        return asyncio.get_running_loop().time()
