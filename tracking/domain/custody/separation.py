"""How far two devices on the same goods are apart, fix by fix, by the same clock.

The other's place at a fix's moment lies on the line between its fixes before and after, where both are near
in time; where only one is, it may have moved since, as fast as it was going then.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from devices.coordinates import to_wgs84
from devices.observation import Datum
from tracking.domain.custody.facts import Position
from tracking.domain.places.geodesy import distance_m

ACCURACY_M: Final = 20.0
"""Taken for a fix that states none; as tracks have it."""

FASTEST_MPS: Final = 140 / 3.6
"""Taken for a vehicle that states no speed; as tracks have it."""

_DATUM_LEFT_M: Final = 100.0
"""What may be left of a distance that a wrong datum explains."""


class Apart(Struct, frozen=True):
    """Two devices at one moment.

    Attributes:
        fix: of the one.
        other: the nearest fix of the other.
        distance_m: between them at that moment, metres.
        surely_m: the same without what accuracy and movement may make of it; never negative.
        is_datum: it vanishes when one of them is taken for GCJ-02 fed as WGS-84.
    """

    fix: Position
    other: Position
    distance_m: float
    surely_m: float
    is_datum: bool

    @property
    def time(self) -> datetime:
        """The moment."""
        return self.fix.time


def apart(
    fixes: Sequence[Position], others: Sequence[Position], align_s: float, max_m: float
) -> Iterator[Apart]:
    """How far apart they were at each fix that has one of the other near in time.

    Args:
        fixes: of the one, in order of time.
        others: of the other, in order of time.
        align_s: seconds within which a fix is near in time.
        max_m: a greater distance is looked at for the datum, metres.
    """
    times = [other.time for other in others]
    for fix in fixes:
        place = bisect_left(times, fix.time)
        near = [
            other
            for other in others[max(0, place - 1) : place + 1]
            if abs((other.time - fix.time).total_seconds()) <= align_s
        ]
        if near:
            yield _compared(fix, near, max_m)


def _compared(fix: Position, near: Sequence[Position], max_m: float) -> Apart:
    nearest = min(near, key=lambda other: (abs(other.time - fix.time), other.time))
    lon, lat = _place(fix, near, nearest)
    moved_m = 0.0
    if len(near) == 1:
        speed = nearest.speed_mps if nearest.speed_mps is not None else FASTEST_MPS
        moved_m = speed * abs((nearest.time - fix.time).total_seconds())
    doubt_m = moved_m + _accuracy(fix) + max(_accuracy(other) for other in near)
    metres = distance_m(fix.lon, fix.lat, lon, lat)
    is_datum = metres - doubt_m > max_m and any(
        distance_m(*one, *other) - doubt_m <= _DATUM_LEFT_M
        for one, other in (
            (to_wgs84(fix.lon, fix.lat, Datum.GCJ02), (lon, lat)),
            ((fix.lon, fix.lat), to_wgs84(lon, lat, Datum.GCJ02)),
        )
    )
    return Apart(fix, nearest, metres, max(0.0, metres - doubt_m), is_datum)


def _place(fix: Position, near: Sequence[Position], nearest: Position) -> tuple[float, float]:
    """Where the other was at the fix's moment; over a minute or two a straight line will do."""
    first, last = near[0], near[-1]
    took = (last.time - first.time).total_seconds()
    if took <= 0:
        return nearest.lon, nearest.lat
    share = (fix.time - first.time).total_seconds() / took
    return first.lon + share * (last.lon - first.lon), first.lat + share * (last.lat - first.lat)


def _accuracy(fix: Position) -> float:
    return fix.accuracy_m if fix.accuracy_m is not None else ACCURACY_M
