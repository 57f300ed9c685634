"""Distances and points along a line, good to a metre over the length of a truck's day: pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

METRES_PER_DEGREE: Final = 111_195.0
"""Of latitude, on a sphere of 6,371 km."""

_CHORD_M: Final = 2_000.0
"""Half the chord over which a line's direction is taken when something drives beside it."""


class Point(NamedTuple):
    """WGS-84 degrees."""

    lon: float
    lat: float

    def moved(self, east_m: float, north_m: float) -> Point:
        """The point so many metres away."""
        return Point(
            self.lon + east_m / (METRES_PER_DEGREE * math.cos(math.radians(self.lat))),
            self.lat + north_m / METRES_PER_DEGREE,
        )

    def to(self, other: Point) -> tuple[float, float]:
        """Metres east and north from here to there."""
        middle = math.radians((self.lat + other.lat) / 2)
        return (
            (other.lon - self.lon) * METRES_PER_DEGREE * math.cos(middle),
            (other.lat - self.lat) * METRES_PER_DEGREE,
        )

    def between(self, other: Point, share: float) -> Point:
        """The point at a share of the way from here (0) to there (1)."""
        return Point(self.lon + (other.lon - self.lon) * share, self.lat + (other.lat - self.lat) * share)


def distance_m(one: Point, other: Point) -> float:
    """Metres between two points."""
    return math.hypot(*one.to(other))


class Line:
    """A road as a polyline, asked by metres from its beginning."""

    def __init__(self, points: Sequence[Point]) -> None:
        self.points = list(points)
        self.at_m = [0.0]
        for one, other in zip(self.points, self.points[1:], strict=False):
            self.at_m.append(self.at_m[-1] + distance_m(one, other))

    @property
    def length_m(self) -> float:
        """Metres from end to end."""
        return self.at_m[-1]

    def reversed(self) -> Line:
        """The way back."""
        return Line(self.points[::-1])

    def point(self, along_m: float) -> Point:
        """The point so many metres from the beginning; the ends beyond them."""
        along_m = min(max(along_m, 0.0), self.length_m)
        leg = min(bisect_right(self.at_m, along_m), len(self.points) - 1)
        begins, ends = self.at_m[leg - 1], self.at_m[leg]
        share = (along_m - begins) / (ends - begins) if ends > begins else 0.0
        return self.points[leg - 1].between(self.points[leg], share)

    def heading_deg(self, along_m: float) -> float:
        """Direction of travel there, degrees from north."""
        east, north = self.point(along_m - 5).to(self.point(along_m + 5))
        return math.degrees(math.atan2(east, north)) % 360

    def beside(self, along_m: float, left_m: float) -> Point:
        """The point so many metres to the left of the line, whose bends are smoothed for it."""
        if not left_m:
            return self.point(along_m)
        east, north = self.point(along_m - _CHORD_M).to(self.point(along_m + _CHORD_M))
        length = math.hypot(east, north)
        return self.point(along_m).moved(-north / length * left_m, east / length * left_m)

    def nearest_m(self, place: Point) -> float:
        """Where along the line it comes closest to a place."""
        best, best_m = 0.0, math.inf
        for begins, one, other in zip(self.at_m, self.points, self.points[1:], strict=False):
            east, north = one.to(other)
            square = east * east + north * north
            to_east, to_north = one.to(place)
            share = min(max((to_east * east + to_north * north) / square, 0.0), 1.0) if square else 0.0
            away = math.hypot(to_east - east * share, to_north - north * share)
            if away < best_m:
                best, best_m = begins + math.sqrt(square) * share, away
        return best


def centre(ring: Sequence[Sequence[float]]) -> Point:
    """The middle of a closed ring's corners."""
    corners = ring[:-1]
    return Point(sum(lon for lon, _ in corners) / len(corners), sum(lat for _, lat in corners) / len(corners))
