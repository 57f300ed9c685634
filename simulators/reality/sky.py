"""The errors of a satellite receiver from one report to the next: they wander, and reflections come and go.

``docs/noise.md`` gives the reasons of every number. Whoever owns the receiver hands in its randomness, so a
stream of its own stays what it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

RAYLEIGH_68: Final = 1.515
"""68 % of a plane's normal errors lie within this many standard deviations of one axis."""

BEST_M, WORST_M = 4.0, 50.0
"""Between these the stated accuracy wanders."""

REFLECTED_SHARE: Final = {False: 0.005, True: 0.02}
"""Of the reports, where no reflection was for ``CALM_S``; among buildings more."""

CALM_S: Final = 600.0


class Sky:
    """The state of the errors.

    Args:
        normal: draws from the standard normal distribution.
        uniform: draws between two bounds.
        in_runs: share of reflections that last for more than one report.
    """

    def __init__(
        self, normal: Callable[[], float], uniform: Callable[[float, float], float], *, in_runs: float
    ) -> None:
        self._normal, self._uniform, self._in_runs = normal, uniform, in_runs
        self._wander = [normal() for _ in range(3)]
        self._reflected: tuple[float, float, float] | None = None
        self._reflected_until = self._calm_until = -math.inf
        self._is_stated = False

    def passes(
        self, seconds: float, now: float, *, correlated_s: float, is_standing: bool, urban: bool
    ) -> None:
        """Errors wander (first-order Gauss-Markov); a reflection ends, or begins.

        Args:
            seconds: since the report before; infinite at the first.
            now: the moment, seconds.
            correlated_s: over this time errors are correlated.
            is_standing: a run of reflections then lasts longer.
            urban: whether it is among buildings.
        """
        keep = math.exp(-seconds / correlated_s)
        fresh = math.sqrt(1 - keep * keep)
        self._wander = [one * keep + self._normal() * fresh for one in self._wander]
        if now > self._reflected_until:
            self._reflected = None
            if now > self._calm_until and self._uniform(0, 1) < REFLECTED_SHARE[urban]:
                self._reflect(now, is_standing=is_standing)

    def error(self, usual_m: float, honesty: float, *, worse_m: float = 0.0) -> tuple[float, float, float]:
        """Metres east and north, and the accuracy stated.

        Args:
            usual_m: the accuracy that the receiver typically states, the radius of 68 %.
            honesty: its error over what it states.
            worse_m: by so much it states, and errs, more now: it comes out of a tunnel.
        """
        accuracy = min(WORST_M, max(BEST_M, usual_m * math.exp(0.25 * self._wander[2]))) + worse_m
        sigma = accuracy * honesty / RAYLEIGH_68
        east, north = self._wander[0] * sigma, self._wander[1] * sigma
        if self._reflected is not None:
            east, north = east + self._reflected[0], north + self._reflected[1]
            if self._is_stated:
                accuracy = max(accuracy, self._reflected[2] * 0.7)
        return east, north, accuracy

    def _reflect(self, now: float, *, is_standing: bool) -> None:
        """A jump of 50 to 300 m any way: isolated, or a run of up to 15 s moving, 100 s standing."""
        lasts = (100.0 if is_standing else 15.0) if self._uniform(0, 1) < self._in_runs else 0.0
        self._reflected_until = now + self._uniform(0, 1) * lasts
        self._calm_until = now + CALM_S
        length, angle = self._uniform(50, 300), self._uniform(0, 2 * math.pi)
        self._is_stated = self._uniform(0, 1) < 0.5
        self._reflected = length * math.cos(angle), length * math.sin(angle), length
