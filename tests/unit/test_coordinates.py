"""Datum conversion: known points, and there and back again within 0.1 m."""

from __future__ import annotations

import json
from math import cos, hypot, radians
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.coordinates import (
    bd09_to_gcj02,
    gcj02_to_bd09,
    gcj02_to_wgs84,
    to_wgs84,
    wgs84_to_gcj02,
)
from devices.observation import Datum

POINTS = json.loads((Path(__file__).parents[1] / "vectors" / "gcj02.json").read_text("utf-8"))
SIX_DECIMALS_M = 0.08

# A degree inside the rectangle within which the shift applies: at its very edge two places share one answer.
longitudes, latitudes = st.floats(73.1, 136.8), st.floats(1.9, 54.8)


def apart_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    east = (one[0] - other[0]) * cos(radians(one[1]))
    return hypot(east, one[1] - other[1]) * 111_320


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point["id"])
def test_known_points_are_shifted_as_known(point: dict[str, Any]) -> None:
    wgs, gcj = (point["lon"], point["lat"]), (point["gcj_lon"], point["gcj_lat"])
    assert apart_m(wgs84_to_gcj02(*wgs), gcj) < SIX_DECIMALS_M
    assert apart_m(wgs, gcj) == pytest.approx(point["shift_m"], abs=1.5)
    assert apart_m(to_wgs84(*gcj, Datum.GCJ02), wgs) < 0.1


def test_a_known_point_in_beijing() -> None:
    assert wgs84_to_gcj02(116.404, 39.915) == pytest.approx((116.41024449916938, 39.91640428150164), abs=1e-9)
    assert gcj02_to_bd09(116.404, 39.915) == pytest.approx((116.41036949371029, 39.92133699351022), abs=1e-9)


@given(longitudes, latitudes)
def test_gcj02_there_and_back(lon: float, lat: float) -> None:
    shifted = wgs84_to_gcj02(lon, lat)
    assert 0 < apart_m(shifted, (lon, lat)) < 1000
    assert apart_m(gcj02_to_wgs84(*shifted), (lon, lat)) < 0.001


@given(longitudes, latitudes)
def test_bd09_there_and_back(lon: float, lat: float) -> None:
    assert apart_m(bd09_to_gcj02(*gcj02_to_bd09(lon, lat)), (lon, lat)) < 0.001
    both = gcj02_to_bd09(*wgs84_to_gcj02(lon, lat))
    assert apart_m(to_wgs84(*both, Datum.BD09), (lon, lat)) < 0.01


@pytest.mark.parametrize(
    "place", [(-74.0, 40.7), (139.7, 35.7), (2.35, 48.86), (110.0, -30.0), (100.0, 60.0)]
)
def test_nothing_is_shifted_outside_china(place: tuple[float, float]) -> None:
    assert wgs84_to_gcj02(*place) == place
    assert gcj02_to_wgs84(*place) == place
    assert to_wgs84(*place, Datum.GCJ02) == place


@given(st.floats(-180, 180), st.floats(-90, 90))
def test_wgs84_is_never_touched(lon: float, lat: float) -> None:
    assert to_wgs84(lon, lat, Datum.WGS84) == (lon, lat)


@given(st.floats(-180, 180), st.floats(-90, 90), st.sampled_from(Datum))
def test_a_place_on_earth_stays_on_earth(lon: float, lat: float, datum: Datum) -> None:
    there = to_wgs84(lon, lat, datum)
    assert -180 <= there[0] <= 180
    assert -90 <= there[1] <= 90
