"""A recording as a source: its messages with their broker times, and the position in our database.

The position is the number of messages recorded, moved and fenced like a partition's of JetStream: killed at
any moment, it goes on where the database stands, and played again it has nothing left to say.

Time passes with the recording: the watermark is the broker time of the last message that is recorded, and
between two messages as much as the speed gives; at the end it is the moment at which the recording ended,
and there it stays. (Into a record that has grown by a broker a recording comes as late data do.)
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import psycopg
import structlog
from msgspec import Struct

from gateway.database_link import DatabaseLink
from gateway.pipeline.batch import Advance, Message
from gateway.problem import Problem
from gateway.sources.leases import RENEW_S
from gateway.sources.recording import Recording, Survey
from tracking.store import positions

MAX_BATCH: Final = 1000
MAX_BYTES: Final = 2 << 20
"""Of payload in a batch, as for every source."""
ENDED_S: Final = positions.LEASE_S + 1
"""After this, the lease of a player that was killed just before has ended."""

log = structlog.get_logger()


class ReplayBatch(Struct, frozen=True):
    """Messages of a recording, and from which to which number they go."""

    messages: Sequence[Message]
    source: str
    epoch_owner: str
    advances: Sequence[Advance]
    epochs: Mapping[int, int]
    through_us: int
    player: ReplaySource

    async def acknowledge(self) -> None:
        """The position was committed with the batch."""
        self.player.settle(self)


class ReplaySource:
    """See the module.

    Args:
        recording: surveyed already.
        survey: what that found.
        dsn: of the database that holds the position.
        worker: unique for each start of a process.
        speed: how many times as fast as it was recorded; None: as fast as it can be recorded.

    Attributes:
        done: messages recorded, of this and earlier runs.
        finished: everything is recorded, and the watermark stands at the end.
    """

    def __init__(
        self, recording: Recording, survey: Survey, *, dsn: str, worker: str, speed: float | None
    ) -> None:
        self._recording = recording
        self._survey = survey
        self._worker = worker
        self._speed = speed
        self._source = positions.replay_source(survey.header.recording_id)
        self._link = DatabaseLink(dsn, f"bondwatch-leases {worker}")
        self._held: positions.Held | None = None
        self._messages: Iterator[Message] = iter(())
        self._next: Message | None = None
        self._given = 0
        self._out = 0
        self._settled = asyncio.Event()
        self._origin: tuple[float, int] | None = None  # monotonic clock, broker time
        self._keeper: asyncio.Task[None] | None = None
        self.done = 0
        self.finished = asyncio.Event()

    async def receive(self) -> ReplayBatch:
        """The next messages that are due; after the last, nothing comes any more.

        Raises:
            Problem: another process plays this recording, or the file is damaged.
        """
        if self._keeper is not None and self._keeper.done():
            self._keeper.result()
        while True:
            if self._held is None:
                await self._begin()
            if self._next is None:
                await self._all_recorded()
            else:
                await self._wait_for(self._next)
                if self._held is not None:
                    return self._batch(self._held)

    async def publish(self, topic: str, payload: bytes) -> None:
        """Receipts go nowhere: the devices had theirs."""

    async def rewind(self) -> None:
        """Drop everything held; the next batch starts after what the database says."""
        self._lose()

    async def close(self) -> None:
        """Give the position back, so that another needn't wait for the lease to end."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        with contextlib.suppress(psycopg.OperationalError):
            await self._link.ask(lambda conn: positions.release(conn, self._source, self._worker))
        await self._link.close()

    def settle(self, batch: ReplayBatch) -> None:
        """A batch is committed."""
        self._out -= 1
        self.done = batch.advances[0].new
        self._settled.set()

    async def _begin(self) -> None:
        deadline_s = time.monotonic() + ENDED_S
        while (held := await self._keep()) is None:
            if time.monotonic() > deadline_s:
                raise Problem(f"another process plays {self._recording.path}", "wait for it, or end it")
            await asyncio.sleep(RENEW_S)
        self._held, self._given, self._out = held, held.sequence, 0
        self.done = held.sequence
        self._messages = self._recording.messages(after=held.sequence)
        self._origin = None
        self._step()
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep_lease(), name="replay-lease")

    async def _keep(self) -> positions.Held | None:
        return await self._link.ask(lambda conn: positions.keep_replay(conn, self._source, self._worker))

    def _lose(self) -> None:
        self._held = None
        self._settled.set()

    def _step(self) -> None:
        self._next = next(self._messages, None)

    def _batch(self, held: positions.Held) -> ReplayBatch:
        messages: list[Message] = []
        until_us, size = self._due_us(), 0
        while (
            self._next is not None
            and len(messages) < MAX_BATCH
            and size < MAX_BYTES
            and (until_us is None or not messages or self._next.received_us <= until_us)
        ):
            messages.append(self._next)
            size += len(self._next.payload)
            self._step()
        old, self._given = self._given, self._given + len(messages)
        self._out += 1
        through_us = max(message.received_us for message in messages)
        if self._next is not None and self._next.received_us <= through_us:
            through_us = self._next.received_us - 1
        return ReplayBatch(
            messages=messages,
            source=self._source,
            epoch_owner=self._worker,
            advances=[Advance(0, old, self._given)],
            epochs={0: held.epoch},
            through_us=through_us,
            player=self,
        )

    def _due_us(self) -> int | None:
        """The broker time that has come, by the speed; None: all has."""
        if self._speed is None or self._origin is None:
            return None
        begun_s, first_us = self._origin
        return first_us + round((time.monotonic() - begun_s) * self._speed * 1_000_000)

    async def _wait_for(self, message: Message) -> None:
        if self._speed is None:
            return
        if self._origin is None:
            self._origin = (time.monotonic(), message.received_us)
        while self._held is not None and (ahead_us := message.received_us - (self._due_us() or 0)) > 0:
            await asyncio.sleep(min(ahead_us / self._speed / 1_000_000, RENEW_S))

    async def _all_recorded(self) -> None:
        """Wait until everything that was given out is recorded; then time stands at the end, and so do we."""
        while self._out and self._held is not None:
            self._settled.clear()
            await self._settled.wait()
        if self._held is not None:
            await self._mark(self._survey.ended_us)
            self.finished.set()
            await asyncio.Event().wait()  # until the worker is told to stop

    async def _mark(self, through_us: int) -> None:
        held = self._held
        if held is not None and through_us:
            epochs = {0: held.epoch}
            await self._link.ask(
                lambda conn: positions.mark_through(conn, self._source, self._worker, epochs, through_us)
            )

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                held = await self._keep()
                if held is None or (self._held is not None and held.epoch != self._held.epoch):
                    self._lose()
                    continue
                due_us, following = self._due_us(), self._next
                if not self._out and due_us is not None and following is not None:
                    await self._mark(min(due_us, following.received_us - 1))
            except psycopg.OperationalError as error:  # the fence refuses what would be committed then
                log.warning("lease_not_renewed", error=str(error).strip())
