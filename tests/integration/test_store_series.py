"""Observations and readings on native partitions: hot insert, reading in order, partitions on demand."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from devices.observation import KINDS, Observation, Scan, moment
from tests.support.rows import DAY_US, NOON, NOON_US, SECOND_US, add_devices, columns, position, reading
from tracking.store.database import Connection, connect
from tracking.store.kinds import KIND_NAMES, KIND_NUMBERS
from tracking.store.observations import (
    ObservationColumns,
    insert_late,
    insert_observations,
    insert_readings,
    load_observations,
)
from tracking.store.partitions import Partitions, drop_empty, ensure_partitions


@pytest.fixture
def device(conn: Connection) -> int:
    ensure_partitions(conn, NOON - timedelta(days=1), NOON + timedelta(days=1))
    return add_devices(conn)[0]


def record(conn: Connection, device_id: int, observations: list[Observation]) -> None:
    rows, values = columns(device_id, observations)
    with conn.transaction():
        insert_observations(conn.cursor(), rows, batch_id=1, recorded_at=NOON)
        insert_readings(conn.cursor(), values)


def test_what_goes_in_comes_out(conn: Connection, device: int) -> None:
    scan = Scan(code="BNDU1000010", action="loading")  # type: ignore[arg-type]
    rows = ObservationColumns()
    rows.add(device, NOON_US + 7, 0, position(1, NOON_US, lon=120.123456789, lat=31.987654321))
    rows.add(
        device, NOON_US + 8, 1, Observation(2**31 - 1, 2**63 - 1, NOON_US + 1, scan, b"\x00\xff"), "苏E1289K"
    )
    insert_observations(conn.cursor(), rows, batch_id=42, recorded_at=NOON)
    stored = conn.execute(
        "select device_id, event_time, run, seq, received_at, recorded_at, lon, lat, accuracy_m, speed_mps, "
        "heading_deg, kind, thing, body, batch_id, leaf from observations order by leaf"
    ).fetchall()
    assert stored == [
        (device, NOON, 1, 1, moment(NOON_US + 7), NOON, 120.123456789, 31.987654321, 5.0, None, None,
         KIND_NUMBERS["position"], None, b'{"run":1,"seq":1,"type":"position"}', 42, 0),
        (device, moment(NOON_US + 1), 2**31 - 1, 2**63 - 1, moment(NOON_US + 8), NOON, None, None, None, None,
         None, KIND_NUMBERS["scan"], "苏E1289K", b"\x00\xff", 42, 1),
    ]  # fmt: skip


def test_readings_are_one_row_a_quantity(conn: Connection, device: int) -> None:
    record(conn, device, [reading(1, NOON_US, temperature_c=-18.5, door_open=True), position(2, NOON_US)])
    rows = conn.execute("select quantity, value, run, seq from readings order by quantity").fetchall()
    assert rows == [("door_open", 1.0, 1, 1), ("temperature_c", -18.5, 1, 1)]


def test_nothing_to_insert_is_nothing(conn: Connection, device: int) -> None:
    record(conn, device, [])
    assert conn.execute("select count(*) from observations").fetchone() == (0,)


def test_a_key_twice_stops_the_batch(conn: Connection, device: int) -> None:
    record(conn, device, [position(1, NOON_US)])
    with pytest.raises(psycopg.errors.UniqueViolation):
        record(conn, device, [position(2, NOON_US), position(1, NOON_US)])
    assert conn.execute("select count(*) from observations").fetchone() == (1,)


def test_columns_of_different_length_are_refused(conn: Connection, device: int) -> None:
    rows, _ = columns(device, [position(1, NOON_US)])
    rows.thing.append("a thing without a row")
    with pytest.raises(ValueError, match="columns of different lengths"):
        insert_observations(conn.cursor(), rows, batch_id=1, recorded_at=NOON)


def test_they_are_read_back_in_key_order_between_two_keys(conn: Connection, device: int) -> None:
    seconds = [5, 1, 3, 3, 2, 4]
    record(conn, device, [position(seq, NOON_US + s * SECOND_US) for seq, s in enumerate(seconds)])
    with conn.transaction():
        everything = list(load_observations(conn, device, page=2))
        part = list(
            load_observations(
                conn,
                device,
                after=(moment(NOON_US + 3 * SECOND_US), 1, 2),
                upto=(moment(NOON_US + 4 * SECOND_US), 1, 5),
            )
        )
    assert [row.seq for row in everything] == [1, 4, 2, 3, 5, 0]
    assert [row.seq for row in part] == [3, 5]
    assert everything[0].body == b'{"run":1,"seq":1,"type":"position"}'


def test_reading_part_of_a_track_passes_partitions_over(conn: Connection, device: int) -> None:
    ensure_partitions(conn, NOON - timedelta(days=100), NOON)
    with conn.transaction(), conn.cursor() as cur:
        cur.execute("set local enable_seqscan = off")
        bounds = {"a": NOON, "b": NOON + timedelta(hours=1)}
        cur.execute(
            "explain select 1 from observations where device_id = 1"
            " and event_time >= %(a)s and event_time <= %(b)s and (event_time, run, seq) > (%(a)s, 1, 1)"
            " order by event_time, run, seq",
            bounds,
        )
        plan = "\n".join(line for (line,) in cur)
    assert plan.count("observations_2026w") == 2  # one index of one partition
    assert "Sort" not in plan


def test_rows_are_split_at_the_late_window(device: int) -> None:
    rows, _ = columns(device, [position(1, NOON_US), position(2, NOON_US - 40 * DAY_US)])
    late, inside = rows.split(NOON_US - 30 * DAY_US)
    assert (late.seq, inside.seq) == ([2], [1])
    nothing, same = inside.split(NOON_US - 30 * DAY_US)
    assert len(nothing) == 0
    assert same is inside


def test_the_slow_path_takes_old_rows_of_several_weeks(conn: Connection, device: int) -> None:
    old = [position(seq, NOON_US - days * DAY_US) for seq, days in enumerate([390, 200, 200, 45])]
    rows, values = columns(device, [*old, reading(9, NOON_US - 45 * DAY_US, shock_g=2.5)])
    Partitions().ensure(conn, rows.time_us)
    with conn.transaction():
        insert_late(conn.cursor(), rows, values, batch_id=1, recorded_at=NOON)
    assert conn.execute("select count(*) from observations").fetchone() == (5,)
    assert conn.execute("select count(*) from readings").fetchone() == (1,)


class TestPartitions:
    def test_weeks_are_iso_weeks(self, conn: Connection) -> None:
        made = ensure_partitions(conn, datetime(2025, 12, 28, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC))
        assert [name for name in made if name.startswith("obs")] == [
            "observations_2025w52",
            "observations_2026w01",
            "observations_2026w02",
        ]
        assert (
            ensure_partitions(conn, datetime(2025, 12, 28, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC))
            == []
        )

    def test_only_the_weeks_that_rows_need(self, conn: Connection) -> None:
        known = Partitions()
        made = known.ensure(conn, [NOON_US, NOON_US - 300 * DAY_US, NOON_US + SECOND_US])
        assert made == [
            "observations_2025w19",
            "observations_2026w10",
            "readings_2025w19",
            "readings_2026w10",
        ]
        assert known.ensure(conn, [NOON_US]) == []

    def test_a_week_that_someone_dropped_is_made_again_after_forgetting(self, conn: Connection) -> None:
        known = Partitions()
        known.ensure(conn, [NOON_US])
        assert drop_empty(conn, NOON + timedelta(weeks=2)) == ["observations_2026w10", "readings_2026w10"]
        device = add_devices(conn)[0]
        with pytest.raises(psycopg.errors.CheckViolation, match="no partition"):
            record(conn, device, [position(1, NOON_US)])
        known.forget()
        known.ensure(conn, [NOON_US])
        record(conn, device, [position(1, NOON_US)])

    def test_dropping_keeps_the_week_that_the_moment_lies_in(self, conn: Connection) -> None:
        ensure_partitions(conn, NOON - timedelta(weeks=2), NOON)
        dropped = drop_empty(conn, NOON)
        assert dropped == [
            "observations_2026w08",
            "observations_2026w09",
            "readings_2026w08",
            "readings_2026w09",
        ]

    def test_many_at_once_make_each_once_and_hinder_no_insert(self, conn: Connection, database: str) -> None:
        device = add_devices(conn)[0]
        ensure_partitions(conn, NOON, NOON)
        made: list[list[str]] = []

        def make() -> None:
            with connect(database) as own:
                made.append(ensure_partitions(own, NOON, NOON + timedelta(weeks=5)))

        with conn.transaction():  # an open batch holds its lock on the table meanwhile
            rows, _ = columns(device, [position(1, NOON_US)])
            insert_observations(conn.cursor(), rows, batch_id=1, recorded_at=NOON)
            threads = [threading.Thread(target=make) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
            assert not any(thread.is_alive() for thread in threads)
        assert sorted(map(len, made)) == [0, 0, 10]

    def test_hourly_views_give_last_place_and_extremes(self, conn: Connection, device: int) -> None:
        record(
            conn,
            device,
            [
                position(1, NOON_US, lon=120.1),
                position(2, NOON_US + 60 * SECOND_US, lon=120.2),
                reading(3, NOON_US, temperature_c=4.0),
                reading(4, NOON_US + 1, temperature_c=8.0),
            ],
        )
        positions = conn.execute(
            "select device_id, hour, positions, last_lon from positions_hourly"
        ).fetchall()
        assert positions == [(device, NOON, 2, 120.2)]
        readings = conn.execute(
            "select hour, readings, min_value, max_value, avg_value from readings_hourly"
        ).fetchall()
        assert readings == [(NOON, 2, 4.0, 8.0, 6.0)]

    def test_hourly_views_count_what_was_recorded_and_the_counted_series_what_counts(
        self, conn: Connection, device: int
    ) -> None:
        """As on TimescaleDB, whose continuous aggregates no correction changes."""
        record(
            conn,
            device,
            [reading(1, NOON_US, temperature_c=4.0), reading(2, NOON_US + 1, temperature_c=99.0)],
        )
        conn.execute(
            "insert into corrections"
            " (device_id, event_time, run, seq, reason, why, corrective, by, recorded_at)"
            " values (%s, %s, 1, 2, 'incorrect_data', 'a hand on the probe', '[]', 'test', %s)",
            (device, moment(NOON_US + 1), NOON),
        )
        assert conn.execute("select readings, max_value from readings_hourly").fetchall() == [(2, 99.0)]
        assert conn.execute("select count(*), max(value) from counted_readings").fetchall() == [(1, 4.0)]


def test_the_table_of_kinds_is_the_one_in_code(conn: Connection) -> None:
    assert dict(conn.execute("select kind, name from observation_kinds").fetchall()) == KIND_NAMES
    assert set(KIND_NUMBERS) == set(KINDS.values())
