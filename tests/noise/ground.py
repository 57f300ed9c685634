"""The ground around one place of the simulated world, in metres: what is true of a point there."""

from __future__ import annotations

import functools
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely
from msgspec import Struct
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from simulators import places
from tracking.domain.places import Area, PlaceIndex, geodesy

Floats: TypeAlias = npt.NDArray[np.float64]

AROUND_M: Final = 12_000.0
"""No journey leads further from the middle of its ground; the plane is good to 0.1 % there."""

WIDEST_M: Final = 5_000.0
"""Tolerance of the widest corridor: the edges of wider ones, of rails, lie beyond the plane."""


class Ground(Struct, frozen=True):
    """A tangent plane with everything that lies on it.

    Attributes:
        code: the zone or corridor in its middle.
        lon: of the middle, WGS-84 degrees.
        lat: of the middle, WGS-84 degrees.
        shapes: outlines of zones and lines of corridors by code, metres.
        tolerance_m: of the corridors, by code.
    """

    code: str
    lon: float
    lat: float
    shapes: dict[str, BaseGeometry]
    tolerance_m: dict[str, float]

    @property
    def shape(self) -> BaseGeometry:
        return self.shapes[self.code]

    def beyond_m(self, code: str, x: Floats, y: Floats) -> Floats:
        """Metres beyond an area's border, negative within."""
        shape = self.shapes.get(code)
        if shape is None:
            return np.full(len(x), np.inf)
        points = shapely.points(x, y)
        tolerance = self.tolerance_m.get(code)
        if tolerance is not None:
            found: Floats = shapely.distance(points, shape) - tolerance
            return found
        away: Floats = shapely.distance(points, shapely.boundary(shape))
        return np.where(shapely.contains_xy(shape, x, y), -away, away)

    def degrees(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Where points of the plane lie on Earth."""
        lon_m, lat_m = geodesy.metres_per_degree(self.lat)
        return self.lon + x / lon_m, self.lat + y / lat_m


@functools.cache
def areas() -> tuple[Area, ...]:
    """All zones and corridors of the simulated world, but those that are wider than any ground."""
    found = []
    for feature in places.load().features.values():
        properties = feature["properties"]
        tolerance = properties.get("tolerance_m")
        is_near = tolerance is None or tolerance <= WIDEST_M
        if feature["geometry"]["type"] in ("Polygon", "LineString") and is_near:
            found.append(
                Area.from_geojson(
                    feature["geometry"],
                    code=properties["code"],
                    kind=properties["kind"],
                    park=properties.get("park") or "SIP",
                    valid_from_us=0,
                    tolerance_m=None if tolerance is None else float(tolerance),
                    properties=properties,
                    revision=1,
                )
            )
    return tuple(found)


@functools.cache
def index() -> PlaceIndex:
    """The same, as the folds ask for them."""
    return PlaceIndex(areas())


@functools.cache
def around(code: str, share: float = 0.5) -> Ground:
    """The ground around a zone's middle, or around a point so far along a corridor."""
    (centre,) = (area for area in areas() if area.code == code)
    middle = (
        centre.geometry.interpolate(share, normalized=True)
        if centre.is_corridor
        else centre.geometry.centroid
    )
    window = shapely.box(-AROUND_M, -AROUND_M, AROUND_M, AROUND_M)
    lon_m, lat_m = geodesy.metres_per_degree(middle.y)
    shapes: dict[str, BaseGeometry] = {}
    tolerances: dict[str, float] = {}
    for area in areas():
        geometry = area.geometry
        rings = [geometry.coords] if area.is_corridor else [geometry.exterior.coords]
        (dense,) = (geodesy.densify(list(ring)) for ring in rings)
        flat = np.column_stack([(dense[:, 0] - middle.x) * lon_m, (dense[:, 1] - middle.y) * lat_m])
        drawn = LineString(flat).intersection(window) if area.is_corridor else Polygon(flat)
        if drawn.is_empty or not drawn.intersects(window):
            continue
        shapes[area.code] = drawn
        if area.tolerance_m is not None:
            tolerances[area.code] = area.tolerance_m
    return Ground(code, middle.x, middle.y, shapes, tolerances)
