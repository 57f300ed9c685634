"""What one consumer gave us, made into batches. No I/O: messages in, batches out.

An assembler belongs to one consumer. It checks that no number is missing, drops other workers' partitions and
what is recorded already, and knows how far everything has been read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Protocol

from msgspec import Struct

from devices.observation import micros
from gateway.pipeline.batch import Advance, Message
from gateway.subjects import EDGE, parse_subject
from tracking.store.positions import Held, Step

NAME: Final = "jetstream"

SWEEP_S: Final = 1.0
"""How often the partitions that had no messages follow the others, so that no restart reads from afar."""

LEFT_BEHIND: Final = 5000
"""How many messages of others a worker reads before it moves its own silent partitions up."""

_SERVERS_OWN: Final = ("Nmqtt-", "Nats-")
_FETCHED_FROM: Final = "Nats-Stream-Source"
"""The hub's server writes it: stream, number, filter, destination, subject."""
_OF_ONE_PARK: Final = re.compile(rf"{EDGE}:\S+ \S+ bw\.in\.\*\.([^. ]+)\.\* ")

_known_subject = lru_cache(maxsize=1 << 17)(parse_subject)


class Gap(Exception):
    """The consumer's numbers skip one: something was lost on the way. Make it anew."""


class Pulled(Protocol):
    """A message as JetStream delivers it."""

    @property
    def subject(self) -> str: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def headers(self) -> dict[str, Any]: ...
    @property
    def stream_sequence(self) -> int: ...
    @property
    def consumer_sequence(self) -> int: ...
    @property
    def published(self) -> datetime: ...


class JetStreamBatch(Struct, frozen=True):
    """Messages of the partitions one worker owns, and how far they move each."""

    messages: Sequence[Message]
    epoch_owner: str
    advances: Sequence[Advance]
    epochs: Mapping[int, int]
    through_us: int
    size: int
    committed: Callable[[int], None]
    source: str = NAME

    async def acknowledge(self) -> None:
        """The broker needn't know: the position was committed with the batch. The watermark moves on."""
        self.committed(self.through_us)


class Assembler:
    """See the module.

    Attributes:
        epochs: the epoch at which each partition is held.
        delivered: how many messages the consumer gave us.
        out: batches that are given out and not acknowledged.
        settled_us: broker time up to which everything given out is committed; 0 at first.
        read_us: broker time of the last message read, whosever it was.
    """

    def __init__(self, worker: str, held: Mapping[int, Held], floors: Mapping[int, int]) -> None:
        """Begin with a new consumer.

        Args:
            worker: this worker's id.
            held: the partitions that it reads, with their committed positions.
            floors: up to where each partition's messages are recorded already; below the position when
                the stream was rolled back.
        """
        self._worker = worker
        self._committed = {partition: one.sequence for partition, one in held.items()}
        self._floors = dict(floors)
        self._swept_s = 0.0
        self._read = 0
        self.epochs = {partition: one.epoch for partition, one in held.items()}
        self.delivered = 0
        self.out = 0
        self.settled_us = 0
        self.read_us = 0

    @property
    def first(self) -> int:
        """The sequence from which the consumer has to deliver."""
        return min(self._floors.values()) + 1

    def assemble(self, pulled: Sequence[Pulled], now_s: float) -> JetStreamBatch | None:
        """A batch of what is new; None when all of it was known.

        Args:
            pulled: messages in the order of delivery, at least one.
            now_s: a clock that only runs forward.

        Raises:
            Gap: a message is missing.
        """
        floors, known_subject = self._floors, _known_subject
        messages: list[Message] = []
        reached: dict[int, int] = {}
        size = 0
        expected = self.delivered
        for one in pulled:
            expected += 1
            if one.consumer_sequence != expected:
                raise Gap(f"message {expected} of the consumer is missing")
            partition, topic = known_subject(one.subject)
            floor = floors.get(partition)
            if floor is not None and (sequence := one.stream_sequence) > floor:
                reached[partition] = sequence
                payload = one.payload
                size += len(payload)
                headers = one.headers
                messages.append(
                    Message(topic, payload, micros(one.published), properties_of(headers), leaf_of(headers))
                )
        self.delivered = expected
        self._read, self.read_us = pulled[-1].stream_sequence, micros(pulled[-1].published)
        if not messages:
            return None
        self.out += 1
        return JetStreamBatch(
            messages=messages,
            epoch_owner=self._worker,
            advances=self._advances(reached, now_s),
            epochs=self.epochs,
            through_us=self.read_us,
            size=size,
            committed=self._settle,
        )

    def left_behind(self) -> list[Step]:
        """The partitions far behind what was read, moved up to it; to be committed before the next batch.

        Empty while a batch is out: then not everything that was read is committed.
        """
        if self.out or self._read - min(self._committed.values()) < LEFT_BEHIND:
            return []
        steps = [
            Step(partition, old, self._read, self.epochs[partition])
            for partition, old in self._committed.items()
            if old < self._read
        ]
        for step in steps:
            self._committed[step.partition] = self._floors[step.partition] = step.new
        return steps

    def _advances(self, reached: dict[int, int], now_s: float) -> list[Advance]:
        """What the batch moves; once a second the silent partitions, too: they are read up to here."""
        if now_s - self._swept_s >= SWEEP_S:
            self._swept_s = now_s
            reached = {
                partition: max(self._read, floor) for partition, floor in self._floors.items()
            } | reached
        advances = []
        for partition in sorted(reached):
            old, new = self._committed[partition], reached[partition]
            if new != old:
                advances.append(Advance(partition, old, new))
            self._committed[partition] = self._floors[partition] = new
        return advances

    def _settle(self, through_us: int) -> None:
        self.out -= 1
        self.settled_us = max(self.settled_us, through_us)


def properties_of(headers: dict[str, Any]) -> dict[str, str]:
    """Headers that a publisher set. The servers' own notes are none: the MQTT quality, and from which park's
    stream a message was fetched."""
    if not headers or (len(headers) == 1 and "Nmqtt-Pub" in headers):
        return {}
    return {name: str(value) for name, value in headers.items() if not name.startswith(_SERVERS_OWN)}


def leaf_of(headers: dict[str, Any]) -> str:
    """The park from whose leaf node a message was fetched; empty: from none.

    It is what the hub asked of the leaf node (``gateway.sources.edge``: only that park's subjects), so a leaf
    node that answers with other parks' messages doesn't change it. A source that asks of no one park speaks
    for none: then it is that source's own words, which no device's name begins with. So does one that is
    named twice, since one of the two may be the leaf node's own writing.
    """
    source = headers.get(_FETCHED_FROM) if headers else None
    if source is None:
        return ""
    asked = _OF_ONE_PARK.match(source) if isinstance(source, str) else None
    return str(source) if asked is None else asked[1]
