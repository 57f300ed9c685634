"""``bondwatch archive DIR``: closed shipments with all their evidence, as files that need no database."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from devices.observation import moment
from gateway.archive import folder, parquet
from gateway.certificates import public_key
from gateway.clock import Clock, open_clock
from gateway.embedded import addresses
from gateway.embedded.home import Home
from gateway.problem import Problem
from gateway.settings import Settings
from gateway.signing import signer_at_hand
from tracking.domain.ledger.certificate import Certificate
from tracking.domain.ledger.checkpoint import Signer
from tracking.exchange.certificate import NotYetSigned, make
from tracking.store import archive
from tracking.store.database import Connection, connect

SYSTEM: Final = "bondwatch archive"
PATIENCE_S: Final = 20.0

app = typer.Typer()


@app.command("archive")
def archive_(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where archives are kept.")],
    before: Annotated[
        str | None, typer.Option(metavar="MOMENT", help="Shipments closed before; default: now.")
    ] = None,
    by: Annotated[str, typer.Option(help="Who archives; stands in the log.")] = SYSTEM,
    check: Annotated[
        bool, typer.Option("--check", help="Check what is there; no database is opened.")
    ] = False,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="With --check: the public key to trust.")
    ] = None,
) -> None:
    """Write closed shipments to Parquet, each with its certificate. Ended at any moment, it goes on again.

    Only what an archive holds may be dropped here later (bondwatch retention --evidence-before).
    """
    parquet.require()
    if check:
        _check(directory, key)
        return
    settings = Settings.load()
    clock = open_clock(settings.clock_file)
    limit = moment(clock.now_us()) if before is None else _moment(before)
    signer = signer_at_hand(Home(settings.home))
    with connect(addresses.database_dsn(settings), application="bondwatch-archive") as conn:
        waiting = archive.waiting(conn, limit)
        for one in waiting:
            written = folder.write(
                conn,
                directory,
                one,
                lambda number=one.number: _certificate(conn, number, clock, signer),  # type: ignore[misc]
                moment(clock.now_us()),
            )
            archive.add(
                conn,
                one.shipment_id,
                digest=written.digest,
                events=written.events,
                by=by,
                taken_at=written.taken_at,
                at=moment(clock.now_us()),
            )
            typer.echo(f"{written.folder}: {written.events} events")
    if not waiting:
        typer.echo("no closed shipment waits to be archived", err=True)


def _check(directory: Path, key: str | None) -> None:
    trusted = None if key is None else public_key(key)
    folders = sorted(path.parent for path in directory.glob(f"*/[!.]*/{folder.MANIFEST}"))
    if not folders:
        raise Problem(f"{directory} holds no archive", "name the directory that bondwatch archive wrote to")
    wrong = 0
    for one in folders:
        for says in folder.check(one, trusted):
            typer.echo(f"{typer.style('DIFFERS', fg='red')}  {one}: {says}")
            wrong += 1
    typer.echo(f"{len(folders)} archives: {wrong} differences")
    if trusted is None:
        typer.echo("certificates were not checked: give --key", err=True)
    if wrong:
        raise typer.Exit(1)


def _certificate(conn: Connection, number: str, clock: Clock, signer: Signer | None) -> Certificate:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return make(conn, number, moment(clock.now_us()), signer)
        except NotYetSigned as waiting:
            if time.monotonic() > deadline:
                raise Problem(str(waiting), "is the judge running?  bondwatch doctor") from None
            time.sleep(0.5)


def _moment(text: str) -> datetime:
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise Problem(f"--before: {text!r} is no moment", "2024-01-01, or RFC 3339") from None
    return given if given.tzinfo is not None else given.replace(tzinfo=UTC)
