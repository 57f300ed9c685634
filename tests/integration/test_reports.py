"""What gates, scanners, seals and sensors say finds the shipments that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

from devices.identifiers import own_thing, pass_uri, seal_uri
from devices.observation import Gate, Handover, Scan, Seal
from tests.support.court import WEST, square_around
from tests.support.desk import BOX, TRUCK, Desk
from tests.support.recording import at
from tests.support.traces import moved
from tracking.domain.custody.facts import MissingNumbers, Reused


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    made = Desk(database)
    yield made
    made.close()


@pytest.fixture
def loaded(desk: Desk) -> Desk:
    """P-1 in the box on the truck, from 11:50 and 11:55 until the box comes off at 12:20."""
    desk.shipment("S-1", "P-1")
    desk.scans(-600, "packing", "P-1", BOX)
    desk.scans(-300, "loading", BOX, TRUCK)
    desk.scans(1200, "unloading", BOX, TRUCK)
    desk.judge()
    return desk


def told(desk: Desk, number: str = "S-1") -> list[tuple[float, str]]:
    """(seconds after noon, kind) of what a judging would read."""
    return [
        ((report.time - at(0)).total_seconds(), type(report.fact).__name__)
        for report in desk.facts(number).reports
    ]


def test_a_gate_that_names_the_truck_speaks_of_the_parcel_in_the_box_on_it(loaded: Desk) -> None:
    loaded.shipment("S-2", "P-2")
    loaded.judge()
    loaded.passes(600, plate="苏 E·1289K", containers=["BNDU 100001 0"], seals=["ES-1"], **{"pass": "Z-1"})
    assert (
        loaded.rows("select kind, urgent from work where kind in ('contents', 'goods')")
        == [("contents", True)] * 4
    )
    loaded.judge("containing")
    assert loaded.rows(
        "select number, urgent from work w join shipments on shipment_id = key and w.kind = 'shipment'"
    ) == [("S-1", True)]
    (report,) = (one for one in loaded.facts().reports if isinstance(one.fact, Gate))
    assert (report.device, report.device_kind, report.fact.plate) == ("SIP/G-1", "gate", "苏 E·1289K")
    assert {seal_uri("ES-1"), pass_uri("Z-1"), own_thing("vehicle", TRUCK).uri} < report.things
    assert not [one for one in loaded.facts("S-2").reports if isinstance(one.fact, Gate)]


@pytest.mark.parametrize(("seconds", "is_told"), [(-301, False), (-300, True), (1200, True), (1201, False)])
def test_what_is_said_of_the_truck_counts_while_the_box_is_on_it(
    loaded: Desk, seconds: float, is_told: bool
) -> None:
    loaded.passes(seconds, plate=TRUCK)
    assert ("S-1" in loaded.woken()) or not is_told
    assert ((seconds, "Gate") in told(loaded)) is is_told


def test_the_scan_that_unloads_counts_and_what_is_loaded_beside_it_does_not(loaded: Desk) -> None:
    loaded.shipment("S-2", BOX)
    loaded.judge()
    loaded.scans(100, "packing", "P-9", BOX)
    assert loaded.woken() == ["S-2"]
    assert told(loaded) == [(-600, "Scan"), (-300, "Scan"), (1200, "Scan")]
    assert (100, "Scan") in told(loaded, "S-2")


def test_things_aboard_with_their_intervals(loaded: Desk) -> None:
    assert [(one.label, one.kind, one.is_goods, one.begins, one.ends) for one in loaded.facts().aboard] == [
        ("P-1", "code", True, at(-3600), None),
        (BOX, "container", False, at(-600), None),
        (TRUCK, "vehicle", False, at(-300), at(1200)),
    ]


def test_what_a_device_on_the_goods_says_counts_whatever_it_names(loaded: Desk) -> None:
    seal = loaded.station.device("ES-1", kind="seal")
    loaded.attach(seal.device_id, BOX)
    loaded.judge()
    for second, fact in (
        (10, {"type": "seal", "seal": "ES-1", "state": "low_battery"}),
        (20, {"type": "seal", "seal": "ES-1", "state": "locked"}),
        (30, {"type": "seal", "seal": "ES-1", "state": "locked"}),
        (40, {"type": "handover", "from_party": "A", "to_party": "B", "role": "giver"}),
        (50, {"type": "scan", "code": "X", "action": "inspecting"}),
    ):
        loaded.hears(seal, seal.event(second, **fact))
        assert loaded.woken() == ["S-1"]
    said = [one for one in loaded.facts().reports if one.device == "SIP/ES-1"]
    assert [type(one.fact) for one in said] == [Seal, Seal, Seal, Handover, Scan]
    box = "urn:epc:id:bic:" + BOX
    assert [box in one.things for one in said] == [True] * 5


def test_whatever_comes_first_the_facts_are_the_same(desk: Desk) -> None:
    """Scans and passages in every order, some of them twice, judged in between."""
    desk.shipment("S-1", "P-1")
    scan = {"type": "scan"}
    parts = [
        (desk.scanner, desk.scanner.event(-600, code="P-1", parent=BOX, action="packing", **scan)),
        (desk.scanner, desk.scanner.event(-300, code=BOX, parent=TRUCK, action="loading", **scan)),
        (desk.gate, desk.gate.event(0, type="gate", gate="G-1", lane="1", direction="in", plate=TRUCK)),
        (desk.scanner, desk.scanner.event(300, code=BOX, parent=TRUCK, action="unloading", **scan)),
        (desk.gate, desk.gate.event(600, type="gate", gate="G-1", lane="1", direction="out", plate=TRUCK)),
    ]
    found = []
    for order in list(permutations(parts))[::17]:
        desk.conn.execute(
            "truncate containment_events, containments, containment_conflicts, mentions, observations,"
            " milestones, findings, ledger, device_tracks, track_snapshots, work, sequence_gaps, rejections"
        )
        for part in (*order, order[0], order[2]):
            desk.hears(*part)
            desk.judge()
        assert desk.rows("select distinct kind from work where kind not like '%%_due'") in ([], [("gate",)])
        facts = desk.facts()
        found.append((facts.reports, facts.aboard))
    assert all(one == found[0] for one in found)
    assert [type(report.fact).__name__ for report in found[0][0]] == ["Scan", "Scan", "Gate", "Scan"]


def test_a_gate_that_reads_nothing_is_kept_without_a_thing(desk: Desk) -> None:
    desk.passes(0)
    assert desk.rows("select thing_id, kind from mentions") == [(None, 5)]


def test_what_sensors_measured_and_what_they_measured_last_before(loaded: Desk) -> None:
    probe = loaded.station.device("T-1", kind="sensor")
    loaded.attach(probe.device_id, BOX, since=at(0), until=at(100))
    loaded.judge()
    values = [(-60, -18.0), (-30, -18.5), (0, -19.0), (50, -17.5), (100, -3.0)]
    events = [
        probe.event(t, type="reading", values={"temperature_c": v, "door_open": t > 0}) for t, v in values
    ]
    loaded.hears(probe, *events)
    assert loaded.woken() == ["S-1"]
    (carriage,) = loaded.facts().carriages
    assert (carriage.kind, carriage.thing) == ("sensor", "urn:epc:id:bic:" + BOX)
    assert [
        (sample.quantity, (sample.time - at(0)).total_seconds(), sample.value) for sample in carriage.samples
    ] == [
        ("door_open", -30, 0), ("temperature_c", -30, -18.5),
        ("door_open", 0, 0), ("temperature_c", 0, -19.0),
        ("door_open", 50, 1), ("temperature_c", 50, -17.5),
    ]  # fmt: skip


def test_positions_are_there_where_two_devices_are_to_be_compared(loaded: Desk) -> None:
    tracker, other = loaded.station.device("TRK-1"), loaded.station.device("TRK-2")
    loaded.attach(tracker.device_id, TRUCK)
    loaded.hears(tracker, *(tracker.event(t) for t in (0, 30)))
    assert [carriage.positions for carriage in loaded.facts().carriages] == [()]
    loaded.attach(other.device_id, BOX)
    assert [carriage.positions for carriage in loaded.facts().carriages] == [(), ()]
    loaded.hears(other, other.event(10, speed_mps=2.5))
    first, second = loaded.facts().carriages
    assert [fix.time for fix in first.positions] == [at(0), at(30)]
    (fix,) = second.positions
    assert (fix.lon, fix.lat, fix.accuracy_m, fix.speed_mps, fix.seq) == (120.7, 31.3, 8, 2.5, 1)


def test_numbers_that_never_came_stand_between_those_that_did(loaded: Desk) -> None:
    tracker = loaded.station.device("TRK-1")
    loaded.attach(tracker.device_id, TRUCK)
    loaded.hears(tracker, *(tracker.event(10 * seq, seq=seq) for seq in (1, 2, 6, 7, 9)))
    assert loaded.woken() == ["S-1"]
    (carriage,) = loaded.facts().carriages
    assert carriage.missing == (
        MissingNumbers(1, 3, 5, at(20), at(60)),
        MissingNumbers(1, 8, 8, at(70), at(90)),
    )
    loaded.hears(tracker, *(tracker.event(10 * seq, seq=seq) for seq in (3, 4, 8)))
    assert loaded.woken() == ["S-1"]
    (carriage,) = loaded.facts().carriages
    assert carriage.missing == (MissingNumbers(1, 5, 5, at(40), at(60)),)


def test_numbers_missing_before_the_loading_are_not_the_shipments(loaded: Desk) -> None:
    tracker = loaded.station.device("TRK-1")
    loaded.attach(tracker.device_id, TRUCK, since=at(-86400))
    loaded.hears(
        tracker, *(tracker.event(t, seq=n) for t, n in ((-900, 1), (-400, 5), (0, 6), (1100, 8), (1300, 12)))
    )
    (carriage,) = loaded.facts().carriages
    assert [(gap.first, gap.last) for gap in carriage.missing] == [(7, 7), (9, 11)]


def test_a_number_that_came_again_with_another_content(loaded: Desk) -> None:
    tracker = loaded.station.device("TRK-1")
    loaded.attach(tracker.device_id, TRUCK)
    loaded.hears(tracker, tracker.event(0, seq=1), tracker.event(10, seq=2))
    loaded.judge()
    loaded.hears(tracker, tracker.event(20, seq=2))
    loaded.passes(30, plate=TRUCK)
    loaded.judge()
    loaded.hears(loaded.gate, loaded.gate.event(40, seq=1, type="gate", gate="G-1", lane="2", direction="in"))
    assert loaded.woken() == ["S-1"]
    assert loaded.facts().reused == (
        Reused("SIP/TRK-1", at(10), 1, 2),
        Reused("SIP/G-1", at(30), 1, 1),
    )


def test_the_gates_of_the_zones_that_terms_name_and_whether_they_were_heard(loaded: Desk) -> None:
    square: dict[str, Any] = square_around(*moved(*WEST, 19_500, 0), 20)
    loaded.area("G-1", "gate", square, parent="DESTINATION", lane="goods")
    loaded.area("G-2", "gate", square, parent="LAYBY")
    loaded.area("G-3", "gate", square, parent="ORIGIN")
    loaded.judge()
    facts = loaded.facts()
    (area,) = facts.areas["G-1"]
    assert area.properties == {"parent": "DESTINATION", "lane": "goods"}
    assert (area.lon, area.lat) == pytest.approx(moved(*WEST, 19_500, 0))
    (watch,) = facts.gates
    assert (watch.gate, watch.zone, watch.device, watch.last_heard) == ("G-1", "DESTINATION", "SIP/G-1", None)
    loaded.passes(4000, plate="沪A12345", at_s=4001)
    assert loaded.woken() == []
    loaded.reached(5000)
    assert loaded.woken() == ["S-1"]
    loaded.passes(6000, plate="沪A12345", at_s=6001)
    assert loaded.woken() == ["S-1"]
    (watch,) = loaded.facts().gates
    assert [(one.kind, one.time) for one in watch.milestones] == [("silent", at(4300)), ("heard", at(6000))]
    assert watch.last_heard == at(6000)
    loaded.passes(4200, plate="沪A12345", at_s=6001)  # late: it wasn't silent so early
    assert loaded.woken() == ["S-1"]
    (watch,) = loaded.facts().gates
    assert [(one.kind, one.time) for one in watch.milestones] == [("silent", at(4500)), ("heard", at(6000))]


def test_how_seals_and_stops_stood_when_a_carriage_began(desk: Desk) -> None:
    desk.shipment("S-1", BOX)
    seal = desk.station.device("ES-1", kind="seal")
    desk.attach(seal.device_id, BOX, since=at(100))
    said = [(0, "locked"), (50, "unlocked"), (60, "locked"), (200, "cut")]
    desk.hears(seal, *(seal.event(t, type="seal", seal="ES-1", state=state) for t, state in said))
    (carriage,) = desk.facts().carriages
    assert [(one.kind, one.time) for one in carriage.milestones] == [
        ("seal_unlocked", at(50)), ("seal_locked", at(60)), ("seal_cut", at(200)),
    ]  # fmt: skip
