"""The record of the cold: handling, gaps, mean kinetic temperature, calibration, humidity (F2, F3, F6-F8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

import pytest

from devices.observation import Action, Scan
from tests.support.yard import Truck, Yard, clock, over, rules_due
from tracking.domain.custody.cold_report import cold_report
from tracking.domain.custody.documents import Calibration
from tracking.domain.custody.judge import judge
from tracking.domain.custody.kinetic import mean_kinetic
from tracking.domain.custody.profiles import PROFILES, ProfileName, likely
from tracking.domain.custody.terms import parse
from tracking.domain.custody.verdicts import Outcome, Severity

BOX = "BNDU1000073"
STORE = "urn:bondwatch:asset:COLD01"


def cold_yard(kind: str = "stay", rules: dict[str, Any] | None = None, **limit: Any) -> Yard:
    """A box in the cold store since 12:00, or on its way since then."""
    yard = Yard()
    leg: dict[str, Any] = {"type": kind, "limits": {"temperature_c": limit}}
    leg |= {"zones": ["COLD01"]} if kind == "stay" else {"from_zones": ["COLD01"], "to_zones": ["KSCBZ"]}
    terms = {"legs": [leg]} | ({"rules": rules} if rules else {})
    truck = yard.truck("CT-1", terms=terms, thing=BOX, every_s=86_400)
    truck.enters("COLD01", at="12:00" if kind == "stay" else "11:00")
    if kind == "move":
        truck.leaves("COLD01", at="12:00")
    return yard


def probe(yard: Yard, name: str = "T-41", thing: str = BOX, begins: str = "12:00") -> Truck:
    return yard.truck(name, role="sensor", kind="sensor", thing=thing, begins=begins)


def codes(yard: Yard, until: str) -> set[str]:
    return {f.verdict.rule for f in yard.findings(until=until)}


class TestHandling:
    """F2."""

    @pytest.fixture
    def yard(self) -> Yard:
        yard = cold_yard(high=-12)
        yard.holds_goods(BOX)
        yard.hears(Scan(code=BOX, action=Action.UNLOADING), at="12:30")
        return yard

    def test_three_degrees_more_within_a_quarter_of_an_hour(self, yard: Yard) -> None:
        probe(yard).measures_along("temperature_c", ("12:20", -20.0), ("12:30", -20.0), ("12:50", -15.0))
        assert rules_due("temp_rise_on_handover", yard.facts(), at="12:30") == clock("12:45")
        finding = yard.finding("temp_rise_on_handover", until="13:00")
        assert over(finding) == (clock("12:43"), clock("12:45"))
        assert finding.verdict.severity is Severity.MAJOR
        assert finding.verdict.cause == "SIP/T-41"
        assert "temp_rise_on_handover" not in codes(yard, "12:42:59")

    def test_it_closes_when_the_goods_are_cold_again(self, yard: Yard) -> None:
        warm = probe(yard).measures("temperature_c", -20.0, at="12:30")
        warm.measures("temperature_c", -16.5, at="12:33").measures("temperature_c", -17.0, at="12:38")
        assert over(yard.finding("temp_rise_on_handover", until="12:40")) == (clock("12:33"), clock("12:38"))

    def test_three_degrees_are_allowed(self, yard: Yard) -> None:
        probe(yard).measures_along("temperature_c", ("12:20", -20.0), ("12:30", -20.0), ("12:40", -17.0))
        assert codes(yard, "12:46") == set()

    def test_what_warms_later_is_not_of_the_handling(self, yard: Yard) -> None:
        probe(yard).measures_along("temperature_c", ("12:20", -20.0), ("12:46", -20.0), ("12:50", -15.0))
        assert codes(yard, "13:00") == set()

    def test_the_air_of_a_store_is_not_the_goods(self, yard: Yard) -> None:
        yard.holds_goods(STORE, is_goods=False)
        probe(yard, "T-31", STORE).measures_along("temperature_c", ("12:20", -20.0), ("12:40", -15.0))
        assert codes(yard, "12:46") == set()

    def test_scans_that_follow_each_other_are_one_handling(self, yard: Yard) -> None:
        yard.hears(Scan(code=BOX, action=Action.LOADING), at="12:40")
        probe(yard).measures_along("temperature_c", ("12:20", -20.0), ("12:40", -20.0), ("12:54", -16.0))
        assert over(yard.finding("temp_rise_on_handover", until="12:55")) == (clock("12:51"), clock("12:55"))

    def test_other_scans_are_no_handling(self) -> None:
        yard = cold_yard(high=-12)
        yard.hears(Scan(code=BOX, action=Action.STORING), at="12:30")
        probe(yard).measures_along("temperature_c", ("12:20", -20.0), ("12:40", -15.0))
        assert codes(yard, "12:46") == set()


class TestSamplingGap:
    """F3."""

    @pytest.mark.parametrize(
        ("kind", "limit", "longest_min"),
        [
            ("stay", {"high": -18}, 30),
            ("move", {"high": -18}, 10),
            ("stay", {"profile": "pharma_2_8"}, 30),
            ("move", {"profile": "pharma_2_8"}, 5),
        ],
    )
    def test_how_long_depends_on_goods_and_leg(
        self, kind: str, limit: dict[str, Any], longest_min: int
    ) -> None:
        yard = cold_yard(kind, **limit)
        value = 5.0 if "profile" in limit else -20.0
        one = probe(yard).measures_along("temperature_c", ("12:01", value), ("12:10", value))
        opens = clock("12:10") + timedelta(minutes=longest_min)
        just_before, later = opens - timedelta(seconds=1), opens + timedelta(minutes=3)
        assert judge(yard.facts(), just_before).findings == ()
        (finding,) = judge(yard.facts(), opens).findings
        assert (finding.verdict.rule, finding.verdict.severity) == ("cold_sampling_gap", Severity.INFO)
        assert over(finding) == (opens, None)
        one.measures("temperature_c", value, at=later.strftime("%H:%M"))
        assert over(yard.finding("cold_sampling_gap", until=later.strftime("%H:%M"))) == (opens, later)

    def test_three_times_as_long_is_major(self) -> None:
        yard = cold_yard("move", high=-18)
        probe(yard).measures("temperature_c", -20.0, at="12:10")
        early, late = (yard.finding("cold_sampling_gap", until=at) for at in ("12:39:59", "12:40"))
        assert (early.verdict.severity, late.verdict.severity) == (Severity.INFO, Severity.MAJOR)
        assert rules_due("cold_sampling_gap", yard.facts(), at="12:30") == clock("12:40")

    def test_a_late_value_fills_it(self) -> None:
        yard = cold_yard("move", high=-18)
        one = (
            probe(yard)
            .measures("temperature_c", -20.0, at="12:10")
            .measures("temperature_c", -20.0, at="12:30")
        )
        assert codes(yard, "12:31") == {"cold_sampling_gap"}
        one.measures("temperature_c", -20.0, at="12:20")
        assert codes(yard, "12:31") == set()

    def test_missing_numbers_make_it_undetermined(self) -> None:
        yard = cold_yard("move", high=-18)
        one = (
            probe(yard)
            .measures("temperature_c", -20.0, at="12:10")
            .measures("temperature_c", -20.0, at="12:30")
        )
        one.lost_numbers(after="12:10", before="12:30")
        assert yard.finding("cold_sampling_gap", until="12:31").verdict.outcome is Outcome.UNDETERMINED

    def test_terms_set_their_own(self) -> None:
        yard = cold_yard("move", {"cold_sampling_gap": {"parameters": {"transport_min": 30}}}, high=-18)
        probe(yard).measures("temperature_c", -20.0, at="12:10").measures("temperature_c", -20.0, at="12:40")
        assert codes(yard, "12:40") == set()

    def test_a_device_that_its_track_watches_needs_no_look_at_each_value(self) -> None:
        yard = cold_yard("move", high=-18)
        one = probe(yard).measures_along("temperature_c", ("12:01", -20.0), ("12:10", -20.0))
        assert rules_due("cold_sampling_gap", yard.facts(), at="12:11") is None
        one.reports(at="12:11")
        assert rules_due("cold_sampling_gap", yard.facts(), at="12:11") == clock("12:20")


class TestMeanKinetic:
    """F6."""

    def test_vectors(self) -> None:
        assert mean_kinetic([20, 25, 30]) == pytest.approx(25.858, abs=5e-4)
        assert mean_kinetic([5] * 23 + [15]) == pytest.approx(5.764, abs=5e-4)
        assert mean_kinetic([5, 15], [23, 1]) == pytest.approx(5.764, abs=5e-4)

    @pytest.mark.parametrize("value", [-270.0, -80.0, -18.0, 0.0, 60.0])
    def test_what_is_always_the_same_is_its_own_mean(self, value: float) -> None:
        assert mean_kinetic([value] * 5) == pytest.approx(value)

    def test_a_warm_day_of_medicine_informs(self) -> None:
        yard = cold_yard(profile="pharma_2_8")
        one = probe(yard).measures_along("temperature_c", ("12:01", 8.1), ("+1 12:00", 8.1))
        assert "mkt_report" not in codes(yard, "+1 11:59:59")
        finding = yard.finding("mkt_report", until="+1 12:00")
        assert over(finding) == (clock("+1 12:00"), None)
        assert finding.verdict.severity is Severity.INFO
        one.measures_along("temperature_c", ("+1 12:01", 5.0), ("+2 12:00", 5.0))
        assert over(yard.finding("mkt_report", until="+2 12:00")) == (clock("+1 12:00"), clock("+2 12:00"))

    def test_a_leg_shorter_than_its_window_is_judged_at_its_end(self) -> None:
        yard = cold_yard("move", high=-18, mean_kinetic_c=-19, tolerated_min=600)
        probe(yard).measures_along("temperature_c", ("12:01", -18.0), ("16:00", -18.0))
        assert codes(yard, "16:01") == set()
        yard.trucks[0].enters("KSCBZ", at="16:00")
        assert over(yard.finding("mkt_report", until="16:01")) == (clock("16:00"), clock("16:00"))

    def test_a_good_mean_excuses_no_excursion(self) -> None:
        yard = cold_yard(profile="pharma_2_8")
        one = probe(yard).measures_along("temperature_c", ("12:01", 4.0), ("13:00", 4.0))
        one.measures_along("temperature_c", ("13:01", 9.0), ("13:20", 9.0))
        one.measures_along("temperature_c", ("13:21", 4.0), ("+1 12:00", 4.0))
        assert codes(yard, "+1 12:00") == {"temp_excursion"}


class TestCalibration:
    """F7."""

    def test_it_opens_when_the_year_is_over(self) -> None:
        yard = cold_yard(high=-18)
        one = probe(yard).measures_along("temperature_c", ("12:00", -20.0), ("+1 01:00", -20.0))
        one.was_calibrated(days_ago=364)
        assert rules_due("calibration_due", yard.facts(), at="13:00") == clock("+1 00:00")
        assert codes(yard, "23:59") == set()
        finding = yard.finding("calibration_due", until="+1 00:30")
        assert over(finding) == (clock("+1 00:00"), None)
        assert finding.verdict.severity is Severity.MINOR

    def test_a_new_calibration_closes_it(self) -> None:
        yard = cold_yard(high=-18)
        probe(yard).was_calibrated(days_ago=370).measures("temperature_c", -20.0, at="12:10")
        yard.files(Calibration(device="SIP/T-41"), at="12:20")
        assert over(yard.finding("calibration_due", until="12:30")) == (clock("12:00"), clock("12:20"))

    def test_unknown_is_not_overdue(self) -> None:
        yard = cold_yard(high=-18)
        probe(yard).measures("temperature_c", -20.0, at="12:10")
        assert codes(yard, "12:30") == set()


class TestHumidity:
    """F8."""

    def test_a_damp_store_of_medicine(self) -> None:
        yard = cold_yard(profile="pharma_crt")
        one = probe(yard).measures_along("temperature_c", ("12:01", 20.0), ("13:00", 20.0))
        one.measures_along("humidity_pct", ("12:01", 80.0), ("12:30", 80.0)).measures(
            "humidity_pct", 74.0, at="12:31"
        )
        one.measures("humidity_pct", 73.0, at="12:32")
        finding = yard.finding("humidity_excursion", until="12:40")
        assert over(finding) == (clock("12:11"), clock("12:32"))
        assert finding.verdict.severity is Severity.MINOR
        assert codes(yard, "12:10:59") == set()

    def test_food_may_be_damp(self) -> None:
        yard = cold_yard(high=-18)
        one = probe(yard).measures_along("temperature_c", ("12:01", -20.0), ("12:30", -20.0))
        one.measures_along("humidity_pct", ("12:01", 95.0), ("12:30", 95.0))
        assert codes(yard, "12:30") == set()

    def test_unless_the_leg_says_otherwise(self) -> None:
        yard = Yard()
        leg = {
            "type": "stay",
            "zones": ["COLD01"],
            "limits": {"humidity_pct": {"high": 90, "tolerated_min": 5}},
        }
        yard.truck("CT-1", terms={"legs": [leg]}, thing=BOX, every_s=86_400).enters("COLD01", at="12:00")
        probe(yard).measures_along("humidity_pct", ("12:01", 95.0), ("12:30", 95.0))
        assert over(yard.finding("humidity_excursion", until="12:30")) == (clock("12:06"), None)


class TestReport:
    """What is shown and is no finding."""

    def test_a_defrosting_is_marked(self) -> None:
        """S1: the return air rises to -15.6 while the unit defrosts."""
        yard = cold_yard("move", high=-18)
        unit = probe(yard, "T-12").measures_along("temperature_c", ("12:01", -18.9), ("13:09", -18.9))
        unit.measures("defrost", 1, at="13:10").measures("defrost", 0, at="13:20")
        unit.measures_along("temperature_c", ("13:10", -18.9), ("13:20", -15.6), ("13:30", -19.0))
        assert codes(yard, "13:30") == set()
        (told,) = cold_report(yard.facts(), clock("13:30"))
        (marked,) = told.defrosts
        assert (marked.farthest_c, marked.ends) == (-15.6, clock("13:29"))
        assert (told.profile, told.highest_c, told.implausible) == ("frozen", -15.6, ())
        assert told.mean_kinetic_c is not None
        assert -18.9 < told.mean_kinetic_c < -18

    def test_a_value_that_cannot_be_true_is_noted(self) -> None:
        yard = cold_yard(profile="pharma_2_8")
        one = probe(yard).measures_along("temperature_c", ("12:01", 5.0), ("14:04", 5.0))
        one.measures("temperature_c", 41.0, at="14:05")
        one.measures_along("temperature_c", ("14:06", 5.0), ("14:10", 5.0))
        assert codes(yard, "14:10") == set()
        (told,) = cold_report(yard.facts(), clock("14:10"))
        assert [sample.value for sample in told.implausible] == [41.0]
        assert told.highest_c == 5.0


class TestProfiles:
    """Names, and what ranges tell of."""

    def test_every_name_has_its_numbers(self) -> None:
        assert PROFILES.keys() == set(get_args(ProfileName))

    @pytest.mark.parametrize(
        ("low", "high", "name"),
        [
            (None, -18, "frozen"), (-25, -20, "frozen"), (None, -12, "frozen_meat_min"), (2, 8, "pharma_2_8"),
            (3, 7, "chilled"), (0, 4, "chilled_meat"), (0, 10, "chilled"), (15, 25, "pharma_crt"),
            (11, 13, "other"), (None, None, "other"), (5, None, "other"), (None, 8, "other"),
        ],
    )  # fmt: skip
    def test_a_range_tells_of_its_goods(self, low: float | None, high: float | None, name: str) -> None:
        assert likely(low, high) == name

    def test_terms_may_name_one(self) -> None:
        leg = {"type": "stay", "zones": ["COLD01"], "limits": {"temperature_c": {"profile": "pharma_2_8"}}}
        assert parse({"legs": [leg]}).legs[0].limits["temperature_c"].profile == "pharma_2_8"
