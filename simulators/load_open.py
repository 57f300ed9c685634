"""One device of the open-loop generator: it publishes when it is told, and measures every answer.

A latency runs from the intended moment of the publish, not from when the bytes left. Each publish is kept
until its last answer (the gateway's receipt; against a bare broker the PUBACK) and goes out again after a
broken connection, or when nothing was heard for long; the first moment still counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from devices.messages import decode_alert, decode_receipt
from devices.topics import SEVERITIES, alerts_topic, events_topic, receipts_topic
from simulators import wire
from simulators.load_device import Login
from simulators.load_figures import COUNTS, LATENCIES, histogram


class Publish(Struct, gc=False):
    """One message under way; times in microseconds of the monotonic clock."""

    due_us: int
    first: int
    count: int
    payload: bytes
    acknowledged: bool = False


class Meter:
    """What a process counts between two of its words."""

    def __init__(self) -> None:
        self.latencies: dict[str, Any] = {}
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        for found in self.latencies.values():
            found.encoder.histogram = None  # a cycle, which nobody collects in a process without collector
        self.counts = dict.fromkeys(COUNTS, 0)
        self.latencies = {name: histogram() for name in LATENCIES}

    def measured(self, name: str, due_us: int, count: int) -> None:
        """An answer that came now, for that many events."""
        self.latencies[name].record_value(max(1, time.monotonic_ns() // 1000 - due_us), count)


class Link(asyncio.Protocol):
    """A connection that logs in, subscribes, and says when it is ready; others say what it hears.

    Args:
        login: user name and password; the name is the client id too.
        user: as which it logs in.
        topics: to subscribe to.
    """

    def __init__(self, login: Login, user: str, topics: Iterable[str]) -> None:
        self.name = login.name
        self._login, self._user, self._topics = login, user, list(topics)
        self._reader = wire.Reader()
        self._subscribed = 0
        self.transport: asyncio.Transport | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.broken: str | None = None
        self.connections = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Log in."""
        assert isinstance(transport, asyncio.Transport)
        self.transport, self._reader, self._subscribed = transport, wire.Reader(), 0
        transport.write(wire.connect(self._login.name, self._user, self._login.secret))

    def data_received(self, data: bytes) -> None:
        """Take the answers in."""
        if self.transport is None:
            return
        try:
            for heard in self._reader.feed(data):
                if type(heard) is wire.Acks:
                    for packet_id in heard.packet_ids:
                        self.acknowledged(packet_id)
                elif type(heard) is wire.Message:
                    if heard.packet_id:
                        self.transport.write(wire.puback(heard.packet_id))
                    self.heard(heard)
                else:
                    self._subscribed += type(heard) is wire.Subscribed
                    self._go_on()
        except wire.WireError as error:
            self.broken = str(error)
            self.transport.abort()

    def _go_on(self) -> None:
        assert self.transport is not None
        if self._subscribed < len(self._topics):
            self.transport.write(wire.subscribe(self._subscribed + 1, self._topics[self._subscribed]))
            return
        self.connections += 1
        self.broken = None
        if not self.ready.done():
            self.ready.set_result(None)
        self.admitted()

    def connection_lost(self, exc: Exception | None) -> None:
        """The process connects it again."""
        self.transport = None
        self.broken = self.broken or str(exc or "closed by the broker")
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(f"{self.name}: {self.broken}"))

    def break_off(self) -> None:
        """Lose the connection, without a word to the broker."""
        if self.transport is not None:
            self.broken = "broken off"
            self.transport.abort()

    def close(self) -> None:
        """Say goodbye."""
        if self.transport is not None:
            self.transport.write(wire.DISCONNECT)
            self.transport.close()

    def admitted(self) -> None:
        """The connection is ready, for the first time or again."""

    def acknowledged(self, packet_id: int) -> None:
        """The broker took a publish."""

    def heard(self, message: wire.Message) -> None:
        """Something came on a subscribed topic."""


class OpenDevice(Link):
    """One device.

    Args:
        login: as the broker knows it.
        user: for the broker, when all share one; else its own name.
        run: of its events.
        meter: counts and measures.
        receipted: whether a gateway answers.
    """

    def __init__(self, login: Login, user: str, run: int, meter: Meter, *, receipted: bool) -> None:
        super().__init__(login, user, [receipts_topic(login.name)] if receipted else [])
        self.last, self.resent, self.rejected = 0, 0, 0
        self._run, self._meter, self._receipted = run, meter, receipted
        self._publisher = wire.Publisher(events_topic(login.name))
        self._kept: dict[int, Publish] = {}  # by every number, until the last answer
        self._under_way: dict[int, Publish] = {}  # by packet id, until the PUBACK
        self._packet_id = 0

    @property
    def unanswered(self) -> int:
        """Events without their last answer."""
        return len(self._kept)

    def publish(self, due_us: int, count: int, payload: bytes) -> None:
        """Events from the next number on; they go out now, or as soon as there is a connection."""
        one = Publish(due_us, self.last + 1, count, payload)
        for seq in range(one.first, one.first + count):
            self._kept[seq] = one
        self.last += count
        self._meter.counts["sent"] += count
        if self.transport is not None and self.ready.done():
            self._send(one)

    def again(self, before_us: int) -> None:
        """Send what was due before then and still has no last answer."""
        if self.transport is None or not self.ready.done():
            return
        for one in self._unique():
            if one.due_us < before_us:
                self.resent += one.count
                self._send(one)

    def admitted(self) -> None:
        """Everything without its last answer goes out (again)."""
        self._under_way.clear()
        for one in self._unique():
            self.resent += one.count if self.connections > 1 else 0
            self._send(one)

    def acknowledged(self, packet_id: int) -> None:
        """The broker has it."""
        one = self._under_way.pop(packet_id, None)
        if one is None or one.acknowledged:
            return
        one.acknowledged = True
        self._meter.counts["durable"] += one.count
        self._meter.measured("durable", one.due_us, one.count)
        if not self._receipted:
            for seq in range(one.first, one.first + one.count):
                self._kept.pop(seq, None)

    def heard(self, message: wire.Message) -> None:
        """The gateway has it."""
        receipt = decode_receipt(message.payload)
        if receipt.run != self._run:
            return
        for first, last in receipt.committed:
            self._committed(range(first, last + 1))
        for refusal in receipt.rejected:
            if refusal.seq is not None and self._kept.pop(refusal.seq, None) is not None:
                self.rejected += 1

    def _committed(self, numbers: range) -> None:
        kept, counted = self._kept, 0
        one: Publish | None = None
        for seq in numbers:
            found = kept.pop(seq, None)
            if found is not one:
                if one is not None:
                    self._meter.measured("committed", one.due_us, counted)
                one, counted = found, 0
            if found is not None:
                counted += 1
                self._meter.counts["committed"] += 1
        if one is not None:
            self._meter.measured("committed", one.due_us, counted)

    def _unique(self) -> list[Publish]:
        return list({one.first: one for one in self._kept.values()}.values())

    def _send(self, one: Publish) -> None:
        assert self.transport is not None
        self._packet_id = self._packet_id % 65_535 + 1
        self._under_way[self._packet_id] = one
        self.transport.write(self._publisher.packet(self._packet_id, one.payload))


class Siren(Link):
    """Hears the alerts of the park.

    Args:
        login: of a client of kind ``siren``.
        on_alert: told of each open alert: number of the shipment, and when it began, Unix milliseconds.
    """

    def __init__(self, login: Login, on_alert: Callable[[str, int], None]) -> None:
        park = login.name.partition("/")[0]
        super().__init__(login, login.name, [alerts_topic(park, severity) for severity in SEVERITIES])
        self._on_alert = on_alert

    def heard(self, message: wire.Message) -> None:
        """An alert."""
        alert = decode_alert(message.payload)
        if alert.state == "open" and alert.shipment is not None:
            self._on_alert(alert.shipment, round(alert.opened_at.timestamp() * 1000))
