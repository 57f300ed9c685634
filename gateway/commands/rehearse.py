"""``bondwatch rehearse``: proposed terms, rules or places against the recorded past."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.embedded import addresses
from gateway.problem import Problem
from gateway.settings import Settings
from tracking.domain.custody.terms import TermsError
from tracking.exchange.rehearsal.compare import Alert
from tracking.exchange.rehearsal.proposal import Proposal, ProposalError, areas_of
from tracking.exchange.rehearsal.run import NoShipment, Rehearsed
from tracking.exchange.rehearsal.run import rehearse as run
from tracking.store.database import connect

SITE: Final = ZoneInfo("Asia/Shanghai")

app = typer.Typer()


@app.command()
def rehearse(
    since: Annotated[
        str,
        typer.Option(metavar="TIME", help="From when on: 2026-03-10T08:00+08:00."),
    ],
    terms: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Terms as JSON; without legs: changes to what each shipment has."),
    ] = None,
    zones: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Zones and corridors as GeoJSON."),
    ] = None,
    shipment: Annotated[
        list[str] | None,
        typer.Option(metavar="NUMBER", help="Only this one; repeatable. Default: all under custody since."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Run proposed terms or zones against the recorded past: which alerts would appear, which would vanish.

    Reads one snapshot, and never writes anything.
    """
    if (terms is None) == (zones is None):
        raise Problem("say what is proposed", "give either --terms FILE or --zones FILE")
    moment = _moment(since)
    proposal = _proposal(moment, terms, zones)
    if proposal.terms is not None and not proposal.is_patch and not shipment:
        raise Problem(
            "whole terms are one shipment's", "name it with --shipment, or leave out the legs to change all"
        )
    console = Console(stderr=True)
    columns = (TextColumn("rehearsing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        connect(addresses.database_dsn(Settings.load()), application="bondwatch-rehearse") as conn,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("rehearsing", total=None)
        try:
            found = run(
                conn,
                proposal,
                shipment or (),
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        except NoShipment as error:
            raise Problem(f"no shipment {error}") from None
        except TermsError as error:
            raise Problem(
                f"{terms}: {error.pointer or '/'}: {error.detail}", "bondwatch terms validate"
            ) from None
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        _show(found)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Problem(f'--since: "{text}" is no time', "write it like 2026-03-10T08:00+08:00") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=SITE)


def _proposal(since: datetime, terms: Path | None, zones: Path | None) -> Proposal:
    if terms is not None:
        return Proposal(since, terms=_json(terms))
    assert zones is not None
    try:
        return Proposal(since, areas=areas_of(_json(zones), since))
    except ProposalError as error:
        raise Problem(f"{zones}: {error}") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise Problem(f"{path}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Problem(f"{path}: must be a JSON object")
    return found


def _show(found: Rehearsed) -> None:
    for alert in found.appear:
        typer.echo(typer.style("+ ", fg="red") + _line(alert))
    for alert in found.vanish:
        typer.echo(typer.style("- ", fg="green") + _line(alert))
    for changed in found.changed:
        typer.echo(typer.style("~ ", fg="yellow") + _line(changed.standing))
        typer.echo("  " + _line(changed.proposed))
    typer.echo(
        f"{found.shipments} shipments: {len(found.appear)} alerts would appear, {len(found.vanish)} vanish,"
        f" {len(found.changed)} change, {found.same} stay. Nothing was written."
    )


def _line(alert: Alert) -> str:
    begins = f"{alert.opened_at.astimezone(SITE):%Y-%m-%d %H:%M:%S}"
    ends = "open" if alert.closed_at is None else f"{alert.closed_at.astimezone(SITE):%Y-%m-%d %H:%M:%S}"
    return f"{alert.shipment}  {alert.rule}  {alert.severity}  {alert.cause}  {begins} to {ends}"
