"""``bondwatch simulate``: stories and worlds on an installation, compared with what they must end with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from gateway.problem import Problem
from gateway.simulate.installed import Installed, running, temporary
from gateway.simulate.pace import Pace
from gateway.simulate.running import Report, play, rounds
from simulators.playing.player import Looks
from simulators.playing.story import Exists
from simulators.scripts import format as scripts

app = typer.Typer()

_SPEED: Final = re.compile(r"(\d+(?:\.\d+)?)x?|max")


@app.command()
def simulate(
    scenarios: Annotated[
        list[str] | None, typer.Argument(metavar="SCENARIO…", help="Names (see --list), or .toml files.")
    ] = None,
    *,
    show_list: Annotated[bool, typer.Option("--list", help="Show the scenarios, and end.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Every scenario that comes along.")] = False,
    speed: Annotated[
        str, typer.Option(metavar="60x|max", help="How much faster than it happens; max: as fast as it goes.")
    ] = "60x",
    check: Annotated[
        bool, typer.Option("--check", help="Compare what the API says with what the scenario declares.")
    ] = False,
    home: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Data directory of one that runs. Default: a temporary one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The last line is one JSON object.")] = False,
) -> None:
    """Play scenarios: trucks, trains, seals, sensors, gates, scanners and people, through the real road.

    With --check the exit code is 1 when a finding is missing, or one stands that nobody declared.
    """
    console = Console(stderr=True)
    if show_list:
        console = Console()
        console.print(_library())
        return
    names = scripts.names() if everything else list(scenarios or ())
    if not names:
        raise Problem("no scenario is named", "bondwatch simulate --list shows them; --all plays them all")
    pace = _pace(speed)
    try:
        told = rounds([scripts.load(name) for name in names])
        with _installation(home, min(story.begins for story in told[0]), Pace(pace)) as installed:
            looks = Looks.ALL if check else Looks.NONE
            report = play(installed, told, speed=pace, run=1, looks=looks, console=console)
    except scripts.ScriptError as error:
        raise Problem(str(error)) from None
    except Exists as error:
        raise Problem(
            f"was played here before: {error}", "take another installation, or none: no --home"
        ) from None
    except KeyboardInterrupt:
        console.print("ended before its end")
        raise typer.Exit(130) from None
    _tell(console, report)
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False))
    if report.missing or report.unexpected:
        raise typer.Exit(1)


@contextmanager
def _installation(home: Path | None, begins: datetime, pace: Pace) -> Iterator[Installed]:
    if home is not None:
        yield running(home, pace)
        return
    with temporary(begins, pace) as installed:
        yield installed


def _pace(text: str) -> float | None:
    match = _SPEED.fullmatch(text)
    if match is None or (match[1] is not None and float(match[1]) <= 0):
        raise Problem(f"--speed {text}: no speed", "write 60x, or max for as fast as it goes")
    return None if match[1] is None else float(match[1])


def _library() -> Table:
    table = Table("scenario", "what it tells", "variants", box=None)
    for name in scripts.names():
        script = scripts.load(name)
        table.add_row(name, script.title, ", ".join(script.variants or (script.code,)))
    return table


def _tell(console: Console, report: Report) -> None:
    for name, is_as_told in report.played.items():
        word = {None: "played", True: "[green]as told[/]", False: "[red]NOT as told[/]"}[is_as_told]
        console.print(f"{name}: {word}")
    for one in report.missing:
        console.print(f"  missing {one}", markup=False)
    for one in report.unexpected:
        console.print(f"  unexpected {one}", markup=False)
    console.print(f"{report.published} events in {report.wall_s:g} s")
