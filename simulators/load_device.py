"""One device of the load generator: its events, its connection, what it waits for."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Sequence
from itertools import islice
from typing import Final

from msgspec import Struct

from devices.messages import decode_receipt
from devices.topics import events_topic, receipts_topic
from simulators import wire

SPAN_MS: Final = 240_000
RESEND_FIRST_S: Final = 3.0
RESEND_LONGEST_S: Final = 30.0
_WEST, _SOUTH, _EAST, _NORTH = 120.55, 31.05, 121.45, 31.65
_METRES_PER_DEGREE: Final = 111_195.0

_EVENT: Final = (
    b'{"run":%d,"seq":%d,"time":%d,"type":"position","lon":%.6f,"lat":%.6f,'
    b'"accuracy_m":9.5,"speed_mps":%.1f,"heading_deg":%.1f}'
)


class Login(Struct, frozen=True):
    """One line of the devices file."""

    name: str
    secret: str


class Plan(Struct, frozen=True):
    """What is to be sent, and how.

    Attributes:
        events: in all.
        per_publish: events in one MQTT message.
        window: publishes under way per device, without a rate.
        rate: events a second in all; None: as fast as the windows allow.
        until_receipt: keep events until their receipt.
        every_s: seconds from one event of a device to its next, by its own clock; None: one, or less so
            that all lie within four minutes.
        seed: of runs and ways.
        skip: events of each device that an earlier load of the same seed has sent.
        deadline_s: give up after so long.
    """

    events: int
    per_publish: int = 10
    window: int = 8
    rate: float | None = None
    until_receipt: bool = False
    every_s: float | None = None
    seed: int | None = None
    skip: int = 0
    deadline_s: float = 600.0


class Totals(Struct):
    """The figures; see the module."""

    published: int = 0
    acknowledged: int = 0
    receipted: int | None = None
    publishes: int = 0
    resent: int = 0
    rejected: int = 0
    devices: int = 0
    connections: int = 0
    started_at: float = 0.0
    seconds: float = 0.0
    cpu_us_per_event: float = 0.0


class Way:
    """One device's events: a straight line at a steady speed.

    Args:
        rng: where from and where to.
        events: how many.
        until_ms: time of the last one.
        every_s: seconds from one to the next; None: see ``Plan``.
        skip: as many that were sent before come first.
    """

    def __init__(
        self, rng: random.Random, events: int, until_ms: int, every_s: float | None = None, skip: int = 0
    ) -> None:
        self.run = rng.randrange(1, 2**31)
        self.events = skip + events
        self.sent = skip
        self._step_ms = min(1000.0, SPAN_MS / max(events, 1)) if every_s is None else every_s * 1000
        self._from_ms = until_ms - self._step_ms * self.events
        self._speed, self._heading = rng.uniform(8, 24), rng.uniform(0, 359.9)
        self._lon, self._lat = rng.uniform(_WEST, _EAST), rng.uniform(_SOUTH, _NORTH)
        step = self._speed * self._step_ms / 1000 / _METRES_PER_DEGREE
        self._north = step * math.cos(math.radians(self._heading))
        self._east = step * math.sin(math.radians(self._heading)) / math.cos(math.radians(self._lat))

    def next_events(self, count: int) -> list[bytes]:
        """The next so many events, fewer at the end."""
        first = self.sent + 1
        self.sent = min(self.sent + count, self.events)
        return [
            _EVENT
            % (
                self.run,
                seq,
                self._from_ms + seq * self._step_ms,
                self._lon + seq * self._east,
                self._lat + seq * self._north,
                self._speed,
                self._heading,
            )
            for seq in range(first, self.sent + 1)
        ]


class LoadDevice(asyncio.Protocol):
    """One device on its connection. The generator asks it to send; it counts what comes back."""

    def __init__(self, login: Login, way: Way, plan: Plan, totals: Totals) -> None:
        self.way, self.name = way, login.name
        self._login, self._plan, self._totals = login, plan, totals
        self._publisher = wire.Publisher(events_topic(login.name))
        self._reader = wire.Reader()
        self._transport: asyncio.Transport | None = None
        self._under_way: dict[int, list[bytes]] = {}
        self._unreceipted: dict[int, bytes] = {}
        self._sweep_at, self._pause_s = math.inf, RESEND_FIRST_S
        self._packet_id = 0
        self._started = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.broken: str | None = None

    @property
    def done(self) -> bool:
        """Everything is sent and answered."""
        return self.way.sent == self.way.events and not self._under_way and not self._unreceipted

    def start(self) -> None:
        """Begin to send; from now on every answer draws the next publish."""
        self._started = True
        self._refill()

    def send(self) -> None:
        """One more publish, if there are events left."""
        if self._transport is not None and (events := self.way.next_events(self._plan.per_publish)):
            self._transport.write(self._publish(events))

    def sweep(self, now: float) -> None:
        """Send again what has had no receipt for too long: the oldest window of it."""
        if now < self._sweep_at or self._transport is None or not self._unreceipted:
            return
        self._pause_s = min(self._pause_s * 2, RESEND_LONGEST_S)
        self._sweep_at = now + self._pause_s
        self._again(list(islice(self._unreceipted.values(), self._plan.window * self._plan.per_publish)))

    def close(self) -> None:
        """Say goodbye."""
        if self._transport is not None:
            self._transport.write(wire.DISCONNECT)
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Log in."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._reader = transport, wire.Reader()
        transport.write(wire.connect(self._login.name, self._login.name, self._login.secret))

    def data_received(self, data: bytes) -> None:
        """Take the answers in, send what they make room for."""
        try:
            for heard in self._reader.feed(data):
                if type(heard) is wire.Acks:
                    self._acknowledged(heard.packet_ids)
                elif type(heard) is wire.Message:
                    self._receipt(heard)
                elif type(heard) is wire.Admitted and self._plan.until_receipt:
                    assert self._transport is not None
                    self._transport.write(wire.subscribe(1, receipts_topic(self._login.name)))
                else:
                    self._admitted()
        except wire.WireError as error:
            self.broken = str(error)
            assert self._transport is not None
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The generator connects it again."""
        self._transport = None
        self.broken = self.broken or str(exc or "closed by the broker")
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(self.broken))

    def _admitted(self) -> None:
        self._totals.connections += 1
        self.broken = None
        if not self.ready.done():
            self.ready.set_result(None)
        if self._plan.until_receipt:
            self._under_way.clear()
            again = list(self._unreceipted.values())
        else:
            again = [event for events in self._under_way.values() for event in events]
            self._under_way.clear()
        self._again(again)
        if self._started:
            self._refill()

    def _acknowledged(self, packet_ids: Sequence[int]) -> None:
        for packet_id in packet_ids:
            events = self._under_way.pop(packet_id, None)
            if events is not None:
                self._totals.acknowledged += len(events)
        if self._started:
            self._refill()

    def _refill(self) -> None:
        plan, way = self._plan, self.way
        if plan.rate is not None or self._transport is None or way.sent == way.events:
            return
        free = plan.window - len(self._under_way)
        if plan.until_receipt:  # a gateway that is away must not be sent everything ahead
            free = min(free, 4 * plan.window - len(self._unreceipted) // plan.per_publish)
        if free * 2 < plan.window:
            return  # wait for more answers: one write for several publishes
        packets = []
        for _ in range(free):
            if not (events := way.next_events(plan.per_publish)):
                break
            packets.append(self._publish(events))
        self._transport.write(b"".join(packets))

    def _publish(self, events: list[bytes]) -> bytes:
        first = self.way.sent - len(events) + 1
        self._totals.published += len(events)
        if self._plan.until_receipt:
            if not self._unreceipted:
                self._sweep_at = time.monotonic() + self._pause_s
            self._unreceipted.update(enumerate(events, first))
        return self._packet(events)

    def _again(self, events: list[bytes]) -> None:
        assert self._transport is not None
        step = self._plan.per_publish
        for at in range(0, len(events), step):
            self._totals.resent += len(events[at : at + step])
            self._transport.write(self._packet(events[at : at + step]))

    def _packet(self, events: list[bytes]) -> bytes:
        self._packet_id = self._packet_id % 65_535 + 1
        self._under_way[self._packet_id] = events
        self._totals.publishes += 1
        payload = events[0] if len(events) == 1 else b"[" + b",".join(events) + b"]"
        return self._publisher.packet(self._packet_id, payload)

    def _receipt(self, message: wire.Message) -> None:
        receipt = decode_receipt(message.payload)
        if receipt.run != self.way.run or self._totals.receipted is None:
            return
        before = len(self._unreceipted)
        for first, last in receipt.committed:
            for seq in range(first, last + 1):
                self._unreceipted.pop(seq, None)
        self._totals.receipted += before - len(self._unreceipted)
        for refusal in receipt.rejected:
            if refusal.seq is not None and self._unreceipted.pop(refusal.seq, None) is not None:
                self._totals.rejected += 1
        if len(self._unreceipted) < before:
            self._pause_s = RESEND_FIRST_S
            self._sweep_at = time.monotonic() + self._pause_s
            if self._started:
                self._refill()
