"""Levels: values at which a reading begins to matter to somebody. The fold tells when one is crossed.

A crossing is told at the observation that shows it, so that custody is judged again only then and not at each
of a sensor's values. A value on a level itself is a side of its own: some rules mean it, some don't. Levels
are like places: there are built-in ones, terms add theirs from a moment on, and none is ever taken back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from devices.observation import Observation
from tracking.domain.tracks.milestones import LEVEL_CROSSED, Milestone
from tracking.domain.tracks.state import Track

ALWAYS_US: Final = -(1 << 62)
"""Since before every observation: levels that nobody has set."""

_SAME: Final = 1e-9
"""Values closer than this are one: levels are sums of decimals."""


class Level(Struct, frozen=True, order=True):
    """A value that matters.

    Attributes:
        quantity: of readings, with its unit in the name.
        value: in that unit.
        since_us: from when on it matters, event time.
    """

    quantity: str
    value: float
    since_us: int = ALWAYS_US


class Levels:
    """All levels, as of one revision of the reference data. Never changed.

    Args:
        levels: in any order; of two with one value the older holds.
    """

    def __init__(self, levels: Iterable[Level] = ()) -> None:
        found: dict[str, dict[float, int]] = {}
        for level in levels:
            of_quantity = found.setdefault(level.quantity, {})
            value = round(level.value, 6)
            of_quantity[value] = min(level.since_us, of_quantity.get(value, level.since_us))
        self._values: Final = {quantity: sorted(values) for quantity, values in found.items()}
        self._since_us: Final = {
            quantity: [found[quantity][value] for value in values]
            for quantity, values in self._values.items()
        }
        self._first_us: Final = {quantity: min(since) for quantity, since in self._since_us.items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Levels) and (self._values, self._since_us) == (
            other._values,
            other._since_us,
        )

    __hash__ = None  # type: ignore[assignment]

    def matters(self, quantity: str, time_us: int) -> bool:
        """Whether any level of a quantity is in force."""
        since = self._first_us.get(quantity)
        return since is not None and since <= time_us

    def crossed(self, quantity: str, before: float, value: float, time_us: int) -> list[float]:
        """The levels in force that lie between two values, in the order in which they were met."""
        values = self._values[quantity]
        low, high = (before, value) if before <= value else (value, before)
        first = bisect_left(values, low - _SAME)
        if first == len(values) or values[first] > high + _SAME:
            return []
        since = self._since_us[quantity]
        met = []
        for place in range(first, len(values)):
            level = values[place]
            if level > high + _SAME:
                break
            if since[place] <= time_us and _side(before, level) != _side(value, level):
                met.append(level)
        return met if before <= value else met[::-1]


NONE: Final = Levels()
"""Nothing matters."""


def judge_levels(
    track: Track,
    observation: Observation,
    measured: Mapping[str, float | bool],
    levels: Levels,
    out: list[Milestone],
) -> None:
    """Tell which levels an observation's values cross, and that a quantity is measured for the first time.

    The track remembers the last value of each quantity that has a level, because one that comes into force
    later looks at it, too.
    """
    for quantity in sorted(measured):
        if not levels.matters(quantity, observation.time_us):
            continue
        value = float(measured[quantity])
        before = track.values.get(quantity)
        track.values[quantity] = value
        met = [] if before is None else levels.crossed(quantity, before, value, observation.time_us)
        if before is not None and not met:
            continue
        detail = {
            "key": list(observation.key),
            "quantity": quantity,
            "value": value,
            "before": before,
            "level": met[-1] if met else None,
            "above": value > met[-1] if met else None,
        }
        out.append(Milestone(observation.time_us, LEVEL_CROSSED, None, detail, observation.key))


def _side(value: float, level: float) -> int:
    if abs(value - level) <= _SAME:
        return 0
    return 1 if value > level else -1
