"""One MQTT 5 connection: the sans-IO codec ``mqtt5`` on asyncio. Knows packets, nothing of batches or leases.

A link is made once, lives until it's closed, and never comes back: a reconnect is a new link. So the link
itself is the generation of what came over it, and acknowledging through one that is closed does nothing.

Source: MQTT Version 5.0, OASIS Standard; section 4.9 for flow control, 4.4 for what is sent again after a
reconnect.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import mqtt5

from gateway.pipeline.batch import Message
from gateway.sources.mqtt_terms import FINAL, Address, LinkLost, Session, Unwelcome, words

__all__ = ["Address", "Link", "LinkLost", "Session", "Unwelcome"]

KEEP_ALIVE_S: Final = 20
HANDSHAKE_S: Final = 5.0

_TICK_S: Final = KEEP_ALIVE_S / 4


class Link(asyncio.Protocol):
    """See the module. Make it with :meth:`open`.

    Attributes:
        resumed: the broker still had our session.
        unacknowledged: messages at QoS 1 that came and are not acknowledged yet.
        last_message: when the newest message came, on the monotonic clock; at first when the link was made.
        closed_because: why it is closed; empty while it is open.
    """

    def __init__(self, deliver: Callable[[Link, int, Message], None]) -> None:
        self._deliver = deliver
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._answers: dict[int, asyncio.Future[mqtt5.Packet]] = {}
        self._connected: asyncio.Future[mqtt5.ConnAckPacket] = asyncio.get_running_loop().create_future()
        self._closed = asyncio.Event()
        self._heard = self._said = time.monotonic()
        self._next_id = 0
        self._pinger: asyncio.Task[None] | None = None
        self._most_unacknowledged = 0
        self.resumed = False
        self.unacknowledged = 0
        self.last_message = self._heard
        self.closed_because = ""

    @classmethod
    async def open(
        cls, address: Address, session: Session, deliver: Callable[[Link, int, Message], None]
    ) -> Link:
        """Connect and shake hands.

        Args:
            deliver: called for each message: link, packet id (0 at QoS 0), message. Must not block.

        Raises:
            LinkLost: try again.
            Unwelcome: don't.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                _, link = await loop.create_connection(
                    lambda: cls(deliver), address.host, address.port, ssl=address.tls
                )
                await link._shake_hands(address, session)
        except ssl.SSLCertVerificationError as error:
            raise Unwelcome(f"the broker's certificate: {error.verify_message}") from error
        except (OSError, TimeoutError) as error:
            raise LinkLost(f"{address.host}:{address.port}: {error or 'no answer'}") from error
        return link

    async def _shake_hands(self, address: Address, session: Session) -> None:
        hello = mqtt5.ConnectPacket(
            session.client_id,
            username=address.user,
            password=None if address.password is None else address.password.encode(),
            clean_start=not session.expiry_s,
            session_expiry_interval=session.expiry_s,
            keep_alive=KEEP_ALIVE_S,
            receive_max=session.receive_max,
        )
        try:
            self._send(hello.write())
            answer = await self._connected
        except BaseException:
            self.abort("no handshake")
            raise
        if answer.reason_code != mqtt5.ConnAckReasonCode.SUCCESS:
            self.abort("refused")
            kind = Unwelcome if answer.reason_code in FINAL else LinkLost
            raise kind(f"the broker refuses {session.client_id}: {words(answer.reason_code)}")
        if session.expiry_s and not answer.shared_subscription_available:
            self.abort("no shared subscriptions")
            raise Unwelcome("the broker has no shared subscriptions")
        self.resumed = answer.session_present
        self._pinger = asyncio.create_task(self._ping(answer.server_keep_alive or KEEP_ALIVE_S))

    @property
    def is_open(self) -> bool:
        """Whether something can still be said through it."""
        return not self.closed_because

    async def wait_closed(self) -> None:
        """Wait until it's gone."""
        await self._closed.wait()

    async def subscribe(self, pattern: str) -> None:
        """Subscribe at QoS 1.

        Raises:
            Unwelcome: the broker doesn't grant it.
            LinkLost: it went away meanwhile.
        """
        topic = mqtt5.TopicFilter(pattern, max_qos=mqtt5.QoS.AT_LEAST_ONCE)
        number = self._number()
        answer = await self._ask(number, mqtt5.SubscribePacket(number, [topic]).write())
        assert isinstance(answer, mqtt5.SubAckPacket)
        granted = answer.reason_codes[0]
        if granted != mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE:
            raise Unwelcome(f"the broker doesn't grant {pattern} at QoS 1: {words(granted)}")

    async def unsubscribe(self, pattern: str) -> None:
        """Take a subscription back; what waits in the session still comes.

        Raises:
            LinkLost: it went away meanwhile.
        """
        number = self._number()
        await self._ask(number, mqtt5.UnsubscribePacket(number, [pattern]).write())

    def publish(self, topic: str, payload: bytes) -> None:
        """Send at QoS 0."""
        self._send(mqtt5.PublishPacket(topic, payload).write())

    def acknowledge(self, packet_ids: Iterable[int]) -> None:
        """PUBACK, in the given order. Nothing happens when the link is closed: the broker will send again."""
        if self.is_open:
            packets = [mqtt5.PubAckPacket(number).write() for number in packet_ids if number]
            self.unacknowledged -= len(packets)
            self._send(b"".join(packets))

    def take_peak(self) -> int:
        """The most messages that were unacknowledged at once since this was last asked."""
        peak, self._most_unacknowledged = self._most_unacknowledged, self.unacknowledged
        return peak

    def pause(self, *, paused: bool) -> None:
        """Let what the broker sends wait in the kernel, or go on."""
        if self._transport is not None and self.is_open:
            (self._transport.pause_reading if paused else self._transport.resume_reading)()

    async def disconnect(self, *, forget_session: bool = False) -> None:
        """Say goodbye. The broker keeps the session, unless it is told to forget it."""
        if self.is_open:
            goodbye = mqtt5.DisconnectPacket(session_expiry_interval=0 if forget_session else None)
            self._send(goodbye.write())
            assert self._transport is not None
            self._transport.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), HANDSHAKE_S)
        self.abort("disconnected")

    def abort(self, reason: str) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()
        self._close(reason)

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Bytes came: take the whole packets out of them."""
        if not self.is_open:
            return
        self._heard = time.monotonic()
        received_us = time.time_ns() // 1000
        data = self._rest + data if self._rest else data
        view, offset, end = memoryview(data), 0, len(data)
        read, publish = mqtt5.read, mqtt5.PublishPacket
        while offset < end and self.is_open:
            try:
                packet, size = read(view[offset:])
            except IndexError:  # the rest of this packet is still under way
                break
            except ValueError as error:
                self.abort(f"not MQTT 5: {error}")
                return
            offset += size
            if type(packet) is publish:
                properties = dict(packet.user_properties) if packet.user_properties else {}
                message = Message(packet.topic, packet.payload, received_us, properties)
                number = packet.packet_id or 0
                self.unacknowledged += number > 0
                self._deliver(self, number, message)
                self.last_message = self._heard
            else:
                self._handle(packet)
        self._rest = data[offset:]
        self._most_unacknowledged = max(self._most_unacknowledged, self.unacknowledged)

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is gone."""
        self._close(str(error) if error else "closed by the broker")

    # -- inside

    def _handle(self, packet: mqtt5.Packet) -> None:
        if isinstance(packet, mqtt5.ConnAckPacket):
            if not self._connected.done():
                self._connected.set_result(packet)
        elif isinstance(packet, mqtt5.SubAckPacket | mqtt5.UnsubAckPacket):
            answer = self._answers.pop(packet.packet_id, None)
            if answer is not None and not answer.done():
                answer.set_result(packet)
        elif isinstance(packet, mqtt5.DisconnectPacket):
            self.abort(words(packet.reason_code))

    async def _ask(self, number: int, data: bytes) -> mqtt5.Packet:
        answer: asyncio.Future[mqtt5.Packet] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._send(data)
        try:
            return await asyncio.wait_for(answer, HANDSHAKE_S)
        except TimeoutError as error:
            self.abort("no answer")
            raise LinkLost("the broker doesn't answer") from error

    async def _ping(self, keep_alive_s: int) -> None:
        while self.is_open:
            await asyncio.sleep(min(_TICK_S, keep_alive_s / 4))
            now = time.monotonic()
            if now - self._heard > keep_alive_s:
                self.abort("the broker is silent")
            elif now - min(self._said, self._heard) > keep_alive_s / 2:
                self._send(mqtt5.PingReqPacket().write())

    def _send(self, data: bytes) -> None:
        if not self.is_open or self._transport is None:
            raise LinkLost(self.closed_because or "not connected")
        self._said = time.monotonic()
        self._transport.write(data)

    def _number(self) -> int:
        self._next_id = self._next_id % 65535 + 1
        return self._next_id

    def _close(self, reason: str) -> None:
        if self.closed_because:
            return
        self.closed_because = reason or "closed"
        if self._pinger is not None:
            self._pinger.cancel()
        unanswered: list[asyncio.Future[Any]] = [self._connected, *self._answers.values()]
        for waiting in unanswered:
            if not waiting.done():
                waiting.set_exception(LinkLost(self.closed_because))
                waiting.exception()  # seen, whether or not somebody still waits
        self._closed.set()
