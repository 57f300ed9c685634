"""GCJ-02 and BD-09 to and from WGS-84, in degrees.

GCJ-02 (火星坐标) shifts a WGS-84 position inside China by up to 715 m, by a smooth function of the position;
BD-09 shifts GCJ-02 once more. The forward functions are closed; the inverses are found by iteration, to well
under 0.1 m. Outside the rectangle that the published algorithm calls China nothing is shifted; within a
kilometre of its edge, far from any park, two places share one answer.

Source: the algorithm as published many times since 2013, on the Krasovsky 1940 ellipsoid; written anew.
"""

from __future__ import annotations

from math import atan2, cos, fabs, pi, sin, sqrt
from typing import Final

from devices.observation import Datum

_AXIS_M: Final = 6_378_245.0
_ECCENTRICITY2: Final = 0.00669342162296594323
_WEST, _EAST, _SOUTH, _NORTH = 72.004, 137.8347, 0.8293, 55.8271
_RADIANS: Final = pi / 180
_BAIDU: Final = pi * 3000 / 180
_CLOSE_DEG: Final = 1e-7  # a last step of a centimetre leaves an error of a hundredth of a millimetre
_MAX_STEPS: Final = 10
_DECIMALS: Final = 8  # a millimetre: hides the last bits in which mathematics libraries differ


def to_wgs84(lon: float, lat: float, datum: Datum) -> tuple[float, float]:
    """Longitude and latitude in WGS-84, rounded to a millimetre; WGS-84 comes back untouched."""
    if datum is Datum.WGS84:
        return lon, lat
    if datum is Datum.BD09:
        lon, lat = bd09_to_gcj02(lon, lat)
    lon, lat = gcj02_to_wgs84(lon, lat)
    return round(lon, _DECIMALS), round(lat, _DECIMALS)


def wgs84_to_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """Shift as Chinese maps do."""
    if not _in_china(lon, lat):
        return lon, lat
    shift_lon, shift_lat = _shift(lon, lat)
    return lon + shift_lon, lat + shift_lat


def gcj02_to_wgs84(lon: float, lat: float) -> tuple[float, float]:
    """Undo the shift. The shift changes slowly, so each guess is closer by a factor of about a thousand."""
    if not _in_china(lon, lat):
        return lon, lat
    guess_lon, guess_lat = lon, lat
    for _ in range(_MAX_STEPS):
        shift_lon, shift_lat = _shift(guess_lon, guess_lat)
        next_lon, next_lat = lon - shift_lon, lat - shift_lat
        close = fabs(next_lon - guess_lon) < _CLOSE_DEG and fabs(next_lat - guess_lat) < _CLOSE_DEG
        guess_lon, guess_lat = next_lon, next_lat
        if close:
            break
    return guess_lon, guess_lat


def gcj02_to_bd09(lon: float, lat: float) -> tuple[float, float]:
    """Baidu's further shift: a rotation and stretch, then a constant offset."""
    if not _in_china(lon, lat):
        return lon, lat
    return _turn(lon, lat)


def bd09_to_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """Undo Baidu's shift, by iteration."""
    if not _in_china(lon, lat):
        return lon, lat
    guess_lon, guess_lat = lon - 0.0065, lat - 0.006
    for _ in range(_MAX_STEPS):
        there_lon, there_lat = _turn(guess_lon, guess_lat)
        off_lon, off_lat = lon - there_lon, lat - there_lat
        guess_lon += off_lon
        guess_lat += off_lat
        if fabs(off_lon) < _CLOSE_DEG and fabs(off_lat) < _CLOSE_DEG:
            break
    return guess_lon, guess_lat


def _in_china(lon: float, lat: float) -> bool:
    return _WEST <= lon <= _EAST and _SOUTH <= lat <= _NORTH


def _turn(lon: float, lat: float) -> tuple[float, float]:
    radius = sqrt(lon * lon + lat * lat) + 0.00002 * sin(lat * _BAIDU)
    angle = atan2(lat, lon) + 0.000003 * cos(lon * _BAIDU)
    return radius * cos(angle) + 0.0065, radius * sin(angle) + 0.006


def _shift(lon: float, lat: float) -> tuple[float, float]:
    x, y = lon - 105.0, lat - 35.0
    root = sqrt(fabs(x))
    ripple = (20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)) * 2.0 / 3.0
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + ripple
    north_m += (20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)) * 2.0 / 3.0
    north_m += (160.0 * sin(y / 12.0 * pi) + 320.0 * sin(y * pi / 30.0)) * 2.0 / 3.0
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + ripple
    east_m += (20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)) * 2.0 / 3.0
    east_m += (150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0

    sine = sin(lat * _RADIANS)
    flat = 1.0 - _ECCENTRICITY2 * sine * sine
    root_flat = sqrt(flat)
    meridian_m = _AXIS_M * (1.0 - _ECCENTRICITY2) / (flat * root_flat)
    parallel_m = _AXIS_M / root_flat * cos(lat * _RADIANS)
    return east_m / (parallel_m * _RADIANS), north_m / (meridian_m * _RADIANS)
