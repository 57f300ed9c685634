"""A3: late by how much, and from when on; A9: unloaded or opened elsewhere."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from devices.observation import Action, Direction, Gate, Scan, Seal, SealState
from tests.support.yard import EPOCH, PVG_TO_SIP, Truck, Yard, clock, over
from tracking.domain.custody.facts import AreaRevision, GateWatch
from tracking.domain.custody.judge import DEFAULTS, judge
from tracking.domain.custody.rules.arrival import ArrivalLimits
from tracking.domain.custody.verdicts import Finding, Outcome

ORIGIN, MOVE, DESTINATION = PVG_TO_SIP["legs"]


@pytest.fixture
def yard() -> Yard:
    return Yard()


def terms(**leg: Any) -> dict[str, Any]:
    return {"legs": [ORIGIN, {**MOVE, **leg}, DESTINATION]}


def on_its_way(yard: Yard, max_transit_h: float | None = 6, **leg: Any) -> Truck:
    """It left at 08:41."""
    yard.areas["G-PVG-N1"] = (AreaRevision("G-PVG-N1", "gate", False, "PVGCARGO", 1, EPOCH),)
    (corridor,) = yard.areas["C-PVG-SIPE"]
    properties = {} if max_transit_h is None else {"max_transit_h": max_transit_h}
    yard.areas["C-PVG-SIPE"] = (msgspec.structs.replace(corridor, properties=properties),)
    truck = yard.truck(terms=terms(**leg)).enters("PVGCARGO", at="08:00").returns("C-PVG-SIPE", at="08:41")
    return truck.leaves("PVGCARGO", at="08:41")


def passes(yard: Yard, gate: str, direction: Direction, *, at: str) -> None:
    yard.hears(Gate(gate, "1", direction, plate="沪AD5127"), at=at, device=f"SIP/{gate}", kind="gate")


def watches(yard: Yard, gate: str, *, last_heard: str | None) -> None:
    """The destination's gate has a device."""
    heard = clock(last_heard) if last_heard is not None else None
    yard.gates.append(GateWatch(gate, "SIPCBZ-E", f"SIP/{gate}", 60, heard, ()))


def late(yard: Yard, until: str = "23:00") -> list[Finding]:
    return yard.findings(rule="overdue_arrival", until=until)


def one(yard: Yard, until: str = "23:00") -> Finding:
    return yard.finding("overdue_arrival", until=until)


# --- A3 --------------------------------------------------------------------------------------------


def test_the_time_is_over_at_the_exact_moment(yard):
    on_its_way(yard).reports(at="14:40:59")
    assert late(yard, until="14:40:59") == []
    assert yard.judged(until="14:40:59").next_due == clock("14:41")
    finding = one(yard, until="14:41")
    assert over(finding) == (clock("14:41"), None)
    assert (finding.verdict.severity, finding.verdict.cause) == ("minor", "leg 1")
    assert one(yard, until="22:00").finding_id == finding.finding_id


def test_it_becomes_major_when_half_as_much_again_has_passed(yard):
    on_its_way(yard).reports(at="17:40:59")
    assert one(yard, until="17:40:59").verdict.severity == "minor"
    assert yard.judged(until="17:40:59").next_due == clock("17:41")
    assert one(yard, until="17:41").verdict.severity == "major"
    assert one(yard, until="17:41").verdict.opened_at == clock("14:41")


@pytest.mark.parametrize(("at", "severity"), [("15:00", "minor"), ("18:00", "major")])
def test_it_closes_on_arrival(yard, at, severity):
    on_its_way(yard).enters("SIPCBZ-E", at=at).reports(at="20:00")
    finding = one(yard)
    assert (over(finding), finding.verdict.severity) == ((clock("14:41"), clock(at)), severity)
    assert finding.verdict.evidence[-1]["arrived"] == clock(at).isoformat()


def test_in_time_is_in_time(yard):
    """S1: two and a half hours of six."""
    on_its_way(yard).enters("SIPCBZ-E", at="11:05").reports(at="20:00")
    assert late(yard) == []
    assert yard.judged(until="12:00").next_due != clock("14:41")


def test_seven_eighths_of_the_time_are_no_finding(yard):
    """S4: 125 of 144 hours."""
    on_its_way(yard, 8).enters("SIPCBZ-E", at="15:41").reports(at="20:00")
    assert late(yard) == []


def test_the_gate_s_report_is_the_departure(yard):
    on_its_way(yard).reports(at="16:00")
    passes(yard, "G-PVG-N1", Direction.OUT, at="08:35")
    finding = one(yard, until="15:00")
    assert over(finding) == (clock("14:35"), None)
    assert finding.verdict.evidence[0]["device"] == "SIP/G-PVG-N1"


@pytest.mark.parametrize(
    ("gate", "direction", "at"),
    [
        ("G-PVG-N1", Direction.IN, "08:35"),
        ("G-PVG-N1", Direction.OUT, "06:30"),
        ("G-SIPE-N1", Direction.OUT, "08:35"),
    ],
)
def test_other_passages_are_no_departure(yard, gate, direction, at):
    on_its_way(yard).reports(at="16:00")
    passes(yard, gate, direction, at=at)
    assert one(yard, until="15:00").verdict.opened_at == clock("14:41")


def test_a_gate_of_the_destination_sees_the_arrival_too(yard):
    on_its_way(yard).enters("SIPCBZ-E", at="14:50").reports(at="16:00")
    passes(yard, "G-SIPE-N1", Direction.IN, at="14:30")
    assert late(yard) == []


def test_a_deadline_goes_before_the_corridor_s_hours(yard):
    on_its_way(yard, deadline="2026-03-10T10:41:00Z").reports(at="13:00")
    assert over(one(yard, until="11:00")) == (clock("10:41"), None)
    assert one(yard, until="11:41").verdict.severity == "major"


def test_a_deadline_before_the_departure_is_late_from_the_start(yard):
    on_its_way(yard, deadline="2026-03-10T08:00:00Z").reports(at="13:00")
    assert over(one(yard, until="09:00")) == (clock("08:41"), None)


def test_the_departure_is_cited_of_the_device_that_spoke_then(yard):
    yard.truck("TRK-0", terms=terms(deadline="2026-03-10T10:41:00Z")).enters("PVGCARGO", at="07:00").detached(
        at="08:00"
    )
    yard.truck("TRK-9", begins="08:00").enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="08:41")
    assert one(yard, until="11:00").verdict.evidence[0]["device"] == "SIP/TRK-9"


def test_nobody_set_a_time(yard):
    on_its_way(yard, None).reports(at="20:00")
    assert late(yard) == []
    limits = {**DEFAULTS, "overdue_arrival": ArrivalLimits(max_transit_h=2)}
    assert "overdue_arrival" in {f.verdict.rule for f in judge(yard.facts(), clock("11:00"), limits).findings}


def test_an_early_warning_can_be_asked_for(yard):
    on_its_way(yard, 10).reports(at="20:00")
    limits = {**DEFAULTS, "overdue_arrival": ArrivalLimits(warn_at_pct=80)}
    opened = [
        f.verdict.opened_at
        for f in judge(yard.facts(), clock("17:00"), limits).findings
        if f.verdict.rule == "overdue_arrival"
    ]
    assert opened == [clock("16:41")]


def test_before_departure_there_is_nothing(yard):
    truck = yard.truck(terms=terms(deadline="2026-03-10T08:00:00Z")).enters("PVGCARGO", at="07:00")
    truck.reports(at="12:00")
    assert late(yard) == []


def test_a_new_deadline_ends_it_when_it_takes_effect(yard):
    on_its_way(yard).reports(at="20:00")
    yard.holds("S-1", terms(deadline="2026-03-10T18:00:00Z"), since="15:00")
    first, second = late(yard, until="19:00")
    assert over(first) == (clock("14:41"), clock("15:00"))
    assert over(second) == (clock("18:00"), None)


def test_a_silent_device_and_an_offline_gate_leave_it_undetermined(yard):
    truck = on_its_way(yard).was_silent(since="11:00")
    watches(yard, "G-SIPE-N1", last_heard="11:30")
    verdict = one(yard, until="15:00").verdict
    assert (verdict.outcome, verdict.opened_at) == (Outcome.UNDETERMINED, clock("14:41"))
    assert [piece["silence"] for piece in verdict.evidence[-2:]] == ["SIP/TRK-1", "SIP/G-SIPE-N1"]
    truck.reports(at="15:10")
    assert one(yard, until="15:11").verdict.outcome is Outcome.FINDING


@pytest.mark.parametrize("gate_heard", ["14:50", None])
def test_a_silent_device_alone_leaves_no_doubt_where_the_gate_would_have_told(yard, gate_heard):
    on_its_way(yard).was_silent(since="11:00")
    watches(yard, "G-SIPE-N1", last_heard=gate_heard)
    assert one(yard, until="15:00").verdict.outcome is Outcome.FINDING


# --- A9 --------------------------------------------------------------------------------------------


def wrong(yard: Yard) -> list[Finding]:
    return yard.findings(rule="wrong_destination")


def unloads(yard: Yard, *, at: str, location: str | None = None, action: Action = Action.UNLOADING) -> None:
    yard.hears(Scan("BNDU1000010", action, location=location), at=at)


def test_unloading_in_another_zone_is_critical(yard):
    on_its_way(yard).enters("KSCBZ", at="10:00").reports(at="12:00")
    unloads(yard, at="10:30")
    (finding,) = wrong(yard)
    assert over(finding) == (clock("10:30"), None)
    assert (finding.verdict.severity, finding.verdict.cause) == ("critical", "KSCBZ")
    assert finding.verdict.evidence[-1] == {"zone": "KSCBZ", "leg": 1, "events": 1}


def test_where_the_scanner_says_that_it_is_goes_before_the_position(yard):
    on_its_way(yard).reports(at="12:00")
    unloads(yard, at="10:30", location="KSCBZ")
    assert [f.verdict.cause for f in wrong(yard)] == ["KSCBZ"]


def test_a_thousand_parcels_are_one_finding(yard):
    on_its_way(yard).enters("KSCBZ", at="10:00").enters("SIPCBZ-E", at="11:30").reports(at="12:00")
    for second in range(30):
        unloads(yard, at=f"10:30:{second:02d}")
    (finding,) = wrong(yard)
    assert over(finding) == (clock("10:30"), clock("11:30"))
    assert finding.verdict.evidence[-1]["events"] == 30
    assert len(finding.verdict.evidence) == 6


@pytest.mark.parametrize("state", [SealState.UNLOCKED, SealState.CUT])
def test_a_seal_that_opens_in_another_zone_is_a_delivery(yard, state):
    on_its_way(yard).enters("KSCBZ", at="10:00").reports(at="12:00")
    yard.hears(Seal("ES-1", SealState.LOCKED), at="08:30", device="SIP/ES-1", kind="seal")
    yard.hears(Seal("ES-1", state), at="10:20", device="SIP/ES-1", kind="seal")
    assert [over(f)[0] for f in wrong(yard)] == [clock("10:20")]


def test_a_seal_cut_on_the_open_road_is_another_rule_s(yard):
    """S6."""
    on_its_way(yard).reports(at="12:00")
    yard.hears(Seal("ES-1", SealState.LOCKED), at="08:30", device="SIP/ES-1", kind="seal")
    yard.hears(Seal("ES-1", SealState.CUT), at="10:20", device="SIP/ES-1", kind="seal")
    assert wrong(yard) == []


@pytest.mark.parametrize("zone", ["SIPCBZ-E", "COLD01", "INSP01", "PVGCARGO", "UNKNOWN-1"])
def test_destination_inspection_origin_and_unknown_places_are_none(yard, zone):
    on_its_way(yard).reports(at="12:00")
    unloads(yard, at="10:30", location=zone)
    assert wrong(yard) == []


def test_other_scans_are_no_delivery(yard):
    on_its_way(yard).enters("KSCBZ", at="10:00").reports(at="12:00")
    unloads(yard, at="10:30", action=Action.LOADING)
    unloads(yard, at="10:31", action=Action.INSPECTING)
    assert wrong(yard) == []


def test_before_and_after_the_leg_there_is_none(yard):
    on_its_way(yard).enters("SIPCBZ-E", at="11:00").reports(at="12:00")
    unloads(yard, at="08:00", location="KSCBZ")
    unloads(yard, at="11:30", location="KSCBZ")
    assert wrong(yard) == []


def test_the_innermost_zone_is_named(yard):
    yard.areas["SHED"] = (AreaRevision("SHED", "warehouse", True, "KSCBZ", 1, EPOCH),)
    on_its_way(yard).enters("KSCBZ", at="10:00").enters("SHED", at="10:05").reports(at="12:00")
    unloads(yard, at="10:30")
    assert [f.verdict.cause for f in wrong(yard)] == ["SHED"]


# --- parameters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ("14:41", "minor")),
        ({"major_at_pct": 110}, ("14:41", "major")),
        ({"warn_at_pct": 50}, ("11:41", "minor")),
        ({"gate_match_min": 150}, ("12:30", "major")),
    ],
)
def test_parameters_of_late_arrival(yard, parameters, expected):
    on_its_way(yard).reports(at="20:00")
    yard.terms["S-1"] = []
    yard.holds("S-1", {**terms(), "rules": {"overdue_arrival": {"parameters": parameters}}}, since="06:00")
    passes(yard, "G-PVG-N1", Direction.OUT, at="06:30")
    finding = one(yard, until="16:10")
    assert (finding.verdict.opened_at, finding.verdict.severity) == (clock(expected[0]), expected[1])


@pytest.mark.parametrize(
    ("parameters", "is_told"),
    [({}, True), ({"unload_actions": ["unpacking"]}, False), ({"inspection_kinds": ["cbz"]}, False)],
)
def test_parameters_of_delivery(yard, parameters, is_told):
    on_its_way(yard).enters("KSCBZ", at="10:00").reports(at="12:00")
    yard.terms["S-1"] = []
    yard.holds("S-1", {**terms(), "rules": {"wrong_destination": {"parameters": parameters}}}, since="06:00")
    unloads(yard, at="10:30")
    assert bool(wrong(yard)) is is_told
