"""``bondwatch gateway``: one recording worker, from its settings to its end."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

import structlog
import typer

from gateway import process
from gateway.access.callout import AuthCallout
from gateway.access.known import KnownDevices
from gateway.clock import Clock, SimulatedClock, open_clock
from gateway.embedded import addresses
from gateway.embedded.addresses import BrokerAddress
from gateway.embedded.home import Home
from gateway.pipeline import metrics
from gateway.pipeline.batch import Source
from gateway.pipeline.reference import read_reference
from gateway.pipeline.road import Road
from gateway.pipeline.tools import Tools
from gateway.process import Running
from gateway.service import Worker
from gateway.settings import Settings
from gateway.sources.leases import retire_others
from gateway.sources.simulated import SimulatedPartitionLeases, SimulatedSessionLeases, SimulatedSource
from tracking.store.database import Connection, connect

IDLE_IN_TRANSACTION_S = 2.0
"""Less than a lease: a worker that is stopped in mid-batch frees its rows before another takes over."""

MAX_BATCH = 1000
"""Messages. A batch grows under load; beyond this it only makes the database's work come in larger lumps."""

MAX_BYTES = 2 << 20
"""Of payload, held twice: one batch under way, one ahead. After an outage the messages are long arrays, and
a batch must be folded well within ``IDLE_IN_TRANSACTION_S``: 8 MiB of positions take a fast machine 1.7 s."""

CLIENT_PREFIX: Final = "bondwatch-gateway-"

app = typer.Typer()
log = structlog.get_logger()


@app.command()
def gateway() -> None:
    """Record what devices publish, until told to stop (SIGTERM finishes the batch under way)."""
    asyncio.run(serve(process.begin("gateway")))


async def serve(running: Running) -> None:
    """Open everything, work, close everything in the opposite order."""
    settings, worker_id = running.settings, unique_id(running.name)
    dsn = addresses.database_dsn(settings)

    def open_connection() -> Connection:
        name = f"bondwatch-{running.name}"
        return connect(dsn, application=name, idle_in_transaction_s=IDLE_IN_TRANSACTION_S)

    async with AsyncExitStack() as stack:
        connection = open_connection()
        tools = Tools(worker_id, connection, read_reference(connection))
        clock = open_clock(settings.clock_file)
        road = Road(tools, connect=open_connection, now_us=clock.now_us)
        stack.callback(road.close)
        source = await open_source(settings, dsn, worker_id)
        stack.push_async_callback(source.close)
        if settings.source == "jetstream":
            callout = await open_callout(settings, dsn)
            stack.push_async_callback(callout.close)
        retiring = asyncio.create_task(retire_others(dsn, settings.source), name="retire-others")
        stack.callback(retiring.cancel)
        worker = Worker(source, road)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, worker.stop)
        running.metrics.ready()
        log.info("recording", worker=worker_id, source=settings.source, devices=len(tools.reference.devices))
        await worker.run()
        log.info("stopped", worker=worker_id)


async def open_source(settings: Settings, dsn: str, worker: str) -> Source:
    """The source that the settings name. Its library is imported only when it is used."""
    servers = addresses.brokers(settings, "gateway")
    clock = None if settings.clock_file is None else SimulatedClock(settings.clock_file)
    if settings.source == "mqtt":
        source = await _open_mqtt(servers[0], dsn, worker, clock)
    else:
        source = await _open_jetstream(servers, settings, dsn, worker, clock)
    return source if clock is None else SimulatedSource(source, clock)


async def _open_jetstream(
    servers: Sequence[BrokerAddress], settings: Settings, dsn: str, worker: str, clock: Clock | None
) -> Source:
    from gateway.sources import jetstream, stream  # noqa: PLC0415 - see above
    from gateway.sources.leases import PartitionLeases  # noqa: PLC0415

    keep = stream.Keep(
        age=timedelta(days=settings.stream_max_age_days),
        max_bytes=round(settings.stream_max_gib * (1 << 30)),
        replicas=settings.stream_replicas,
    )
    leases = PartitionLeases(dsn, jetstream.NAME, worker)
    if clock is not None:
        leases = SimulatedPartitionLeases(dsn, jetstream.NAME, worker, clock=clock)
    source = await jetstream.JetStreamSource.open(
        [one.url for one in servers],
        leases,
        user=servers[0].user,
        password=servers[0].password,
        keep=keep,
        max_batch=MAX_BATCH,
        max_bytes=MAX_BYTES,
    )
    metrics.OVERRAN.set_function(lambda: source.overran)
    return source


async def _open_mqtt(address: BrokerAddress, dsn: str, worker: str, clock: Clock | None) -> Source:
    from gateway.sources.leases import SessionLeases  # noqa: PLC0415 - see above
    from gateway.sources.mqtt import MqttSource  # noqa: PLC0415
    from gateway.sources.mqtt_link import Address  # noqa: PLC0415

    tls = ssl.create_default_context(cafile=address.ca_file) if address.tls else None
    leases = SessionLeases(dsn, worker, prefix=CLIENT_PREFIX)
    if clock is not None:
        leases = SimulatedSessionLeases(dsn, worker, prefix=CLIENT_PREFIX, clock=clock)
    mqtt = Address(address.host, address.port, address.user, address.password, tls)
    return await MqttSource.open(mqtt, leases, max_batch=MAX_BATCH, max_bytes=MAX_BYTES)


async def open_callout(settings: Settings, dsn: str) -> AuthCallout:
    """Answer NATS when it asks who may connect."""
    home = Home(settings.home)
    return await AuthCallout.start(
        [one.url for one in addresses.brokers(settings, "access")],
        password=home.secret("nats_access_password"),
        issuer_seed=home.secret("nats_issuer_seed"),
        known=KnownDevices(dsn),
    )


def unique_id(name: str) -> str:
    """A worker's id: for people where and which it is, and never the same for two starts."""
    return f"{name}@{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
