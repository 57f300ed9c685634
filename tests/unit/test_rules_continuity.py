"""H1: the chain of custody, as a verdict, and the findings where nobody else tells of a gap."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from devices.observation import Action, Direction, Gate, Handover, Role, Scan, Seal, SealState
from tests.support.yard import EPOCH, Truck, Yard, clock, over
from tracking.domain.custody.case import open_case
from tracking.domain.custody.continuity import Continuity, ContinuityReport, as_json, continuity, measured
from tracking.domain.custody.custodians import custodians
from tracking.domain.custody.documents import SealRecord, Status
from tracking.domain.custody.facts import AreaRevision, GateWatch
from tracking.domain.custody.judge import judge

BOX = "BNDU1000010"
AIR, ROAD, STORE = "91310115MA1WDEM06X", "91320594MA1WDEM02P", "91320594MA1WDEM01L"


def terms(*custodians: str | None, corridor: str = "C-PVG-SIPE", **move: Any) -> dict[str, Any]:
    legs: list[dict[str, Any]] = [
        {"type": "stay", "zones": ["PVGCARGO"]},
        {
            "type": "move", "from_zones": ["PVGCARGO"], "corridor": corridor, "to_zones": ["SIPCBZ-E"],
            **move,
        },
        {"type": "stay", "zones": ["SIPCBZ-E"]},
    ]  # fmt: skip
    for leg, party in zip(legs, custodians, strict=False):
        if party is not None:
            leg["custodian"] = party
    return {"legs": legs}


@pytest.fixture
def yard() -> Yard:
    yard = Yard()
    yard.areas["G-PVG-N1"] = (AreaRevision("G-PVG-N1", "gate", False, "PVGCARGO", 1, EPOCH),)
    for gate, zone in (("G-PVG-N1", "PVGCARGO"), ("G-SIPE-N1", "SIPCBZ-E")):
        yard.gates.append(GateWatch(gate, zone, f"SIP/{gate}", 3600, clock("22:59"), ()))
    return yard


def journey(yard: Yard, held: dict[str, Any] | None = None) -> Truck:
    """S1, without gates and seals: PVG to SIP, 08:41 to 11:16."""
    yard.holds_goods(BOX)
    truck = yard.truck(terms=held or terms(), every_s=3600).enters("PVGCARGO", at="08:00")
    truck.returns("C-PVG-SIPE", at="08:00").leaves("PVGCARGO", at="08:43").reports(at="10:00")
    return truck.enters("SIPCBZ-E", at="11:14").reports(at="22:59")


def passes(yard: Yard, gate: str, direction: Direction, at: str, **more: Any) -> None:
    fact = Gate(gate, "1", direction, plate="沪AD5127", containers=[BOX], **more)
    yard.hears(fact, at=at, device=f"SIP/{gate}", kind="gate", things=[BOX])


def both_gates(yard: Yard) -> None:
    passes(yard, "G-PVG-N1", Direction.OUT, "08:41")
    passes(yard, "G-SIPE-N1", Direction.IN, "11:16", weight_kg=41_060.0)


def hands_over(yard: Yard, giver: str, taker: str, at: str, *roles: Role, code: str = BOX) -> None:
    for role in roles or (Role.GIVER, Role.TAKER):
        yard.hears(Handover(giver, taker, role, code=code), at=at, device=f"SIP/HH-{role.value}")


def reported(yard: Yard, until: str = "23:00") -> ContinuityReport:
    facts = yard.facts()
    case = open_case(facts, clock(until))
    return measured(continuity(case, judge(facts, clock(until)).findings), case)


def findings(yard: Yard, until: str = "23:00") -> list[Any]:
    return yard.findings(until=until, rule="custody_continuity")


# ---- the verdict


def test_the_clean_run_is_continuous_and_every_link_has_its_facts(yard):
    journey(yard, terms(AIR, ROAD, STORE))
    yard.hears(
        Seal("ES-77001", SealState.LOCKED), at="08:30", device="SIP/ES-77001", kind="seal", things=[BOX]
    )
    both_gates(yard)
    report = reported(yard)
    assert (report.verdict, report.gaps, report.breaks) == (Continuity.CONTINUOUS, (), ())
    departure, arrival = report.links
    assert (departure.kind, departure.witness, departure.place) == ("departure", "gate", "G-PVG-N1")
    assert (departure.time, departure.giver, departure.taker) == (clock("08:41"), AIR, ROAD)
    assert (arrival.kind, arrival.place, arrival.giver, arrival.taker) == (
        "arrival",
        "G-SIPE-N1",
        ROAD,
        STORE,
    )
    assert (arrival.weight_kg, arrival.count, arrival.uom) == (41_060.0, 1, "containers")
    assert departure.seals == arrival.seals == ("ES-77001",)
    assert findings(yard) == []


def test_a_handover_on_the_way_is_a_link_and_so_is_a_new_seal(yard):
    journey(yard)
    both_gates(yard)
    hands_over(yard, AIR, ROAD, "09:30")
    yard.files(SealRecord("ES-77033", replaces="ES-77032"), at="10:40", things=[BOX])
    report = reported(yard)
    assert report.verdict is Continuity.CONTINUOUS
    assert [link.kind for link in report.links] == ["departure", "handover", "seal", "arrival"]
    assert (report.links[1].giver, report.links[1].taker) == (AIR, ROAD)
    assert report.links[2].seals == ("ES-77033",)


def test_a_shipment_under_way_is_continuous_so_far(yard):
    yard.truck(terms=terms()).enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="08:43")
    passes(yard, "G-PVG-N1", Direction.OUT, "08:41")
    report = reported(yard, until="08:45")
    assert (report.verdict, report.is_complete) == (Continuity.CONTINUOUS, False)


def test_a_silence_beyond_the_limit_is_a_gap(yard):
    truck = journey(yard, terms(max_silence_s=1800))
    truck.paused(since="09:00", until="09:50")
    both_gates(yard)
    report = reported(yard)
    assert report.verdict is Continuity.GAP
    assert [(g.why, g.begins, g.ends) for g in report.gaps] == [
        ("device_silent", clock("09:30"), clock("09:50"))
    ]


def test_a_cut_seal_breaks_it_and_is_no_second_finding(yard):
    journey(yard)
    both_gates(yard)
    for state, at in ((SealState.LOCKED, "08:30"), (SealState.CUT, "09:30")):
        yard.hears(Seal("ES-77031", state), at=at, device="SIP/ES-77031", kind="seal", things=[BOX])
    report = reported(yard)
    assert report.verdict is Continuity.BROKEN
    assert "seal_broken_in_transit" in {found.why for found in report.breaks}
    assert findings(yard) == []


def test_a_one_sided_handover_is_a_gap(yard):
    journey(yard)
    both_gates(yard)
    hands_over(yard, AIR, ROAD, "09:30", Role.GIVER)
    report = reported(yard)
    assert [gap.why for gap in report.gaps] == ["handover_unconfirmed"]
    assert report.verdict is Continuity.GAP


def test_the_report_is_ready_for_json(yard):
    journey(yard)
    both_gates(yard)
    told = as_json(reported(yard))
    assert told["verdict"] == "continuous"
    assert told["links"][0]["time"] == "2026-03-10T08:41:00Z"


def test_it_is_how_a_shipment_stands_without_what_sensors_may_still_tell(yard):
    journey(yard)
    both_gates(yard)
    told = judge(yard.facts(), clock("23:00")).state["continuity"]
    assert (told["verdict"], told["gaps"], told["breaks"]) == ("continuous", [], [])
    assert [(link["kind"], link["place"]) for link in told["links"]] == [
        ("departure", "G-PVG-N1"),
        ("arrival", "G-SIPE-N1"),
    ]
    assert not any("temperature_c" in link for link in told["links"])
    assert "unobserved" not in told


def test_after_a_shipment_s_closing_nothing_is_a_link(yard):
    journey(yard)
    both_gates(yard)
    facts = msgspec.structs.replace(yard.facts(), closed_at=clock("10:00"))
    told = judge(facts, clock("23:00")).state["continuity"]
    assert [link["kind"] for link in told["links"]] == ["departure"]


# ---- the rule


def test_a_departure_past_a_listening_gate_without_its_word_is_a_gap(yard):
    journey(yard)
    passes(yard, "G-SIPE-N1", Direction.IN, "11:16")
    assert yard.judged(until="09:00").next_due == clock("09:43")
    assert findings(yard, until="09:42:59") == []
    (found,) = findings(yard, until="09:43")
    assert (found.verdict.cause, found.verdict.severity) == ("out PVGCARGO", "minor")
    assert over(found) == (clock("09:43"), clock("11:14"))
    report = reported(yard)
    assert [(g.why, g.begins, g.ends) for g in report.gaps] == [("passage", clock("08:43"), clock("11:14"))]


def test_a_confirmed_handover_is_a_witness_as_good(yard):
    journey(yard)
    hands_over(yard, AIR, ROAD, "08:35")
    passes(yard, "G-SIPE-N1", Direction.IN, "11:16")
    assert findings(yard) == []


@pytest.mark.parametrize(
    ("gate", "direction", "at"),
    [
        ("G-PVG-N1", Direction.IN, "08:41"),
        ("G-SIPE-N1", Direction.OUT, "08:41"),
        ("G-PVG-N1", Direction.OUT, "07:42"),
    ],
)
def test_another_gate_direction_or_hour_is_no_witness(yard, gate, direction, at):
    journey(yard)
    passes(yard, gate, direction, at)
    assert "out PVGCARGO" in {found.verdict.cause for found in findings(yard)}


def test_how_near_a_witness_must_be_is_a_parameter(yard):
    held = {**terms(), "rules": {"custody_continuity": {"parameters": {"witness_within_min": 1}}}}
    journey(yard, held)
    both_gates(yard)
    assert {found.verdict.cause for found in findings(yard)} == {"out PVGCARGO", "in SIPCBZ-E"}


def test_while_the_gate_is_offline_nobody_can_tell(yard):
    journey(yard)
    passes(yard, "G-PVG-N1", Direction.OUT, "08:41")
    yard.gates[1] = GateWatch("G-SIPE-N1", "SIPCBZ-E", "SIP/G-SIPE-N1", 60, clock("09:00"), ())
    (found,) = findings(yard, until="14:00")
    assert (found.verdict.outcome, found.verdict.severity) == ("undetermined", "info")
    passes(yard, "G-SIPE-N1", Direction.IN, "11:16")
    assert findings(yard, until="15:00") == []


def test_leaving_a_zone_of_closed_management_is_another_rule_s(yard):
    yard.areas["PVGCARGO"] = (AreaRevision("PVGCARGO", "cbz", True, None, 1, EPOCH),)
    journey(yard)
    passes(yard, "G-SIPE-N1", Direction.IN, "11:16")
    assert findings(yard) == []


def test_without_gates_the_track_is_enough(yard):
    yard.gates.clear()
    journey(yard)
    assert findings(yard) == []
    assert reported(yard).verdict is Continuity.CONTINUOUS


def test_a_train_passes_no_truck_gates(yard):
    rail = AreaRevision("C-PVG-SIPE", "corridor", False, None, 1, EPOCH, properties={"mode": "rail"})
    yard.areas["C-PVG-SIPE"] = (rail,)
    journey(yard)
    assert findings(yard) == []
    assert [link.witness for link in reported(yard).links] == ["track", "track"]


def test_other_hands_by_the_terms_alone_are_a_gap(yard):
    yard.gates.clear()
    journey(yard, terms(AIR, ROAD, None))
    (found,) = findings(yard)
    assert over(found) == (clock("09:43"), None)
    assert found.verdict.evidence[0] == {"missing": "custodian"}


@pytest.mark.parametrize("at", ["08:10", "09:30"])
def test_a_loading_scan_witnesses_other_hands(yard, at):
    yard.gates.clear()
    journey(yard, terms(AIR, ROAD, ROAD))
    yard.hears(Scan(BOX, Action.LOADING), at=at)
    assert findings(yard) == []


def test_received_late_the_gap_ends(yard):
    yard.gates.clear()
    journey(yard, terms(None, ROAD, STORE))
    yard.hears(Scan(BOX, Action.RECEIVING), at="14:00")
    (found,) = findings(yard)
    assert (found.verdict.cause, over(found)) == ("in SIPCBZ-E", (clock("12:14"), clock("14:00")))


# ---- what this platform didn't see


def test_what_only_partners_tell_of_is_not_observed(yard):
    yard.gates.clear()
    journey(yard)
    assert reported(yard).unobserved is None
    yard.files(Status("bonded"), at="+2 04:00", source="reported")
    assert reported(yard, until="+3 00:00").unobserved == clock("22:59")


# ---- custodians


def test_terms_name_the_custodian_until_a_handover_passes_the_goods_on(yard):
    journey(yard, terms(AIR, ROAD, STORE))
    hands_over(yard, ROAD, STORE, "10:00")
    held = custodians(open_case(yard.facts(), clock("23:00")))
    assert [(k.begins, k.party, k.told_by) for k in held] == [
        (clock("08:00"), AIR, "terms"),
        (clock("08:43"), ROAD, "terms"),
        (clock("10:00"), STORE, "handover"),
        (clock("11:14"), STORE, "terms"),
    ]


def test_the_taker_s_word_is_enough_the_giver_s_is_not(yard):
    journey(yard, terms(AIR, AIR, AIR))
    hands_over(yard, AIR, ROAD, "09:00", Role.GIVER)
    held = custodians(open_case(yard.facts(), clock("09:59")))
    assert [k.party for k in held] == [AIR]
    held = custodians(open_case(yard.facts(), clock("10:00")))
    assert [(k.begins, k.party) for k in held][1:2] == [(clock("10:00"), None)]
    hands_over(yard, AIR, ROAD, "10:30", Role.TAKER)
    held = custodians(open_case(yard.facts(), clock("10:40")))
    assert [(k.begins, k.party) for k in held][1:3] == [(clock("10:00"), None), (clock("10:30"), ROAD)]


def test_goods_in_several_hands_have_no_one_custodian(yard):
    other = "BNDU1000026"
    yard.holds_goods(other)
    journey(yard)
    hands_over(yard, AIR, ROAD, "09:00", Role.TAKER)
    hands_over(yard, AIR, ROAD, "09:30", Role.TAKER, code=other)
    held = custodians(open_case(yard.facts(), clock("23:00")))
    assert [k.party for k in held] == [None, ROAD]
