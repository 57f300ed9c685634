"""The road of a batch, in order.

1. decode       bytes -> events, or rejections                                pure
2. admit        could this device have said this, then?                       pure
3. resolve      begin; fence the position; lock devices; drop what is known
4. fold         track + events -> track, milestones, work                     pure
5. commit       everything of 1 to 4 and the position, or nothing
6. acknowledge  tell the broker
7. receipts     tell the devices

Dying before 5 leaves no trace. Dying after 5 repeats nothing: the position is committed, and a device
that missed its receipt sends again and is recognised.

What an error does to the batch, its type decides. ``Rejected`` is not raised here: an event that can't
be taken is a value, kept with its reason. ``Retryable``, or a database that isn't there: the whole batch
again, after a wait. ``Fenced``: the caller drops it and rewinds the source. Anything else: if single
messages break the batch by themselves they are kept as ``poison`` and the rest goes on; if not, the
worker stops loudly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat
from time import perf_counter
from typing import Final

import psycopg
import structlog

from gateway.pipeline import metrics
from gateway.pipeline.acknowledge import acknowledge
from gateway.pipeline.admit import admit
from gateway.pipeline.batch import Batch
from gateway.pipeline.commit import commit
from gateway.pipeline.decode import decode
from gateway.pipeline.fold import fold
from gateway.pipeline.load import Load, Replay
from gateway.pipeline.poison import find_poison, last_line
from gateway.pipeline.receipts import receipts
from gateway.pipeline.reference import read_reference
from gateway.pipeline.resolve import Moved, resolve
from gateway.pipeline.tools import Tools
from tracking.domain.errors import Fenced, Retryable
from tracking.store.database import Connection, is_no_values_fault, is_passing

STEPS: Final = (decode, admit, resolve, fold, commit, acknowledge, receipts)
READ, RECORD, ANSWER = STEPS[:2], STEPS[2:5], STEPS[5:]

BACKOFF_S: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)

log = structlog.get_logger()


class Road:
    """Takes batches down the steps, one at a time, and decides what an error does to a batch."""

    def __init__(self, tools: Tools, *, connect: Callable[[], Connection], now_us: Callable[[], int]) -> None:
        """Make the road ready.

        Args:
            tools: this worker's own.
            connect: opens a new connection when the database has dropped ours.
            now_us: the worker's clock, microseconds since the epoch.
        """
        self.tools = tools
        self._connect = connect
        self._now_us = now_us
        self._is_stale = False

    def read(
        self, batch: Batch, poison: Mapping[int, str] | None = None, replay: Replay | None = None
    ) -> Load:
        """Steps 1 and 2. They touch neither database nor broker, so a batch may be read ahead of its
        turn."""
        load = Load(batch, batch.messages, self.tools.reference, self._now_us(), poison or {}, replay)
        for step in READ:
            with metrics.step(step.__name__):
                step(load, self.tools)
        return load

    def read_ahead(self, batch: Batch) -> Load | None:
        """``read`` before the batch's turn; None when it breaks: ``travel`` then finds out why."""
        try:
            return self.read(batch)
        except Exception:  # noqa: BLE001 - decided: travel reads it again, and decides
            return None

    async def travel(self, batch: Batch, ahead: Load | None = None, replay: Replay | None = None) -> Load:
        """Take a batch the whole road; returns when its receipts are in the mailbox.

        Args:
            ahead: what ``read_ahead`` made of the batch, if that is done.
            replay: what the batch is, when it is made of rejections.

        Raises:
            Fenced: another worker has the batch's partitions; nothing of it was recorded here.
            Exception: the batch breaks and no single message is to blame; nothing of it was recorded.
        """
        poison: dict[int, str] = {}
        waits = chain(BACKOFF_S, repeat(BACKOFF_S[-1]))
        trusts_partitions = True
        while True:
            try:
                if self._is_stale:
                    await asyncio.to_thread(self._refresh)
                if ahead is None or ahead.reference is not self.tools.reference:
                    ahead = self.read(batch, poison, replay)
                load, ahead = ahead, None
                await asyncio.to_thread(self._record, load)
                break
            except Moved:
                metrics.RETRIES.labels("reference").inc()
                self._is_stale = True
            except Fenced:
                metrics.FENCED.inc()
                raise
            except Exception as error:
                if self._is_passing(error):
                    metrics.RETRIES.labels("database").inc()
                    log.warning("batch_waits", reason=last_line(error))
                    await asyncio.sleep(next(waits))
                elif isinstance(error, psycopg.errors.CheckViolation) and trusts_partitions:
                    metrics.RETRIES.labels("partition").inc()
                    self.tools.partitions.forget()
                    trusts_partitions = False
                else:
                    found = await asyncio.to_thread(self._blame, batch, poison, replay)
                    if found is not None and not found:
                        raise
                    poison |= found or {}
        for step in ANSWER:
            with metrics.step(step.__name__):
                await step(load, self.tools)
        metrics.count(load, self._now_us())
        return load

    def close(self) -> None:
        """Leave the database."""
        self.tools.connection.close()

    def _record(self, load: Load) -> None:
        """Steps 3 to 5 in one transaction. Blocks on the database.

        Statements whose answer nobody needs before the next are sent without waiting (pipeline). The blocks'
        ends wait for all of them, and for the commit.
        """
        conn = self._connected()
        self.tools.partitions.ensure(conn, load.times_us())
        load.now_us, begun = self._now_us(), perf_counter()
        with conn.pipeline(), conn.transaction():
            for step in RECORD:
                with metrics.step(step.__name__):
                    step(load, self.tools)
        metrics.RECORD_SECONDS.observe(perf_counter() - begun)

    def _blame(self, batch: Batch, poison: Mapping[int, str], replay: Replay | None) -> dict[int, str] | None:
        """The messages that broke the batch, with what they broke it with; none when no single one did.

        Returns:
            None when the search itself met a database that wasn't there: try the batch again first.

        Raises:
            psycopg.Error: the database refuses our statements, whatever the messages.
        """
        suspects = [index for index in range(len(batch.messages)) if index not in poison]
        try:
            found = find_poison(suspects, lambda chosen: self._trial(batch, chosen, replay))
        except Exception as error:
            if self._is_passing(error):
                return None
            raise
        metrics.POISON.inc(len(found))
        for index, broken in found.items():
            log.error("poison", topic=batch.messages[index].topic, exc_info=broken)
        return {index: last_line(broken) for index, broken in found.items()}

    def _trial(self, batch: Batch, chosen: Sequence[int], replay: Replay | None) -> Exception | None:
        """Some messages of a batch through steps 1 to 5, rolled back; what broke them."""
        messages = [batch.messages[index] for index in chosen]
        load = Load(batch, messages, self.tools.reference, self._now_us(), {}, replay)
        try:
            with self._connected().transaction(force_rollback=True):
                for step in (*READ, *RECORD):
                    step(load, self.tools)
        except (Fenced, MemoryError):
            raise
        except Exception as broken:
            if self._is_passing(broken) or (isinstance(broken, psycopg.Error) and is_no_values_fault(broken)):
                raise
            return broken
        return None

    def _refresh(self) -> None:
        self.tools.reference = read_reference(self._connected())
        self._is_stale = False

    def _connected(self) -> Connection:
        if self.tools.connection.closed:
            self.tools.connection = self._connect()
        return self.tools.connection

    def _is_passing(self, error: Exception) -> bool:
        """Whether the same batch may well go through when it is tried again."""
        if isinstance(error, psycopg.Error):
            return is_passing(error) or self.tools.connection.closed
        return isinstance(error, Retryable)
