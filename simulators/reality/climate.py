"""How warm it truly is in a box: walls leak, a thermostat cools, doors let the day in, defrosting warms."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from simulators.reality.course import Floats
from simulators.reality.windows import Window, within

STEP_S: Final = 10.0
_WALL_S: Final = 8 * 3600.0
"""Time constant of the walls, doors shut."""

_DOOR_S: Final = 25 * 60.0
_COOLING_C_PER_S: Final = 0.35 / 60
_DEFROST_C_PER_S: Final = 0.18 / 60
_THERMOSTAT_C: Final = 0.3


class Band(NamedTuple):
    """What the goods need, as the terms' profiles have it.

    Attributes:
        profile: its name in the terms.
        low: no colder, degrees Celsius.
        high: no warmer.
        error: beyond a limit by more than this is out.
        hysteresis: within it by this is back.
        delay_s: how long it may be out.
        set_c: what the unit is set to.
    """

    profile: str
    low: float | None
    high: float
    error: float
    hysteresis: float
    delay_s: float
    set_c: float


BANDS: Final = {
    "frozen": Band("frozen", None, -18.0, 0.5, 0.5, 1800.0, -20.5),
    "pharma": Band("pharma_2_8", 2.0, 8.0, 0.2, 0.2, 300.0, 5.0),
}
"""By cargo. Source: the profiles of docs/rules.md, ``temp_excursion``; the set points are ours."""


class Climate(NamedTuple):
    """What happens in a box.

    Attributes:
        t: moments, seconds of the world.
        air_c: true temperature of the air at each.
        doors: when the door stands open.
        failures: when the unit has no power.
        defrosts: when it defrosts.
    """

    t: Floats
    air_c: Floats
    doors: Sequence[Window]
    failures: Sequence[Window]
    defrosts: Sequence[Window]

    def at(self, t: float) -> float:
        """The true temperature at a moment."""
        return float(np.interp(t, self.t, self.air_c))


def climate(
    band: Band,
    rng: random.Random,
    *,
    begins: float,
    ends: float,
    ambient_c: tuple[float, float],
    local_h: float,
    doors: Sequence[Window],
    failures: Sequence[Window],
) -> Climate:
    """Follow the air of a box.

    Args:
        band: what it is set to.
        rng: of this truck.
        begins: first moment, seconds of the world.
        ends: last moment.
        ambient_c: outdoors, lowest and highest of the day; it is warmest at three in the afternoon.
        local_h: local hour of the world's first moment.
        doors: when the door is open.
        failures: when the unit has no power.
    """
    defrosts = _defrosts(rng, begins, ends)
    t = np.arange(begins, ends + STEP_S, STEP_S)
    air = np.empty(len(t))
    now, is_cooling = band.set_c + rng.uniform(-0.2, 0.2), False
    middle, swing = sum(ambient_c) / 2, (ambient_c[1] - ambient_c[0]) / 2
    for place, moment in enumerate(t):
        air[place] = now
        outdoors = middle + swing * math.cos((local_h + moment / 3600 - 15) / 24 * 2 * math.pi)
        rate = (outdoors - now) / _WALL_S
        if within(doors, moment):
            rate += (outdoors - now) / _DOOR_S
        if within(defrosts, moment):
            rate += _DEFROST_C_PER_S
        elif not within(failures, moment):
            is_cooling = now > band.set_c - _THERMOSTAT_C if is_cooling else now > band.set_c + _THERMOSTAT_C
            rate -= _COOLING_C_PER_S if is_cooling else 0.0
        now += rate * STEP_S
    return Climate(t, air, doors, failures, defrosts)


def _defrosts(rng: random.Random, begins: float, ends: float) -> list[Window]:
    """About every five hours, for twelve to sixteen minutes."""
    found = []
    at = begins + rng.uniform(0, 5) * 3600
    while at < ends:
        found.append((at, at + rng.uniform(12, 16) * 60))
        at += rng.uniform(4.5, 5.5) * 3600
    return found
