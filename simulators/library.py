"""Everything that can be simulated: stories told minute by minute, worlds that know the truth, the demo."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from simulators import scenario
from simulators.places import Places
from simulators.playing.story import Story
from simulators.reality import format as worlds
from simulators.reality.world import World
from simulators.scripts import format as scripts
from simulators.scripts.timeline import Timeline, variants

APART_DAYS: Final = 28
"""Between the variants of a script: weekdays stay what they are."""

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


class Drawn(NamedTuple):
    """What the command line says of worlds.

    Attributes:
        seed: of all randomness.
        hours: of trucks under custody; None: the file's.
        devices: at most so many; None: as many as it takes.
    """

    seed: int
    hours: float | None = None
    devices: int | None = None


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
        UnknownScenario: there is none.
        ScriptError, WorldError, ScenarioError: the file says what its format doesn't know.
    """
    if name in scripts.names():
        return scripts.load(name)
    if name in worlds.names():
        return worlds.load(name)
    if name in scenario.names():
        return scenario.load(name)
    path = Path(name)
    if not name.endswith(".toml") or not path.exists():
        known = ", ".join(names(live=True))
        raise UnknownScenario(f"no scenario {name!r}; there are: {known}; or give a .toml file")
    text = path.read_text(encoding="utf-8")
    if "\n[[looks]]" in text or text.startswith("[[looks]]"):
        return scripts.load(name)
    return worlds.load(name) if "\nbegins" in text or text.startswith("begins") else scenario.load(name)


def rounds(told: Mapping[str, Playable], places: Places, drawn: Drawn) -> list[list[Story]]:
    """Which stories are played at the same time: the first variant of each, then the second of each …"""
    found: list[list[Story]] = [[]]
    for name, one in told.items():
        if isinstance(one, worlds.WorldFile):
            short = name.rpartition("/")[2].removesuffix(".toml")
            found[0].append(
                World(short, one, places, seed=drawn.seed, hours=drawn.hours, devices_most=drawn.devices)
            )
            continue
        for number, variant in enumerate(variants(one)):
            if number == len(found):
                found.append([])
            found[number].append(Timeline(one, variant, places, later=number * APART_DAYS))
    return found
