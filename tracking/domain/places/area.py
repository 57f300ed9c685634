"""One revision of an area: what it is, where it is, and from when until when that holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import shapely
import shapely.errors
from msgspec import Struct
from shapely.geometry import LineString, MultiPolygon, Polygon, shape

CORRIDOR: Final = "corridor"
"""The kind of an area that is a line with a tolerance; every other kind is a zone."""

MOST_TOLERANCE_M: Final = 200_000.0
"""Wider than any route; a corridor that contains everything says nothing."""

_MAX_SPAN_DEG: Final = 180.0


class Area(Struct, frozen=True):
    """A zone (polygon) or a corridor (line with a tolerance) while this revision of it holds.

    Attributes:
        code: the area's natural code; all its revisions share it, and its kind.
        kind: ``corridor``, or a kind of zone (``cbz``, ``port``, ``gate``, ``layby_forbidden``, …).
        park: code of the park that keeps it.
        valid_from_us: first microsecond at which this revision holds.
        valid_to_us: first microsecond at which it holds no more; ``None``: until further notice.
        polygon: the zone's outline in WGS-84 degrees; ``None`` for a corridor.
        line: the corridor's centre line in WGS-84 degrees; ``None`` for a zone.
        tolerance_m: how far from the centre line still counts as within, in metres; corridors only.
        properties: whatever else is known of it.
        revision: number of this revision, for the evidence.
    """

    code: str
    kind: str
    park: str
    valid_from_us: int
    valid_to_us: int | None = None
    polygon: Polygon | MultiPolygon | None = None
    line: LineString | None = None
    tolerance_m: float | None = None
    properties: dict[str, Any] = {}
    revision: int = 0

    def __post_init__(self) -> None:
        """Refuse what can't be judged.

        Raises:
            ValueError: when geometry, kind and tolerance don't fit together, or the interval is empty.
        """
        if (self.kind == CORRIDOR) != (self.line is not None) or (self.polygon is None) == (
            self.line is None
        ):
            raise ValueError(f"{self.code}: a corridor has a line, every other kind a polygon")
        if (self.line is not None) != (self.tolerance_m is not None) or (self.tolerance_m or 0) < 0:
            raise ValueError(f"{self.code}: a corridor needs a tolerance in metres, a zone has none")
        if self.tolerance_m is not None and not self.tolerance_m <= MOST_TOLERANCE_M:
            raise ValueError(f"{self.code}: the tolerance must be a number up to {MOST_TOLERANCE_M:g} m")
        if self.valid_to_us is not None and self.valid_to_us <= self.valid_from_us:
            raise ValueError(f"{self.code}: valid_to must lie after valid_from")
        geometry = self.geometry
        if geometry.is_empty or not geometry.is_valid:
            raise ValueError(f"{self.code}: {shapely.is_valid_reason(geometry)}")
        west, south, east, north = geometry.bounds
        if not (west >= -180.0 and east <= 180.0 and south >= -90.0 and north <= 90.0):
            raise ValueError(f"{self.code}: longitude first, from -180 to 180, then latitude, from -90 to 90")
        if east - west > _MAX_SPAN_DEG:
            raise ValueError(f"{self.code}: crosses the 180th meridian; draw it as two areas")

    @property
    def geometry(self) -> Polygon | MultiPolygon | LineString:
        """The outline or the centre line, whichever it has."""
        return self.line if self.line is not None else self.polygon

    @property
    def is_corridor(self) -> bool:
        """Whether this is a line with a tolerance."""
        return self.line is not None

    def holds_at(self, time_us: int) -> bool:
        """Whether this revision is the one in force at a moment."""
        return self.valid_from_us <= time_us and (self.valid_to_us is None or time_us < self.valid_to_us)

    @classmethod
    def from_geojson(
        cls,
        geometry: Mapping[str, Any],
        *,
        code: str,
        kind: str,
        park: str,
        valid_from_us: int,
        valid_to_us: int | None = None,
        tolerance_m: float | None = None,
        properties: Mapping[str, Any] | None = None,
        revision: int = 0,
    ) -> Area:
        """An area from a GeoJSON geometry: Polygon, MultiPolygon or LineString.

        Raises:
            ValueError: for any other geometry, or one that can't be judged.
        """
        try:
            drawn = shape(geometry)
        except shapely.errors.ShapelyError as error:
            raise ValueError(f"{code}: {error}") from error
        if not isinstance(drawn, Polygon | MultiPolygon | LineString):
            raise ValueError(f"{code}: a {drawn.geom_type} is neither a zone nor a corridor")  # noqa: TRY004 - a value of the wire
        is_line = isinstance(drawn, LineString)
        return cls(
            code=code,
            kind=kind,
            park=park,
            valid_from_us=valid_from_us,
            valid_to_us=valid_to_us,
            polygon=None if is_line else drawn,
            line=drawn if is_line else None,
            tolerance_m=tolerance_m,
            properties=dict(properties or {}),
            revision=revision,
        )
