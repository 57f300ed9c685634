"""Ways, ticks and values on lines: the arithmetic of timelines. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from simulators.geo import Line, Point, distance_m
from simulators.places import Places


def way(places: Places, corridor: str, *, backwards: bool) -> Line:
    """The way of a corridor, from the middle of the zone at its beginning to that at its end."""
    origin, destination = places.ends(corridor)
    road = places.corridor(corridor).points
    ends = [places.middle(origin), places.middle(destination)]
    points = [
        *([ends[0]] if distance_m(ends[0], road[0]) > 1 else []),
        *road,
        *([ends[1]] if distance_m(ends[1], road[-1]) > 1 else []),
    ]
    line = Line(points)
    return line.reversed() if backwards else line


def ticks(begins: datetime, ends: datetime, every_s: float) -> Iterator[datetime]:
    """Moments from one to before another."""
    time = begins
    while time < ends:
        yield time
        time += timedelta(seconds=every_s)


def between(corners: Sequence[tuple[datetime, float]], time: datetime) -> float:
    """The value at a moment, on straight lines between corners."""
    for (since, one), (until, other) in pairwise(corners):
        if since <= time <= until:
            share = (time - since) / (until - since) if until > since else 1.0
            return round(one + (other - one) * share, 3)
    return corners[-1][1]


def position(rng: random.Random, true: Point, accuracy_m: float, speed_mps: float) -> dict[str, Any]:
    """What a receiver says that stands there: its error is half of the accuracy that it claims."""
    seen = true.moved(rng.gauss(0, accuracy_m / 4), rng.gauss(0, accuracy_m / 4))
    return {
        "type": "position",
        "lon": round(seen.lon, 7),
        "lat": round(seen.lat, 7),
        "accuracy_m": accuracy_m,
        "speed_mps": round(speed_mps, 1),
    }
