"""Corrections of observations, on a real database: what counts, what was known, what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from devices.observation import moment
from gateway.pipeline.limits import Limits
from tests.support.court import MOVE, Court, Truck
from tests.support.recording import TestDevice, at
from tracking.domain.custody.corrections import Observed
from tracking.exchange.verify.run import run
from tracking.store import correcting, corrections, shipments
from tracking.store.database import connect
from tracking.store.registry import Unknown


def name(event: dict[str, Any], device: str = "SIP/TRK-1") -> Observed:
    return Observed(device, moment(event["time"] * 1000), event["run"], event["seq"])


def correct(court: Court, *events: dict[str, Any], device: str = "SIP/TRK-1", **said: Any) -> list[int]:
    court.station.clock_us += 60_000_000
    told = {"reason": "incorrect_data", "why": "the antenna was wet", "by": "desk 2"} | said
    return [
        correcting.correct(
            court.conn, name(event, device), recorded_at=moment(court.station.clock_us), **told
        ).correction.entry
        for event in events
    ]


def strayed(court: Court) -> tuple[Truck, list[dict[str, Any]]]:
    """A truck on its way, three kilometres off it for as long as a finding takes, and back on it."""
    truck = court.truck().stands(0, 300).drives(0, 4000)
    before = len(truck.events)
    truck.drives(4000, 8800, 1900)
    off = truck.events[before:]
    truck.drives(8800, 12_000)
    court.deliver(truck)
    court.judge()
    return truck, off


def test_what_counts_no_longer_is_no_finding(court: Court) -> None:
    _, off = strayed(court)
    court.expect_findings(route_deviation=("major", "closed"))
    assert "strayed" in {row[2] for row in court.milestones()}
    correct(court, *off)
    court.judge()
    court.expect_findings()
    assert "strayed" not in {row[2] for row in court.milestones()}
    assert run(court.dsn, pause_s=0).differences == []


def test_what_counts_again_is_found_again(court: Court) -> None:
    _, off = strayed(court)
    found, milestones = court.findings(), court.milestones()
    entries = correct(court, *off)
    court.judge()
    for entry in entries:
        correcting.retract(court.conn, entry, why="it was dry", by="desk 2", recorded_at=at(6000))
    court.judge()
    assert (court.findings(), court.milestones()) == (found, milestones)
    assert run(court.dsn, pause_s=0).differences == []


def test_the_head_may_be_in_error(court: Court) -> None:
    """Then the device was heard last before it; a silence from there on is told when it is due."""
    truck = court.truck().stands(0, 300).drives(0, 4000)
    court.deliver(truck)
    court.judge()
    truck.is_quiet(3600).stands(4000, 20)
    (last,) = truck.events
    court.deliver(truck)
    court.judge()
    silences = [row[2] for row in court.milestones() if row[2] in ("silent", "heard")]
    assert silences == ["silent", "heard"]
    correct(court, last, reason="did_not_occur")
    court.judge()
    assert [row[2] for row in court.milestones() if row[2] in ("silent", "heard")] == ["silent"]
    ((heard,),) = court.rows("select head_time from device_tracks")
    assert heard == at(480)
    assert ("device_silent", "open") in {(row[0], row[3]) for row in court.findings()}
    assert run(court.dsn, pause_s=0).differences == []


def test_the_only_observation_may_be_in_error(court: Court) -> None:
    truck = court.truck().stands(0, 20)
    (only,) = truck.events
    court.deliver(truck)
    court.judge()
    correct(court, only)
    court.judge()
    assert court.milestones() == []
    assert court.rows("select head_time from device_tracks") == [(None,)]
    assert run(court.dsn, pause_s=0).differences == []


def test_a_number_in_error_is_heard_and_the_same_sent_again_is_known(court: Court) -> None:
    truck = court.truck().stands(0, 300)
    events = list(truck.events)
    court.deliver(truck)
    correct(court, events[5])
    court.judge()
    assert court.rows("select * from sequence_gaps") == []
    before = court.station.count("observations")
    court.station.receipts()
    court.deliver(truck, events[5:6])
    court.judge()
    assert court.station.count("observations") == before
    (receipt,) = court.station.receipts()["SIP/TRK-1"]
    assert receipt["committed"] == [[6, 6]]
    assert run(court.dsn, pause_s=0).differences == []


def test_a_snapshot_at_what_is_in_error_is_no_way_back(court: Court) -> None:
    """A late event after it is folded from the snapshot before."""
    court.station.tools.limits = Limits(snapshot_every=250)
    truck = court.truck(every_s=5)
    truck.stands(0, 3000)
    late = truck.events.pop(520)
    court.deliver(truck, size=50)
    court.judge()
    snapshots = court.rows("select time, run, seq from track_snapshots order by time")
    assert len(snapshots) == 2
    (time, run_, seq) = snapshots[1]
    wrong = Observed("SIP/TRK-1", time, run_, seq)
    correcting.correct(
        court.conn, wrong, reason="incorrect_data", why="wet", by="desk 2", recorded_at=at(4000)
    )
    court.judge()
    assert (time, run_, seq) not in court.rows("select time, run, seq from track_snapshots")
    court.deliver(truck, [late])
    court.judge()
    assert run(court.dsn, pause_s=0).differences == []


def scan(court: Court, scanner: TestDevice, second: float, code: str, **fields: Any) -> dict[str, Any]:
    event = scanner.event(second, type="scan", code=code, **fields)
    court.station.deliver(scanner.sends(event, received=second + 1))
    return event


def stays(court: Court) -> list[tuple[str, str]]:
    return court.rows(
        "select c.label, p.label from containments s join things c on c.thing_id = s.child_id"
        " join things p on p.thing_id = s.parent_id where superseded_at is null order by valid_from"
    )


def test_the_wrong_box_was_scanned(court: Court) -> None:
    """Containment leaves the scan out; whoever was in there is judged by what carries it in truth."""
    truck, _ = strayed(court)
    scanner = court.station.device("SC-1", kind="scanner")
    wrong = scan(court, scanner, 10, "P-1", parent="box-TRK-1", action="loading")
    with court.conn.transaction():
        shipments.create(
            court.conn, number="S-2", park="SIP", reference="", things=["P-1"], terms={"legs": [MOVE]},
            valid_from=at(-3600), recorded_at=at(0), recorded_by="test",
        )  # fmt: skip
    court.judge()
    assert stays(court) == [("P-1", "box-TRK-1")]
    assert "route_deviation" in {row[0] for row in court.findings("S-2")}
    right = scan(court, scanner, 20, "P-1", parent="box-TRK-9", action="loading")
    court.judge()
    assert "aggregation_conflict" in {row[0] for row in court.findings("S-2")}
    correct(court, wrong, device="SIP/SC-1", corrective=[name(right, "SIP/SC-1")])
    court.judge()
    assert stays(court) == [("P-1", "box-TRK-9")]
    assert not {"route_deviation", "aggregation_conflict"} & {row[0] for row in court.findings("S-2")}
    court.expect_findings(route_deviation=("major", "closed"))
    assert truck.shipment == "S-1"
    assert run(court.dsn, pause_s=0).differences == []


def test_what_a_sensor_measured_in_error_is_no_excursion(court: Court) -> None:
    truck = court.truck(limits={"temperature_c": {"high": 8, "tolerated_min": 1}}).stands(0, 60)
    truck.drives(0, 6000)
    readings = [
        truck.device.event(second, type="reading", values={"temperature_c": value})
        for second, value in ((70, 5), (130, 15), (190, 16), (250, 15), (310, 5))
    ]
    truck.events += readings
    court.deliver(truck)
    court.judge()
    assert "temp_excursion" in {row[0] for row in court.findings()}
    correct(court, *readings[1:4], why="the probe was in the sun")
    court.judge()
    assert "temp_excursion" not in {row[0] for row in court.findings()}
    assert run(court.dsn, pause_s=0).differences == []


def test_a_seal_that_was_reported_cut_in_error(court: Court) -> None:
    truck = court.truck(seal="any").stands(0, 60).drives(0, 4000)
    court.deliver(truck)
    seal = court.station.device("SEAL-1", kind="seal")
    court.attach(seal.device_id, "box-TRK-1")
    told = [
        seal.event(second, type="seal", seal="ES-1", state=state)
        for second, state in ((5, "locked"), (120, "cut"))
    ]
    court.station.deliver(seal.sends(*told, received=300))
    court.judge()
    assert any("seal" in row[0] and row[4] == "critical" for row in court.findings()), court.findings()
    correct(court, told[1], device="SIP/SEAL-1", reason="did_not_occur")
    court.judge()
    assert not any(row[4] == "critical" for row in court.findings()), court.findings()
    assert run(court.dsn, pause_s=0).differences == []


def test_the_same_said_again_changes_nothing_and_another_word_waits_for_the_retraction(court: Court) -> None:
    truck, off = strayed(court)
    court.judge()
    assert correct(court, off[0]) == correct(court, off[0]) == [1]
    with pytest.raises(correcting.Stands, match="retract correction 1 first"):
        correct(court, off[0], why="something else")
    assert court.rows("select kind from work where kind not like '%%due' order by kind") == [
        ("device",),
        ("refold",),
    ]
    taken = correcting.retract(court.conn, 1, why="it was dry", by="desk 2", recorded_at=at(6000))
    again = correcting.retract(court.conn, 1, why="it was dry", by="desk 2", recorded_at=at(6001))
    assert (taken.is_new, again.is_new) == (True, False)
    assert taken.correction == again.correction
    with pytest.raises(correcting.Stands, match="was retracted already"):
        correcting.retract(court.conn, 1, why="changed my mind", by="desk 2", recorded_at=at(6002))
    with pytest.raises(correcting.TakenBack, match="say why, in other words"):
        correct(court, off[0])
    assert correct(court, off[0], why="wet after all") == [2]
    assert truck.told > 0


def test_what_cannot_be_corrected_is_refused_and_says_why(court: Court) -> None:
    truck, off = strayed(court)
    unknown = off[0] | {"seq": 9999}
    with pytest.raises(correcting.Unrecorded, match=r"isn't recorded$"):
        correct(court, unknown)
    with pytest.raises(correcting.Unrecorded, match="its time is 2026"):
        correct(court, off[0] | {"time": off[0]["time"] + 1})
    impossible = truck.device.event(2000, lat=91)
    court.station.deliver(truck.device.sends(impossible, received=2000))
    with pytest.raises(correcting.WasRejected, match=r"was rejected .* rejection 1"):
        correct(court, impossible)
    with pytest.raises(Unknown):
        correct(court, off[0], device="SIP/NOBODY")
    for corrective, says in ((off[0], "itself"), (unknown, "isn't recorded")):
        with pytest.raises(correcting.BadCorrective, match=says):
            correct(court, off[0], corrective=[name(corrective)])
    assert correct(court, off[1]) == [1]
    with pytest.raises(correcting.BadCorrective, match="in error itself, by correction 1"):
        correct(court, off[0], corrective=[name(off[1])])
    assert court.rows("select count(*) from corrections") == [(1,)]


def test_a_corrective_that_turns_out_wrong_leaves_the_correction_standing(court: Court) -> None:
    _, off = strayed(court)
    correct(court, off[0], corrective=[name(off[1])])
    correct(court, off[1])
    court.judge()
    assert [one.stands for one in corrections.of_shipment(court.conn, 1)] == [True, True]
    assert run(court.dsn, pause_s=0).differences == []


def test_two_people_at_once_make_one_correction(court: Court) -> None:
    _, off = strayed(court)
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: one_more(court.dsn, name(off[0])), range(4)))
    assert sorted(is_new for _, is_new in told) == [False, False, False, True]
    assert {entry for entry, _ in told} == {1}


def one_more(dsn: str, observation: Observed) -> tuple[int, bool]:
    with connect(dsn) as conn:
        declared = correcting.correct(
            conn, observation, reason="did_not_occur", why="wet", by="desk", recorded_at=at(6000)
        )
    return declared.correction.entry, declared.is_new
