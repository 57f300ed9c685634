"""What the devices of a fault run live through: trucks on a corridor that stray and return, again and again.

Event times lie in the past and move on by a fixed step, so the story is the same however long the run
takes. Each excursion lasts long enough to be a finding (three fixes over 180 s off the corridor), so what
must be found is known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from devices.client import Position

STEP_MS = 20_000
PERIOD = 60
"""Events from one excursion to the next."""

EXCURSION = range(30, 45)
"""Events of each period that are off the corridor: 300 s."""

LATITUDE = 31.30
WEST, EAST = 120.70, 121.10
TOLERANCE_M = 1000
OFF_DEG = 0.016
"""About 1.8 km north of the line: well beyond the tolerance, and no jump that a fold would doubt (2 km)."""


@dataclass(frozen=True)
class Step:
    """One event of a truck."""

    time_ms: int
    fact: Position


def drive(begin_ms: int, events: int) -> Iterator[Step]:
    """The events of one truck, in order."""
    for index in range(events):
        share = index / max(events, 1)
        off = OFF_DEG if index % PERIOD in EXCURSION else 0.0
        # Never as far as the destination: the leg stays open to the end.
        lon = WEST + 0.02 + (EAST - WEST - 0.06) * share
        yield Step(
            begin_ms + index * STEP_MS, Position(lon=lon, lat=LATITUDE + off, accuracy_m=8, speed_mps=12)
        )


def excursions(events: int) -> int:
    """How many findings of ``route_deviation`` a truck of so many events must have."""
    whole, rest = divmod(events, PERIOD)
    # The last one counts once it has lasted 180 s: first fix off, and nine steps of 20 s after it.
    return whole + (rest > EXCURSION.start + 180_000 // STEP_MS)


def square(lon: float) -> list[list[list[float]]]:
    half = 0.005
    west, east, south, north = lon - half, lon + half, LATITUDE - half, LATITUDE + half
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]
