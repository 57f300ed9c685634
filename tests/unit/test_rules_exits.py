"""A5: out of a zone without a pass; undetermined while a gate, a person or a datum has yet to say."""

from __future__ import annotations

import pytest

from devices.observation import Direction
from tests.support.gate_yard import GateYard
from tests.support.yard import PVG_TO_SIP, Truck, clock, over
from tracking.domain.custody.documents import PassState
from tracking.domain.custody.facts import Milestone
from tracking.domain.custody.verdicts import Outcome

TRUCK = "苏E33D71"
CODE = "zone_exit_without_release"


@pytest.fixture
def yard() -> GateYard:
    return GateYard()


def drives_out(yard: GateYard, *, at: str = "14:00", zone: str = "SIPCBZ-E", **more: int) -> Truck:
    """Inside since the morning, then out, and heard on the road."""
    truck = yard.truck(**more).enters(zone, at="07:00")
    return truck.leaves(zone, at=at).reports(at="22:00")


def with_(yard: GateYard, **values: object) -> None:
    yard.holds("S-1", {**PVG_TO_SIP, "rules": {CODE: {"parameters": values}}}, since="06:00")


def test_out_on_a_pass_is_nothing(yard: GateYard):
    yard.watches_all()
    yard.files_pass(direction=Direction.OUT)
    drives_out(yard)
    yard.at_gate("G-SIPE-N2", at="13:59:30")
    yard.expect_at_gates()


def test_out_through_a_gate_without_a_pass_is_critical_twice_and_at_once(yard: GateYard):
    yard.watches_all()
    drives_out(yard)
    yard.at_gate("G-SIPE-N2", at="13:59:30")
    yard.expect_at_gates(
        until="14:00", zone_exit_without_release="critical", pass_missing_or_not_approved="critical"
    )
    finding = yard.finding(CODE, until="14:00")
    assert over(finding) == (clock("14:00"), None)
    assert finding.verdict.cause == "SIPCBZ-E"
    assert finding.verdict.evidence[0]["milestone"] == "left"


def test_unseen_by_any_gate_is_critical_once_all_of_them_have_spoken(yard: GateYard):
    yard.watches_all(last_heard="14:01")
    drives_out(yard)
    yard.expect_at_gates(until="14:01", zone_exit_without_release="critical")


def test_not_before_the_road_is_emptied_as_far(yard: GateYard):
    yard.watches_all()
    drives_out(yard)
    yard.expect_at_gates(until="13:59:59")
    assert yard.judged(until="13:59:59").next_due == clock("14:00")


def test_it_closes_when_the_goods_are_in_such_a_zone_again(yard: GateYard):
    yard.watches_all()
    drives_out(yard).enters("SIPCBZ-E", at="15:30")
    assert over(yard.finding(CODE)) == (clock("14:00"), clock("15:30"))


def test_airports_are_left_without_a_pass(yard: GateYard):
    yard.watches_all("PVGCARGO")
    drives_out(yard, zone="PVGCARGO")
    yard.expect_at_gates()
    with_(yard, zone_kinds=["airport"])
    yard.expect_at_gates(zone_exit_without_release="critical")


def test_drift_at_the_border_leaves_nothing(yard: GateYard):
    yard.watches_all()
    yard.truck().enters("SIPCBZ-E", at="07:00").is_leaving("SIPCBZ-E", last_within="14:00").reports(
        at="14:01"
    )
    yard.expect_at_gates(until="14:02")


def test_a_device_that_was_taken_off_before_does_not_leave_for_the_goods(yard: GateYard):
    yard.watches_all()
    yard.truck().enters("SIPCBZ-E", at="07:00").detached(at="13:00").leaves("SIPCBZ-E", at="14:00")
    yard.expect_at_gates()


def test_a_late_report_of_the_gate_withdraws_it(yard: GateYard):
    yard.watches_all()
    yard.files_pass(direction=Direction.OUT)
    drives_out(yard)
    yard.expect_at_gates(zone_exit_without_release="critical")
    yard.at_gate("G-SIPE-N2", at="13:59:30")
    yard.expect_at_gates()


def test_only_a_report_about_the_time_counts(yard: GateYard):
    yard.watches_all()
    yard.files_pass(direction=Direction.OUT)
    drives_out(yard)
    yard.at_gate("G-SIPE-N2", at="13:49")
    yard.expect_at_gates(zone_exit_without_release="critical")
    with_(yard, gate_match_window_min=11)
    yard.expect_at_gates()


def test_a_pass_into_the_zone_lets_nobody_out(yard: GateYard):
    yard.watches_all()
    yard.files_pass()
    drives_out(yard)
    yard.at_gate("G-SIPE-S1", at="14:00", direction=Direction.IN)
    yard.expect_at_gates(zone_exit_without_release="critical")


def test_the_first_of_two_gates_lets_out(yard: GateYard):
    yard.watches_all()
    yard.files_pass(direction=Direction.OUT, two_gates=True)
    drives_out(yard)
    yard.at_gate("G-SIPE-N2", at="13:59")
    yard.expect_at_gates(until="15:00")


def test_others_word_that_the_pass_was_used_counts(yard: GateYard):
    yard.watches_all()
    yard.files_pass(direction=Direction.OUT)
    yard.moves_pass("Z-1", PassState.PASSED, at="14:02")
    drives_out(yard)
    yard.expect_at_gates()


def test_whom_an_officer_let_through_left_with_leave(yard: GateYard):
    yard.watches_all()
    drives_out(yard)
    report = yard.at_gate("G-SIPE-N2", at="13:58")
    yard.overrides(report, "open", at="13:59")
    yard.expect_at_gates(pass_missing_or_not_approved="critical")


# ---- undetermined


def test_while_an_officer_has_yet_to_look_it_is_undetermined(yard: GateYard):
    yard.watches_all()
    yard.files_pass(direction=Direction.OUT)
    drives_out(yard)
    report = yard.at_gate("G-SIPE-N2", "苏E33071", at="13:59", pass_number="Z-1")
    yard.expect_at_gates(zone_exit_without_release="undetermined", wrong_vehicle_at_gate="undetermined")
    yard.confirms_plate(report, TRUCK, at="14:05")
    yard.expect_at_gates(wrong_vehicle_at_gate="undetermined")


def test_and_a_breach_if_it_was_another(yard: GateYard):
    yard.watches_all()
    yard.files_pass(direction=Direction.OUT)
    drives_out(yard)
    report = yard.at_gate("G-SIPE-N2", "苏E33071", at="13:59", pass_number="Z-1")
    yard.confirms_plate(report, "苏E33071", at="14:05")
    yard.expect_at_gates(zone_exit_without_release="critical", wrong_vehicle_at_gate="critical")


def offline(yard: GateYard, *, until: str | None = None) -> None:
    yard.watches_all()
    yard.watches("G-SIPE-N2", last_heard=until or "12:00", silent=[("12:00", until)])


def test_while_a_gate_that_leads_out_is_offline_it_is_undetermined(yard: GateYard):
    offline(yard)
    drives_out(yard)
    yard.expect_at_gates(until="14:00", zone_exit_without_release="undetermined")
    assert yard.judged(until="15:00").next_due == clock("20:00")
    yard.expect_at_gates(until="19:59:59", zone_exit_without_release="undetermined")
    finding = yard.finding(CODE, until="20:00")
    assert (finding.verdict.outcome, over(finding)) == (Outcome.FINDING, (clock("14:00"), None))
    with_(yard, offline_wait_h=1)
    yard.expect_at_gates(until="15:00", zone_exit_without_release="critical")


def test_its_backlog_resolves_it_either_way(yard: GateYard):
    yard.files_pass(direction=Direction.OUT)
    offline(yard)
    drives_out(yard)
    yard.expect_at_gates(until="15:00", zone_exit_without_release="undetermined")
    yard.watches("G-SIPE-N2", last_heard="15:30")  # all that it stored has come: no silence is left
    yard.expect_at_gates(until="15:31", zone_exit_without_release="critical")
    yard.at_gate("G-SIPE-N2", at="13:59:30")
    yard.expect_at_gates(until="15:31")


def test_a_gate_that_lost_what_it_saw_is_waited_for_and_then_not(yard: GateYard):
    offline(yard, until="15:30")
    drives_out(yard)
    yard.expect_at_gates(until="16:00", zone_exit_without_release="undetermined")
    yard.expect_at_gates(until="20:00", zone_exit_without_release="critical")


def test_gates_that_lead_in_only_are_not_waited_for(yard: GateYard):
    yard.watches_all()
    yard.watches("G-SIPE-N1", last_heard="12:00", silent=[("12:00", None)])
    drives_out(yard)
    yard.expect_at_gates(until="14:00", zone_exit_without_release="critical")


def test_a_gate_that_owes_no_word_yet_is_waited_for_as_long_as_it_may_be_quiet(yard: GateYard):
    yard.watches_all()
    yard.watches("G-SIPE-N2", last_heard="13:59:30")
    drives_out(yard)
    yard.expect_at_gates(until="14:00", zone_exit_without_release="undetermined")
    assert yard.judged(until="14:00").next_due == clock("14:00:30")
    yard.watches("G-SIPE-N2", last_heard="14:00:30")
    yard.expect_at_gates(until="14:00:30", zone_exit_without_release="critical")


def test_a_zone_without_gates_that_report_is_undetermined(yard: GateYard):
    drives_out(yard)
    yard.expect_at_gates(zone_exit_without_release="undetermined")


def in_doubt(yard: GateYard, cleared: str | None = None, *, believed: bool = False) -> Truck:
    truck = yard.truck().enters("SIPCBZ-E", at="07:00").reports(at="22:00")
    at, told = clock("14:00"), clock("14:02")
    detail = {"leaves": ["COLD01", "SIPCBZ-E"]}
    truck.milestones.append(Milestone(at, "datum_undetermined", None, detail, (told, 1, 9)))
    if cleared is not None:
        over_ = clock(cleared)
        truck.milestones.append(
            Milestone(over_, "datum_cleared", None, {"believed": believed}, (over_, 1, 12))
        )
    return truck


def test_fixes_in_another_datum_leave_it_undetermined(yard: GateYard):
    yard.watches_all()
    in_doubt(yard)
    yard.expect_at_gates(zone_exit_without_release="undetermined")


def test_and_that_ends_when_the_device_is_where_it_stood(yard: GateYard):
    yard.watches_all()
    in_doubt(yard, "14:05")
    finding = yard.finding(CODE)
    assert finding.verdict.outcome is Outcome.UNDETERMINED
    assert over(finding) == (clock("14:00"), clock("14:05"))


def test_where_they_are_believed_the_goods_left(yard: GateYard):
    yard.watches_all()
    in_doubt(yard, "14:05", believed=True).leaves("SIPCBZ-E", at="14:00")
    yard.expect_at_gates(zone_exit_without_release="critical")
