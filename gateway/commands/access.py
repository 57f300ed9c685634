"""``bondwatch access``: says who may connect, beside the NATS server of a park with a leaf node.

At the hub the gateways answer that question. A park answers it itself, so that its devices get in while the
uplink is cut: it keeps the list of its own devices in a file of its data directory.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated, Final

import structlog
import typer

from gateway import process
from gateway.access.callout import AuthCallout
from gateway.access.known import KnownDevices
from gateway.embedded import addresses
from gateway.embedded.home import Home
from gateway.process import Running

KEPT_FILE: Final = "known-devices"

app = typer.Typer()
log = structlog.get_logger()


@app.command()
def access(park: Annotated[str, typer.Option(help="The park; only its devices are let in.")]) -> None:
    """Answer the park's NATS server when it asks who may connect, until told to stop."""
    asyncio.run(serve(process.begin("access"), park))


async def serve(running: Running, park: str) -> None:
    """Answer until told to stop."""
    home = Home(running.settings.home)
    servers = addresses.brokers(running.settings, "access")
    known = KnownDevices(addresses.database_dsn(running.settings), park=park, kept=home.path / KEPT_FILE)
    callout = await AuthCallout.start(
        [one.url for one in servers],
        password=home.secret("nats_access_password"),
        issuer_seed=home.secret("nats_issuer_seed"),
        known=known,
    )
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    running.metrics.ready()
    log.info("answering", park=park, devices=len(known))
    await stopping.wait()
    await callout.close()
    log.info("stopped", park=park)
