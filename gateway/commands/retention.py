"""``bondwatch retention``: drop old movement that is nobody's evidence; what is left proves what it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from devices.observation import moment
from gateway.clock import open_clock
from gateway.embedded import addresses
from gateway.pipeline.limits import Limits
from gateway.problem import Problem
from gateway.settings import Settings
from tracking.store import partitions, retention
from tracking.store.database import connect

SYSTEM: Final = "bondwatch retention"

app = typer.Typer()

Moment = Annotated[str, typer.Option(metavar="MOMENT", help="RFC 3339; weeks that end by then.")]


@app.command("retention")
def retention_(
    before: Moment,
    evidence_before: Annotated[
        str | None,
        typer.Option(metavar="MOMENT", help="The same for evidence that an archive holds; default: none."),
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Do it; without, only say what would go.")] = False,
    by: Annotated[str, typer.Option(help="Who decides; stands in the log.")] = SYSTEM,
) -> None:
    """Drop the events of old weeks. What shipments rest on stays, until an archive holds it and you say so.

    Neither moment may be younger than the floor below which arrivals are refused (400 days).
    """
    settings = Settings.load()
    now = moment(open_clock(settings.clock_file).now_us())
    floor = now - timedelta(microseconds=Limits().floor_us)
    limits = [_moment(before, "--before"), None]
    if evidence_before is not None:
        limits[1] = _moment(evidence_before, "--evidence-before")
    if any(limit is not None and limit > floor for limit in limits):
        raise Problem(
            f"events may still arrive from {floor:%Y-%m-%d} on: what is younger can't be dropped",
            "name an earlier moment",
        )
    table = Table("week", "devices dropped", "kept: evidence", "kept: a fold may need it", "events dropped")
    with connect(addresses.database_dsn(settings), application="bondwatch-retention") as conn:
        assert limits[0] is not None
        for week in retention.plan(conn, before=limits[0], evidence_before=limits[1], floor=floor):
            events = str(retention.drop(conn, week, by=by, now=now)) if drop else "-"
            counts = [str(len(some)) for some in (week.going, week.evidence, week.needed)]
            table.add_row(f"{week.begins:%Y-%m-%d}", *counts, events)
        if drop:
            partitions.drop_empty(conn, limits[0])
    Console().print(table if table.row_count else "nothing is that old")
    if table.row_count and not drop:
        typer.echo("nothing was dropped; --drop does it", err=True)


def _moment(text: str, option: str) -> datetime:
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise Problem(f"{option}: {text!r} is no moment", "2024-01-01, or RFC 3339") from None
    return given if given.tzinfo is not None else given.replace(tzinfo=UTC)
