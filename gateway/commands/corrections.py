"""``bondwatch corrections``: declare that an observation is in error, or take that back."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NoReturn, cast, get_args

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from devices.observation import moment
from gateway.clock import open_clock
from gateway.embedded import addresses
from gateway.problem import Problem
from gateway.settings import Settings
from tracking.domain.custody.corrections import Correction, Observed, Reason
from tracking.store import correcting, corrections
from tracking.store.correcting import Declared
from tracking.store.database import Connection, connect
from tracking.store.registry import Unknown

app = typer.Typer(no_args_is_help=True, help="Declare observations to be in error, and take that back.")

FROM: Final = "bondwatch corrections"
NAME: Final = re.compile(r"(?P<device>\S+) (?P<run>-?\d+)/(?P<seq>\d+) (?P<time>\S+)")

Json = Annotated[bool, typer.Option("--json", help="JSON for machines, one object a line.")]
Why = Annotated[str, typer.Option(help="What was wrong, in words.")]
By = Annotated[str, typer.Option(help="Who says so.")]
Name = Annotated[
    str,
    typer.Argument(
        metavar="OBSERVATION", help='As evidence names it: "SIP/TRK-001 7/17 2026-03-10T02:24:00Z".'
    ),
]


@app.command("list")
def list_(
    device: Annotated[str | None, typer.Option(help="Only of this device, for instance SIP/TRK-001.")] = None,
    before: Annotated[int | None, typer.Option(help="Continue a list before this number.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: Json = False,
) -> None:
    """Show corrections, newest first, with what took them back."""
    with _connect() as conn:
        found = corrections.listed(conn, device=device, before=before, limit=limit)
    if as_json:
        for one in found:
            typer.echo(_json(one))
    elif found:
        Console().print(_table(found))
    else:
        typer.echo("no corrections")


@app.command()
def add(
    observation: Name,
    reason: Annotated[str, typer.Option(help="did_not_occur, or incorrect_data.")],
    why: Why,
    by: By,
    corrective: Annotated[
        list[str] | None,
        typer.Option(metavar="OBSERVATION", help="A recorded observation that tells it right; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Declare a recorded observation to be in error: it stays, and no finding rests on it any more.

    The same again changes nothing.
    """
    if reason not in get_args(Reason):
        raise Problem(f"no reason {reason!r}", f"there are: {', '.join(get_args(Reason))}")
    settings = Settings.load()
    try:
        with _connect(settings) as conn:
            declared = correcting.correct(
                conn,
                _named(observation),
                reason=cast("Reason", reason),
                why=_said(why, "--why"),
                by=f"{_said(by, '--by')} ({FROM})",
                recorded_at=_now(settings),
                corrective=[_named(text) for text in corrective or ()],
            )
    except (Unknown, correcting.Refused) as error:
        _refuse(error)
    _tell(declared, as_json, f"correction {declared.correction.entry}: {observation} counts no longer")


@app.command()
def retract(
    entry: Annotated[int, typer.Argument(help="As `bondwatch corrections list` shows it.")],
    why: Why,
    by: By,
    as_json: Json = False,
) -> None:
    """Take a correction back: its observation counts again. Both stay on record."""
    settings = Settings.load()
    try:
        with _connect(settings) as conn:
            declared = correcting.retract(
                conn,
                entry,
                why=_said(why, "--why"),
                by=f"{_said(by, '--by')} ({FROM})",
                recorded_at=_now(settings),
            )
    except (Unknown, correcting.Refused) as error:
        _refuse(error)
    _tell(
        declared, as_json, f"correction {entry} is taken back: {declared.correction.observation} counts again"
    )


def _named(text: str) -> Observed:
    match = NAME.fullmatch(text.strip())
    hint = 'write it as evidence does: "SIP/TRK-001 7/17 2026-03-10T02:24:00Z"'
    if match is None:
        raise Problem(f"{text!r} names no observation", hint)
    try:
        time = msgspec.convert(match["time"], datetime)
    except msgspec.ValidationError:
        raise Problem(f"{match['time']!r} is no time", hint) from None
    if time.tzinfo is None:
        raise Problem(f"{match['time']!r} has no offset", hint)
    run, seq = int(match["run"]), int(match["seq"])
    if not (-1 <= run < 1 << 31 and seq < 1 << 63):
        raise Problem(f"{run}/{seq} is no number of an observation", hint)
    return Observed(match["device"], time.astimezone(UTC), run, seq)


def _said(text: str, option: str) -> str:
    if not text.strip():
        raise Problem(f"{option} says nothing")
    return text


def _refuse(error: Exception) -> NoReturn:
    hint = "`bondwatch rejections show N` has it" if isinstance(error, correcting.WasRejected) else ""
    raise Problem(str(error), hint) from None


def _tell(declared: Declared, as_json: bool, says: str) -> None:
    if as_json:
        typer.echo(_json(declared.correction))
    else:
        typer.echo(says if declared.is_new else f"{says}, as was said before")


def _json(one: Correction) -> str:
    told: dict[str, Any] = msgspec.to_builtins(one)
    return json.dumps(told | {"stands": one.stands}, ensure_ascii=False)


def _table(found: list[Correction]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("number", "time", "observation", "reason", "why", "by", "taken back"):
        table.add_column(name, no_wrap=name not in {"why", "by"}, overflow="fold")
    for one in found:
        seen = one.observation
        table.add_row(
            str(one.entry),
            seen.time.isoformat().replace("+00:00", "Z"),
            f"{seen.device} {seen.run}/{seen.seq}",
            one.reason,
            one.why,
            one.by,
            "" if one.retraction is None else one.retraction.why,
        )
    return table


def _now(settings: Settings) -> datetime:
    return moment(open_clock(settings.clock_file).now_us())


def _connect(settings: Settings | None = None) -> Connection:
    return connect(addresses.database_dsn(settings or Settings.load()), application="bondwatch-corrections")
