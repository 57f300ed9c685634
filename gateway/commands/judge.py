"""``bondwatch judge``: one judging process, from its settings to its end.

Six threads, each with a connection of its own: gates, where somebody waits; shipments and due moments;
re-folds, so that a long one holds nothing up; the relay of alerts and commands; upkeep; the log and its
checkpoints. One that ends takes the process with it, and the supervisor starts it again. Any number of such
processes may run.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import ssl
import threading
from collections.abc import Callable
from datetime import datetime

import structlog
import typer

from devices.observation import moment
from gateway import process
from gateway.clock import open_clock
from gateway.embedded import addresses
from gateway.embedded.home import Home
from gateway.problem import Problem
from gateway.settings import Settings
from gateway.signing import signer
from gateway.sources.downlink import Downlink
from tracking.judge import checkpoints, loop, upkeep
from tracking.judge.checkpoints import Checkpointer
from tracking.judge.containing import Containing
from tracking.judge.deciding import Deciding
from tracking.judge.judging import Judging
from tracking.judge.passing import Passing
from tracking.judge.refolding import Refolding
from tracking.judge.relay import Broker, relay
from tracking.store.database import Connection, connect

app = typer.Typer()
log = structlog.get_logger()


@app.command()
def judge() -> None:
    """Judge custody by what is recorded, until told to stop (SIGTERM finishes what is under way)."""
    running = process.begin("judge")
    settings = running.settings
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())

    def open_connection() -> Connection:
        return connect(addresses.database_dsn(settings), application=f"bondwatch-{running.name}")

    clock = open_clock(settings.clock_file)

    def utc_now() -> datetime:
        return moment(clock.now_us())

    home = Home(settings.home).prepare()
    checkpointer = Checkpointer(signer(home), home.checkpoints)

    async def relay_all() -> None:
        if settings.broker_url is None or settings.source == "mqtt":
            await relay(open_connection, brokers(settings), stop, utc_now)
            return
        async with contextlib.aclosing(downlink(settings)) as parks:
            await relay(open_connection, brokers(settings), stop, utc_now, parks.keep)

    failed = run_together(
        stop,
        {
            "judging": lambda: loop.run(
                open_connection,
                [Containing(), Judging(), Passing()],
                stop,
                utc_now,
                on_ready=running.metrics.ready,
            ),
            "gates": lambda: loop.run(open_connection, [Deciding()], stop, utc_now),
            "refolding": lambda: loop.run(open_connection, [Refolding()], stop, utc_now),
            "relay": lambda: asyncio.run(relay_all()),
            "upkeep": lambda: upkeep.run(open_connection, stop, utc_now),
            "log": lambda: checkpoints.run(open_connection, checkpointer, stop, utc_now),
        },
    )
    if failed:
        raise Problem(f"judging ended by itself: {', '.join(failed)}", "the log above says why")
    log.info("stopped")


def run_together(stop: threading.Event, parts: dict[str, Callable[[], None]]) -> list[str]:
    """Run each part in a thread until all have ended; the first that fails ends the others. Returns who
    failed.
    """
    failed: list[str] = []

    def run(name: str, part: Callable[[], None]) -> None:
        try:
            part()
        except Exception:
            failed.append(name)
            log.exception("a part of the judge failed", part=name)
        finally:
            stop.set()

    threads = [
        threading.Thread(target=run, args=(name, part), name=name, daemon=True)
        for name, part in parts.items()
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for thread in threads:
            thread.join(0.2)
    return failed


def brokers(settings: Settings) -> Callable[[], Broker]:
    """Where alerts and commands go: the next one each time it is asked, so that a server that is gone is left
    behind. Asked anew for the embedded one, which may have moved.
    """
    turns = itertools.count()

    def following() -> Broker:
        found = addresses.mqtt_brokers(settings, "judge")
        address = found[next(turns) % len(found)]
        tls = ssl.create_default_context(cafile=address.ca_file) if address.tls else None
        return Broker(address.host, address.port, address.user, address.password, tls)

    return following


def downlink(settings: Settings) -> Downlink:
    """Where alerts and commands wait for parks with a leaf node."""
    servers = addresses.brokers(settings, "judge")
    return Downlink(
        [one.url for one in servers],
        user=servers[0].user,
        password=servers[0].password,
        replicas=settings.stream_replicas,
    )
