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


def incident(begins: float, ends: float, *, sure: bool = True, shipment: str = "A") -> Incident:
    return Incident(RULE, shipment, begins, ends, begins + 180, sure, "far")


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
    page = report("mixed & more", 200.0, scored)
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
    assert page.count("<circle") == 1


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 2.0), (0.95, 4.0)])
def test_quantiles(share: float, wanted: float) -> None:
    rule = score([], [], [RULE])[RULE]
    rule.delays_s = [4.0, 1.0, 2.0, 3.0]
    assert rule.delay_s(share) == wanted
