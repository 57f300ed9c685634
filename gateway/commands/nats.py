"""``bondwatch nats``: NATS servers of your own. Who may connect, and parks with a leaf node.

The servers' configurations are files in ``deploy/nats``; what is written here are the files that they
include, because these hold secrets (mode 0600).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import nats
import nats.errors
import nkeys
import typer
from nats.aio.client import Client

from gateway.access.nats_config import nats_accounts, nats_routes
from gateway.embedded import addresses
from gateway.embedded.home import Home
from gateway.problem import Problem
from gateway.settings import Settings
from gateway.sources import edge
from gateway.sources.stream import Keep, Refused, Requester

ACCOUNTS_FILE: Final = "accounts.conf"
ROUTES_FILE: Final = "routes.conf"
LEAF_KEY_FILE: Final = "leaf-key.conf"

CONNECT_S: Final = 5

app = typer.Typer(no_args_is_help=True, help="NATS servers of your own: accounts, parks with a leaf node.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Where the server's configuration is.")]
Park = Annotated[str, typer.Argument(metavar="PARK", help="The park's code; its leaf node's domain.")]


@app.command()
def hub(
    folder: Folder,
    server: Annotated[
        list[str],
        typer.Option(metavar="HOST:PORT", help="A server's cluster port; name every one, this one too."),
    ],
    leaf: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PARK=KEY",
            envvar="NATS_LEAF_KEYS",
            help="A park's leaf node and its key; may be repeated.",
        ),
    ] = None,
) -> None:
    """Write accounts.conf and routes.conf for the servers of the hub, which all take the same two.

    The secrets in them are those of this data directory.
    """
    home = Home(Settings.load().home).prepare()
    leaves = dict(_leaf(one) for one in leaf or [])
    _write(folder / ACCOUNTS_FILE, nats_accounts(home.secret, leaves))
    _write(folder / ROUTES_FILE, nats_routes(home.secret("nats_route_password"), server))
    typer.echo(f"written: {folder / ACCOUNTS_FILE}, {folder / ROUTES_FILE}; nats-server --signal reload")


@app.command()
def leaf(park: Park, folder: Folder) -> None:
    """Write accounts.conf and leaf-key.conf for a park's leaf node, and say its public key.

    Run it at the park, with a data directory of the park's own: no secret leaves either side.
    """
    _check_park(park)
    home = Home(Settings.load().home).prepare()
    seed = home.secret("nats_leaf_seed")
    _write(folder / ACCOUNTS_FILE, nats_accounts(home.secret))
    _write(folder / LEAF_KEY_FILE, f"nkey: {json.dumps(seed)}\n")
    public = nkeys.from_seed(seed.encode()).public_key.decode()
    typer.echo(f"{park}={public}")


@app.command()
def join(park: Park) -> None:
    """Make a park's streams and fetch its events into the hub's. Repeat it at will.

    Run it where the gateways run, while the park's leaf node is connected.
    """
    _check_park(park)
    settings = Settings.load()
    keep = Keep(
        age=timedelta(days=settings.stream_max_age_days), max_bytes=round(settings.stream_max_gib * (1 << 30))
    )
    asyncio.run(_join(settings, park, keep))
    typer.echo(f"the events of {park} are fetched; commands and alerts go down")


@app.command()
def leave(park: Park) -> None:
    """Fetch nothing more from a park. What waits there stays there."""
    _check_park(park)
    if not asyncio.run(_leave(Settings.load(), park)):
        raise Problem(f"{park} is not joined", "bondwatch nats join PARK joins one")
    typer.echo(f"nothing more is fetched from {park}")


async def _join(settings: Settings, park: str, keep: Keep) -> None:
    client = await _connect(settings)
    try:
        await edge.join(_requester(client), park, keep, replicas=settings.stream_replicas)
    except (nats.errors.NoRespondersError, nats.errors.TimeoutError):
        raise Problem(
            f"the leaf node of {park} doesn't answer",
            f"does it run, with NATS_NAME={park}, and does its log say that it is connected to the hub?",
        ) from None
    except Refused as refused:
        raise Problem(str(refused), "bondwatch doctor looks at the hub's stream") from None
    finally:
        await client.close()


async def _leave(settings: Settings, park: str) -> bool:
    client = await _connect(settings)
    try:
        return await edge.leave(_requester(client), park)
    finally:
        await client.close()


async def _connect(settings: Settings) -> Client:
    servers = addresses.brokers(settings, "gateway")
    if servers[0].kind != "nats":
        raise Problem("the broker is not NATS", "leaf nodes are a thing of NATS: set BONDWATCH_BROKER_URL")
    try:
        return await nats.connect(
            [one.url for one in servers],
            user=servers[0].user,
            password=servers[0].password,
            name="bondwatch-nats",
            allow_reconnect=False,
            connect_timeout=CONNECT_S,
        )
    except (OSError, nats.errors.Error) as error:
        raise Problem(f"NATS doesn't answer: {error}", "bondwatch doctor") from None


def _requester(client: Client) -> Requester:
    async def request(subject: str, payload: bytes) -> bytes:
        answer: bytes = (await client.request(subject, payload, timeout=CONNECT_S)).data
        return answer

    return request


def _leaf(text: str) -> tuple[str, str]:
    park, _, key = text.partition("=")
    _check_park(park)
    if not re.fullmatch(r"U[A-Z2-7]{55}", key):
        raise Problem(f'"{text}" is no leaf node', "PARK=KEY, as `bondwatch nats leaf PARK DIR` says it")
    return park, key


def _check_park(park: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", park):
        raise Problem(f'"{park}" is no code of a park', "1 to 64 letters, digits, - and _")


def _write(path: Path, text: str) -> None:
    """All or nothing, and never readable by others."""
    if not path.parent.is_dir():
        raise Problem(f"no directory {path.parent}", "make it first: nats-server reads its files there")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.rename(path)
