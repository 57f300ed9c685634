"""D1: the clock of goods that enter first. Midnight in Shanghai is 16:00 UTC of the day before.

The conveyance declares its entry on 9 March at 14:20 local time; day 10 is 19 March, day 14 is 23 March.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from devices.observation import Action, Direction, Scan
from tests.support.yard import PVG_TO_SIP, Yard, clock, over
from tracking.domain.custody.calendar import midnight, rolled
from tracking.domain.custody.documents import (
    Conveyance,
    Declaration,
    GatePass,
    PassMoved,
    PassState,
    PassType,
)
from tracking.domain.custody.rules.declarations import EnterFirstLimits

PASS = "Z2325I260310000000000003"
RULE = "enter_first_declare_late"
DAY_10 = "+8 16:00"
LIMIT = "+13 16:00"


@pytest.fixture
def yard() -> Yard:
    yard = Yard()
    yard.holds("S-1", PVG_TO_SIP, since="-2 00:00")
    return yard


def enters_first(yard: Yard, type_: PassType = PassType.ENTER_FIRST, **terms: Any) -> None:
    """S3: the vessel arrives the day before; the boxes pass the gate the day after, and go to a rack."""
    if terms:
        yard.holds("S-1", {**PVG_TO_SIP, "rules": {RULE: {"parameters": terms}}}, since="-1 00:00")
    yard.holds_goods("BNDU1000026")
    yard.files(Conveyance(voyage="V-26"), at="-1 06:20")
    body = GatePass(type_, Direction.IN, "KSCBZ", "苏E5K302", containers=("BNDU1000026", "BNDU1000031"))
    yard.files(body, at="00:10", number=PASS)
    yard.hears(Scan("BNDU1000026", Action.STORING, location="WHMIX01-B"), at="03:30")


def declares(yard: Yard, at: str) -> None:
    yard.files(Declaration(released=True), at=at, number="QD232526I000000009")


def test_nothing_before_day_ten_and_a_warning_exactly_at_its_midnight(yard):
    enters_first(yard)
    yard.expect_findings(until="+8 15:59:59")
    yard.expect_findings(until=DAY_10, **{RULE: "minor"})
    assert over(yard.finding(RULE, until=DAY_10)) == (clock(DAY_10), None)
    assert clock(DAY_10) == datetime(2026, 3, 18, 16, tzinfo=UTC)


def test_declared_on_day_thirteen_it_never_becomes_major(yard):
    enters_first(yard)
    declares(yard, "+12 03:00")
    assert over(yard.finding(RULE, until="+12 04:00")) == (clock(DAY_10), clock("+12 03:00"))
    yard.expect_findings(until="+20 00:00", **{RULE: "minor"})


def test_undeclared_it_becomes_major_when_day_fourteen_is_over(yard):
    enters_first(yard)
    yard.expect_findings(until="+13 15:59:59", **{RULE: "minor"})
    yard.expect_findings(until=LIMIT, **{RULE: "major"})
    assert clock(LIMIT) == datetime(2026, 3, 23, 16, tzinfo=UTC)
    before, after = (yard.finding(RULE, until=at) for at in ("+13 15:59:59", LIMIT))
    assert before.finding_id == after.finding_id


def test_declared_on_day_seventeen_it_stays_in_history_as_three_days_late(yard):
    enters_first(yard)
    declares(yard, "+16 02:00")
    finding = yard.finding(RULE, until="+17 00:00")
    assert over(finding) == (clock(DAY_10), clock("+16 02:00"))
    assert finding.verdict.severity == "major"
    assert {"last_day": "2026-03-23", "days_late": 3} in finding.verdict.evidence


def test_the_evidence_names_papers_and_the_rack(yard):
    enters_first(yard)
    evidence = yard.finding(RULE, until=LIMIT).verdict.evidence
    assert evidence[0] == {"last_day": "2026-03-23"}
    assert [piece["document"] for piece in evidence if "document" in piece] == ["conveyance", "pass"]
    assert [piece["fact"]["location"] for piece in evidence if "fact" in piece] == ["WHMIX01-B"]


def test_the_next_looks_are_the_two_midnights(yard):
    enters_first(yard)
    assert yard.judged(until="06:00").next_due == clock(DAY_10)
    assert yard.judged(until=DAY_10).next_due == clock(LIMIT)
    assert yard.judged(until=LIMIT).next_due is None
    declares(yard, "+12 03:00")
    assert yard.judged(until=DAY_10).next_due == clock("+12 03:00")
    assert yard.judged(until="+12 03:00").next_due is None


def test_the_clock_is_the_conveyance_s_not_the_gate_s(yard):
    enters_first(yard)
    yard.documents["S-1"] = [d for d in yard.documents["S-1"] if d.kind != "conveyance"]
    yard.files(Conveyance(), at="-2 06:20", number="V-26")
    assert over(yard.finding(RULE, until="+20 00:00"))[0] == clock("+7 16:00")


@pytest.mark.parametrize("type_", [t for t in PassType if t is not PassType.ENTER_FIRST])
def test_other_passes_have_no_such_clock(yard, type_):
    enters_first(yard, type_)
    yard.expect_findings(until="+20 00:00")


def test_declared_before_the_warning_there_is_nothing(yard):
    enters_first(yard)
    declares(yard, "+5 02:00")
    yard.expect_findings(until="+20 00:00")


def test_nobody_said_when_the_conveyance_came(yard):
    enters_first(yard)
    yard.documents["S-1"] = [d for d in yard.documents["S-1"] if d.kind != "conveyance"]
    yard.expect_findings(until="01:00", **{RULE: "undetermined"})
    declares(yard, "+1 02:00")
    assert over(yard.finding(RULE, until="+2 00:00")) == (clock("00:10"), clock("+1 02:00"))


def test_a_void_pass_ends_it(yard):
    enters_first(yard)
    yard.files(PassMoved(PassState.VOID), at="+9 00:00", number=PASS)
    assert over(yard.finding(RULE, until="+20 00:00")) == (clock(DAY_10), clock("+9 00:00"))
    yard.expect_findings(until="+20 00:00", **{RULE: "minor"})


def test_a_corrected_conveyance_holds_in_place_of_the_first(yard):
    enters_first(yard)
    yard.files(Conveyance(voyage="V-26"), at="00:05")
    assert over(yard.finding(RULE, until="+20 00:00"))[0] == clock("+9 16:00")


def test_the_arrival_s_own_day_may_count(yard):
    enters_first(yard, count_arrival_day=True)
    assert over(yard.finding(RULE, until="+20 00:00"))[0] == clock("+7 16:00")


def test_a_last_day_off_moves_to_the_next_working_day(yard):
    enters_first(yard, holidays=["2026-03-23"])
    yard.expect_findings(until="+14 15:59:59", **{RULE: "minor"})
    yard.expect_findings(until="+14 16:00", **{RULE: "major"})


@pytest.mark.parametrize(
    ("terms", "moments"),
    [
        ({"limit_days": 11}, ("+10 15:59:59", "+10 16:00")),
        ({"limit_days": 12}, ("+13 15:59:59", "+13 16:00")),  # a Saturday
        ({"limit_days": 12, "holiday_roll": False}, ("+11 15:59:59", "+11 16:00")),
        ({"limit_days": 12, "workdays": ["2026-03-21"]}, ("+11 15:59:59", "+11 16:00")),
        ({"time_zone": "UTC"}, ("+13 23:59:59", "+14 00:00")),
    ],
)
def test_the_limit_is_the_terms_to_set(yard, terms: dict[str, Any], moments: tuple[str, str]):
    enters_first(yard, **terms)
    for moment, severity in zip(moments, ("minor", "major"), strict=True):
        yard.expect_findings(until=moment, **{RULE: severity})


def test_the_warning_is_the_terms_to_set(yard):
    enters_first(yard, warn_days=5)
    assert over(yard.finding(RULE, until="+20 00:00"))[0] == clock("+3 16:00")


def test_the_days_and_whose_they_are_are_parameters(yard):
    enters_first(yard, limit_days=5, warn_days=2, holiday_roll=False, time_zone="UTC")
    yard.expect_findings(until="+0 23:59:59")
    yard.expect_findings(until="+1 00:00", **{RULE: "minor"})
    yard.expect_findings(until="+5 00:00", **{RULE: "major"})


def test_day_five_is_a_saturday_and_moves_unless_it_is_worked(yard):
    enters_first(yard, limit_days=5, warn_days=2)
    yard.expect_findings(until="+6 15:59:59", **{RULE: "minor"})
    yard.expect_findings(until="+6 16:00", **{RULE: "major"})
    worked = {"limit_days": 5, "warn_days": 2, "workdays": ["2026-03-14"]}
    yard.holds("S-1", {**PVG_TO_SIP, "rules": {RULE: {"parameters": worked}}}, since="-1 00:00")
    yard.expect_findings(until="+4 16:00", **{RULE: "major"})


def test_weekends_are_days_off_unless_worked() -> None:
    saturday, monday = date(2026, 3, 21), date(2026, 3, 23)
    assert rolled(saturday, (), ()) == monday
    assert rolled(saturday, (monday,), ()) == date(2026, 3, 24)
    assert rolled(saturday, (), (saturday,)) == saturday


def test_a_day_begins_where_the_goods_are_declared() -> None:
    assert midnight(date(2026, 3, 24), "Asia/Shanghai") == clock(LIMIT)


def test_a_time_zone_must_exist() -> None:
    with pytest.raises(msgspec.ValidationError, match="no time zone"):
        msgspec.convert({"time_zone": "Asia/Suzhou"}, EnterFirstLimits)
