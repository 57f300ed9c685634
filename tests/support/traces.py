"""A vocabulary for traces: a truck drives, stands, strays and falls silent, and reports all the while."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from devices.observation import Fact, Observation, Position
from tracking.domain.places import Area, PlaceIndex, geodesy
from tracking.domain.tracks import DeviceEvents, Folded, Milestone, Parameters, Profile, Track, fold_batch

START_US = 1_773_100_800_000_000
"""2026-03-10T00:00:00Z."""

SECOND = 1_000_000

EAST_ZONE = Area.from_geojson(
    {
        "type": "Polygon",
        "coordinates": [
            [
                [120.793, 31.3345],
                [120.8235, 31.335],
                [120.8235, 31.3475],
                [120.7935, 31.347],
                [120.793, 31.3345],
            ]
        ],
    },
    code="SIPCBZ-E",
    kind="cbz",
    park="SIP",
    valid_from_us=0,
)
"""The eastern zone of Suzhou's customs area; its east border at 120.8235 degrees."""


def moved(lon: float, lat: float, east_m: float, north_m: float) -> tuple[float, float]:
    """The point so many metres east and north of another."""
    lon_m, lat_m = geodesy.metres_per_degree(lat)
    return lon + east_m / lon_m, lat + north_m / lat_m


def square(code: str, lon: float, lat: float, half_m: float, **more: Any) -> Area:
    """A square zone around a point."""
    corners = [
        moved(lon, lat, x * half_m, y * half_m) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    ]
    more = {"kind": "restricted", "park": "SIP", "valid_from_us": 0} | more
    return Area.from_geojson({"type": "Polygon", "coordinates": [corners]}, code=code, **more)


def corridor(code: str, line: Iterable[tuple[float, float]], tolerance_m: float, **more: Any) -> Area:
    """A corridor along a line."""
    geometry = {"type": "LineString", "coordinates": [list(point) for point in line]}
    more = {"kind": "corridor", "park": "SIP", "valid_from_us": 0} | more
    return Area.from_geojson(geometry, code=code, tolerance_m=tolerance_m, **more)


class Truck:
    """A device on a truck; each method adds the reports of what it does.

    Attributes:
        observations: in the order in which they happened.
    """

    def __init__(self, lon: float, lat: float, *, every_s: float = 30, accuracy_m: float | None = 10) -> None:
        self.lon, self.lat = lon, lat
        self.time_us = START_US
        self.every_s, self.accuracy_m = every_s, accuracy_m
        self.observations: list[Observation] = []

    @property
    def last(self) -> Observation:
        return self.observations[-1]

    def reports(self, fact: Fact, *, after_s: float | None = None) -> Truck:
        """Anything at all."""
        if self.observations:
            self.time_us += round((self.every_s if after_s is None else after_s) * SECOND)
        seq = len(self.observations) + 1
        self.observations.append(Observation(1, seq, self.time_us, fact, b"{}"))
        return self

    def is_seen(self, east_m: float = 0, north_m: float = 0, **more: Any) -> Truck:
        """A fix so many metres beside where the truck is."""
        lon, lat = moved(self.lon, self.lat, east_m, north_m)
        after_s = more.pop("after_s", None)
        accuracy_m = more.pop("accuracy_m", self.accuracy_m)
        more["accuracy_m"] = None if accuracy_m is None else float(accuracy_m)
        return self.reports(Position(lon, lat, **more), after_s=after_s)

    def stands(self, fixes: int) -> Truck:
        """So many fixes on the spot."""
        for _ in range(fixes):
            self.is_seen(speed_mps=0.0)
        return self

    def drives(self, east_m: float = 0, north_m: float = 0, *, kmh: float = 60) -> Truck:
        """So many metres in a straight line, at an even speed."""
        length = (east_m**2 + north_m**2) ** 0.5
        steps = max(1, round(length / (kmh / 3.6 * self.every_s)))
        start = self.lon, self.lat
        for i in range(1, steps + 1):
            self.lon, self.lat = moved(*start, east_m * i / steps, north_m * i / steps)
            self.is_seen(speed_mps=kmh / 3.6)
        return self

    def is_silent(self, seconds: float) -> Truck:
        """Nothing for so long, on top of the usual interval."""
        self.time_us += round(seconds * SECOND)
        return self

    def folded(
        self, *areas: Area, params: Parameters | None = None, profile: Profile | None = None
    ) -> Folded:
        """Everything folded in one go."""
        events = DeviceEvents(Track(), profile or Profile(60), self.observations)
        return fold_batch([events], PlaceIndex(areas), params or Parameters())[0]


def told(milestones: Iterable[Milestone], *kinds: str) -> list[tuple[str, str | None]]:
    """Kind and area of each milestone, of the given kinds only if any are given."""
    return [(m.kind, m.area) for m in milestones if not kinds or m.kind in kinds]


def seconds(milestone: Milestone) -> float:
    """When it happened, in seconds since the trace began."""
    return (milestone.time_us - START_US) / SECOND
