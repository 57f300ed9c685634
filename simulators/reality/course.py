"""Where something truly is: knots in time and place, straight and even between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from simulators.geo import METRES_PER_DEGREE, Line, Point
from simulators.reality.windows import within

Floats: TypeAlias = npt.NDArray[np.float64]


class Course:
    """A true course.

    Args:
        knots: moments (seconds of the world) and places, in order.
        stands: when it stood still: from and to, seconds.
    """

    def __init__(self, knots: Sequence[tuple[float, Point]], stands: Sequence[tuple[float, float]]) -> None:
        self.t = np.array([t for t, _ in knots])
        self.lon = np.array([place.lon for _, place in knots])
        self.lat = np.array([place.lat for _, place in knots])
        self.stands = list(stands)

    @property
    def begins(self) -> float:
        """Its first moment."""
        return float(self.t[0])

    @property
    def ends(self) -> float:
        """Its last."""
        return float(self.t[-1])

    def at(self, t: float) -> Point:
        """Where it is at a moment."""
        return Point(float(np.interp(t, self.t, self.lon)), float(np.interp(t, self.t, self.lat)))

    def sampled(self, every_s: float) -> tuple[Floats, Floats, Floats]:
        """Moments at an interval, with longitudes and latitudes."""
        t = np.arange(self.begins, self.ends, every_s)
        return t, np.interp(t, self.t, self.lon), np.interp(t, self.t, self.lat)

    def speed_mps(self, t: float) -> float:
        """How fast it moves then."""
        one, other = self.at(t - 1), self.at(t + 1)
        return float(np.hypot(*one.to(other))) / 2

    def stands_at(self, t: float) -> bool:
        """Whether it stands still then."""
        return within(self.stands, t)


def off_m(line: Line, lon: Floats, lat: Floats) -> Floats:
    """Metres from a polyline, each segment in its own plane: good to 0.1 % over tens of kilometres."""
    best = np.full(len(lon), np.inf)
    for one, other in zip(line.points, line.points[1:], strict=False):
        east = METRES_PER_DEGREE * np.cos(np.radians((lat + (one.lat + other.lat) / 2) / 2))
        x, y = (lon - one.lon) * east, (lat - one.lat) * METRES_PER_DEGREE
        ax, ay = (other.lon - one.lon) * east, (other.lat - one.lat) * METRES_PER_DEGREE
        square = ax * ax + ay * ay
        share = np.clip((x * ax + y * ay) / np.where(square > 0, square, 1.0), 0.0, 1.0)
        best = np.minimum(best, np.hypot(x - ax * share, y - ay * share))
    return best


def runs(mask: npt.NDArray[np.bool_], t: Floats) -> list[tuple[float, float]]:
    """The stretches of moments for which something holds, from the first to the last moment of each."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(float(t[a]), float(t[b - 1])) for a, b in zip(edges[::2], edges[1::2], strict=True)]
