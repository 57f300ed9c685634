"""How far it is around a zone."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry import LineString, MultiPolygon, Polygon

from tracking.domain.places import geodesy


def around_m(outline: Polygon | MultiPolygon | None, way: LineString) -> float:
    """Length of the shorter half of a cord around a zone and both ends of a way.

    An end that the cord doesn't touch lies in a hollow of the zone: then only the way itself is known.
    """
    start, end = way.coords[0], way.coords[-1]
    lon_m, lat_m = geodesy.metres_per_degree(start[1])
    cord = np.array(shapely.MultiPoint([start, end]).union(outline).convex_hull.exterior.coords)
    steps = np.hypot(*(np.diff(cord, axis=0) * (lon_m, lat_m)).T)
    at = [np.flatnonzero((cord[:-1] == point).all(axis=1)) for point in (start, end)]
    if not all(len(found) for found in at):
        return float(np.hypot((end[0] - start[0]) * lon_m, (end[1] - start[1]) * lat_m))
    first, last = sorted(int(found[0]) for found in at)
    half = float(steps[first:last].sum())
    return min(half, float(steps.sum()) - half)
