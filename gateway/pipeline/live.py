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

EVERY_US: Final = 200_000
"""A worker speaks at most this often."""

MOST_DEVICES: Final = 100
MOST_BYTES: Final = 7_900
"""PostgreSQL refuses a notification of 8,000 bytes."""

_encode: Final = msgspec.json.Encoder().encode


class Live:
    """When the live map was last told, and what it is told now."""

    def __init__(self) -> None:
        self._next_us = 0

    def due(self, now_us: int) -> bool:
        """Whether enough time has passed since the last time; remembers that it is told now."""
        if now_us < self._next_us:
            return False
        self._next_us = now_us + EVERY_US
        return True


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
        if len(rows) == MOST_DEVICES or size > MOST_BYTES:
            break
        rows.append(row)
    return '{"positions":[' + b",".join(rows).decode() + "]}" if rows else ""
