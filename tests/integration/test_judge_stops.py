"""Stops, jumps and datums on the whole road: recorded, folded, gathered, judged."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from devices.coordinates import wgs84_to_gcj02
from tests.support.court import WEST, Court, Truck
from tests.support.traces import moved


def found(court: Court, rule: str) -> list[tuple[Any, ...]]:
    """(cause, state, severity, opened at, closed at)"""
    return [(row[1], *row[3:]) for row in court.findings() if row[0] == rule]


def is_shifted(court: Court, truck: Truck, east_m: float, fixes: int = 1) -> None:
    """Fixes from one spot in the datum of Chinese maps."""
    for _ in range(fixes):
        lon, lat = wgs84_to_gcj02(*moved(*WEST, east_m, 0))
        truck.events.append(truck.device.event(truck.time, lon=lon, lat=lat))
        truck.time += truck.every_s


def test_a_stop_opens_at_its_exact_moment_and_closes(court: Court) -> None:
    truck = court.truck().stands(0, 300).drives(0, 5000).stands(5000, 880)
    court.deliver(truck)
    court.judge()
    assert found(court, "unauthorised_stop") == []
    court.deliver(truck.stands(5000, 400))
    court.judge()
    ((cause, state, severity, opened_at, closed_at),) = found(court, "unauthorised_stop")
    assert (cause, state, severity, closed_at) == ("SIP/TRK-1", "open", "minor", None)
    *_, (begins,) = court.rows("select time from milestones where kind = 'stopped' order by time")
    assert opened_at == begins + timedelta(minutes=15)
    court.deliver(truck.drives(5000, 8000))
    court.judge()
    (closed,) = found(court, "unauthorised_stop")
    assert closed[1:4] == ("closed", "minor", opened_at)


def test_single_fixes_in_another_datum_are_one_piece_of_information(court: Court) -> None:
    truck = court.truck().stands(0, 300)
    for _ in range(5):
        is_shifted(court, truck, 0)
        truck.stands(0, 120)
    court.deliver(truck)
    court.judge()
    assert {row[0] for row in court.findings()} == {"datum_suspect"}
    assert len(found(court, "datum_suspect")) == 1
    assert court.rows("select count(*) from milestones where kind in ('left', 'moved')") == [(0,)]


def test_an_impossible_jump_is_told_and_settled(court: Court) -> None:
    truck = court.truck().stands(0, 300).drives(0, 3000).stands(15_000, 20).drives(3000, 6000)
    court.deliver(truck)
    court.judge()
    ((cause, state, severity, opened_at, closed_at),) = found(court, "impossible_movement")
    assert (cause, state, severity) == ("SIP/TRK-1", "closed", "info")
    assert (closed_at - opened_at).total_seconds() == 20
