"""``bondwatch verify``: recompute the log and derive everything again, and name what differs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.embedded import addresses
from gateway.embedded.home import Home
from gateway.problem import Problem
from gateway.settings import Settings
from tracking.exchange.verify.report import Report
from tracking.exchange.verify.run import run

CORES: Final = os.cpu_count() or 1

app = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")]
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="HEX", help="A public key to trust; any other signature is a difference."),
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
    as_json: AsJson = False,
    key: Keys = None,
    checkpoints: Kept = None,
    processes: Processes = CORES,
) -> None:
    """Recompute the log, and derive tracks, milestones and findings again from raw events.

    Reads one snapshot of the database, writes nothing, and may run beside everything else. The exit code is 1
    when something isn't what it should be; the first differences are named.
    """
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
            trusted=_keys(key or []),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        typer.echo(msgspec.json.encode(_figures(report)).decode())
    else:
        _show(report)
    if not report.ok:
        raise typer.Exit(1)


def _keys(texts: list[str]) -> list[bytes]:
    try:
        return [bytes.fromhex(text) for text in texts]
    except ValueError:
        raise Problem(
            "--key must be a public key in hexadecimal", "see <home>/checkpoints/latest.json"
        ) from None


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
    if report.other_version:
        typer.echo(f"{report.other_version} left out: another version of the fold or the rules made them")
