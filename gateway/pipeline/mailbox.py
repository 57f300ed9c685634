"""Receipts between the commit and their sending: kept in memory, at most one a device every half second.

What waits here is lost with the process, and that is fine: the device sends again and is recognised.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final

from msgspec import Struct

from devices.messages import Receipt, Refusal, encode
from devices.observation import ID_RUN
from devices.topics import receipts_topic
from tracking.domain.tracks.ranges import Ranges, add

EVERY_S: Final = 0.5

MOST_ENTRIES: Final = 1_000
"""Of each kind in one receipt: however much a device is told, a broker takes the message (under 1 MiB)."""

_MOST_REMEMBERED: Final = 200_000


class _Answer(Struct):
    """What one run of a device is to be told."""

    committed: Ranges
    ids: list[str]
    rejected: list[Refusal]


class Mailbox:
    """Answers by device, due when the device was last written to half a second ago.

    Moments are seconds of a clock that only runs forward.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, dict[int, _Answer]] = {}
        self._due: list[tuple[float, str]] = []
        self._sent: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def next_due(self) -> float | None:
        """When the next receipt may go; None when none waits."""
        return self._due[0][0] if self._due else None

    def commit(self, device: str, run: int, first: int, last: int, now: float) -> None:
        """These numbers are recorded (or were, when the device sends again)."""
        answer = self._answer(device, run, now)
        answer.committed = add(answer.committed, first, last)

    def commit_id(self, device: str, event_id: str, now: float) -> None:
        """The event of this id is recorded."""
        self._answer(device, ID_RUN, now).ids.append(event_id)

    def refuse(self, device: str, run: int, refusal: Refusal, now: float) -> None:
        """This event is not taken, and never will be as it is."""
        self._answer(device, run, now).rejected.append(refusal)

    def take(self, now: float) -> list[tuple[str, bytes]]:
        """Topic and payload of every receipt that is due; they leave the mailbox."""
        due = []
        while self._due and self._due[0][0] <= now:
            _, device = heappop(self._due)
            self._sent[device] = now
            topic = receipts_topic(device)
            for run, answer in self._waiting.pop(device).items():
                due += [(topic, encode(receipt)) for receipt in _receipts(run, answer)]
        if len(self._sent) > _MOST_REMEMBERED:
            self._sent = {device: at for device, at in self._sent.items() if at > now - EVERY_S}
        return due

    def _answer(self, device: str, run: int, now: float) -> _Answer:
        runs = self._waiting.get(device)
        if runs is None:
            runs = self._waiting[device] = {}
            heappush(self._due, (max(now, self._sent.get(device, -EVERY_S) + EVERY_S), device))
        answer = runs.get(run)
        if answer is None:
            answer = runs[run] = _Answer([], [], [])
        return answer


def _receipts(run: int, answer: _Answer) -> Iterator[Receipt]:
    """An answer as one receipt; as several, where it is very long."""
    committed, rejected, ids = answer.committed, answer.rejected, answer.ids
    for first in range(0, max(len(committed), len(rejected), len(ids)), MOST_ENTRIES):
        part = slice(first, first + MOST_ENTRIES)
        yield Receipt(run, committed[part], rejected[part], ids[part])
