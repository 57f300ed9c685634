"""Live events: one LISTEN connection a process, any number of readers.

PostgreSQL tells what was committed (positions, milestones, alerts); every reader gets a bounded queue of what
concerns it. A reader that is too slow is told to reload instead of being fed old news.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import psycopg
from msgspec import Struct

from devices.observation import moment

CHANNELS: Final = ("bw_positions", "bw_alerts", "bw_custody", "bw_gates")
QUEUE_SIZE: Final = 500
RECONNECT_S: Final = 1.0


class Event(Struct, frozen=True):
    """One thing to tell: its name on the wire and its JSON body."""

    name: str
    body: dict[str, Any]


class Reader:
    """One open stream and what it wants to hear."""

    def __init__(self, wants: Callable[[Event], bool]) -> None:
        self.wants = wants
        self.queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_SIZE)

    def offer(self, event: Event) -> None:
        if not self.wants(event):
            return
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            while not self.queue.empty():
                self.queue.get_nowait()
            self.queue.put_nowait(Event("custody", {"reload": True}))


class Hub:
    """Listens to the database and hands what it hears to the readers."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._readers: set[Reader] = set()

    @asynccontextmanager
    async def reader(self, wants: Callable[[Event], bool]) -> AsyncIterator[Reader]:
        """Register a reader for as long as its stream is open."""
        reader = Reader(wants)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)

    async def run(self) -> None:
        """Listen until cancelled; a lost database is waited for."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
                    for channel in CHANNELS:
                        await connection.execute(
                            psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(channel))
                        )
                    self._tell(Event("custody", {"reload": True}))
                    async for notice in connection.notifies():
                        for event in events_of(notice.channel, notice.payload):
                            self._tell(event)
            except psycopg.OperationalError:
                await asyncio.sleep(RECONNECT_S)

    def _tell(self, event: Event) -> None:
        for reader in self._readers:
            reader.offer(event)


def position(
    device: str, time_ms: int, lon: float, lat: float, speed_mps: float | None, heading_deg: float | None
) -> dict[str, Any]:
    """A live position as it goes out: WGS-84 degrees, metres per second, degrees from north."""
    time = moment(time_ms * 1000).isoformat().replace("+00:00", "Z")
    return {
        "device": device,
        "park": device.partition("/")[0],
        "time": time,
        "lon": lon,
        "lat": lat,
        "speed_mps": speed_mps,
        "heading_deg": heading_deg,
    }


def events_of(channel: str, payload: str) -> list[Event]:
    """What a notification says, one event a thing. One that can't be read says: read everything anew."""
    try:
        body = msgspec.json.decode(payload or "{}", type=dict)
        if channel == "bw_positions":
            return [Event("position", position(*row)) for row in body["positions"]]
    except (msgspec.DecodeError, KeyError, TypeError):
        return [Event("custody", {"reload": True})]
    return [Event(channel.removeprefix("bw_").removesuffix("s"), body)]
