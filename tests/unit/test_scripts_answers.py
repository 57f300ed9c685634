"""What the API answers against what a script expects of it, and how two ends of a story are compared."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest

from simulators.places import load as load_places
from simulators.scripts.format import Look, Script
from simulators.scripts.timeline import Timeline
from tests.fault.api import Api
from tests.scenario.answers import Names, fits, unanswered
from tests.scenario.online import differences, end_of

TOLD = {"code": "X", "title": "", "day": "2026-03-10", "begins": "08:00", "looks": [{"at": "12:00"}]}
LINE = Timeline(msgspec.convert(TOLD, Script), "X", load_places())
NAMES = Names(lambda number: f"{number}-X", lambda device: f"{device}-X")
FINDINGS = {"S": [{"rule": "route_deviation", "finding_id": "f00"}]}


class Told:
    """An API that answers from a table."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, Any]] = []

    def read(self, path: str) -> str:
        found = self.answers[path]
        return found if isinstance(found, str) else json.dumps(found)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        self.asked.append((method, path, body))
        return self.answers[path]


def wrong(told: dict[str, Any], *, as_it_came: bool = True, **asked: Any) -> list[str]:
    look = msgspec.convert({"at": "12:00", **asked}, Look)
    api = cast("Api", Told(told))
    return list(unanswered(api, LINE, look, NAMES, FINDINGS, as_it_came=as_it_came))


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (3, 3), (3.0, 3), ("a", "a"), (True, True), ([], []), ({"a": 1}, {"a": 1, "b": 2}),
        ([{"a": 1}], [{"a": 1, "b": 2}]),
    ],
)  # fmt: skip
def test_what_is_wanted_is_there(wanted, told):
    assert fits(wanted, told, 0.0)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (3, 4), (3, "3"), (1, True), ("a", "b"), ([], [1]), ([1], []), ({"a": 1}, {"b": 1}), ({}, []),
        ([{"a": 1}], [{"a": 2}]), (0, None),
    ],
)  # fmt: skip
def test_what_is_wanted_is_not_there(wanted, told):
    assert not fits(wanted, told, 0.0)


def test_numbers_may_be_off_by_so_much():
    assert fits({"a": [1.0]}, {"a": [1.05]}, 0.1)
    assert not fits({"a": [1.0]}, {"a": [1.2]}, 0.1)


def test_an_address_is_filled_with_what_things_are_called():
    path = "/v1/x/N-X/SIP/D-X/f00?at=2026-03-10T01%3A00%3A00%2B00%3A00"
    asked = [{"get": "/v1/x/{shipment N}/{device SIP/D}/{finding S route_deviation}?at={moment 09:00}",
              "at": "/a/0", "equals": 1}]  # fmt: skip
    assert wrong({path: {"a": [1]}}, answers=asked) == []
    (said,) = wrong({path: {"a": [2]}}, answers=asked)
    assert said.endswith("/a/0 is 2, not 1")
    (said,) = wrong({path: {"b": 1}}, answers=asked)
    assert said.endswith("has nothing at /a/0")


@pytest.mark.parametrize(
    "asked", [{"says": ["no"]}, {"never_says": ["yes"]}, {"at": "/n", "more": 5}, {"at": "/n", "less": 5}]
)
def test_texts_and_bounds(asked):
    assert len(wrong({"/p": {"n": 5, "w": "yes"}}, answers=[{"get": "/p", **asked}])) == 1


def test_what_speaks_of_arrival_is_not_asked_where_arrival_was_changed():
    asked = [{"get": "/p", "says": ["no"], "as_it_came": True}]
    assert wrong({"/p": "yes"}, answers=asked, as_it_came=False) == []
    assert len(wrong({"/p": "yes"}, answers=asked)) == 1


def test_a_rehearsal_shows_just_what_is_told():
    told = {"appear": [], "vanish": [{"rule": "unauthorised_stop"}], "changed": [], "same": 2}
    asked = {"shipment": "S", "since": "08:00", "terms": {"rules": {}}, "vanish": ["unauthorised_stop"]}
    assert wrong({"/v1/rehearsals": told}, trials=[asked | {"same": 2}]) == []
    assert len(wrong({"/v1/rehearsals": told}, trials=[asked | {"same": 1}])) == 1
    assert (
        len(wrong({"/v1/rehearsals": told | {"appear": [{"rule": "x"}]}}, trials=[asked | {"same": 2}])) == 1
    )


def end(*missing: dict[str, Any], findings: Any = (), through: datetime | None = None) -> Any:
    empty = {"missing": []}
    answers = {
        "/v1/shipments/S/coverage": {
            "continuity": {},
            "whole": {"measured": {"missing": list(missing)}, "controlled": empty, "verifiable": empty},
            "legs": [],
        },
        "/v1/shipments/S/custody": {"findings": list(findings)},
        "/v1/shipments/S/milestones": {"milestones": []},
    }
    return end_of(cast("Api", Told(answers)), "S", through or datetime(2026, 3, 10, 12, tzinfo=UTC))


def gap(begins: str, ends: str, *why: str) -> dict[str, Any]:
    return {
        "begins": f"2026-03-10T{begins}:00+00:00", "ends": f"2026-03-10T{ends}:00+00:00", "why": list(why)
    }  # fmt: skip


def test_ends_are_equal_whatever_is_signed_yet_and_however_late_one_asks():
    one = end(gap("08:00", "09:00", "silent", "unsigned"), gap("09:00", "10:00", "silent"))
    other = end(gap("08:00", "10:00", "silent"), gap("12:00", "12:30", "not_heard_since"))
    assert list(differences("S", one, other)) == []


def test_ends_that_differ_are_named():
    assert len(list(differences("S", end(gap("08:00", "09:00", "silent")), end()))) == 1
    found = {"rule": "x", "recorded_at": "a"}
    assert list(differences("S", end(findings=[found]), end(findings=[found | {"recorded_at": "b"}]))) == []
    (said,) = differences("S", end(findings=[found]), end(findings=[found | {"opened_at": "c"}]))
    assert said.startswith("S: findings differ from an online run")
