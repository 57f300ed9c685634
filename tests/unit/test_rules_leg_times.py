"""A10: kept for too long, from when on and how gravely; A11: begun before it was allowed to."""

from __future__ import annotations

from typing import Any

import pytest

from devices.observation import Action, Scan
from tests.support.yard import EPOCH, PVG_TO_SIP, Truck, Yard, clock, over
from tracking.domain.custody.facts import AreaRevision, GateWatch
from tracking.domain.custody.judge import judge
from tracking.domain.custody.verdicts import Finding, Outcome

ORIGIN, MOVE, DESTINATION = PVG_TO_SIP["legs"]
HOUR = 3600


@pytest.fixture
def yard() -> Yard:
    return Yard()


def kept(max_dwell_s: int | None = 2 * HOUR, zones: tuple[str, ...] = ("SIPCBZ-E",)) -> dict[str, Any]:
    limit = {} if max_dwell_s is None else {"max_dwell_s": max_dwell_s}
    return {"legs": [{"type": "stay", "zones": list(zones), **limit}]}


def dwells(yard: Yard, until: str = "23:00") -> list[Finding]:
    return yard.findings(rule="dwell_exceeded", until=until)


def dwell(yard: Yard, until: str = "23:00") -> Finding:
    return yard.finding("dwell_exceeded", until=until)


def early(yard: Yard, until: str = "23:00") -> list[Finding]:
    return yard.findings(rule="begun_too_early", until=until)


# ---- A10 dwell_exceeded


def test_the_time_is_over_at_the_exact_moment(yard):
    yard.truck(terms=kept()).enters("SIPCBZ-E", at="08:00").reports(at="09:59:59")
    assert dwells(yard, until="09:59:59") == []
    assert yard.judged(until="09:59:59").next_due == clock("10:00")
    finding = dwell(yard, until="10:00")
    assert over(finding) == (clock("10:00"), None)
    assert (finding.verdict.severity, finding.verdict.cause) == ("minor", "leg 0")
    entered, told = finding.verdict.evidence
    assert (entered["milestone"], entered["device"]) == ("entered", "SIP/TRK-1")
    assert (told["due"], told["ends"]) == (clock("10:00").isoformat(), None)


def test_noticed_a_day_later_it_is_the_same_finding(yard):
    yard.truck(terms=kept()).enters("SIPCBZ-E", at="08:00").reports(at="10:00")
    late = dwell(yard, until="+1 10:00")
    assert late.finding_id == dwell(yard, until="10:00").finding_id
    assert over(late) == (clock("10:00"), None)


def test_it_becomes_major_when_half_as_much_again_has_passed(yard):
    yard.truck(terms=kept()).enters("SIPCBZ-E", at="08:00").reports(at="11:00")
    assert dwell(yard, until="10:59:59").verdict.severity == "minor"
    assert yard.judged(until="10:59:59").next_due == clock("11:00")
    assert dwell(yard, until="11:00").verdict.severity == "major"


@pytest.mark.parametrize(("at", "severity"), [("10:30", "minor"), ("11:00", "minor"), ("12:00", "major")])
def test_it_closes_when_the_zone_is_left(yard, at, severity):
    yard.truck(terms=kept()).enters("SIPCBZ-E", at="08:00").leaves("SIPCBZ-E", at=at)
    finding = dwell(yard)
    assert (over(finding), finding.verdict.severity) == ((clock("10:00"), clock(at)), severity)
    assert finding.verdict.evidence[-1]["ends"] == clock(at).isoformat()


@pytest.mark.parametrize("at", ["09:00", "10:00"])
def test_who_leaves_in_time_was_not_kept_too_long(yard, at):
    yard.truck(terms=kept()).enters("SIPCBZ-E", at="08:00").leaves("SIPCBZ-E", at=at)
    assert dwells(yard) == []


def test_without_the_field_nobody_counts(yard):
    yard.truck(terms=kept(None)).enters("SIPCBZ-E", at="08:00").reports(at="22:00")
    assert dwells(yard, until="+20 08:00") == []


def test_before_the_stay_began_nobody_counts(yard):
    limit = {"legs": [ORIGIN, MOVE, {**DESTINATION, "max_dwell_s": HOUR}]}
    truck = yard.truck(terms=limit).enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="12:00")
    truck.reports(at="18:00")
    assert dwells(yard) == []
    truck.enters("SIPCBZ-E", at="19:00").reports(at="20:00")
    assert (over(dwell(yard)), dwell(yard).verdict.cause) == ((clock("20:00"), None), "leg 2")


def test_from_one_of_its_zones_to_another_the_time_goes_on(yard):
    truck = yard.truck(terms=kept(zones=("SIPCBZ-E", "KSCBZ"))).enters("SIPCBZ-E", at="08:00")
    truck.enters("KSCBZ", at="09:00").leaves("SIPCBZ-E", at="09:00").leaves("KSCBZ", at="11:00")
    assert over(dwell(yard)) == (clock("10:00"), clock("11:00"))


def test_goods_that_were_unloaded_are_kept_where_they_were_last(yard):
    yard.truck(terms=kept()).enters("SIPCBZ-E", at="08:00").detached(at="09:00")
    assert over(dwell(yard)) == (clock("10:00"), None)


def test_a_leg_that_is_over_is_not_taken_up_again(yard):
    truck = yard.truck(terms=kept()).enters("SIPCBZ-E", at="08:00").leaves("SIPCBZ-E", at="09:00")
    truck.enters("SIPCBZ-E", at="09:30").reports(at="14:00")
    assert dwells(yard) == []


def test_what_lay_there_before_counts_from_when_the_terms_held(yard):
    yard.holds("S-1", kept(), since="08:00")
    yard.truck(begins="06:00").enters("SIPCBZ-E", at="07:00").reports(at="10:00")
    finding = dwell(yard)
    assert over(finding) == (clock("10:00"), None)
    assert finding.verdict.evidence[0]["begins"] == clock("08:00").isoformat()


def test_stricter_terms_open_it_no_earlier_than_they_hold(yard):
    yard.truck(terms=kept(8 * HOUR)).enters("SIPCBZ-E", at="08:00").reports(at="12:00")
    yard.holds("S-1", kept(HOUR), since="12:00")
    assert dwells(yard, until="11:59") == []
    finding = dwell(yard, until="12:00")
    assert over(finding) == (clock("12:00"), None)
    assert (finding.verdict.severity, finding.verdict.terms_revision) == ("major", 2)


def test_milder_terms_close_it_when_they_take_effect(yard):
    yard.truck(terms=kept()).enters("SIPCBZ-E", at="08:00").reports(at="12:00")
    yard.holds("S-1", kept(8 * HOUR), since="11:30")
    first, then = dwells(yard)
    assert (over(first), first.verdict.severity) == ((clock("10:00"), clock("11:30")), "major")
    assert (over(then), then.verdict.severity) == ((clock("16:00"), None), "major")


def test_terms_that_leave_the_limit_leave_the_finding(yard):
    yard.truck(terms=kept()).enters("SIPCBZ-E", at="08:00").reports(at="12:00")
    before = dwell(yard)
    yard.holds("S-1", {"legs": [*kept()["legs"], MOVE]}, since="11:30")
    assert dwell(yard).finding_id == before.finding_id
    assert over(dwell(yard)) == (clock("10:00"), None)


def test_terms_may_set_when_it_is_grave(yard):
    rules = {"dwell_exceeded": {"parameters": {"major_at_pct": 100}}}
    yard.truck(terms={**kept(), "rules": rules}).enters("SIPCBZ-E", at="08:00").reports(at="10:00")
    assert dwell(yard, until="10:00").verdict.severity == "major"


def silent_and_offline(yard: Yard, *, gate_heard: str) -> Truck:
    """It spoke last at 09:00, an hour before it was to leave."""
    yard.areas["G-SIPE-N1"] = (AreaRevision("G-SIPE-N1", "gate", False, "SIPCBZ-E", 1, EPOCH),)
    yard.gates.append(GateWatch("G-SIPE-N1", "SIPCBZ-E", "SIP/G-SIPE-N1", 60, clock(gate_heard), ()))
    return yard.truck(terms=kept()).enters("SIPCBZ-E", at="08:00").reports(at="09:00")


def test_while_neither_device_nor_gate_could_have_told_it_is_undetermined(yard):
    truck = silent_and_offline(yard, gate_heard="09:30")
    assert dwell(yard, until="10:00").verdict.outcome is Outcome.UNDETERMINED
    truck.reports(at="12:00")
    assert dwell(yard).verdict.outcome is Outcome.FINDING


def test_a_gate_that_was_there_would_have_told(yard):
    silent_and_offline(yard, gate_heard="10:30")
    assert dwell(yard).verdict.outcome is Outcome.FINDING


def test_another_device_that_saw_them_leave_settles_it(yard):
    silent_and_offline(yard, gate_heard="09:30").detached(at="11:00")
    yard.truck("TRK-2", begins="11:00").enters("SIPCBZ-E", at="11:00").leaves("SIPCBZ-E", at="12:00")
    finding = dwell(yard)
    assert (finding.verdict.outcome, over(finding)) == (Outcome.FINDING, (clock("10:00"), clock("12:00")))


def test_a_closed_shipment_is_kept_no_longer(yard):
    yard.truck(terms=kept()).enters("SIPCBZ-E", at="08:00").reports(at="12:00")
    yard.closes("S-1", at="10:30")
    assert over(dwell(yard)) == (clock("10:00"), clock("10:30"))
    yard.closes("S-1", at="10:00")
    assert dwells(yard) == []


def test_a_late_word_of_the_departure_withdraws_it(yard):
    truck = yard.truck(terms=kept()).enters("SIPCBZ-E", at="08:00").reports(at="12:00")
    assert len(dwells(yard)) == 1
    truck.leaves("SIPCBZ-E", at="09:50")
    assert dwells(yard) == []


# ---- A11 begun_too_early


def no_earlier(at: str, leg: dict[str, Any] = MOVE) -> dict[str, Any]:
    moment = clock(at).isoformat()
    return {"legs": [{**one, "not_before": moment} if one is leg else one for one in PVG_TO_SIP["legs"]]}


def departs(yard: Yard, at: str, terms: dict[str, Any]) -> Truck:
    truck = yard.truck(terms=terms).enters("PVGCARGO", at="07:00").returns("C-PVG-SIPE", at="07:00")
    return truck.leaves("PVGCARGO", at=at)


def test_a_departure_that_is_too_early_is_found_at_once_until_it_is_allowed(yard):
    departs(yard, "08:41", no_earlier("09:00")).reports(at="08:50")
    (finding,) = early(yard, until="08:59:59")
    assert over(finding) == (clock("08:41"), None)
    assert (finding.verdict.severity, finding.verdict.cause) == ("minor", "leg 1")
    left, told = finding.verdict.evidence
    assert (left["milestone"], told["not_before"]) == ("left", clock("09:00").isoformat())
    assert yard.judged(until="08:50").next_due == clock("09:00")
    (closed,) = early(yard, until="09:00")
    assert (closed.finding_id, over(closed)) == (finding.finding_id, (clock("08:41"), clock("09:00")))


def test_an_arrival_after_it_is_allowed_changes_nothing(yard):
    departs(yard, "08:41", no_earlier("09:00")).enters("SIPCBZ-E", at="11:00")
    (finding,) = early(yard, until="12:00")
    assert over(finding) == (clock("08:41"), clock("09:00"))


def test_an_arrival_before_it_is_allowed_closes_it(yard):
    departs(yard, "08:41", no_earlier("15:00")).enters("SIPCBZ-E", at="11:00")
    (finding,) = early(yard, until="12:00")
    assert over(finding) == (clock("08:41"), clock("11:00"))


def test_a_stay_that_is_entered_too_early(yard):
    departs(yard, "08:41", no_earlier("12:00", DESTINATION)).enters("SIPCBZ-E", at="11:00")
    (finding,) = early(yard)
    assert (over(finding), finding.verdict.cause) == ((clock("11:00"), clock("12:00")), "leg 2")
    assert finding.verdict.evidence[0]["milestone"] == "entered"


@pytest.mark.parametrize("at", ["09:00", "09:30"])
def test_in_time_is_not_too_early(yard, at):
    departs(yard, at, no_earlier("09:00")).reports(at="10:00")
    assert early(yard) == []


def test_who_has_not_set_out_has_not_begun(yard):
    yard.truck(terms=no_earlier("09:00")).enters("PVGCARGO", at="07:00").reports(at="08:00")
    assert early(yard) == []


def test_without_a_moment_nothing_is_too_early(yard):
    departs(yard, "08:41", PVG_TO_SIP).enters("SIPCBZ-E", at="11:00")
    assert early(yard) == []


def test_later_terms_open_it_no_earlier_than_they_hold(yard):
    departs(yard, "08:41", PVG_TO_SIP).reports(at="10:00")
    yard.holds("S-1", no_earlier("11:00"), since="09:30")
    (finding,) = early(yard)
    assert over(finding) == (clock("09:30"), clock("11:00"))
    yard.holds("S-1", PVG_TO_SIP, since="10:00")
    (finding,) = early(yard)
    assert over(finding) == (clock("09:30"), clock("10:00"))


def test_what_nobody_saw_begin_is_undetermined(yard):
    yard.holds("S-1", no_earlier("12:00", ORIGIN), since="08:00")
    yard.truck().enters("PVGCARGO", at="07:00").reports(at="10:00")
    (finding,) = early(yard)
    assert finding.verdict.outcome is Outcome.UNDETERMINED
    assert over(finding) == (clock("08:00"), clock("12:00"))


def test_the_beginning_is_cited_of_the_device_that_spoke_then(yard):
    yard.truck("TRK-0", terms=no_earlier("12:00")).enters("PVGCARGO", at="07:00").detached(at="08:00")
    yard.truck("TRK-9", begins="08:00").enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="08:41")
    (finding,) = early(yard)
    assert finding.verdict.evidence[0]["device"] == "SIP/TRK-9"


def test_a_scan_is_no_departure(yard):
    yard.truck(terms=no_earlier("12:00")).enters("PVGCARGO", at="07:00").reports(at="08:00")
    yard.hears(Scan("P-1", Action.LOADING), at="07:30")
    assert early(yard) == []


def test_nothing_is_found_of_it_before_the_watermark_has_come_so_far(yard):
    departs(yard, "08:41", no_earlier("09:00"))
    assert [
        f for f in judge(yard.facts(), clock("08:40")).findings if f.verdict.rule == "begun_too_early"
    ] == []
    assert early(yard, until="08:40") == []
    assert yard.judged(until="08:40").next_due == clock("08:41")
