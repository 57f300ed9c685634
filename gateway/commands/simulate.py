"""``bondwatch simulate``: stories and worlds on an installation, held against what they must end with."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer
from rich.console import Console

from gateway.embedded.home import Home
from gateway.interrupts import end_as_by_ctrl_c
from gateway.problem import Problem
from gateway.settings import Settings
from gateway.simulate.installed import Installed, running, temporary
from gateway.simulate.pace import Pace
from gateway.simulate.running import SCORED_STEP, Report, play, step_of
from gateway.simulate.telling import listed, tell
from simulators import cli as live
from simulators import library
from simulators.connections import TooManyConnections
from simulators.places import load as load_places
from simulators.playing.acts import Looks
from simulators.playing.player import Player
from simulators.playing.story import Exists, Story
from simulators.reality import record
from simulators.reality.format import WorldError, WorldFile
from simulators.reality.score_report import report as score_report
from simulators.reality.world import Drawn, World
from simulators.scenario import Scenario, ScenarioError
from simulators.scripts.format import ScriptError

app = typer.Typer()

_SPEED: Final = re.compile(r"(\d+(?:\.\d+)?)x?|max")
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?)([smh]?)")

_IN_WORDS: Final = {"story": "stories", "world": "worlds", "live": "live scenarios"}
_OF: Final = {
    "--seed": ("world", "live"),
    "--hours": ("world",),
    "--devices": ("world",),
    "--for": ("world", "live"),
    "--check": ("story", "world"),
    "--score": ("world",),
    "--truth": ("world",),
    "--html": ("story", "world"),
}
"""Whose each option is."""


@app.command()
def simulate(
    scenarios: Annotated[
        list[str] | None, typer.Argument(metavar="SCENARIO…", help="Names (see --list), or .toml files.")
    ] = None,
    *,
    show_list: Annotated[bool, typer.Option("--list", help="Show the scenarios, and end.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Every story and world there is.")] = False,
    speed: Annotated[
        str | None,
        typer.Option(
            metavar="60x|max",
            help="How much faster than it happens. Default: 60x; max where worlds are scored.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Of worlds and live ones: the same seed, the same world. Default: 7."),
    ] = None,
    hours: Annotated[
        float | None, typer.Option(min=1, help="Of worlds: truck-hours under custody, all together.")
    ] = None,
    devices: Annotated[
        int | None,
        typer.Option(
            min=3,
            help="Of worlds: at most so many on trucks, three on each; gates and scanners come to these.",
        ),
    ] = None,
    for_time: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="TIME",
            help="Of worlds: their first 90m or 2h; of live ones: ours. Not of stories.",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare what the API says with what the scenario declares.")
    ] = False,
    score: Annotated[
        bool, typer.Option("--score", help="Of worlds: precision, recall and delay of each rule.")
    ] = False,
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of worlds: write what truly happened, as NDJSON.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write what was compared, with plots: one file, no network. Without --check: as --score.",
        ),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Data directory of one that runs. Default: a temporary one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The last line is one JSON object.")] = False,
) -> None:
    """Play scenarios: trucks, seals, sensors, gates, scanners and people, through the real road.

    Stories and worlds are played on an installation of their own, which is gone afterwards, or on the one
    that --home names. With --check the exit code is 1 when a finding is missing, or one stands that nobody
    declared. A live scenario has no end: it goes to the one that runs, until Ctrl-C or --for. A story is
    told as it is written: --seed, --hours, --devices, --for, --score and --truth need a world beside it.
    """
    console = Console(stderr=True)
    if show_list:
        Console().print(listed(library.entries()))
        return
    names = library.names() if everything else list(scenarios or ())
    if not names:
        raise Problem("no scenario is named", "bondwatch simulate --list shows them; --all plays them all")
    for_s = _seconds(for_time)
    end_as_by_ctrl_c()
    try:
        told = {name: library.load(name) for name in names}
        kinds = {_kind(one) for one in told.values()}
        given = {
            "--seed": seed, "--hours": hours, "--devices": devices, "--for": for_s, "--check": check or None,
            "--score": score or None, "--truth": truth, "--html": html,
        }  # fmt: skip
        _refuse([name for name, value in given.items() if value is not None], kinds)
        score = score or ("world" in kinds and html is not None and not check)
        seed, pace = 7 if seed is None else seed, _pace(speed or ("max" if score else "60x"))
        if "live" in kinds:
            _live(names, home, seed=seed, for_s=for_s, speed=None if speed is None else pace)
            return
        played = _Played(
            {name: one for name, one in told.items() if not isinstance(one, Scenario)},
            Drawn(seed, hours, devices, for_s),
            Looks.ALL if check or score or html is not None else Looks.NONE,
            SCORED_STEP if score else None,
        )
        report = played.on(home, pace, console, truth)
    except (library.UnknownScenario, ScriptError, WorldError, ScenarioError) as error:
        raise Problem(str(error)) from None
    except Exists as error:
        raise Problem(f"was played here before: {error}", "leave out --home, or name another") from None
    except TooManyConnections as error:
        raise Problem(str(error), "raise that, or let fewer speak: --devices") from None
    except TimeoutError as error:
        raise Problem(str(error), "bondwatch doctor") from None
    except KeyboardInterrupt:
        console.print("ended before its end")
        raise typer.Exit(130) from None
    tell(console, report)
    if html is not None:
        page = score_report(
            ", ".join(names), report.hours, report.scored,
            played=report.played, missing=report.missing, unexpected=report.unexpected,
        )  # fmt: skip
        html.write_text(page, encoding="utf-8")
        console.print(f"report: {html}")
    if as_json:
        typer.echo(json.dumps(report.told(), ensure_ascii=False))
    if check and (report.missing or report.unexpected):
        raise typer.Exit(1)


class _Played(NamedTuple):
    """What is to be played, and what is asked of it."""

    told: dict[str, library.Playable]
    drawn: Drawn
    looks: Looks
    patience: timedelta | None

    def on(self, home: Path | None, speed: float | None, console: Console, truth: Path | None) -> Report:
        """On the installation of a directory, or on a temporary one."""
        places, pace = load_places(), Pace(speed)
        if home is None:
            stories = library.rounds(self.told, places, self.drawn)
            with temporary(_begins(stories), pace, self.patience) as installed:
                return self._play(installed, stories, self.looks, speed, console, truth)
        installed = running(home, pace, self.patience)
        is_over = installed.clock is None
        stories = library.moved(self.told, places, self.drawn, installed.now(), before=is_over)
        looks = Looks.HINDSIGHT if is_over and self.looks is Looks.ALL else self.looks
        return self._play(installed, stories, looks, speed, console, truth)

    def _play(
        self,
        installed: Installed,
        stories: list[list[Story]],
        looks: Looks,
        speed: float | None,
        console: Console,
        truth: Path | None,
    ) -> Report:
        if truth is not None:
            _write(truth, stories, console)
        timed = self.patience is not None and installed.clock is not None
        step = step_of(speed, scored=self.patience is not None)
        player = Player(installed, run=int(time.time()), step=step)
        try:
            return play(installed, stories, player, looks=looks, timed=timed, console=console)
        finally:
            player.close()


def _begins(stories: list[list[Story]]) -> datetime:
    return min(story.begins for story in stories[0])


def _write(path: Path, stories: list[list[Story]], console: Console) -> None:
    found = [story for together in stories for story in together if isinstance(story, World)]
    if len(found) != 1:
        raise Problem("--truth is written of one world at a time", "name one world, see --list")
    count = record.write(path, found[0], load_places())
    console.print(f"truth: {path}, {count} lines")


def _live(
    names: list[str], home: Path | None, *, seed: int, for_s: float | None, speed: float | None
) -> None:
    """A scenario without an end, against the installation that runs."""
    if len(names) != 1:
        raise Problem("a live scenario is played alone", "name one")
    settings = Settings.load(home=home) if home is not None else Settings.load()
    found = Home(settings.home)
    endpoints = found.endpoints()
    live.simulate(
        names[0],
        api=endpoints.api or "",
        api_key_file=found.secret_file("api_admin_key"),
        mqtt=(endpoints.mqtt or "").rpartition("/")[2],
        state=found.path / "simulator",
        for_s=for_s,
        seed=seed,
        speed=speed,
    )


def _kind(told: library.Told) -> str:
    if isinstance(told, Scenario):
        return "live"
    return "world" if isinstance(told, WorldFile) else "story"


def _refuse(given: list[str], kinds: set[str]) -> None:
    """Options that nothing of what is named can honour."""
    for option in given:
        if kinds.isdisjoint(_OF[option]):
            whose = " and ".join(_IN_WORDS[kind] for kind in _OF[option])
            raise Problem(
                f"{option} is of {whose}, and none is named",
                "leave it out, or name one too; bondwatch simulate --list says what is what",
            )


def _pace(text: str) -> float | None:
    match = _SPEED.fullmatch(text)
    if match is None or (match[1] is not None and float(match[1]) <= 0):
        raise Problem(f"--speed {text}: no speed", "write 60x, or max for as fast as it goes")
    return None if match[1] is None else float(match[1])


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    match = _TIME.fullmatch(text)
    if match is None or float(match[1]) <= 0:
        raise Problem(f"--for {text}: no time", "write 90s, 45m or 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]
