"""``bondwatch simulate``: stories and worlds on an installation, held against what they must end with."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from gateway.problem import Problem
from gateway.simulate.installed import Installed, running, temporary
from gateway.simulate.pace import Pace
from gateway.simulate.running import SCORED_STEP, Report, play, step_of
from simulators import library
from simulators.places import load as load_places
from simulators.playing.player import Looks, Player
from simulators.playing.story import Exists
from simulators.reality.format import WorldError
from simulators.reality.score import Rule, figures
from simulators.scenario import Scenario, ScenarioError
from simulators.scripts.format import ScriptError

app = typer.Typer()

_SPEED: Final = re.compile(r"(\d+(?:\.\d+)?)x?|max")


@app.command()
def simulate(
    scenarios: Annotated[
        list[str] | None, typer.Argument(metavar="SCENARIO…", help="Names (see --list), or .toml files.")
    ] = None,
    *,
    show_list: Annotated[bool, typer.Option("--list", help="Show the scenarios, and end.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Every story and world that comes along.")
    ] = False,
    speed: Annotated[
        str | None,
        typer.Option(metavar="60x|max", help="How much faster than it happens. Default: 60x, --score: max."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of worlds: the same seed, the same world.")] = 7,
    hours: Annotated[
        float | None, typer.Option(min=1, help="Of worlds: truck-hours under custody, all together.")
    ] = None,
    devices: Annotated[
        int | None, typer.Option(min=3, help="Of worlds: at most so many on trucks, three on each.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare what the API says with what the scenario declares.")
    ] = False,
    score: Annotated[
        bool, typer.Option("--score", help="Of worlds: precision, recall and delay of each rule.")
    ] = False,
    home: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Data directory of one that runs. Default: a temporary one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The last line is one JSON object.")] = False,
) -> None:
    """Play scenarios: trucks, seals, sensors, gates, scanners and people, through the real road.

    With --check the exit code is 1 when a finding is missing, or one stands that nobody declared.
    """
    console = Console(stderr=True)
    if show_list:
        Console().print(_library())
        return
    names = library.names() if everything else list(scenarios or ())
    if not names:
        raise Problem("no scenario is named", "bondwatch simulate --list shows them; --all plays them all")
    pace = _pace(speed or ("max" if score else "60x"))
    looks = Looks.ALL if check or score else Looks.NONE
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing that was started stays
    try:
        drawn = library.Drawn(seed, hours, devices)
        stories = library.rounds(_playable(names), load_places(), drawn)
        with _installation(
            home, min(story.begins for story in stories[0]), Pace(pace), SCORED_STEP if score else None
        ) as installed:
            player = Player(installed, run=int(time.time()) if home else 1, step=step_of(pace, scored=score))
            try:
                report = play(installed, stories, player, looks=looks, console=console)
            finally:
                player.close()
    except (library.UnknownScenario, ScriptError, WorldError, ScenarioError) as error:
        raise Problem(str(error)) from None
    except Exists as error:
        raise Problem(f"was played here before: {error}", "leave out --home, or name another") from None
    except KeyboardInterrupt:
        console.print("ended before its end")
        raise typer.Exit(130) from None
    _tell(console, report)
    if as_json:
        typer.echo(json.dumps(report.told(), ensure_ascii=False))
    if check and (report.missing or report.unexpected):
        raise typer.Exit(1)


@contextmanager
def _installation(
    home: Path | None, begins: datetime, pace: Pace, patience: timedelta | None
) -> Iterator[Installed]:
    if home is not None:
        yield running(home, pace, patience)
        return
    with temporary(begins, pace, patience) as installed:
        yield installed


def _playable(names: list[str]) -> dict[str, library.Playable]:
    found = {}
    for name in names:
        told = library.load(name)
        if isinstance(told, Scenario):
            raise Problem(f"{name} goes on without an end, so there is nothing to compare", "bondwatch demo")
        found[name] = told
    return found


def _pace(text: str) -> float | None:
    match = _SPEED.fullmatch(text)
    if match is None or (match[1] is not None and float(match[1]) <= 0):
        raise Problem(f"--speed {text}: no speed", "write 60x, or max for as fast as it goes")
    return None if match[1] is None else float(match[1])


def _library() -> Table:
    table = Table("scenario", "kind", "what it tells", "variants", box=None)
    for entry in library.entries():
        table.add_row(entry.name, entry.kind, entry.title, ", ".join(entry.variants))
    return table


def _tell(console: Console, report: Report) -> None:
    if report.scored:
        console.print(_scores(report.scored))
    for name, is_as_told in report.played.items():
        word = {None: "played", True: "[green]as told[/]", False: "[red]NOT as told[/]"}[is_as_told]
        console.print(f"{name}: {word}")
    for one in report.missing:
        console.print(f"  missing {one}", markup=False, highlight=False)
    for one in report.unexpected:
        console.print(f"  unexpected {one}", markup=False, highlight=False)
    console.print(f"{report.published} events in {report.wall_s:g} s")


def _scores(scored: Mapping[str, Rule]) -> Table:
    columns = ("found", "missed", "false", "precision", "recall", "delay p50", "p95", "borderline")
    table = Table("rule", *columns, box=None)
    for code, told in figures(scored).items():
        shares = ["–" if told[name] is None else f"{told[name]:.3f}" for name in ("precision", "recall")]
        delays = [
            "–" if told[name] is None else f"{told[name]:.0f} s" for name in ("delay_p50_s", "delay_p95_s")
        ]
        counts = [str(told[name]) for name in ("found", "missed", "false")]
        table.add_row(code, *counts, *shares, *delays, f"{told['borderline']}/{told['unsure']}")
    return table
