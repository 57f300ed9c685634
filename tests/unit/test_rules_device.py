"""G1: fires at the exact moment, never early, closes, and is withdrawn when the gap is filled."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.gate_yard import GateYard
from tests.support.yard import PVG_TO_SIP, Yard, clock, on_its_way, over


@pytest.fixture
def yard() -> Yard:
    return Yard()


def strict(max_silence_s: int) -> dict[str, Any]:
    stay, move, rest = PVG_TO_SIP["legs"]
    return {"legs": [stay, {**move, "max_silence_s": max_silence_s}, rest]}


def test_silence_opens_at_the_last_word_plus_five_times_the_interval(yard):
    on_its_way(yard).reports(at="09:00")
    yard.expect_findings(until="09:04:59")
    finding = yard.finding("device_silent", until="09:05")
    assert over(finding) == (clock("09:05"), None)
    assert finding.verdict.parameters == {"limit_s": 300}
    yard.expect_findings(until="09:05", device_silent="major")


def test_it_opens_at_the_same_moment_however_late_it_is_noticed(yard):
    on_its_way(yard).reports(at="09:00")
    assert yard.finding("device_silent", until="09:05") == yard.finding("device_silent", until="+1 12:00")


def test_it_closes_at_the_next_word(yard):
    on_its_way(yard).was_silent(since="09:00", until="09:20").reports(at="09:21")
    assert over(yard.finding("device_silent", until="09:22")) == (clock("09:05"), clock("09:20"))


def test_a_told_silence_without_end_lasts(yard):
    on_its_way(yard).was_silent(since="09:00")
    assert over(yard.finding("device_silent", until="10:00")) == (clock("09:05"), None)


def test_filling_the_gap_takes_the_finding_away(yard):
    truck = on_its_way(yard).was_silent(since="09:00", until="09:20")
    yard.expect_findings(until="09:22", device_silent="major")
    truck.milestones = [m for m in truck.milestones if m.kind not in {"silent", "heard"}]
    yard.expect_findings(until="09:22")


def test_without_a_running_leg_it_is_information(yard):
    yard.truck().reports(at="07:00")
    yard.expect_findings(until="07:05", device_silent="info")


def test_the_leg_s_own_limit_holds_where_it_is_longer(yard):
    on_its_way(yard, strict(72 * 3600)).was_silent(since="09:00", until="+2 15:00")
    yard.expect_findings(until="+2 15:01")


def test_a_longer_limit_opens_at_its_own_moment(yard):
    on_its_way(yard, strict(3600)).was_silent(since="09:00", until="11:00")
    assert over(yard.finding("device_silent", until="11:01")) == (clock("10:00"), clock("11:00"))


def test_a_shorter_limit_needs_measuring_and_finds_what_the_track_does_not(yard):
    truck = on_its_way(yard, strict(120)).paused(since="09:00", until="09:04").reports(at="09:05")
    assert over(yard.finding("device_silent", until="09:06")) == (clock("09:02"), clock("09:04"))
    truck.was_silent(since="09:05", until="09:30").gaps.append(
        truck.gaps[0].__class__(clock("09:05"), clock("09:30"))
    )
    found = yard.findings(rule="device_silent", until="09:31")
    assert [over(f) for f in found] == [
        (clock("09:02"), clock("09:04")),
        (clock("09:07"), clock("09:30")),
    ]


def test_what_must_be_measured_is_asked_for_that_leg_only(yard):
    from tracking.domain.custody.judge import windows

    on_its_way(yard, strict(120)).enters("SIPCBZ-E", at="11:00")
    (window,) = windows(yard.facts(), clock("12:00"))
    assert (window.begins, window.ends, window.longer_than_s) == (clock("08:41"), clock("11:00"), 120)
    other = Yard()
    on_its_way(other, strict(600))
    assert windows(other.facts(), clock("12:00")) == []


def test_only_primary_devices_count(yard):
    yard.truck("SEAL", role="seal").reports(at="09:00")
    yard.expect_findings(until="12:00")


def test_a_device_that_never_spoke_is_not_silent(yard):
    yard.truck()
    yard.expect_findings(until="12:00")


def test_a_silence_ends_with_the_carriage(yard):
    on_its_way(yard).reports(at="09:00").detached(at="09:30")
    assert over(yard.finding("device_silent")) == (clock("09:05"), clock("09:30"))


def test_a_device_attached_in_silence_is_silent_from_then_on(yard):
    yard.truck(begins="10:00").was_silent(since="09:00", until="11:00").reports(at="11:01")
    assert over(yard.finding("device_silent", until="11:02")) == (clock("10:00"), clock("11:00"))


def test_the_next_look_is_when_the_leg_s_limit_would_pass(yard):
    on_its_way(yard, strict(900)).reports(at="09:00")
    assert yard.judged(until="09:01").next_due == clock("09:15")
    assert yard.judged(until="09:15").next_due is None


def test_the_next_look_is_at_the_leg_s_limit_also_where_the_next_word_is_recorded_already(yard):
    on_its_way(yard, strict(3600)).was_silent(since="09:00", until="11:00").reports(at="12:00")
    assert yard.judged(until="09:30").next_due == clock("10:00")


def test_without_a_limit_of_the_leg_the_track_watches(yard):
    on_its_way(yard).reports(at="09:00")
    assert yard.judged(until="09:01").next_due is None


def test_a_device_silent_before_its_carriage_is_looked_at_when_that_begins(yard):
    yard.truck(begins="10:00").was_silent(since="09:00")
    yard.expect_findings(until="09:30")
    assert yard.judged(until="09:30").next_due == clock("10:00")
    assert over(yard.finding("device_silent", until="10:00")) == (clock("10:00"), None)


def test_a_device_that_is_to_leave_the_goods_is_on_them_until_then(yard):
    on_its_way(yard).reports(at="09:00").detached(at="12:00")
    assert over(yard.finding("device_silent", until="09:10")) == (clock("09:05"), None)
    due = yard.judged(until="09:10").next_due
    assert due is not None
    assert due <= clock("12:00")
    assert over(yard.finding("device_silent", until="12:00")) == (clock("09:05"), clock("12:00"))


def arrives_unseen(*, silent_until: str | None, last_heard: str = "10:30") -> GateYard:
    """At SIPCBZ-E at 11:14; its only gate that leads in was heard at 10:30 for the last time."""
    yard = GateYard()
    on_its_way(yard).enters("SIPCBZ-E", at="11:14").reports(at="11:14").reports(at="11:18")
    yard.watches("G-SIPE-N1", last_heard=last_heard, silent=[("10:30", silent_until)])
    return yard


def gate_silences(yard: GateYard, until: str) -> list[Any]:
    found = [finding.verdict for finding in yard.findings(until=until)]
    return [one for one in found if one.rule == "device_silent" and one.cause == "SIP/G-SIPE-N1"]


def test_a_gate_that_was_offline_when_the_goods_passed_is_silent_from_then_on():
    yard = arrives_unseen(silent_until="15:00", last_heard="15:00")
    assert gate_silences(yard, "11:13") == []
    (told,) = gate_silences(yard, "15:10")
    assert (told.opened_at, told.closed_at, told.severity) == (clock("11:14"), clock("15:00"), "major")
    (lasting,) = gate_silences(arrives_unseen(silent_until=None), "14:00")
    assert (lasting.opened_at, lasting.closed_at) == (clock("11:14"), None)


def test_a_gate_whose_backlog_tells_of_the_goods_was_never_silent():
    yard = arrives_unseen(silent_until="15:00", last_heard="15:00")
    yard.at_gate("G-SIPE-N1", "沪AD5127", at="11:16")
    assert gate_silences(yard, "15:10") == []


def test_a_gate_that_nobody_passed_may_be_silent():
    yard = GateYard()
    on_its_way(yard)
    yard.watches("G-SIPE-N1", last_heard="10:30", silent=[("10:30", None)])
    assert gate_silences(yard, "14:00") == []
