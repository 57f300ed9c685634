"""NATS JetStream as a source: the stream is the log, our database holds the position.

One ephemeral consumer reads the stream in order, acknowledging nothing. A batch carries where each partition
stood and where it goes; the pipeline moves it inside the batch's own transaction, fenced by owner and epoch.
At any doubt (a gap in the consumer's numbers, a lost link, an error, a change of ownership, a rewind)
everything held is dropped and the consumer is made anew from what the database says: that costs 3 ms and
can't be wrong. What the new consumer brings a second time, at or below a partition's position, is dropped.

The consumer has no filter, although a worker keeps its own partitions only: a message that is read and
dropped costs 6 us, one that the server matches against several filters 60.

A pull waits on the server for the first message and returns with whatever is there, so an idle source adds
no latency; the next pull is already under way while a batch is being recorded, so batches grow by themselves
under load.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

import psycopg
import structlog
from natsrpy import Nats
from natsrpy.exceptions import NatsrpyBaseError
from natsrpy.js import JetStreamMessage, PullConsumer

from gateway.sources import stream
from gateway.sources.jetstream_answers import Answers
from gateway.sources.jetstream_batch import NAME, Assembler, Gap, JetStreamBatch
from gateway.sources.leases import RENEW_S, PartitionLeases
from gateway.subjects import STREAM
from tracking.domain.errors import Fenced, Retryable

__all__ = ["NAME", "JetStreamBatch", "JetStreamSource"]

IDLE_S: Final = 0.25
"""How long one pull waits on the server for a first message."""
LINK_S: Final = 2.0
"""A pull that is silent for this much longer than it should be has lost its link."""

MARGIN_US: Final = 1_000_000
"""An idle stream is empty up to this long ago: a cluster may store a message later than it stamped it."""

_BACKOFF_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)

# The client's threads let go of Python objects a moment after its shutdown; the interpreter must still be
# there.
_LET_GO_S: Final = 0.05

log = structlog.get_logger()


class JetStreamSource:
    """See the module. Make it with :meth:`open`.

    Attributes:
        overran: messages that the stream's limits took before they were read. Anything but 0 is data loss.
    """

    def __init__(
        self,
        client: Nats,
        answers: Answers,
        leases: PartitionLeases,
        *,
        max_batch: int,
        max_bytes: int,
        patience_s: float,
    ) -> None:
        self._client = client
        self._answers = answers
        self._leases = leases
        self._max_batch = max_batch
        self._max_bytes = max_bytes
        self._patience_s = patience_s
        self._room = max_batch  # messages that the next pull may bring
        self._consumers: Any = None
        self._consumer: PullConsumer | None = None
        self._assembler: Assembler | None = None
        self._pull: asyncio.Task[list[JetStreamMessage]] | None = None
        self._doubt = "start"
        self._owned: dict[int, int] | None = None  # epochs by the last renewal
        self._changed = asyncio.Event()
        self._moving = asyncio.Lock()  # no batch is made while positions move without one
        self._keeper: asyncio.Task[None] | None = None
        self._marked_us = 0
        self.overran = 0

    @classmethod
    async def open(
        cls,
        servers: Sequence[str],
        leases: PartitionLeases,
        *,
        user: str | None = None,
        password: str | None = None,
        keep: stream.Keep | None = None,
        max_batch: int = 2000,
        max_bytes: int = 32 << 20,
        patience_s: float = 10.0,
    ) -> JetStreamSource:
        """Connect, make sure of the stream, start leasing.

        Args:
            servers: ``nats://host:port``, one or more of a cluster.
            leases: this worker's partitions.
            user: our user there, with ``password``; None: the server asks for none.
            password: see ``user``.
            keep: the stream's limits; ``Keep()`` when not given.
            max_batch: messages in a batch at most.
            max_bytes: payload bytes of one pull at most.
            patience_s: how long a lost link is tried again before :meth:`receive` says so.

        Raises:
            NatsrpyBaseError, nats.errors.Error: the broker can't be reached, or doesn't know the password.
            Problem: the stream exists and is another one, or there's no room for it.
        """
        credentials = (user, password) if user is not None and password is not None else None
        client = Nats(
            addrs=list(servers), user_and_pass=credentials, connection_timeout=5.0, request_timeout=5.0
        )
        await client.startup()
        answers = await Answers.connect(servers, user=user, password=password)
        source = cls(client, answers, leases, max_batch=max_batch, max_bytes=max_bytes, patience_s=patience_s)
        await stream.ensure_stream(source._request, keep or stream.Keep())
        source._consumers = (await (await client.jetstream()).streams.get(STREAM)).consumers
        source._keeper = asyncio.create_task(source._keep_leases(), name="jetstream-leases")
        return source

    @property
    def partitions(self) -> Sequence[int]:
        """The partitions that this worker reads now."""
        return [] if self._doubt or self._assembler is None else sorted(self._assembler.epochs)

    async def receive(self) -> JetStreamBatch:
        """The next batch, when there is something to read.

        Raises:
            Retryable: the broker or the database couldn't be asked for longer than our patience.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        failures = 0
        while True:
            if self._keeper is not None and self._keeper.done():
                self._keeper.result()  # a bug in there must not look like an idle worker
            try:
                if self._doubt:
                    await self._begin()
                batch = await self._next_batch()
            except (NatsrpyBaseError, stream.Refused, psycopg.OperationalError, TimeoutError, Gap) as error:
                self._doubt = str(error) or type(error).__name__
                if "MaxBytes" in self._doubt:
                    # Larger messages than before: what the pull had brought is lost with it. Read it in bits.
                    self._room = max(1, self._room // 64)
                    continue
                if loop.time() > deadline:
                    raise Retryable(f"the broker can't be read: {self._doubt}") from error
                await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
                failures += 1
            else:
                if batch is not None:
                    return batch
                failures, deadline = 0, loop.time() + self._patience_s

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send at QoS 0, as an MQTT subscriber sees it.

        Raises:
            Retryable: there is no link.
        """
        await self._answers.publish(topic, payload)

    async def rewind(self) -> None:
        """Drop everything held; the next batch starts after what the database says."""
        self._doubt = "rewound"
        self._drop_pull()

    async def close(self) -> None:
        """Stop leasing, give the partitions back, disconnect."""
        self._doubt = "closed"
        self._drop_pull()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        with contextlib.suppress(psycopg.OperationalError):  # then the leases end by themselves
            await self._leases.release()
        self._consumer = self._consumers = None
        await self._answers.close()
        await self._client.shutdown()
        await asyncio.sleep(_LET_GO_S)

    async def _begin(self) -> None:
        """Leases and positions from the database, a consumer from the lowest of them."""
        self._drop_pull()
        reason, self._doubt = self._doubt, ""
        try:
            held = await self._leases.keep()
            self._owned = {partition: one.epoch for partition, one in held.items()}
            self._consumer = self._assembler = None
            if held:
                resume = await stream.resume(self._request, held)
                self.overran += resume.overran
                assembler = Assembler(self._leases.worker, held, resume.floors)
                self._consumer = await self._consumers.create(stream.reader(assembler.first))
                self._assembler = assembler
        except BaseException:
            self._doubt = reason
            raise
        log.debug("source_began", reason=reason, partitions=sorted(held))

    async def _next_batch(self) -> JetStreamBatch | None:
        """One pull's batch; None when it brought nothing new, or when there is nothing to read from."""
        if self._assembler is None:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), RENEW_S)
            return None
        pulled = await self._pulled()
        async with self._moving:
            if not pulled or self._doubt:
                return None
            batch = self._assembler.assemble(pulled, asyncio.get_running_loop().time())
        if batch is not None:
            fitting = self._max_bytes * len(batch.messages) // (2 * batch.size or 1)
            self._room = max(1, min(self._max_batch, fitting))
            self._pull = asyncio.create_task(self._fetch())
        return batch

    async def _pulled(self) -> list[JetStreamMessage]:
        pull = self._pull = self._pull or asyncio.create_task(self._fetch())
        waited = not pull.done()
        await asyncio.wait({pull})
        self._pull = None
        messages = [] if pull.cancelled() else pull.result()  # cancelled: dropped, in doubt
        if messages and not waited and len(messages) < self._room:  # it took longer: what came since
            messages += await self._fetch_now(self._room - len(messages))
        return messages

    async def _fetch_now(self, room: int) -> list[JetStreamMessage]:
        assert self._consumer is not None
        pull = self._consumer.fetch(max_messages=room, max_bytes=self._max_bytes, timeout=LINK_S)
        return await asyncio.wait_for(pull, LINK_S)

    async def _fetch(self) -> list[JetStreamMessage]:
        assert self._consumer is not None
        pull = self._consumer.fetch(max_messages=self._room, max_bytes=self._max_bytes, expires=IDLE_S)
        return await asyncio.wait_for(pull, IDLE_S + LINK_S)

    def _drop_pull(self) -> None:
        pull, self._pull = self._pull, None
        if pull is not None:
            pull.cancel()
            pull.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                held = await self._leases.keep()
                owned = {partition: one.epoch for partition, one in held.items()}
                if owned != self._owned:
                    self._owned = owned
                    self._doubt = self._doubt or "partitions changed hands"
                    self._changed.set()
                await self._mark()
            except (Fenced, stream.Refused) as error:  # refused: the server has lost our consumer
                self._doubt = self._doubt or str(error)
                self._drop_pull()
            except (psycopg.OperationalError, NatsrpyBaseError, TimeoutError) as error:
                # Not ours to settle: the lease ends by itself, and the fence refuses what we'd commit then.
                log.warning("lease_not_renewed", error=str(error).strip())

    async def _mark(self) -> None:
        """Tell the database how far the owned partitions are recorded, when that moved."""
        consumer, assembler = self._consumer, self._assembler
        if self._doubt or consumer is None or assembler is None:
            return
        through_us = assembler.settled_us
        if not assembler.out:
            through_us = max(through_us, assembler.read_us)
            drained_us = await stream.drained_through(self._request, consumer.name, assembler.delivered)
            if drained_us is not None:
                through_us = max(through_us, drained_us - MARGIN_US)
        if self._doubt or assembler is not self._assembler:
            return
        if through_us > self._marked_us:
            await self._leases.mark(assembler.epochs, through_us)
            self._marked_us = through_us
        async with self._moving:
            steps = assembler.left_behind()
            if steps and assembler is self._assembler:
                await self._leases.advance(steps)

    async def _request(self, subject: str, payload: bytes) -> bytes:
        return (await asyncio.wait_for(self._client.request(subject, payload), 5.0)).payload
