"""``bondwatch doctor``: what is wrong here, and what to do."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
import psycopg
import typer

from gateway.doctor import database, machine, mqtt, running, stream
from gateway.doctor.finding import Finding, Level, fine
from gateway.embedded import addresses
from gateway.embedded.home import Endpoints, Home
from gateway.problem import Problem
from gateway.settings import Settings
from tracking.store.database import connect

app = typer.Typer()

SIGNS = {Level.FINE: ("ok  ", "green"), Level.WARNING: ("warn", "yellow"), Level.FAILURE: ("FAIL", "red")}

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")]
MosquittoConf = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Mosquitto's configuration, to look at its queue and autosave."),
]


@app.command()
def doctor(as_json: AsJson = False, mosquitto_conf: MosquittoConf = None) -> None:
    """Look at machine, ports, disk, clock, broker, database and stream, and say what to do.

    The exit code is 1 when something doesn't work; warnings leave it at 0.
    """
    settings = Settings.load()
    findings = []
    for finding in examine(settings, mosquitto_conf):
        findings.append(finding)
        if not as_json:
            show(finding)
    failures = sum(finding.level is Level.FAILURE for finding in findings)
    warnings = sum(finding.level is Level.WARNING for finding in findings)
    if as_json:
        typer.echo(msgspec.json.encode({"healthy": failures == 0, "findings": findings}).decode())
    else:
        typer.echo(f"\n{failures} failures, {warnings} warnings")
    if failures:
        raise typer.Exit(1)


def examine(settings: Settings, mosquitto_conf: Path | None = None) -> Iterator[Finding]:
    """Look at everything that can be looked at now."""
    home = Home(settings.home)
    found: Endpoints | None = None
    with suppress(Problem):
        found = home.endpoints()
    yield from machine.look(settings, home, running=found is not None)
    if found is None:
        yield fine("parts", f"nothing runs on {settings.home}; `bondwatch up` starts it")
    else:
        yield from running.look(found)
    dsn = None
    if settings.database_dsn is not None or (found is not None and found.database_dsn):
        dsn = addresses.database_dsn(settings)
        yield from database.look(dsn, embedded=settings.database_dsn is None)
    if settings.broker_url is None and (found is None or found.nats is None):
        return
    servers = addresses.brokers(settings, "doctor")
    if servers[0].kind == "mqtt":
        yield from mqtt.look(servers[0], mosquitto_conf)
        return
    try:
        conn = connect(dsn, application="bondwatch-doctor") if dsn else None
    except psycopg.OperationalError:
        conn = None  # said above
    yield from stream.look(servers, conn)
    if conn is not None:
        conn.close()


def show(finding: Finding) -> None:
    """One finding for a person."""
    word, colour = SIGNS[finding.level]
    typer.echo(f"{typer.style(word, fg=colour)}  {finding.subject:<12} {finding.says}")
    if finding.advice:
        typer.echo(f"{'':<19}{finding.advice}")
