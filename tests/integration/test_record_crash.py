"""What a failure does to a batch: nothing is lost, nothing is doubled, neighbours go on, bugs stop loudly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import structlog

from devices.observation import Position
from gateway.pipeline import road as roads
from gateway.pipeline.batch import Advance, Message
from gateway.pipeline.load import Load
from gateway.pipeline.tools import Tools
from tests.support.recording import MemoryBatch, Station, TestDevice
from tests.support.rows import SECOND_US
from tracking.domain.errors import Fenced
from tracking.domain.tracks import DeviceState
from tracking.store import positions

TABLES = {
    "observations": "device_id, event_time, run, seq, received_at, body, kind, lon, lat, leaf",
    "readings": "device_id, quantity, event_time, run, seq, value",
    "milestones": "device_id, time, kind, area, detail, at_time, at_run, at_seq",
    "sequence_gaps": "device_id, run, first_seq, last_seq, filled_at is null",
    "rejections": "key, topic, payload, reason, device_id, run, seq",
    "event_ids": "device_id, id, seq, event_time",
    "batches": "source, events, root",
    "work": "kind, key, changed_from, due_at::text, urgent",
    "track_snapshots": "device_id, time, run, seq",
}


class Died(Exception):
    """The process ends here."""


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as logged:
        yield logged


@pytest.fixture
def station(database: str, logged: list[Any]) -> Iterator[Station]:
    station = Station(database)
    yield station
    station.close()


def everything(station: Station) -> dict[str, Any]:
    """All that a batch leaves behind, comparable between two runs."""
    found: dict[str, Any] = {
        table: sorted(station.rows(f"select {columns} from {table}"), key=repr)
        for table, columns in TABLES.items()
    }
    found["states"] = {
        device_id: DeviceState.decode(state)
        for device_id, state in station.rows("select device_id, state from device_tracks")
    }
    return found


def traffic(station: Station) -> list[list[Message]]:
    """Three batches with some of everything."""
    station.zone("WH-1", 120.70, 31.30)
    truck, scanner, probe = (station.device(code) for code in ("TRK-1", "SCN-1", "TMP-1"))
    scan = {"type": "scan", "code": "BNDU1000010", "action": "receiving"}
    again = truck.says(at=120)
    return [
        [
            truck.says(at=0),
            truck.says(at=60),
            scanner.says(at=1, id="a", **scan),
            probe.says(at=2, type="reading", values={"temperature_c": 4.0}),
        ],
        [
            again,
            truck.says(at=180, seq=9),
            truck.says(at=30, seq=5, received=190),
            truck.sends(truck.event(at=200, seq=10), truck.event(at=210, seq=11, lat=91), received=210),
            Message("bw/v1/SIP/NOBODY/events", b"{}", 0),
        ],
        [again, scanner.says(at=3, id="a", **scan), scanner.says(at=4, id="b", **scan)],
    ]


SEAMS = list(range(len(roads.STEPS) + 1))


@pytest.mark.parametrize("seam", SEAMS)
def test_dying_between_any_two_steps_and_starting_again_leaves_the_same_record(
    postgres: Any, monkeypatch: pytest.MonkeyPatch, seam: int
) -> None:
    """What was given out and not acknowledged comes again; what was acknowledged doesn't."""
    clean, hurt = Station(postgres.create()), Station(postgres.create())
    for batch in traffic(clean):
        clean.deliver(*batch)

    def die(load: Load, tools: Tools) -> None:
        raise Died

    async def die_later(load: Load, tools: Tools) -> None:
        raise Died

    for messages in traffic(hurt):
        batch = MemoryBatch(messages)
        with monkeypatch.context() as patched:
            steps: list[Any] = [*roads.STEPS]
            steps.insert(seam, die if seam <= 4 else die_later)
            ends = [2 + (seam < 2), 5 + (seam <= 4)]
            patched.setattr(roads, "READ", tuple(steps[: ends[0]]))
            patched.setattr(roads, "RECORD", tuple(steps[ends[0] : ends[1]]))
            patched.setattr(roads, "ANSWER", tuple(steps[ends[1] :]))
            with pytest.raises(Died):
                hurt.deliver_batch(batch)
        if not batch.acknowledged:
            hurt.restart()
            hurt.deliver(*messages)

    assert everything(hurt) == everything(clean)
    clean.close()
    hurt.close()


def test_any_order_of_repeats_leaves_the_same_record(postgres: Any) -> None:
    clean, repeated = Station(postgres.create()), Station(postgres.create())
    batches = traffic(clean)
    for batch in batches:
        clean.deliver(*batch)

    for number, batch in enumerate(traffic(repeated)):
        repeated.deliver(*batch)
        repeated.deliver(*batch, *batch)
        if number:
            repeated.deliver(*traffic_of(batches[0]))

    expected, found = everything(clean), everything(repeated)
    assert found == expected
    clean.close()
    repeated.close()


def traffic_of(batch: list[Message]) -> list[Message]:
    return list(reversed(batch))


def breaks_on(monkeypatch: pytest.MonkeyPatch, bad: Callable[[Load], bool], error: Exception) -> None:
    """The fold breaks whenever something is in the batch."""
    resolve, fold, commit = roads.RECORD

    def broken(load: Load, tools: Tools) -> None:
        if bad(load):
            raise error
        fold(load, tools)

    monkeypatch.setattr(roads, "RECORD", (resolve, broken, commit))


def holds_lon(lon: float) -> Callable[[Load], bool]:
    def holds(load: Load) -> bool:
        return any(
            isinstance(event.fact, Position) and event.fact.lon == lon
            for heard in load.heard.values()
            for event in heard.events
        )

    return holds


def test_a_poison_message_is_set_aside_and_its_neighbours_go_on(
    station: Station, monkeypatch: pytest.MonkeyPatch, logged: list[Any]
) -> None:
    trucks = [station.device(f"TRK-{number}") for number in range(5)]
    breaks_on(monkeypatch, holds_lon(100.0), ValueError("no such place\nfor us"))
    messages = [truck.says(at=second) for second in range(20) for truck in trucks]
    poison = trucks[2].says(at=30, lon=100.0)

    load = station.deliver(*messages[:50], poison, *messages[50:])

    assert station.count("observations") == 100
    assert station.rows("select reason, detail, payload, device_id, seq from rejections") == [
        ("poison", "ValueError: no such place", poison.payload, trucks[2].device_id, 21)
    ]
    assert load.batch.acknowledged == 1
    told = station.receipts()["SIP/TRK-2"]
    assert told[0]["committed"] == [[1, 20]]
    assert [(one["seq"], one["reason"]) for one in told[0]["rejected"]] == [(21, "poison")]
    assert [(line["event"], line["topic"]) for line in logged] == [("poison", poison.topic)]


def test_two_poison_messages_are_both_found(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    truck = station.device("TRK-1")
    breaks_on(monkeypatch, holds_lon(100.0), ValueError("no"))

    station.deliver(
        truck.says(at=0), truck.says(at=1, lon=100.0), truck.says(at=2), truck.says(at=3, lon=100.0)
    )

    assert station.recorded(truck) == [(1, 1), (1, 3)]
    assert station.count("rejections", "reason = 'poison'") == 2


def test_what_the_database_refuses_is_poison_too(station: Station) -> None:
    """A value that passes every check of ours and that a column can't hold."""
    truck, van = station.device("TRK-1"), station.device("VAN-1")
    station.conn.execute("alter table observations add constraint calm check (speed_mps < 400) not valid")

    station.deliver(van.says(at=0), truck.says(at=0, speed_mps=500), van.says(at=1))

    assert station.recorded(van) == [(1, 1), (1, 2)]
    assert station.recorded(truck) == []
    [(reason, detail)] = station.rows("select reason, detail from rejections")
    assert reason == "poison"
    assert detail.startswith("CheckViolation")


def test_a_codec_that_breaks_is_poison_of_that_message_alone(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.pipeline import decode as step

    truck = station.device("TRK-1")
    good, bad = truck.says(at=0), truck.says(at=1)
    native = step.CODECS["native"]

    def brittle(payload: bytes, datum: Any) -> Any:
        if payload == bad.payload:
            raise RecursionError("too deep")
        return native(payload, datum)

    monkeypatch.setitem(step.CODECS, "native", brittle)
    station.deliver(good, bad)

    assert station.recorded(truck) == [(1, 1)]
    assert station.rows("select reason, payload from rejections") == [("poison", bad.payload)]


def test_a_fault_that_lies_in_no_message_stops_loudly(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    truck = station.device("TRK-1")
    breaks_on(monkeypatch, lambda _load: True, ZeroDivisionError("ours"))
    batch = MemoryBatch([truck.says(at=0), truck.says(at=1)])

    with pytest.raises(ZeroDivisionError, match="ours"):
        station.deliver_batch(batch)

    assert batch.acknowledged == 0
    assert station.count("observations") == station.count("rejections") == 0


def test_a_fault_that_lies_in_nearly_every_message_stops_loudly(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    truck = station.device("TRK-1")
    breaks_on(monkeypatch, holds_lon(120.7), ValueError("ours"))
    batch = MemoryBatch([truck.says(at=second) for second in range(30)])

    with pytest.raises(ValueError, match="ours"):
        station.deliver_batch(batch)

    assert batch.acknowledged == 0
    assert station.count("rejections") == 0


def test_a_schema_that_lacks_a_column_is_no_messages_fault(station: Station) -> None:
    """A worker that is newer than its database, in quiet traffic: stop, and keep the devices' events."""
    truck = station.device("TRK-1")
    station.conn.execute("alter table observations rename column thing to subject")
    batch = MemoryBatch([truck.says(at=0), truck.says(at=1)])

    with pytest.raises(psycopg.errors.UndefinedColumn):
        station.deliver_batch(batch)

    assert batch.acknowledged == 0
    assert station.count("rejections") == 0
    assert station.receipts() == {}


def test_a_lost_connection_is_waited_out(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend is killed in mid-transaction, twice: nothing is acknowledged until a try commits."""
    truck = station.device("TRK-1")
    resolve, fold, commit = roads.RECORD
    batch = MemoryBatch([truck.says(at=0)])
    acknowledged: list[int] = []

    def cut_off(load: Load, tools: Tools) -> None:
        acknowledged.append(batch.acknowledged)
        if len(acknowledged) <= 2:
            pid = tools.connection.info.backend_pid
            station.conn.execute("select pg_terminate_backend(%s, 5000)", (pid,))
        commit(load, tools)

    monkeypatch.setattr(roads, "RECORD", (resolve, fold, cut_off))
    station.deliver_batch(batch)

    assert acknowledged == [0, 0, 0]
    assert batch.acknowledged == 1
    assert station.recorded(truck) == [(1, 1)]


@pytest.mark.parametrize("error", [psycopg.errors.DeadlockDetected(), psycopg.errors.SerializationFailure()])
def test_a_quarrel_with_a_neighbour_is_tried_again(
    station: Station, monkeypatch: pytest.MonkeyPatch, error: psycopg.Error
) -> None:
    truck = station.device("TRK-1")
    tries: list[Load] = []

    def first_time(load: Load) -> bool:
        tries.append(load)
        return len(tries) == 1

    breaks_on(monkeypatch, first_time, error)
    station.deliver(truck.says(at=0))

    assert len(tries) == 2
    assert station.recorded(truck) == [(1, 1)]
    assert station.count("rejections") == 0


def test_a_dropped_partition_is_made_again(station: Station) -> None:
    truck = station.device("TRK-1")
    station.deliver(truck.says(at=0))
    [(name,)] = station.rows(
        "select inhrelid::regclass::text from pg_inherits"
        " where inhparent = 'observations'::regclass and inhrelid::regclass::text like %s",
        "%2026w10",
    )
    station.conn.execute(f"drop table {name}")

    station.deliver(truck.says(at=1))

    assert station.recorded(truck) == [(1, 2)]


def fenced(truck: TestDevice, old: int, new: int, epoch: int, at: float) -> MemoryBatch:
    return MemoryBatch(
        [truck.says(at=at)],
        advances=[Advance(0, old, new)],
        epochs={0: epoch},
        source="jetstream",
        through_us=1_700_000_000 * SECOND_US,
    )


def test_the_position_moves_with_the_batch(station: Station) -> None:
    truck = station.device("TRK-1")
    epoch = positions.keep(station.conn, "jetstream", "worker")[0].epoch

    station.deliver_batch(fenced(truck, 0, 7, epoch, at=0))

    [(sequence, through)] = station.rows(
        "select sequence, extract(epoch from through_at)::bigint from source_positions where partition = 0"
    )
    assert (sequence, through) == (7, 1_700_000_000)


def test_a_batch_whose_partition_was_taken_over_leaves_nothing(station: Station) -> None:
    truck = station.device("TRK-1")
    epoch = positions.keep(station.conn, "jetstream", "worker")[0].epoch
    positions.release(station.conn, "jetstream", "worker")
    positions.keep(station.conn, "jetstream", "another")
    batch = fenced(truck, 0, 7, epoch, at=0)

    with pytest.raises(Fenced):
        station.deliver_batch(batch)

    assert batch.acknowledged == 0
    assert station.count("observations") == station.count("device_tracks") == 0


def test_a_batch_that_was_committed_before_the_answer_was_lost_is_fenced(station: Station) -> None:
    """The commit went through and we never heard of it: trying again must not record it twice."""
    truck = station.device("TRK-1")
    epoch = positions.keep(station.conn, "jetstream", "worker")[0].epoch
    batch = fenced(truck, 0, 7, epoch, at=0)
    station.deliver_batch(batch)

    with pytest.raises(Fenced):
        station.deliver_batch(batch)

    assert station.recorded(truck) == [(1, 1)]


def test_places_that_change_while_a_batch_is_read_are_the_ones_it_is_judged_by(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    truck = station.device("TRK-1")
    station.deliver(truck.says(at=0))
    batch = MemoryBatch([truck.says(at=60), truck.says(at=120), truck.says(at=180)])
    ahead = station.road.read_ahead(batch)
    station.zone("WH-1", 120.70, 31.30)

    asyncio.run(station.road.travel(batch, ahead))

    assert station.rows("select area from milestones where kind = 'entered'") == [("WH-1",)]
