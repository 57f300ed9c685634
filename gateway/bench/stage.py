"""The stage of a benchmark: many devices, and many places for their positions to be judged against."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tracking.store import credentials, registry
from tracking.store.database import Connection

PARK: Final = "BENCH"
ZONE_HALF_DEG: Final = 0.004
WEST, SOUTH, EAST, NORTH = 120.5, 31.0, 121.5, 31.7


def set_stage(conn: Connection, devices: int, zones: int, file: Path) -> None:
    """Register devices and draw zones over the area that the load drives through.

    Args:
        devices: how many.
        zones: how many, on a grid.
        file: gets a line of JSON a device: ``{"name", "secret"}``.
    """
    now = datetime.now(UTC)
    since = now - timedelta(days=30)
    registry.put_park(conn, PARK, name_en="Benchmark", name_zh="", time_zone="Asia/Shanghai")
    with conn.transaction():
        registry.lock_reference(conn)
        for code, geometry in grid(zones):
            registry.put_area(
                conn,
                code=code,
                kind="cbz",
                park=PARK,
                geometry=geometry,
                tolerance_m=None,
                properties={},
                valid_from=since,
                recorded_at=now,
                recorded_by="bench",
            )
    with conn.transaction(), file.open("w") as lines:
        for number in range(devices):
            code = f"LOAD-{number:05}"
            device_id = registry.add_device(
                conn,
                park=PARK,
                code=code,
                kind="tracker",
                name="",
                datum="wgs84",
                expected_every_s=60,
                registered_at=since,
            )
            assert device_id is not None
            secret = credentials.issue(conn, device_id, now)
            lines.write(json.dumps({"name": f"{PARK}/{code}", "secret": secret}) + "\n")


def grid(zones: int) -> list[tuple[str, dict[str, Any]]]:
    """Squares of about 800 m on a regular grid."""
    columns = max(1, math.ceil(math.sqrt(zones)))
    rows = max(1, math.ceil(zones / columns))
    found = []
    for number in range(zones):
        lon = WEST + (number % columns + 0.5) * (EAST - WEST) / columns
        lat = SOUTH + (number // columns + 0.5) * (NORTH - SOUTH) / rows
        west, east = lon - ZONE_HALF_DEG, lon + ZONE_HALF_DEG
        south, north = lat - ZONE_HALF_DEG, lat + ZONE_HALF_DEG
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        found.append((f"BZ-{number:05}", {"type": "Polygon", "coordinates": [ring]}))
    return found
