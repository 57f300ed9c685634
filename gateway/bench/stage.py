"""The stage of a benchmark: many devices, and many places for their positions to be judged against."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tracking.store import credentials, registry, shipments
from tracking.store.database import Connection

PARK: Final = "BENCH"
SINCE: Final = timedelta(days=30)
ZONE_HALF_DEG: Final = 0.004
WEST, SOUTH, EAST, NORTH = 120.5, 31.0, 121.5, 31.7


def set_stage(conn: Connection, devices: int, zones: int, file: Path) -> None:
    """Register devices and draw zones over the area that the load drives through.

    Args:
        devices: how many.
        zones: how many, on a grid.
        file: gets a line of JSON a device: ``{"name", "secret"}``.
    """
    draw_zones(conn, zones)
    register(conn, devices, file)


def draw_zones(conn: Connection, zones: int, half_deg: float = ZONE_HALF_DEG, tile: int = 0) -> None:
    """The park and its zones, squares of twice ``half_deg``; ``tile`` says how many areas further east."""
    now = datetime.now(UTC)
    since = now - SINCE
    registry.put_park(conn, PARK, name_en="Benchmark", name_zh="", time_zone="Asia/Shanghai")
    with conn.transaction():
        registry.lock_reference(conn)
        for code, geometry in grid(zones, half_deg, tile):
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


def register(
    conn: Connection, devices: int, file: Path, *, prefix: str = "LOAD", expected_every_s: int = 60
) -> list[int]:
    """Register devices; their keys.

    Args:
        devices: how many.
        file: gets a line of JSON a device: ``{"name", "secret"}``.
        prefix: of their codes.
        expected_every_s: how often they are expected to report; they are silent five times as long after.
    """
    now = datetime.now(UTC)
    keys = []
    with conn.transaction(), file.open("w") as lines:
        for number in range(devices):
            code = f"{prefix}-{number:05}"
            device_id = registry.add_device(
                conn,
                park=PARK,
                code=code,
                kind="tracker",
                name="",
                datum="wgs84",
                expected_every_s=expected_every_s,
                registered_at=now - SINCE,
            )
            assert device_id is not None
            keys.append(device_id)
            secret = credentials.issue(conn, device_id, now)
            lines.write(json.dumps({"name": f"{PARK}/{code}", "secret": secret}) + "\n")
    return keys


def put_under_custody(conn: Connection, devices: list[int], zones: int, prefix: str) -> None:
    """A shipment on each device, on its way from a zone to the next."""
    now = datetime.now(UTC)
    codes = [code for code, _ in grid(zones)]
    with conn.transaction():
        for number, device_id in enumerate(devices):
            uri = f"{prefix}-TRUCK-{number:05}"
            thing_id, _ = registry.thing(conn, uri)
            registry.attach(
                conn,
                device_id=device_id,
                thing_id=thing_id,
                role="primary",
                valid_from=now - SINCE,
                valid_to=None,
                recorded_at=now,
            )
            here, there = codes[number % zones], codes[(number + 1) % zones]
            legs = [
                {"type": "stay", "zones": [here]},
                {"type": "move", "from_zones": [here], "to_zones": [there]},
                {"type": "stay", "zones": [there]},
            ]
            shipments.create(
                conn,
                number=f"{prefix}-{number:05}",
                park=PARK,
                reference="",
                things=[uri],
                terms={"legs": legs},
                valid_from=now - SINCE,
                recorded_at=now,
                recorded_by="bench",
            )


def put_at_rest(conn: Connection, count: int, zones: int) -> None:
    """Shipments that are kept in the zones and not tracked: something to step over, not to judge."""
    now = datetime.now(UTC)
    codes = [code for code, _ in grid(zones)]
    with conn.transaction():
        for number in range(count):
            shipments.create(
                conn,
                number=f"REST-{number:06}",
                park=PARK,
                reference="",
                things=[f"REST-BOX-{number:06}"],
                terms={"legs": [{"type": "stay", "zones": [codes[number % zones]]}]},
                valid_from=now - SINCE,
                recorded_at=now,
                recorded_by="bench",
            )


def grid(zones: int, half_deg: float = ZONE_HALF_DEG, tile: int = 0) -> list[tuple[str, dict[str, Any]]]:
    """Squares on a regular grid, of about 800 m where nothing else is asked for."""
    columns = max(1, math.ceil(math.sqrt(zones)))
    rows = max(1, math.ceil(zones / columns))
    found = []
    for number in range(zones):
        lon = WEST + (tile + (number % columns + 0.5) / columns) * (EAST - WEST)
        lat = SOUTH + (number // columns + 0.5) * (NORTH - SOUTH) / rows
        west, east = lon - half_deg, lon + half_deg
        south, north = lat - half_deg, lat + half_deg
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        found.append((f"BZ{tile or ''}-{number:05}", {"type": "Polygon", "coordinates": [ring]}))
    return found
