"""What a load is told by the database: lost, doubled and rejected events never make up for one another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devices.observation import Observation
from gateway.load.check import check
from gateway.load.stage import PARK
from simulators.load_figures import Recorded
from tests.support.rows import NOON, NOON_US, SECOND_US, add_devices, columns, position
from tracking.store.database import Connection, queries
from tracking.store.observations import insert_observations
from tracking.store.partitions import Partitions

Record = Callable[..., None]


@pytest.fixture
def device(conn: Connection) -> int:
    (device_id,) = add_devices(conn)
    conn.execute("update parks set code = %s", [PARK])
    return device_id


@pytest.fixture
def record(conn: Connection, device: int) -> Record:
    def recorded(*observations: Observation, says: int | None = None) -> None:
        """A batch of them; what it says it holds is what it holds, unless told otherwise."""
        rows, _ = columns(device, list(observations))
        Partitions().ensure(conn, rows.time_us)
        made = conn.execute(
            "insert into batches (source, worker, recorded_at, events, root) values ('', '', %s, %s, '')"
            " returning batch_id",
            (NOON, len(observations) if says is None else says),
        ).fetchone()
        assert made is not None
        with conn.cursor() as cursor:
            insert_observations(cursor, rows, batch_id=made[0], recorded_at=NOON)

    return recorded


def event(seq: int, later_s: int = 0, run: int = 1) -> Observation:
    return position(seq, NOON_US + (seq + later_s) * SECOND_US, run=run)


def reject(conn: Connection, device: int, *numbers: int) -> None:
    for seq in numbers:
        conn.execute(
            "insert into rejections (key, topic, payload, reason, detail, device_id, run, seq, received_at,"
            " recorded_at) values (%s, '', '', 'clock', '', %s, 1, %s, %s, %s)",
            (str(seq).encode(), device, seq, NOON, NOON),
        )


def told(conn: Connection, sent: int) -> Recorded:
    return check(conn, 1, {f"{PARK}/D-1": sent}, patience_s=0)


def test_everything_is_there(conn: Connection, record: Record) -> None:
    record(event(1), event(2))
    record(event(3), event(1, run=2))
    assert told(conn, 3) == Recorded(recorded=3, lost=0, doubled=0, rejected=0, unaccounted=0)
    assert told(conn, 3).is_whole


def test_a_doubled_event_does_not_make_up_for_a_lost_one(conn: Connection, record: Record) -> None:
    record(event(1), event(2))
    record(event(2, later_s=60))
    found = told(conn, 3)
    assert (found.recorded, found.lost, found.doubled) == (2, 1, 1)
    assert conn.execute(queries("bench")["counts"]).fetchone() == (2, 1)


def test_rejected_events_are_not_lost_and_not_well(conn: Connection, device: int, record: Record) -> None:
    record(event(1))
    reject(conn, device, 2, 3)
    found = told(conn, 3)
    assert (found.lost, found.rejected, found.is_whole) == (0, 2, False)


def test_a_rejection_of_what_is_recorded_hides_no_loss(conn: Connection, device: int, record: Record) -> None:
    record(event(1))
    reject(conn, device, 1)
    assert (told(conn, 2).lost, told(conn, 2).rejected) == (1, 1)


def test_a_device_of_which_nothing_is_there_has_lost_everything(conn: Connection, device: int) -> None:
    assert told(conn, 5).lost == 5


@pytest.mark.parametrize("says", [3, 1])
def test_a_batch_that_holds_another_number_of_rows_than_it_says(
    conn: Connection, record: Record, says: int
) -> None:
    record(event(1), event(2), says=says)
    found = told(conn, 2)
    assert (found.lost, found.doubled, found.unaccounted, found.is_whole) == (0, 0, 1, False)


class Pauses:
    """A clock that only its pauses move on, each by twenty seconds; in each something may happen."""

    def __init__(self, happens: Callable[[int], None]) -> None:
        self._happens, self._number = happens, 0

    def monotonic(self) -> float:
        return self._number * 20.0

    def sleep(self, _seconds: float) -> None:
        self._number += 1
        self._happens(self._number)


def test_what_still_comes_is_waited_for_and_what_stays_away_is_lost(
    conn: Connection, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def comes(number: int) -> None:
        if number <= 4:
            record(event(number))

    monkeypatch.setattr("gateway.load.check.time", Pauses(comes))
    found = check(conn, 1, {f"{PARK}/D-1": 5}, patience_s=30)
    assert (found.recorded, found.lost) == (4, 1)
