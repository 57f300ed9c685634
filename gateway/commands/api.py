"""``bondwatch api``: the HTTP API and the pages, in one process."""

from __future__ import annotations

import socket
from collections.abc import Callable

import typer
import uvicorn

from devices.observation import moment
from gateway import process
from gateway.clock import open_clock
from gateway.embedded import addresses
from gateway.embedded.home import Home
from gateway.settings import Settings
from gateway.signing import signer_at_hand
from tracking.api.access import key_hash
from tracking.api.app import create_app, utc_now
from tracking.console import pages
from tracking.store import registry
from tracking.store.database import connect

ADMIN_KEY = "api_admin_key"

app = typer.Typer()


class Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()


@app.command()
def api() -> None:
    """Serve the HTTP API and the pages until told to stop."""
    running = process.begin("api")
    settings = running.settings
    dsn = addresses.database_dsn(settings)
    let_admin_in(settings, dsn)
    clock = open_clock(settings.clock_file)
    application = create_app(
        dsn, now=lambda: moment(clock.now_us()), signer=signer_at_hand(Home(settings.home))
    )
    pages.mount(application)
    config = uvicorn.Config(
        application,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    Server(config, running.metrics.ready).run()


def let_admin_in(settings: Settings, dsn: str) -> None:
    """Let the key that the first start generated into the database, as its hash."""
    if not Home(settings.home).secret_file(ADMIN_KEY).exists():
        return  # an API of its own machine: its keys are in the database already
    with connect(dsn, application="bondwatch-api") as conn:
        registry.add_key(conn, "admin", key_hash(Home(settings.home).secret(ADMIN_KEY)), utc_now())
