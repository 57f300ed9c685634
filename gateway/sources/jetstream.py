"""NATS JetStream as a source: the stream is the log, our database holds the position.

One ephemeral consumer reads all partitions that this worker owns, in stream order, acknowledging nothing. A
batch carries where each partition stood and where it goes; the pipeline moves it inside the batch's own
transaction, fenced by owner and epoch. At any doubt (a gap in the consumer's numbers, a lost link, an error,
a change of ownership, a rewind) everything held is dropped and the consumer is made anew from what the
database says: that costs 3 ms and can't be wrong. What the new consumer brings a second time, at or below a
partition's own position, is dropped here.

A pull waits on the server for the first message and returns with whatever is there, so an idle source adds
no latency; the next pull is already under way while a batch is being recorded, so batches grow by themselves
under load.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import psycopg
import structlog
from msgspec import Struct
from natsrpy import Nats
from natsrpy.exceptions import NatsrpyBaseError
from natsrpy.js import AckPolicy, DeliverPolicy, JetStreamMessage, PullConsumer, PullConsumerConfig

from devices.observation import micros
from gateway.pipeline.batch import Advance, Message
from gateway.sources import stream
from gateway.sources.leases import RENEW_S, PartitionLeases
from gateway.subjects import STREAM, filters, parse_subject
from tracking.domain.errors import Retryable
from tracking.store.positions import Held

NAME: Final = "jetstream"

IDLE_S: Final = 0.25
"""How long one pull waits on the server for a first message."""

LINK_S: Final = 2.0
"""A pull that is silent for this much longer than it should be has lost its link."""

SWEEP_S: Final = 1.0
"""How often the partitions that had no messages follow the others, so that no restart reads the stream from
afar."""

MARGIN_US: Final = 1_000_000
"""An idle stream is empty up to this long ago: a cluster may store a message later than it stamped it."""

_BACKOFF_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_SUBJECTS_KEPT: Final = 200_000

log = structlog.get_logger()


class JetStreamBatch(Struct, frozen=True):
    """Messages of the partitions one worker owns, and how far they move each."""

    messages: Sequence[Message]
    epoch_owner: str
    advances: Sequence[Advance]
    epochs: Mapping[int, int]
    through_us: int
    committed: Callable[[int], None]
    source: str = NAME

    async def acknowledge(self) -> None:
        """The broker needn't know: the position was committed with the batch. The watermark moves on."""
        self.committed(self.through_us)


class JetStreamSource:
    """See the module. Make it with :meth:`open`."""

    def __init__(
        self, client: Nats, leases: PartitionLeases, *, max_batch: int, max_bytes: int, patience_s: float
    ) -> None:
        self._client = client
        self._leases = leases
        self._max_batch = max_batch
        self._max_bytes = max_bytes
        self._patience_s = patience_s
        self._consumers: Any = None
        self._consumer: PullConsumer | None = None
        self._pull: asyncio.Task[list[JetStreamMessage]] | None = None
        self._doubt = "start"
        self._held: dict[int, Held] = {}  # owner's view at the last doubt: epochs, committed positions
        self._committed: dict[int, int] = {}  # what the database holds when the batch that is out is settled
        self._floor: dict[
            int, int
        ] = {}  # at or below: seen; differs from _committed when the stream was rolled back
        self._owned: dict[int, int] | None = None  # epochs by the last renewal
        self._delivered = 0  # messages this consumer gave us
        self._out = 0  # batches of this consumer that are given out and not acknowledged
        self._settled_us = 0  # broker time up to which they are
        self._marked_us = 0
        self._swept = 0.0
        self._room = max_batch
        self._topics: dict[str, tuple[int, str]] = {}
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self.overran = 0
        """Messages that the stream's limits took before they were read. Anything but 0 is data loss."""

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
            keep: the stream's limits; ``Keep()`` when not given.
            max_batch: messages in a batch at most.
            max_bytes: payload bytes held at most, twice (one batch out, one pulled ahead).
            patience_s: how long a lost link is tried again before :meth:`receive` says so.
        """
        credentials = (user, password) if user is not None and password is not None else None
        client = Nats(
            addrs=list(servers), user_and_pass=credentials, connection_timeout=5.0, request_timeout=5.0
        )
        await client.startup()
        source = cls(client, leases, max_batch=max_batch, max_bytes=max_bytes, patience_s=patience_s)
        await stream.ensure_stream(source._request, keep or stream.Keep())
        source._consumers = (await (await client.jetstream()).streams.get(STREAM)).consumers
        source._keeper = asyncio.create_task(source._keep_leases(), name="jetstream-leases")
        return source

    @property
    def partitions(self) -> Sequence[int]:
        """The partitions that this worker reads now."""
        return sorted(self._held) if not self._doubt else []

    async def receive(self) -> JetStreamBatch:
        """The next batch, when there is something to read."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        failures = 0
        while True:
            try:
                if self._doubt:
                    await self._begin()
                messages = await self._next_messages()
            except (NatsrpyBaseError, stream.Refused, psycopg.OperationalError, TimeoutError) as error:
                self._doubt = str(error) or type(error).__name__
                if "MaxBytes" in self._doubt:
                    self._room = max(1, self._room // 64)
                    continue
                if loop.time() > deadline:
                    raise Retryable(f"the broker can't be read: {self._doubt}") from error
                await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
                failures += 1
                continue
            failures, deadline = 0, loop.time() + self._patience_s
            batch = self._assemble(messages) if messages else None
            if batch is not None:
                self._pull = asyncio.create_task(self._fetch())
                return batch

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send at QoS 0, as an MQTT subscriber sees it."""
        try:
            await self._client.publish(topic.replace("/", "."), payload)
        except NatsrpyBaseError as error:
            raise Retryable(f"can't publish to {topic}: {error}") from error

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
        await self._client.shutdown()

    # -- beginning anew

    async def _begin(self) -> None:
        """Leases and positions from the database, a consumer from the lowest of them."""
        self._drop_pull()
        reason, self._doubt = self._doubt, ""
        try:
            held = dict(await self._leases.keep())
            self._owned = {partition: one.epoch for partition, one in held.items()}
            self._held = held
            self._committed = {partition: one.sequence for partition, one in held.items()}
            self._consumer = None
            self._delivered = self._out = self._settled_us = 0
            self._swept = 0.0
            if held:
                self._floor = await self._floors(held)
                self._consumer = await self._consumers.create(
                    PullConsumerConfig(
                        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                        delivery_start_sequence=min(self._floor.values()) + 1,
                        ack_policy=AckPolicy.NONE,
                        filter_subjects=filters(held),
                        memory_storage=True,
                        num_replicas=1,
                        inactive_threshold=30.0,
                    )
                )
        except BaseException:
            self._doubt = reason
            raise
        log.debug("source_began", reason=reason, partitions=sorted(held))

    async def _floors(self, held: Mapping[int, Held]) -> dict[int, int]:
        """Where each partition goes on. Normally its position; lower when the broker forgot and counts anew.

        A broker that lost its newest messages (or all of them) gives their numbers to other messages. A
        position is good only while the message at it isn't newer than what the partition was recorded
        through.
        """
        state = await stream.stream_state(self._request)
        floors: dict[int, int] = {}
        times: dict[int, int | None] = {}
        for partition, one in held.items():
            floors[partition] = one.sequence
            if one.sequence == 0:
                continue
            if state.first > one.sequence + 1:
                self._report_overrun(partition, one.sequence, state.first)
            if one.sequence <= state.last:
                if one.sequence not in times:
                    times[one.sequence] = await stream.stored_at(self._request, one.sequence)
                stored_us = times[one.sequence]
                if stored_us is None or stored_us <= one.through_us:
                    continue
            floors[partition] = await stream.last_before(self._request, one.through_us)
            log.warning(
                "stream_rolled_back", partition=partition, position=one.sequence, now=floors[partition]
            )
        return floors

    def _report_overrun(self, partition: int, position: int, first: int) -> None:
        self.overran += first - position - 1
        log.error("stream_overran", partition=partition, position=position, first=first)

    # -- pulling

    async def _next_messages(self) -> list[JetStreamMessage]:
        """One pull's messages; none when idle or when there is nothing to read from."""
        if self._consumer is None:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), RENEW_S)
            return []
        pull, self._pull = self._pull, None
        if pull is None:
            return await self._fetch()
        waited = not pull.done()
        messages = await pull
        if messages and not waited and len(messages) < self._room:
            # Recording took longer than pulling: take what has come meanwhile, too.
            messages += await asyncio.wait_for(
                self._consumer.fetch(max_messages=self._room - len(messages), max_bytes=self._max_bytes),
                LINK_S,
            )
        return messages

    async def _fetch(self) -> list[JetStreamMessage]:
        assert self._consumer is not None
        return await asyncio.wait_for(
            self._consumer.fetch(max_messages=self._room, max_bytes=self._max_bytes, expires=IDLE_S),
            IDLE_S + LINK_S,
        )

    def _assemble(self, pulled: list[JetStreamMessage]) -> JetStreamBatch | None:
        """A batch of what is new; None when all of it was known, or when a number was missing."""
        topics, floor = self._topics, self._floor
        if len(topics) > _SUBJECTS_KEPT:
            topics.clear()
        messages: list[Message] = []
        reached: dict[int, int] = {}
        received_us = size = 0
        expected = self._delivered
        for one in pulled:
            expected += 1
            if one.consumer_sequence != expected:
                self._doubt = f"message {expected} of the consumer is missing"
                return None
            subject = one.subject
            known = topics.get(subject)
            if known is None:
                known = topics[subject] = parse_subject(subject)
            partition, topic = known
            sequence = one.stream_sequence
            received_us = micros(one.published)
            if sequence <= floor[partition]:
                continue
            reached[partition] = sequence
            payload = one.payload
            size += len(payload)
            messages.append(Message(topic, payload, received_us, _properties(one.headers)))
        self._delivered = expected
        if not messages:
            return None
        self._room = max(1, min(self._max_batch, self._max_bytes * len(messages) // (2 * size or 1)))
        return JetStreamBatch(
            messages=messages,
            epoch_owner=self._leases.worker,
            advances=self._advances(reached, sequence),
            epochs=self._owned_epochs(),
            through_us=received_us,
            committed=self._committer(),
        )

    def _advances(self, reached: dict[int, int], last: int) -> list[Advance]:
        """What the batch moves; once a second also the partitions that were silent: they are read up to
        here, too."""
        now = asyncio.get_running_loop().time()
        if now - self._swept >= SWEEP_S:
            self._swept = now
            reached = {partition: max(last, floor) for partition, floor in self._floor.items()} | reached
        advances = []
        for partition in sorted(reached):
            old, new = self._committed[partition], reached[partition]
            if new != old:
                advances.append(Advance(partition, old, new))
            self._committed[partition] = self._floor[partition] = new
        return advances

    def _owned_epochs(self) -> dict[int, int]:
        return {partition: one.epoch for partition, one in self._held.items()}

    def _committer(self) -> Callable[[int], None]:
        """What a batch calls when it is committed; says nothing of a consumer that came later."""
        consumer = self._consumer
        self._out += 1

        def committed(through_us: int) -> None:
            if consumer is self._consumer:
                self._out -= 1
                self._settled_us = max(self._settled_us, through_us)

        return committed

    def _drop_pull(self) -> None:
        pull, self._pull = self._pull, None
        if pull is not None:
            pull.cancel()
            pull.add_done_callback(_forget)

    # -- leases and the watermark

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
            except (psycopg.OperationalError, NatsrpyBaseError, stream.Refused, TimeoutError) as error:
                # Not ours to settle: the lease ends by itself, and the fence refuses what we'd commit
                # without it.
                log.warning("lease_not_renewed", error=str(error).strip())

    async def _mark(self) -> None:
        """Tell the database how far the owned partitions are recorded, when that moved."""
        consumer, through_us = self._consumer, self._settled_us
        if self._doubt or consumer is None:
            return
        if not self._out:
            drained_us = await stream.drained_through(self._request, consumer.name, self._delivered)
            if drained_us is not None:
                through_us = max(through_us, drained_us - MARGIN_US)
        if self._doubt or consumer is not self._consumer or through_us <= self._marked_us:
            return
        await self._leases.mark(self._owned_epochs(), through_us)
        self._marked_us = through_us

    async def _request(self, subject: str, payload: bytes) -> bytes:
        return (await asyncio.wait_for(self._client.request(subject, payload), 5.0)).payload


def _properties(headers: dict[str, Any]) -> dict[str, str]:
    """Headers that a publisher set; the server's own note of the MQTT quality is none."""
    if not headers or (len(headers) == 1 and "Nmqtt-Pub" in headers):
        return {}
    return {name: str(value) for name, value in headers.items() if name != "Nmqtt-Pub"}


def _forget(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
