"""Plays scenarios on an installation: how far it is, what stands in the end, and how that compares."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from gateway.simulate.installed import Installed
from simulators.playing.acts import Looks
from simulators.playing.player import STEP, Player
from simulators.playing.story import Story
from simulators.reality.score import Found, Rule, figures, found_from, score
from simulators.reality.world import World
from simulators.scripts.timeline import LOCAL

SCORED_STEP: Final = timedelta(minutes=2)
"""Nobody is told of something earlier than the clock comes to it: delays are up to so much too long."""

_TICK_S: Final = 0.25


@dataclass
class Report:
    """What came of a run.

    Attributes:
        played: stories, by name: whether each ended with exactly what it must; None: nobody asked.
        published: events.
        hours: of trucks under custody, of all worlds.
        missing: expected and not there.
        unexpected: there and not expected.
        scored: how each rule did in the worlds.
        wall_s: seconds that it took.
    """

    played: dict[str, bool | None] = field(default_factory=dict)
    published: int = 0
    hours: float = 0.0
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    scored: dict[str, Rule] = field(default_factory=dict)
    wall_s: float = 0.0

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rules": figures(self.scored),
            "played": self.played,
            "published": self.published,
            "hours": round(self.hours, 1),
            "missing": self.missing,
            "unexpected": self.unexpected,
            "wall_s": self.wall_s,
        }


def step_of(speed: float | None, *, scored: bool) -> timedelta:
    """How much of a story is published at once: a quarter of a second's worth, within bounds."""
    most = SCORED_STEP if scored else STEP
    return most if speed is None else min(most, timedelta(seconds=speed * _TICK_S))


def play(
    installed: Installed,
    stories: Sequence[Sequence[Story]],
    player: Player,
    *,
    looks: Looks,
    timed: bool,
    console: Console,
) -> Report:
    """Play rounds of stories, one round after the other.

    Args:
        installed: where.
        stories: the rounds.
        player: on that.
        looks: which of their looks are taken; of worlds, whether findings are held against the truth.
        timed: whether worlds are asked when their findings were told: where the story doesn't run ahead.
        console: for progress.
    """
    report, began = Report(), time.monotonic()
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[at]}"), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for together in stories:
            names = ", ".join(story.name for story in together)
            task = progress.add_task(names, total=None, at="")
            if not console.is_terminal:
                console.print(f"playing {names} …")
            player.play(together, looks=looks, tell=partial(_tell, progress, task))
            for story in together:
                if looks is not Looks.NONE and isinstance(story, World):
                    _hold_against_truth(report, story, installed, timed=timed)
                else:
                    _note(report, story, player, looks)
    report.published = player.published
    report.wall_s = round(time.monotonic() - began, 1)
    return report


def _tell(progress: Progress, task: TaskID, done: int, total: int, at: datetime) -> None:
    progress.update(task, completed=done, total=total, at=f"{at.astimezone(LOCAL):%Y-%m-%d %H:%M}")


def _note(report: Report, story: Story, player: Player, looks: Looks) -> None:
    found = [one for name, one in player.looked if name == story.name]
    missing = [text for one in found for text in one.missing]
    unexpected = [text for one in found for text in one.unexpected]
    report.missing += missing
    report.unexpected += unexpected
    report.played[story.name] = None if looks is Looks.NONE else not missing and not unexpected


def _hold_against_truth(report: Report, world: World, installed: Installed, *, timed: bool) -> None:
    """Score a world's findings; what is wrong is missing or unexpected, too."""
    findings = [
        one for shipment in world.shipments for one in standing(world, shipment.number, installed, timed)
    ]
    findings = [one for one in findings if one.rule not in world.told.beside]
    scored = score(world.incidents, findings, world.told.rules, world.heard_until)
    for shipment in world.shipments:
        for code in withdrawn(world, shipment.number, installed):
            if code in scored:
                scored[code].withdrawn += 1
    for code, rule in scored.items():
        total = report.scored.setdefault(code, Rule())
        total.add(rule)
        report.missing += rule.missed
        report.unexpected += rule.false
    undeclared = [
        f"{world.name}: {code} was found, and isn't among its rules"
        for code, rule in scored.items()
        if rule.found and code not in world.told.rules
    ]
    report.unexpected += undeclared
    report.hours += world.hours
    is_as_told = not undeclared and not any(rule.missed or rule.false for rule in scored.values())
    report.played[world.name] = is_as_told


def standing(world: World, shipment: str, installed: Installed, timed: bool) -> list[Found]:
    """The findings of a shipment that stand at the world's end, and, if asked, when they were told."""
    path = _path(world, shipment)
    findings = installed.ask("GET", f"{path}/custody")["findings"]
    history = installed.ask("GET", f"{path}/history")["changes"] if timed else []
    found = found_from(shipment, findings, history, world.begins)
    return [one for one in found if one.begins <= world.ends_s]


def withdrawn(world: World, shipment: str, installed: Installed) -> list[str]:
    """The rules of the findings of a shipment that late data have taken back."""
    findings = installed.ask("GET", f"{_path(world, shipment)}/custody?withdrawn=true")["findings"]
    return [one["rule"] for one in findings if one["state"] == "withdrawn" and one["verdict"] == "finding"]


def _path(world: World, shipment: str) -> str:
    return f"/v1/shipments/{quote(f'{shipment}-{world.suffix}')}"
