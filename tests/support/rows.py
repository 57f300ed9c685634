"""Rows that tests of the store need: a park, devices, observations."""

from __future__ import annotations

from datetime import UTC, datetime

from devices.observation import Observation, Position, Reading, micros
from tracking.store.database import Connection
from tracking.store.observations import ObservationColumns, ReadingColumns

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
NOON_US = micros(NOON)
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


def add_devices(conn: Connection, count: int = 1) -> list[int]:
    """A park and some devices in it; their ids."""
    row = conn.execute("insert into parks (code) values ('SIP') returning park_id").fetchone()
    assert row is not None
    made = conn.execute(
        "insert into devices (park_id, code, registered_at)"
        " select %s, 'D-' || n, %s from generate_series(1, %s) n returning device_id",
        (row[0], NOON, count),
    )
    return [device_id for (device_id,) in made]


def position(seq: int, time_us: int, *, lon: float = 120.7, lat: float = 31.3, run: int = 1) -> Observation:
    raw = b'{"run":%d,"seq":%d,"type":"position"}' % (run, seq)
    return Observation(run, seq, time_us, Position(lon=lon, lat=lat, accuracy_m=5.0), raw)


def reading(seq: int, time_us: int, run: int = 1, **values: float) -> Observation:
    raw = b'{"run":%d,"seq":%d,"type":"reading"}' % (run, seq)
    return Observation(run, seq, time_us, Reading(values=dict(values)), raw)


def columns(device_id: int, observations: list[Observation]) -> tuple[ObservationColumns, ReadingColumns]:
    """What the pipeline fills from these observations of one device."""
    rows, values = ObservationColumns(), ReadingColumns()
    for leaf, observation in enumerate(observations):
        rows.add(device_id, observation.time_us + SECOND_US, leaf, observation)
        values.add(device_id, observation)
    return rows, values
