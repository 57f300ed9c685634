"""What a satellite receiver makes of a true place: it wanders, reflects, loses the sky, and mostly says so.

The numbers are those of docs/noise.md, where their reasons stand: errors are first-order Gauss-Markov, 68 %
within the accuracy stated; reflections of 50 to 300 m, two in three isolated, half of them stated.
"""

from __future__ import annotations

import math
import random
from typing import Any, Final

from simulators.geo import Point

_RAYLEIGH_68: Final = 1.515
"""68 % of a plane's normal errors lie within this many standard deviations of one axis."""

_MOVING_S, _STANDING_S = 40.0, 150.0
"""Over these times errors are correlated."""


class Receiver:
    """One receiver with the state of its errors.

    Args:
        rng: of this device.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._accuracy_m = rng.uniform(5, 15)
        self._honesty = rng.choices([1.0, 1.5], [0.8, 0.2])[0]
        self._wander = [rng.gauss(0, 1) for _ in range(3)]
        self._reflected: tuple[float, float] | None = None
        self._reflected_until = self._calm_until = -math.inf
        self._is_stated = False
        self._before: float | None = None

    def fix(self, t: float, true: Point, speed_mps: float, *, urban: bool) -> dict[str, Any]:
        """A position as it goes over the wire.

        Args:
            t: the moment, seconds.
            true: where it is.
            speed_mps: how fast it moves.
            urban: whether it is among buildings.
        """
        rng = self._rng
        self._pass(t, is_standing=speed_mps < 0.5, urban=urban)
        usual = self._accuracy_m if not urban else max(20.0, self._accuracy_m * 2)
        accuracy = min(50.0, max(4.0, usual * math.exp(0.25 * self._wander[2])))
        sigma = accuracy * self._honesty / _RAYLEIGH_68
        east, north = self._wander[0] * sigma, self._wander[1] * sigma
        if self._reflected is not None:
            east, north = east + self._reflected[0], north + self._reflected[1]
            if self._is_stated:
                accuracy = max(accuracy, math.hypot(*self._reflected) * 0.7)
        seen = true.moved(east, north)
        return {
            "type": "position",
            "lon": round(seen.lon, 7),
            "lat": round(seen.lat, 7),
            "accuracy_m": round(accuracy, 1),
            "speed_mps": round(abs(speed_mps + rng.gauss(0, 0.15)), 1),
        }

    def _pass(self, t: float, *, is_standing: bool, urban: bool) -> None:
        rng = self._rng
        passed = math.inf if self._before is None else t - self._before
        keep = math.exp(-passed / (_STANDING_S if is_standing else _MOVING_S))
        self._wander = [one * keep + rng.gauss(0, 1) * math.sqrt(1 - keep * keep) for one in self._wander]
        self._before = t
        if t > self._reflected_until:
            self._reflected = None
            if t > self._calm_until and rng.random() < (0.02 if urban else 0.005):
                self._reflect(t, is_standing=is_standing)

    def _reflect(self, t: float, *, is_standing: bool) -> None:
        rng = self._rng
        lasts = (100.0 if is_standing else 15.0) if rng.random() < 1 / 3 else 0.0
        self._reflected_until = t + rng.random() * lasts
        self._calm_until = t + 600.0
        length, angle = rng.uniform(50, 300), rng.uniform(0, 2 * math.pi)
        self._is_stated = rng.random() < 0.5
        self._reflected = (length * math.cos(angle), length * math.sin(angle))
