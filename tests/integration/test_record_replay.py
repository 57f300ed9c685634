"""Rejections that are tried again: recorded once at most, at the time at which they arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from msgspec import structs

from gateway.pipeline.batch import Message
from gateway.pipeline.replay import Replayed, replay
from tests.support.recording import Station, at
from tests.support.rows import NOON_US, SECOND_US
from tracking.store import rejections


@pytest.fixture
def station(database: str) -> Iterator[Station]:
    station = Station(database)
    yield station
    station.close()


def try_again(station: Station, *, trust_time: bool = False) -> Replayed:
    """Replay the only rejection there is."""
    [rejection_id] = [one.rejection_id for one in rejections.listed(station.conn)]
    rejection = rejections.whole(station.conn, rejection_id)
    assert rejection is not None
    return asyncio.run(replay(station.road, rejection, trust_time=trust_time))


def replayed_at(station: Station) -> object:
    [(moment,)] = station.rows("select replayed_at from rejections")
    return moment


def test_a_device_that_is_registered_later_gets_its_events(station: Station) -> None:
    early = Message(
        "bw/v1/SIP/TRK-1/events",
        b'{"seq":1,"time":%d,"type":"position","lon":120.7,"lat":31.3}' % (NOON_US // 1000),
        NOON_US + SECOND_US,
    )
    station.deliver(early)
    truck = station.device("TRK-1")

    assert try_again(station) == Replayed(recorded=1, known=0, reasons=[])
    assert station.rows("select received_at, body from observations") == [(at(1), early.payload)]
    assert station.rows("select source, events from batches") == [("replay", 1)]
    assert replayed_at(station) == at(60)
    assert truck.device_id == station.rows("select device_id from observations")[0][0]


def test_a_second_replay_finds_it_recorded(station: Station) -> None:
    truck = station.device("TRK-1")
    station.deliver(truck.says(at=400, received=0))
    assert try_again(station, trust_time=True) == Replayed(recorded=1, known=0, reasons=[])

    assert try_again(station, trust_time=True) == Replayed(recorded=0, known=1, reasons=[])
    assert station.recorded(truck) == [(1, 1)]


def test_what_is_wrong_still_is_refused_again_and_stays_as_it_was(station: Station) -> None:
    truck = station.device("TRK-1")
    station.deliver(truck.says(at=400, received=0))

    assert try_again(station) == Replayed(recorded=0, known=0, reasons=["future"])
    assert station.count("observations") == 0
    assert station.count("rejections") == 1
    assert replayed_at(station) is None


def test_what_another_parks_leaf_node_said_is_not_believed_later(station: Station) -> None:
    """Nor is it taken for a repeat of what the device itself says in the same bytes, refused for its time."""
    truck = station.device("TRK-1")
    early = truck.says(at=400, received=0)
    station.deliver(structs.replace(early, leaf="TAC"))

    assert try_again(station, trust_time=True) == Replayed(recorded=0, known=0, reasons=["topic_mismatch"])
    assert station.count("observations") == 0
    assert station.count("rejections") == 1
    assert replayed_at(station) is None

    station.deliver(early)
    assert [one.reason for one in rejections.listed(station.conn)] == ["future", "topic_mismatch"]


def test_a_refused_number_that_is_heard_becomes_recorded(station: Station) -> None:
    truck = station.device("TRK-1")
    station.deliver(truck.says(at=0), truck.says(at=400, received=0), truck.says(at=2))
    station.receipts()

    assert try_again(station, trust_time=True) == Replayed(recorded=1, known=0, reasons=[])
    assert station.recorded(truck) == [(1, 1), (1, 3), (1, 2)]
    assert station.count("sequence_gaps") == 0
    assert station.receipts()["SIP/TRK-1"][0]["committed"] == [[2, 2]]


def test_a_device_that_sends_it_again_after_the_replay_is_told_that_it_is_recorded(station: Station) -> None:
    truck = station.device("TRK-1")
    early = truck.says(at=400, received=0)
    station.deliver(early)
    try_again(station, trust_time=True)
    station.receipts()

    station.deliver(early)

    assert station.count("observations") == 1


def test_a_number_that_another_event_has_is_not_given_away(station: Station) -> None:
    truck = station.device("TRK-1")
    station.deliver(truck.says(at=0))
    station.deliver(truck.says(at=30, seq=1, lon=121.0))

    assert try_again(station) == Replayed(recorded=0, known=0, reasons=["seq_reused"])
    assert station.recorded(truck) == [(1, 1)]
    assert replayed_at(station) is None


def test_two_refused_events_of_one_number_let_only_one_in(station: Station) -> None:
    truck = station.device("TRK-1")
    station.deliver(truck.says(at=400, seq=1, received=0), truck.says(at=500, seq=1, received=0))
    outcomes = []
    for rejection_id in rejections.waiting(station.conn):
        rejection = rejections.whole(station.conn, rejection_id)
        assert rejection is not None
        outcomes.append(asyncio.run(replay(station.road, rejection, trust_time=True)))

    assert [outcome.recorded for outcome in outcomes] == [1, 0]
    assert outcomes[1].reasons == ["seq_reused"]
    assert station.recorded(truck) == [(1, 1)]


def test_an_event_named_by_an_id_is_replayed_like_any_other(station: Station) -> None:
    scanner = station.device("SCN-1", kind="scanner")
    scan = {"type": "scan", "code": "BNDU1000010", "action": "receiving"}
    station.deliver(scanner.says(at=400, received=0, id="a", **scan))

    assert try_again(station, trust_time=True) == Replayed(recorded=1, known=0, reasons=[])
    assert station.rows("select id from event_ids") == [("a",)]


def test_no_arrival_notes_come_from_a_replay(station: Station) -> None:
    truck = station.device("TRK-1")
    station.deliver(truck.says(at=-500 * 86_400, received=0))
    before = station.count("arrival_notes")

    assert try_again(station, trust_time=True).recorded == 1
    assert station.count("arrival_notes") == before


def test_the_list_shows_one_device_one_reason_and_what_waits(station: Station) -> None:
    truck, van = station.device("TRK-1"), station.device("VAN-1")
    station.deliver(truck.says(at=400, received=0), van.says(at=0, lat=91), van.says(at=401, received=0))
    everything = rejections.listed(station.conn)

    assert sorted(one.reason for one in everything) == ["future", "future", "schema"]
    assert len(rejections.listed(station.conn, reason="future")) == 2
    [of_truck] = rejections.listed(station.conn, topic="bw/v1/SIP/TRK-1/events")
    assert of_truck.reason == "future"
    [newest] = rejections.listed(station.conn, limit=1)
    assert len(rejections.listed(station.conn, before=newest.rejection_id)) == 2

    rejection = rejections.whole(station.conn, of_truck.rejection_id)
    assert rejection is not None
    asyncio.run(replay(station.road, rejection, trust_time=True))
    assert len(rejections.listed(station.conn, waiting=True)) == 2
    assert len(rejections.waiting(station.conn, reason="future")) == 1
