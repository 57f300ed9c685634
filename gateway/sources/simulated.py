"""A source under a simulated clock: what the broker stamped, told as the simulated clock showed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gateway.clock import Clock
from gateway.pipeline.batch import Advance, Batch, Message, Source
from gateway.sources.leases import PartitionLeases, SessionLeases
from tracking.store import positions, sessions


class SimulatedSource:
    """Another source, with its times told by the clock."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source = source
        self._clock = clock

    async def receive(self) -> Batch:
        """The source's next batch."""
        return _Batch(await self._source.receive(), self._clock)

    async def publish(self, topic: str, payload: bytes) -> None:
        """By the source."""
        await self._source.publish(topic, payload)

    async def rewind(self) -> None:
        """The source's."""
        await self._source.rewind()

    async def close(self) -> None:
        """The source's."""
        await self._source.close()


class _Batch:
    def __init__(self, batch: Batch, clock: Clock) -> None:
        self._batch = batch
        self._messages = [
            msgspec.structs.replace(message, received_us=clock.at_us(message.received_us))
            for message in batch.messages
        ]
        self._through_us = clock.at_us(batch.through_us) if batch.through_us else 0

    @property
    def messages(self) -> Sequence[Message]:
        return self._messages

    @property
    def source(self) -> str:
        return self._batch.source

    @property
    def epoch_owner(self) -> str:
        return self._batch.epoch_owner

    @property
    def advances(self) -> Sequence[Advance]:
        return self._batch.advances

    @property
    def epochs(self) -> Mapping[int, int]:
        return self._batch.epochs

    @property
    def through_us(self) -> int:
        return self._through_us

    async def acknowledge(self) -> None:
        await self._batch.acknowledge()


class SimulatedPartitionLeases(PartitionLeases):
    """Leases of partitions; the watermark is told by the clock."""

    def __init__(self, dsn: str, source: str, worker: str, *, clock: Clock) -> None:
        super().__init__(dsn, source, worker)
        self._clock = clock

    async def keep(self) -> Mapping[int, positions.Held]:
        """As the broker's clock would have it."""
        return {
            partition: one._replace(through_us=self._clock.real_us(one.through_us) if one.through_us else 0)
            for partition, one in (await super().keep()).items()
        }

    async def mark(self, epochs: Mapping[int, int], through_us: int) -> None:
        """Everything up to the moment that the clock showed is recorded."""
        await super().mark(epochs, self._clock.at_us(through_us))


class SimulatedSessionLeases(SessionLeases):
    """Leases of client ids; the watermark is told by the clock."""

    def __init__(self, dsn: str, worker: str, *, prefix: str, clock: Clock) -> None:
        super().__init__(dsn, worker, prefix=prefix)
        self._clock = clock

    async def mark(self, held: Sequence[sessions.Session], through_us: int) -> None:
        """Everything up to the moment that the clock showed is recorded."""
        await super().mark(held, self._clock.at_us(through_us))
