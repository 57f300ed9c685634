"""The road of a batch against a real database: what stands in the record, and what devices are told."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from gateway.pipeline.batch import Message
from tests.support.recording import Station, at
from tests.support.rows import NOON_US, SECOND_US
from tracking.domain.ledger import merkle
from tracking.domain.tracks import DeviceState
from tracking.store import registry

DAY = 86_400


@pytest.fixture
def station(database: str) -> Iterator[Station]:
    station = Station(database)
    yield station
    station.close()


def test_a_batch_is_recorded_acknowledged_and_answered(station: Station) -> None:
    truck, van = station.device("TRK-1"), station.device("VAN-1")

    load = station.deliver(truck.says(at=0), van.says(at=1), truck.says(at=10))

    assert station.recorded(truck) == [(1, 1), (1, 2)]
    assert station.recorded(van) == [(1, 1)]
    assert load.batch.acknowledged == 1
    assert station.receipts() == {
        "SIP/TRK-1": [{"run": 1, "committed": [[1, 2]], "rejected": []}],
        "SIP/VAN-1": [{"run": 1, "committed": [[1, 1]], "rejected": []}],
    }


def test_three_times_and_the_own_bytes_are_kept(station: Station) -> None:
    truck = station.device("TRK-1")
    message = truck.says(at=5, received=7)

    station.deliver(message)

    assert station.rows("select event_time, received_at, recorded_at, body from observations") == [
        (at(5), at(7), at(60), message.payload)
    ]


def test_the_batch_has_the_root_over_its_raw_events(station: Station) -> None:
    truck = station.device("TRK-1")

    station.deliver(truck.says(at=0), truck.sends(truck.event(at=5), truck.event(at=6)))

    [(batch_id, events, root)] = station.rows("select batch_id, events, root from batches")
    leaves = station.rows("select body, leaf, batch_id from observations order by leaf")
    assert root == merkle.root([body for body, _, _ in leaves])
    assert [(leaf, batch) for _, leaf, batch in leaves] == [(0, batch_id), (1, batch_id), (2, batch_id)]
    assert events == 3


def test_a_repeat_is_dropped_counted_and_answered_again(station: Station) -> None:
    truck = station.device("TRK-1")
    first, second = truck.says(at=0), truck.says(at=1)
    station.deliver(first, second)
    station.receipts()

    load = station.deliver(first, second, first)

    assert station.recorded(truck) == [(1, 1), (1, 2)]
    assert station.receipts() == {"SIP/TRK-1": [{"run": 1, "committed": [[1, 2]], "rejected": []}]}
    assert station.rows("select kind, count from arrival_notes") == [("duplicates", 3)]
    assert station.count("batches") == 1
    assert load.batch.acknowledged == 1


def test_a_repeat_within_one_batch_is_recorded_once(station: Station) -> None:
    truck = station.device("TRK-1")
    first = truck.says(at=0)

    station.deliver(first, first, truck.says(at=1), first)

    assert station.recorded(truck) == [(1, 1), (1, 2)]
    assert station.count("rejections") == 0


@pytest.mark.parametrize("other_time", [0, 30])
def test_a_number_with_other_content_is_refused_and_kept(station: Station, other_time: float) -> None:
    truck = station.device("TRK-1")
    station.deliver(truck.says(at=0))
    station.receipts()
    reused = truck.says(at=other_time, seq=1, lon=121.0)

    station.deliver(reused)
    station.deliver(reused)

    assert station.recorded(truck) == [(1, 1)]
    assert station.rows("select reason, payload, run, seq from rejections") == [
        ("seq_reused", reused.payload, 1, 1)
    ]
    [receipt] = station.receipts()["SIP/TRK-1"]
    assert receipt["committed"] == []
    assert {refusal["reason"] for refusal in receipt["rejected"]} == {"seq_reused"}


def test_a_number_used_twice_within_a_batch_is_the_first_ones(station: Station) -> None:
    truck = station.device("TRK-1")
    first, other = truck.says(at=0), truck.says(at=0, seq=1, lon=121.0)

    station.deliver(first, other)

    assert station.rows("select body from observations") == [(first.payload,)]
    assert station.rows("select payload from rejections") == [(other.payload,)]


@pytest.mark.parametrize("together", [True, False])
def test_a_number_that_was_refused_is_not_given_to_another_event(station: Station, together: bool) -> None:
    truck = station.device("TRK-1")
    messages = [truck.says(seq=1, lat=91), truck.says(at=1, seq=1), truck.says(at=2, seq=2)]

    for batch in [messages] if together else [[message] for message in messages]:
        station.deliver(*batch)

    assert station.recorded(truck) == [(1, 2)]
    assert sorted(station.rows("select seq, reason from rejections")) == [(1, "schema"), (1, "seq_reused")]


@pytest.mark.parametrize("together", [True, False])
def test_an_event_that_was_refused_stays_so_when_its_time_has_come(station: Station, together: bool) -> None:
    truck = station.device("TRK-1")
    early = truck.says(at=600, received=0)
    messages = [early, Message(early.topic, early.payload, early.received_us + 600_000_000)]

    for batch in [messages] if together else [[message] for message in messages]:
        station.deliver(*batch)

    assert station.recorded(truck) == []
    assert station.rows("select seq, reason from rejections") == [(1, "future")]
    assert [one["reason"] for one in station.receipts()[truck.name][0]["rejected"]] == ["future", "future"]


@pytest.mark.parametrize("together", [True, False])
def test_an_event_that_was_taken_stays_so_when_its_number_comes_with_a_bad_one(
    station: Station, together: bool
) -> None:
    truck = station.device("TRK-1")
    messages = [truck.says(at=1, seq=1), truck.says(seq=1, lat=91)]

    for batch in [messages] if together else [[message] for message in messages]:
        station.deliver(*batch)

    assert station.recorded(truck) == [(1, 1)]
    assert station.rows("select seq, reason from rejections") == [(1, "schema")]


@pytest.mark.parametrize("together", [True, False])
def test_a_refused_id_may_be_used_again(station: Station, together: bool) -> None:
    gate = station.device("GATE-1")
    messages = [gate.says(id="a", lat=91), gate.says(at=1, id="a")]

    for batch in [messages] if together else [[message] for message in messages]:
        station.deliver(*batch)

    assert len(station.recorded(gate)) == 1


def test_one_bad_event_of_an_array_leaves_its_neighbours(station: Station) -> None:
    truck = station.device("TRK-1")
    good, bad, after = truck.event(at=0), truck.event(at=1, lat=91), truck.event(at=2)

    station.deliver(truck.sends(good, bad, after))

    assert station.recorded(truck) == [(1, 1), (1, 3)]
    assert station.rows("select reason, payload, run, seq, replayed_at from rejections") == [
        ("schema", json.dumps(bad).encode(), 1, 2, None)
    ]
    assert station.count("sequence_gaps") == 0  # a rejected number counts as heard
    [receipt] = station.receipts()["SIP/TRK-1"]
    assert receipt["committed"] == [[1, 1], [3, 3]]
    assert [(one["seq"], one["reason"]) for one in receipt["rejected"]] == [(2, "schema")]


def test_an_event_that_was_refused_is_refused_again_when_it_comes_again(station: Station) -> None:
    """Even if it came later, when its time would be fine: its number is heard, and its rejection stands."""
    truck = station.device("TRK-1")
    early = truck.event(at=400)
    station.deliver(truck.sends(early, received=0))
    station.receipts()

    station.deliver(truck.sends(early, received=399))

    assert station.count("observations") == 0
    assert station.rows("select reason from rejections") == [("future",)]
    [receipt] = station.receipts()["SIP/TRK-1"]
    assert [(one["seq"], one["reason"]) for one in receipt["rejected"]] == [(1, "future")]


def test_what_cannot_be_read_at_all_is_one_rejection(station: Station) -> None:
    truck = station.device("TRK-1")
    junk = Message("bw/v1/SIP/TRK-1/events", b"\xff\x00nonsense", NOON_US, {"origin": "a\0b"})

    station.deliver(junk, truck.says(at=0))
    station.deliver(junk)

    assert station.rows("select reason, payload, properties, device_id, received_at from rejections") == [
        ("unreadable", junk.payload, {"origin": "a\ufffdb"}, truck.device_id, at(0))
    ]
    assert station.recorded(truck) == [(1, 1)]


def test_strangers_and_wrong_topics_are_kept_as_rejections(station: Station) -> None:
    truck = station.device("TRK-1")
    payload = truck.says(at=0).payload
    topics = ["bw/v1/SIP/NOBODY/events", "bw/v1/SIP/TRK-1/presence", "some/where/else"]

    station.deliver(*(Message(topic, payload, NOON_US) for topic in topics))

    assert station.rows("select topic, reason from rejections order by rejection_id") == [
        (topics[0], "unknown_device"),
        (topics[1], "topic_mismatch"),
        (topics[2], "topic_mismatch"),
    ]
    assert station.rows("select kind, detail from arrival_notes") == [
        ("unknown_device", {"device": "SIP/NOBODY"})
    ]


def test_an_event_that_names_another_device_is_refused(station: Station) -> None:
    truck = station.device("TRK-1")

    station.deliver(truck.says(at=0, device="TRK-2"), truck.says(at=1, device="SIP/TRK-1"))

    assert station.rows("select reason, seq from rejections") == [("topic_mismatch", 1)]
    assert station.recorded(truck) == [(1, 2)]


def test_a_revoked_device_is_judged_by_the_brokers_time(station: Station) -> None:
    truck = station.device("TRK-1")
    with station.conn.transaction():
        registry.revoke_device(station.conn, truck.device_id, at(10))

    station.deliver(truck.says(at=9, received=9.5), truck.says(at=9.8, received=10.1))

    assert station.recorded(truck) == [(1, 1)]
    assert station.rows("select reason, seq from rejections") == [("revoked_device", 2)]


def test_times_far_ahead_or_long_past(station: Station) -> None:
    truck = station.device("TRK-1")
    ahead = {"skew": 61, "future": 301}
    past = {"late": -1000, "very late": -31 * DAY, "too old": -401 * DAY}

    station.deliver(*(truck.says(at=seconds, received=0) for seconds in (ahead | past).values()))

    assert station.rows("select reason, seq from rejections order by seq") == [("future", 2), ("too_old", 5)]
    assert sorted(seq for _, seq in station.recorded(truck)) == [1, 3, 4]
    assert station.rows(
        "select kind, count, (detail->>'most_s')::float from arrival_notes order by kind"
    ) == [
        ("clock_skew", 1, 61.0),
        ("late_batch", 2, 31.0 * DAY),
    ]


def test_gaps_open_shrink_split_and_fill(station: Station) -> None:
    truck = station.device("TRK-1")
    gaps = "select first_seq, last_seq, seen_at, filled_at from sequence_gaps order by first_seq"

    station.deliver(truck.says(at=1, seq=1), truck.says(at=10, seq=10))
    assert station.rows(gaps) == [(2, 9, at(60), None)]

    station.clock_us += 10 * SECOND_US
    station.deliver(truck.says(at=9, seq=9))
    assert station.rows(gaps) == [(2, 8, at(60), None)]

    station.deliver(truck.says(at=5, seq=5))
    assert station.rows(gaps) == [(2, 4, at(60), None), (6, 8, at(70), None)]

    station.deliver(*(truck.says(at=seq, seq=seq) for seq in (2, 3, 4, 7)))
    assert station.rows(gaps) == [
        (2, 4, at(60), at(70)),
        (6, 6, at(70), None),
        (8, 8, at(70), None),
    ]


def test_runs_are_counted_apart(station: Station) -> None:
    truck = station.device("TRK-1")
    station.deliver(truck.says(at=0), truck.says(at=1))
    truck.run, truck.seq = 2, 0

    station.deliver(truck.says(at=2), truck.says(at=3))

    assert station.recorded(truck) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert station.receipts()["SIP/TRK-1"] == [
        {"run": 1, "committed": [[1, 2]], "rejected": []},
        {"run": 2, "committed": [[1, 2]], "rejected": []},
    ]


def test_events_named_by_an_id(station: Station) -> None:
    scanner = station.device("SCN-1", kind="scanner")
    scan = {"type": "scan", "code": "BNDU1000010", "action": "receiving"}
    first, again = scanner.says(at=0, id="a", **scan), scanner.says(at=1, id="b", **scan)
    reused = scanner.says(at=2, id="a", **scan)

    station.deliver(first, first, again)
    station.deliver(first, reused)

    assert station.count("observations") == 2
    assert sorted(station.rows("select id from event_ids")) == [("a",), ("b",)]
    assert station.rows("select reason, payload from rejections") == [("seq_reused", reused.payload)]
    [receipt] = station.receipts()["SIP/SCN-1"]
    assert receipt["run"] == -1
    assert receipt["ids"].count("b") == 1
    assert [(one["id"], one["reason"]) for one in receipt["rejected"]] == [("a", "seq_reused")]
    assert DeviceState.decode(station.rows("select state from device_tracks")[0][0]).ranges == {}


def test_sensor_values_become_readings(station: Station) -> None:
    probe = station.device("TMP-1", kind="sensor")

    station.deliver(probe.says(at=0, type="reading", values={"temperature_c": -18.5, "door_open": True}))

    assert station.rows("select quantity, value from readings order by quantity") == [
        ("door_open", 1.0),
        ("temperature_c", -18.5),
    ]


def test_things_are_kept_by_one_name(station: Station) -> None:
    scanner = station.device("SCN-1", kind="scanner")

    station.deliver(
        scanner.says(at=0, type="scan", code="bndu 100001-0", action="receiving"),
        scanner.says(at=1, type="scan", code="BNDU1000010", action="storing"),
        scanner.says(at=2),
    )

    things = [thing for (thing,) in station.rows("select thing from observations order by event_time")]
    assert things[0] == things[1]
    assert things[0] is not None
    assert things[2] is None


def test_a_first_event_arms_the_moment_of_silence_once(station: Station) -> None:
    truck = station.device("TRK-1", expected_every_s=60)

    station.deliver(truck.says(at=0))
    station.deliver(truck.says(at=30))

    assert station.rows("select kind, key, due_at from work") == [
        ("device_due", truck.device_id, at(0 + 5 * 60 + 10))
    ]


def test_a_change_of_place_is_a_milestone_and_work(station: Station) -> None:
    station.zone("WH-1", 120.70, 31.30)
    truck = station.device("TRK-1")

    station.deliver(*(truck.says(at=60 * minute, lon=120.70, lat=31.30) for minute in range(3)))

    assert station.rows("select device_id, kind, area, time, at_seq from milestones") == [
        (truck.device_id, "entered", "WH-1", at(0), 2)
    ]
    assert station.rows("select key, changed_from, urgent from work where kind = 'device'") == [
        (truck.device_id, at(0), False)
    ]


def test_a_truck_at_a_gate_is_urgent(station: Station) -> None:
    gate = station.device("GATE-1", kind="gate")

    station.deliver(
        gate.says(at=0, type="gate", gate="G-1", lane="1", direction="in", plate="苏E1289K"),
    )

    assert station.rows("select kind, urgent from work where kind = 'device'") == [("device", True)]


def test_a_late_event_is_recorded_and_leaves_a_refold(station: Station) -> None:
    truck = station.device("TRK-1")
    station.deliver(truck.says(at=100, seq=2), truck.says(at=200, seq=3))
    head = station.rows("select head_time from device_tracks")

    load = station.deliver(truck.says(at=50, seq=1, received=210), truck.says(at=300, seq=4))

    assert station.recorded(truck) == [(1, 1), (1, 2), (1, 3), (1, 4)]
    assert station.rows("select key, changed_from from work where kind = 'refold'") == [
        (truck.device_id, at(50))
    ]
    assert head == [(at(200),)]
    assert station.rows("select head_time from device_tracks") == [(at(300),)]
    assert load.late_events == 1


def test_a_track_is_kept_every_so_often(station: Station) -> None:
    truck = station.device("TRK-1")
    events = [truck.event(at=second) for second in range(2100)]
    for begin in range(0, 2100, 700):
        station.deliver(truck.sends(*events[begin : begin + 700], received=begin + 700))

    snapshots = station.rows("select time, run, seq from track_snapshots order by time")
    assert snapshots == [(at(1399), 1, 1400)]


def test_a_backlog_in_one_batch_is_kept_as_often(station: Station) -> None:
    truck, van = station.device("TRK-1"), station.device("VAN-1")
    backlog = [truck.event(at=second) for second in range(2100)]

    parts = [truck.sends(*backlog[begin : begin + 700], received=2100) for begin in range(0, 2100, 700)]
    station.deliver(*parts, van.says(at=2000))

    snapshots = station.rows("select device_id, time, seq from track_snapshots order by time")
    assert snapshots == [(truck.device_id, at(999), 1000), (truck.device_id, at(1999), 2000)]
    assert station.rows("select head_time from device_tracks order by device_id") == [
        (at(2099),),
        (at(2000),),
    ]


def test_the_live_map_hears_of_what_is_new_and_not_of_what_came_late(station: Station) -> None:
    truck, van = station.device("TRK-1"), station.device("VAN-1")
    station.deliver(van.says(at=100, seq=9))
    station.conn.execute("listen bw_positions")

    station.deliver(truck.says(at=5, lon=120.71, speed_mps=12.5), van.says(at=3, seq=2))

    [notice] = station.conn.notifies(timeout=5, stop_after=1)
    assert json.loads(notice.payload) == {
        "positions": [["SIP/TRK-1", NOON_US // 1000 + 5000, 120.71, 31.3, 12.5, None]]
    }


def test_a_device_registered_meanwhile_is_heard_without_a_restart(station: Station) -> None:
    truck = station.device("TRK-1")  # the road has read its reference before

    station.deliver(truck.says(at=0))

    assert station.recorded(truck) == [(1, 1)]


def test_a_batch_of_nothing_but_strangers_moves_on(station: Station) -> None:
    load = station.deliver(Message("bw/v1/SIP/NOBODY/events", b"{}", NOON_US))

    assert load.batch.acknowledged == 1
    assert station.count("batches") == 0
