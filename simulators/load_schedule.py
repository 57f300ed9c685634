"""What an open-loop load consists of: the intended moment of every publish, and the events in it. Pure.

The moments are fixed before anything is sent. A broker that stands still for a second gets everything that
was due in that second afterwards, and each of these publishes is measured from the moment at which it was
due: a pause costs what it would cost real devices (no coordinated omission).
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final

BURST_PERIOD_S: Final = 5.0
BURST_S: Final = 1.0
BURST_FACTOR: Final = 3.0
REST_FACTOR: Final = (BURST_PERIOD_S - BURST_S * BURST_FACTOR) / (BURST_PERIOD_S - BURST_S)
STORMS: Final = (0.25, 0.5, 0.75)
"""Parts of the duration after which every connection breaks, in the profile ``reconnect-storm``."""

_WEST, _SOUTH, _EAST, _NORTH = 120.55, 31.05, 121.45, 31.65
_METRES_PER_DEGREE: Final = 111_195.0
_SPEED_MPS: Final = 16.0
_MIX: Final = 20

_POSITION: Final = (
    b'{"run":%d,"seq":%d,"time":%d,"type":"position","lon":%.6f,"lat":%.6f,'
    b'"accuracy_m":9.5,"speed_mps":16.0,"heading_deg":%.1f}'
)
_SCAN: Final = b'{"run":%d,"seq":%d,"time":%d,"type":"scan","code":"LOAD-%d-%d","action":"storing"}'
_READING: Final = (
    b'{"run":%d,"seq":%d,"time":%d,"type":"reading","values":{"temperature_c":%.1f,"humidity_pct":61.5}}'
)


class Profile(StrEnum):
    """What is sent, and in what rhythm."""

    MIXED = "mixed"
    POSITIONS = "positions"
    SCANS = "scans"
    BURST = "burst"
    RECONNECT_STORM = "reconnect-storm"


PROFILES: Final[dict[Profile, str]] = {
    Profile.MIXED: "of 20 devices 15 report positions, 3 sensor readings, 2 scans; a steady rate",
    Profile.POSITIONS: "positions only; a steady rate",
    Profile.SCANS: "scans only; a steady rate",
    Profile.BURST: "as mixed; each 5 s begin with 1 s at three times the rate, then half of it",
    Profile.RECONNECT_STORM: "as mixed; three times in the run every connection breaks at once",
}


class Schedule:
    """The intended moments of one process's publishes.

    Args:
        publishes_per_s: of all processes together, on average.
        for_s: how long.
        profile: its rhythm.
        index: which process this is.
        of: how many processes there are; they take turns.
    """

    def __init__(
        self, publishes_per_s: float, for_s: float, profile: Profile, *, index: int = 0, of: int = 1
    ) -> None:
        self._per_s, self._is_burst = publishes_per_s, profile is Profile.BURST
        self._index, self._of = index, of
        everything = math.ceil(publishes_per_s * for_s - 1e-9)
        self.publishes = max(0, -(-(everything - index) // of))

    def moment_s(self, number: int) -> float:
        """Seconds from the beginning to this process's publish of that number, from 0."""
        mean_s = (number * self._of + self._index) / self._per_s
        if not self._is_burst:
            return mean_s
        periods, within = divmod(mean_s, BURST_PERIOD_S)
        loud = BURST_S * BURST_FACTOR
        offset = within / BURST_FACTOR if within < loud else BURST_S + (within - loud) / REST_FACTOR
        return periods * BURST_PERIOD_S + offset


class Events:
    """One device's events, by number.

    Args:
        number: of the device: decides what it is, where it begins and where it drives.
        run: of all its events.
        profile: what devices there are.
    """

    def __init__(self, number: int, run: int, profile: Profile) -> None:
        self._number, self._run = number, run
        place = number % _MIX
        self.kind = "position"
        if profile is Profile.SCANS or (profile is not Profile.POSITIONS and place >= 18):
            self.kind = "scan"
        elif profile is not Profile.POSITIONS and place >= 15:
            self.kind = "reading"
        turn = number * 0.618033988749895 % 1
        self._lon = _WEST + (_EAST - _WEST) * turn
        self._lat = _SOUTH + (_NORTH - _SOUTH) * (number * 0.7548776662466927 % 1)
        self._heading = 360 * turn
        self._east = math.sin(math.radians(self._heading)) / math.cos(math.radians(self._lat))
        self._north = math.cos(math.radians(self._heading))
        self._began_ms: int | None = None

    def event(self, seq: int, time_ms: int) -> bytes:
        """The event of that number, which happened then."""
        if self.kind == "scan":
            return _SCAN % (self._run, seq, time_ms, self._number, seq)
        if self.kind == "reading":
            return _READING % (self._run, seq, time_ms, 4 + seq % 20 / 10)
        if self._began_ms is None:
            self._began_ms = time_ms
        degrees = _SPEED_MPS * (time_ms - self._began_ms) / 1000 / _METRES_PER_DEGREE
        lon, lat = self._lon + degrees * self._east, self._lat + degrees * self._north
        return _POSITION % (self._run, seq, time_ms, lon, lat, self._heading)

    def payload(self, first_seq: int, times_ms: list[int]) -> bytes:
        """The body of one publish."""
        events = [self.event(first_seq + at, time_ms) for at, time_ms in enumerate(times_ms)]
        return events[0] if len(events) == 1 else b"[" + b",".join(events) + b"]"
