"""Where vehicles truly are: parked at a fence, past it, out of a gate and back, along a corridor's edge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from tests.noise.ground import Floats, Ground

DEEP_M: Final = 100.0
SETTLED_S: Final = 300.0
PARKED_S: Final = (600.0, 5400.0)


class Path:
    """A true path: knots in time and on the plane, straight and even between them.

    Attributes:
        stops: when it stands, seconds.
        open_sky: when it is in no tunnel, seconds.
    """

    def __init__(self, x: float, y: float) -> None:
        self.t, self.x, self.y = [0.0], [x], [y]
        self.stops: list[tuple[float, float]] = []
        self.open_sky: list[tuple[float, float]] = []

    @property
    def ends_s(self) -> float:
        return self.t[-1]

    @property
    def here(self) -> Point:
        return Point(self.x[-1], self.y[-1])

    def drive(self, way: list[tuple[float, float]], kmh: float) -> Path:
        """Along a line, at an even speed."""
        for x, y in way:
            length = float(np.hypot(x - self.x[-1], y - self.y[-1]))
            if length > 0.01:
                self._knot(length / (kmh / 3.6), x, y)
        return self

    def stand(self, seconds: float) -> Path:
        """On the spot."""
        self.stops.append((self.ends_s, self.ends_s + seconds))
        self._knot(seconds, self.x[-1], self.y[-1])
        return self

    def at(self, t: Floats) -> tuple[Floats, Floats]:
        """Where it is at each moment."""
        return np.interp(t, self.t, self.x), np.interp(t, self.t, self.y)

    def moments(self) -> Floats:
        """All that is needed to follow it: each second of driving, and both ends of each stop."""
        standing = np.zeros(int(self.ends_s) + 1, dtype=bool)
        for begins, ends in self.stops:
            standing[int(begins) + 1 : int(ends)] = True
        return np.unique(np.concatenate([np.flatnonzero(~standing).astype(np.float64), self.t]))

    def end(self, seconds: float) -> None:
        """Forget what comes after so many seconds."""
        x, y = self.at(np.array([seconds]))
        keep = int(np.searchsorted(self.t, seconds))
        self.t = [*self.t[:keep], seconds]
        self.x, self.y = [*self.x[:keep], float(x[0])], [*self.y[:keep], float(y[0])]
        self.stops = [(begins, min(ends, seconds)) for begins, ends in self.stops if begins < seconds]

    def _knot(self, seconds: float, x: float, y: float) -> None:
        self.t.append(self.t[-1] + seconds)
        self.x.append(x)
        self.y.append(y)


class Exits:
    """How a journey may leave its zone, so that its receiver can tell of it at all.

    Args:
        depth_m: least depth of an exit that is to be found.
        lasts_s: least time out there.
    """

    def __init__(self, depth_m: float, lasts_s: float) -> None:
        self.depth_m, self.lasts_s = depth_m, lasts_s


Journey = Callable[[Ground, np.random.Generator, float, Exits], Path]


def keeps_within(ground: Ground, rng: np.random.Generator, seconds: float, exits: Exits) -> Path:
    """In a zone, mostly parked 3 to 60 m from its fence; out now and then, some seconds or for good."""
    zone = ground.shape
    deepest = _deepest(zone)
    path = Path(*_spot(zone, -deepest, rng))
    path.stand(rng.uniform(SETTLED_S, 1200))
    while path.ends_s < seconds:
        fence = _ring(zone, -rng.uniform(3, min(60.0, deepest * 0.8)))
        path.drive([_nearest(fence, path.here)], rng.uniform(8, 30))
        match rng.choice(["park", "along", "nip", "exit"], p=[0.5, 0.15, 0.15, 0.2]):
            case "park":
                path.stand(rng.uniform(*PARKED_S))
            case "along":
                path.drive(_along(fence, path.here, rng.uniform(100, 1500)), rng.uniform(8, 35))
            case "nip":
                back = (path.x[-1], path.y[-1])
                path.drive([_nearest(_ring(zone, rng.uniform(5, 45)), path.here)], rng.uniform(8, 20))
                path.stand(rng.uniform(5, 90)).drive([back], rng.uniform(8, 20))
            case _:
                _goes_out(path, zone, rng, exits)
                path.drive([_spot(zone, -deepest, rng)], rng.uniform(15, 40))
                path.stand(rng.uniform(SETTLED_S, 1800))
    return path


def passes_by(ground: Ground, rng: np.random.Generator, seconds: float, exits: Exits) -> Path:
    """On the roads around a zone, 25 to 120 m beside its fence: driving past, and parked for hours."""
    del exits
    zone = ground.shape
    path = Path(*_spot(zone, rng.uniform(200, 500), rng))
    while path.ends_s < seconds:
        road = _ring(zone, rng.uniform(25, 120))
        path.drive([_nearest(road, path.here)], rng.uniform(10, 40))
        path.drive(_along(road, path.here, rng.uniform(200, 4000)), rng.uniform(20, 70))
        if rng.random() < 0.6:
            path.stand(rng.uniform(*PARKED_S))
    return path


def follows_edge(ground: Ground, rng: np.random.Generator, seconds: float, exits: Exits) -> Path:
    """Along a corridor's edge, 50 to 150 m within it; parked there; off it for long now and then."""
    del exits
    tolerance = ground.tolerance_m[ground.code]
    line = max(shapely.get_parts(ground.shape), key=lambda part: float(part.length))
    side = 1 if rng.random() < 0.5 else -1
    path = Path(*_beside(line, 0.5, side * tolerance * 0.5).coords[0])
    share, step = 0.5, 0.02
    path.stand(rng.uniform(SETTLED_S, 900))
    while path.ends_s < seconds:
        step = -step if not 0.3 < share + step < 0.7 else step
        share += step
        out = rng.random() < 0.1
        inset = rng.uniform(50, 150) if not out else -rng.uniform(150, 400)
        there = _beside(line, share, side * (tolerance - inset))
        path.drive([there.coords[0]], rng.uniform(30, 80))
        if out or rng.random() < 0.5:
            path.stand(rng.uniform(700, 1800) if out else rng.uniform(*PARKED_S))
    return path


def _goes_out(path: Path, zone: BaseGeometry, rng: np.random.Generator, exits: Exits) -> None:
    """Out by more than it takes, stands or drives there, long enough."""
    began = path.ends_s
    road = _ring(zone, exits.depth_m + rng.exponential(80))
    path.drive([_nearest(road, path.here)], rng.uniform(15, 40))
    lasts = exits.lasts_s + rng.exponential(600)
    if rng.random() < 0.5:
        path.stand(lasts)
    else:
        kmh = rng.uniform(15, 50)
        path.drive(_along(road, path.here, lasts * kmh / 3.6), kmh)
    path.open_sky.append((began, path.ends_s))


def _deepest(zone: BaseGeometry) -> float:
    """How far within a zone one can settle."""
    least, most = 0.0, 400.0
    for _ in range(8):
        middle = (least + most) / 2
        least, most = (least, middle) if zone.buffer(-middle).is_empty else (middle, most)
    return min(200.0, least * 0.9)


def _ring(zone: BaseGeometry, beyond_m: float) -> LineString:
    """The line that lies so far outside a zone's border, or inside it."""
    grown = max(shapely.get_parts(zone.buffer(beyond_m)), key=lambda part: float(part.area))
    assert isinstance(grown, Polygon)
    return LineString(grown.exterior.coords)


def _spot(zone: BaseGeometry, beyond_m: float, rng: np.random.Generator) -> tuple[float, float]:
    point = _ring(zone, beyond_m).interpolate(rng.random(), normalized=True)
    return point.x, point.y


def _nearest(ring: LineString, point: Point) -> tuple[float, float]:
    there = ring.interpolate(ring.project(point))
    return there.x, there.y


def _along(ring: LineString, start: Point, length_m: float) -> list[tuple[float, float]]:
    """From a point on a ring along it, round it if need be."""
    begin = ring.project(start)
    way = [ring.interpolate((begin + d) % ring.length) for d in np.arange(20.0, length_m, 20.0)]
    return [(point.x, point.y) for point in way]


def _beside(line: LineString, share: float, offset_m: float) -> Point:
    """The point beside a line's own, across it."""
    at, ahead = line.interpolate(share, normalized=True), line.interpolate(share + 0.001, normalized=True)
    dx, dy = ahead.x - at.x, ahead.y - at.y
    length = float(np.hypot(dx, dy))
    return Point(at.x - dy / length * offset_m, at.y + dx / length * offset_m)
