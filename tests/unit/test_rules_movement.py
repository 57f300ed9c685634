"""A8: jumps that can't be; G5, G7, G8: what a device's word is worth."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from devices.coordinates import wgs84_to_gcj02
from devices.observation import Direction, Gate, Handover, Role, Seal, SealState
from tests.support.yard import EPOCH, PVG_TO_SIP, Truck, Yard, clock, over
from tracking.domain.custody.facts import AreaRevision, Facts, Reused
from tracking.domain.custody.judge import judge
from tracking.domain.custody.rules.movement import MovementLimits
from tracking.domain.custody.verdicts import Finding

PLATE = "沪AD5127"
GATES = {"G-PVG-N1": (121.80, 31.16), "G-KS-N1": (121.038, 31.368), "G-SIPE-N1": (120.812, 31.34735)}


@pytest.fixture
def yard() -> Yard:
    return Yard()


def on_its_way(yard: Yard, name: str = "TRK-1", **more: Any) -> Truck:
    truck = yard.truck(name, **more).enters("PVGCARGO", at="08:00").returns("C-PVG-SIPE", at="08:41")
    return truck.leaves("PVGCARGO", at="08:41")


def found(yard: Yard, rule: str, until: str = "23:00") -> list[Finding]:
    return yard.findings(rule=rule, until=until)


def by_rail(yard: Yard) -> None:
    (corridor,) = yard.areas["C-PVG-SIPE"]
    yard.areas["C-PVG-SIPE"] = (msgspec.structs.replace(corridor, properties={"mode": "rail"}),)


# --- A8 --------------------------------------------------------------------------------------------


def test_a_jump_is_information_until_it_is_settled(yard):
    truck = on_its_way(yard).jumps(at="09:00").reports(at="09:01")
    (finding,) = found(yard, "impossible_movement")
    assert over(finding) == (clock("09:00"), None)
    assert (finding.verdict.severity, finding.verdict.cause) == ("info", "SIP/TRK-1")
    truck.milestones.pop()
    truck.jumps(at="09:00", settled="09:01")
    (finding,) = found(yard, "impossible_movement")
    assert over(finding) == (clock("09:00"), clock("09:01"))
    assert [piece.get("milestone") for piece in finding.verdict.evidence[:2]] == ["jumped", "jump_settled"]


def test_a_jump_that_lies_ahead_of_the_watermark_waits(yard):
    on_its_way(yard).jumps(at="09:00", settled="09:01")
    assert found(yard, "impossible_movement", until="08:59:59") == []


def test_jumps_close_together_are_one_finding(yard):
    truck = on_its_way(yard)
    for minute in range(0, 50, 2):
        truck.jumps(at=f"09:{minute:02d}", settled=f"09:{minute + 1:02d}")
    truck.jumps(at="12:00", settled="12:01")
    one, other = found(yard, "impossible_movement")
    assert over(one) == (clock("09:00"), clock("09:49"))
    assert over(other) == (clock("12:00"), clock("12:01"))
    assert one.verdict.evidence[-1] == {"device": "SIP/TRK-1", "jumps": 25}
    assert one.verdict.severity == "info"


@pytest.mark.parametrize(
    ("metres", "kmh", "rail", "is_told"),
    [(9000, 200, False, True), (9000, 200, True, False), (9000, 400, True, True), (9000, None, True, True)],
)
def test_trains_may_be_faster(yard, metres, kmh, rail, is_told):
    if rail:
        by_rail(yard)
    on_its_way(yard).jumps(at="09:00", settled="09:01", metres=metres, kmh=kmh)
    assert bool(found(yard, "impossible_movement")) is is_told


def test_a_park_s_own_thresholds_narrow_it(yard):
    on_its_way(yard).jumps(at="09:00", settled="09:01", metres=2500, kmh=150)
    assert found(yard, "impossible_movement")
    for limits in (MovementLimits(min_jump_m=3000), MovementLimits(max_speed_kmh=160)):
        findings = judge(
            yard.facts(), clock("12:00"), {**_defaults(), "impossible_movement": limits}
        ).findings
        assert "impossible_movement" not in {f.verdict.rule for f in findings}


def _defaults():
    from tracking.domain.custody.judge import DEFAULTS

    return DEFAULTS


def says(yard: Yard, *, at: str, seal: str = "ES-1", device: str = "SIP/TRK-1") -> None:
    yard.hears(Seal(seal, SealState.LOCKED), at=at, device=device, kind="seal")


def test_one_seal_on_both_ends_again_and_again_is_a_cloned_device(yard):
    truck = on_its_way(yard)
    says(yard, at="08:30")
    for at, settled in (("09:00", "09:04"), ("09:10", "09:14")):
        truck.jumps(at=at, settled=settled)
    says(yard, at="09:02")
    assert [f.verdict.severity for f in found(yard, "impossible_movement")] == ["info"]
    says(yard, at="09:12")
    (finding,) = found(yard, "impossible_movement")
    assert finding.verdict.severity == "major"
    assert [p["fact"]["seal"] for p in finding.verdict.evidence if "fact" in p] == ["ES-1"] * 3


@pytest.mark.parametrize(("seal", "device"), [("ES-2", "SIP/TRK-1"), ("ES-1", "SIP/OTHER")])
def test_another_seal_or_another_device_s_word_is_no_clone(yard, seal, device):
    truck = on_its_way(yard)
    says(yard, at="08:30")
    for at, settled in (("09:00", "09:04"), ("09:10", "09:14")):
        truck.jumps(at=at, settled=settled)
    says(yard, at="09:02", seal=seal, device=device)
    says(yard, at="09:12", seal=seal, device=device)
    assert [f.verdict.severity for f in found(yard, "impossible_movement")] == ["info"]


def test_before_the_device_was_on_the_goods_its_jumps_are_nobody_s(yard):
    yard.truck(begins="10:00").jumps(at="09:00", settled="09:01").reports(at="11:00")
    assert found(yard, "impossible_movement") == []


# --- G5 --------------------------------------------------------------------------------------------


def test_missing_numbers_are_told_after_a_moment_of_grace(yard):
    truck = on_its_way(yard).lost_numbers(after="09:00", before="09:02").reports(at="09:10")
    assert found(yard, "sequence_gap", until="09:02:59") == []
    assert yard.judged(until="09:02:59").next_due == clock("09:03")
    (finding,) = found(yard, "sequence_gap", until="09:03")
    assert over(finding) == (clock("09:00"), clock("09:02"))
    assert (finding.verdict.severity, finding.verdict.cause) == ("info", "SIP/TRK-1")
    assert finding.verdict.evidence[-1] == {"device": "SIP/TRK-1", "missing_numbers": 3}
    truck.missing.clear()
    assert found(yard, "sequence_gap") == []


def test_gaps_that_touch_are_one_and_others_are_others(yard):
    truck = on_its_way(yard).lost_numbers(after="09:00", before="09:02", first=7, last=9)
    truck.lost_numbers(after="09:02", before="09:05", first=11, last=11)
    truck.lost_numbers(after="10:00", before="10:01", first=20, last=29)
    assert [over(f) for f in found(yard, "sequence_gap")] == [
        (clock("09:00"), clock("09:05")),
        (clock("10:00"), clock("10:01")),
    ]


def test_a_clock_that_ran_back_makes_no_interval_backwards(yard):
    on_its_way(yard).lost_numbers(after="09:05", before="09:02")
    assert [over(f) for f in found(yard, "sequence_gap")] == [(clock("09:02"), clock("09:05"))]


def test_gaps_outside_the_carriage_are_nobody_s(yard):
    yard.truck(begins="10:00").lost_numbers(after="09:00", before="09:02").reports(at="10:01")
    assert found(yard, "sequence_gap") == []


def test_no_gap_no_finding(yard):
    on_its_way(yard)
    assert found(yard, "sequence_gap") == []


# --- G7 --------------------------------------------------------------------------------------------


def test_five_single_fixes_in_another_datum_are_one_finding(yard):
    """S8a."""
    truck = on_its_way(yard)
    for hour in range(9, 14):
        truck.is_off_in_datum(at=f"{hour:02d}:00", cleared=f"{hour:02d}:00:30")
    (finding,) = found(yard, "datum_suspect")
    assert over(finding) == (clock("09:00"), clock("13:00:30"))
    assert (finding.verdict.severity, finding.verdict.cause) == ("info", "SIP/TRK-1")
    rules = {f.verdict.rule for f in yard.findings()}
    assert rules.isdisjoint({"unauthorised_stop", "impossible_movement", "zone_exit_without_release"})


def test_it_is_open_while_the_run_lasts(yard):
    on_its_way(yard).is_off_in_datum(at="09:00")
    assert over(found(yard, "datum_suspect")[0]) == (clock("09:00"), None)
    assert found(yard, "datum_suspect", until="08:59") == []


def test_a_vehicle_that_was_really_there_is_none(yard):
    on_its_way(yard).is_off_in_datum(at="09:00", cleared="09:10", fixes=12, believed=True)
    assert found(yard, "datum_suspect") == []


def test_days_later_it_is_another(yard):
    truck = on_its_way(yard).is_off_in_datum(at="09:00", cleared="09:01")
    truck.is_off_in_datum(at="+2 09:00", cleared="+2 09:01")
    assert len(found(yard, "datum_suspect", until="+3 00:00")) == 2


def passes_gates(yard: Yard, *, off: tuple[bool, ...]) -> None:
    truck = on_its_way(yard)
    truck.thing = yard.holds_goods(PLATE, is_goods=False)
    for hour, (is_off, (code, place)) in enumerate(zip(off, GATES.items(), strict=False), 9):
        yard.areas[code] = (AreaRevision(code, "gate", False, None, 1, EPOCH, lon=place[0], lat=place[1]),)
        lon, lat = wgs84_to_gcj02(*place) if is_off else place
        truck.fixes(lon, lat, at=f"{hour:02d}:00:20")
        yard.hears(Gate(code, "1", Direction.OUT, plate=PLATE), at=f"{hour:02d}:00", device=f"SIP/{code}")


@pytest.mark.parametrize(
    ("off", "expected"),
    [
        ((True, True, True), [("09:00", None)]),
        ((True, True, False), [("09:00", "11:00")]),
        ((False, True, True), [("10:00", None)]),
        ((True, False, True), []),
        ((False, False, False), []),
    ],
)
def test_a_device_that_is_always_off_is_seen_at_the_gates(yard, off, expected):
    passes_gates(yard, off=off)
    told = [(begins, ends) for begins, ends in map(over, found(yard, "datum_suspect"))]
    assert told == [(clock(begins), clock(ends) if ends else None) for begins, ends in expected]


# --- G8 --------------------------------------------------------------------------------------------


def hands_over(yard: Yard, *, at: str, device: str, signature: str | None) -> None:
    fact = Handover("A", "B", Role.GIVER, thing="BNDU1000010", signature=signature)
    yard.hears(fact, at=at, device=device, kind="handheld")


def test_a_signature_that_is_found_again_is_copied(yard):
    on_its_way(yard)
    hands_over(yard, at="09:00", device="SIP/HH-1", signature="c2lnbmVk")
    hands_over(yard, at="10:00", device="SIP/HH-2", signature="c2lnbmVk")
    (finding,) = found(yard, "bad_signature_or_replay")
    assert over(finding) == (clock("10:00"), None)
    assert (finding.verdict.severity, finding.verdict.cause) == ("critical", "SIP/HH-2")
    assert [piece["device"] for piece in finding.verdict.evidence] == ["SIP/HH-1", "SIP/HH-2"]
    assert found(yard, "bad_signature_or_replay", until="09:59") == []


def test_other_signatures_and_none_are_no_copies(yard):
    on_its_way(yard)
    for at, signature in (("09:00", "b25l"), ("09:10", "dHdv"), ("09:20", None), ("09:30", None)):
        hands_over(yard, at=at, device="SIP/HH-1", signature=signature)
    assert found(yard, "bad_signature_or_replay") == []


def test_numbers_used_twice_are_one_finding_a_device(yard):
    on_its_way(yard)
    facts: Facts = yard.facts()
    reused = tuple(Reused("SIP/TRK-1", clock(at), 1, seq) for at, seq in (("09:10", 8), ("09:00", 7)))
    findings = [
        judge(msgspec.structs.replace(facts, reused=order), clock("12:00")).findings
        for order in (reused, reused[::-1])
    ]
    assert findings[0] == findings[1]
    (finding,) = [f for f in findings[0] if f.verdict.rule == "bad_signature_or_replay"]
    assert over(finding) == (clock("09:00"), None)
    assert [piece["seq"] for piece in finding.verdict.evidence] == [7, 8]


# --- parameters ------------------------------------------------------------------------------------


def held_to(yard: Yard, rule: str, **parameters: Any) -> None:
    yard.terms["S-1"] = []
    yard.holds("S-1", {**PVG_TO_SIP, "rules": {rule: {"parameters": parameters}}}, since="06:00")


@pytest.mark.parametrize(
    ("parameters", "severities"),
    [
        ({}, ["info"]),
        ({"quiet_min": 5}, ["info", "info"]),
        ({"cloned_jumps": 1}, ["major"]),
        ({"max_speed_rail_kmh": 300}, ["info"]),
    ],
)
def test_parameters_of_jumps(yard, parameters, severities):
    truck = on_its_way(yard).jumps(at="09:00", settled="09:04")
    truck.jumps(at="09:10", settled="09:14")
    says(yard, at="08:30")
    says(yard, at="09:02")
    held_to(yard, "impossible_movement", **parameters)
    told = [f.verdict.severity.value for f in found(yard, "impossible_movement")]
    assert told == severities


def test_trains_are_held_to_their_own_speed(yard):
    by_rail(yard)
    on_its_way(yard).jumps(at="09:00", settled="09:04", kmh=320)
    assert found(yard, "impossible_movement") == []
    held_to(yard, "impossible_movement", max_speed_rail_kmh=300)
    assert found(yard, "impossible_movement")


def test_how_long_a_gap_may_take_to_fill(yard):
    on_its_way(yard).lost_numbers(after="09:00", before="09:02").reports(at="09:10")
    held_to(yard, "sequence_gap", grace_s=600)
    assert found(yard, "sequence_gap", until="09:11") == []
    assert found(yard, "sequence_gap", until="09:12")


@pytest.mark.parametrize(("quiet_h", "count"), [(24, 1), (1, 2)])
def test_how_long_suspect_fixes_are_one_finding(yard, quiet_h, count):
    truck = on_its_way(yard).is_off_in_datum(at="09:00", cleared="09:01")
    truck.is_off_in_datum(at="11:00", cleared="11:01")
    held_to(yard, "datum_suspect", quiet_h=quiet_h)
    assert len(found(yard, "datum_suspect")) == count


@pytest.mark.parametrize(
    ("parameters", "is_told"),
    [({}, True), ({"min_gates": 3}, False), ({"align_s": 10}, False), ({"slack_m": 250}, False)],
)
def test_parameters_of_the_gates_comparison(yard, parameters, is_told):
    passes_gates(yard, off=(True, True))
    held_to(yard, "datum_suspect", **parameters)
    assert bool(found(yard, "datum_suspect")) is is_told


def test_a_suspect_fix_ahead_of_the_watermark_is_looked_at_when_time_has_come_to_it(yard):
    on_its_way(yard).is_off_in_datum(at="09:00", cleared="09:00:30")
    assert yard.judged(until="08:59:59").next_due == clock("09:00")
    yard.expect_findings(until="08:59:59")
    yard.expect_findings(until="09:00", datum_suspect="info")
