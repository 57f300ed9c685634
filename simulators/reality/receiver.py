"""What a satellite receiver makes of a true place: it wanders, reflects, loses the sky, and mostly says so.

The numbers are those of docs/noise.md, where their reasons stand; among buildings a receiver here is the same
one, only worse.
"""

from __future__ import annotations

import math
import random
from functools import partial
from typing import Any, Final

from simulators.geo import Point
from simulators.reality.sky import Sky

_MOVING_S, _STANDING_S = 40.0, 150.0
"""Over these times errors are correlated."""

_IN_RUNS: Final = 1 / 3


class Receiver:
    """One receiver with the state of its errors.

    Args:
        rng: of this device.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._accuracy_m = rng.uniform(5, 15)
        self._honesty = rng.choices([1.0, 1.5], [0.8, 0.2])[0]
        self._sky = Sky(partial(rng.gauss, 0, 1), rng.uniform, in_runs=_IN_RUNS)
        self._before = -math.inf

    def fix(self, t: float, true: Point, speed_mps: float, *, urban: bool) -> dict[str, Any]:
        """A position as it goes over the wire.

        Args:
            t: the moment, seconds.
            true: where it is.
            speed_mps: how fast it moves.
            urban: whether it is among buildings.
        """
        is_standing = speed_mps < 0.5
        correlated_s = _STANDING_S if is_standing else _MOVING_S
        self._sky.passes(t - self._before, t, correlated_s=correlated_s, is_standing=is_standing, urban=urban)
        self._before = t
        usual_m = self._accuracy_m if not urban else max(20.0, self._accuracy_m * 2)
        east, north, accuracy = self._sky.error(usual_m, self._honesty)
        seen = true.moved(east, north)
        return {
            "type": "position",
            "lon": round(seen.lon, 7),
            "lat": round(seen.lat, 7),
            "accuracy_m": round(accuracy, 1),
            "speed_mps": round(abs(speed_mps + self._rng.gauss(0, 0.15)), 1),
        }
