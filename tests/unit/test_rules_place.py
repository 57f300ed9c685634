"""A1 and A4: fire, don't fire, close, and survive reordering (the yard judges everything in two orders)."""

from __future__ import annotations

import pytest

from tests.support.yard import PVG_TO_SIP, Yard, clock, on_its_way, over
from tracking.domain.custody.verdicts import FindingState, Outcome


@pytest.fixture
def yard() -> Yard:
    return Yard()


# ---- A1 route_deviation


def test_a_clean_journey_has_no_findings(yard):
    on_its_way(yard).enters("SA-YCH", at="10:34").leaves("SA-YCH", at="10:58").enters("SIPCBZ-E", at="11:16")
    yard.expect_findings(until="11:17")


def test_straying_is_a_deviation_from_the_first_fix_off(yard):
    on_its_way(yard).strays("C-PVG-SIPE", at="09:30").reports(at="09:40")
    finding = yard.finding("route_deviation", until="09:41")
    assert over(finding) == (clock("09:30"), None)
    assert finding.state is FindingState.OPEN
    assert finding.verdict.cause == "C-PVG-SIPE"
    assert [piece["milestone"] for piece in finding.verdict.evidence] == ["strayed"]
    yard.expect_findings(until="09:41", route_deviation="major")


def test_the_deviation_closes_on_return(yard):
    on_its_way(yard).strays("C-PVG-SIPE", at="09:30").returns("C-PVG-SIPE", at="09:50")
    assert over(yard.finding("route_deviation", until="09:51")) == (clock("09:30"), clock("09:50"))


def test_the_deviation_closes_on_arrival(yard):
    on_its_way(yard).strays("C-PVG-SIPE", at="10:30").enters("SIPCBZ-E", at="11:16")
    assert over(yard.finding("route_deviation", until="11:17")) == (clock("10:30"), clock("11:16"))


def test_straying_twice_is_two_findings(yard):
    truck = on_its_way(yard).strays("C-PVG-SIPE", at="09:30").returns("C-PVG-SIPE", at="09:50")
    truck.strays("C-PVG-SIPE", at="10:10").returns("C-PVG-SIPE", at="10:20")
    found = yard.findings(rule="route_deviation", until="10:21")
    assert [over(f) for f in found] == [
        (clock("09:30"), clock("09:50")),
        (clock("10:10"), clock("10:20")),
    ]


def test_another_corridor_is_nobodys_business(yard):
    on_its_way(yard).returns("C-SIDE", at="09:20").strays("C-SIDE", at="09:30")
    yard.expect_findings(until="09:31")


def test_before_departure_and_after_arrival_nobody_strays(yard):
    truck = yard.truck().enters("PVGCARGO", at="08:00").strays("C-PVG-SIPE", at="08:10")
    truck.returns("C-PVG-SIPE", at="08:30").leaves("PVGCARGO", at="08:41")
    truck.enters("SIPCBZ-E", at="11:16").strays("C-PVG-SIPE", at="11:20")
    yard.expect_findings(until="11:21")


def test_never_on_the_corridor_is_a_deviation_from_the_leg_s_beginning(yard):
    truck = yard.truck().enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="08:41")
    truck.reports(at="08:43:59")
    yard.expect_findings(until="08:45")
    truck.reports(at="08:44")
    finding = yard.finding("route_deviation", until="08:45")
    assert over(finding) == (clock("08:41"), None)
    leg, *milestones = finding.verdict.evidence
    assert leg == {"leg": 1, "begins": clock("08:41").isoformat()}
    assert [piece["milestone"] for piece in milestones] == ["left"]


def test_reaching_the_corridor_in_time_is_no_deviation(yard):
    truck = yard.truck().enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="08:41")
    truck.returns("C-PVG-SIPE", at="08:43").reports(at="09:30")
    yard.expect_findings(until="09:31")


def test_departing_off_the_corridor_is_a_deviation_too(yard):
    truck = yard.truck().returns("C-PVG-SIPE", at="07:00").strays("C-PVG-SIPE", at="08:20")
    truck.enters("PVGCARGO", at="08:25").leaves("PVGCARGO", at="08:41").returns("C-PVG-SIPE", at="09:00")
    assert over(yard.finding("route_deviation", until="09:01")) == (clock("08:41"), clock("09:00"))


def test_silence_after_departure_is_no_deviation(yard):
    yard.truck(every_s=3600).enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="08:41")
    yard.expect_findings(until="10:00")


def test_a_device_that_takes_over_on_the_way_is_judged_from_its_first_word_of_a_place(yard):
    on_its_way(yard).reports(at="08:59").detached(at="09:00")
    yard.truck("TRK-2", begins="09:00").returns("C-PVG-SIPE", at="09:30")
    yard.expect_findings(until="09:31")
    yard.truck("TRK-3", begins="10:00").enters("SA-YCH", at="10:20").leaves("SA-YCH", at="10:30")
    assert over(yard.finding("route_deviation", until="10:31")) == (clock("10:20"), None)


def test_the_device_that_left_the_goods_does_not_deviate_for_them(yard):
    on_its_way(yard).detached(at="09:00").strays("C-PVG-SIPE", at="09:30")
    yard.expect_findings(until="09:31")


def test_only_the_speaking_device_deviates(yard):
    on_its_way(yard).reports(at="09:50")
    seal = yard.truck("SEAL", role="seal").returns("C-PVG-SIPE", at="08:00")
    seal.strays("C-PVG-SIPE", at="09:30").reports(at="09:50")
    yard.expect_findings(until="09:51")


def test_a_corridor_that_does_not_exist_leaves_the_route_undetermined(yard):
    del yard.areas["C-PVG-SIPE"]
    yard.truck().enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="08:41").reports(at="09:00")
    yard.expect_findings(until="09:01", route_deviation="undetermined")
    assert yard.judged(until="09:01").state["undetermined"][0]["cause"] == "C-PVG-SIPE"


def test_new_terms_with_the_same_corridor_leave_the_deviation_as_it_is(yard):
    on_its_way(yard).strays("C-PVG-SIPE", at="09:30").reports(at="10:00")
    before = yard.finding("route_deviation", until="10:01")
    yard.holds("S-1", {"legs": [*PVG_TO_SIP["legs"], {"type": "stay", "zones": ["COLD01"]}]}, since="09:45")
    assert yard.finding("route_deviation", until="10:01") == before


# ---- A4 forbidden_zone_entry


def test_a_forbidden_lay_by_is_one_finding_while_inside(yard):
    truck = on_its_way(yard).enters("LAYBY-LD", at="09:02").reports(at="09:03")
    assert over(yard.finding("forbidden_zone_entry", until="09:03")) == (clock("09:02"), None)
    truck.leaves("LAYBY-LD", at="09:31")
    finding = yard.finding("forbidden_zone_entry", until="09:32")
    assert over(finding) == (clock("09:02"), clock("09:31"))
    assert finding.verdict.cause == "LAYBY-LD"
    assert [piece["milestone"] for piece in finding.verdict.evidence] == ["entered", "left"]
    yard.expect_findings(until="09:32", forbidden_zone_entry="major")


def test_another_bonded_zone_is_forbidden(yard):
    on_its_way(yard).enters("KSCBZ", at="10:00")
    yard.expect_findings(until="10:01", forbidden_zone_entry="major")


def test_named_zones_their_parts_and_what_lies_around_them_are_allowed(yard):
    terms = {"legs": [{"type": "stay", "zones": ["COLD01"]}]}
    truck = yard.truck(terms=terms).enters("COLD01", at="08:00").enters("SIPCBZ-E", at="08:00")
    truck.leaves("COLD01", at="09:00")
    yard.expect_findings(until="09:01")
    other = yard.truck("TRK-2", shipment="S-2").enters("PVGCARGO", at="08:00")
    other.returns("C-PVG-SIPE", at="08:00").leaves("PVGCARGO", at="08:41")
    other.enters("SIPCBZ-E", at="11:00").enters("COLD01", at="11:05")
    yard.expect_findings("S-2", until="11:06")


def test_a_restricted_part_of_a_named_zone_stays_forbidden(yard):
    on_its_way(yard).enters("SIPCBZ-E", at="11:00").enters("VAULT01", at="11:05")
    yard.expect_findings(until="11:06", forbidden_zone_entry="major")


def test_a_forbidden_zone_that_the_terms_name_is_allowed(yard):
    terms = {"legs": [{"type": "stay", "zones": ["LAYBY-LD"]}]}
    yard.truck(terms=terms).enters("LAYBY-LD", at="08:00")
    yard.expect_findings(until="08:01")


def test_no_leg_no_finding(yard):
    yard.truck().enters("LAYBY-LD", at="07:00").leaves("LAYBY-LD", at="07:30")
    yard.expect_findings(until="07:31")


def test_a_leg_that_begins_inside_opens_there(yard):
    truck = yard.truck().enters("KSCBZ", at="07:00").enters("PVGCARGO", at="08:00")
    truck.leaves("KSCBZ", at="08:20")
    assert over(yard.finding("forbidden_zone_entry", until="08:21")) == (clock("08:00"), clock("08:20"))


def test_two_devices_in_one_zone_are_one_finding(yard):
    on_its_way(yard).enters("LAYBY-LD", at="09:02").leaves("LAYBY-LD", at="09:30")
    yard.truck("SEAL", role="seal").enters("LAYBY-LD", at="09:03").leaves("LAYBY-LD", at="09:31")
    finding = yard.finding("forbidden_zone_entry", until="09:32")
    assert over(finding) == (clock("09:02"), clock("09:31"))
    assert {piece["device"] for piece in finding.verdict.evidence} == {"SIP/TRK-1", "SIP/SEAL"}


def test_a_certain_crossing_is_a_finding_over_its_interval(yard):
    on_its_way(yard).crosses("VAULT01", at="09:00", until="09:04")
    assert over(yard.finding("forbidden_zone_entry", until="09:05")) == (clock("09:00"), clock("09:04"))


def test_an_uncertain_crossing_is_undetermined(yard):
    on_its_way(yard).crosses("VAULT01", at="09:00", until="09:04", certain=False)
    yard.expect_findings(until="09:05", forbidden_zone_entry="undetermined")


def test_what_another_device_saw_settles_an_uncertain_crossing(yard):
    on_its_way(yard).crosses("VAULT01", at="09:00", until="09:04", certain=False)
    yard.truck("SEAL", role="seal").enters("VAULT01", at="09:01").leaves("VAULT01", at="09:03")
    finding = yard.finding("forbidden_zone_entry", until="09:05")
    assert finding.verdict.outcome is Outcome.FINDING


def test_the_stay_ends_with_the_carriage(yard):
    on_its_way(yard).enters("LAYBY-LD", at="09:02").detached(at="09:10").leaves("LAYBY-LD", at="09:30")
    assert over(yard.finding("forbidden_zone_entry", until="09:32")) == (clock("09:02"), clock("09:10"))


def test_a_closed_shipment_ends_its_findings(yard):
    on_its_way(yard).enters("LAYBY-LD", at="09:02")
    yard.closes("S-1", at="09:20")
    assert over(yard.finding("forbidden_zone_entry")) == (clock("09:02"), clock("09:20"))


def test_shipments_do_not_speak_for_each_other(yard):
    on_its_way(yard).reports(at="09:05")
    other = yard.truck("TRK-2", shipment="S-2").enters("PVGCARGO", at="08:00")
    other.returns("C-PVG-SIPE", at="08:00").leaves("PVGCARGO", at="08:41").enters("LAYBY-LD", at="09:02")
    yard.expect_findings("S-1", until="09:06")
    yard.expect_findings("S-2", until="09:06", forbidden_zone_entry="major")


# ---- A4 in a lay-by: passing is no stay


def test_driving_past_through_a_lay_by_is_nothing(yard):
    truck = on_its_way(yard).enters("LAYBY-LD", at="09:02:00").reports(at="09:02:30")
    yard.expect_findings(until="09:02:59")
    truck.leaves("LAYBY-LD", at="09:03:00", last_within="09:02:30")
    yard.expect_findings(until="09:07")


def test_a_departure_that_is_not_confirmed_yet_opens_nothing(yard):
    truck = on_its_way(yard).enters("LAYBY-LD", at="09:02:00").reports(at="09:02:30")
    truck.is_leaving("LAYBY-LD", last_within="09:02:30").reports(at="09:04:30")
    yard.expect_findings(until="09:04:31")
    assert yard.judged(until="09:04:31").next_due == clock("09:05:31")  # it may come back within


def test_a_stay_of_exactly_the_limit_counts_from_its_beginning(yard):
    on_its_way(yard).enters("LAYBY-LD", at="09:02:00").leaves(
        "LAYBY-LD", at="09:03:30", last_within="09:03:00"
    )
    assert over(yard.finding("forbidden_zone_entry", until="09:04")) == (clock("09:02"), clock("09:03:30"))


def test_while_still_inside_it_opens_with_the_fix_that_makes_it_a_stay(yard):
    truck = on_its_way(yard).enters("LAYBY-LD", at="09:02:00").reports(at="09:02:30")
    assert yard.judged(until="09:02:31").next_due == clock("09:03:00")
    truck.reports(at="09:03:00")
    yard.expect_findings(until="09:02:59", forbidden_zone_entry="major")  # a fix ahead of the watermark
    assert over(yard.finding("forbidden_zone_entry", until="09:03")) == (clock("09:02"), None)
    assert yard.judged(until="09:03").next_due is None


def test_a_device_that_says_nothing_more_stays_once_its_next_report_is_overdue(yard):
    on_its_way(yard).enters("LAYBY-LD", at="09:02:00").reports(at="09:02:30")
    due = yard.judged(until="09:03:00").next_due
    assert due == clock("09:04:00")  # the stay, and the minute after which the device should have reported
    yard.expect_findings(until="09:03:59")
    assert over(yard.finding("forbidden_zone_entry", until="09:04:00")) == (clock("09:02"), None)


def test_crossing_a_lay_by_between_two_fixes_is_neither_finding_nor_undetermined(yard):
    truck = on_its_way(yard).crosses("LAYBY-LD", at="09:00", until="09:04")
    truck.crosses("LAYBY-LD", at="09:10", until="09:14", certain=False)
    yard.expect_findings(until="09:15")


def test_two_passages_are_no_stay(yard):
    truck = on_its_way(yard)
    for minute in ("02", "04"):
        truck.enters("LAYBY-LD", at=f"09:{minute}:00")
        truck.leaves("LAYBY-LD", at=f"09:{minute}:45", last_within=f"09:{minute}:40")
    yard.expect_findings(until="09:06")


def test_other_forbidden_zones_know_no_least_stay(yard):
    on_its_way(yard).enters("VAULT01", at="09:02:00").leaves("VAULT01", at="09:02:20")
    yard.expect_findings(until="09:03", forbidden_zone_entry="major")


def test_the_goods_leave_the_truck_before_it_is_a_stay(yard):
    on_its_way(yard).enters("LAYBY-LD", at="09:02:00").detached(at="09:02:40")
    yard.expect_findings(until="09:07")
    assert yard.judged(until="09:02:10").next_due == clock("09:02:40")
    assert yard.judged(until="09:02:40").next_due is None


def test_the_finding_names_the_least_stay(yard):
    on_its_way(yard).enters("LAYBY-LD", at="09:02").leaves("LAYBY-LD", at="09:31")
    assert yard.finding("forbidden_zone_entry").verdict.parameters["layby_min_stay_s"] == 60
