"""Time passes for a rule only as far as the record reaches; silence, and a stay that is too long, open at
their exact moment, whenever noticed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.support.court import Court, Truck
from tests.support.recording import at
from tests.support.rows import NOON_US, SECOND_US
from tracking.store import terms


def silence(court: Court, shipment: str = "S-1") -> list[tuple[object, ...]]:
    return [(row[3], row[4], row[5], row[6]) for row in court.findings(shipment) if row[0] == "device_silent"]


def notes(court: Court) -> list[tuple[object, ...]]:
    return court.rows("select kind, first_at, last_at, detail ? 'ended' from arrival_notes order by first_at")


def dues(court: Court) -> list[tuple[object, ...]]:
    return court.rows(
        "select kind, due_at from work where kind in ('device_due', 'shipment_due') order by kind"
    )


def test_silence_is_told_at_its_moment_though_nothing_arrives(court: Court) -> None:
    truck = court.truck().stands(0, 200)  # last word at 180, expected every 60 s: silent at 480
    court.deliver(truck, truck.events[:1])
    court.deliver(truck, truck.events[1:])
    court.judge()
    assert dues(court) == [("device_due", at(0 + 300 + 10))]
    court.reached(320)
    court.judge()
    assert dues(court) == [("device_due", at(180 + 300 + 10))]
    court.reached(489)
    court.judge()
    assert silence(court) == []
    court.reached(490)
    court.judge()
    assert silence(court) == [("open", "info", at(480), None)]
    assert dues(court) == []
    assert court.alerts() == []


def test_who_is_silent_is_noted_as_unreachable_until_anything_comes_and_late_data_leave_the_note(
    court: Court,
) -> None:
    truck = court.truck()
    court.deliver(truck.stands(0, 200))  # silent at 480
    stored = truck.stands(0, 600).events[:]
    court.reached(700)
    court.judge()
    assert notes(court) == [("unreachable", at(480), at(480), False)]
    court.deliver(truck, stored)
    court.judge()
    (note,) = [row for row in notes(court) if row[0] == "unreachable"]
    assert note == ("unreachable", at(480), at(truck.told), True)
    assert silence(court) == []


def comes(court: Court, truck: Truck, seconds: float, *events: dict[str, object]) -> None:
    """Events of the past reach the broker at that moment."""
    court.station.clock_us = NOON_US + round(seconds * SECOND_US)
    court.station.deliver(truck.device.sends(*events, received=seconds))
    court.reached(seconds)
    court.judge()


def passes(court: Court, seconds: float) -> None:
    court.reached(seconds)
    court.judge()


@pytest.mark.parametrize("held_back", [slice(1, 2), slice(14, 16)], ids=["before the silence", "into it"])
def test_who_is_away_again_after_telling_of_the_past_is_noted_again(court: Court, held_back: slice) -> None:
    """Silent at 480, or at 600 by what came at 2000; either way nothing comes from 2000 on."""
    truck = court.truck().stands(0, 350)
    late, told = truck.events[held_back], truck.events[:10]
    court.deliver(truck, [event for event in told if event not in late])
    passes(court, 700)
    first = ("unreachable", at(480), at(480), False)
    assert notes(court) == [first]
    comes(court, truck, 2000, *late)
    ended = ("unreachable", at(480), at(2000), True)
    assert [row for row in notes(court) if row[0] == "unreachable"] == [ended]
    passes(court, 2309)
    assert [row for row in notes(court) if row[0] == "unreachable"] == [ended]
    passes(court, 2310)
    again = ("unreachable", at(2300), at(2300), False)
    assert [row for row in notes(court) if row[0] == "unreachable"] == [ended, again]
    assert dues(court) == []
    passes(court, 9000)
    assert [row for row in notes(court) if row[0] == "unreachable"] == [ended, again]


def test_away_is_counted_from_the_last_contact(court: Court) -> None:
    truck = court.truck().stands(0, 200)
    court.deliver(truck, [truck.events[0], truck.events[9]])
    passes(court, 700)
    comes(court, truck, 2000, truck.events[1])
    comes(court, truck, 2200, truck.events[2])
    passes(court, 2450)
    assert [row[1] for row in notes(court) if row[0] == "unreachable"] == [at(480)]
    passes(court, 2510)
    assert [row[1] for row in notes(court) if row[0] == "unreachable"] == [at(480), at(2500)]
    court.deliver(truck, [truck.device.event(2600)])
    assert [row[3] for row in notes(court) if row[0] == "unreachable"] == [True, True]
    passes(court, 2950)
    assert [row[1] for row in notes(court) if row[0] == "unreachable"] == [at(480), at(2500), at(2901)]


def test_who_told_of_the_past_and_is_heard_is_found_silent_as_soon_as_that_is_past(
    court: Court,
) -> None:
    """Not only when it would have been away again, counted from the contact before."""
    truck = court.truck().stands(0, 200)
    late = truck.events[5]
    court.deliver(truck, [event for event in truck.events if event is not late])
    passes(court, 700)
    comes(court, truck, 2000, late)
    assert dues(court) == [("device_due", at(2310))]
    comes(court, truck, 2005, truck.device.event(1650))
    told = court.rows("select kind, time from milestones where kind in ('silent', 'heard') order by time")
    assert told == [("silent", at(480)), ("heard", at(1650)), ("silent", at(1950))]
    assert dues(court) == [("device_due", at(2315))]


def test_noticed_a_day_later_it_opened_at_the_same_moment(court: Court) -> None:
    court.deliver(court.truck().stands(0, 200))
    court.reached(86_400)
    court.judge()
    assert silence(court) == [("open", "info", at(480), None)]


def test_it_closes_when_the_device_is_heard_again_and_the_watch_begins_anew(court: Court) -> None:
    truck = court.truck()
    court.deliver(truck.stands(0, 300).drives(0, 4000))
    court.reached(2000)
    court.judge()
    ((_, _, opened_at, _),) = silence(court)
    court.deliver(truck.is_quiet(1600).drives(4000, 5000))
    court.judge()
    assert silence(court) == [("closed", "major", opened_at, at(2100))]
    assert court.alerts() == [("S-1", "device_silent", "SIP/TRK-1", "major", "open", 1)]
    assert len(dues(court)) == 1


def test_a_backlog_after_downtime_raises_no_false_silence(court: Court) -> None:
    """The judge was up while the gateway was down; the devices' messages waited in the broker."""
    truck = court.truck().stands(0, 300).drives(0, 4000)
    backlog = truck.drives(4000, 9000).drives(9000, 9000).stands(9000, 4000).events
    court.deliver(truck, backlog[:25])  # the watermark stands where the record ends
    court.judge()
    assert silence(court) == []
    for begin in range(25, len(backlog), 40):
        court.deliver(truck, backlog[begin : begin + 40])
        court.judge()
        assert silence(court) == []
    assert court.rows("select count(*) from milestones where kind = 'silent'") == [(0,)]
    assert court.rows("select count(*) from findings where rule = 'device_silent'") == [(0,)]


def test_without_a_watermark_nothing_comes_due(court: Court) -> None:
    court.deliver(court.truck().stands(0, 200))
    court.conn.execute("insert into source_positions (source, partition) values ('test', 1)")
    court.reached(86_400)
    court.judge()
    assert silence(court) == []
    court.conn.execute("delete from source_positions where partition = 1")
    court.judge()
    assert len(silence(court)) == 1


def test_the_leg_s_own_limit_has_a_due_moment_of_its_own(court: Court) -> None:
    truck = court.truck(max_silence_s=900)
    court.deliver(truck.stands(0, 300).drives(0, 4000))  # last word at 480
    court.reached(500)
    court.judge()
    assert ("shipment_due", at(480 + 900)) in dues(court)
    court.reached(1379)
    court.judge()
    assert silence(court) == []
    court.reached(1380)
    court.judge()
    assert silence(court) == [("open", "major", at(1380), None)]
    assert [row for row in dues(court) if row[0] == "shipment_due"] == []


def test_a_limit_shorter_than_the_track_s_is_measured_in_the_observations(court: Court) -> None:
    truck = court.truck(max_silence_s=60)
    truck.stands(0, 300).drives(0, 4000).is_quiet(100).drives(4000, 8000)
    court.deliver(truck)
    court.judge()
    assert silence(court) == [("closed", "major", at(480 + 60), at(600))]
    assert court.rows("select count(*) from milestones where kind = 'silent'") == [(0,)]


def test_late_data_fills_the_gap_and_withdraws_the_finding(court: Court) -> None:
    truck = court.truck().stands(0, 300).drives(0, 4000)
    kept = truck.drives(4000, 9000).stands(9000, 900).events
    early, late, last = kept[:20], kept[20:-3], kept[-3:]
    court.deliver(truck, early)
    court.deliver(truck, last)
    court.judge()
    assert [row[0] for row in silence(court)] == ["closed"]
    court.deliver(truck, late)
    court.judge()
    assert silence(court) == []
    withdrawn = court.rows(
        "select state from findings where rule = 'device_silent' and superseded_at is null"
    )
    assert withdrawn == [("withdrawn",)]
    assert court.alerts() == [("S-1", "device_silent", "SIP/TRK-1", "major", "resolved", 1)]
    assert court.rows("select count(*) from milestones where kind = 'silent' and superseded_at is null") == [
        (0,)
    ]
    assert court.rows("select kind from work order by kind") == [("device_due",), ("shipment_due",)]


def lay_by(court: Court) -> list[tuple[object, ...]]:
    return [row[3:] for row in court.findings() if row[0] == "forbidden_zone_entry"]


def test_passing_through_a_lay_by_is_nothing_at_any_moment(court: Court) -> None:
    truck = court.truck(every_s=10).drives(0, 14_000)  # within LAYBY from 485 s to 515 s
    for event in truck.events:
        court.deliver(truck, [event])
        court.judge()
        assert lay_by(court) == []
    assert [row[2] for row in court.milestones() if row[3] == "LAYBY"] == ["entered", "left"]
    assert court.rows("select from findings where rule = 'forbidden_zone_entry'") == []


def test_a_stay_in_a_lay_by_is_noticed_when_its_time_has_passed(court: Court) -> None:
    # in it from 490 s on, surely so after 20 s on the move
    truck = court.truck(every_s=10, accuracy_m=5).drives(0, 10_200).stands(10_200, 300)
    court.deliver(truck, truck.events[:52])  # up to 510 s
    court.judge()
    assert lay_by(court) == []
    assert ("shipment_due", at(550)) in dues(court)
    court.deliver(truck, truck.events[52:55], reaches=False)  # up to 540 s; no milestone: no other work
    court.reached(549)
    court.judge()
    assert lay_by(court) == []
    court.deliver(truck, truck.events[55:56])  # 550 s
    court.judge()
    assert lay_by(court) == [("open", "major", at(490), None)]


def test_a_device_that_stops_reporting_in_a_lay_by_is_found_by_its_overdue_report(court: Court) -> None:
    truck = court.truck(every_s=10, accuracy_m=5).drives(0, 10_200).stands(10_200, 10)
    court.deliver(truck)
    court.judge()
    court.reached(609)
    court.judge()
    assert lay_by(court) == []
    court.reached(610)  # the stay's 60 s, and 60 s in which it should have reported
    court.judge()
    assert lay_by(court) == [("open", "major", at(490), None)]


def kept(court: Court, max_dwell_s: int) -> Truck:
    """A truck under terms by which it may be kept at its origin for so long."""
    truck = court.truck()
    terms.revise(
        court.conn,
        "S-1",
        expected=None,
        body={"legs": [{"type": "stay", "zones": ["ORIGIN"], "max_dwell_s": max_dwell_s}]},
        valid_from=at(-3600),
        recorded_at=at(0),
        recorded_by="test",
    )
    return truck


def dwell(court: Court) -> list[tuple[object, ...]]:
    return [row[1:] for row in court.findings() if row[0] == "dwell_exceeded"]


def entered(court: Court) -> datetime:
    ((time,),) = court.rows("select time from milestones where kind = 'entered' and area = 'ORIGIN'")
    assert isinstance(time, datetime)
    return time


def test_goods_that_are_kept_too_long_are_found_at_the_moment_and_graver_later(court: Court) -> None:
    truck = kept(court, 1200)
    court.deliver(truck.drives(-2000, 0).stands(0, 400))
    court.judge()
    began = entered(court)
    over = (began - at(0)).total_seconds() + 1200
    assert began > at(0)
    assert dwell(court) == []
    court.reached(over - 1)
    court.judge()
    assert dwell(court) == []
    assert ("shipment_due", at(over)) in dues(court)
    court.reached(over)
    court.judge()
    opened = began + timedelta(seconds=1200)
    assert dwell(court) == [("leg 0", "finding", "open", "minor", opened, None)]
    assert ("shipment_due", at(over + 600)) in dues(court)
    court.reached(over + 600)
    court.judge()
    assert dwell(court) == [("leg 0", "finding", "open", "major", opened, None)]
    assert ("S-1", "dwell_exceeded", "leg 0", "major", "open", 1) in court.alerts()


def test_goods_that_were_kept_too_long_a_day_ago_were_so_from_the_same_moment_on(court: Court) -> None:
    truck = kept(court, 1200)
    court.deliver(truck.drives(-2000, 0).stands(0, 400))
    court.reached(86_400)
    court.judge()
    opened = entered(court) + timedelta(seconds=1200)
    assert dwell(court) == [("leg 0", "finding", "open", "major", opened, None)]
    backlog = truck.stands(0, 1000).drives(0, 4000)
    court.deliver(backlog)  # it had left after 1,500 s, before it would have been grave
    court.judge()
    ((left,),) = court.rows("select time from milestones where kind = 'left' and area = 'ORIGIN'")
    assert dwell(court) == [("leg 0", "finding", "closed", "minor", opened, left)]
