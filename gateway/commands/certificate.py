"""``bondwatch certificate``: a shipment's certificate, written to a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from devices.observation import moment
from gateway.clock import open_clock
from gateway.embedded import addresses
from gateway.embedded.home import Home
from gateway.problem import Problem
from gateway.settings import Settings
from gateway.signing import signer_at_hand
from tracking.domain.ledger.certificate import Certificate
from tracking.exchange.certificate import NotYetSigned, Unknown, make
from tracking.store.database import connect

PATIENCE_S: Final = 20.0
"""Twice the longest time until the newest entries stand below a signed head."""

app = typer.Typer()


@app.command()
def certificate(
    number: Annotated[str, typer.Argument(help="The shipment's number.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to; default: standard output.")
    ] = None,
) -> None:
    """Write a shipment's certificate: what `bondwatch verify FILE --key K` checks without our database.

    Waits some seconds when the newest entries aren't below a signed head yet.
    """
    settings = Settings.load()
    clock = open_clock(settings.clock_file)
    made = _make(settings, number, lambda: moment(clock.now_us()))
    body = msgspec.json.format(msgspec.json.encode(made)).decode()
    if out is None:
        typer.echo(body)
        return
    out.write_text(body + "\n", encoding="utf-8")
    typer.echo(
        f"{out}: {made.ledger_entries} ledger entries, {len(made.rows)} rows of the log,"
        f" {len(made.events)} events\n"
        f"check it:  bondwatch verify {out} --key {made.checkpoint.public_key}"
    )


def _make(settings: Settings, number: str, now: Callable[[], datetime]) -> Certificate:
    signer = signer_at_hand(Home(settings.home))
    deadline = time.monotonic() + PATIENCE_S
    with connect(addresses.database_dsn(settings), application="bondwatch-certificate") as conn:
        while True:
            try:
                return make(conn, number, now(), signer)
            except Unknown:
                hint = "the numbers are on the page and in /v1/shipments"
                raise Problem(f"no shipment {number}", hint) from None
            except NotYetSigned as waiting:
                if time.monotonic() > deadline:
                    raise Problem(str(waiting), "is the judge running?  bondwatch doctor") from None
                time.sleep(0.5)
