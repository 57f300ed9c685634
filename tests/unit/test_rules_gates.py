"""B1 to B3, B5 to B8, B10, A6 and A7: fire, don't fire, close, and survive reordering."""

from __future__ import annotations

import pytest

from devices.observation import Direction, micros
from tests.support.gate_yard import GateYard, PassType
from tests.support.yard import PVG_TO_SIP, clock, over
from tracking.domain.custody.documents import Binding, PassState
from tracking.domain.custody.facts import Milestone
from tracking.domain.custody.verdicts import Finding, Outcome

TRUCK = "苏E33D71"


@pytest.fixture
def yard() -> GateYard:
    yard = GateYard()
    yard.holds("S-1", PVG_TO_SIP, since="06:00")
    return yard


def with_(yard: GateYard, **rules: dict[str, object]) -> None:
    terms = {**PVG_TO_SIP, "rules": {code: {"parameters": values} for code, values in rules.items()}}
    yard.holds("S-1", terms, since="06:00")


def says(finding: Finding) -> str:
    return next(str(piece["says"]) for piece in finding.verdict.evidence if "says" in piece)


def test_a_truck_with_its_pass_passes_without_a_word(yard: GateYard):
    yard.files_pass(containers=["BNDU1000010"], total_kg=41_200)
    yard.at_gate("G-PVG-N1", at="08:41", direction=Direction.OUT, containers=["BNDU1000010"])
    yard.at_gate(at="11:16", containers=["BNDU1000010"], weight_kg=41_060)
    yard.expect_at_gates()


# ---- B1 pass_missing_or_not_approved


def test_no_pass_at_all(yard: GateYard):
    yard.at_gate(at="11:16")
    yard.expect_at_gates(pass_missing_or_not_approved="critical")
    finding = yard.finding("pass_missing_or_not_approved")
    assert over(finding) == (clock("11:16"), None)
    assert finding.verdict.cause == "SIPCBZ-E"


@pytest.mark.parametrize(
    ("word", "said"), [(None, "not approved"), (PassState.VOID, "void"), (PassState.DELETED, "deleted")]
)
def test_a_pass_that_is_not_approved(yard: GateYard, word: PassState | None, said: str):
    yard.files_pass(approved=None)
    if word is not None:
        yard.moves_pass("Z-1", word, at="09:00")
    yard.at_gate(at="11:16")
    yard.expect_at_gates(pass_missing_or_not_approved="critical")
    assert said in says(yard.finding("pass_missing_or_not_approved"))


def test_a_pass_for_another_zone(yard: GateYard):
    yard.files_pass(zone="KSCBZ")
    yard.at_gate(at="11:16", pass_number="Z-1")
    yard.expect_at_gates(pass_missing_or_not_approved="critical")
    assert "another zone" in says(yard.finding("pass_missing_or_not_approved"))


def test_ports_and_airports_are_left_without_a_pass(yard: GateYard):
    yard.at_gate("G-PVG-N1", at="08:41", direction=Direction.OUT)
    yard.expect_at_gates()
    with_(yard, pass_missing_or_not_approved={"zone_kinds": ["airport"]})
    yard.expect_at_gates(pass_missing_or_not_approved="critical")


def test_a_pass_of_type_1_needs_no_declaration(yard: GateYard):
    yard.files_pass(type=PassType.ENTER_FIRST, zone="KSCBZ")
    yard.at_gate("G-KS-N1", at="10:24")
    yard.expect_at_gates()


def test_it_closes_when_the_goods_come_with_a_pass(yard: GateYard):
    yard.at_gate(at="11:16")
    yard.at_gate(at="11:20")
    yard.files_pass(approved="11:30")
    yard.at_gate(at="11:40")
    yard.expect_at_gates(pass_missing_or_not_approved="critical")
    finding = yard.finding("pass_missing_or_not_approved")
    assert over(finding) == (clock("11:16"), clock("11:40"))


def test_it_closes_when_an_officer_lets_them_through(yard: GateYard):
    report = yard.at_gate(at="11:16")
    yard.overrides(report, "open", at="11:22")
    assert over(yard.finding("pass_missing_or_not_approved")) == (clock("11:16"), clock("11:22"))


def test_a_pass_that_becomes_known_late_withdraws_it(yard: GateYard):
    yard.at_gate(at="11:16")
    yard.files_pass()
    yard.expect_at_gates()


def test_somewhat_early_is_a_parameter(yard: GateYard):
    yard.files_pass(approved="11:20")
    yard.at_gate(at="11:16")
    yard.expect_at_gates(pass_missing_or_not_approved="critical")
    with_(yard, pass_missing_or_not_approved={"early_tolerance_min": 5})
    yard.expect_at_gates()


def entered_unseen(yard: GateYard, *, last_heard: str = "10:20") -> None:
    """Into KSCBZ at 10:24; its gate was not heard then."""
    yard.truck(begins="06:00").enters("KSCBZ", at="10:24").reports(at="20:00")
    yard.watches("G-KS-N1", last_heard=last_heard, silent=[(last_heard, None)])


def test_while_the_gate_is_offline_it_is_undetermined(yard: GateYard):
    entered_unseen(yard)
    yard.expect_at_gates(until="10:30", pass_missing_or_not_approved="undetermined")
    finding = yard.finding("pass_missing_or_not_approved", until="16:23")
    assert over(finding) == (clock("10:24"), None)
    assert yard.judged(until="16:00").next_due == clock("16:24")
    assert over(yard.finding("pass_missing_or_not_approved", until="16:24"))[1] == clock("16:24")
    with_(yard, pass_missing_or_not_approved={"offline_wait_h": 2})
    assert over(yard.finding("pass_missing_or_not_approved", until="16:24"))[1] == clock("12:24")


def test_after_the_backlog_it_is_as_if_the_gate_had_been_online(yard: GateYard):
    yard.files_pass(zone="KSCBZ", vehicle="苏E5K302", type=PassType.ENTER_FIRST)
    entered_unseen(yard, last_heard="09:00")
    yard.expect_at_gates(until="14:59", pass_missing_or_not_approved="undetermined")
    yard.at_gate("G-KS-N1", "苏E5K302", at="10:24:47")
    yard.watches("G-KS-N1", last_heard="15:00")
    yard.expect_at_gates(until="15:01")


def test_an_entry_that_a_gate_in_the_window_reported_is_not_undetermined(yard: GateYard):
    yard.files_pass(zone="KSCBZ")
    entered_unseen(yard)
    yard.at_gate("G-KS-N1", at="10:30")
    yard.expect_at_gates(until="11:00")
    with_(yard, pass_missing_or_not_approved={"gate_match_window_min": 5})
    yard.expect_at_gates(until="11:00", pass_missing_or_not_approved="undetermined")


# ---- B2 wrong_vehicle_at_gate


def s8c(yard: GateYard) -> tuple[Finding, ...]:
    return tuple(yard.findings(rule="wrong_vehicle_at_gate"))


def test_a_look_alike_asks_for_a_look_at_the_picture(yard: GateYard):
    yard.files_pass()
    report = yard.at_gate(plate="苏E33071", at="11:16", confidence=0.93, pass_number="Z-1", image="p/17.jpg")
    yard.expect_at_gates(wrong_vehicle_at_gate="undetermined")
    (asked,) = s8c(yard)
    assert {"missing": "plate_confirmed", "picture": "p/17.jpg"} in asked.verdict.evidence
    yard.confirms_plate(report, TRUCK, at="11:20")
    (answered,) = s8c(yard)
    assert answered.verdict.outcome is Outcome.UNDETERMINED
    assert over(answered) == (clock("11:16"), clock("11:20"))


def test_then_another_vehicle_is_critical_and_leaves_the_pass_approved(yard: GateYard):
    yard.files_pass()
    yard.at_gate(plate="苏E33071", at="11:16", confidence=0.93, pass_number="Z-1")
    yard.at_gate(plate="沪BD818N", at="11:50", confidence=0.99, pass_number="Z-1")
    doubtful, wrong = s8c(yard)
    assert (doubtful.verdict.outcome, wrong.verdict.outcome) == (Outcome.UNDETERMINED, Outcome.FINDING)
    assert (wrong.verdict.severity.value, wrong.verdict.cause) == ("critical", "Z-1")
    assert yard.book().passes["Z-1"].state is PassState.APPROVED
    assert not yard.findings(rule="pass_reused")


def test_another_vehicle_with_a_pass_that_was_used_is_no_second_use(yard: GateYard):
    yard.files_pass()
    yard.at_gate(at="11:16", pass_number="Z-1")
    yard.at_gate(plate="沪BD818N", at="11:50", confidence=0.99, pass_number="Z-1")
    yard.expect_at_gates(wrong_vehicle_at_gate="critical")


def test_it_closes_when_the_right_vehicle_uses_the_pass(yard: GateYard):
    yard.files_pass()
    yard.at_gate(plate="沪BD818N", at="11:16", pass_number="Z-1")
    yard.at_gate(at="11:40", pass_number="Z-1")
    assert over(yard.finding("wrong_vehicle_at_gate")) == (clock("11:16"), clock("11:40"))


def test_an_officer_who_reads_another_plate_makes_it_a_finding(yard: GateYard):
    yard.files_pass()
    report = yard.at_gate(plate="苏E33071", at="11:16", pass_number="Z-1")
    yard.confirms_plate(report, "苏E33071", at="11:20")
    yard.expect_at_gates(wrong_vehicle_at_gate="critical")
    assert over(yard.finding("wrong_vehicle_at_gate")) == (clock("11:16"), None)


def test_how_sure_a_camera_must_be_is_a_parameter(yard: GateYard):
    yard.files_pass()
    yard.at_gate(at="11:16", confidence=0.85)
    yard.expect_at_gates(wrong_vehicle_at_gate="undetermined")
    with_(yard, wrong_vehicle_at_gate={"min_ocr_conf": 0.8})
    yard.expect_at_gates()


def test_only_the_tractor_s_plate_counts(yard: GateYard):
    yard.files_pass(trailer="沪A998挂")
    yard.at_gate(at="11:16", trailer_plate="沪A111挂")
    yard.expect_at_gates()


# ---- B3 wrong_container_at_gate


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (["BNDU1000026", "BNDU1000031"], None),
        (["BNDU1000031", "bndu 100002-6"], None),
        ([], None),
        (["BNDU1000047", "BNDU1000031"], "critical"),
        (["BNDU1000026", "BNDU1000032"], "minor"),
        (["BNDU1000026"], "undetermined"),
    ],
)
def test_containers(yard: GateYard, read: list[str], said: str | None):
    yard.files_pass(containers=["BNDU1000026", "BNDU1000031"])
    yard.at_gate(at="11:16", containers=read)
    yard.expect_at_gates(**({} if said is None else {"wrong_container_at_gate": said}))


def test_a_pass_without_containers_says_nothing_of_them(yard: GateYard):
    yard.files_pass()
    yard.at_gate(at="11:16", containers=["BNDU1000047"])
    yard.expect_at_gates()


def test_the_wrong_container_closes_when_the_right_one_comes(yard: GateYard):
    yard.files_pass(containers=["BNDU1000026"])
    yard.at_gate(at="11:16", containers=["BNDU1000047"])
    yard.at_gate(at="12:30", containers=["BNDU1000026"])
    assert over(yard.finding("wrong_container_at_gate")) == (clock("11:16"), clock("12:30"))


# ---- B5 pass_reused


def test_a_second_use_is_critical(yard: GateYard):
    yard.files_pass()
    yard.at_gate(at="11:16", pass_number="Z-1")
    yard.at_gate(at="13:00", pass_number="Z-1")
    yard.expect_at_gates(pass_reused="critical")
    finding = yard.finding("pass_reused")
    assert over(finding) == (clock("13:00"), None)
    yard.files_pass("Z-2", approved="13:30")
    yard.at_gate(at="14:00", pass_number="Z-2")
    assert over(yard.finding("pass_reused")) == (clock("13:00"), clock("14:00"))


def test_standing_in_the_lane_is_no_second_use(yard: GateYard):
    yard.files_pass()
    yard.at_gate(at="11:16:00", pass_number="Z-1")
    yard.at_gate(at="11:16:50", pass_number="Z-1")
    yard.expect_at_gates()


def test_the_second_of_two_gates_is_no_second_use(yard: GateYard):
    yard.files_pass(two_gates=True)
    yard.at_gate("G-SIPE-N1", at="11:16")
    yard.at_gate("G-SIPE-S1", at="11:40", direction=Direction.IN)
    yard.expect_at_gates()


# ---- B6 pass_expired_unused


def test_an_unused_pass_expires_exactly_then(yard: GateYard):
    yard.files_pass(approved="08:10")
    assert yard.judged(until="23:00").next_due == clock("+1 08:10")
    yard.expect_at_gates(until="+1 08:09:59")
    yard.expect_at_gates(until="+1 08:10", pass_expired_unused="minor")
    yard.moves_pass("Z-1", PassState.VOID, at="+1 09:00")
    assert over(yard.finding("pass_expired_unused", until="+1 10:00")) == (
        clock("+1 08:10"),
        clock("+1 09:00"),
    )


def test_a_pass_used_in_time_or_not_approved_does_not_expire(yard: GateYard):
    yard.files_pass("Z-1")
    yard.files_pass("Z-2", "沪AD5127", approved=None)
    yard.at_gate(at="23:00")
    yard.expect_at_gates(until="+2 12:00")


def test_how_long_it_is_valid_is_a_parameter(yard: GateYard):
    yard.files_pass(approved="08:10")
    with_(yard, pass_expired_unused={"valid_h": 2})
    yard.expect_at_gates(until="10:10", pass_expired_unused="minor")


# ---- B7 multi_truck_incomplete


def several(yard: GateYard, count: int = 3) -> None:
    for at in range(count):
        yard.files_pass(
            f"Z-{at}", f"沪A1000{at}", binding=Binding.ONE_BILL_MANY_VEHICLES, relates=["QD311124I000067647"]
        )


def test_a_bill_whose_vehicles_do_not_all_come(yard: GateYard):
    with_(yard, pass_expired_unused={"valid_h": 1000})
    several(yard)
    yard.expect_at_gates(until="+5 00:00")
    yard.at_gate(plate="沪A10000", at="11:16")
    yard.at_gate(plate="沪A10001", at="12:16")
    assert yard.judged(until="+1 09:00").next_due == clock("+2 11:16")
    yard.expect_at_gates(until="+2 11:15:59")
    yard.expect_at_gates(until="+2 11:16", multi_truck_incomplete="major")
    yard.at_gate(plate="沪A10002", at="+2 15:00")
    finding = yard.finding("multi_truck_incomplete", until="+2 16:00")
    assert over(finding) == (clock("+2 11:16"), clock("+2 15:00"))
    assert finding.verdict.cause == "QD311124I000067647"


def test_all_in_time_or_void_is_complete(yard: GateYard):
    several(yard)
    yard.at_gate(plate="沪A10000", at="11:16")
    yard.at_gate(plate="沪A10001", at="12:16")
    yard.moves_pass("Z-2", PassState.VOID, at="20:00")
    yard.expect_at_gates(until="+5 00:00")


def test_other_bindings_wait_for_nobody(yard: GateYard):
    yard.files_pass("Z-1", relates=["QD1"])
    yard.files_pass("Z-2", "沪AD5127", relates=["QD1"], approved=None)
    yard.at_gate(at="11:16")
    yard.expect_at_gates(until="+5 00:00")


def test_how_long_a_bill_may_take_is_a_parameter(yard: GateYard):
    several(yard, 2)
    with_(yard, multi_truck_incomplete={"complete_within_h": 1})
    yard.at_gate(plate="沪A10000", at="11:16")
    yard.expect_at_gates(until="12:16", multi_truck_incomplete="major")


# ---- B8 direction_mismatch


def test_a_pass_for_the_other_direction(yard: GateYard):
    yard.files_pass(direction=Direction.OUT)
    yard.at_gate("G-SIPE-N1", at="11:16", pass_number="Z-1")
    yard.expect_at_gates(direction_mismatch="major", pass_missing_or_not_approved="critical")
    assert "with a pass for out" in says(yard.finding("direction_mismatch"))


def test_a_gate_that_is_built_for_the_other_direction(yard: GateYard):
    yard.files_pass()
    yard.at_gate("G-SIPE-N2", at="11:16", direction=Direction.IN)
    yard.expect_at_gates(direction_mismatch="major")
    assert yard.finding("direction_mismatch").verdict.cause == "G-SIPE-N2"


def test_a_gate_for_both_directions_is_built_for_either(yard: GateYard):
    yard.files_pass()
    yard.at_gate("G-SIPE-S1", at="11:16", direction=Direction.IN)
    yard.expect_at_gates()


# ---- B10 gate_without_video


def test_no_picture_after_a_minute(yard: GateYard):
    yard.files_pass()
    yard.at_gate(at="11:16", image=None)
    assert yard.judged(until="11:16:30").next_due == clock("11:17")
    yard.expect_at_gates(until="11:16:59")
    yard.expect_at_gates(until="11:17", gate_without_video="minor")
    assert over(yard.finding("gate_without_video")) == (clock("11:16"), clock("11:17"))


def test_a_picture_that_comes_with_the_next_report_is_one(yard: GateYard):
    yard.files_pass()
    yard.at_gate(at="11:16:00", image=None)
    yard.at_gate(at="11:16:40")
    yard.expect_at_gates()
    with_(yard, gate_without_video={"window_s": 30})
    yard.expect_at_gates(gate_without_video="minor")


# ---- A6 gate_bypass


def test_goods_in_a_lane_for_staff(yard: GateYard):
    yard.files_pass()
    yard.at_gate("G-SIPE-P1", at="11:16", direction=Direction.IN)
    yard.expect_at_gates(gate_bypass="critical")
    yard.files_pass("Z-2")
    yard.at_gate("G-SIPE-N1", at="12:00", pass_number="Z-2")
    assert over(yard.finding("gate_bypass")) == (clock("11:16"), clock("12:00"))


def test_a_lane_that_the_report_itself_calls_so(yard: GateYard):
    yard.files_pass()
    yard.at_gate("G-SIPE-N1", at="11:16", lane="staff_no_goods")
    yard.expect_at_gates(gate_bypass="critical")


def crosses_at(yard: GateYard, lon: float, lat: float, *, gap_s: int = 30, accuracy_m: float = 10) -> None:
    """Into SIPCBZ-E at 11:16, from 100 m further north."""
    truck = yard.truck().reports(at="20:00")
    at = clock("11:16")
    detail = {
        "lon": lon,
        "lat": lat,
        "accuracy_m": accuracy_m,
        "before_at": [lon, lat + 0.0009],
        "first": [micros(at), 1, 2],
        "before": [micros(at) - gap_s * 1_000_000, 1, 1],
    }
    truck.milestones.append(Milestone(at, "entered", "SIPCBZ-E", detail, (at, 1, 3)))


def test_a_border_crossed_far_from_every_gate(yard: GateYard):
    yard.watches_all()
    crosses_at(yard, 120.8180, 31.3455)
    yard.expect_at_gates(gate_bypass="critical")
    finding = yard.finding("gate_bypass")
    assert over(finding) == (clock("11:16"), None)
    (distance,) = [piece["from_gates_m"] for piece in finding.verdict.evidence if "from_gates_m" in piece]
    assert 430 < distance < 460  # 4.8 thousandths of a degree east of G-SIPE-N2, less 10 m
    with_(yard, gate_bypass={"max_gate_m": 500})
    yard.expect_at_gates()


def test_a_border_crossed_at_a_gate(yard: GateYard):
    yard.watches_all()
    crosses_at(yard, 120.8133, 31.3455)
    yard.expect_at_gates()


def test_sparse_fixes_and_doubtful_ones_bypass_nothing(yard: GateYard):
    yard.watches_all()
    crosses_at(yard, 120.8180, 31.3455, gap_s=61)
    yard.expect_at_gates()
    with_(yard, gate_bypass={"max_fix_gap_s": 61})
    yard.expect_at_gates(gate_bypass="critical")


def test_within_the_fix_s_accuracy_it_is_at_the_gate(yard: GateYard):
    yard.watches_all()
    crosses_at(yard, 120.8180, 31.3455, accuracy_m=320)
    yard.expect_at_gates()


def test_whom_a_gate_reported_bypassed_none(yard: GateYard):
    yard.watches_all()
    yard.files_pass()
    crosses_at(yard, 120.8180, 31.3455)
    yard.at_gate(at="11:15")
    yard.expect_at_gates()


def test_while_a_gate_is_offline_a_bypass_is_undetermined(yard: GateYard):
    yard.watches_all()
    yard.watches("G-SIPE-N1", last_heard="11:00", silent=[("11:00", None)])
    crosses_at(yard, 120.8180, 31.3455)
    yard.expect_at_gates(
        until="12:00", gate_bypass="undetermined", pass_missing_or_not_approved="undetermined"
    )
    found = yard.finding("gate_bypass", until="17:16")
    assert (found.verdict.outcome, over(found)) == (Outcome.FINDING, (clock("11:16"), None))


# ---- A7 two_gate_sequence


def test_the_second_gate_is_missing(yard: GateYard):
    yard.files_pass(two_gates=True)
    yard.at_gate("G-SIPE-N1", at="11:16")
    assert yard.judged(until="13:00").next_due == clock("13:16")
    yard.expect_at_gates(until="13:15:59")
    yard.expect_at_gates(until="13:16", two_gate_sequence="major")
    yard.at_gate("G-SIPE-S1", at="14:00", direction=Direction.IN)
    assert over(yard.finding("two_gate_sequence")) == (clock("13:16"), clock("14:00"))


def test_one_gate_is_enough_for_a_pass_for_one(yard: GateYard):
    yard.files_pass()
    yard.at_gate("G-SIPE-N1", at="11:16")
    yard.expect_at_gates()


def test_how_long_between_two_gates_is_a_parameter(yard: GateYard):
    yard.files_pass(two_gates=True)
    with_(yard, two_gate_sequence={"max_between_min": 30})
    yard.at_gate("G-SIPE-N1", at="11:16")
    yard.expect_at_gates(until="11:46", two_gate_sequence="major")
