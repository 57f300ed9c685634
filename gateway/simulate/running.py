"""Plays scenarios on an installation: which story when, how far it is, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from gateway.simulate.installed import Installed
from simulators.places import load as load_places
from simulators.playing.player import STEP, Looks, Player
from simulators.playing.story import Story
from simulators.scripts.format import Script
from simulators.scripts.timeline import LOCAL, Timeline, variants

APART_DAYS: Final = 28
"""Between the variants of a script, and between rounds: weekdays stay what they are."""

_TICK_S: Final = 0.25


@dataclass
class Report:
    """What came of a run.

    Attributes:
        played: stories, by name: whether each ended with exactly what it must; None: nobody asked.
        published: events.
        missing: expected and not there.
        unexpected: there and not expected.
        wall_s: seconds that it took.
    """

    played: dict[str, bool | None] = field(default_factory=dict)
    published: int = 0
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    wall_s: float = 0.0


def rounds(scripts: Sequence[Script]) -> list[list[Timeline]]:
    """Which stories are played at the same time: the first variant of each, then the second of each …"""
    places = load_places()
    found: list[list[Timeline]] = []
    for script in scripts:
        for number, variant in enumerate(variants(script)):
            if number == len(found):
                found.append([])
            found[number].append(Timeline(script, variant, places, later=number * APART_DAYS))
    return found


def step_of(speed: float | None) -> timedelta:
    """How much of a story is published at once: a quarter of a second's worth, at most ten minutes."""
    return STEP if speed is None else min(STEP, timedelta(seconds=speed * _TICK_S))


def play(
    installed: Installed,
    stories: Sequence[Sequence[Story]],
    *,
    speed: float | None,
    run: int,
    looks: Looks,
    console: Console,
) -> Report:
    """Play rounds of stories, one round after the other.

    Args:
        installed: where.
        stories: the rounds.
        speed: of the story against ours; None: as fast as it goes.
        run: of the devices' numbers.
        looks: which of their looks are taken.
        console: for progress.
    """
    report, began = Report(), time.monotonic()
    player = Player(installed, run=run, step=step_of(speed))
    try:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[at]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as progress:
            for together in stories:
                names = ", ".join(story.name for story in together)
                task = progress.add_task(names, total=None, at="")

                player.play(together, looks=looks, tell=partial(_tell, progress, task))
                for story in together:
                    _note(report, story.name, player, looks)
    finally:
        player.close()
    report.published = player.published
    report.wall_s = round(time.monotonic() - began, 1)
    return report


def _tell(progress: Progress, task: TaskID, done: int, total: int, at: datetime) -> None:
    progress.update(task, completed=done, total=total, at=f"{at.astimezone(LOCAL):%Y-%m-%d %H:%M}")


def _note(report: Report, name: str, player: Player, looks: Looks) -> None:
    found = [one for story, one in player.looked if story == name]
    missing = [text for one in found for text in one.missing]
    unexpected = [text for one in found for text in one.unexpected]
    report.missing += missing
    report.unexpected += unexpected
    report.played[name] = None if looks is Looks.NONE else not missing and not unexpected
