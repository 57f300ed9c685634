"""Findings against the truth: one with one, the sure ones first; and the page of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from simulators.reality import score as scoring
from simulators.reality.score import FOREVER_S, Found, Rule, figures, found_from
from simulators.reality.score_report import report
from simulators.reality.seen import Incident

BEGINS = datetime(2026, 3, 10, tzinfo=UTC)
RULE = "route_deviation"


def incident(begins: float, ends: float, *, sure: bool = True, shipment: str = "A", **told: Any) -> Incident:
    return Incident(RULE, shipment, begins, ends, begins + 180, sure, "far", **told)


def found(begins: float, ends: float = FOREVER_S, told: float | None = None, rule: str = RULE) -> Found:
    return Found(rule, "A", begins, ends, told)


def score(
    truth: list[Incident], findings: list[Found], rules: list[str], heard_until: float = FOREVER_S
) -> dict[str, Rule]:
    return scoring.score(truth, findings, rules, {"A": heard_until, "B": heard_until})


def test_what_overlaps_is_found_and_its_delay_counts_from_when_it_was_due() -> None:
    scored = score([incident(1000, 2000)], [found(1010, 1990, told=1250)], [RULE])[RULE]
    assert (scored.precision, scored.recall) == (1.0, 1.0)
    assert scored.delays_s == [70]


def test_what_is_told_of_nothing_is_false_and_what_is_not_told_is_missed() -> None:
    scored = score([incident(1000, 2000)], [found(5000, 6000)], [RULE])[RULE]
    assert (scored.precision, scored.recall) == (0.0, 0.0)
    assert scored.missed == ["A route_deviation from 0:16:40 to 0:33:20: far"]
    assert scored.false == ["A route_deviation from 1:23:20 to 1:40:00"]


def test_a_finding_that_opened_long_before_an_incident_is_none_of_it() -> None:
    """A rule that fires at each departure and never closes finds nothing."""
    scored = score([incident(10_000, 12_000)], [found(10, told=20)], [RULE])[RULE]
    assert (scored.precision, scored.recall, scored.delays_s) == (0.0, 0.0, [])
    scored = score([incident(10_000, 12_000)], [found(10), found(10_020, 11_900)], [RULE])[RULE]
    assert (scored.found, len(scored.missed), len(scored.false)) == (1, 0, 1)


@pytest.mark.parametrize(
    ("begins", "early_s", "is_found"),
    [(911, 0, True), (909, 0, False), (611, 300, True), (609, 300, False), (2179, 0, True), (2181, 0, False)],
)
def test_a_finding_opens_no_earlier_than_its_rule_and_a_slow_clock_allow(
    begins: float, early_s: float, is_found: bool
) -> None:
    scored = score([incident(1000, 2000, early_s=early_s)], [found(begins)], [RULE])[RULE]
    assert (scored.found, len(scored.missed), len(scored.false)) == (is_found, not is_found, not is_found)


def test_what_is_told_before_it_is_due_has_a_delay_of_less_than_nothing() -> None:
    scored = score([incident(1000, 2000)], [found(950, 2000, told=1100)], [RULE])[RULE]
    assert scored.delays_s == [-80]


def test_of_two_findings_that_may_be_of_it_the_nearer_is() -> None:
    scored = score([incident(1000, 3000)], [found(1600, told=1700), found(1010, 1500, told=1200)], [RULE])
    assert scored[RULE].delays_s == [20]
    assert scored[RULE].false == ["A route_deviation from 0:26:40 to now"]


def test_what_never_closes_though_its_incident_was_seen_to_end_is_still_open() -> None:
    over, goes_on = incident(1000, 2000), incident(1000, 2000, closes=False)
    scored = score([over], [found(1000)], [RULE])[RULE]
    assert scored.found == 1
    assert scored.still_open == ["A route_deviation from 0:16:40 to 0:33:20: far"]
    assert score([over], [found(1000, 2100)], [RULE])[RULE].still_open == []
    assert score([goes_on], [found(1000)], [RULE])[RULE].still_open == []
    borderline = score([over._replace(sure=False)], [found(1000)], [RULE])
    assert figures(borderline)[RULE]["still_open"] == 1


def test_one_incident_told_twice_is_false_once() -> None:
    scored = score([incident(1000, 3000)], [found(1000, 1500), found(1600, 3000)], [RULE])[RULE]
    assert (scored.found, len(scored.false)) == (1, 1)


def test_an_unsure_incident_counts_neither_way_and_takes_no_sure_ones_finding() -> None:
    unsure = incident(900, 2000, sure=False)
    scored = score([unsure], [], [RULE])[RULE]
    assert (scored.precision, scored.recall, scored.unsure) == (None, None, 1)
    scored = score([unsure], [found(950, 1900)], [RULE])[RULE]
    assert (scored.found, scored.false, scored.borderline) == (0, [], 1)
    scored = score([unsure, incident(1000, 2000)], [found(1000, 2000)], [RULE])[RULE]
    assert (scored.found, scored.missed) == (1, [])


def test_another_shipments_finding_is_none_of_ours() -> None:
    scored = score([incident(1000, 2000, shipment="B")], [found(1000, 2000)], [RULE])[RULE]
    assert (len(scored.missed), len(scored.false)) == (1, 1)


def test_a_rule_that_the_truth_knows_nothing_of_is_false() -> None:
    scored = score([], [found(1000, rule="pass_reused")], [RULE])
    assert scored["pass_reused"].false == ["A pass_reused from 0:16:40 to now"]


def test_what_a_backlog_may_take_back_that_never_came_is_not_false() -> None:
    """What truly was is found all the same, and of what was heard in full nothing is forgiven."""
    silence = found(5000, rule="device_silent")
    scored = score([incident(1000, 2000)], [found(1000, 2000), found(3000), silence], [RULE], 4000)
    assert (scored[RULE].found, len(scored[RULE].false), scored[RULE].unheard) == (1, 1, 0)
    assert (scored["device_silent"].false, scored["device_silent"].unheard) == ([], 1)
    late = score([incident(5000, 6000)], [found(5000)], [RULE], 4000)[RULE]
    assert (late.found, late.unheard) == (1, 0)


def test_the_delay_is_that_of_the_first_word_of_it() -> None:
    def moment(seconds: float) -> str:
        return (BEGINS + timedelta(seconds=seconds)).isoformat()

    def told(**fields: Any) -> dict[str, Any]:
        usual = {"rule": RULE, "cause": "C", "verdict": "finding", "state": "open", "closed_at": None}
        return usual | {"opened_at": moment(1000)} | fields

    history = [
        told(recorded_at=moment(1300), opened_at=moment(1060)),
        told(recorded_at=moment(1900)),
        told(recorded_at=moment(10), verdict="undetermined"),
    ]
    (one,) = found_from("A", [told(), told(verdict="undetermined")], history, BEGINS)
    assert (one.begins, one.ends, one.told) == (1000, FOREVER_S, 1300)


def test_figures_are_plain_and_say_nothing_where_nothing_was() -> None:
    told = figures(score([incident(0, 900)], [found(0, 900, told=240)], [RULE, "seal_silent"]))
    assert told[RULE]["delay_p95_s"] == 60
    assert told["seal_silent"]["precision"] is None


def test_the_page_is_well_formed_and_names_what_is_wrong() -> None:
    scored = score([incident(1000, 2000)], [found(5000), found(1000, 2000, told=1300)], [RULE])
    unexpected = scored[RULE].false
    page = report("mixed & more", 200.0, scored, played={"mixed": False}, missing=[], unexpected=unexpected)
    opened: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, _: Any) -> None:
            if tag != "meta":
                opened.append(tag)

        def handle_startendtag(self, *_: Any) -> None:
            pass

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Parser().feed(page)
    assert opened == []
    assert "mixed &amp; more" in page
    assert "0 missed, 1 false." in page
    assert f"false · 误报: {unexpected[0]}" in page
    assert page.count("<circle") == 1


@pytest.mark.parametrize(
    ("played", "missing", "says"),
    [
        ({}, [], "Nothing was compared."),
        ({"mixed": None}, [], "Nothing was compared."),
        ({"mixed": True, "S5": True}, [], "Everything was found, and nothing else."),
        ({"mixed": True, "S5": False}, ["S5 seal_silent"], "1 missed, 0 false."),
    ],
)
def test_the_heading_says_what_was_compared(
    played: dict[str, bool | None], missing: list[str], says: str
) -> None:
    scored = score([incident(1000, 2000)], [found(1000, 2000)], [RULE]) if played.get("mixed") else {}
    page = report("t", 1.0, scored, played=played, missing=missing, unexpected=[])
    assert [text in page for text in ("<h1>" + says, "found · 命中")] == [True, bool(scored)]
    assert all(one in page for one in missing)


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 2.0), (0.95, 4.0)])
def test_quantiles(share: float, wanted: float) -> None:
    rule = score([], [], [RULE])[RULE]
    rule.delays_s = [4.0, 1.0, 2.0, 3.0]
    assert rule.delay_s(share) == wanted
