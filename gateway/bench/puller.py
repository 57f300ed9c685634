"""The floor's reader, a process of its own: pulls every message of a stream and does nothing with it.

python -m gateway.bench.puller nats://127.0.0.1:4222 100000
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Final

from natsrpy import Nats
from natsrpy.js import AckPolicy, DeliverPolicy, PullConsumerConfig

from gateway.sources import stream
from gateway.subjects import STREAM

FETCH: Final = 1000
IDLE_S: Final = 0.25


async def pull(server: str, messages: int) -> None:
    """Make the stream as the gateway would, say so, and pull until ``messages`` have come."""
    client = Nats(addrs=[server])
    await client.startup()

    async def request(subject: str, payload: bytes) -> bytes:
        return (await client.request(subject, payload)).payload

    await stream.ensure_stream(request, stream.Keep())
    consumers = (await (await client.jetstream()).streams.get(STREAM)).consumers
    consumer = await consumers.create(
        PullConsumerConfig(
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.NONE,
            memory_storage=True,
            num_replicas=1,
        )
    )
    print("ready", flush=True)
    seen = 0
    while seen < messages:
        seen += len(await consumer.fetch(max_messages=FETCH, expires=IDLE_S))
    print("done", flush=True)
    sys.stdin.readline()  # whoever measures us asks first what we spent
    os._exit(0)  # the client's own threads don't survive the interpreter's end; nothing of ours is left to do


if __name__ == "__main__":
    asyncio.run(pull(sys.argv[1], int(sys.argv[2])))
