"""A2: stops outside approved places, at the exact moment and as grave as they are; and none elsewhere."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from devices.observation import Seal, SealState
from tests.support.yard import PVG_TO_SIP, Truck, Yard, clock, over
from tracking.domain.custody.judge import judge
from tracking.domain.custody.rules.stops import StopLimits
from tracking.domain.custody.verdicts import Finding, Outcome

ORIGIN, MOVE, DESTINATION = PVG_TO_SIP["legs"]


@pytest.fixture
def yard() -> Yard:
    return Yard()


def on_its_way(yard: Yard, *, left: str = "00:41", every_s: int = 30, **leg: Any) -> Truck:
    """Times are UTC: 00:41 is 08:41 in Shanghai, broad daylight."""
    terms = {"legs": [ORIGIN, {**MOVE, **leg}, DESTINATION]}
    truck = yard.truck(terms=terms, begins="-1 06:00", every_s=every_s).enters("PVGCARGO", at="-1 08:00")
    yard.holds("S-1", terms, since="-1 06:00")
    return truck.returns("C-PVG-SIPE", at=left).leaves("PVGCARGO", at=left)


def has(yard: Yard, code: str, **properties: Any) -> None:
    """An area has these properties."""
    (area,) = yard.areas[code]
    yard.areas[code] = (msgspec.structs.replace(area, properties={**area.properties, **properties}),)


def found(yard: Yard, until: str = "12:00") -> list[Finding]:
    return yard.findings(rule="unauthorised_stop", until=until)


def stop(yard: Yard, until: str = "12:00") -> Finding:
    return yard.finding("unauthorised_stop", until=until)


def grade(yard: Yard, until: str = "12:00") -> str:
    return stop(yard, until).verdict.severity.value


# --- when ------------------------------------------------------------------------------------------


def test_a_stop_on_the_road_is_too_long_at_the_exact_moment(yard):
    on_its_way(yard).stops(at="02:00").reports(at="02:14:59")
    assert found(yard, until="02:14:59") == []
    assert yard.judged(until="02:14:59").next_due == clock("02:15")
    yard.trucks[0].reports(at="02:15")
    finding = stop(yard, until="02:15")
    assert over(finding) == (clock("02:15"), None)
    assert (finding.verdict.severity, finding.verdict.cause) == ("minor", "SIP/TRK-1")
    assert finding.verdict.evidence[0]["milestone"] == "stopped"


def test_it_opens_at_that_moment_however_late_it_is_noticed(yard):
    on_its_way(yard).stops(at="02:00").reports(at="04:00")
    assert stop(yard, until="04:00").finding_id == stop(yard, until="+1 09:00").finding_id
    assert over(stop(yard, until="+1 09:00")) == (clock("02:15"), None)


def test_it_closes_when_the_truck_moves_on(yard):
    on_its_way(yard).stops(at="02:00", until="02:20").reports(at="03:00")
    finding = stop(yard)
    assert over(finding) == (clock("02:15"), clock("02:20"))
    assert [piece.get("milestone") for piece in finding.verdict.evidence[:2]] == ["stopped", "moved"]


def test_a_short_stop_is_none(yard):
    on_its_way(yard).stops(at="02:00", until="02:14").stops(at="02:20", until="02:34")
    assert found(yard) == []


def test_a_truck_that_owes_no_report_may_be_gone_already(yard):
    on_its_way(yard, every_s=300).stops(at="02:00").reports(at="02:12")
    assert found(yard, until="02:16") == []
    assert yard.judged(until="02:16").next_due == clock("02:20")
    assert over(stop(yard, until="02:20")) == (clock("02:15"), None)


def test_what_has_moved_before_its_time_never_was_too_long(yard):
    on_its_way(yard, every_s=300).stops(at="02:00", until="02:17", last_still="02:12").reports(at="02:30")
    assert found(yard) == []


def test_a_departure_that_awaits_its_confirmation_opens_nothing(yard):
    truck = on_its_way(yard).stops(at="02:00").reports(at="02:16").is_moving_off(last_still="02:14:30")
    assert found(yard, until="02:16") == []
    assert yard.judged(until="02:16").next_due == clock("02:16:30")
    truck.moving_off = None
    assert over(stop(yard, until="02:16")) == (clock("02:15"), None)


def test_a_stop_before_the_leg_counts_from_its_beginning(yard):
    on_its_way(yard, left="02:10").stops(at="02:00", until="02:24").reports(at="03:00")
    assert found(yard) == []
    other = Yard()
    on_its_way(other, left="02:10").stops(at="02:00", until="02:26").reports(at="03:00")
    assert over(stop(other)) == (clock("02:25"), clock("02:26"))


def test_a_stop_ends_with_the_leg(yard):
    on_its_way(yard).stops(at="02:00").enters("SIPCBZ-E", at="02:40").reports(at="09:00")
    assert over(stop(yard)) == (clock("02:15"), clock("02:40"))


# --- how grave -------------------------------------------------------------------------------------


def test_after_half_an_hour_it_is_major(yard):
    on_its_way(yard).stops(at="02:00").reports(at="03:00")
    assert grade(yard, until="02:29:59") == "minor"
    assert yard.judged(until="02:29:59").next_due == clock("02:30")
    assert grade(yard, until="02:30") == "major"
    assert stop(yard, until="02:16").finding_id == stop(yard, until="03:00").finding_id


@pytest.mark.parametrize(
    ("at", "until", "severity"),
    [
        ("14:30", "14:50", "minor"),  # 22:30 to 22:50 in Shanghai
        ("14:50", "15:10", "major"),  # into the night
        ("18:02", "18:31", "major"),
        ("20:50", "21:07", "major"),  # out of it
        ("21:00", "21:20", "minor"),  # from 05:00 on
    ],
)
def test_at_night_it_is_major(yard, at, until, severity):
    on_its_way(yard, left="12:00").stops(at=at, until=until).reports(at="22:00")
    assert grade(yard, until="22:00") == severity


def test_it_becomes_major_when_the_night_begins(yard):
    on_its_way(yard, left="12:00").stops(at="14:44").reports(at="15:10")
    assert grade(yard, until="14:59:59") == "minor"
    assert yard.judged(until="14:59:59").next_due == clock("15:00")
    assert grade(yard, until="15:00") == "major"


def test_a_seal_that_is_opened_meanwhile_makes_it_critical(yard):
    on_its_way(yard).stops(at="02:00", until="02:20")
    yard.hears(Seal("ES-1", SealState.LOCKED), at="00:30", device="SIP/ES-1", kind="seal")
    yard.hears(Seal("ES-1", SealState.CUT), at="02:05", device="SIP/ES-1", kind="seal")
    assert grade(yard, until="02:16") == "critical"
    assert stop(yard).verdict.evidence[-1]["fact"]["state"] == "cut"


def test_a_seal_that_was_opened_before_or_after_does_not(yard):
    on_its_way(yard).stops(at="02:00", until="02:20")
    yard.hears(Seal("ES-1", SealState.LOCKED), at="00:30", device="SIP/ES-1", kind="seal")
    yard.hears(Seal("ES-1", SealState.CUT), at="02:21", device="SIP/ES-1", kind="seal")
    assert grade(yard) == "minor"


@pytest.mark.parametrize(
    ("quantity", "value", "severity"),
    [("door_open", 1.0, "critical"), ("light_lux", 240.0, "critical"), ("light_lux", 4.0, "minor")],
)
def test_a_door_or_light_makes_it_critical_where_no_seal_is_locked(yard, quantity, value, severity):
    on_its_way(yard).stops(at="02:00", until="02:20").measures(quantity, value, at="02:09")
    assert grade(yard) == severity


def test_a_door_behind_a_locked_seal_is_another_rule_s(yard):
    on_its_way(yard).stops(at="02:00", until="02:20").measures("door_open", 1.0, at="02:09")
    yard.hears(Seal("ES-1", SealState.LOCKED), at="00:30", device="SIP/ES-1", kind="seal")
    assert grade(yard) == "minor"


# --- where -----------------------------------------------------------------------------------------


def test_a_stop_in_the_rest_area_is_allowed_for_its_time(yard):
    """S1: 24 minutes at the service area."""
    truck = on_its_way(yard).enters("SA-YCH", at="02:33").stops(at="02:34", until="02:58")
    truck.leaves("SA-YCH", at="02:59").enters("SIPCBZ-E", at="03:16")
    assert found(yard) == []


def test_in_the_rest_area_for_too_long(yard):
    has(yard, "SA-YCH", max_dwell_min=45)
    on_its_way(yard).enters("SA-YCH", at="02:33").stops(at="02:34").reports(at="03:40")
    finding = stop(yard, until="03:20")
    assert (over(finding), finding.verdict.cause) == ((clock("03:19"), None), "SA-YCH")
    assert grade(yard, until="03:33") == "minor"
    assert grade(yard, until="03:34") == "major"


def test_the_zone_s_own_limit_goes_before_the_general_one(yard):
    has(yard, "SA-YCH", max_dwell_min=20)
    on_its_way(yard).enters("SA-YCH", at="02:33").stops(at="02:34").reports(at="03:40")
    assert over(stop(yard))[0] == clock("02:54")


def test_a_zone_that_the_corridor_lists_is_allowed(yard):
    has(yard, "C-PVG-SIPE", allowed_stops=["KSCBZ"])
    on_its_way(yard).enters("KSCBZ", at="02:00").stops(at="02:00", until="02:30").reports(at="03:00")
    assert found(yard) == []


@pytest.mark.parametrize("zone", ["PVGCARGO", "INSP01", "COLD01", "G-SIPE-N1"])
def test_origin_inspection_and_what_lies_in_the_destination_are_allowed(yard, zone):
    on_its_way(yard).enters(zone, at="01:00").stops(at="01:00", until="02:30").reports(at="03:00")
    assert found(yard) == []


def test_the_leg_s_own_limit_goes_before_the_rule_s(yard):
    on_its_way(yard, max_stop_s=300).stops(at="02:00", until="02:10").reports(at="03:00")
    assert over(stop(yard)) == (clock("02:05"), clock("02:10"))


def test_new_terms_bring_their_limit_when_they_take_effect(yard):
    on_its_way(yard).stops(at="02:00").reports(at="03:00")
    yard.holds("S-1", {"legs": [ORIGIN, {**MOVE, "max_stop_s": 60}, DESTINATION]}, since="02:08")
    assert over(stop(yard)) == (clock("02:08"), None)


def test_rail_has_no_such_rule(yard):
    """S4: shunting yards."""
    has(yard, "C-PVG-SIPE", mode="rail")
    on_its_way(yard).stops(at="02:00", until="09:00").reports(at="10:00")
    assert found(yard) == []


def test_without_a_running_move_there_is_none(yard):
    yard.truck().enters("PVGCARGO", at="06:00").stops(at="06:30").reports(at="11:00")
    assert found(yard) == []


def test_a_lay_by_at_night_is_two_findings(yard):
    """S5: 02:02 to 02:31 local time, beside the road and within the corridor."""
    truck = on_its_way(yard, left="-1 17:05").enters("LAYBY-LD", at="-1 18:02")
    truck.stops(at="-1 18:02", until="-1 18:31").leaves("LAYBY-LD", at="-1 18:31", last_within="-1 18:30")
    truck.enters("SIPCBZ-E", at="-1 19:40")
    findings = {f.verdict.rule: f.verdict for f in yard.findings(until="00:00")}
    assert findings["unauthorised_stop"].severity == "major"
    assert findings["unauthorised_stop"].opened_at == clock("-1 18:17")
    assert findings["forbidden_zone_entry"].severity == "major"
    assert findings["forbidden_zone_entry"].opened_at == clock("-1 18:02")


def test_a_longer_limit_loses_it(yard):
    """The catalogue's rehearsal: 15 to 40 minutes, and the stop of 29 is gone."""
    on_its_way(yard).stops(at="02:02", until="02:31").reports(at="03:00")
    limits = {**_defaults(), "unauthorised_stop": StopLimits(max_stop_min=40)}
    rules = {f.verdict.rule for f in judge(yard.facts(), clock("04:00"), limits).findings}
    assert "unauthorised_stop" not in rules


def _defaults():
    from tracking.domain.custody.judge import DEFAULTS

    return DEFAULTS


# --- missing numbers -------------------------------------------------------------------------------


def test_missing_numbers_within_leave_it_undetermined(yard):
    truck = on_its_way(yard).stops(at="02:00", until="02:25").lost_numbers(after="02:10", before="02:12")
    verdict = stop(yard).verdict
    assert verdict.outcome is Outcome.UNDETERMINED
    assert (verdict.opened_at, verdict.closed_at) == (clock("02:15"), clock("02:25"))
    assert verdict.evidence[-1] == {
        "missing": "sequence", "device": "SIP/TRK-1", "run": 1, "first": 7, "last": 9,
    }  # fmt: skip
    truck.missing.clear()
    assert stop(yard).verdict.outcome is Outcome.FINDING


def test_a_part_without_gaps_that_is_too_long_by_itself_is_a_finding(yard):
    on_its_way(yard).stops(at="02:00").lost_numbers(after="02:10", before="02:12").reports(at="03:00")
    doubt, certain = found(yard, until="02:40")
    assert (doubt.verdict.outcome, over(doubt)) == (
        Outcome.UNDETERMINED,
        (clock("02:15"), clock("02:27")),
    )
    assert (certain.verdict.outcome, over(certain)) == (Outcome.FINDING, (clock("02:27"), None))
    assert yard.judged(until="02:26").next_due == clock("02:27")


def test_numbers_missing_elsewhere_change_nothing(yard):
    on_its_way(yard).stops(at="02:00", until="02:25").lost_numbers(after="01:50", before="01:59")
    assert stop(yard).verdict.outcome is Outcome.FINDING


def test_a_zone_that_isn_t_known_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        StopLimits(time_zone="Shanghai")


# --- parameters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ("02:15", "minor")),
        ({"max_stop_min": 5}, ("02:05", "minor")),
        ({"major_min": 20}, ("02:15", "major")),
        ({"night_from_h": 10}, ("02:15", "major")),  # 10:00 in Shanghai
        ({"night_from_h": 10, "night_to_h": 10}, ("02:15", "minor")),
        ({"night_from_h": 2, "night_to_h": 3, "time_zone": "UTC"}, ("02:15", "major")),
        ({"allowed_stops": ["KSCBZ"], "allowed_stop_max_min": 19}, ("02:19", "minor")),
        ({"rest_kinds": ["cbz"], "allowed_stop_max_min": 18}, ("02:18", "minor")),
        ({"inspection_kinds": ["cbz"]}, None),
    ],
)
def test_parameters_of_the_terms(yard, parameters, expected):
    terms = {**PVG_TO_SIP, "rules": {"unauthorised_stop": {"parameters": parameters}}}
    truck = yard.truck(terms=terms, begins="00:00", every_s=30).enters("PVGCARGO", at="00:10")
    yard.terms["S-1"] = [msgspec.structs.replace(yard.terms["S-1"][0], valid_from=clock("-1 06:00"))]
    truck.returns("C-PVG-SIPE", at="00:41").leaves("PVGCARGO", at="00:41")
    truck.enters("KSCBZ", at="02:00").stops(at="02:00", until="02:20").reports(at="03:00")
    told = [(over(f)[0], f.verdict.severity.value) for f in found(yard)]
    assert told == ([] if expected is None else [(clock(expected[0]), expected[1])])


@pytest.mark.parametrize(("lux", "severity"), [(300, "minor"), (200, "critical")])
def test_how_much_light_is_a_door(yard, lux, severity):
    terms = {**PVG_TO_SIP, "rules": {"unauthorised_stop": {"parameters": {"lux": lux}}}}
    on_its_way(yard).stops(at="02:00", until="02:20").measures("light_lux", 240.0, at="02:09")
    yard.terms["S-1"] = []
    yard.holds("S-1", terms, since="-1 06:00")
    assert grade(yard) == severity
