"""What stands against what is expected."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from simulators.places import load as load_places
from simulators.playing.comparing import compare
from simulators.scripts.format import Expect, Script
from simulators.scripts.timeline import Timeline

TOLD = {"code": "X", "title": "", "day": "2026-03-10", "begins": "08:00", "looks": [{"at": "12:00"}]}
LINE = Timeline(msgspec.convert(TOLD, Script), "X", load_places())


def finding(**fields: Any) -> dict[str, Any]:
    return {
        "rule": "route_deviation", "verdict": "finding", "severity": "major", "state": "open", "cause": "C",
        "opened_at": "2026-03-10T01:00:00Z", "closed_at": None, "evidence": [{"note": "left"}],
    } | fields  # fmt: skip


def expect(**fields: Any) -> Expect:
    return msgspec.convert({"shipment": "A", "rule": "route_deviation"} | fields, Expect)


def test_what_fits_leaves_nothing():
    wanted = expect(severity="major", opened_at="09:00", says=["left"])
    assert compare(LINE, [wanted], {"A": [finding()]}) == ([], [])


def test_nothing_more_may_stand():
    missing, unexpected = compare(LINE, [], {"A": [finding()]})
    assert missing == []
    assert unexpected == ["X A route_deviation finding major open C from 2026-03-10T01:00:00Z to None"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"rule": "overdue_arrival"},
        {"severity": "critical"},
        {"verdict": "undetermined"},
        {"state": "closed"},
        {"opened_at": "09:01"},
        {"opened_at": "09:02", "within_s": 119},
        {"closed_at": "09:30"},
        {"cause": "D"},
        {"says": ["cut"]},
        {"never_says": ["left"]},
        {"shipment": "B"},
    ],
    ids=str,
)
def test_whatever_differs_is_missing_and_unexpected(wanted):
    missing, unexpected = compare(LINE, [expect(**wanted)], {"A": [finding()]})
    assert (len(missing), len(unexpected)) == (1, 1)


def test_two_of_a_kind_need_two_expectations():
    missing, unexpected = compare(LINE, [expect(), expect()], {"A": [finding()]})
    assert (missing, unexpected) == (["X A route_deviation finding"], [])


def test_a_vague_expectation_does_not_take_a_particular_one_s_finding():
    standing = {"A": [finding(), finding(opened_at="2026-03-10T02:00:00Z")]}
    wanted = [expect(), expect(severity="major", state="open", opened_at="09:00", cause="C")]
    assert compare(LINE, wanted, standing) == ([], [])
