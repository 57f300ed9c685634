"""``bondwatch rejections``: what couldn't be taken, why, and to try it again."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from devices.messages import REJECTION_REASONS
from devices.topics import events_topic
from gateway.clock import open_clock
from gateway.commands.gateway import unique_id
from gateway.embedded import addresses
from gateway.pipeline.reference import read_reference
from gateway.pipeline.replay import Replayed, replay
from gateway.pipeline.road import Road
from gateway.pipeline.tools import Tools
from gateway.problem import Problem
from gateway.settings import Settings
from tracking.store import rejections
from tracking.store.database import Connection, connect
from tracking.store.rejections import Rejection, Summary

app = typer.Typer(no_args_is_help=True, help="List, show and replay what couldn't be taken.")

Reason = Annotated[str | None, typer.Option(help="Only of this reason, for instance future.")]
Device = Annotated[str | None, typer.Option(help="Only of this device, for instance SIP/TRK-001.")]
Json = Annotated[bool, typer.Option("--json", help="JSON for machines, one object a line.")]
Id = Annotated[int, typer.Argument(help="As `bondwatch rejections list` shows it.")]


@app.command("list")
def list_(
    reason: Reason = None,
    device: Device = None,
    waiting: Annotated[bool, typer.Option(help="Only those that were not replayed.")] = False,
    before: Annotated[int | None, typer.Option(help="Continue a list before this id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: Json = False,
) -> None:
    """Show what couldn't be taken, newest first."""
    with _connect() as conn:
        found = rejections.listed(
            conn,
            reason=_known(reason),
            topic=_topic(device),
            waiting=waiting,
            before=before,
            limit=limit,
        )
    if as_json:
        for summary in found:
            typer.echo(json.dumps(summary._asdict(), default=_iso, ensure_ascii=False))
    elif found:
        Console().print(_table(found))
    else:
        typer.echo("no rejections")


@app.command()
def show(rejection_id: Id, as_json: Json = False) -> None:
    """Show one rejection whole: its bytes as they came, its reason, its times."""
    with _connect() as conn:
        rejection = _whole(conn, rejection_id)
    shown = rejection._asdict() | {"payload": rejection.payload.decode(errors="backslashreplace")}
    shown["what_to_do"] = REJECTION_REASONS.get(rejection.reason, "")
    if as_json:
        typer.echo(json.dumps(shown, default=_iso, ensure_ascii=False))
        return
    for name, value in shown.items():
        if value not in (None, {}, ""):
            typer.echo(f"{name:<13} {_iso(value) if isinstance(value, datetime) else value}")


@app.command("replay")
def replay_(
    rejection_ids: Annotated[list[int] | None, typer.Argument(help="As the list shows them.")] = None,
    reason: Reason = None,
    device: Device = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that were not replayed (and fit the other options).")
    ] = False,
    trust_time: Annotated[
        bool, typer.Option(help="Take the events' times as they stand, far ahead or long past.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Try rejections again, at the time at which they arrived; what is recorded is marked as replayed.

    Repeating it is safe: an event is recorded once, however often it is replayed.
    """
    chosen = rejection_ids or []
    if bool(chosen) == (everything or reason is not None or device is not None):
        raise Problem(
            "say which rejections: ids, or --all, --reason, --device", "see bondwatch rejections list"
        )
    settings = Settings.load()
    dsn = addresses.database_dsn(settings)
    with connect(dsn, application="bondwatch-rejections") as conn:
        chosen = chosen or rejections.waiting(conn, reason=_known(reason), topic=_topic(device))
        tools = Tools(unique_id("rejections"), conn, read_reference(conn))
        road = Road(tools, connect=lambda: connect(dsn), now_us=open_clock(settings.clock_file).now_us)
        still = 0
        for rejection_id in chosen:
            outcome = asyncio.run(replay(road, _whole(conn, rejection_id), trust_time=trust_time))
            still += bool(outcome.reasons)
            typer.echo(_told(rejection_id, outcome, as_json))
        road.close()
    if still:
        sys.exit(1)


def _told(rejection_id: int, outcome: Replayed, as_json: bool) -> str:
    if as_json:
        told = {"rejection_id": rejection_id, "recorded": outcome.recorded, "known": outcome.known}
        return json.dumps(told | {"reasons": list(outcome.reasons)})
    if outcome.reasons:
        return f"{rejection_id}: still refused: {', '.join(outcome.reasons)}"
    return f"{rejection_id}: {outcome.recorded} recorded, {outcome.known} known already"


def _table(found: list[Summary]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("id", "received", "device", "seq", "reason", "detail", "replayed"):
        table.add_column(name, no_wrap=name != "detail", overflow="fold")
    for one in found:
        device = one.topic.removeprefix("bw/v1/").removesuffix("/events")
        number = "" if one.seq is None else f"{one.run}:{one.seq}"
        replayed = "" if one.replayed_at is None else _iso(one.replayed_at)
        table.add_row(
            str(one.rejection_id), _iso(one.received_at), device, number, one.reason, one.detail, replayed
        )
    return table


def _whole(conn: Connection, rejection_id: int) -> Rejection:
    rejection = rejections.whole(conn, rejection_id)
    if rejection is None:
        raise Problem(f"no rejection {rejection_id}", "see bondwatch rejections list")
    return rejection


def _known(reason: str | None) -> str | None:
    if reason is not None and reason not in REJECTION_REASONS:
        raise Problem(f"no reason {reason!r}", f"there are: {', '.join(sorted(REJECTION_REASONS))}")
    return reason


def _topic(device: str | None) -> str | None:
    if device is None:
        return None
    try:
        return events_topic(device)
    except ValueError as error:
        raise Problem(str(error)) from None


def _connect() -> Connection:
    return connect(addresses.database_dsn(Settings.load()), application="bondwatch-rejections")


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
