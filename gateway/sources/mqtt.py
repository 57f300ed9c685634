"""Any MQTT 5 broker as a source: the broker's session keeps what we haven't acknowledged.

A worker reads under a leased client id with a persistent session and a shared subscription, so workers share
the load. PUBACK goes out only after the commit; ``receive_max`` bounds what the broker may send ahead. Which
client ids, and what becomes of those whose worker is gone: ``mqtt_sessions``.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from gateway.pipeline.batch import Advance, Message
from gateway.problem import Problem
from gateway.sources.leases import RENEW_S, SessionLeases
from gateway.sources.mqtt_link import Link
from gateway.sources.mqtt_sessions import HeldSessions
from gateway.sources.mqtt_terms import Address, LinkLost, Session, Unwelcome
from tracking.domain.errors import Retryable

NAME: Final = "mqtt"

_MUTE_S: Final = 1.0


class Waiting(Struct, frozen=True):
    """A message that came, by which link and under which number."""

    link: Link
    packet_id: int
    message: Message


class MqttBatch:
    """Messages in the order in which they came, and how to acknowledge them."""

    source: str = NAME
    advances: Sequence[Advance] = ()

    def __init__(
        self, waiting: Sequence[Waiting], worker: str, through_us: int, done: Callable[[MqttBatch], None]
    ) -> None:
        self.waiting = waiting
        self.messages: Sequence[Message] = [one.message for one in waiting]
        self.epoch_owner = worker
        self.epochs: dict[int, int] = {}
        self.through_us = through_us
        self._done = done

    async def acknowledge(self) -> None:
        """PUBACK each message over the link by which it came; a link that is gone is passed over."""
        self._done(self)
        by_link: dict[int, tuple[Link, list[int]]] = {}
        for one in self.waiting:
            by_link.setdefault(id(one.link), (one.link, []))[1].append(one.packet_id)
        for link, numbers in by_link.values():
            link.acknowledge(numbers)


class MqttSource:
    """See the module. Make it with :meth:`open`."""

    def __init__(
        self,
        address: Address,
        leases: SessionLeases,
        *,
        receive_max: int,
        max_batch: int,
        max_bytes: int,
        patience_s: float,
    ) -> None:
        self._address = address
        self._worker = leases.worker
        self._max_batch = max_batch
        self._max_bytes = max_bytes
        self._patience_s = patience_s
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self._paused = False
        self._arrived = asyncio.Event()
        self._out: list[MqttBatch] = []
        self._speaker: Link | None = None
        self._speaking = asyncio.Lock()
        self._mute_until_s = 0.0
        self._sessions = HeldSessions(
            address,
            leases,
            receive_max,
            deliver=self._take,
            forget=self._forget,
            oldest_us=self._oldest_us,
        )

    @classmethod
    async def open(
        cls,
        address: Address,
        leases: SessionLeases,
        *,
        receive_max: int = 2000,
        max_batch: int = 2000,
        max_bytes: int = 32 << 20,
        patience_s: float = 10.0,
    ) -> MqttSource:
        """Lease a client id and begin to connect.

        Args:
            address: the broker, and who we are to it.
            leases: this worker's client ids.
            receive_max: messages that the broker may send ahead on each link (at most 65535).
            max_batch: messages in a batch at most.
            max_bytes: payload bytes that wait here at most; then the links wait in the kernel.
            patience_s: how long no link may be open before :meth:`receive` says so.
        """
        source = cls(
            address,
            leases,
            receive_max=receive_max,
            max_batch=max_batch,
            max_bytes=max_bytes,
            patience_s=patience_s,
        )
        await source._sessions.start()
        return source

    @property
    def client_ids(self) -> Sequence[str]:
        """The client ids under which a link is open and subscribed, or being drained."""
        return self._sessions.ready

    async def receive(self) -> MqttBatch:
        """The next batch, when something has come.

        Raises:
            Retryable: no link could be kept open for longer than our patience.
            Problem: the broker won't have us; no waiting cures that.
        """
        while not self._waiting:
            held = self._sessions
            held.check()
            if held.unwelcome is not None:
                raise Problem(str(held.unwelcome), "docs/brokers.md says what a broker must allow")
            if time.monotonic() - held.reachable_s > self._patience_s:
                held.reachable_s = time.monotonic()
                raise Retryable(f"the broker can't be reached: {held.trouble}")
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), RENEW_S)
        taken: list[Waiting] = []
        while self._waiting and len(taken) < self._max_batch:
            taken.append(self._waiting.popleft())
            self._bytes -= len(taken[-1].message.payload)
        batch = MqttBatch(taken, self._worker, self._sessions.through_us, self._settle)
        self._out.append(batch)
        self._pause_or_go_on()
        return batch

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send at QoS 0, over a connection of its own.

        Raises:
            Retryable: there is no such connection, and for a second none is tried again.
        """
        if time.monotonic() < self._mute_until_s:
            raise Retryable("no connection to publish on")
        try:
            async with self._speaking:
                if self._speaker is None or not self._speaker.is_open:
                    session = Session(f"bondwatch-receipts-{self._worker}", expiry_s=0, receive_max=1)
                    self._speaker = await Link.open(self._address, session, _ignore)
            self._speaker.publish(topic, payload)
        except (LinkLost, Unwelcome) as error:
            self._mute_until_s = time.monotonic() + _MUTE_S
            raise Retryable(f"can't publish to {topic}: {error}") from error

    async def rewind(self) -> None:
        """Put back what is out. The broker needn't know: to it, it never was acknowledged."""
        back = [one for batch in self._out for one in batch.waiting if one.link.is_open]
        self._out.clear()
        self._waiting.extendleft(reversed(back))
        self._bytes += sum(len(one.message.payload) for one in back)
        self._arrived.set()

    async def close(self) -> None:
        """Disconnect; what wasn't acknowledged stays with the broker."""
        await self._sessions.close()
        if self._speaker is not None:
            await self._speaker.disconnect()

    def _take(self, link: Link, packet_id: int, message: Message) -> None:
        self._waiting.append(Waiting(link, packet_id, message))
        self._bytes += len(message.payload)
        self._arrived.set()
        if self._bytes > self._max_bytes:
            self._pause_or_go_on()

    def _settle(self, batch: MqttBatch) -> None:
        if batch in self._out:
            self._out.remove(batch)

    def _oldest_us(self) -> int | None:
        for one in (*(batch.waiting for batch in self._out), self._waiting):
            if one:
                return one[0].message.received_us
        return None

    def _pause_or_go_on(self) -> None:
        paused = self._bytes > (self._max_bytes // 2 if self._paused else self._max_bytes)
        if paused != self._paused:
            self._paused = paused
            self._sessions.pause(paused=paused)

    def _forget(self, link: Link) -> None:
        """What came by a link that is gone and isn't out yet: the broker will send it again."""
        self._waiting = deque(one for one in self._waiting if one.link is not link)
        self._bytes = sum(len(one.message.payload) for one in self._waiting)
        self._pause_or_go_on()


def _ignore(_link: Link, _packet_id: int, _message: Message) -> None:
    """The connection for receipts subscribes to nothing."""
