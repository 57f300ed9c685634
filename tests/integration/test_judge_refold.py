"""Late uploads: the same milestones and findings as if everything had come in order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.court import MOVE, Court, square_around
from tests.support.postgres import Server
from tests.support.recording import at
from tests.support.traces import moved
from tracking.domain.tracks import DeviceState
from tracking.judge import refold_progress, refolding, replan_after_place_change
from tracking.store import registry
from tracking.store.database import connect


@pytest.fixture
def courts(postgres: Server) -> Iterator[Any]:
    """As many parks as a test likes, each with a database of its own."""
    opened: list[Court] = []

    def open_court() -> Court:
        opened.append(Court(postgres.create()))
        return opened[-1]

    yield open_court
    for court in opened:
        court.close()
        postgres.drop(court.dsn)


def journey(court: Court) -> Any:
    truck = court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900).drives(9000, 9900)
    return truck.stands(10_000, 400).drives(10_000, 20_300).stands(20_300, 300)


def outcome(court: Court) -> tuple[Any, ...]:
    ((state,),) = court.rows("select state from device_tracks")
    custody = court.rows("select custody_states.state from custody_states")
    return court.milestones(), court.findings(), custody, DeviceState.decode(bytes(state)).track


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_arrival_ends_the_same(courts: Any, seed: int) -> None:
    in_order = courts()
    truck = journey(in_order)
    events = list(truck.events)
    in_order.deliver(truck)
    in_order.judge()

    court = courts()
    truck = journey(court)
    dice = random.Random(seed)
    mixed = dice.sample(events, len(events))
    while mixed:
        size = dice.randint(1, 40)
        part, mixed = mixed[:size], mixed[size:]
        court.deliver(truck, part, size=dice.randint(1, 10))
        if dice.random() < 0.7:
            court.judge()
    court.judge()
    assert outcome(court) == outcome(in_order)
    assert {row[0] for row in court.findings()} == {"route_deviation", "forbidden_zone_entry"}


def test_a_late_upload_touches_only_what_it_changes(courts: Any) -> None:
    court = courts()
    truck = journey(court)
    late, rest = truck.events[-30:-28], truck.events[:-30] + truck.events[-28:]
    court.deliver(truck, rest)
    court.judge()
    before = court.rows("select milestone_id from milestones where superseded_at is null order by 1")
    court.deliver(truck, late)
    court.judge()
    after = court.rows("select milestone_id from milestones where superseded_at is null order by 1")
    assert after == before
    assert court.rows("select distinct rule from findings where superseded_at is not null") == [
        ("sequence_gap",)
    ]


def test_what_was_known_before_stays_on_record(courts: Any) -> None:
    court = courts()
    truck = court.truck().stands(0, 300).drives(0, 4000)
    events = truck.drives(4000, 9000, 1900).drives(9000, 9900).events
    early = [event for event in events if event["lat"] < 31.31]
    court.deliver(truck, early)
    court.judge()
    court.expect_findings()
    court.deliver(truck, [event for event in events if event["lat"] >= 31.31])
    court.judge()
    court.expect_findings(route_deviation=("major", "closed"))
    ((recorded_at, superseded_at),) = court.rows(
        "select recorded_at, superseded_at from findings where rule = 'route_deviation'"
    )
    assert superseded_at is None
    assert recorded_at >= at(0)


def test_a_new_zone_is_seen_in_the_past(courts: Any) -> None:
    court = courts()
    truck = journey(court)
    court.deliver(truck)
    court.judge()
    waiting: list[int] = []

    def plan(conn: Any) -> None:
        waiting.append(replan_after_place_change(conn, at(0)))

    place = square_around(*moved(120.70, 31.30, 15_000, 0), 500)
    court.area("SECRET", "restricted", place, since=at(0), then=plan)
    assert waiting == [1]
    assert refold_progress(court.conn).waiting == 1
    court.station.restart()
    court.judge()
    assert refold_progress(court.conn).waiting == 0
    assert [row[1] for row in court.findings()] == ["WAY", "LAYBY", "SECRET"]


def test_what_an_area_means_may_change_without_its_border(courts: Any) -> None:
    court = courts()
    truck = journey(court)
    court.deliver(truck)
    place = square_around(*moved(120.70, 31.30, 15_000, 0), 500)
    court.area(
        "PARK", "cbz", place, since=at(-7200), then=lambda conn: replan_after_place_change(conn, at(-7200))
    )
    court.judge()
    assert ("forbidden_zone_entry", "PARK") not in [row[:2] for row in court.findings()]
    court.area(
        "PARK", "cbz", place, since=at(-7000), bonded=True,
        then=lambda conn: replan_after_place_change(conn, at(-7000)),
    )  # fmt: skip
    court.judge()
    assert ("forbidden_zone_entry", "PARK") in [row[:2] for row in court.findings()]


def test_a_device_known_from_before_its_carriage_stands_where_it_stood(courts: Any) -> None:
    """The milestones before a carriage say how things stood when it began."""
    court = courts()
    truck = court.truck()
    truck.stands(0, 300).drives(0, 9900).stands(10_000, 200)
    court.deliver(truck.drives(10_000, 0).stands(0, 300))
    other = court.truck("TRK-2", shipment="S-2")
    court.attach(truck.device.device_id, "box-TRK-2", since=at(truck.time - 100))
    court.deliver(truck.drives(0, 4000))
    court.judge()
    assert other.events == []
    ((state,),) = court.rows(
        "select c.state from custody_states c join shipments using (shipment_id) where number = 'S-2'"
    )
    assert state["state"] == "running"
    assert MOVE["corridor"] in state["areas"]


def test_an_editor_of_places_does_not_wait_for_a_re_fold(
    courts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for the reference lock keeps every batch waiting behind it."""
    court = courts()
    truck = court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900)
    court.deliver(truck, truck.events[::2])
    court.deliver(truck, truck.events[1::2])
    folded = refolding.refold

    def edited_meanwhile(*args: object, **more: object) -> object:
        with connect(court.dsn) as editor, editor.transaction():
            editor.execute("set local lock_timeout = '2s'")
            registry.lock_reference(editor)
            replan_after_place_change(editor, at(0))
        monkeypatch.undo()
        return folded(*args, **more)

    monkeypatch.setattr(refolding, "refold", edited_meanwhile)
    court.judge()
    assert court.rows("select from work where kind = 'refold'") == []
    court.expect_findings(route_deviation=("major", "open"))
