"""Gates decide: open, hold or inspect, once, in time or not at all, whatever dies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.barrier import Barrier
from tests.support.recording import at
from tracking.domain.custody.corrections import Observed
from tracking.judge.kept_passes import KeptPassesSender
from tracking.store import correcting

TRUCK = "苏E33D71"
BOX = "BNDU1000010"


@pytest.fixture
def barrier(database: str) -> Iterator[Barrier]:
    made = Barrier(database)
    yield made
    made.close()


def shown(number: str) -> dict[str, Any]:
    return {"pass": number}


def test_a_good_pass_opens_and_the_gate_is_told(barrier: Barrier) -> None:
    barrier.files_pass("Z-1", TRUCK, containers=[BOX], total_kg=41_200)
    told = barrier.arrives(0, plate=TRUCK, plate_confidence=0.98, containers=[BOX], weight_kg=41_060)
    assert told[1:] == ("open", [], "Z-1", True, "system", None)
    (command,) = barrier.commands()
    assert command["command"] == "decision"
    assert command["args"] == {
        "arrival": {"run": 1, "seq": 1}, "decision": "open", "reasons": [], "pass": "Z-1",
    }  # fmt: skip
    assert command["expires"] == "2026-03-04T12:00:10Z"
    assert barrier.rows("select kind from work where kind = 'gate'") == []


def test_a_vehicle_without_a_pass_is_held_and_told_why(barrier: Barrier) -> None:
    told = barrier.arrives(0, plate=TRUCK)
    assert (told.decision, told.codes) == ("hold", ["pass_missing_or_not_approved"])
    (command,) = barrier.commands()
    (reason,) = command["args"]["reasons"]
    assert reason["code"] == "pass_missing_or_not_approved"
    assert reason["severity"] == "critical"
    assert reason["text"]


def test_another_vehicle_on_the_pass_that_it_shows_is_held(barrier: Barrier) -> None:
    barrier.files_pass("Z-1", TRUCK)
    told = barrier.arrives(0, plate="沪BD818N", plate_confidence=0.99, **shown("Z-1"))
    assert (told.decision, told.uses_pass) == ("hold", False)
    assert "wrong_vehicle_at_gate" in told.codes
    assert barrier.arrives(60, plate=TRUCK).decision == "open"


def test_a_wrong_weight_is_inspected(barrier: Barrier) -> None:
    barrier.files_pass("Z-1", TRUCK, total_kg=30_000)
    told = barrier.arrives(0, plate=TRUCK, weight_kg=34_000)
    assert (told.decision, told.codes) == ("inspect", ["gate_weight_mismatch"])


def test_a_pass_is_used_once_at_whatever_gate(barrier: Barrier) -> None:
    other = barrier.station.device("G-2", kind="gate")
    barrier.files_pass("Z-1", TRUCK)
    assert barrier.arrives(0, plate=TRUCK).decision == "open"
    event = other.event(600, type="gate", gate="G-2", lane="1", direction="in", plate=TRUCK, **shown("Z-1"))
    barrier.clock(600)
    barrier.hears(other, event, at_s=600.1)
    barrier.decides(600.2)
    ((decision, reasons),) = barrier.rows("select decision, reasons from gate_decisions where gate = 'G-2'")
    assert decision == "hold"
    assert "pass_reused" in [reason["code"] for reason in reasons]


def test_a_report_that_came_late_is_decided_for_the_record_and_nothing_is_sent(barrier: Barrier) -> None:
    barrier.files_pass("Z-1", TRUCK)
    told = barrier.arrives(0, plate=TRUCK, looked_at=10.5)
    assert (told.decision, told.uses_pass, told.unsent) == ("open", True, "late")
    assert barrier.commands() == []
    assert barrier.outbox() == []


def test_who_stands_there_goes_before_what_an_offline_gate_brings(barrier: Barrier) -> None:
    events = [
        barrier.gate.event(60 * n, type="gate", gate="G-1", lane="1", direction="in", plate=TRUCK)
        for n in range(30)
    ]
    barrier.clock(7200)
    barrier.hears(barrier.gate, *events, at_s=7200)
    barrier.reports(7201, plate="沪BD818N")
    barrier.clock(7202)
    with barrier.conn.transaction():
        taken = barrier.rows("select work_id from work where kind = 'gate'")
        assert len(taken) == 2
    assert barrier.decides(7202) > 2
    order = barrier.rows("select seq, unsent from gate_decisions order by decision_id")
    assert order[0] == (31, None)
    assert len(order) == 31
    assert {unsent for _, unsent in order[1:]} == {"late"}
    assert len(barrier.commands()) == 1
    assert barrier.rows("select kind from work where kind = 'gate'") == []


def test_a_gate_s_own_limit_and_fallback_are_kept_with_the_decision(database: str) -> None:
    barrier = Barrier(database, decide_within_s=3, fallback="passes")
    assert barrier.arrives(0, plate=TRUCK, looked_at=3.5).unsent == "late"
    assert barrier.rows("select fallback, within_s from gate_decisions") == [("passes", 3.0)]
    barrier.close()


def test_what_the_gate_did_stands_beside_the_decision(barrier: Barrier) -> None:
    barrier.arrives(0, plate=TRUCK)
    (command,) = barrier.commands()
    barrier.answers(1, command["id"], "hold")
    barrier.answers(2, "arrival/1/1", "hold")
    barrier.answers(3, "arrival/99", "nonsense")
    assert barrier.rows(
        "select run, seq, event_time, did, by_fallback, command_id::text from gate_actions order by told_seq"
    ) == [
        (1, 1, at(1), "hold", False, command["id"]),
        (1, 1, at(2), "hold", True, None),
    ]
    assert barrier.rows("select result, answered_at is not null from commands") == [
        ({"ok": True, "detail": "hold"}, True)
    ]


def test_the_shipment_aboard_brings_its_seal_and_its_release(barrier: Barrier) -> None:
    """S6: the seal that the gate reads is not the one on record."""
    barrier.shipment("S-1", BOX)
    barrier.scans(-900, "loading", BOX, TRUCK)
    barrier.files("seal_record", "R-1", -850, shipments=["S-1"], seal="ES-77031")
    barrier.files_pass("Z-1", TRUCK, containers=[BOX])
    barrier.judge()
    told = barrier.arrives(0, plate=TRUCK, containers=[BOX], seals=["ES-77099"])
    assert (told.decision, told.codes) == ("hold", ["seal_id_changed"])
    ((shipments,),) = barrier.rows("select shipments from gate_decisions")
    assert shipments == ["S-1"]
    barrier.files("seal_record", "R-2", 100, shipments=["S-1"], seal="ES-77033", replaces="ES-77031")
    told = barrier.arrives(200, plate=TRUCK, containers=[BOX], seals=["ES-77033"])
    assert "seal_id_changed" not in told.codes


def test_goods_that_customs_hold_do_not_leave(barrier: Barrier) -> None:
    barrier.shipment("S-1", "P-1")
    barrier.scans(-900, "packing", "P-1", BOX)
    barrier.scans(-800, "loading", BOX, TRUCK)
    barrier.files("release", "D-1", -700, shipments=["S-1"], state="hold")
    barrier.files_pass("Z-1", TRUCK, direction="out")
    barrier.judge()
    told = barrier.arrives(0, plate=TRUCK, direction="out")
    assert (told.decision, told.codes) == ("hold", ["on_hold"])


def test_a_look_alike_finds_its_pass_and_is_inspected(barrier: Barrier) -> None:
    """S8c: D read for 0."""
    barrier.files_pass("Z-1", TRUCK)
    told = barrier.arrives(0, plate="苏E33071", plate_confidence=0.93, image="pictures/1.jpg")
    assert (told.decision, told.codes, told.pass_number) == ("inspect", ["wrong_vehicle_at_gate"], "Z-1")
    assert not told.uses_pass


def test_a_report_is_decided_once(barrier: Barrier) -> None:
    barrier.reports(0, plate=TRUCK)
    barrier.decides(0.2)
    barrier.conn.execute(
        "insert into work (kind, key, changed_from, urgent) values ('gate', %s, %s, true)",
        (barrier.gate.device_id, at(-60)),
    )
    barrier.decides(0.4)
    assert barrier.rows("select count(*) from gate_decisions") == [(1,)]
    assert len(barrier.commands()) == 1


def lists(barrier: Barrier) -> list[tuple[str, float, list[str]]]:
    """What the gate was sent to keep: fallback, limit, numbers of passes."""
    found = [command["args"] for command in barrier.commands() if command["command"] == "passes"]
    return [(args["fallback"], args["within_s"], [one["number"] for one in args["passes"]]) for args in found]


def test_a_gate_keeps_the_passes_of_its_zone_that_nobody_has_used(database: str) -> None:
    barrier, sender = Barrier(database, fallback="passes", decide_within_s=5), KeptPassesSender()

    def sends(seconds: float) -> int:
        with barrier.conn.transaction():
            return sender.send_changed(barrier.conn, at(seconds))

    assert sends(0) == 0, "no list is none that is empty"
    barrier.files_pass("Z-1", TRUCK)
    barrier.files_pass("Z-2", "苏E1289K", approved=False)
    barrier.files_pass("Z-3", "苏E1289K", zone="ORIGIN")
    assert sends(5) == 1
    assert lists(barrier) == [("passes", 5.0, ["Z-1"])]
    assert (sends(6), sends(60)) == (0, 0)
    barrier.moves_pass("Z-2", "approved", -60)
    assert barrier.arrives(70, plate=TRUCK).uses_pass
    assert sends(75) == 1
    assert lists(barrier)[1:] == [("passes", 5.0, ["Z-2"])]
    barrier.moves_pass("Z-2", "void", 76)
    assert (sends(80), sends(110)) == (0, 1), "at most every half minute"
    assert lists(barrier)[2:] == [("passes", 5.0, [])]
    assert KeptPassesSender().send_changed(barrier.conn, at(200)) == 0, "another process knows what was sent"
    passage = Observed("SIP/G-1", at(70), barrier.gate.run, barrier.gate.seq)
    correcting.correct(
        barrier.conn, passage, reason="did_not_occur", why="a reflection", by="desk 2", recorded_at=at(210)
    )
    assert sends(211) == 1
    assert lists(barrier)[3:] == [("passes", 5.0, ["Z-1"])], "nobody has used it after all"
    barrier.close()


def test_a_vehicle_that_never_came_is_not_decided_about_unless_it_did(barrier: Barrier) -> None:
    run, seq = barrier.reports(0, plate=TRUCK)
    passage = Observed("SIP/G-1", at(0), run, seq)
    declared = correcting.correct(
        barrier.conn, passage, reason="did_not_occur", why="a reflection", by="desk 2", recorded_at=at(1)
    )
    assert barrier.decides(2) > 0
    assert (barrier.told_of(run, seq), barrier.commands()) == ([], [])
    correcting.retract(
        barrier.conn, declared.correction.entry, why="it was a truck", by="desk 2", recorded_at=at(3)
    )
    barrier.decides(60)
    (told,) = barrier.told_of(run, seq)
    assert (told.decision, told.unsent) == ("hold", "late")
