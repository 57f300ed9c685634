"""The index over all revisions of all areas: which of them is a fix in, and how far is it from the border?

One STRtree holds a box for every piece of border and for every zone; numpy works out the metres for the pairs
it returns. Revisions that don't hold at a fix's own time are masked out, so a batch may span any stretch of
history. A fix's answer doesn't depend on its neighbours in the batch, to the bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely
from msgspec import Struct
from shapely.geometry import LineString, MultiPolygon, Polygon

from tracking.domain.places import geodesy
from tracking.domain.places.area import Area
from tracking.domain.places.detour import around_m
from tracking.domain.places.geodesy import Floats

Integers: TypeAlias = npt.NDArray[np.int64]
Hit: TypeAlias = tuple[str, float]
"""An area's code and the signed distance in metres to its border: negative within."""

REACH_M: Final = 400.0
"""How far outside a border an area is still named; further out it is plainly outside and absent."""

_FOREVER: Final = np.iinfo(np.int64).max
_LEAST_M_PER_DEGREE_LAT: Final = 110_500.0
_BOX_SLACK: Final = 1.01
_LONG_SEGMENT_M: Final = 10_000.0


class Crossing(Struct, frozen=True):
    """A zone on the straight way between two fixes that both lie outside it.

    Attributes:
        area: the zone's code.
        lon: longitude of the middle of the way within it, degrees.
        lat: latitude of the same.
        depth_m: distance from there to the zone's border, metres.
        length_m: length of the way within the zone, metres.
        around_m: length of the shortest way from fix to fix around the zone, metres; never too much, and
            shorter than that where the zone is hollow on their side.
    """

    area: str
    lon: float
    lat: float
    depth_m: float
    length_m: float
    around_m: float


class _Shape:
    """A revision with its border in pieces short enough to be straight."""

    def __init__(self, area: Area) -> None:
        self.area = area
        self.outline: Polygon | MultiPolygon | None = None
        if area.line is not None:
            self.lines = [geodesy.densify(list(area.line.coords))]
            return
        assert area.polygon is not None
        parts = area.polygon.geoms if isinstance(area.polygon, MultiPolygon) else [area.polygon]
        rings = [[geodesy.densify(list(ring.coords)) for ring in (p.exterior, *p.interiors)] for p in parts]
        self.lines = [ring for part in rings for ring in part]
        self.outline = MultiPolygon([(part[0], part[1:]) for part in rings])
        shapely.prepare(self.outline)

    def distance_m(self, lon: float, lat: float) -> float:
        """Exact signed distance in metres to the border; for a corridor the border is at its tolerance."""
        nearest = min(geodesy.distance_to_line_m(line, lon, lat) for line in self.lines)
        if self.outline is None:
            return nearest - (self.area.tolerance_m or 0.0)
        return -nearest if shapely.contains_xy(self.outline, lon, lat) else nearest


def border_distance_m(area: Area, lon: float, lat: float) -> float:
    """Exact signed distance in metres from a point to an area's border, negative within; slow, for evidence.

    For a corridor the border lies at its tolerance from the centre line.
    """
    return _Shape(area).distance_m(lon, lat)


class PlaceIndex:
    """All revisions of all areas, ready to be asked for many fixes at once. Immutable.

    Attributes:
        revision: the revision of the reference data that it was built from.
        corridors: the codes of all corridors.
    """

    def __init__(self, areas: Iterable[Area], revision: int = 0) -> None:
        self.revision = revision
        self._shapes = [_Shape(a) for a in sorted(areas, key=lambda a: (a.code, a.valid_from_us))]
        self._areas = [shape.area for shape in self._shapes]
        self.corridors = frozenset(a.code for a in self._areas if a.is_corridor)
        self._by_code: dict[str, list[_Shape]] = {}
        for shape in self._shapes:
            self._by_code.setdefault(shape.area.code, []).append(shape)
        for code, revisions in self._by_code.items():
            _check_revisions(code, [shape.area for shape in revisions])
        self._codes = [a.code for a in self._areas]
        self._from = np.array([a.valid_from_us for a in self._areas], dtype=np.int64)
        self._to = np.array(
            [_FOREVER if a.valid_to_us is None else a.valid_to_us for a in self._areas], dtype=np.int64
        )
        self._tolerance = np.array([a.tolerance_m or 0.0 for a in self._areas], dtype=np.float64)
        self._build_pieces()
        self._zones = np.array(
            [i for i, s in enumerate(self._shapes) if s.outline is not None], dtype=np.int64
        )
        self._outlines = np.array([self._shapes[i].outline for i in self._zones], dtype=object)
        zone_boxes = shapely.bounds(self._outlines).reshape(-1, 4)
        self._item_area = np.concatenate([self._piece_area, self._zones])
        self._tree = shapely.STRtree(_boxes(np.concatenate([self._piece_boxes, zone_boxes])))
        self._zone_tree = shapely.STRtree(self._outlines)

    def _build_pieces(self) -> None:
        """Every straight piece of every border, and its box grown by all that may be asked of it."""
        pieces = [(i, line) for i, shape in enumerate(self._shapes) for line in shape.lines]
        starts = [line[:-1] for _, line in pieces] or [np.empty((0, 2))]
        ends = [line[1:] for _, line in pieces] or [np.empty((0, 2))]
        start, end = np.concatenate(starts), np.concatenate(ends)
        self._alon, self._alat = np.ascontiguousarray(start.T)
        self._blon, self._blat = np.ascontiguousarray(end.T)
        owners = [np.full(len(line) - 1, i, dtype=np.int64) for i, line in pieces]
        self._piece_area = np.concatenate(owners) if owners else np.empty(0, dtype=np.int64)
        margin = (self._tolerance[self._piece_area] + REACH_M) * _BOX_SLACK
        low, high = np.minimum(start, end), np.maximum(start, end)
        lat_margin = margin / _LEAST_M_PER_DEGREE_LAT
        farthest = np.minimum(89.0, np.maximum(np.abs(low[:, 1]), np.abs(high[:, 1])) + lat_margin)
        lon_margin = margin / geodesy.metres_per_degree(farthest)[0]
        grow = np.column_stack([lon_margin, lat_margin])
        self._piece_boxes = np.column_stack([low - grow, high + grow])

    def holds(self, code: str, time_us: int) -> Area | None:
        """The revision of an area in force at a moment, if there is one."""
        shape = self._shape(code, time_us)
        return None if shape is None else shape.area

    def distance_m(self, code: str, lon: float, lat: float, time_us: int) -> float | None:
        """Exact signed distance in metres to an area's border as it was then; ``None``: not in force."""
        shape = self._shape(code, time_us)
        return None if shape is None else shape.distance_m(lon, lat)

    def _shape(self, code: str, time_us: int) -> _Shape | None:
        return next((s for s in self._by_code.get(code, ()) if s.area.holds_at(time_us)), None)

    def locate(self, lon: Floats, lat: Floats, time_us: Integers) -> list[tuple[Hit, ...]]:
        """For each fix, the areas that contain it or whose border is within ``REACH_M``, by code.

        Distances are good to 0.1 %, and to a metre for corridors of wide tolerance. Deeper than ``REACH_M``
        inside a zone the distance isn't worked out: it is ``-REACH_M``. An area not named is plainly outside.

        Args:
            lon: longitudes, degrees.
            lat: latitudes, degrees.
            time_us: the moment of each fix; areas are taken as they were then.
        """
        hits: list[tuple[Hit, ...]] = [()] * len(lon)
        fix, item = self._tree.query(shapely.points(lon, lat))
        if not len(fix):
            return hits
        area = self._item_area[item]
        moment = time_us[fix]
        holds = (self._from[area] <= moment) & (moment < self._to[area])
        if not holds.all():
            fix, item, area = fix[holds], item[holds], area[holds]
        distance = np.full(len(fix), REACH_M)
        is_border = item < len(self._piece_area)
        scale = np.column_stack([*geodesy.metres_per_degree(lat), geodesy.narrowing(lat)])
        at = np.flatnonzero(is_border)
        distance[at] = self._to_pieces(fix[at], item[at], lon, lat, scale) - self._tolerance[area[at]]
        inside = np.zeros(len(fix), dtype=bool)
        at = np.flatnonzero(~is_border)
        inside[at] = shapely.contains_xy(
            self._outlines[item[at] - len(self._piece_area)], lon[fix[at]], lat[fix[at]]
        )
        keep = np.where(is_border, distance <= REACH_M, inside)
        fix, area, distance, inside = fix[keep], area[keep], distance[keep], inside[keep]
        if not len(fix):
            return hits
        return self._gather(hits, fix, area, distance, inside)

    def _to_pieces(self, fix: Integers, piece: Integers, lon: Floats, lat: Floats, scale: Floats) -> Floats:
        """Metres from fixes to pieces of border, in the tangent plane of each fix."""
        lon_m, lat_m, narrow = scale[fix].T
        at_lon, at_lat = lon[fix], lat[fix]
        ay, by = self._alat[piece] - at_lat, self._blat[piece] - at_lat
        ax = (self._alon[piece] - at_lon) * (lon_m + narrow * ay)
        bx = (self._blon[piece] - at_lon) * (lon_m + narrow * by)
        result: Floats = np.sqrt(geodesy.squared_to_origin(ax, ay * lat_m, bx, by * lat_m))
        return result

    def _gather(
        self,
        hits: list[tuple[Hit, ...]],
        fix: Integers,
        area: Integers,
        distance: Floats,
        inside: npt.NDArray[np.bool_],
    ) -> list[tuple[Hit, ...]]:
        """One hit for each fix and area: the nearest piece, negative where the zone contains the fix."""
        key = fix * len(self._areas) + area
        order = np.argsort(key, kind="stable")
        key = key[order]
        first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
        nearest = np.minimum.reduceat(distance[order], first)
        within = np.logical_or.reduceat(inside[order], first)
        signed = np.where(within, -nearest, nearest).tolist()
        fixes = (key[first] // len(self._areas)).tolist()
        codes = self._codes
        named = [(codes[i], d) for i, d in zip((key[first] % len(codes)).tolist(), signed, strict=True)]
        begin = 0
        for end in range(1, len(named) + 1):
            if end == len(named) or fixes[end] != fixes[begin]:
                hits[fixes[begin]] = tuple(named[begin:end])
                begin = end
        return hits

    def crossings(
        self, lon1: Floats, lat1: Floats, lon2: Floats, lat2: Floats, time_us: Integers
    ) -> list[tuple[Crossing, ...]]:
        """For each straight way between two fixes, the zones that it crosses and that hold neither end.

        Args:
            lon1: longitude of each earlier fix, degrees.
            lat1: latitude of the same.
            lon2: longitude of each later fix, degrees.
            lat2: latitude of the same.
            time_us: the moment at which the zones are taken.
        """
        found: list[tuple[Crossing, ...]] = [()] * len(lon1)
        ways = shapely.linestrings(
            np.stack([np.column_stack([lon1, lat1]), np.column_stack([lon2, lat2])], axis=1)
        )
        lon_m, lat_m = geodesy.metres_per_degree(lat1)
        square = ((lon2 - lon1) * lon_m) ** 2 + ((lat2 - lat1) * lat_m) ** 2
        for i in np.flatnonzero(square > _LONG_SEGMENT_M**2):
            ways[i] = LineString(geodesy.densify([(lon1[i], lat1[i]), (lon2[i], lat2[i])]))
        way, zone = self._zone_tree.query(ways, predicate="intersects")
        if not len(way):
            return found
        area, outline, moment = self._zones[zone], self._outlines[zone], time_us[way]
        keep = (self._from[area] <= moment) & (moment < self._to[area])
        keep &= ~shapely.contains_xy(outline, lon1[way], lat1[way])
        keep &= ~shapely.contains_xy(outline, lon2[way], lat2[way])
        pairs = sorted(zip(way[keep].tolist(), area[keep].tolist(), strict=True))
        for i, index in pairs:
            crossing = _crossing(self._shapes[index], ways[i])
            if crossing is not None:
                found[i] = (*found[i], crossing)
        return found


def _crossing(shape: _Shape, way: LineString) -> Crossing | None:
    """What of a way lies in a zone; ``None`` when it only touches the border."""
    shared = shapely.intersection(way, shape.outline)
    pieces = [piece for piece in shapely.get_parts(shared) if isinstance(piece, LineString) and piece.length]
    if not pieces:
        return None
    longest = max(pieces, key=lambda piece: float(piece.length))
    middle = longest.interpolate(0.5, normalized=True)
    (lon1, lat1), (lon2, lat2) = longest.coords[0], longest.coords[-1]
    return Crossing(
        area=shape.area.code,
        lon=round(middle.x, 7),
        lat=round(middle.y, 7),
        depth_m=round(max(0.0, -shape.distance_m(middle.x, middle.y)), 1),
        length_m=round(geodesy.distance_m(lon1, lat1, lon2, lat2), 1),
        around_m=round(around_m(shape.outline, way), 1),
    )


def _boxes(bounds: Floats) -> npt.NDArray[np.object_]:
    west, south, east, north = bounds.T
    boxes: npt.NDArray[np.object_] = shapely.box(west, south, east, north)
    return boxes


def _check_revisions(code: str, revisions: list[Area]) -> None:
    """Refuse revisions that overlap, or that turn a zone into a corridor.

    Raises:
        ValueError: naming the area.
    """
    for earlier, later in pairwise(revisions):
        if earlier.valid_to_us is None or earlier.valid_to_us > later.valid_from_us:
            raise ValueError(
                f"{code}: revisions {earlier.revision} and {later.revision} hold at the same time"
            )
        if earlier.kind != later.kind:
            raise ValueError(f"{code}: was a {earlier.kind} and can't become a {later.kind}")
