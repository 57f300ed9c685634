"""Any MQTT 5 broker as a source: the broker's session keeps what we haven't acknowledged.

A worker holds a client id by a lease and keeps a link open under it, with a persistent session and a shared
subscription, so workers share the load. PUBACK goes out only after the commit; ``receive_max`` bounds what
the broker may send ahead. When a worker is gone, its client id still gets its share of the messages: a
living worker adopts it, takes the subscription back, drains what waits there, and lets the broker forget the
session.

The watermark: a broker doesn't tell what it still holds for us. But it sends as long as the window
(``receive_max``) isn't full; a window that never filled up during a whole interval shows that nothing was
held back then. So everything that came before such an interval, once recorded, is everything that there was.
(This needs a broker that doesn't cap the window itself: ``docs/brokers.md``.)
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import psycopg
import structlog
from msgspec import Struct

from gateway.pipeline.batch import Advance, Message
from gateway.problem import Problem
from gateway.sources.leases import RENEW_S, SessionLeases
from gateway.sources.mqtt_link import Address, Link, LinkLost, Session, Unwelcome
from tracking.domain.errors import Retryable
from tracking.store import sessions

NAME: Final = "mqtt"
EVENTS: Final = "$share/bondwatch/bw/v1/+/+/events"
CLIENT_PREFIX: Final = "bondwatch-"

SESSION_EXPIRY_S: Final = 7 * 86400
"""How long the broker keeps messages for a client id while no worker runs at all."""

QUIET_S: Final = 1.5
"""An adopted session that brings nothing for so long, with nothing unacknowledged, is empty."""

MARGIN_US: Final = 1_000_000
_NEARLY_FULL: Final = 0.9
_BACKOFF_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)

log = structlog.get_logger()


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


class _Held:
    """A client id that this worker holds, and the task that keeps a link open under it."""

    def __init__(self, session: sessions.Session, *, draining: bool) -> None:
        self.session = session
        self.draining = draining
        self.link: Link | None = None
        self.ready_s: float | None = None  # since when the link is subscribed, on the monotonic clock
        self.task: asyncio.Task[None] | None = None


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
        self._leases = leases
        self._receive_max = receive_max
        self._max_batch = max_batch
        self._max_bytes = max_bytes
        self._patience_s = patience_s
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self._paused = False
        self._arrived = asyncio.Event()
        self._out: list[MqttBatch] = []
        self._held: dict[str, _Held] = {}
        self._through_us = 0
        self._reachable_s = time.monotonic()  # when a link was last open
        self._trouble = "no connection yet"
        self._fatal: Exception | None = None
        self._speaker: Link | None = None
        self._speaking = asyncio.Lock()
        self._mute_until_s = 0.0
        self._keeper: asyncio.Task[None] | None = None
        self.unsent = 0
        """Receipts that found no connection. Each costs its device one re-send."""

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
        source._hold(await leases.claim(), draining=False)
        source._keeper = asyncio.create_task(source._keep_leases(), name="mqtt-leases")
        return source

    @property
    def client_ids(self) -> Sequence[str]:
        """The client ids under which a link is open and subscribed, or being drained."""
        return sorted(name for name, held in self._held.items() if held.ready_s is not None)

    async def receive(self) -> MqttBatch:
        """The next batch, when something has come.

        Raises:
            Retryable: no link could be kept open for longer than our patience.
            Problem: the broker won't have us; no waiting cures that.
        """
        while not self._waiting:
            if self._fatal is not None:
                raise self._fatal
            if time.monotonic() - self._reachable_s > self._patience_s:
                self._reachable_s = time.monotonic()
                raise Retryable(f"the broker can't be reached: {self._trouble}")
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), RENEW_S)
        taken: list[Waiting] = []
        while self._waiting and len(taken) < self._max_batch:
            taken.append(self._waiting.popleft())
            self._bytes -= len(taken[-1].message.payload)
        batch = MqttBatch(taken, self._leases.worker, self._through_us, self._settle)
        self._out.append(batch)
        self._pause_or_go_on()
        return batch

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send at QoS 0, over a connection of its own; without one it is dropped and counted."""
        if time.monotonic() < self._mute_until_s:
            self.unsent += 1
            return
        try:
            async with self._speaking:
                if self._speaker is None or not self._speaker.is_open:
                    client_id = f"{CLIENT_PREFIX}receipts-{self._leases.worker}"
                    self._speaker = await Link.open(self._address, Session(client_id, 0, 1), _ignore)
            self._speaker.publish(topic, payload)
        except (LinkLost, Unwelcome) as error:
            self.unsent += 1
            self._mute_until_s = time.monotonic() + 1.0
            log.warning("receipts_unsent", reason=str(error))

    async def rewind(self) -> None:
        """Put back what is out. The broker needn't know: to it, it never was acknowledged."""
        back = [one for batch in self._out for one in batch.waiting if one.link.is_open]
        self._out.clear()
        self._waiting.extendleft(reversed(back))
        self._bytes += sum(len(one.message.payload) for one in back)
        self._arrived.set()

    async def close(self) -> None:
        """Disconnect; the sessions stay, and others may adopt them at once."""
        tasks = [held.task for held in self._held.values()] + [self._keeper]
        for task in filter(None, tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        links = [held.link for held in self._held.values()] + [self._speaker]
        for link in filter(None, links):
            await link.disconnect()
        with contextlib.suppress(psycopg.OperationalError):  # then the leases end by themselves
            await self._leases.release()

    # -- messages

    def _take(self, link: Link, packet_id: int, message: Message) -> None:
        self._waiting.append(Waiting(link, packet_id, message))
        self._bytes += len(message.payload)
        if not self._arrived.is_set():
            self._arrived.set()
        if self._bytes > self._max_bytes:
            self._pause_or_go_on()

    def _settle(self, batch: MqttBatch) -> None:
        if batch in self._out:
            self._out.remove(batch)

    def _pause_or_go_on(self) -> None:
        paused = self._bytes > (self._max_bytes // 2 if self._paused else self._max_bytes)
        if paused != self._paused:
            self._paused = paused
            for held in self._held.values():
                if held.link is not None:
                    held.link.pause(paused=paused)

    def _forget(self, link: Link) -> None:
        """What came by a link that is gone and isn't out yet: the broker will send it again."""
        self._waiting = deque(one for one in self._waiting if one.link is not link)
        self._bytes = sum(len(one.message.payload) for one in self._waiting)
        self._pause_or_go_on()

    # -- links

    def _hold(self, session: sessions.Session, *, draining: bool) -> None:
        held = self._held[session.client_id] = _Held(session, draining=draining)
        held.task = asyncio.create_task(self._keep_open(held), name=f"mqtt {session.client_id}")

    async def _keep_open(self, held: _Held) -> None:
        """Connect under this client id, again and again, until it is drained or lost."""
        failures = 0
        while True:
            try:
                await self._open_link(held)
                failures = 0
                assert held.link is not None
                if held.draining and await self._drain(held, held.link):
                    return
                await held.link.wait_closed()
                raise LinkLost(held.link.closed_because)
            except LinkLost as error:
                self._trouble = str(error)
                log.info("mqtt_link_lost", client_id=held.session.client_id, reason=self._trouble)
            except Unwelcome as error:
                self._fatal = Problem(str(error), "see docs/brokers.md for what a broker must allow")
                self._arrived.set()
                return
            finally:
                held.ready_s = None
                if held.link is not None and not held.link.is_open:
                    self._forget(held.link)
            pause = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads a crowd of workers
            failures += 1

    async def _open_link(self, held: _Held) -> None:
        session = Session(held.session.client_id, SESSION_EXPIRY_S, self._receive_max)
        held.link = link = await Link.open(self._address, session, self._take)
        link.pause(paused=self._paused)
        if held.draining:
            await link.unsubscribe(EVENTS)
        else:
            await link.subscribe(EVENTS)
        held.ready_s = time.monotonic()
        log.info("mqtt_link_open", client_id=held.session.client_id, resumed=link.resumed)

    async def _drain(self, held: _Held, link: Link) -> bool:
        """Wait until an adopted session is empty, then let the broker forget it. False: the link was lost."""
        while link.is_open:
            quiet_s = time.monotonic() - max(link.last_message, held.ready_s or 0.0)
            if not link.unacknowledged and quiet_s > QUIET_S:
                await link.disconnect(forget_session=True)
                with contextlib.suppress(psycopg.OperationalError):  # then somebody drains an empty session
                    await self._leases.drained(held.session)
                self._held.pop(held.session.client_id, None)
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(link.wait_closed(), max(QUIET_S - quiet_s, QUIET_S / 5))
        return False

    # -- leases and the watermark

    async def _keep_leases(self) -> None:
        window_us = time.time_ns() // 1000
        while True:
            await asyncio.sleep(RENEW_S)
            began_us, window_us = window_us, time.time_ns() // 1000
            if any(held.ready_s is not None for held in self._held.values()):
                self._reachable_s = time.monotonic()
            try:
                await self._settle_leases()
                await self._mark(began_us)
            except psycopg.OperationalError as error:
                log.warning("lease_not_renewed", error=str(error).strip())

    async def _settle_leases(self) -> None:
        """Drop what others have taken over, adopt what nobody holds, keep one client id of our own."""
        ours = {session.client_id: session for session in await self._leases.keep()}
        for name, held in list(self._held.items()):
            if ours.get(name) != held.session:
                del self._held[name]
                assert held.task is not None
                held.task.cancel()
                if held.link is not None:
                    held.link.abort("adopted by another worker")
                    self._forget(held.link)
        for session in ours.values():
            if session.client_id not in self._held:
                self._hold(session, draining=True)
        if all(held.draining for held in self._held.values()) and self._fatal is None:
            self._hold(await self._leases.claim(), draining=False)
        elif (orphan := await self._leases.adopt()) is not None:
            log.info("mqtt_session_adopted", client_id=orphan.client_id)
            self._hold(orphan, draining=True)

    async def _mark(self, began_us: int) -> None:
        """Say how far the sessions are recorded whose window never filled up since ``began_us``."""
        emptied = []
        began_s = time.monotonic() - (time.time_ns() // 1000 - began_us) / 1_000_000
        for held in self._held.values():
            if held.link is None or held.ready_s is None:
                continue
            peak = held.link.take_peak()
            if held.ready_s < began_s and not self._paused and peak < self._receive_max * _NEARLY_FULL:
                emptied.append(held.session)
        oldest = next((one for batch in self._out for one in batch.messages), None)
        if oldest is None and self._waiting:
            oldest = self._waiting[0].message
        through_us = began_us - MARGIN_US
        if oldest is not None:
            through_us = min(through_us, oldest.received_us - 1)
        if emptied and through_us > 0:
            self._through_us = through_us
            await self._leases.mark(emptied, through_us)


def _ignore(_link: Link, _packet_id: int, _message: Message) -> None:
    """The connection for receipts subscribes to nothing."""
