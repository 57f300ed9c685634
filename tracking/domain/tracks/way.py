"""The way between two fixes: how long, whether possible, and what lies on it."""

from __future__ import annotations

import math

import numpy as np

from tracking.domain.places import Crossing, PlaceIndex, geodesy
from tracking.domain.tracks.parameters import Parameters, Profile
from tracking.domain.tracks.state import Fix


def planar_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Metres between two near points, in the tangent plane of the second."""
    lon_m, lat_m = geodesy.metres_per_degree(lat2)
    x, y = (lon2 - lon1) * lon_m, (lat2 - lat1) * lat_m
    return math.sqrt(x * x + y * y)


def is_impossible(last: Fix, fix: Fix, profile: Profile, params: Parameters) -> bool:
    """Whether a device can't have come from one fix to the other in the time between them (rule A8)."""
    length = geodesy.distance_m(last.lon, last.lat, fix.lon, fix.lat)
    if length <= params.jump_min_m:
        return False
    hours = (fix.time_us - last.time_us) / 3.6e9
    return length / 1000.0 > profile.max_speed_kmh * hours


def crossings_between(places: PlaceIndex, last: Fix, fix: Fix) -> tuple[Crossing, ...]:
    """The zones on the straight way between two fixes that hold neither of them."""
    lon1, lat1, lon2, lat2 = (np.array([value]) for value in (last.lon, last.lat, fix.lon, fix.lat))
    return places.crossings(lon1, lat1, lon2, lat2, np.array([fix.time_us], dtype=np.int64))[0]


def crossing_between(places: PlaceIndex, code: str, last: Fix, fix: Fix) -> Crossing | None:
    """The same for one zone."""
    return next((c for c in crossings_between(places, last, fix) if c.area == code), None)
