"""Rows a second of the hot insert, beside the other ways to do it: ``python -m tests.bench.insert_rows``.

One process, one connection, one transaction a batch, a server that doesn't wait for the disk; so the figures
are costs of CPU, and only their ratios within a run say something.
``docs/decisions/rows-travel-as-binary-arrays.md`` draws the conclusion.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from devices.observation import Observation, Position, Reading, micros, moment
from tests.support.postgres import running
from tracking.store.arrays import (
    Array,
    byteas,
    float4s,
    float8s,
    int2s,
    int4s,
    int8s,
    texts,
    timestamps,
)
from tracking.store.database import Connection, connect, queries
from tracking.store.observations import ObservationColumns, insert_observations
from tracking.store.partitions import ensure_partitions

BATCH: Final = 1000
BATCHES: Final = 40
NOON: Final = datetime(2026, 3, 4, 12, tzinfo=UTC)

COLUMNS: Final = (
    ("device_id", "bigint", int8s), ("time_us", "timestamptz", timestamps), ("seq", "bigint", int8s),
    ("received_us", "timestamptz", timestamps), ("lon", "double precision", float8s),
    ("lat", "double precision", float8s), ("run", "int", int4s), ("leaf", "int", int4s),
    ("accuracy_m", "real", float4s), ("speed_mps", "real", float4s), ("heading_deg", "real", float4s),
    ("kind", "smallint", int2s), ("thing", "text", texts), ("body", "bytea", byteas),
)  # fmt: skip
NAMES: Final = ", ".join(
    {"time_us": "event_time", "received_us": "received_at"}.get(name, name) for name, _, _ in COLUMNS
)
INTO: Final = f"insert into observations ({NAMES}, recorded_at, batch_id)"
HOT: Final = queries("observations")["insert_observations"]
UPSERT: Final = HOT + b" on conflict do nothing"


def main() -> None:
    """Every way twice, so that the first run's warming up shows."""
    batches = [make(number) for number in range(BATCHES)]
    ways: dict[str, Callable[[Connection, ObservationColumns], None]] = {
        "lists as text, from unnest": lambda conn, rows: from_unnest(conn, lists(rows), "t"),
        "lists as binary, from unnest": lambda conn, rows: from_unnest(conn, lists(rows), "b"),
        "arrays, from unnest": lambda conn, rows: from_unnest(conn, finished(rows), "b"),
        "arrays, select unnest (ours)": ours,
        "the same, on conflict do nothing": upsert,
        "copy, binary, a row at a time": copy,
    }
    with running() as server:
        for name, way in [*ways.items(), *ways.items()]:
            dsn = server.create()
            with connect(dsn) as conn:
                ensure_partitions(conn, NOON, NOON)
                cpu, clock = time.process_time(), time.perf_counter()
                for rows in batches:
                    with conn.transaction():
                        way(conn, rows)
                seconds, client = time.perf_counter() - clock, time.process_time() - cpu
            server.drop(dsn)
            count = BATCH * BATCHES
            print(f"{name:34}{count / seconds:9,.0f} rows/s   client {1e6 * client / count:5.2f} us/row")


def make(number: int) -> ObservationColumns:
    """A batch as it comes: 500 devices, nine positions in ten."""
    rows = ObservationColumns()
    for leaf in range(BATCH):
        seq = number * BATCH + leaf
        time_us = micros(NOON) + seq * 1000
        fact: Position | Reading = Position(
            120.7 + leaf / 1e5, 31.3, accuracy_m=5.0, speed_mps=12.5, heading_deg=90.0
        )
        if leaf % 10 == 0:
            fact = Reading({"temperature_c": 4.5})
        raw = b'{"run":7,"seq":%d,"time":%d,"type":"position","lon":120.7,"lat":31.3,"accuracy_m":5}' % (
            seq,
            time_us,
        )
        rows.add(leaf % 500, time_us + 20_000, leaf, Observation(7, seq, time_us, fact, raw))
    return rows


def lists(rows: ObservationColumns) -> list[list[Any]]:
    """What psycopg is given usually: lists of Python values."""
    return [
        [moment(value) for value in getattr(rows, name)] if name.endswith("_us") else getattr(rows, name)
        for name, _, _ in COLUMNS
    ]


def finished(rows: ObservationColumns) -> list[Array]:
    return [encode(getattr(rows, name)) for name, _, encode in COLUMNS]


def from_unnest(conn: Connection, values: Sequence[Any], form: str) -> None:
    arrays = ", ".join(f"%{form}::{kind}[]" for _, kind, _ in COLUMNS)
    query = f"{INTO} select u.*, %s::timestamptz, %s::bigint from unnest({arrays}) as u"
    conn.execute(query.encode(), (NOON, 1, *values), prepare=True)


def ours(conn: Connection, rows: ObservationColumns) -> None:
    insert_observations(conn.cursor(), rows, batch_id=1, recorded_at=NOON)


def upsert(conn: Connection, rows: ObservationColumns) -> None:
    conn.execute(UPSERT, (*finished(rows), NOON, 1), prepare=True)


def copy(conn: Connection, rows: ObservationColumns) -> None:
    kinds = [{"double precision": "float8", "int": "int4"}.get(kind, kind) for _, kind, _ in COLUMNS]
    query = f"copy observations ({NAMES}, recorded_at, batch_id) from stdin (format binary)"
    with conn.cursor().copy(query.encode()) as into:
        into.set_types([*kinds, "timestamptz", "int8"])
        for row in zip(*lists(rows), strict=True):
            into.write_row((*row, NOON, 1))


if __name__ == "__main__":
    main()
