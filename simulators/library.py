"""Everything that can be simulated: stories told minute by minute, worlds that know the truth, the demo."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from simulators import scenario
from simulators.places import Places
from simulators.playing.story import Story
from simulators.reality import format as worlds
from simulators.reality.world import Drawn, World
from simulators.scripts import format as scripts
from simulators.scripts.timeline import Timeline, variants

WEEK: Final = timedelta(weeks=1)

Playable: TypeAlias = scripts.Script | worlds.WorldFile
Told: TypeAlias = Playable | scenario.Scenario


class Entry(NamedTuple):
    """One line of the list.

    Attributes:
        name: to call it by.
        kind: ``story``, ``world`` or ``live``.
        title: one line.
        variants: stories that it tells.
    """

    name: str
    kind: str
    title: str
    variants: tuple[str, ...]


class UnknownScenario(ValueError):
    """There is none of this name."""


def names(*, live: bool = False) -> list[str]:
    """Stories and worlds; with ``live``, scenarios that go on without an end too."""
    return [*scripts.names(), *worlds.names(), *(scenario.names() if live else ())]


def entries() -> list[Entry]:
    """Everything that comes along."""
    found = [
        Entry(name, "story", told.title, variants(told))
        for name, told in ((name, scripts.load(name)) for name in scripts.names())
    ]
    found += [Entry(name, "world", worlds.load(name).title, (name,)) for name in worlds.names()]
    found += [Entry(name, "live", scenario.load(name).title, (name,)) for name in scenario.names()]
    return found


def load(name: str) -> Told:
    """A scenario by its name, or by the path of its file; the file's own fields tell what it is.

    Raises:
        UnknownScenario: there is none, or the file can't be read.
        ScriptError, WorldError, ScenarioError: the file says what its format doesn't know.
    """
    for shelf in (scripts, worlds, scenario):
        if name in shelf.names():
            told: Told = shelf.load(name)
            return told
    path = Path(name)
    if not name.endswith(".toml") or not path.exists():
        known = ", ".join(names(live=True))
        raise UnknownScenario(f"no scenario {name!r}; there are: {known}; or give a .toml file")
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UnknownScenario(f"{name} is no scenario: {error}") from error
    if "looks" in fields:
        return scripts.load(name)
    return worlds.load(name) if "begins" in fields else scenario.load(name)


def rounds(told: Mapping[str, Playable], places: Places, drawn: Drawn, later: int = 0) -> list[list[Story]]:
    """What is played at the same time: the first variant of each story, then the second …, then all worlds.

    A story's gates may be offline, so no world's trucks pass them meanwhile.

    Args:
        told: scenarios by name.
        places: where.
        drawn: what worlds are made with.
        later: days after their own.
    """
    scripted = [one for one in told.values() if not isinstance(one, worlds.WorldFile)]
    found: list[list[Story]] = []
    for number in range(max((len(variants(one)) for one in scripted), default=0)):
        again = [(one, variants(one)[number]) for one in scripted if number < len(variants(one))]
        begins = min(Timeline(one, variant, places, later=later).begins for one, variant in again)
        days = later + _later(found, begins)
        found.append([Timeline(one, variant, places, later=days) for one, variant in again])
    drawn_from = {name: one for name, one in told.items() if isinstance(one, worlds.WorldFile)}
    if drawn_from:
        begins = min(one.begins for one in drawn_from.values()) + timedelta(days=later)
        days = later + _later(found, begins)
        found.append(
            [World(_short(name), one, places, drawn, later=days) for name, one in drawn_from.items()]
        )
    return found


def _later(found: list[list[Story]], begins: datetime) -> int:
    """Days by which a round comes later than told: whole weeks, so that weekdays stay what they are."""
    return 7 * math.ceil((over(found[-1]) - begins) / WEEK) if found else 0


def _short(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".toml")


def over(stories: Iterable[Story]) -> datetime:
    """When the last of them is."""
    return max(story.moment(story.looks[-1].at) for story in stories)


def moved(
    told: Mapping[str, Playable], places: Places, drawn: Drawn, now: datetime, *, before: bool
) -> list[list[Story]]:
    """The same on an installation that has a clock already: whole weeks earlier or later than told.

    Args:
        told: scenarios by name.
        places: where.
        drawn: what worlds are made with.
        now: what its clock shows.
        before: whether all of it must be over by now, because the clock can't be set; else all is to come.
    """
    stories = [story for together in rounds(told, places, drawn) for story in together]
    if before:
        weeks = math.floor((now - over(stories)) / WEEK)
    else:
        weeks = math.ceil((now - min(story.begins for story in stories)) / WEEK)
    return rounds(told, places, drawn, later=7 * weeks)
