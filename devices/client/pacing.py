"""When to send what again: pure, no clock, no network. Times are seconds of any steady clock.

A broker's PUBACK says that the broker has the message; only a receipt says that the gateway recorded it, and
a receipt normally comes within a second. Three cases, and none of them floods a broker whose gateway is away:

- *sent, no receipt at all*: the gateway is away or slow. One chunk, the oldest, is sent again after 2 s, 4 s,
  8 s … 30 s. Its receipt proves that the road is open again; the rest need no second sending, because the
  broker kept it.
- *overtaken*: a receipt names a later number than one that was sent at least a second before. That one was
  lost on the way (a publish that the broker dropped): it goes again at once.
- *a new connection*: nothing is known of what was under way; sending starts again at the oldest event.

``window`` bounds what is sent and not receipted, so also what a new connection repeats.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

WINDOW: Final = 1_000
"""Events sent and not receipted, at most."""

CHUNK: Final = 100
"""Events in one publish, at most."""

FIRST_S: Final = 2.0
LONGEST_S: Final = 30.0
GRACE_S: Final = 1.0


class Pacing:
    """What is under way: number -> when it was last sent. Numbers are added in ascending order."""

    def __init__(self, window: int = WINDOW, chunk: int = CHUNK) -> None:
        self.window, self.chunk = window, chunk
        self.newest = 0
        self._sent: dict[int, float] = {}
        self._lost: list[int] = []
        self._interval = FIRST_S
        self._heard = 0.0

    @property
    def room(self) -> int:
        """How many events may be sent for the first time now."""
        return self.window - len(self._sent)

    def connected(self, now: float) -> None:
        """A new connection: forget what was under way, start at the oldest."""
        self._sent.clear()
        self._lost.clear()
        self.newest = 0
        self._interval, self._heard = FIRST_S, now

    def sent(self, numbers: Iterable[int], now: float) -> None:
        """These numbers went out, for the first time on this connection or again."""
        if not self._sent:
            self._heard = now
        for seq in numbers:
            self._sent[seq] = now
            self.newest = max(self.newest, seq)

    def settled(self, ranges: Iterable[tuple[int, int]], now: float) -> None:
        """A receipt settles these closed ranges of numbers."""
        progress = False
        overtaking = 0
        overtaking_sent = 0.0
        for first, last in ranges:
            done = range(first, last + 1)
            for seq in (
                [s for s in done if s in self._sent] if len(done) < len(self._sent) else self._within(done)
            ):
                sent_at = self._sent.pop(seq)
                progress = True
                if seq > overtaking:
                    overtaking, overtaking_sent = seq, sent_at
        if not progress:
            return
        self._interval, self._heard = FIRST_S, now
        self._lost = [
            seq
            for seq, sent_at in self._sent.items()
            if seq < overtaking and sent_at <= overtaking_sent and sent_at <= now - GRACE_S
        ]

    def again(self, now: float) -> list[int]:
        """The numbers to send again now, at most a chunk; empty when nothing is due."""
        if self._lost:
            due, self._lost = self._lost[: self.chunk], self._lost[self.chunk :]
            return due
        if not self._sent or now < self._heard + self._interval:
            return []
        self._heard, self._interval = now, min(self._interval * 2, LONGEST_S)
        return sorted(self._sent)[: self.chunk]

    def forget(self, numbers: Iterable[int]) -> None:
        """These are not waiting any more, however that came about."""
        for seq in numbers:
            self._sent.pop(seq, None)

    def due(self) -> float | None:
        """When `again` will have something; None while nothing is under way."""
        if self._lost:
            return self._heard
        return self._heard + self._interval if self._sent else None

    def _within(self, numbers: range) -> list[int]:
        return [seq for seq in self._sent if seq in numbers]
