"""A database that is full before anything is measured; the database makes the rows itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from devices.observation import micros
from gateway.bench.stage import EAST, NORTH, PARK, SOUTH, WEST, draw_zones, grid, put_under_custody
from tracking.domain.tracks.state import DeviceState, Fix, Track
from tracking.store import registry, shipments
from tracking.store.database import Connection, pool, queries
from tracking.store.partitions import ensure_partitions

SPAN: Final = timedelta(days=28)
"""Over which the rows lie: four or five partitions."""

CHUNK: Final = 500_000
ZONES: Final = 100
TRUCKS: Final = 1000
"""Each container was in one of them, for a day."""

TRACED: Final = "BENCH-TRACED"
UNDER_WAY: Final = "WAY"
"""The numbers of shipments that are judged begin with it."""

TRACED_PREFIX: Final = "TRACED-"
FILLED_PREFIX: Final = "FILLED-"
SETTLE: Final = "vacuum analyze"
"""As autovacuum would after a while; outside a transaction."""

PATIENCE_S: Final = 600.0


class Volume(Struct, frozen=True):
    """How full.

    Attributes:
        rows: observations, of all filled devices together.
        shipments: each with a container of its own, which was in a truck.
        devices: with a position each.
        traced: observations of one more device, which is on a shipment of its own.
        under_way: more shipments, under custody, a device of the filled ones each.
    """

    rows: int
    shipments: int
    devices: int
    traced: int
    under_way: int = 200


def fill(conn: Connection, volume: Volume, say: Callable[[str], None]) -> None:
    """Fill a database.

    Args:
        conn: to a migrated database that holds nothing of the kind yet.
        volume: how full.
        say: told how far it is, for people.
    """
    now = datetime.now(UTC)
    draw_zones(conn, ZONES)
    ensure_partitions(conn, now - SPAN, now)
    keys = _devices(conn, FILLED_PREFIX, volume.devices, now)
    _positions(conn, keys[0], len(keys), volume.rows, now, say)
    _shipments(conn, volume.shipments, now, say)
    put_under_custody(conn, keys[: volume.under_way], ZONES, UNDER_WAY)
    _traced(conn, volume.traced, now)
    say("analysing the tables")
    _settle(conn)


def fill_rows(conn: Connection, rows: int, say: Callable[[str], None]) -> None:
    """Only observations, of a thousand devices."""
    now = datetime.now(UTC)
    ensure_partitions(conn, now - SPAN, now)
    prefix = f"ROWS-{now:%H%M%S%f}-"
    keys = _devices(conn, prefix, 1000, now)
    _positions(conn, keys[0], len(keys), rows, now, say)
    _settle(conn)


def _settle(conn: Connection) -> None:
    """As it would be after a while: nothing is measured beside the writing of all that."""
    conn.execute(SETTLE)
    os.sync()


def _devices(conn: Connection, prefix: str, count: int, now: datetime) -> list[int]:
    """Devices of consecutive keys, each with a track that stands somewhere in the area."""
    given = {"park": PARK, "prefix": prefix, "devices": count, "since": now - SPAN}
    with conn.transaction():
        registry.lock_reference(conn)
        keys = sorted(key for (key,) in conn.execute(queries("bench")["fill_devices"], given))
        states = [_state(place, count, now) for place in range(count)]
        conn.execute(
            queries("bench")["fill_tracks"], {"devices": keys, "states": states, "times": [now] * count}
        )
    return keys


def _state(place: int, count: int, now: datetime) -> bytes:
    time_us = micros(now)
    share = place / count
    fix = Fix(
        time_us,
        1,
        1,
        WEST + share * (EAST - WEST),
        SOUTH + (place * 7919 % count) / count * (NORTH - SOUTH),
        8,
    )
    return DeviceState(track=Track(heard=fix.key, fix=fix)).encode()


def _positions(
    conn: Connection, first: int, devices: int, rows: int, now: datetime, say: Callable[[str], None]
) -> None:
    """As many writers as cores: a chunk is a statement, and a statement runs on one."""
    given = {"first": first, "devices": devices, "since": now - SPAN, "step": SPAN / max(rows, 1)}
    writers = os.cpu_count() or 1
    with pool(conn.info.dsn, max_size=writers) as connections, ThreadPoolExecutor(writers) as threads:

        def write(begin: int) -> int:
            end = min(begin + CHUNK, rows)
            with connections.connection(timeout=PATIENCE_S) as one:
                one.execute(queries("bench")["fill_observations"], {**given, "from": begin, "to": end})
            return end

        for end in threads.map(write, range(0, rows, CHUNK)):
            if end == rows or end % (10 * CHUNK) == 0:
                say(f"{end:,} of {rows:,} observations")


def _shipments(conn: Connection, count: int, now: datetime, say: Callable[[str], None]) -> None:
    conn.execute(queries("bench")["fill_trucks"], {"trucks": TRUCKS})
    for begin in range(0, count, CHUNK):
        end = min(begin + CHUNK, count)
        given = {"from": begin, "to": end, "park": PARK, "since": now - SPAN, "trucks": TRUCKS}
        conn.execute(queries("bench")["fill_shipments"], given)
        say(f"{end:,} of {count:,} shipments")


def _traced(conn: Connection, rows: int, now: datetime) -> None:
    """The shipment whose trace is read, with a device of its own."""
    (key,) = _devices(conn, TRACED_PREFIX, 1, now)
    zone = grid(ZONES)[0][0]
    terms = {"legs": [{"type": "stay", "zones": [zone]}]}
    with conn.transaction():
        thing_id, _ = registry.thing(conn, TRACED)
        registry.attach(
            conn, device_id=key, thing_id=thing_id, role="primary", valid_from=now - SPAN, valid_to=None,
            recorded_at=now,
        )  # fmt: skip
        shipments.create(
            conn, number=TRACED, park=PARK, reference="", things=[TRACED], terms=terms, valid_from=now - SPAN,
            recorded_at=now, recorded_by="bench",
        )  # fmt: skip
    _positions(conn, key, 1, rows, now, lambda _: None)
