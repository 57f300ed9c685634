"""Goods in a box on a truck: the truck's tracker speaks for them while they are aboard."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from threading import Thread
from typing import Any

import pytest

from tests.support.court import WEST, Court
from tests.support.recording import PARK, TestDevice, at
from tests.support.traces import moved
from tracking.store import shipments, work
from tracking.store.database import connect

BOX = "BNDU1000010"
TRUCK = "苏E1289K"
LEG = {"type": "move", "from_zones": ["ORIGIN"], "corridor": "WAY", "to_zones": ["DESTINATION"]}


class Yard(Court):
    """The court, with a truck of whom only the plate is known, a box, parcels, and a scanner."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.scanner: TestDevice = self.station.device("SC-1", kind="scanner")
        self.tracker = self.station.device("TRK-1")
        self.attach(self.tracker.device_id, TRUCK)

    def shipment(self, number: str, *things: str) -> None:
        with self.conn.transaction():
            shipments.create(
                self.conn,
                number=number,
                park=PARK,
                reference="",
                things=things,
                terms={"legs": [LEG]},
                valid_from=at(-3600),
                recorded_at=at(0),
                recorded_by="test",
            )

    def scan(
        self, seconds: float, action: str, code: str, parent: str | None = None, **more: Any
    ) -> dict[str, Any]:
        named = {} if parent is None else {"parent": parent}
        return self.scanner.event(seconds, type="scan", code=code, action=action, **named, **more)

    def hears(self, device: TestDevice, *events: dict[str, Any], at_s: float = 3600) -> None:
        self.station.clock_us = max(self.station.clock_us, round(at(at_s).timestamp() * 1_000_000))
        self.station.deliver(device.sends(*events, received=at_s))
        self.reached(at_s)

    def strays(self, since: float = 600, until: float = 1200) -> list[dict[str, Any]]:
        """The truck leaves the origin and the corridor at ``since``, and returns at ``until``."""
        return [
            self.tracker.event(t, lon=lon, lat=lat)
            for t in range(0, 2400, 20)
            for lon, lat in [self._place(t, since, until)]
        ]

    def _place(self, t: float, since: float, until: float) -> tuple[float, float]:
        return moved(*WEST, t * 8, 3000 if since <= t < until else 0)

    def judged(self, number: str = "S-1") -> list[tuple[Any, ...]]:
        self.judge()
        return [
            (rule, verdict, opened, closed)
            for rule, _, verdict, _, _, opened, closed in self.findings(number)
        ]

    def stays(self) -> list[tuple[Any, ...]]:
        return self.rows(
            "select c.label, p.label, valid_from, valid_to from containments s"
            " join things c on c.thing_id = child_id join things p on p.thing_id = parent_id"
            " where superseded_at is null order by 1, 3"
        )


STRAYED = [("route_deviation", "finding", at(640), at(1240))]
"""What is found of a parcel on the truck of ``Yard.strays``, whoever came first."""


@pytest.fixture
def yard(database: str) -> Iterator[Yard]:
    made = Yard(database)
    yield made
    made.close()


def test_a_parcel_in_a_box_on_a_truck_strays_with_the_truck(yard: Yard) -> None:
    yard.shipment("S-1", "P-1")
    yard.shipment("S-2", "P-2")
    yard.hears(
        yard.scanner,
        yard.scan(-600, "packing", "P-1", BOX),
        yard.scan(-300, "loading", BOX, TRUCK),
        yard.scan(-300, "storing", "P-2"),
    )
    yard.hears(yard.tracker, *yard.strays())
    strayed = [row for row in yard.judged() if row[0] == "route_deviation"]
    assert len(strayed) == 1
    assert yard.judged("S-2") == []


def test_what_was_unloaded_before_is_not_concerned(yard: Yard) -> None:
    yard.shipment("S-1", "P-1")
    yard.hears(
        yard.scanner,
        yard.scan(-600, "packing", "P-1", BOX),
        yard.scan(-300, "loading", BOX, TRUCK),
        yard.scan(100, "unloading", BOX, TRUCK),
    )
    yard.hears(yard.tracker, *yard.strays())
    assert [row for row in yard.judged() if row[0] == "route_deviation"] == []


def test_whatever_comes_last_custody_is_the_same(yard: Yard, database: str) -> None:
    """Scans and positions in every order of arrival, judged after each: one end."""
    yard.shipment("S-1", "P-1")
    parts = [
        (yard.scanner, yard.scan(-600, "packing", "P-1", BOX)),
        (yard.scanner, yard.scan(-300, "loading", BOX, TRUCK)),
        (yard.scanner, yard.scan(1000, "unloading", BOX, TRUCK)),
        (yard.tracker, *yard.strays()),
    ]
    for part in parts:
        yard.hears(*part)
    once = yard.judged(), yard.stays()
    assert once[0]
    for order in list(permutations(parts))[1::5]:
        yard.conn.execute(
            "truncate containment_events, containments, containment_conflicts, mentions, observations"
        )
        yard.conn.execute(
            "truncate milestones, findings, ledger, device_tracks, track_snapshots, work, sequence_gaps"
        )
        for part in order:
            yard.hears(*part)
            yard.judge()
        assert (yard.judged(), yard.stays()) == once


@pytest.mark.parametrize("first", ["loaded", "left"])
def test_two_commits_at_the_same_moment(yard: Yard, database: str, first: str) -> None:
    """Parcel into box, box onto truck: folded by two judges, each before the other has committed."""
    yard.shipment("S-1", "P-1")
    yard.hears(yard.tracker, *yard.strays())
    yard.judge()
    yard.hears(yard.scanner, yard.scan(-600, "loading", "P-1", BOX), yard.scan(-300, "loading", BOX, TRUCK))
    one, other = connect(database), connect(database)
    task = yard.tasks["containing"]
    # Each takes one of the two rows of work in a transaction that is still open when the other's begins.
    with one.transaction():
        mine = work.take(one, None, kinds=("thing",), limit=1)
        with other.transaction():
            theirs = work.take(other, None, kinds=("thing",), limit=1)
            assert {row.key for row in mine}.isdisjoint(row.key for row in theirs)
            order = [(one, mine), (other, theirs)]
            for conn, taken in order if first == "loaded" else reversed(order):
                task.do(conn, taken, None, at(3600))
        yard.judge()  # what the other left is judged while this one is not there yet
    assert [row for row in yard.judged() if row[0] == "route_deviation"] == STRAYED
    one.close()
    other.close()


@pytest.mark.parametrize("scans_first", [True, False])
def test_loaded_and_left_are_recorded_at_the_same_time(yard: Yard, database: str, scans_first: bool) -> None:
    """The parcel is on the truck since 10:00, the truck left at 10:05: two batches, one end."""
    yard.shipment("S-1", "P-1")
    scans = (yard.scanner, yard.scan(-300, "loading", "P-1", TRUCK))
    drive = (yard.tracker, *yard.strays())
    first, second = (scans, drive) if scans_first else (drive, scans)
    yard.hears(*first)
    judge = connect(database)
    with judge.transaction():  # a judge is half through when the other is recorded
        taken = work.take(judge, at(3600), kinds=("thing",) if scans_first else ("device",))
        name = "containing" if scans_first else "judging"
        writer = Thread(target=yard.hears, args=second)
        writer.start()
        writer.join()
        yard.tasks[name].do(judge, taken, at(3600), at(3600))
    judge.close()
    assert [row for row in yard.judged() if row[0] == "route_deviation"] == STRAYED


def test_a_second_parent_is_a_minor_finding_and_undetermined_until_it_is_settled(yard: Yard) -> None:
    yard.shipment("S-1", "P-1")
    yard.hears(
        yard.scanner, yard.scan(0, "loading", "P-1", TRUCK), yard.scan(60, "loading", "P-1", "苏E55555")
    )
    assert yard.judged() == [
        ("aggregation_conflict", "undetermined", at(60), None),
        ("aggregation_conflict", "finding", at(60), None),
    ]
    assert yard.rows("select rule, severity from alerts") == [("aggregation_conflict", "minor")]
    yard.hears(yard.scanner, yard.scan(50, "unloading", "P-1", TRUCK))
    assert yard.judged() == []
    assert yard.rows("select state from alerts") == [("resolved",)]


def test_where_it_was_is_undetermined_meanwhile(yard: Yard) -> None:
    """The truck strays while another truck claims the parcel, too: nobody is accused, nothing passed over."""
    yard.shipment("S-1", "P-1")
    yard.hears(
        yard.scanner, yard.scan(-60, "loading", "P-1", "苏E55555"), yard.scan(0, "loading", "P-1", TRUCK)
    )
    yard.hears(yard.tracker, *yard.strays())
    strayed = [row for row in yard.judged() if row[0] == "route_deviation"]
    assert [row[1] for row in strayed] == ["undetermined"]
    yard.hears(yard.scanner, yard.scan(-30, "unloading", "P-1", "苏E55555"))
    assert [(rule, "finding", *rest) for rule, _, *rest in strayed] == [
        row for row in yard.judged() if row[0] == "route_deviation"
    ]


def test_the_record_keeps_what_was_held_before(yard: Yard) -> None:
    yard.shipment("S-1", "P-1")
    yard.hears(yard.scanner, yard.scan(0, "loading", "P-1", TRUCK))
    yard.judge()
    yard.hears(yard.scanner, yard.scan(60, "unloading", "P-1", TRUCK), at_s=4000)
    yard.judge()
    assert yard.rows("select valid_to, superseded_at from containments order by containment_id") == [
        (None, at(4000)),
        (at(60), None),
    ]


def test_scans_that_move_nothing_leave_nothing(yard: Yard) -> None:
    yard.hears(
        yard.scanner,
        yard.scan(0, "receiving", "P-1", BOX),
        yard.scan(1, "loading", "P-1"),
        yard.scan(2, "storing", "P-1", location="ORIGIN"),
    )
    assert yard.rows("select count(*) from containment_events") == [(0,)]
    assert yard.rows("select count(*) from work where kind = 'thing'") == [(0,)]


def test_what_is_stored_on_a_shelf_stays_on_its_pallet_and_what_is_stored_in_a_cage_is_in_it(
    yard: Yard,
) -> None:
    yard.hears(
        yard.scanner,
        yard.scan(0, "packing", "P-1", "PALLET-1"),
        yard.scan(60, "storing", "P-1", location="ORIGIN"),
        yard.scan(120, "storing", "PALLET-1", "CAGE-1", location="ORIGIN"),
    )
    yard.judge()
    assert yard.stays() == [("P-1", "PALLET-1", at(0), None), ("PALLET-1", "CAGE-1", at(120), None)]
