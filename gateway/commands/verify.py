"""``bondwatch verify``: recompute the log and derive everything again, or check a certificate's file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.certificates import check_file, public_key
from gateway.embedded import addresses
from gateway.embedded.home import Home
from gateway.problem import Problem
from gateway.settings import Settings
from tracking.exchange.verify.report import Report
from tracking.exchange.verify.run import run

CORES: Final = os.cpu_count() or 1

app = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")]
File = Annotated[
    Path | None,
    typer.Argument(help="A certificate to check offline; needs --key.", show_default=False),
]
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="KEY", help="A public key to trust (hexadecimal, or a file); no other is."),
]
Kept = Annotated[
    Path | None,
    typer.Option(
        "--checkpoints", metavar="FOLDER", help="Checkpoint files that you kept; default: those of the home."
    ),
]
Processes = Annotated[int, typer.Option(min=1, help="That share the work; default: one a core.")]


@app.command()
def verify(
    file: File = None,
    as_json: AsJson = False,
    key: Keys = None,
    checkpoints: Kept = None,
    processes: Processes = CORES,
) -> None:
    """Recompute the log, and derive tracks, milestones and findings again from raw events.

    With a FILE: check that certificate with nothing but the file and the key; no database is opened.

    Reads one snapshot of the database, writes nothing, and may run beside everything else. The exit code is 1
    when something isn't what it should be; the first differences are named.
    """
    trusted = [public_key(text) for text in key or ()]
    if file is not None:
        _check_file(file, trusted, as_json)
        return
    settings = Settings.load()
    kept = checkpoints or Home(settings.home).checkpoints
    if checkpoints is not None and not checkpoints.is_dir():
        raise Problem(f"no folder {checkpoints}", "name one with files from <home>/checkpoints")
    console = Console(stderr=True)
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("verifying")
        report = run(
            addresses.database_dsn(settings),
            processes=processes,
            kept=kept,
            trusted=trusted,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        typer.echo(msgspec.json.encode(_figures(report)).decode())
    else:
        _show(report)
    if not report.ok:
        raise typer.Exit(1)


def _check_file(file: Path, trusted: list[bytes], as_json: bool) -> None:
    checked = check_file(file, trusted)
    if as_json:
        typer.echo(msgspec.json.encode(checked).decode())
    else:
        for difference in checked.differences:
            typer.echo(f"{typer.style('DIFFERS', fg='red')}  {difference}")
        typer.echo(
            f"{checked.shipment}: {checked.ledger_entries} ledger entries, {checked.rows} rows of the log,"
            f" {checked.events} events, {checked.findings} findings: {len(checked.differences)} differences"
        )
    if not checked.ok:
        raise typer.Exit(1)


def _figures(report: Report) -> dict[str, object]:
    return {
        "ok": report.ok,
        "shipments": report.shipments,
        "leaves": report.leaves,
        "checkpoints": report.checkpoints,
        "observations": report.observations,
        "differences": report.first(),
        "differing": len(report.differences),
        "unlogged": report.unlogged,
        "waiting": report.waiting,
        "other_version": report.other_version,
        "dropped": report.dropped,
        "underived": report.underived,
    }


def _show(report: Report) -> None:
    for difference in report.first():
        typer.echo(
            f"{typer.style('DIFFERS', fg='red')}  {difference.table} {difference.key}: {difference.says}"
        )
    typer.echo(
        f"{report.observations} observations, {report.shipments} shipments, {report.leaves} leaves under"
        f" {report.checkpoints} checkpoints: {len(report.differences)} differences"
    )
    if report.unlogged:
        typer.echo(f"{report.unlogged} rows have no leaf yet; the judge appends them within seconds")
    if report.waiting:
        typer.echo(f"{report.waiting} devices and shipments left out: the judge has yet to look at them")
    if report.dropped:
        typer.echo(
            f"{report.dropped} events were dropped because of their age; their batches' roots hold, and"
            f" {report.underived} devices and shipments can't be derived from them again"
        )
    if report.other_version:
        typer.echo(f"{report.other_version} left out: another version of the fold or the rules made them")
