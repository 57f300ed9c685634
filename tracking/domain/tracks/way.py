"""The way between two fixes of a device: how long, whether possible, and what lies on it."""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct

from tracking.domain.places import Crossing, PlaceIndex, geodesy
from tracking.domain.tracks.parameters import Parameters, Profile
from tracking.domain.tracks.state import Fix


class Way(Struct, frozen=True):
    """From an earlier fix straight to a later one."""

    start: Fix
    end: Fix

    @property
    def gap_s(self) -> float:
        """Time between the two, seconds."""
        return (self.end.time_us - self.start.time_us) / 1e6

    @property
    def doubt_m(self) -> float:
        """How much of the way may be nothing but the two fixes' inaccuracy, metres."""
        return self.start.accuracy_m + self.end.accuracy_m

    def length_m(self) -> float:
        """Length in the tangent plane of the end, metres; for near fixes."""
        lon_m, lat_m = geodesy.metres_per_degree(self.end.lat)
        x, y = (self.end.lon - self.start.lon) * lon_m, (self.end.lat - self.start.lat) * lat_m
        return math.sqrt(x * x + y * y)

    def is_impossible(self, profile: Profile, params: Parameters) -> bool:
        """Whether the device can't have come this way in this time (rule A8); geodesic, for any length."""
        start, end = self.start, self.end
        length_m = geodesy.distance_m(start.lon, start.lat, end.lon, end.lat)
        if length_m <= params.jump_min_m:
            return False
        return length_m / 1000.0 > profile.max_speed_kmh * self.gap_s / 3600.0

    def is_plain(self, crossing: Crossing, params: Parameters) -> bool:
        """Whether it led through a zone beyond doubt: in short time, by far deeper than both fixes err."""
        deep = crossing.depth_m > self.doubt_m + params.border_buffer_m
        return deep and self.gap_s <= params.crossing_max_gap_s

    def is_the_only(self, crossing: Crossing, profile: Profile) -> bool:
        """Whether there was time for the straight way, but at the highest speed none to go around the zone.

        Where there was none for the straight way either, a fix is astray.
        """
        farthest_m = profile.max_speed_kmh / 3.6 * self.gap_s
        return self.length_m() <= farthest_m < crossing.around_m - self.doubt_m

    def passes(self, fix: Fix) -> bool:
        """Whether a fix lies on it, as far as all three may err."""
        lon_m, lat_m = geodesy.metres_per_degree(self.end.lat)
        x, y = (self.end.lon - self.start.lon) * lon_m, (self.end.lat - self.start.lat) * lat_m
        at_x, at_y = (fix.lon - self.start.lon) * lon_m, (fix.lat - self.start.lat) * lat_m
        length_m = math.hypot(x, y)
        if not 0 < at_x * x + at_y * y < length_m * length_m:
            return False
        return abs(at_x * y - at_y * x) / length_m <= self.doubt_m + fix.accuracy_m

    def crossings(self, places: PlaceIndex) -> tuple[Crossing, ...]:
        """The zones on it that hold neither of its ends."""
        start, end = self.start, self.end
        lon1, lat1, lon2, lat2 = (np.array([v]) for v in (start.lon, start.lat, end.lon, end.lat))
        return places.crossings(lon1, lat1, lon2, lat2, np.array([end.time_us], dtype=np.int64))[0]
