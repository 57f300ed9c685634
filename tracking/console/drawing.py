"""A shipment's map as SVG: zones, corridor with its tolerance, trace, milestones. Pure; needs no tiles.

Coordinates are WGS-84 degrees in and drawing units out: an equirectangular projection about the middle of
what is shown (error under 0.1 % over a few hundred kilometres, far below a line's width).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import shapely
from msgspec import Struct

WIDTH: Final = 1000.0
HEIGHT: Final = 640.0
MARGIN: Final = 40.0
EDGE: Final = 160.0
"""A label in the middle of a zone that is nearer to the side than this would be cut off."""
METRES_PER_DEGREE: Final = 111_195.0
"""Along a meridian, mean earth radius (IUGG)."""

SIMPLIFY_UNITS: Final = 0.4
"""Points that move the line by less than this many drawing units are left out: invisible on a page."""


class Projection(Struct, frozen=True):
    """Degrees to drawing units: ``x = (lon - lon0) * kx``, ``y = (lat0 - lat) * ky``."""

    lon0: float
    lat0: float
    kx: float
    ky: float

    def point(self, lon: float, lat: float) -> tuple[float, float]:
        return (lon - self.lon0) * self.kx, (self.lat0 - lat) * self.ky

    def metres(self, metres: float) -> float:
        """A length in drawing units."""
        return metres / METRES_PER_DEGREE * self.ky


class Shape(Struct, frozen=True):
    """One area on the map."""

    code: str
    name: str
    kind: str
    path: str
    label: tuple[float, float]
    anchor: str  # of the label: near an edge it leans inwards
    band: float = 0.0  # a corridor's stroke width that shows its tolerance on both sides


class ScaleBar(Struct, frozen=True):
    length: float
    text: str


class Drawing(Struct, frozen=True):
    """Everything the template needs."""

    projection: Projection
    zones: list[Shape]
    corridors: list[Shape]
    trace: str
    last: tuple[float, float] | None
    scale: ScaleBar


def project(bounds: tuple[float, float, float, float]) -> Projection:
    """The projection that shows ``bounds`` (west, south, east, north) whole, with a margin."""
    west, south, east, north = bounds
    middle = math.radians((south + north) / 2)
    width = max((east - west) * math.cos(middle), 0.01)
    height = max(north - south, 0.01)
    ky = min((WIDTH - 2 * MARGIN) / width, (HEIGHT - 2 * MARGIN) / height)
    kx = ky * math.cos(middle)
    return Projection(
        lon0=(west + east) / 2 - WIDTH / 2 / kx,
        lat0=(south + north) / 2 + HEIGHT / 2 / ky,
        kx=kx,
        ky=ky,
    )


def draw(
    areas: Iterable[dict[str, Any]],
    positions: Sequence[tuple[float, float]],
    focus: set[str],
    language: str,
) -> Drawing:
    """Draw a trace among areas.

    Args:
        areas: ``{code, kind, geometry (GeoJSON), tolerance_m, properties}`` of every area in force.
        positions: (lon, lat) in event-time order.
        focus: codes of the areas that the shipment's terms name; they are always in view.
        language: ``en`` or ``zh``, for the labels.
    """
    shapes = [(area, shapely.from_geojson(_json(area["geometry"]))) for area in areas]
    in_focus = [shape.bounds for area, shape in shapes if area["code"] in focus]
    if positions:
        lon, lat = np.asarray(positions).T
        in_focus.append((lon.min(), lat.min(), lon.max(), lat.max()))
    if not in_focus:
        in_focus = [shape.bounds for _, shape in shapes] or [(119.9, 30.7, 121.9, 32.1)]
    boxes = np.asarray(in_focus)
    west, south = boxes[:, :2].min(axis=0)
    east, north = boxes[:, 2:].max(axis=0)
    projection = project((float(west), float(south), float(east), float(north)))
    view = shapely.box(
        projection.lon0,
        projection.lat0 - HEIGHT / projection.ky,
        projection.lon0 + WIDTH / projection.kx,
        projection.lat0,
    )
    zones: list[Shape] = []
    corridors: list[Shape] = []
    for area, shape in shapes:
        is_corridor = area["kind"] == "corridor"
        if (is_corridor and area["code"] not in focus) or not shape.intersects(view):
            continue
        target = corridors if is_corridor else zones
        target.append(_shape(area, shape, projection, language))
    zones.sort(key=lambda shape: -len(shape.path))
    return Drawing(
        projection=projection,
        zones=zones,
        corridors=corridors,
        trace=_trace(positions, projection),
        last=projection.point(*positions[-1]) if positions else None,
        scale=_scale(projection),
    )


def _json(geometry: Any) -> str:
    return msgspec.json.encode(geometry).decode()


def _shape(area: dict[str, Any], shape: Any, projection: Projection, language: str) -> Shape:
    properties = area.get("properties") or {}
    name = properties.get(f"name_{language}") or properties.get("name_en") or area["code"]
    rings: list[Any] = []
    for part in shapely.get_parts(shape):
        rings += [part.exterior, *part.interiors] if part.geom_type == "Polygon" else [part]
    path = "".join(_path(ring.coords, projection) + ("Z" if ring.is_ring else "") for ring in rings)
    label = (
        shape.representative_point()
        if area["kind"] != "corridor"
        else shape.interpolate(0.5, normalized=True)
    )
    point = projection.point(label.x, label.y)
    return Shape(
        code=area["code"],
        name=name,
        kind=area["kind"],
        path=path,
        label=point,
        anchor="start" if point[0] < EDGE else "end" if point[0] > WIDTH - EDGE else "middle",
        band=2 * projection.metres(area["tolerance_m"]) if area.get("tolerance_m") else 0.0,
    )


def _path(points: Iterable[Sequence[float]], projection: Projection) -> str:
    pairs = (projection.point(point[0], point[1]) for point in points)
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in pairs)


def _trace(positions: Sequence[tuple[float, float]], projection: Projection) -> str:
    if len(positions) < 2:
        return ""
    lon, lat = np.asarray(positions).T
    line = shapely.linestrings(
        np.column_stack(((lon - projection.lon0) * projection.kx, (projection.lat0 - lat) * projection.ky))
    )
    coordinates = shapely.get_coordinates(shapely.simplify(line, SIMPLIFY_UNITS, preserve_topology=False))
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in coordinates)


def _scale(projection: Projection) -> ScaleBar:
    """The round length (1, 2 or 5 times a power of ten) nearest to a sixth of the width."""
    wish = WIDTH / 6 / projection.metres(1)
    power = 10 ** math.floor(math.log10(wish))
    metres = max(step * power for step in (1, 2, 5) if step * power <= wish)
    text = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    return ScaleBar(length=projection.metres(metres), text=text)
