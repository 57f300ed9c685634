"""Metres on the WGS-84 ellipsoid.

Two ways, for two needs. *Fast*: a tangent plane at the fix, from the lengths of a degree there; good to
0.01 % within 30 km, and made of additions, products and square roots only, so every machine and every batch
size gives the same bits. *Exact*: geodesics, for evidence.

A line between two vertices is the geodesic between them. Drawn straight in longitude and latitude, the middle
of a 277 km rail segment would lie 1.5 km off; ``densify`` adds vertices until under half a metre is left.

Source: Karney, "Algorithms for geodesics" (2013), through PROJ; the lengths of a degree are the usual series
for the ellipsoid, e.g. NIMA TR8350.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
from pyproj import Geod

Floats = npt.NDArray[np.float64]
Number = TypeVar("Number", float, Floats)

DENSIFY_STEP_M: Final = 4_000.0
"""Longest piece of a line that is treated as straight. 4 km leaves 0.4 m at 50 degrees of latitude."""

_ROUGH_WITHIN_M: Final = 100_000.0
_GEOD: Final = Geod(ellps="WGS84")
_RADIANS: Final = math.pi / 180.0
_COSINE: Final = [(-1.0) ** n / math.factorial(2 * n) for n in range(10)]


def cosine(lat: Number) -> Number:
    """Cosine of a latitude in degrees, by its series: the same bits on every CPU, in every array."""
    square = (lat * _RADIANS) * (lat * _RADIANS)
    total = square * 0.0 + _COSINE[-1]
    for coefficient in reversed(_COSINE[:-1]):
        total = total * square + coefficient
    return total


def metres_per_degree(lat: Number) -> tuple[Number, Number]:
    """Metres in one degree of longitude and of latitude at a latitude in degrees."""
    c = cosine(lat)
    cc = c * c
    lon_m = c * (111412.84 - 93.5 * (4.0 * cc - 3.0) + 0.118 * (16.0 * cc * cc - 20.0 * cc + 5.0))
    lat_m = 111132.92 - 559.82 * (2.0 * cc - 1.0) + 1.175 * (8.0 * cc * cc - 8.0 * cc + 1.0)
    return lon_m, lat_m


def narrowing(lat: Floats) -> Floats:
    """Half the change of the metres in a degree of longitude over one degree of latitude.

    It gives the plane the scale of the middle between two points, good over tens of kilometres.
    """
    c = cosine(lat)
    sine = np.sign(lat) * np.sqrt(np.maximum(0.0, 1.0 - c * c))
    result: Floats = -0.5 * _RADIANS * sine * (111412.84 - 280.5 * (3.0 - 4.0 * sine * sine))
    return result


def densify(coordinates: Sequence[Sequence[float]], step_m: float = DENSIFY_STEP_M) -> Floats:
    """The vertices of a line as an (n, 2) array, with geodesic ones added where two lie over a step apart.

    Args:
        coordinates: longitude and latitude in degrees, at least two points.
        step_m: longest distance between two vertices of the result, in metres.
    """
    points = np.asarray(coordinates, dtype=np.float64)[:, :2]
    _azimuth, _back, lengths = _GEOD.inv(points[:-1, 0], points[:-1, 1], points[1:, 0], points[1:, 1])
    dense: list[Any] = [points[0]]
    for start, end, length in zip(points[:-1], points[1:], lengths, strict=True):
        extra = math.ceil(length / step_m) - 1
        if extra > 0:
            dense.extend(_GEOD.npts(start[0], start[1], end[0], end[1], extra))
        dense.append(end)
    return np.array(dense, dtype=np.float64)


def distance_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Length of the geodesic between two points, in metres."""
    return float(_GEOD.inv(lon1, lat1, lon2, lat2)[2])


def distance_to_line_m(line: Floats, lon: float, lat: float) -> float:
    """Geodesic distance in metres from a point to a densified line.

    The line is seen in the azimuthal equidistant projection around the point: distances from the point are
    exact there, and pieces of a few kilometres are straight to well under a metre. Pieces that the tangent
    plane shows to lie well beyond the nearest are left out.
    """
    lon_m, lat_m = metres_per_degree(lat)
    x, y = (line[:, 0] - lon) * lon_m, (line[:, 1] - lat) * lat_m
    rough = np.sqrt(squared_to_origin(x[:-1], y[:-1], x[1:], y[1:]))
    least = float(rough.min())
    near = np.flatnonzero(rough <= (least * 1.1 + 100.0 if least < _ROUGH_WITHIN_M else math.inf))
    seen = line[np.concatenate([near, near + 1])]
    count = len(seen)
    azimuth, _back, length = _GEOD.inv(np.full(count, lon), np.full(count, lat), seen[:, 0], seen[:, 1])
    radians = np.radians(azimuth)
    x, y = length * np.sin(radians), length * np.cos(radians)
    half = len(near)
    return math.sqrt(float(squared_to_origin(x[:half], y[:half], x[half:], y[half:]).min()))


def squared_to_origin(ax: Floats, ay: Floats, bx: Floats, by: Floats) -> Floats:
    """Squared distance from the origin to each straight piece from a to b, all in metres."""
    dx, dy = bx - ax, by - ay
    square = dx * dx + dy * dy
    share = np.clip(-(ax * dx + ay * dy) / np.where(square > 0.0, square, 1.0), 0.0, 1.0)
    x, y = ax + share * dx, ay + share * dy
    result: Floats = x * x + y * y
    return result
