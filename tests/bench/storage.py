"""What an event costs on disk, compressed or not, and what queries cost then.

``python -m tests.bench.storage [--devices N] [--minutes N]``

Trucks report once a minute for a week, every sixth time what their boxes read, too. The same rows go into
native partitions (PostgreSQL) and into hypertables (the TimescaleDB of the contract tests), whose chunks are
then compressed. Each query is asked before and after, and must answer the same. Prints JSON, and writes it to
``bench/results/storage.json``.

Bytes are those of the tables with their indexes and what is stored out of line. Times are the server's own
(median of five), and TimescaleDB runs in WebAssembly here: compare them with each other only.
"""

from __future__ import annotations

import argparse
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from devices.observation import Observation, Position, Reading, micros, moment
from tests.support import postgres, timescale
from tests.support.rows import DAY_US, SECOND_US, columns
from tracking.store.database import Connection, connect
from tracking.store.migrate import migrate
from tracking.store.observations import insert_late, insert_observations, insert_readings
from tracking.store.partitions import Partitions

RESULTS: Final = Path(__file__).parents[2] / "bench" / "results" / "storage.json"
MONDAY_US: Final = micros(datetime(2024, 3, 4, tzinfo=UTC))
MINUTE_US: Final = 60 * SECOND_US
BATCH: Final = 80
"""The WebAssembly server takes messages up to 64 KiB."""

ASKED: Final = {
    "trace of a day": """
        select event_time, run, seq, kind, lon, lat, accuracy_m, speed_mps, heading_deg from observations
        where device_id = %(device)s and event_time >= %(begin)s and event_time < %(begin)s + interval '1 day'
        order by event_time, run, seq""",
    "one event by its key": """
        select body from observations
        where device_id = %(device)s and event_time = %(one)s and run = 1 and seq = %(seq)s""",
    "readings of a week": """
        select event_time, value from readings where device_id = %(device)s and quantity = 'temperature_c'
        order by event_time, run, seq""",
    "all devices of an hour": """
        select device_id, count(*), max(event_time) from observations
        where event_time >= %(begin)s and event_time < %(begin)s + interval '1 hour' group by 1 order by 1""",
    "bodies of a batch": """
        select sha256('\\x00'::bytea || body) from observations where batch_id = %(batch)s order by leaf""",
}


def week(rng: random.Random, minutes: int) -> list[Observation]:
    """A truck's week: hours of driving, nights of standing, and the box behind it."""
    lon, lat, heading, temperature, battery = 120.7, 31.3, 90.0, -18.4, 96.0
    events: list[Observation] = []
    for minute in range(minutes):
        seq = len(events)
        time_us = MONDAY_US + minute * MINUTE_US + rng.randrange(SECOND_US) // 1000 * 1000
        speed = rng.uniform(8, 23) if 6 <= minute // 60 % 24 < 20 else 0.0
        heading = (heading + rng.gauss(0, 9)) % 360 if speed else heading
        lon, lat = (
            lon + speed * 60 * rng.uniform(-1, 1) / 95_000,
            lat + speed * 60 * rng.uniform(-1, 1) / 111_000,
        )
        said = {
            "run": 1, "seq": seq, "time": time_us // 1000, "type": "position",
            "lon": round(lon + rng.gauss(0, 4e-5), 6), "lat": round(lat + rng.gauss(0, 4e-5), 6),
            "accuracy_m": round(rng.uniform(3, 12), 1), "speed_mps": round(speed, 1),
            "heading_deg": round(heading), "satellites": rng.randint(7, 14),
        }  # fmt: skip
        fact = Position(
            lon=said["lon"], lat=said["lat"], accuracy_m=said["accuracy_m"],
            speed_mps=said["speed_mps"], heading_deg=said["heading_deg"],
        )  # fmt: skip
        events.append(Observation(1, seq, time_us, fact, json.dumps(said, separators=(",", ":")).encode()))
        if minute % 6 == 0:
            temperature += rng.gauss(0, 0.05)
            battery -= 0.004
            values = {
                "temperature_c": round(temperature, 2), "humidity_pct": round(rng.gauss(55, 3), 1),
                "battery_pct": round(battery, 1),
            }  # fmt: skip
            told = {
                "run": 1,
                "seq": seq + 1,
                "time": time_us // 1000 + 200,
                "type": "reading",
                "values": values,
            }
            body = json.dumps(told, separators=(",", ":")).encode()
            events.append(Observation(1, seq + 1, time_us + 200_000, Reading(values=values), body))
    return events


def fill(conn: Connection, devices: int, minutes: int, batch: int) -> int:
    """The weeks of so many trucks; returns how many events that is."""
    rng = random.Random(7)
    count = 0
    Partitions().ensure(conn, [MONDAY_US, MONDAY_US + 7 * DAY_US])
    for device_id in range(1, devices + 1):
        events = week(rng, minutes)
        count += len(events)
        for begin in range(0, len(events), batch):
            rows, values = columns(device_id, events[begin : begin + batch])
            with conn.transaction():
                recorded_at = moment(events[begin].time_us)
                insert_observations(
                    conn.cursor(),
                    rows,
                    batch_id=device_id * 1_000_000 + begin // batch,
                    recorded_at=recorded_at,
                )
                insert_readings(conn.cursor(), values)
    return count


def size(conn: Connection) -> int:
    """Bytes of both series, whatever their pieces are."""
    row = conn.execute(
        "select sum(pg_total_relation_size(c.oid))"
        " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind = 'r' and (c.relname ~ '^(observations|readings)_2'"
        " or n.nspname = '_timescaledb_internal' and c.relname ~ '^(_hyper_|compress_hyper_)')"
    ).fetchone()
    assert row is not None
    return int(row[0] or 0)


def ask(conn: Connection, devices: int, minutes: int) -> dict[str, dict[str, Any]]:
    """Each query's answer, its milliseconds in the server, and the blocks that it looked at."""
    conn.execute("analyze observations")
    conn.execute("analyze readings")
    device = max(1, devices // 2)
    one = conn.execute(
        "select event_time, seq from observations where device_id = %s order by event_time limit 1 offset 99",
        (device,),
    ).fetchone()
    assert one is not None
    begin = MONDAY_US + minutes // 2 * MINUTE_US
    given = {
        "device": device,
        "begin": moment(begin),
        "one": one[0],
        "seq": one[1],
        "batch": device * 1_000_000 + 3,
    }
    found = {}
    for name, query in ASKED.items():
        answer = conn.execute(query.encode(), given).fetchall()
        plans = [
            conn.execute(b"explain (analyze, buffers, format json) " + query.encode(), given).fetchone()
            for _ in range(5)
        ]
        tops = [plan[0][0] for plan in plans if plan is not None]
        found[name] = {
            "answer": answer,
            "ms": round(median(top["Execution Time"] for top in tops), 3),
            "blocks": tops[-1]["Plan"]["Shared Hit Blocks"] + tops[-1]["Plan"]["Shared Read Blocks"],
        }
    return found


def compress(conn: Connection) -> None:
    """Every chunk, as the policy does when the late window has passed."""
    conn.execute(
        "select compress_chunk(chunk, if_not_compressed => true) from ("
        "  select show_chunks('observations') as chunk union all select show_chunks('readings')) chunks"
    )


def late(conn: Connection, count: int) -> float:
    """Milliseconds an event, for so many that arrive after their chunk was compressed, a batch at a time."""
    rng = random.Random(11)
    events = [
        Observation(2, seq, MONDAY_US + rng.randrange(6 * DAY_US), one.fact, one.raw)
        for seq, one in enumerate(week(rng, count))
    ][:count]
    begun = perf_counter()
    for begin in range(0, len(events), BATCH):
        rows, values = columns(1, events[begin : begin + BATCH])
        with conn.transaction():
            insert_late(conn.cursor(), rows, values, batch_id=9_000_000, recorded_at=moment(MONDAY_US))
    return (perf_counter() - begun) * 1000 / len(events)


def measure_timescale(conn: Connection, devices: int, minutes: int) -> dict[str, Any]:
    """Fill, ask, compress, ask again.

    Raises:
        AssertionError: a query answers otherwise when its chunk is compressed.
    """
    events = fill(conn, devices, minutes, BATCH)
    plain, before = size(conn), ask(conn, devices, minutes)
    compress(conn)
    packed, after = size(conn), ask(conn, devices, minutes)
    for name, asked in before.items():
        assert after[name]["answer"] == asked["answer"], f"{name}: another answer from compressed chunks"
        assert asked["answer"], f"{name}: nothing was found"
    return {
        "events": events,
        "bytes_per_event": round(plain / events, 1),
        "compressed_bytes_per_event": round(packed / events, 1),
        "compression_ratio": round(plain / packed, 2),
        "queries": {
            name: {
                "ms": before[name]["ms"], "compressed_ms": after[name]["ms"],
                "blocks": before[name]["blocks"], "compressed_blocks": after[name]["blocks"],
            }
            for name in ASKED
        },
        "late_ms_per_event": round(late(conn, 400), 3),
    }  # fmt: skip


def measure_native(conn: Connection, devices: int, minutes: int) -> dict[str, Any]:
    """The same rows in native partitions, and what was written ahead of them."""
    lsn = conn.execute("select pg_current_wal_insert_lsn()").fetchone()
    events = fill(conn, devices, minutes, 1000)
    row = conn.execute("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s::pg_lsn)", lsn).fetchone()
    assert row is not None
    bodies = conn.execute("select avg(length(body)) from observations").fetchone()
    assert bodies is not None
    return {
        "events": events,
        "body_bytes": round(float(bodies[0]), 1),
        "bytes_per_event": round(size(conn) / events, 1),
        "wal_bytes_per_event": round(float(row[0]) / events, 1),
        "queries": {name: asked["ms"] for name, asked in ask(conn, devices, minutes).items()},
    }


def main() -> None:
    """Both servers, one report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=6)
    parser.add_argument("--minutes", type=int, default=10_080)
    given = parser.parse_args()
    with postgres.running() as server, connect(server.create()) as conn:
        native = measure_native(conn, given.devices, given.minutes)
    with timescale.running() as dsn, connect(dsn) as conn:
        migrate(conn, variant="timescale")
        hyper = measure_timescale(conn, given.devices, given.minutes)
    report = {"devices": given.devices, "minutes": given.minutes, "native": native, "timescale": hyper}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
