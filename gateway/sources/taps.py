"""Where a recorder hears what a broker delivers, beside the workers and without taking anything from them.

With JetStream a consumer of its own reads the stream in order; with another broker an own session subscribes
to the same topics. Either way nothing is lost by a lost link: the stream, or the session, still has it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import structlog
from natsrpy import Nats
from natsrpy.exceptions import NatsrpyBaseError

from devices.observation import micros
from gateway.pipeline.batch import Message
from gateway.problem import Problem
from gateway.sources import stream
from gateway.sources.jetstream_batch import leaf_of, properties_of
from gateway.sources.mqtt_link import Link
from gateway.sources.mqtt_terms import Address, LinkLost, Session, Unwelcome
from gateway.subjects import STREAM, parse_subject
from tracking.store.positions import Held

WAIT_S: Final = 0.25
PATIENCE_S: Final = 30.0
AGAIN_S: Final = 0.5
MOST: Final = 1000
MOST_BYTES: Final = 8 << 20

EVENTS: Final = "bw/v1/+/+/events"
SESSION_S: Final = 3600
"""How long the broker keeps messages for a recorder that was killed."""

_LET_GO_S: Final = 0.05  # as in JetStreamSource

log = structlog.get_logger()


class Tap(Protocol):
    """A place where messages are heard.

    Attributes:
        missed: messages that the broker dropped before they were heard.
    """

    missed: int

    async def receive(self) -> Sequence[Message]:
        """What has come; nothing after a quarter of a second without any.

        Raises:
            Problem: the broker can't be reached for longer than our patience, or won't have us.
        """
        ...

    async def kept(self) -> None:
        """Everything received is in the file: the broker may forget it."""
        ...

    async def ended_us(self) -> int:
        """The broker time up to which everything was received; 0 when only the messages tell."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class JetStreamTap:
    """A consumer of the stream. Make it with :meth:`open`."""

    def __init__(self, client: Nats) -> None:
        self._client = client
        self._streams: Any = None
        self._consumer: Any = None
        self._delivered = 0
        self._sequence = 0
        self._last_us = 0
        self.missed = 0

    @classmethod
    async def open(
        cls,
        servers: Sequence[str],
        *,
        user: str | None = None,
        password: str | None = None,
        since: datetime | None = None,
    ) -> JetStreamTap:
        """Connect, and find where to begin.

        Args:
            since: messages that were stored at this moment or later; None: from now on.

        Raises:
            Problem: there is no stream yet, or no server.
        """
        credentials = (user, password) if user is not None and password is not None else None
        client = Nats(
            addrs=list(servers), user_and_pass=credentials, connection_timeout=5.0, request_timeout=5.0
        )
        tap = cls(client)
        try:
            await client.startup()
            state = await stream.stream_state(tap._request)
            tap._sequence = state.last
            if since is not None:
                before = await stream.last_before(tap._request, micros(since) - 1)
                tap._sequence = max(before, state.first - 1)
            tap._streams = (await client.jetstream()).streams
        except (NatsrpyBaseError, TimeoutError) as error:
            raise Problem(
                f"{servers[0]} can't be read: {error}", "is it running?  bondwatch doctor"
            ) from error
        except stream.Refused as error:
            raise Problem(
                "the broker has no stream of events", "a gateway makes it when it starts"
            ) from error
        return tap

    async def receive(self) -> Sequence[Message]:
        """See :class:`Tap`."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                if self._consumer is None:
                    await self._begin()
                return self._taken(await self._fetch())
            except (NatsrpyBaseError, stream.Refused, TimeoutError) as error:
                self._consumer = None
                if time.monotonic() > deadline:
                    raise Problem(
                        f"the broker can't be read: {error}", "what came until then is kept"
                    ) from error
                await asyncio.sleep(AGAIN_S)

    async def kept(self) -> None:
        """The stream keeps by its own limits."""

    async def ended_us(self) -> int:
        """See :class:`Tap`."""
        if self._consumer is None:
            return 0
        drained = await stream.drained_through(self._request, self._consumer.name, self._delivered)
        return drained or 0

    async def close(self) -> None:
        """See :class:`Tap`."""
        self._consumer = self._streams = None
        await self._client.shutdown()
        await asyncio.sleep(_LET_GO_S)

    async def _begin(self) -> None:
        """A consumer behind what was heard, also when the broker has lost its newest messages."""
        resume = (
            await stream.resume(self._request, {0: Held(0, self._sequence, self._last_us)})
            if self._last_us
            else stream.Resume({0: self._sequence}, 0)
        )
        self.missed += resume.overran
        self._sequence = resume.floors[0]
        consumers = (await self._streams.get(STREAM)).consumers
        self._consumer = await consumers.create(stream.reader(self._sequence + 1))
        self._delivered = 0

    async def _fetch(self) -> Sequence[Any]:
        pull = self._consumer.fetch(max_messages=MOST, max_bytes=MOST_BYTES, expires=WAIT_S)
        return list(await asyncio.wait_for(pull, WAIT_S + 2.0))

    def _taken(self, pulled: Sequence[Any]) -> Sequence[Message]:
        messages = []
        for one in pulled:
            if one.consumer_sequence != self._delivered + 1:
                self._consumer = None  # something was lost on the way: read it again from here
                break
            self._delivered, self._sequence = one.consumer_sequence, one.stream_sequence
            self._last_us = micros(one.published)
            _, topic = parse_subject(one.subject)
            properties, leaf = properties_of(one.headers), leaf_of(one.headers)
            messages.append(Message(topic, one.payload, self._last_us, properties, leaf))
        return messages

    async def _request(self, subject: str, payload: bytes) -> bytes:
        return bytes((await asyncio.wait_for(self._client.request(subject, payload), 5.0)).payload)


class MqttTap:
    """A session at any MQTT 5 broker. Make it with :meth:`open`."""

    def __init__(self, address: Address, client_id: str) -> None:
        self._address = address
        self._session = Session(client_id, expiry_s=SESSION_S, receive_max=MOST * 4)
        self._link: Link | None = None
        self._came: list[Message] = []
        self._numbers: list[int] = []
        self._taken: list[int] = []
        self._arrived = asyncio.Event()
        self._subscribed = False
        self.missed = 0

    @classmethod
    async def open(cls, address: Address, client_id: str) -> MqttTap:
        """Connect and subscribe.

        Raises:
            Problem: the broker can't be reached, or won't have us.
        """
        tap = cls(address, client_id)
        try:
            await tap._connect()
        except LinkLost as error:
            raise Problem(
                f"the broker can't be reached: {error}", "is it running?  bondwatch doctor"
            ) from error
        return tap

    async def receive(self) -> Sequence[Message]:
        """See :class:`Tap`."""
        deadline = time.monotonic() + PATIENCE_S
        while self._link is None or not self._link.is_open:
            try:
                await self._connect()
            except LinkLost as error:
                if time.monotonic() > deadline:
                    raise Problem(
                        f"the broker can't be reached: {error}", "what came until then is kept"
                    ) from error
                await asyncio.sleep(AGAIN_S)
        if not self._came:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), WAIT_S)
            except TimeoutError:
                return ()
        came, self._came = self._came, []
        self._taken, self._numbers = self._taken + self._numbers, []
        return came

    async def kept(self) -> None:
        """PUBACK what is in the file. What the broker sends again after a lost link is in it twice, and
        recorded once.
        """
        numbers, self._taken = self._taken, []
        if self._link is not None:
            self._link.acknowledge(numbers)

    async def ended_us(self) -> int:
        """See :class:`Tap`."""
        return 0 if self._came else time.time_ns() // 1000

    async def close(self) -> None:
        """Let the broker forget the session."""
        if self._link is not None:
            await self._link.disconnect(forget_session=True)

    async def _connect(self) -> None:
        self._came, self._numbers, self._taken = [], [], []  # by a link that is gone: it comes again
        try:
            link = await Link.open(self._address, self._session, self._take)
            if self._subscribed and not link.resumed:
                log.error("session_lost", client_id=self._session.client_id)
                self.missed += 1
            await link.subscribe(EVENTS)
        except Unwelcome as error:
            raise Problem(str(error), "docs/brokers.md says what a broker must allow") from error
        self._link, self._subscribed = link, True

    def _take(self, _link: Link, packet_id: int, message: Message) -> None:
        self._came.append(message)
        self._numbers.append(packet_id)
        self._arrived.set()
