"""Terms change rules: every override changes a verdict, from its moment on and no earlier."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.yard import PVG_TO_SIP, Truck, Yard, clock, over
from tracking.domain.custody.judge import windows
from tracking.domain.custody.rules import RULES
from tracking.domain.custody.verdicts import Outcome


@pytest.fixture
def yard() -> Yard:
    return Yard()


def terms(**rules: dict[str, Any]) -> dict[str, Any]:
    return {**PVG_TO_SIP, "rules": rules}


def on_its_way(yard: Yard, held: dict[str, Any]) -> Truck:
    truck = yard.truck(terms=held).enters("PVGCARGO", at="08:00")
    return truck.returns("C-PVG-SIPE", at="08:00").leaves("PVGCARGO", at="08:41")


def off_the_route(yard: Yard, held: dict[str, Any]) -> Truck:
    """Leaves without ever having been on the corridor; on it ten minutes later."""
    truck = yard.truck(terms=held).enters("PVGCARGO", at="08:00").leaves("PVGCARGO", at="08:41")
    return truck.returns("C-PVG-SIPE", at="08:51").reports(at="08:52")


@pytest.mark.parametrize("severity", ["critical", "major", "minor", "info"])
def test_a_severity_is_the_terms_to_set(yard: Yard, severity: str):
    on_its_way(yard, terms(route_deviation={"severity": severity})).strays("C-PVG-SIPE", at="09:00").reports(
        at="09:01"
    )
    yard.expect_findings(until="09:01", route_deviation=severity)


def test_a_severity_does_not_raise_what_the_rule_thinks_less_of(yard: Yard):
    yard.truck(terms=terms(device_silent={"severity": "critical"})).reports(at="07:00")
    yard.expect_findings(until="07:05", device_silent="info")  # no leg runs yet


def test_an_undetermined_verdict_has_no_severity_to_set(yard: Yard):
    yard.areas.pop("C-PVG-SIPE")
    truck = yard.truck(terms=terms(route_deviation={"severity": "critical"})).enters("PVGCARGO", at="08:00")
    truck.leaves("PVGCARGO", at="08:41").reports(at="08:42")
    yard.expect_findings(until="08:43", route_deviation="undetermined")


def test_min_duration_of_a_deviation(yard: Yard):
    off_the_route(yard, terms())
    yard.expect_findings(until="08:52", route_deviation="major")
    other = Yard()
    off_the_route(other, terms(route_deviation={"parameters": {"min_duration_s": 1200}}))
    other.expect_findings(until="08:52")


def test_the_finding_prints_the_parameters_it_was_judged_by(yard: Yard):
    off_the_route(yard, terms(route_deviation={"parameters": {"min_duration_s": 60}}))
    assert yard.finding("route_deviation", until="08:52").verdict.parameters == {"min_duration_s": 60}


def test_kinds_that_are_forbidden(yard: Yard):
    held = terms(forbidden_zone_entry={"parameters": {"forbidden_kinds": ["rest_allowed"]}})
    truck = on_its_way(yard, held).enters("SA-YCH", at="09:00").leaves("SA-YCH", at="09:10")
    truck.enters("LAYBY-LD", at="09:20").leaves("LAYBY-LD", at="09:30").reports(at="09:31")
    yard.expect_findings(until="09:31", forbidden_zone_entry="major")
    assert yard.finding("forbidden_zone_entry", until="09:31").verdict.cause == "SA-YCH"


@pytest.mark.parametrize(("least_s", "expected"), [(60, {"forbidden_zone_entry": "major"}), (900, {})])
def test_how_long_a_stay_in_a_lay_by_is(yard: Yard, least_s: int, expected: dict[str, str]):
    held = terms(forbidden_zone_entry={"parameters": {"layby_min_stay_s": least_s}})
    on_its_way(yard, held).enters("LAYBY-LD", at="09:20").leaves("LAYBY-LD", at="09:30").reports(at="09:31")
    yard.expect_findings(until="09:31", **expected)


def test_a_longer_silence_is_allowed(yard: Yard):
    on_its_way(yard, terms(device_silent={"parameters": {"factor": 20}})).was_silent(
        since="09:00", until="09:15"
    ).reports(at="09:16")
    yard.expect_findings(until="09:17")


def test_a_longer_silence_is_looked_at_again_when_it_is_over(yard: Yard):
    on_its_way(yard, terms(device_silent={"parameters": {"factor": 20}})).was_silent(since="09:00")
    assert yard.judged(until="09:06").next_due == clock("09:20")
    yard.expect_findings(until="09:20", device_silent="major")


def test_a_shorter_silence_is_measured_and_found(yard: Yard):
    held = terms(device_silent={"parameters": {"factor": 2}})
    truck = on_its_way(yard, held).reports(at="09:00")
    assert [window.longer_than_s for window in windows(yard.facts(), clock("09:01"))] == [120]
    assert yard.judged(until="09:01").next_due == clock("09:02")
    truck.paused(since="09:00", until="09:04").reports(at="09:05")
    assert over(yard.finding("device_silent", until="09:06")) == (clock("09:02"), clock("09:04"))


@pytest.mark.parametrize(("tolerated_s", "found"), [(0, 1), (300, 1), (301, 0)])
def test_how_soon_the_next_scan_settles_a_contradiction(yard: Yard, tolerated_s: int, found: int):
    on_its_way(yard, terms(aggregation_conflict={"parameters": {"tolerated_s": tolerated_s}}))
    yard.contradicts("urn:x:parcel", at="09:00", until="09:05")
    verdicts = [finding.verdict.outcome for finding in yard.findings(rule="aggregation_conflict")]
    assert sorted(verdicts) == sorted([Outcome.FINDING, Outcome.UNDETERMINED] * found)


def test_every_parameter_of_every_rule_is_tried_here_or_beside_its_rule():
    pages = [Path(__file__), *Path(__file__).parent.glob("test_rules_*.py")]
    tests = "".join(page.read_text("utf-8") for page in pages)
    parameters = {name for rule in RULES.values() for name in rule.limits.__struct_fields__}
    assert {name for name in parameters if not re.search(rf"\b{name}\b", tests)} == set()


class TestNewTerms:
    """From a moment on; what was before stays as it was judged."""

    def test_a_stricter_limit_finds_nothing_before_its_moment(self, yard: Yard):
        truck = on_its_way(yard, terms(device_silent={"parameters": {"factor": 60}}))
        truck.was_silent(since="09:00", until="09:50").reports(at="09:51")
        yard.expect_findings(until="09:52")
        yard.holds("S-1", terms(device_silent={"parameters": {"factor": 5}}), since="09:30")
        finding = yard.finding("device_silent", until="09:52")
        assert over(finding) == (clock("09:30"), clock("09:50"))
        assert finding.verdict.terms_revision == 2

    def test_a_milder_limit_closes_what_it_allows(self, yard: Yard):
        truck = on_its_way(yard, terms())
        truck.was_silent(since="09:00", until="09:50").reports(at="09:51")
        yard.holds("S-1", terms(device_silent={"parameters": {"factor": 60}}), since="09:30")
        finding = yard.finding("device_silent", until="09:52")
        assert over(finding) == (clock("09:05"), clock("09:30"))

    def test_a_finding_that_both_hold_is_one_and_keeps_its_name(self, yard: Yard):
        truck = on_its_way(yard, terms())
        truck.was_silent(since="09:00", until="09:50").reports(at="09:51")
        before = yard.finding("device_silent", until="09:52")
        yard.holds("S-1", terms(device_silent={"parameters": {"factor": 6}}), since="09:30")
        after = yard.finding("device_silent", until="09:52")
        assert (after.finding_id, over(after)) == (before.finding_id, over(before))

    def test_the_gravest_severity_it_lasted_through(self, yard: Yard):
        on_its_way(yard, terms()).strays("C-PVG-SIPE", at="09:00").reports(at="10:00")
        yard.holds("S-1", terms(route_deviation={"severity": "critical"}), since="09:30")
        yard.holds("S-1", terms(route_deviation={"severity": "info"}), since="09:40")
        yard.expect_findings(until="10:00", route_deviation="critical")
        assert over(yard.finding("route_deviation", until="10:00")) == (clock("09:00"), None)

    def test_what_has_not_come_is_not_held(self, yard: Yard):
        on_its_way(yard, terms()).strays("C-PVG-SIPE", at="09:00").reports(at="09:10")
        yard.holds("S-1", terms(route_deviation={"severity": "critical"}), since="12:00")
        yard.expect_findings(until="09:11", route_deviation="major")
        assert yard.judged(until="09:14").next_due == clock("12:00")
        found = yard.findings(until="12:00", rule="route_deviation")
        assert [finding.verdict.severity for finding in found] == ["critical"]

    def test_the_newest_revision_holds_from_its_moment_whatever_older_ones_said(self, yard: Yard):
        on_its_way(yard, terms()).strays("C-PVG-SIPE", at="09:00").reports(at="10:00")
        yard.holds("S-1", terms(route_deviation={"severity": "critical"}), since="09:30")
        yard.holds("S-1", terms(route_deviation={"severity": "minor"}), since="06:00")
        yard.expect_findings(until="10:00", route_deviation="minor")
