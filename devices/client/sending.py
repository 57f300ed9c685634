"""What goes out next: what was asked for, what seems lost, what is new, in this order.

A few publishes at a time: the broker acknowledges, the next ones follow. All of it runs in the loop's
thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import msgspec

from devices.client.commands import Commands
from devices.client.outbox import Outbox, Stored
from devices.client.pacing import Pacing

MAX_PUBLISH_BYTES: Final = 512 * 1024
INFLIGHT: Final = 8
"""Publishes that the broker has not acknowledged yet, at most."""

ACKNOWLEDGE_WITHIN_S: Final = 30.0
"""A connection on which the broker acknowledges nothing for so long is given up."""


class Counts(msgspec.Struct):
    """What happened since this device object was made. ``sent_again`` counts events, not publishes."""

    reported: int = 0
    confirmed: int = 0
    rejected: int = 0
    sent_again: int = 0
    connections: int = 0
    commands: int = 0
    unreadable: int = 0


class Publish(Protocol):
    """Hands a message to the broker at QoS 1; False when there is no connection."""

    def __call__(self, topic: str, payload: bytes, *, retain: bool) -> bool: ...


class Sending:
    """From the outbox to the broker, at the pace of acknowledgements and receipts.

    Attributes:
        quiet: set while nothing waits for the broker's acknowledgement.
    """

    def __init__(
        self, topic: str, outbox: Outbox, commands: Commands, publish: Publish, counts: Counts
    ) -> None:
        self.topic, self._outbox, self._commands = topic, outbox, commands
        self._publish, self._counts = publish, counts
        self._pacing = Pacing()
        self._under_way = 0
        self._acknowledged_at = 0.0
        self._highest_sent = 0
        self.quiet = threading.Event()

    def connected(self, now: float) -> None:
        """A new connection: begin again at the oldest event."""
        self._under_way, self._acknowledged_at = 0, now
        self._pacing.connected(now)

    def acknowledged(self, now: float) -> None:
        """The broker has one more publish."""
        self._under_way -= 1
        self._acknowledged_at = now
        if self._under_way == 0:
            self.quiet.set()

    def settled(self, ranges: Iterable[tuple[int, int]], now: float) -> None:
        """A receipt settles these closed ranges of numbers."""
        self._pacing.settled(ranges, now)

    def pump(self, now: float) -> float | None:
        """Send what is due.

        Returns:
            When to be called again at the latest; None when the connection is dead, because the broker has
            acknowledged nothing for too long.
        """
        while self._under_way < INFLIGHT:
            events = self._next(now)
            if not events or not self._send(events, now):
                break
            self._counts.sent_again += sum(event.seq <= self._highest_sent for event in events)
            self._highest_sent = max(self._highest_sent, events[-1].seq)
        stuck_at = self._acknowledged_at + ACKNOWLEDGE_WITHIN_S if self._under_way else float("inf")
        if now >= stuck_at:
            return None
        due = self._pacing.due()
        return stuck_at if due is None or self._under_way >= INFLIGHT else min(stuck_at, due)

    def publish(self, topic: str, payload: bytes, now: float, *, retain: bool = False) -> bool:
        """Publish anything; counted until the broker has it."""
        if not self._publish(topic, payload, retain=retain):
            return False
        if self._under_way == 0:
            self._acknowledged_at = now
        self._under_way += 1
        self.quiet.clear()
        return True

    def _next(self, now: float) -> list[Stored]:
        asked = self._commands.next_asked(self._pacing.chunk)
        if asked:
            return asked
        lost = self._pacing.again(now)
        if lost:
            found = self._outbox.pick(lost)
            self._pacing.forget(set(lost).difference(event.seq for event in found))
            return found
        room = min(self._pacing.room, self._pacing.chunk)
        return self._outbox.after(self._pacing.newest, room) if room > 0 else []

    def _send(self, events: list[Stored], now: float) -> bool:
        for part in _parts(events):
            text = b",".join(event.body for event in part)
            if not self.publish(self.topic, text if len(part) == 1 else b"[" + text + b"]", now):
                return False
            self._pacing.sent((event.seq for event in part), now)
        return True


def _parts(events: list[Stored]) -> Iterator[list[Stored]]:
    """Cut where a publish would be too large; one part, nearly always."""
    start = size = 0
    for index, event in enumerate(events):
        size += len(event.body) + 1
        if size > MAX_PUBLISH_BYTES and index > start:
            yield events[start:index]
            start, size = index, len(event.body) + 1
    yield events[start:]
