"""Positions for the live map: a sample of what was just recorded, cheap enough to send with every busy
batch.

The payload of the channel ``bw_positions`` is ``{"positions": [[device, time_ms, lon, lat, speed,
heading], …]}``: natural names, Unix milliseconds, WGS-84 degrees, metres per second and degrees or null.
Whoever listens treats it as a hint; the record is the truth.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from devices.observation import Observation, Position

WINDOW_US: Final = 200_000
MOST_DEVICES: Final = 100
"""A worker tells of at most so many devices in each window: all of them in quiet traffic, a sample in
busy."""

MOST_BYTES: Final = 7_900
"""PostgreSQL refuses a notification of 8,000 bytes."""

_encode: Final = msgspec.json.Encoder().encode


class Live:
    """How much of the window's allowance is left."""

    def __init__(self) -> None:
        self._ends_us = 0
        self._left = MOST_DEVICES

    def take(self, now_us: int, devices: int) -> int:
        """How many of these devices may be told of now."""
        if now_us >= self._ends_us:
            self._ends_us, self._left = now_us + WINDOW_US, MOST_DEVICES
        granted = min(self._left, devices)
        self._left -= granted
        return granted


def payload(newest: Iterable[tuple[str, Observation]]) -> str:
    """As many of these devices' positions as fit; empty when there are none.

    Args:
        newest: the natural name and the newest observation of each device.
    """
    rows: list[bytes] = []
    size = len('{"positions":[]}')
    for name, observation in newest:
        fact = observation.fact
        if not isinstance(fact, Position):
            continue
        row = _encode(
            [
                name,
                observation.time_us // 1000,
                round(fact.lon, 6),
                round(fact.lat, 6),
                fact.speed_mps,
                fact.heading_deg,
            ]
        )
        size += len(row) + 1
        if size > MOST_BYTES:
            break
        rows.append(row)
    return '{"positions":[' + b",".join(rows).decode() + "]}" if rows else ""
