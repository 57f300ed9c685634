"""Outbox to MQTT, at least once, by any number of processes.

1. take      the oldest messages; the rows stay locked, other relays pass them over
2. publish   QoS 1, all at once on one connection, which keeps their order
3. keep      where parks have brokers of their own: for whoever is cut off
4. mark      those that the broker has acknowledged and that are kept, and commit

Dying before 4 publishes them again. A lost connection marks what was acknowledged, and the rest waits for
the next one. Whoever subscribes recognises a repeat by the alert's or command's id.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from threading import Event
from typing import Final, TypeAlias
from uuid import uuid4

import aiomqtt
import psycopg
import structlog
from msgspec import Struct

from tracking.judge import measures
from tracking.judge.loop import BACKOFF_S, POLL_S, wait_for_news
from tracking.store import outbox
from tracking.store.database import OUTBOX_CHANNEL, Connection, is_passing
from tracking.store.outbox import Waiting

BATCH: Final = 100
ACKNOWLEDGED_WITHIN_S: Final = 10.0

log: Final = structlog.get_logger(__name__)


class Broker(Struct, frozen=True):
    """Where to publish, and as whom.

    Attributes:
        host: name or address.
        port: of the MQTT listener.
        user: an internal service with the right to publish alerts and commands.
        password: its password.
        tls: how to check the broker's certificate; None: no TLS.
    """

    host: str
    port: int
    user: str
    password: str | None
    tls: ssl.SSLContext | None = None


Keep: TypeAlias = Callable[[Waiting], Awaitable[None]]
"""Keeps a message where parks that are cut off fetch it later; returns when it is kept for sure."""


async def relay(
    connect: Callable[[], Connection],
    broker: Callable[[], Broker],
    stop: Event,
    now: Callable[[], datetime],
    keep: Keep | None = None,
) -> None:
    """Publish what waits until told to stop; survive restarts of broker and database.

    Args:
        connect: opens a connection in autocommit.
        broker: asked before each connection, because a restarted broker may have moved.
        stop: set it from anywhere; the messages under way are finished.
        now: for ``sent_at``.
        keep: for sites whose parks have brokers of their own; a message is sent when it is kept, too. Raises
            OSError when it can't.
    """
    failures, published = 0, set[int]()
    while not stop.is_set():
        try:
            with connect() as conn:
                conn.execute(f"listen {OUTBOX_CHANNEL}".encode())
                async with _client(broker()) as client:
                    while not stop.is_set():
                        sent = await send_waiting(conn, client, now, keep, published)
                        failures = 0
                        if not sent:
                            await asyncio.to_thread(wait_for_news, conn, POLL_S)
        except (aiomqtt.MqttError, OSError, psycopg.OperationalError) as error:
            if isinstance(error, psycopg.Error) and not is_passing(error):
                raise
            log.warning("the relay is interrupted", error=str(error).strip(), attempt=failures + 1)
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1


async def send_waiting(
    conn: Connection,
    client: aiomqtt.Client,
    now: Callable[[], datetime],
    keep: Keep | None = None,
    published: set[int] | None = None,
) -> int:
    """Publish the oldest messages that wait; returns how many the broker has acknowledged.

    The database is asked in this thread: nothing else runs in its loop, and the statements are short.

    Args:
        conn: takes and marks messages.
        client: connected.
        now: for ``sent_at``.
        keep: see ``relay``.
        published: messages that the broker has acknowledged and that are not kept yet. It's updated, so that
            none is published again as long as keeping fails.

    Raises:
        aiomqtt.MqttError: the connection was lost; what had been acknowledged is marked all the same.
        OSError: ``keep`` couldn't; the same.
    """
    with conn.transaction():
        waiting = outbox.take(conn, limit=BATCH)
        if not waiting:
            return 0
        known = set[int]() if published is None else published
        fresh = [message for message in waiting if message.outbox_id not in known]
        acknowledged, failed = await _all(fresh, lambda message: _publish(client, message))
        known.update(message.outbox_id for message in acknowledged)
        sent = [message for message in waiting if message.outbox_id in known]
        if keep is not None:
            sent, not_kept = await _all(sent, keep)
            failed += not_kept
        done = [message.outbox_id for message in sent]
        outbox.mark_sent(conn, done, sent_at=now())
    known.difference_update(done)
    measures.OUTBOX_SENT.inc(len(sent))
    if failed:
        raise failed[0]
    return len(sent)


async def _all(messages: Sequence[Waiting], send: Keep) -> tuple[list[Waiting], list[BaseException]]:
    """Send each, begun in their order: those that arrived, and why others didn't."""
    results = await asyncio.gather(*(send(message) for message in messages), return_exceptions=True)
    failed = [result for result in results if isinstance(result, BaseException)]
    done = [message for message, result in zip(messages, results, strict=True) if result is None]
    return done, failed


async def _publish(client: aiomqtt.Client, message: Waiting) -> None:
    await client.publish(message.topic, message.payload, qos=message.qos, timeout=ACKNOWLEDGED_WITHIN_S)


def _client(broker: Broker) -> aiomqtt.Client:
    return aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.user,
        password=broker.password,
        identifier=f"bondwatch-relay-{uuid4().hex[:12]}",
        tls_context=broker.tls,
        keepalive=15,
        timeout=5,
        max_inflight_messages=BATCH,
        logger=None,
    )
