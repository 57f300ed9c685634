"""What a source hands to the pipeline: a batch of messages, and what proves that they may be committed.

Everything behind these types is one kind of broker; everything in front of them is the road of a batch. The
road must not know which broker it has: a fence that is empty (``advances``) costs nothing to check, and an
acknowledgement that means nothing (``JetStreamSource``) does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct


class Message(Struct, frozen=True, gc=False):
    """One MQTT message as the broker gave it.

    Attributes:
        topic: the MQTT topic, ``bw/v1/{park}/{device}/events``, whatever the broker calls it inside.
        payload: the bytes, untouched: what can't be read is still kept.
        received_us: broker time, microseconds UTC: when JetStream stored it, or when MQTT brought it to us.
        properties: MQTT 5 user properties or headers, kept with a rejection.
        leaf: the park whose leaf node took it from a device; empty: the device was here.
    """

    topic: str
    payload: bytes
    received_us: int
    properties: dict[str, str] = {}
    leaf: str = ""


class Advance(Struct, frozen=True, gc=False):
    """How far a batch moves one partition: the fence is that the database still stands at ``old``."""

    partition: int
    old: int
    new: int


class Batch(Protocol):
    """Messages in the order of their source, and what must hold when they are committed."""

    @property
    def messages(self) -> Sequence[Message]:
        """In order per device; at least one."""
        ...

    @property
    def source(self) -> str:
        """``jetstream``, ``mqtt`` or ``replay`` with the recording's id."""
        ...

    @property
    def epoch_owner(self) -> str:
        """The worker that must still own the partitions when the batch commits."""
        ...

    @property
    def advances(self) -> Sequence[Advance]:
        """The partitions that the batch moves; none for a source whose broker keeps the position."""
        ...

    @property
    def epochs(self) -> Mapping[int, int]:
        """The epoch at which each partition was leased, by partition: the other half of the fence."""
        ...

    @property
    def through_us(self) -> int:
        """Broker time up to which everything given to this source is in this batch or an earlier one."""
        ...

    async def acknowledge(self) -> None:
        """Say that the batch is committed. The broker is told, unless the connection is another one by
        now."""
        ...


class Source(Protocol):
    """A broker, seen from the pipeline.

    The next batch may be asked for while one is still being recorded. Batches are committed and acknowledged
    in the order in which they came; when one can't be, :meth:`rewind` takes back all that aren't.
    """

    async def receive(self) -> Batch:
        """Wait for messages, at most 10 ms longer than for the first.

        Raises:
            Retryable: the link was lost and could not be made again within the source's patience.
        """
        ...

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send at QoS 0: receipts, whose loss costs one re-send."""
        ...

    async def rewind(self) -> None:
        """Deliver again everything that was given out and not acknowledged; forget the batches that are
        out."""
        ...

    async def close(self) -> None:
        """Give back leases and links. Nothing is acknowledged that wasn't."""
        ...
