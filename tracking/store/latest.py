"""Where every device was last: what a live map draws first, before the stream keeps it current."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from devices.observation import moment
from tracking.domain.tracks.state import DeviceState, Fix
from tracking.store.database import Connection, queries

SQL: Final = queries("latest")


class Box(NamedTuple):
    """A viewport, WGS-84 degrees. Source: RFC 7946, section 5."""

    west: float
    south: float
    east: float
    north: float

    def holds(self, fix: Fix) -> bool:
        """Whether a position lies in it; ``west`` beyond ``east`` reaches across the 180th meridian."""
        if not self.south <= fix.lat <= self.north:
            return False
        if self.west <= self.east:
            return self.west <= fix.lon <= self.east
        return fix.lon >= self.west or fix.lon <= self.east


class Page(NamedTuple):
    """Positions, and the key of the last device looked at when there are more."""

    positions: list[dict[str, Any]]
    after: int | None


def latest(
    conn: Connection, *, at: datetime, park: str | None, box: Box | None, after: int | None, limit: int
) -> Page:
    """The last trusted position of each device that has one.

    It is read from the tracks, which every batch keeps current, and not searched for in the series.

    Args:
        at: now; says which things the devices are on.
        park: only its devices.
        box: only positions in it.
        after: the key that the page before ended with.
        limit: devices that are looked at.

    Returns:
        Rows with ``device``, ``park``, ``kind``, ``things``, ``time``, ``lon``, ``lat``, ``accuracy_m``.
    """
    rows = conn.execute(SQL["latest"], {"at": at, "park": park, "after": after, "limit": limit}).fetchall()
    positions = []
    for _, device, park_code, kind, things, state in rows:
        fix = DeviceState.decode(state).track.fix
        if fix is None or (box is not None and not box.holds(fix)):
            continue
        positions.append(
            {
                "device": device,
                "park": park_code,
                "kind": kind,
                "things": things,
                "time": moment(fix.time_us),
                "lon": fix.lon,
                "lat": fix.lat,
                "accuracy_m": fix.accuracy_m,
            }
        )
    return Page(positions, rows[-1][0] if len(rows) == limit else None)
