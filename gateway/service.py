"""The recording worker: a source, the road, receipts and, for the embedded broker, the judging of who
may connect.

Three tasks run side by side:

- the reader receives a batch and reads it (steps 1 and 2) while the one before is being recorded;
- the recorder takes one batch after the other down the rest of the road;
- the postman sends the receipts that are due.

``Fenced`` ends the first two: everything held is dropped, the source is rewound, and they begin again.
Any other error ends the worker: whoever supervises it starts a new one, which goes on where the database
stands.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Final, TypeVar

import structlog

from gateway.pipeline import metrics
from gateway.pipeline.batch import Batch, Source
from gateway.pipeline.load import Load
from gateway.pipeline.road import Road
from tracking.domain.errors import Fenced, Retryable

FINISH_S: Final = 10.0
"""How long a stop waits for the batches that are under way; then they are dropped, and read again later."""

LAST_RECEIPTS_S: Final = 2.0
"""How long a stop waits for a broker to take the last receipts."""

RECEIVE_AGAIN_S: Final = 1.0
"""How long the worker waits when the source's own patience has ended."""

Result = TypeVar("Result")
Held = tuple[Batch, Load | None]

log = structlog.get_logger()


class Worker:
    """Records what a source delivers until it is told to stop."""

    def __init__(self, source: Source, road: Road) -> None:
        """Put the parts together.

        Args:
            source: opened; the worker doesn't close it.
            road: its connection is this worker's alone.
        """
        self._source = source
        self._road = road
        self._stopping = asyncio.Event()
        self._answered = asyncio.Event()

    def stop(self) -> None:
        """Receive nothing more; finish what is under way, send its receipts, and return from ``run``."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until told to stop.

        Raises:
            Exception: a bug, or a fault of the database that no waiting mends. Nothing of it was recorded.
        """
        postman = asyncio.create_task(self._deliver_receipts(), name="postman")
        work = asyncio.create_task(self._work(), name="record")
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({work, postman, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not postman.done():
                await asyncio.wait({work}, timeout=FINISH_S)
            for ended in (postman, work):
                if ended.done():
                    ended.result()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_RECEIPTS_S):
                    await self._send(float("inf"))
        finally:
            for task in (work, postman, stopping):
                task.cancel()
            await asyncio.gather(work, postman, stopping, return_exceptions=True)

    async def _work(self) -> None:
        while not self._stopping.is_set():
            ahead: asyncio.Queue[Held | None] = asyncio.Queue()
            turn = asyncio.Semaphore(1)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._read(ahead, turn))
                    group.create_task(self._record(ahead, turn))
            except* Fenced as fenced:
                log.warning("batch_fenced", reason=str(fenced.exceptions[0]))
                await self._source.rewind()

    async def _read(self, ahead: asyncio.Queue[Held | None], turn: asyncio.Semaphore) -> None:
        while True:
            await turn.acquire()
            batch = await self._unless_stopping(self._receive())
            if batch is None:
                ahead.put_nowait(None)
                return
            ahead.put_nowait((batch, self._road.read_ahead(batch)))

    async def _record(self, ahead: asyncio.Queue[Held | None], turn: asyncio.Semaphore) -> None:
        while (held := await ahead.get()) is not None:
            turn.release()
            await self._road.travel(*held)
            self._answered.set()

    async def _receive(self) -> Batch:
        while True:
            try:
                return await self._source.receive()
            except Retryable as error:
                log.warning("source_waits", reason=str(error))
                await asyncio.sleep(RECEIVE_AGAIN_S)

    async def _unless_stopping(self, wanted: Awaitable[Result]) -> Result | None:
        """The result, or None when the worker is told to stop first."""
        task, stopping = asyncio.ensure_future(wanted), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            for one in (task, stopping):
                one.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _deliver_receipts(self) -> None:
        """What is due goes at once, also while that of another device waits for its half second."""
        mailbox, steady_s = self._road.tools.mailbox, self._road.tools.steady_s
        while True:
            due = mailbox.next_due
            if due is None or due > steady_s():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if due is None else due - steady_s()):
                        await self._answered.wait()
            self._answered.clear()
            await self._send(steady_s())

    async def _send(self, until: float) -> None:
        """Give the broker every receipt that is due. One that it can't be given is lost: devices send
        again."""
        mailbox = self._road.tools.mailbox
        with metrics.step("receipts"):
            for topic, payload in mailbox.take(until):
                try:
                    await self._source.publish(topic, payload)
                    metrics.RECEIPTS.inc()
                except Retryable:
                    metrics.UNSENT.inc()
        metrics.WAITING.set(len(mailbox))
