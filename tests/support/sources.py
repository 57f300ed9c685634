"""What a test of sources needs: a broker with devices on one side, a recorder that plays the pipeline on the
other."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import paho.mqtt.client as mqtt
import psycopg

from gateway.pipeline.batch import Batch, Message, Source
from gateway.sources.jetstream import JetStreamSource
from gateway.sources.leases import PartitionLeases, SessionLeases
from gateway.sources.mqtt import MqttSource
from gateway.sources.mqtt_terms import Address
from gateway.sources.stream import Keep
from tests.support.brokers import Broker, Mosquitto, NatsServer, mosquitto, nats_server
from tracking.domain.errors import Fenced
from tracking.store import positions
from tracking.store.database import connect

PATIENCE_S = 20.0
CLIENT_PREFIX = "bondwatch-"

SourceT_co = TypeVar("SourceT_co", bound=Source, covariant=True)


class Devices:
    """Devices that publish at QoS 1 and believe a PUBACK."""

    def __init__(self, port: int) -> None:
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id="devices", protocol=mqtt.MQTTv311
        )
        self._client.reconnect_delay_set(0.05, 0.2)
        self._client.max_inflight_messages_set(200)
        self._client.on_publish = lambda _c, _d, number, _r, _p: self._answered.add(number)
        self._answered: set[int] = set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def publish(self, device: str, payload: bytes) -> int:
        """Publish now, or once the link is back; returns the number under which it will be answered."""
        return self._client.publish(f"bw/v1/SIP/{device}/events", payload, qos=1).mid

    async def publish_all(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Publish in order and wait until the broker has answered for all."""
        sent = {self.publish(device, payload) for device, payload in messages}
        await until(lambda: sent <= self._answered)

    def hears(self, device: str, heard: list[tuple[str, bytes]]) -> None:
        """Note the receipts of a device from now on."""
        granted = threading.Event()
        self._client.on_message = lambda _c, _d, message: heard.append((message.topic, message.payload))
        self._client.on_subscribe = lambda *_: granted.set()
        self._client.subscribe(f"bw/v1/SIP/{device}/receipts", 0)
        assert granted.wait(PATIENCE_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@dataclass
class Recorder:
    """Plays the pipeline: commits a batch with its fence, keeps its messages, acknowledges."""

    dsn: str
    messages: list[Message] = field(default_factory=list)

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.messages]

    def of(self, device: str) -> list[bytes]:
        """What was recorded of one device, in the order of recording."""
        return [one.payload for one in self.messages if one.topic == f"bw/v1/SIP/{device}/events"]

    async def commit(self, batch: Batch) -> None:
        """Step 5. Raises Fenced, and then nothing is recorded."""
        await asyncio.to_thread(self._advance, batch)
        self.messages.extend(batch.messages)

    async def finish(self, batch: Batch) -> None:
        """Commit and acknowledge."""
        await self.commit(batch)
        await batch.acknowledge()

    async def record(self, source: Source, *, until_count: int) -> None:
        """Receive, commit, acknowledge until so many messages are recorded."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.messages) < until_count:
                await self.finish(await source.receive())

    async def attempt(self, source: Source) -> None:
        """Receive, commit, acknowledge a batch; when it is fenced, ask anew from where the source stands."""
        batch = await source.receive()
        try:
            await self.commit(batch)
        except Fenced:
            await source.rewind()
        else:
            await batch.acknowledge()

    def _advance(self, batch: Batch) -> None:
        steps = [
            positions.Step(one.partition, one.old, one.new, batch.epochs[one.partition])
            for one in batch.advances
        ]
        with connect(self.dsn) as conn, conn.transaction(), conn.cursor() as cur:
            positions.advance(cur, batch.source, batch.epoch_owner, steps, through_us=batch.through_us)


class Rig(Protocol[SourceT_co]):
    """One kind of broker and source."""

    @property
    def broker(self) -> Broker:
        """Which devices publish to."""

    async def source(self, worker: str, **options: Any) -> SourceT_co:
        """A new source for a worker of this name."""


@dataclass
class JetStreamRig:
    broker: NatsServer
    dsn: str

    async def source(self, worker: str, **options: Any) -> JetStreamSource:
        leases = PartitionLeases(self.dsn, "jetstream", worker)
        keep = options.pop("keep", Keep(max_bytes=256 << 20))
        return await JetStreamSource.open([self.broker.url], leases, keep=keep, **options)


@dataclass
class MqttRig:
    broker: Mosquitto
    dsn: str

    async def source(self, worker: str, **options: Any) -> MqttSource:
        address = options.pop("address", Address("127.0.0.1", self.broker.mqtt_port))
        leases = SessionLeases(self.dsn, worker, prefix=CLIENT_PREFIX)
        source = await MqttSource.open(address, leases, **options)
        await until(lambda: bool(source.client_ids))
        return source


@asynccontextmanager
async def working(
    stage: Rig[SourceT_co], worker: str = "w1", **options: Any
) -> AsyncIterator[tuple[SourceT_co, Devices]]:
    """A source whose broker already keeps what devices publish, and the devices."""
    source = await stage.source(worker, **options)
    devices = Devices(stage.broker.mqtt_port)
    try:
        yield source, devices
    finally:
        devices.close()
        await source.close()


def numbered(device: str, count: int, first: int = 0) -> list[tuple[str, bytes]]:
    """Messages of a device that say their numbers."""
    return [(device, b"%d" % n) for n in range(first, first + count)]


def rig(kind: str, directory: Path, dsn: str) -> JetStreamRig | MqttRig:
    """A broker of this kind, not yet started."""
    if kind == "jetstream":
        return JetStreamRig(nats_server(directory / "nats"), dsn)
    return MqttRig(mosquitto(directory / "mosquitto"), dsn)


async def until(holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.01)


async def until_in_database(dsn: str, query: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait until a query's first value is true; returns it."""
    deadline = time.monotonic() + patience_s
    with psycopg.connect(dsn, autocommit=True) as conn:
        while True:
            row = conn.execute(query.encode()).fetchone()
            if row is not None and row[0]:
                return row[0]
            assert time.monotonic() < deadline, f"waited too long for {query}"
            await asyncio.sleep(0.02)


async def until_renewed(dsn: str, table: str) -> None:
    """Wait until a worker has renewed its lease three times: whatever it does every time, it has done by
    then."""
    seconds = f"select extract(epoch from max(leased_until))::float8 from {table}"
    now = await until_in_database(dsn, seconds)
    await until_in_database(dsn, f"select ({seconds}) > {now} + 2.3")


def run(story: Awaitable[None]) -> None:
    """Run a test's coroutine with a deadline."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await story

    asyncio.run(bounded())
