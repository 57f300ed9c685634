"""Seals as devices: silent, nearly empty, away from the truck (C4, C5, C8)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from devices.coordinates import wgs84_to_gcj02
from devices.observation import Seal, SealState
from tests.support.seals import of_seals
from tests.support.yard import PVG_TO_SIP, Truck, Yard, clock, on_its_way, over
from tracking.domain.custody.judge import windows
from tracking.domain.custody.verdicts import Finding

LOCKED, UNLOCKED = SealState.LOCKED, SealState.UNLOCKED


@pytest.fixture
def yard() -> Yard:
    return Yard()


def leg(**fields: Any) -> dict[str, Any]:
    stay, move, rest = PVG_TO_SIP["legs"]
    return {"legs": [stay, {**move, **fields}, rest]}


def sealed(yard: Yard, every_s: int = 60, role: str = "seal") -> Truck:
    seal = yard.truck("ES-1", role=role, kind="seal", every_s=every_s).reports(at="08:30")
    says(yard, LOCKED, "08:30")
    return seal


def says(yard: Yard, state: SealState, at: str) -> None:
    yard.hears(Seal("ES-1", state), at=at, device="SIP/ES-1", kind="seal")


def on_rails(yard: Yard) -> None:
    property_of(yard, mode="rail")


def property_of(yard: Yard, **properties: Any) -> None:
    (corridor,) = yard.areas["C-PVG-SIPE"]
    yard.areas["C-PVG-SIPE"] = (msgspec.structs.replace(corridor, properties=properties),)


def found(yard: Yard, rule: str, until: str) -> list[Finding]:
    return yard.findings(rule=rule, until=until)


# ---- C4 seal_silent


def test_a_quarter_of_an_hour_without_word_is_major_and_says_where_it_was(yard):
    on_its_way(yard).enters("SA-YCH", at="08:55")
    sealed(yard).reports(at="09:00")
    assert of_seals(yard, "09:14:59") == {}
    (finding,) = found(yard, "seal_silent", "09:15")
    assert over(finding) == (clock("09:15"), None)
    assert of_seals(yard, "09:15") == {"seal_silent": "major"}
    assert finding.verdict.cause == "SIP/ES-1"
    silence, seen = finding.verdict.evidence
    assert silence["last_heard"] == clock("09:00").isoformat()
    assert seen == {"last_seen": clock("09:00").isoformat(), "zones": ["SA-YCH"]}
    assert "broken" not in str(finding.verdict.evidence)


def test_its_position_is_told_where_it_is_known(yard):
    on_its_way(yard).fixes(121.2, 31.2, at="08:59").fixes(121.9, 31.2, at="09:05")
    sealed(yard).reports(at="09:00")
    (finding,) = found(yard, "seal_silent", "09:20")
    assert finding.verdict.evidence[1]["position"]["lon"] == 121.2


def test_the_next_looks_are_the_moments_at_which_it_opens(yard):
    on_its_way(yard)
    sealed(yard).reports(at="09:00")
    assert yard.judged(until="09:01").next_due == clock("09:15")


def test_seven_minutes_are_nothing(yard):
    on_its_way(yard)
    sealed(yard).was_silent(since="09:00", until="09:07").reports(at="09:08")
    assert of_seals(yard, "09:09") == {}


def test_it_closes_with_the_next_word_and_goes_when_the_gap_is_filled(yard):
    on_its_way(yard)
    seal = sealed(yard).was_silent(since="09:00", until="09:40").reports(at="09:41")
    (finding,) = found(yard, "seal_silent", "09:42")
    assert over(finding) == (clock("09:15"), clock("09:40"))
    seal.milestones.clear()
    assert of_seals(yard, "09:42") == {}


def test_a_seal_that_rarely_speaks_has_two_of_its_intervals(yard):
    on_its_way(yard)
    sealed(yard, every_s=1200).reports(at="09:00")
    assert of_seals(yard, "09:39:59") == {}
    assert over(*found(yard, "seal_silent", "09:40")) == (clock("09:40"), None)


def test_the_leg_s_own_limit_goes_before(yard):
    on_its_way(yard, leg(max_silence_s=3600))
    sealed(yard).reports(at="09:00")
    assert of_seals(yard, "09:59") == {}
    assert over(*found(yard, "seal_silent", "10:00")) == (clock("10:00"), None)


def test_on_rails_it_is_information_until_the_allowance_has_passed(yard):
    on_rails(yard)
    on_its_way(yard)
    sealed(yard).reports(at="09:00")
    assert over(*found(yard, "seal_silent", "10:00")) == (clock("09:15"), None)
    assert of_seals(yard, "10:00") == {"seal_silent": "info"}
    assert yard.judged(until="10:00").next_due == clock("+3 09:00")
    assert of_seals(yard, "+3 08:59:59") == {"seal_silent": "info"}
    assert of_seals(yard, "+3 09:00") == {"seal_silent": "major"}
    assert over(*found(yard, "seal_silent", "+3 09:00")) == (clock("09:15"), None)


def test_a_silence_on_rails_that_ended_in_time_stays_information(yard):
    on_rails(yard)
    on_its_way(yard)
    sealed(yard).was_silent(since="09:00", until="+2 09:00")
    assert of_seals(yard, "+9 09:00")["seal_silent"] != "critical"
    first = found(yard, "seal_silent", "+2 09:10")[0]
    assert (over(first), first.verdict.severity) == ((clock("09:15"), clock("+2 09:00")), "info")


def test_numbers_missing_within_the_silence_leave_it_undetermined(yard):
    on_its_way(yard)
    seal = sealed(yard).was_silent(since="09:00", until="09:40").reports(at="09:41")
    seal.lost_numbers(after="09:00", before="09:40")
    assert of_seals(yard, "09:42") == {"seal_silent": "undetermined"}
    seal.missing.clear()
    seal.lost_numbers(after="08:40", before="09:00")  # before it
    assert of_seals(yard, "09:42") == {"seal_silent": "major"}


def test_only_a_seal_that_is_on_the_goods_must_speak(yard):
    on_its_way(yard)
    yard.truck("ES-1", role="seal", kind="seal").reports(at="08:30")
    says(yard, UNLOCKED, "08:30")
    assert of_seals(yard, "12:00") == {}
    says(yard, LOCKED, "08:35")
    assert over(*found(yard, "seal_silent", "12:00")) == (clock("08:45"), None)
    yard.hears(Seal("ES-1", UNLOCKED), at="09:30", device="SIP/RD-1")
    assert over(*found(yard, "seal_silent", "12:00")) == (clock("08:45"), clock("09:30"))


def test_no_leg_no_silence_and_a_device_that_never_spoke_has_none(yard):
    yard.truck().reports(at="12:00")
    sealed(yard)
    assert of_seals(yard, "12:00") == {}
    other = Yard()
    on_its_way(other)
    other.truck("ES-1", role="seal", kind="seal")
    assert of_seals(other, "12:00") == {}


def test_a_seal_that_gives_the_position_is_c4_s_and_not_g1_s(yard):
    seal = yard.truck("ES-1", kind="seal").enters("PVGCARGO", at="08:00").reports(at="08:30")
    assert seal.role == "primary"
    assert [f.verdict.rule for f in yard.findings(until="12:00")] == ["seal_silent"]
    assert over(*found(yard, "seal_silent", "12:00")) == (clock("08:45"), None)


def test_short_silences_of_seals_are_measured_while_legs_run(yard):
    on_its_way(yard).enters("SIPCBZ-E", at="11:00").leaves("SIPCBZ-E", at="13:00")
    sealed(yard, every_s=120)
    (window,) = windows(yard.facts(), clock("14:00"))
    assert (window.device, window.longer_than_s) == ("SIP/ES-1", 300)
    assert (window.begins, window.ends) == (clock("06:00"), clock("13:00"))


def test_what_the_track_tells_needs_no_measuring(yard):
    on_its_way(yard)
    sealed(yard, every_s=60)
    assert windows(yard.facts(), clock("14:00")) == []


def test_the_terms_may_set_its_limits(yard):
    limits = {"silence_min": 30, "silence_h": 1, "factor": 40}
    terms = {**PVG_TO_SIP, "rules": {"seal_silent": {"parameters": limits}}}
    on_rails(yard)
    on_its_way(yard, terms)
    sealed(yard).reports(at="09:00")
    assert of_seals(yard, "09:39") == {}
    assert of_seals(yard, "09:40") == {"seal_silent": "info"}
    assert of_seals(yard, "10:00") == {"seal_silent": "major"}


# ---- C5 seal_battery_low


def test_a_low_charge_is_minor_until_it_is_charged(yard):
    on_its_way(yard)
    seal = sealed(yard).measures("battery_pct", 20, at="09:00").measures("battery_pct", 19.9, at="09:10")
    (finding,) = found(yard, "seal_battery_low", "09:11")
    assert over(finding) == (clock("09:10"), None)
    assert of_seals(yard, "09:11") == {"seal_battery_low": "minor"}
    seal.measures("battery_pct", 19, at="09:20").measures("battery_pct", 80, at="09:30")
    assert over(*found(yard, "seal_battery_low", "09:31")) == (clock("09:10"), clock("09:30"))


def test_a_charge_that_wavers_is_one_finding_until_it_is_well_above(yard):
    on_its_way(yard)
    seal = sealed(yard)
    for minute, charge in enumerate((21, 19.5, 20.5, 19, 22.9, 21)):
        seal.measures("battery_pct", charge, at=f"09:1{minute}")
    assert over(*found(yard, "seal_battery_low", "09:20")) == (clock("09:11"), None)
    seal.measures("battery_pct", 23, at="09:16").measures("battery_pct", 20, at="09:17")
    assert over(*found(yard, "seal_battery_low", "09:20")) == (clock("09:11"), clock("09:16"))


def test_after_its_own_word_a_charge_within_the_hysteresis_does_not_do(yard):
    on_its_way(yard)
    seal = sealed(yard).reports(at="09:00")
    says(yard, SealState.LOW_BATTERY, "09:00")
    seal.measures("battery_pct", 22, at="09:03")
    assert over(*found(yard, "seal_battery_low", "09:05")) == (clock("09:00"), None)


def test_what_was_said_before_holds_when_the_leg_begins(yard):
    yard.truck().enters("PVGCARGO", at="08:31").reports(at="08:40")
    sealed(yard).measures("battery_pct", 10, at="08:30")
    assert over(*found(yard, "seal_battery_low", "08:40")) == (clock("08:31"), None)


def test_a_seal_s_own_word_of_a_low_battery_will_do(yard):
    on_its_way(yard)
    seal = sealed(yard).reports(at="09:00")
    says(yard, SealState.LOW_BATTERY, "09:00")
    assert over(*found(yard, "seal_battery_low", "09:05")) == (clock("09:00"), None)
    seal.measures("battery_pct", 55, at="09:03")
    assert over(*found(yard, "seal_battery_low", "09:05")) == (clock("09:00"), clock("09:03"))


def test_a_charge_that_won_t_last_is_low(yard):
    property_of(yard, max_transit_h=6)
    on_its_way(yard)  # by 14:41, and twelve hours more
    sealed(yard).measures("battery_pct", 100, at="08:30").measures("battery_pct", 95, at="09:30")
    assert of_seals(yard, "09:31") == {}  # nineteen hours left
    other = Yard()
    property_of(other, max_transit_h=6)
    on_its_way(other)
    sealed(other).measures("battery_pct", 100, at="08:30").measures("battery_pct", 93, at="09:30")
    (finding,) = found(other, "seal_battery_low", "09:31")
    assert over(finding) == (clock("09:30"), None)
    assert finding.verdict.evidence[-1]["empty_at"] == clock("22:47:08").isoformat()


def test_a_pace_measured_over_minutes_or_a_way_without_end_tells_nothing(yard):
    property_of(yard, max_transit_h=6)
    on_its_way(yard)
    sealed(yard).measures("battery_pct", 100, at="08:45").measures("battery_pct", 90, at="09:30")
    assert of_seals(yard, "09:31") == {}
    other = Yard()
    on_its_way(other)
    sealed(other).measures("battery_pct", 100, at="08:30").measures("battery_pct", 80, at="09:30")
    assert of_seals(other, "09:31") == {}


def test_the_terms_may_set_what_is_low(yard):
    property_of(yard, max_transit_h=6)
    limits = {"pct": 40, "min_hours_left": 0}
    on_its_way(yard, {**PVG_TO_SIP, "rules": {"seal_battery_low": {"parameters": limits}}})
    seal = sealed(yard).measures("battery_pct", 100, at="08:30").measures("battery_pct", 90, at="09:30")
    assert of_seals(yard, "09:31") == {}
    seal.measures("battery_pct", 39, at="09:35")
    assert of_seals(yard, "09:36") == {"seal_battery_low": "minor"}


def test_the_charge_of_a_seal_that_is_open_or_of_another_device_is_none_of_ours(yard):
    on_its_way(yard).measures("battery_pct", 5, at="09:00")
    sealed(yard).measures("battery_pct", 5, at="09:40")
    yard.hears(Seal("ES-1", UNLOCKED), at="09:30", device="SIP/ES-1", kind="seal")
    assert "seal_battery_low" not in of_seals(yard, "09:41")


# ---- C8 seal_position_diverges


NEAR, FAR = 121.2005, 121.2100  # 48 m and 951 m east of the truck


def standing(yard: Yard, lon: float = 121.2, lat: float = 31.3, until: str = "09:30") -> Truck:
    """A truck that stands on its way and tells its place every minute."""
    truck = on_its_way(yard)
    for minute in range(int(until[3:])):
        truck.fixes(lon, lat, at=f"09:{minute:02}", speed_mps=0.0)
    return truck


def with_fixes(yard: Yard, *fixes: tuple[str, float]) -> Truck:
    seal = sealed(yard)
    for at, lon in fixes:
        seal.fixes(lon, 31.3, at=at)
    return seal


def test_a_seal_half_a_kilometre_off_for_five_minutes_is_critical_from_its_first_fix_there(yard):
    standing(yard)
    seal = with_fixes(yard, ("09:05", NEAR), ("09:10", FAR), ("09:12", FAR), ("09:15", FAR))
    (finding,) = found(yard, "seal_position_diverges", "09:20")
    assert over(finding) == (clock("09:10"), None)
    assert of_seals(yard, "09:20") == {"seal_position_diverges": "critical"}
    assert [piece["distance_m"] for piece in finding.verdict.evidence] == [952, 952]
    seal.fixes(NEAR, 31.3, at="09:19")
    (finding,) = found(yard, "seal_position_diverges", "09:20")
    assert over(finding) == (clock("09:10"), clock("09:19"))


def test_shorter_nearer_or_interrupted_is_nothing(yard):
    standing(yard)
    with_fixes(yard, ("09:10", FAR), ("09:14:59", FAR), ("09:16", NEAR), ("09:17", FAR), ("09:20", FAR))
    assert of_seals(yard, "09:29") == {}
    other = Yard()
    standing(other)
    with_fixes(other, *((f"09:{minute}", 121.2054) for minute in range(10, 20)))  # 514 m, 20 of them doubt
    assert of_seals(other, "09:29") == {}


def test_only_fixes_near_in_time_are_compared(yard):
    on_its_way(yard).fixes(121.2, 31.3, at="09:00", speed_mps=0.0).reports(at="09:29")
    with_fixes(yard, *((f"09:{minute:02}", FAR) for minute in range(2, 20)))
    assert of_seals(yard, "09:29") == {}


def test_a_truck_on_the_move_is_where_its_line_says(yard):
    """Half a minute at 25 m/s is 750 m."""
    truck = on_its_way(yard)
    seal = sealed(yard)
    for minute in range(20):
        truck.fixes(121.2 + 0.0158 * minute, 31.3, at=f"09:{minute:02}", speed_mps=25.0)
        seal.fixes(121.2 + 0.0158 * (minute + 0.5), 31.3, at=f"09:{minute:02}:30")
    assert of_seals(yard, "09:20") == {}


def test_with_one_fix_near_in_time_the_truck_may_have_moved_at_its_speed(yard):
    for speed, expected in ((25.0, {}), (None, {}), (0.0, {"seal_position_diverges": "critical"})):
        other = Yard()
        truck, seal = on_its_way(other), sealed(other)
        for at in ("09:00", "09:05", "09:10"):
            truck.fixes(121.2, 31.3, at=at, speed_mps=speed)
            seal.fixes(FAR, 31.3, at=f"{at}:30")
        assert of_seals(other, "09:11") == expected


def test_a_datum_that_explains_all_of_it_leaves_it_undetermined(yard):
    east, north = wgs84_to_gcj02(121.2, 31.3)
    standing(yard)
    terms = {"seal_position_diverges": {"parameters": {"max_m": 300, "for_s": 240, "time_align_s": 30}}}
    yard.holds("S-1", {**PVG_TO_SIP, "rules": terms}, since="06:00")
    seal = sealed(yard)
    for minute in range(10, 15):
        seal.fixes(east, north, at=f"09:{minute}")
    assert of_seals(yard, "09:20") == {"seal_position_diverges": "undetermined"}
    seal.fixes(FAR, 31.3, at="09:15")
    assert of_seals(yard, "09:20") == {"seal_position_diverges": "critical"}


def test_of_two_trucks_the_nearest_counts_or_that_of_the_same_box(yard):
    standing(yard)
    second = yard.truck("TRK-2", begins="05:00")
    for minute in range(30):
        second.fixes(FAR, 31.3, at=f"09:{minute:02}", speed_mps=0.0)
    seal = with_fixes(yard, *((f"09:{minute}", FAR) for minute in range(10, 20)))
    assert of_seals(yard, "09:29") == {}
    yard.trucks[0].thing = seal.thing = "urn:epc:id:bic:BNDU1000052"
    assert of_seals(yard, "09:29") == {"seal_position_diverges": "critical"}


def test_an_open_seal_may_be_carried_off(yard):
    standing(yard)
    with_fixes(yard, *((f"09:{minute}", FAR) for minute in range(10, 20)))
    says(yard, UNLOCKED, "09:09")
    assert "seal_position_diverges" not in of_seals(yard, "09:29")


def test_one_looks_again_while_both_tell_their_place(yard):
    standing(yard)
    with_fixes(yard, ("09:29", NEAR))
    assert yard.judged(until="09:29").next_due == clock("09:34")
    assert yard.judged(until="09:40").next_due != clock("09:45")  # both have been silent for long
    other = Yard()
    standing(other).enters("SIPCBZ-E", at="09:28").leaves("SIPCBZ-E", at="09:29")
    with_fixes(other, ("09:29", NEAR))
    assert other.judged(until="09:29").next_due != clock("09:34")
