"""A device: reports into its outbox, sends until the receipt, hears commands. Start here.

The road of an event:

1. `report` checks it, gives it its number and commits it to the outbox          caller's thread
2. the link publishes it, with its neighbours, in an array at QoS 1              loop's thread
3. a receipt settles it: confirmed, or moved to the rejected with its reason     loop's thread

Dying before 1 has ended: the caller never had a number. Dying after: the event goes out when the outbox is
opened again, with the same number and the same bytes.

When the outbox is full (``capacity`` events wait for their receipt), `report` waits up to ``wait_s`` seconds
for room and then raises `OutboxFull`: the newest event is refused to the caller, and nothing that was
accepted is ever dropped.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import msgspec

from devices.client.commands import CommandHandler, Commands
from devices.client.facts import Tail, milliseconds, signed_tail, tail
from devices.client.link import Broker, Link, Will
from devices.client.loop import Loop
from devices.client.outbox import Outbox, Refused
from devices.client.sending import Counts, Sending
from devices.messages import Presence, decode_receipt, encode
from devices.observation import Fact, Handover
from devices.signing import Sign
from devices.topics import commands_topic, events_topic, presence_topic, receipts_topic

MAX_EVENT_BYTES: Final = 256 * 1024
_GOODBYE_S: Final = 2.0


class DeviceBroken(Exception):
    """The device stopped for a reason that it can't heal (its disk failed, say); the cause says which."""


class Device:
    """One device, connected as itself. Any number of threads may report.

    Args:
        host: of the broker.
        port: of the broker's MQTT listener.
        name: the device's natural name, ``SIP/TRK-001``; also its user name and client id.
        password: its secret.
        outbox: path of its outbox file (see `devices.client.outbox`).
        protocol: MQTT ``3.1.1`` (NATS speaks no other) or ``5``.
        tls: a context for TLS, or None.
        capacity: how many events may wait for their receipt.
        keep: how many numbers back a confirmed event can be sent again when the gateway asks.
        synchronous: the outbox's durability, ``FULL`` unless power can't fail without the device.
        clock: the device's own clock, seconds since the epoch; used when `report` is given no time.
        on_command: called with each command but ``resend``, in a thread of its own; what it returns is the
            result's detail, what it raises makes the result ``ok: false``. A command whose answer was not
            stored yet is handed out again after a crash.
        firmware: told with the presence.
        sign: signs a text with the device's registered key (Ed25519); handovers that carry no signature are
            signed with it.
        loop: a network thread to share with other devices; None: one of its own.
        connect: False: stay offline until `connect`.

    Raises:
        OutboxError: the outbox can't be opened.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        name: str,
        password: str,
        outbox: Path | str,
        protocol: Literal["3.1.1", "5"] = "3.1.1",
        tls: ssl.SSLContext | None = None,
        capacity: int = 100_000,
        keep: int = 10_000,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        clock: Callable[[], float] = time.time,
        on_command: CommandHandler | None = None,
        firmware: str | None = None,
        sign: Sign | None = None,
        loop: Loop | None = None,
        connect: bool = True,
    ) -> None:
        self.name = name
        self.counts = Counts()
        self._outbox = Outbox(outbox, name, capacity=capacity, keep=keep, synchronous=synchronous)
        self._clock, self._firmware, self._sign = clock, firmware, sign
        self._presence = presence_topic(name)
        self._receipts, self._commands_topic = receipts_topic(name), commands_topic(name)
        self._loop, self._owns_loop = (Loop(), True) if loop is None else (loop, False)
        self._closing = False
        self._error: Exception | None = None
        self._state = "offline"
        self._online = threading.Event()
        will = Will(self._presence, encode(Presence("offline")))
        subscriptions = {self._receipts: 1, self._commands_topic: 1}
        self._link = Link(
            self,
            self._loop,
            Broker(host, port, protocol, tls),
            name=name,
            password=password,
            will=will,
            subscriptions=subscriptions,
        )
        self._commands = Commands(self._outbox, on_command, self._now_ms, self._link.wake)
        self._sending = Sending(
            events_topic(name), self._outbox, self._commands, self._link.publish, self.counts
        )
        if connect:
            self.connect()

    @property
    def run(self) -> int:
        """The run that this outbox drew when it was made."""
        return self._outbox.run

    @property
    def state(self) -> str:
        """``online``, or why it is not: ``offline``, the network's error, the broker's refusal."""
        return self._state

    @property
    def waiting(self) -> int:
        """How many events wait for their receipt."""
        return self._outbox.waiting

    def report(self, fact: Fact, *, time: datetime | int | None = None, wait_s: float = 0.0) -> int:
        """Record one fact; when this returns, it is on disk and will be delivered.

        Args:
            fact: a `Position`, `Scan`, `Reading`, `Seal`, `Gate`, `Handover` or `Status`.
            time: when it happened, aware datetime or milliseconds since the epoch; None: now, by the clock.
            wait_s: how long to wait for room when the outbox is full.

        Returns:
            The event's number within the run.

        Raises:
            Invalid: the fact can't be true (a latitude of 91).
            OutboxFull: no room; nothing was stored.
            DeviceBroken: the device has stopped.
        """
        return self.report_all([(self._now_ms() if time is None else time, fact)], wait_s=wait_s)[0]

    def report_all(self, facts: Iterable[tuple[datetime | int, Fact]], *, wait_s: float = 0.0) -> range:
        """Record several facts with their times, all or none, with one write to the disk. See `report`."""
        if self._error is not None:
            raise DeviceBroken(f"{self.name}: {self._error}") from self._error
        tails = [
            (time_ms, self._tail(fact, time_ms)) for when, fact in facts for time_ms in [milliseconds(when)]
        ]
        longest = max((len(text) for _, text in tails if isinstance(text, bytes)), default=0)
        if longest > MAX_EVENT_BYTES:
            raise ValueError(f"an event of {longest} bytes; at most {MAX_EVENT_BYTES}")
        numbers = self._outbox.append(tails, wait_s=wait_s)
        self.counts.reported += len(numbers)
        self._link.wake()
        return numbers

    def _tail(self, fact: Fact, time_ms: int) -> Tail:
        if self._sign is not None and isinstance(fact, Handover) and fact.signature is None:
            return signed_tail(fact, self._sign, self.name, time_ms)
        return tail(fact)

    def connect(self) -> None:
        """Go online, and stay so until `disconnect`."""
        self._loop.call(self._link.up)

    def disconnect(self) -> None:
        """Go offline. `report` goes on into the outbox."""
        self._say_goodbye()

    def wait_online(self, timeout_s: float) -> bool:
        """Wait until connected and subscribed."""
        return self._online.wait(timeout_s)

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until every event has its receipt; False when the time is over first (None: wait for ever)."""
        return self._outbox.wait_until_settled(timeout_s)

    def rejected(self) -> list[Refused]:
        """What the gateway refused for good, with its reasons."""
        return self._outbox.rejected()

    def close(self) -> None:
        """Disconnect and let the outbox go. What has no receipt yet is sent by whoever opens it next."""
        if self._closing:
            return
        self._closing = True
        self._say_goodbye()
        self._commands.close()
        if self._owns_loop:
            self._loop.close()
        self._outbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What the link calls, in the loop's thread.

    def online(self, now: float) -> None:
        """Connected and subscribed: say so, begin again at the oldest event."""
        self.counts.connections += 1
        self._sending.connected(now)
        self._announce("online", now)
        self._commands.resume()
        self._state = "online"
        self._online.set()

    def offline(self, reason: str) -> None:
        """Not connected: the link tries again by itself."""
        self._state = reason
        self._online.clear()
        self._sending.quiet.set()

    def broken(self, error: Exception) -> None:
        """Stopped for good; the next `report` raises it."""
        self._error = error
        self._outbox.give_up()

    def message(self, topic: str, payload: bytes) -> None:
        """A receipt or a command."""
        try:
            if topic == self._receipts:
                self._receipt(payload)
            elif topic == self._commands_topic:
                self.counts.commands += self._commands.take(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.counts.unreadable += 1  # nothing in it that could be answered

    def acknowledged(self) -> None:
        """The broker has one more publish."""
        self._sending.acknowledged(time.monotonic())

    def pump(self, now: float) -> float:
        """Send what is due."""
        due = self._sending.pump(now)
        if due is None:
            self._link.restart("the broker acknowledges nothing")
            return now
        return due

    def _receipt(self, payload: bytes) -> None:
        receipt = decode_receipt(payload)
        if receipt.run != self._outbox.run:
            return  # of an outbox that this device had before
        refused = [refusal for refusal in receipt.rejected if refusal.seq is not None]
        settled = self._outbox.settle(receipt.committed, refused, self._now_ms())
        self.counts.confirmed += settled.confirmed
        self.counts.rejected += settled.rejected
        numbers = [(refusal.seq, refusal.seq) for refusal in refused if refusal.seq is not None]
        self._sending.settled([*receipt.committed, *numbers], time.monotonic())

    def _announce(self, state: Literal["online", "offline"], now: float) -> None:
        self._sending.publish(
            self._presence, encode(Presence(state, firmware=self._firmware)), now, retain=True
        )

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _say_goodbye(self) -> None:
        """Presence ``offline``, the last acknowledgements, DISCONNECT."""
        said, gone = threading.Event(), threading.Event()

        def speak() -> None:
            self._announce("offline", time.monotonic())
            said.set()

        def leave() -> None:
            self._link.down()
            gone.set()

        self._loop.call(speak)
        said.wait(_GOODBYE_S)
        if self._online.is_set():
            self._sending.quiet.wait(_GOODBYE_S)
        self._loop.call(leave)
        gone.wait(_GOODBYE_S)
