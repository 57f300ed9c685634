"""The decision at a gate: open, hold or inspect; the same answers as the rules give afterwards."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.observation import Direction, Gate, Seal, SealState
from tests.support.gate_yard import GateYard, PassType
from tests.support.yard import PVG_TO_SIP, clock
from tracking.domain.custody.case import open_case
from tracking.domain.custody.documents import PassState, Release, SealRecord
from tracking.domain.custody.gatehouse import place_of
from tracking.domain.custody.judge import DEFAULTS
from tracking.domain.custody.told import Report
from tracking.domain.custody.verdicts import Outcome, Severity
from tracking.domain.gates.decide import Arrival, Consignment, Decision, GatePolicy, decide, without_decision
from tracking.domain.gates.gathered import consignment, policy

TRUCK = "苏E33D71"


@pytest.fixture
def yard() -> GateYard:
    yard = GateYard()
    yard.holds("S-1", PVG_TO_SIP, since="06:00")
    return yard


def asked(yard: GateYard, report: Report, *goods: str, held_to: GatePolicy | None = None) -> Decision:
    """The decision by everything that the yard has recorded."""
    case = open_case(yard.facts(), report.time)
    earlier = tuple(
        (r, place_of(case.facts, r)) for r in case.facts.reports if isinstance(r.fact, Gate) and r != report
    )
    aboard = (consignment(case, report, goods),)
    place = place_of(case.facts, report)
    return decide(Arrival(report, place, case.facts.documents, earlier, aboard), held_to or policy(DEFAULTS))


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def says(decision: Decision) -> tuple[str, list[str]]:
    return decision.decision, codes(decision)


def test_a_good_pass_opens_and_is_used(yard: GateYard):
    yard.files_pass(containers=["BNDU1000010"], total_kg=41_200)
    report = yard.at_gate(at="11:16", containers=["BNDU1000010"], weight_kg=41_060)
    assert asked(yard, report) == Decision("open", (), "Z-1", uses_pass=True)


def test_no_pass_holds(yard: GateYard):
    decision = asked(yard, yard.at_gate(at="11:16"))
    assert says(decision) == ("hold", ["pass_missing_or_not_approved"])
    assert (decision.pass_number, decision.uses_pass) == (None, False)


def test_a_vehicle_that_nobody_knows_is_held(yard: GateYard):
    report = yard.at_gate(at="11:16")
    place = place_of(yard.facts(), report)
    assert decide(Arrival(report, place)).decision == "hold"


def test_a_port_s_gate_asks_for_no_pass(yard: GateYard):
    report = yard.at_gate("G-PVG-N1", at="08:41", direction=Direction.OUT)
    assert says(asked(yard, report)) == ("open", [])


def test_a_gate_that_leads_nobody_knows_where_is_inspected(yard: GateYard):
    report = yard.at_gate(at="11:16")
    nowhere = msgspec.structs.replace(place_of(yard.facts(), report), zone=None, zone_kind=None)
    assert says(decide(Arrival(report, nowhere))) == ("inspect", ["gate_unknown"])


@pytest.mark.parametrize("state", [PassState.VOID, PassState.DELETED])
def test_a_dead_pass_holds(yard: GateYard, state: PassState):
    yard.files_pass()
    yard.moves_pass("Z-1", state, at="09:00")
    assert says(asked(yard, yard.at_gate(at="11:16"))) == ("hold", ["pass_missing_or_not_approved"])


def test_a_look_alike_is_inspected_and_opened_when_an_officer_has_looked(yard: GateYard):
    yard.files_pass()
    report = yard.at_gate(plate="苏E33071", at="11:16", confidence=0.93, pass_number="Z-1", image="p/17.jpg")
    decision = asked(yard, report)
    assert says(decision) == ("inspect", ["wrong_vehicle_at_gate"])
    assert decision.reasons[0].outcome is Outcome.UNDETERMINED
    assert {"missing": "plate_confirmed", "picture": "p/17.jpg"} in decision.reasons[0].evidence
    assert not decision.uses_pass
    yard.confirms_plate(report, TRUCK, at="11:20")
    assert asked(yard, report) == Decision("open", (), "Z-1", uses_pass=True)


def test_another_vehicle_is_held_and_leaves_the_pass_alone(yard: GateYard):
    yard.files_pass()
    report = yard.at_gate(plate="沪BD818N", at="11:50", confidence=0.99, pass_number="Z-1")
    decision = asked(yard, report)
    assert says(decision) == ("hold", ["wrong_vehicle_at_gate"])
    assert (decision.pass_number, decision.uses_pass) == ("Z-1", False)


def test_a_second_use_holds(yard: GateYard):
    yard.files_pass()
    yard.at_gate(at="11:16", pass_number="Z-1")
    report = yard.at_gate(at="13:00", pass_number="Z-1")
    assert says(asked(yard, report)) == ("hold", ["pass_reused"])


def test_the_same_vehicle_read_again_in_its_lane_is_opened_again(yard: GateYard):
    yard.files_pass()
    yard.at_gate(at="11:16:00", pass_number="Z-1")
    report = yard.at_gate(at="11:16:40", pass_number="Z-1")
    assert says(asked(yard, report)) == ("open", [])


def test_weight(yard: GateYard):
    yard.files_pass("Z-1", total_kg=33_480)
    yard.files_pass("Z-2", "沪AD5127", total_kg=33_480)
    off = yard.at_gate(at="11:16", weight_kg=32_050)
    unweighed = yard.at_gate(plate="沪AD5127", at="11:30", weight_kg=0)
    assert says(asked(yard, off)) == ("inspect", ["gate_weight_mismatch"])
    assert says(asked(yard, unweighed)) == ("inspect", ["gate_weight_mismatch"])
    milder = msgspec.structs.replace(DEFAULTS["gate_weight_mismatch"], tol_pct=5.0)
    held_to = policy({**DEFAULTS, "gate_weight_mismatch": milder})
    assert says(asked(yard, off, held_to=held_to)) == ("open", [])


def test_an_empty_vehicle_that_is_not(yard: GateYard):
    yard.files_pass(type=PassType.EMPTY_VEHICLE, vehicle_kg=9_000)
    report = yard.at_gate(at="11:16", weight_kg=20_000)
    assert says(asked(yard, report)) == ("hold", ["empty_truck_not_empty"])


def test_containers(yard: GateYard):
    yard.files_pass(containers=["BNDU1000026", "BNDU1000031"])
    foreign = yard.at_gate(at="11:16", containers=["BNDU1000047"])
    half = yard.at_gate(at="11:30", containers=["BNDU1000026"])
    assert says(asked(yard, foreign)) == ("hold", ["wrong_container_at_gate"])
    assert says(asked(yard, half)) == ("inspect", ["wrong_container_at_gate"])


def test_a_number_that_fails_its_check_digit_opens_and_is_told(yard: GateYard):
    yard.files_pass(containers=["BNDU1000026"])
    report = yard.at_gate(at="11:16", containers=["BNDU1000027"])
    assert says(asked(yard, report)) == ("open", ["wrong_container_at_gate"])


def test_a_lane_for_staff_holds(yard: GateYard):
    yard.files_pass()
    report = yard.at_gate("G-SIPE-P1", at="11:16", direction=Direction.IN)
    assert says(asked(yard, report)) == ("hold", ["gate_bypass"])


def test_the_wrong_way_through_a_gate_is_inspected(yard: GateYard):
    yard.files_pass()
    report = yard.at_gate("G-SIPE-N2", at="11:16", direction=Direction.IN)
    assert says(asked(yard, report)) == ("inspect", ["direction_mismatch"])


# ---- seals


def sealed(yard: GateYard, seal: str = "ES-77031") -> None:
    yard.truck().enters("PVGCARGO", at="07:00").leaves("PVGCARGO", at="08:41").reports(at="22:00")
    yard.hears(Seal(seal, SealState.LOCKED), at="08:30", device="SIP/SEAL-1", kind="seal")


def test_another_seal_than_on_record_holds(yard: GateYard):
    yard.files_pass()
    sealed(yard)
    report = yard.at_gate(at="11:16", seals=["ES-77099"])
    decision = asked(yard, report)
    assert says(decision) == ("hold", ["seal_id_changed"])
    assert decision.reasons[0].text == "seal ES-77099 instead of ES-77031"
    assert yard.findings(rule="seal_id_changed", until="11:20")


def test_the_seal_on_record_opens_and_so_does_a_recorded_new_one(yard: GateYard):
    yard.files_pass()
    yard.files_pass("Z-2", approved="12:00")
    sealed(yard)
    assert says(asked(yard, yard.at_gate(at="11:16", seals=["ES-77031"]))) == ("open", [])
    yard.files(SealRecord("ES-77033", "ES-77031"), at="12:40")
    assert says(asked(yard, yard.at_gate(at="13:00", seals=["ES-77033"]))) == ("open", [])


def test_a_gate_that_reads_no_seals_says_nothing_of_them(yard: GateYard):
    yard.files_pass()
    sealed(yard)
    assert says(asked(yard, yard.at_gate(at="11:16"))) == ("open", [])


def test_the_seals_of_two_shipments_on_one_vehicle_are_none_of_each_other_s_business(yard: GateYard):
    yard.files_pass()
    report = yard.at_gate(at="11:16", seals=["ES-1", "ES-2"])
    place = place_of(yard.facts(), report)
    aboard = tuple(
        Consignment(f"S-{n}", expected_seals=frozenset({f"ES-{n}"}), known_seals=frozenset({f"ES-{n}"}))
        for n in (1, 2)
    )
    papers = tuple(yard.documents["S-1"])
    assert decide(Arrival(report, place, papers, (), aboard)).decision == "open"


# ---- release

OUT_OF_SIP: dict[str, Any] = {
    "legs": [
        {"type": "stay", "zones": ["SIPCBZ-E"]},
        {"type": "move", "from_zones": ["SIPCBZ-E"], "to_zones": ["PVGCARGO"], "needs_release": True},
    ]
}


def leaving(yard: GateYard, terms: dict[str, Any] = OUT_OF_SIP) -> Report:
    yard.holds("S-1", terms, since="06:00")
    yard.truck().enters("SIPCBZ-E", at="07:00").reports(at="22:00")
    yard.files_pass(direction=Direction.OUT)
    return yard.at_gate("G-SIPE-N2", at="14:00")


def test_goods_that_must_be_released_and_are_not_are_held(yard: GateYard):
    report = leaving(yard)
    assert says(asked(yard, report)) == ("hold", ["not_released"])
    yard.files(Release("released"), at="13:00")
    assert says(asked(yard, report)) == ("open", [])


def test_a_release_that_comes_after_the_report_is_none(yard: GateYard):
    report = leaving(yard)
    yard.files(Release("released"), at="14:01")
    assert says(asked(yard, report)) == ("hold", ["not_released"])


def test_where_the_terms_ask_for_no_release_none_is_missed(yard: GateYard):
    stay, move = OUT_OF_SIP["legs"]
    report = leaving(yard, {"legs": [stay, {**move, "needs_release": False}]})
    assert says(asked(yard, report)) == ("open", [])


def test_what_stays_until_it_is_released_does_not_leave_before(yard: GateYard):
    stay, move = OUT_OF_SIP["legs"]
    report = leaving(yard, {"legs": [{**stay, "needs_release": True}, {**move, "needs_release": False}]})
    assert says(asked(yard, report)) == ("hold", ["not_released"])


def test_one_parcel_on_hold_holds_the_vehicle(yard: GateYard):
    report = leaving(yard)
    yard.files(Release("released"), at="13:00")
    yard.files(Release("hold"), at="13:30", things=["P-001734"])
    (held,) = yard.documents["S-1"][-1].things
    assert says(asked(yard, report, held)) == ("hold", ["on_hold"])
    assert "P-001734" in asked(yard, report, held).reasons[0].text
    assert says(asked(yard, report, "urn:bondwatch:code:P-001735")) == ("open", [])


def test_what_comes_in_need_not_be_released(yard: GateYard):
    yard.files_pass()
    yard.files(Release("hold"), at="08:00")
    assert says(asked(yard, yard.at_gate(at="11:16"))) == ("open", [])


# ---- an officer's word, severities, no decision


@pytest.mark.parametrize("answer", ["open", "hold", "inspect"])
def test_an_officer_s_word_goes_before_everything(yard: GateYard, answer: str):
    yard.files_pass()
    report = yard.at_gate(plate="沪BD818N", at="11:16", pass_number="Z-1")
    yard.overrides(report, answer, at="11:20")
    decision = asked(yard, report)
    assert says(decision) == (answer, ["gate_override", "wrong_vehicle_at_gate"])
    assert decision.uses_pass is (answer == "open")
    assert decision.reasons[0].text == "known to me"


def test_the_gravest_reason_stands_first(yard: GateYard):
    yard.files_pass(total_kg=41_200, containers=["BNDU1000026"])
    report = yard.at_gate(at="11:16", containers=["BNDU1000047"], weight_kg=20_000)
    assert says(asked(yard, report)) == ("hold", ["wrong_container_at_gate", "gate_weight_mismatch"])


def test_severities_that_a_park_sets_decide(yard: GateYard):
    yard.files_pass(total_kg=33_480)
    report = yard.at_gate(at="11:16", weight_kg=32_050)
    graver = policy(DEFAULTS, {"gate_weight_mismatch": Severity.CRITICAL})
    milder = policy(DEFAULTS, {"gate_weight_mismatch": Severity.MINOR})
    assert asked(yard, report, held_to=graver).decision == "hold"
    assert asked(yard, report, held_to=milder).decision == "open"


def test_without_a_decision_the_gate_does_what_it_is_set_to():
    assert without_decision(GatePolicy(), "no answer within 2 s").decision == "hold"
    decision = without_decision(policy(DEFAULTS, fallback="inspect"), "no answer within 2 s")
    assert says(decision) == ("inspect", ["no_decision"])


# ---- decision and rules agree


@given(st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_the_barrier_and_the_rules_say_the_same(dice):
    """A vehicle that comes alone is held exactly where a rule about passages finds something critical."""
    yard = GateYard()
    yard.holds("S-1", PVG_TO_SIP, since="06:00")
    for number in ("Z-1", "Z-2"):
        yard.files_pass(
            number,
            dice.choice((TRUCK, "沪BD818N")),
            approved=dice.choice((None, "08:10")),
            direction=dice.choice(list(Direction)),
            type=dice.choice((PassType.FIRST_LINE, PassType.EMPTY_VEHICLE)),
            vehicle_kg=9_000,
            total_kg=dice.choice((None, 20_000)),
            containers=dice.choice(((), ("BNDU1000026",))),
        )
    report = yard.at_gate(
        dice.choice(("G-SIPE-N1", "G-SIPE-S1", "G-SIPE-P1", "G-PVG-N1")),
        dice.choice((TRUCK, "苏E33071", "沪BD818N", None)),
        at="11:16",
        direction=dice.choice(list(Direction)),
        confidence=dice.choice((0.5, 0.95)),
        pass_number=dice.choice((None, "Z-1", "Z-2")),
        containers=dice.choice(([], ["BNDU1000026"], ["BNDU1000047"])),
        weight_kg=dice.choice((None, 9_100, 20_100, 30_000)),
    )
    decision = asked(yard, report)
    found = {f.verdict.rule: f.verdict for f in yard.findings(until=str(clock("11:16").strftime("%H:%M")))}
    told = {reason.code: reason for reason in decision.reasons}
    assert told.keys() == found.keys()
    assert all(told[code].severity is found[code].severity for code in told)
    assert all(told[code].outcome is found[code].outcome for code in told)
    assert (decision.decision == "hold") is any(v.severity is Severity.CRITICAL for v in found.values())
