"""A recording worker without a broker: batches from memory, down the real road into a real database.

station = Station(database)
truck = station.device("TRK-1")
station.deliver(truck.says(at=0), truck.says(at=10))
assert station.count("observations") == 2
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from devices.observation import moment
from devices.topics import events_topic
from gateway.pipeline.batch import Advance, Message
from gateway.pipeline.load import Load
from gateway.pipeline.reference import read_reference
from gateway.pipeline.road import Road
from gateway.pipeline.tools import Tools
from tests.support.rows import NOON, NOON_US, SECOND_US
from tracking.store import registry
from tracking.store.database import Connection, connect

PARK = "SIP"


@dataclass
class MemoryBatch:
    """Messages with or without a fence; remembers whether it was acknowledged."""

    messages: Sequence[Message]
    advances: Sequence[Advance] = ()
    epochs: Mapping[int, int] = field(default_factory=dict)
    epoch_owner: str = "worker"
    source: str = "mqtt"
    through_us: int = 0
    acknowledged: int = 0

    async def acknowledge(self) -> None:
        self.acknowledged += 1


@dataclass
class TestDevice:
    """A device that counts its events up and says where it is."""

    __test__ = False
    name: str
    device_id: int
    run: int = 1
    seq: int = 0

    def event(self, at: float = 0, *, seq: int | None = None, **fields: Any) -> dict[str, Any]:
        """One event ``at`` seconds after noon; without a ``type`` it is a position."""
        if seq is None and "id" not in fields:
            self.seq += 1
            seq = self.seq
        said = {"run": self.run, "seq": seq} if "id" not in fields else {}
        said |= {"time": (NOON_US + round(at * SECOND_US)) // 1000}
        where = {} if "type" in fields else {"type": "position", "lon": 120.7, "lat": 31.3, "accuracy_m": 8}
        return said | where | fields

    def says(self, at: float = 0, *, received: float | None = None, **fields: Any) -> Message:
        """A message with one event, which reaches the broker a tenth of a second later (or ``received``)."""
        return self.sends(self.event(at, **fields), received=at + 0.1 if received is None else received)

    def sends(self, *events: dict[str, Any] | bytes, received: float = 0.1) -> Message:
        """A message with one event, or with an array of several; bytes go as they are."""
        parts = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
        payload = parts[0] if len(parts) == 1 else b"[" + b",".join(parts) + b"]"
        return Message(events_topic(self.name), payload, NOON_US + round(received * SECOND_US))


class Station:
    """A worker's road, and what stands in its database."""

    def __init__(self, dsn: str, worker: str = "worker") -> None:
        self.dsn = dsn
        self.conn: Connection = connect(dsn)
        self.clock_us = NOON_US + 60 * SECOND_US
        registry.put_park(self.conn, PARK, name_en="", name_zh="", time_zone="Asia/Shanghai")
        connection = connect(dsn)
        self.tools = Tools(worker, connection, read_reference(connection))
        self.road = Road(self.tools, connect=lambda: connect(dsn), now_us=lambda: self.clock_us)

    def device(self, code: str, **registration: Any) -> TestDevice:
        given = {"kind": "tracker", "name": "", "datum": "wgs84", "expected_every_s": 60} | registration
        with self.conn.transaction():
            device_id = registry.add_device(self.conn, park=PARK, code=code, registered_at=NOON, **given)
        assert device_id is not None
        return TestDevice(f"{PARK}/{code}", device_id)

    def zone(self, code: str, lon: float, lat: float, *, half: float = 0.01) -> None:
        """A square zone around a point, of ``half`` its side in degrees, since long ago."""
        west, east, south, north = lon - half, lon + half, lat - half, lat + half
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        with self.conn.transaction():
            registry.lock_reference(self.conn)
            registry.put_area(
                self.conn,
                code=code,
                kind="warehouse",
                park=PARK,
                geometry={"type": "Polygon", "coordinates": [ring]},
                tolerance_m=None,
                properties={},
                valid_from=datetime(2020, 1, 1, tzinfo=NOON.tzinfo),
                recorded_at=NOON,
                recorded_by="test",
            )

    def deliver(self, *messages: Message, **batch: Any) -> Load:
        """One batch, all the way."""
        return self.deliver_batch(MemoryBatch(messages, **batch))

    def deliver_batch(self, batch: MemoryBatch) -> Load:
        return asyncio.run(self.road.travel(batch))

    def receipts(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that waits to be told to devices, by device; it leaves the mailbox."""
        told: dict[str, list[dict[str, Any]]] = {}
        for topic, payload in self.tools.mailbox.take(float("inf")):
            told.setdefault(topic.removeprefix("bw/v1/").removesuffix("/receipts"), []).append(
                json.loads(payload)
            )
        return told

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.conn.execute(query, parameters).fetchall()  # type: ignore[arg-type]

    def count(self, table: str, where: str = "true") -> int:
        return int(self.rows(f"select count(*) from {table} where {where}")[0][0])

    def recorded(self, device: TestDevice) -> list[tuple[int, int]]:
        """(run, seq) of what is recorded of a device, in order of time."""
        return [
            (run, seq)
            for run, seq in self.rows(
                "select run, seq from observations where device_id = %s order by event_time, run, seq",
                device.device_id,
            )
        ]

    def restart(self) -> None:
        """The worker dies and another one starts: nothing that only it knew is left."""
        self.tools.connection.close()
        connection = connect(self.dsn)
        self.tools = Tools(self.tools.worker, connection, read_reference(connection))
        self.road = Road(self.tools, connect=lambda: connect(self.dsn), now_us=lambda: self.clock_us)

    def close(self) -> None:
        self.conn.close()
        self.tools.connection.close()


def at(seconds: float) -> datetime:
    """The moment ``seconds`` after noon."""
    return moment(NOON_US + round(seconds * SECOND_US))
