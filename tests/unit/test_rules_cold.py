"""Goods that must stay cold: out of their band, warmed by a door, without power (F1, F4, F5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.yard import Truck, Yard, clock, over, rules_due
from tracking.domain.custody.judge import judge
from tracking.domain.custody.rules import RULES
from tracking.domain.custody.verdicts import Finding, Severity

FAMILY = {
    "temp_excursion", "temp_rise_on_handover", "cold_sampling_gap", "door_open_warming", "power_loss",
    "mkt_report", "calibration_due", "humidity_excursion",
}  # fmt: skip

STORE = "urn:bondwatch:asset:COLD01"
BOX = "BNDU1000073"


def stored(**limit: Any) -> dict[str, Any]:
    """Terms of goods that stay in the cold store."""
    return {"legs": [{"type": "stay", "zones": ["COLD01"], "limits": {"temperature_c": limit}}]}


def cold_yard(rules: dict[str, Any] | None = None, **limit: Any) -> Yard:
    """A box in the cold store since 12:00."""
    yard = Yard()
    terms = stored(**limit) | ({"rules": rules} if rules else {})
    yard.truck("CT-1", terms=terms, thing=BOX, every_s=86_400).enters("COLD01", at="12:00")
    return yard


def probe(yard: Yard, name: str = "T-41", thing: str = BOX, begins: str = "12:00") -> Truck:
    return yard.truck(name, role="sensor", kind="sensor", thing=thing, begins=begins)


def cold(yard: Yard, until: str = "23:00") -> list[Finding]:
    return [f for f in yard.findings(until=until) if f.verdict.rule in FAMILY]


def pieces(finding: Finding, word: str) -> list[Any]:
    return [piece for piece in finding.verdict.evidence if piece.get("is") == word]


class TestBrokenByAnOpenDoor:
    """S7: pharma in a cold store, one door, one probe, four sensors of the store."""

    @pytest.fixture
    def yard(self) -> Yard:
        yard = cold_yard(profile="pharma_2_8")
        yard.holds_goods(BOX)
        yard.holds_goods(STORE, is_goods=False)
        warming = [("12:00", 5.0), ("13:12", 5.0), ("13:20", 8.3), ("13:30", 9.6), ("13:41", 11.2)]
        probe(yard).was_calibrated(days_ago=370).measures_along(
            "temperature_c", *warming, ("13:58", 7.8), ("15:00", 5.0)
        )
        door = probe(yard, "D-3", STORE)
        door.measures("door_open", 0, at="12:30").measures("door_open", 1, at="13:12")
        door.measures("door_open", 0, at="13:44")
        for name in ("T-31", "T-34"):
            probe(yard, name, STORE).measures_along("temperature_c", ("12:00", -20.0), ("15:00", -20.0))
        spiked = probe(yard, "T-32", STORE)
        spiked.measures_along("temperature_c", ("12:00", -20.0), ("14:04", -20.0))
        spiked.measures("temperature_c", 41.0, at="14:05")
        spiked.measures_along("temperature_c", ("14:06", -20.0), ("15:00", -20.0))
        silent = probe(yard, "T-33", STORE)
        silent.measures_along("temperature_c", ("12:00", -20.0), ("14:10", -20.0))
        silent.measures_along("temperature_c", ("14:32", -20.0), ("15:00", -20.0))
        return yard

    def test_the_whole_story(self, yard: Yard) -> None:
        found = {f.verdict.rule: f.verdict for f in cold(yard, until="15:00")}
        assert len(found) == len(cold(yard, until="15:00")) == 3
        door, excursion = found["door_open_warming"], found["temp_excursion"]
        assert (door.opened_at, door.closed_at) == (clock("13:17"), clock("13:44"))
        assert (door.severity, door.cause) == (Severity.MAJOR, "SIP/D-3")
        assert (excursion.opened_at, excursion.closed_at) == (clock("13:25"), clock("13:58"))
        assert excursion.severity is Severity.CRITICAL
        assert found["calibration_due"].severity is Severity.MINOR
        assert found["calibration_due"].cause == "SIP/T-41"

    def test_the_excursion_says_how_long_how_warm_and_why(self, yard: Yard) -> None:
        finding = yard.finding("temp_excursion", until="15:00")
        (first,) = pieces(finding, "first out")
        (farthest,) = pieces(finding, "farthest")
        assert first["time"] == clock("13:20").isoformat()
        assert (farthest["value"], farthest["time"]) == (11.2, clock("13:41").isoformat())
        told = next(piece for piece in finding.verdict.evidence if "excursion" in piece)
        assert told["minutes"] == 38
        caused = next(piece for piece in finding.verdict.evidence if "caused_by" in piece)
        assert (caused["caused_by"], caused["cause"]) == ("door_open_warming", "SIP/D-3")
        assert caused["opened_at"] == clock("13:17").isoformat()
        sensor = next(piece for piece in finding.verdict.evidence if "sensor" in piece)
        assert sensor["calibrated_at"] is not None

    @pytest.mark.parametrize(
        ("rule", "moment"), [("door_open_warming", "13:17"), ("temp_excursion", "13:25")]
    )
    def test_each_opens_at_its_moment_and_not_before(self, yard: Yard, rule: str, moment: str) -> None:
        facts = yard.facts()
        before = clock(moment) - timedelta(seconds=1)
        judgement = judge(facts, before)
        assert rule not in {f.verdict.rule for f in judgement.findings}
        assert judgement.next_due is not None
        assert judgement.next_due <= clock(moment)
        (found,) = [f for f in judge(facts, clock(moment)).findings if f.verdict.rule == rule]
        assert found.verdict.opened_at == clock(moment)
        assert found.verdict.closed_at is None

    def test_what_lasts_says_the_same_each_minute(self, yard: Yard) -> None:
        one, other = (yard.finding("temp_excursion", until=until) for until in ("13:30", "13:40"))
        assert one == other

    def test_due_moments_alone_lead_to_the_same_end(self, yard: Yard) -> None:
        facts, until = yard.facts(), clock("12:00")
        for _ in range(500):
            judgement = judge(facts, until)
            if judgement.next_due is None or judgement.next_due > clock("15:00"):
                break
            assert judgement.next_due > until
            until = judgement.next_due
        assert until > clock("14:00")
        assert judgement.findings == judge(facts, clock("15:00")).findings

    def test_under_way_the_gap_of_22_minutes_is_told(self, yard: Yard) -> None:
        yard.terms.clear()
        moving = {
            "type": "move",
            "from_zones": ["COLD01"],
            "to_zones": ["KSCBZ"],
            "limits": {"temperature_c": {"profile": "pharma_2_8"}},
        }
        yard.holds("S-1", {"legs": [moving]}, since="06:00")
        yard.trucks[0].leaves("COLD01", at="12:10")
        gaps = [f.verdict for f in cold(yard, until="15:00") if f.verdict.rule == "cold_sampling_gap"]
        assert [(gap.cause, gap.opened_at) for gap in gaps] == [("SIP/T-33", clock("14:15"))]
        assert gaps[0].severity is Severity.MAJOR  # over 3 x 5 minutes from 14:25 on
        yard.terms["S-1"].clear()
        rules = {"cold_sampling_gap": {"parameters": {"transport_min": 8}}}
        yard.holds("S-1", {"legs": [moving], "rules": rules}, since="06:00")
        assert yard.finding("cold_sampling_gap", until="15:00").verdict.severity is Severity.INFO


class TestExcursion:
    """F1."""

    def test_a_value_within_the_sensors_error_is_not_out(self) -> None:
        yard = cold_yard(high=-18)
        probe(yard).measures_along("temperature_c", ("12:01", -17.5), ("14:00", -17.5))
        assert cold(yard, until="14:00") == []

    def test_frozen_goods_may_be_out_for_half_an_hour(self) -> None:
        yard = cold_yard(high=-18)
        warm = probe(yard).measures_along("temperature_c", ("12:01", -20.0), ("12:59", -20.0))
        warm.measures_along("temperature_c", ("13:00", -16.0), ("13:29", -16.0))
        warm.measures("temperature_c", -19.0, at="13:30")
        assert cold(yard, until="13:59") == []

    def test_it_is_minor_then_major_after_an_hour_and_closes_when_back(self) -> None:
        yard = cold_yard(high=-18)
        warm = probe(yard).measures_along("temperature_c", ("12:01", -20.0), ("12:59", -20.0))
        warm.measures_along("temperature_c", ("13:00", -16.0), ("14:10", -16.0))
        warm.measures("temperature_c", -18.2, at="14:11").measures("temperature_c", -18.5, at="14:12")
        early, late = (yard.finding("temp_excursion", until=until) for until in ("13:59:59", "14:00"))
        assert (early.verdict.severity, late.verdict.severity) == (Severity.MINOR, Severity.MAJOR)
        assert early.finding_id == late.finding_id
        assert over(yard.finding("temp_excursion")) == (clock("13:30"), clock("14:12"))

    def test_far_beyond_is_major_at_once(self) -> None:
        yard = cold_yard(high=-18)
        warm = probe(yard).measures_along("temperature_c", ("12:30", -20.0), ("12:59", -20.0))
        warm.measures_along("temperature_c", ("13:00", -12.9), ("13:31", -12.9))
        assert yard.finding("temp_excursion", until="13:31").verdict.severity is Severity.MAJOR

    def test_too_cold_counts_too(self) -> None:
        yard = cold_yard(low=2, high=8)
        probe(yard).measures_along("temperature_c", ("12:01", 1.7), ("12:20", 1.7))
        finding = yard.finding("temp_excursion", until="12:20")
        assert finding.verdict.opened_at == clock("12:06")
        assert finding.verdict.severity is Severity.CRITICAL  # 2 to 8 is medicine
        assert finding.verdict.parameters["profile"] == "pharma_2_8"

    def test_the_room_of_medicine_tolerates_a_summers_day(self) -> None:
        yard = cold_yard(profile="pharma_crt")
        one = probe(yard).measures_along("temperature_c", ("12:01", 27.0), ("12:20", 27.0))
        assert yard.finding("temp_excursion", until="12:20").verdict.severity is Severity.MINOR
        one.measures_along("temperature_c", ("12:21", 30.5), ("12:30", 30.5))
        assert yard.finding("temp_excursion", until="12:30").verdict.severity is Severity.CRITICAL

    def test_one_value_alone_is_none_however_slow_the_sensor(self) -> None:
        yard = cold_yard(low=0, high=4)
        slow = probe(yard)
        for at, value in (("12:10", 3.0), ("12:40", 6.0), ("13:10", 3.0), ("13:40", 6.0)):
            slow.measures("temperature_c", value, at=at)
        assert [f for f in cold(yard, until="14:00") if f.verdict.rule == "temp_excursion"] == []
        slow.measures("temperature_c", 6.0, at="14:10")
        found = yard.finding("temp_excursion", until="14:10")
        assert found.verdict.opened_at == clock("13:50")
        assert yard.findings(until="14:09:59", rule="temp_excursion") == []

    def test_after_one_value_the_next_reports_are_awaited(self) -> None:
        yard = cold_yard(low=0, high=4)
        probe(yard).measures("temperature_c", 3.0, at="12:30").measures("temperature_c", 6.0, at="12:31")
        assert rules_due("temp_excursion", yard.facts(), at="12:31") == clock("12:41")
        due = judge(yard.facts(), clock("13:31")).next_due
        assert due is None or due > clock("13:36")

    def test_a_spike_into_the_band_does_not_end_it(self) -> None:
        yard = cold_yard(high=-18)
        one = probe(yard).measures_along("temperature_c", ("12:01", -6.0), ("12:40", -6.0))
        one.measures("temperature_c", -30.0, at="12:41")
        one.measures_along("temperature_c", ("12:42", -6.0), ("12:50", -6.0))
        assert over(yard.finding("temp_excursion", until="12:50")) == (clock("12:31"), None)

    def test_two_sensors_of_one_box_are_one_finding(self) -> None:
        yard = cold_yard(low=0, high=4)
        probe(yard, "T-11").measures_along("temperature_c", ("12:05", 6.0), ("12:30", 6.0), ("12:40", 2.0))
        probe(yard, "T-12").measures_along("temperature_c", ("12:09", 6.0), ("12:45", 6.0), ("12:46", 2.0))
        finding = yard.finding("temp_excursion", until="13:00")
        assert over(finding) == (clock("12:15"), clock("12:46"))
        told = [piece["sensor"] for piece in finding.verdict.evidence if "sensor" in piece]
        assert told == ["SIP/T-11", "SIP/T-12"]

    def test_a_leg_says_how_long(self) -> None:
        yard = cold_yard(low=0, high=4, tolerated_min=45)
        probe(yard).measures_along("temperature_c", ("12:01", 6.0), ("13:00", 6.0))
        assert yard.finding("temp_excursion", until="13:00").verdict.opened_at == clock("12:46")

    def test_terms_change_the_profiles_numbers(self) -> None:
        rules = {"temp_excursion": {"parameters": {"delay_min": 2, "sensor_err_c": 3}, "severity": "major"}}
        yard = cold_yard(rules, low=2, high=8)
        one = probe(yard).measures_along("temperature_c", ("12:01", 10.9), ("12:20", 10.9))
        assert cold(yard, until="12:20") == []
        one.measures_along("temperature_c", ("12:21", 11.1), ("12:30", 11.1))
        finding = yard.finding("temp_excursion", until="12:30").verdict
        assert (finding.opened_at, finding.severity) == (clock("12:23"), Severity.MAJOR)

    def test_defrosting_is_no_excursion(self) -> None:
        """S1: a rise while the unit defrosts, back within half an hour."""
        yard = cold_yard(low=0, high=4)
        unit = probe(yard, "T-12").measures_along("temperature_c", ("12:01", 2.0), ("13:00", 2.0))
        unit.measures("defrost", 0, at="12:50").measures("defrost", 1, at="13:00")
        unit.measures("defrost", 0, at="13:10")
        unit.measures_along("temperature_c", ("13:01", 6.0), ("13:28", 6.0), ("13:30", 2.0))
        assert cold(yard, until="13:45") == []
        unit.measures_along("temperature_c", ("13:31", 2.0), ("14:00", 2.0))
        unit.measures_along("temperature_c", ("14:01", 6.0), ("14:20", 6.0), ("14:40", 6.0))
        assert yard.finding("temp_excursion", until="15:00").verdict.opened_at == clock("14:11")

    def test_a_rise_that_outlasts_the_defrosting_is_one(self) -> None:
        yard = cold_yard(low=0, high=4)
        unit = probe(yard, "T-12").measures("defrost", 1, at="12:00").measures("defrost", 0, at="12:10")
        unit.measures_along("temperature_c", ("12:01", 6.0), ("12:50", 6.0))
        assert yard.finding("temp_excursion", until="12:50").verdict.opened_at == clock("12:31")

    def test_a_stores_sensors_speak_when_no_other_does(self) -> None:
        yard = cold_yard(high=-18)
        probe(yard, "T-31", STORE).measures_along("temperature_c", ("12:01", -10.0), ("12:50", -10.0))
        finding = yard.finding("temp_excursion", until="12:50")
        assert finding.verdict.cause == STORE
        probe(yard, "T-41").measures_along("temperature_c", ("12:01", -20.0), ("12:50", -20.0))
        assert cold(yard, until="12:50") == []

    def test_between_two_legs_the_limits_hold_on(self) -> None:
        yard = Yard()
        cool = {"temperature_c": {"high": -18}}
        legs = [
            {"type": "stay", "zones": ["PVGCARGO"], "limits": cool},
            {"type": "move", "from_zones": ["PVGCARGO"], "to_zones": ["SIPCBZ-E"], "limits": cool},
            {"type": "stay", "zones": ["COLD01"], "limits": cool},
        ]
        truck = yard.truck("CT-1", terms={"legs": legs}, thing=BOX, every_s=86_400)
        truck.enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="08:41").enters("SIPCBZ-E", at="11:16")
        probe(yard, begins="08:00").measures_along(
            "temperature_c", ("08:00", -20.0), ("11:20", -20.0)
        ).measures_along("temperature_c", ("11:21", -10.0), ("12:21", -10.0))
        assert yard.finding("temp_excursion", until="12:20").verdict.opened_at == clock("11:51")
        truck.enters("COLD01", at="12:00").leaves("COLD01", at="12:10")
        assert over(yard.finding("temp_excursion", until="12:20")) == (clock("11:51"), clock("12:10"))

    def test_nothing_is_held_against_goods_without_limits(self) -> None:
        yard = Yard()
        yard.truck("CT-1", terms={"legs": [{"type": "stay", "zones": ["COLD01"]}]}, every_s=86_400).enters(
            "COLD01", at="12:00"
        )
        probe(yard).measures_along("temperature_c", ("12:01", 40.0), ("14:00", 40.0))
        assert cold(yard, until="14:00") == []

    def test_what_nobody_measures_is_undetermined(self) -> None:
        yard = cold_yard(high=-18)
        assert judge(yard.facts(), clock("12:00")).next_due == clock("13:00")
        assert cold(yard, until="12:59") == []
        yard.expect_findings(until="13:00", temp_excursion="undetermined")
        probe(yard).measures("temperature_c", -20.0, at="12:30")
        assert cold(yard, until="12:50") == []


class TestDoors:
    """F4."""

    def test_a_door_that_closes_in_time_is_none(self) -> None:
        yard = cold_yard(low=0, high=4)
        probe(yard, "D-3").measures("door_open", 1, at="12:12").measures("door_open", 0, at="12:17")
        probe(yard).measures_along("temperature_c", ("12:10", 1.0), ("12:20", 4.0))
        assert cold(yard, until="12:20") == []

    def test_an_open_door_without_warming_is_none(self) -> None:
        yard = cold_yard(low=0, high=4)
        probe(yard, "D-3").measures("door_open", 1, at="12:12")
        probe(yard).measures_along("temperature_c", ("12:10", 2.0), ("12:40", 3.0))
        assert cold(yard, until="12:40") == []

    def test_warming_that_begins_later_is_found_at_the_next_look(self) -> None:
        yard = cold_yard(low=0, high=4)
        probe(yard, "D-3").measures("door_open", 1, at="12:12")
        probe(yard).measures_along("temperature_c", ("12:10", 2.0), ("12:17", 2.0), ("12:27", 4.0))
        assert rules_due("door_open_warming", yard.facts(), at="12:12") == clock("12:17")
        assert rules_due("door_open_warming", yard.facts(), at="12:17") == clock("12:22")
        assert over(yard.finding("door_open_warming", until="12:27")) == (clock("12:22"), None)

    def test_a_door_of_nobodys_cold_goods_is_none(self) -> None:
        yard = Yard()
        yard.truck("CT-1", every_s=86_400).enters("PVGCARGO", at="12:00")
        probe(yard, "D-3").measures("door_open", 1, at="12:12")
        probe(yard).measures_along("temperature_c", ("12:10", 2.0), ("12:40", 30.0))
        assert cold(yard, until="12:40") == []


class TestPower:
    """F5."""

    def test_it_opens_after_ten_minutes_and_closes_when_power_is_back(self) -> None:
        yard = cold_yard(high=-18)
        unit = probe(yard, "R-1").measures("power_on", 1, at="12:00").measures("power_on", 0, at="12:20")
        unit.measures_along("temperature_c", ("12:00", -20.0), ("13:00", -20.0))
        assert rules_due("power_loss", yard.facts(), at="12:21") == clock("12:30")
        assert cold(yard, until="12:29:59") == []
        unit.measures("power_on", 1, at="12:50")
        finding = yard.finding("power_loss", until="13:00")
        assert (over(finding), finding.verdict.severity) == ((clock("12:30"), clock("12:50")), Severity.MAJOR)

    def test_a_short_interruption_is_none(self) -> None:
        yard = cold_yard(high=-18)
        unit = probe(yard, "R-1").measures("mains_on", 0, at="12:20").measures("mains_on", 1, at="12:30")
        unit.measures("temperature_c", -20.0, at="12:10")
        assert cold(yard, until="12:35") == []


def test_the_family_is_in_the_catalogue() -> None:
    assert {rule.code for rule in RULES.values() if rule.number[0] == "F"} == FAMILY
