"""What no single field shows: places, connections, times, rules."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.yard import PVG_TO_SIP
from tracking.domain.custody.checks import Place, check
from tracking.domain.custody.terms import parse

PLACES = {
    "PVGCARGO": Place("airport"),
    "SIPCBZ-E": Place("cbz"),
    "WHMIX01": Place("warehouse", "SIPCBZ-E"),
    "WHMIX01-B": Place("storage_bonded", "WHMIX01"),
    "KSCBZ": Place("cbz"),
    "C-PVG-SIPE": Place("corridor"),
}


def stay(*zones: str, **more: Any) -> dict[str, Any]:
    return {"type": "stay", "zones": list(zones), **more}


def move(origin: str, destination: str, **more: Any) -> dict[str, Any]:
    return {"type": "move", "from_zones": [origin], "to_zones": [destination], **more}


def found(*legs: dict[str, Any], rules: Any = None, **how: Any) -> dict[str, str]:
    """Pointer -> level of what is wrong."""
    terms = parse({"legs": list(legs), "rules": rules or {}})
    return {fault.pointer: fault.level for fault in check(terms, how.pop("places", PLACES), **how)}


def test_places_that_do_not_exist_are_named_with_what_was_meant():
    assert check(parse(PVG_TO_SIP), PLACES) == []
    wrong = json.loads(json.dumps(PVG_TO_SIP).replace("C-PVG-SIPE", "C-PVG-SIP").replace("PVGCARGO", "XX"))
    assert {fault.pointer: fault.detail for fault in check(parse(wrong), PLACES)} == {
        "/legs/0/zones/0": 'no zone "XX"',
        "/legs/1/from_zones/0": 'no zone "XX"',
        "/legs/1/corridor": 'no corridor "C-PVG-SIP"; did you mean "C-PVG-SIPE"?',
    }
    (first, *_) = check(parse(wrong), PLACES, park="SIP")
    assert (first.what, first.about) == ('no zone "XX" in park SIP', "zone")


def test_a_corridor_is_no_zone():
    assert found(stay("C-PVG-SIPE")) == {"/legs/0/zones/0": "error"}


@pytest.mark.parametrize(
    ("legs", "wrong"),
    [
        ((stay("PVGCARGO"), move("PVGCARGO", "SIPCBZ-E")), {}),
        ((stay("PVGCARGO"), stay("PVGCARGO")), {}),
        ((move("PVGCARGO", "SIPCBZ-E"), stay("WHMIX01-B")), {}),
        ((stay("WHMIX01-B"), move("SIPCBZ-E", "KSCBZ")), {}),
        ((move("PVGCARGO", "SIPCBZ-E"), stay("KSCBZ")), {"/legs/1/zones": "error"}),
        ((stay("KSCBZ"), move("PVGCARGO", "SIPCBZ-E")), {"/legs/1/from_zones": "error"}),
        ((stay("PVGCARGO", "KSCBZ"), move("PVGCARGO", "SIPCBZ-E")), {"/legs/0/zones/1": "warning"}),
    ],
)
def test_the_next_leg_begins_where_the_one_before_ends(legs: Any, wrong: dict[str, str]):
    assert found(*legs) == wrong


def test_without_the_places_a_zone_may_lie_in_another():
    legs = (move("PVGCARGO", "SIPCBZ-E"), stay("WHMIX01"))
    assert found(*legs, places=None) == {"/legs/1/zones": "warning"}


@pytest.mark.parametrize(
    ("leg", "wrong"),
    [
        (stay("KSCBZ", "KSCBZ"), {"/legs/0/zones/1": "error"}),
        (move("KSCBZ", "KSCBZ"), {"/legs/0/to_zones/0": "error"}),
        (
            stay("KSCBZ", not_before="2026-03-10T10:00:00Z", deadline="2026-03-10T11:00:00+08:00"),
            {"/legs/0/deadline": "error"},
        ),
        (stay("KSCBZ", seal="Any"), {"/legs/0/seal": "error"}),
        (stay("KSCBZ", seal="any"), {}),
        (stay("KSCBZ", custodian="91320594MA1WDEM01L"), {}),
        (stay("KSCBZ", custodian="91320594MA1WDEM01X"), {"/legs/0/custodian": "warning"}),
        (
            stay("KSCBZ", limits={"temperature_c": {"low": 8, "high": 2}}),
            {"/legs/0/limits/temperature_c/high": "error"},
        ),
        (stay("KSCBZ", limits={"shock_g": {}}), {"/legs/0/limits/shock_g": "error"}),
        (
            stay("KSCBZ", limits={"humidity_pct": {"mean_kinetic_c": 8}}),
            {"/legs/0/limits/humidity_pct/mean_kinetic_c": "error"},
        ),
        (stay("KSCBZ", max_silence_s=59), {"/legs/0/max_silence_s": "warning"}),
        (stay("KSCBZ", max_silence_s=60), {}),
    ],
)
def test_one_leg(leg: dict[str, Any], wrong: dict[str, str]):
    assert found(leg, reporting={"SIP/TRK-001": 60}) == wrong


def test_times_of_different_legs_must_agree():
    first = stay("PVGCARGO", not_before="2026-03-10T10:00:00Z", deadline="2026-03-10T20:00:00Z")
    then = move("PVGCARGO", "SIPCBZ-E")
    levels = [
        (fault.pointer, fault.level)
        for fault in check(parse({"legs": [first, then | {"deadline": "2026-03-10T09:00:00Z"}]}), PLACES)
    ]
    assert ("/legs/1/deadline", "error") in levels
    assert found(first, then | {"deadline": "2026-03-10T19:00:00Z"}) == {"/legs/1/deadline": "warning"}
    assert found(first, then | {"deadline": "2026-03-10T21:00:00Z"}) == {}


@pytest.mark.parametrize(
    ("rules", "pointer", "meant"),
    [
        ({"route_deviatoin": {"severity": "minor"}}, "/rules/route_deviatoin", "route_deviation"),
        (
            {"route_deviation": {"parameters": {"min_duration": 3}}},
            "/rules/route_deviation/parameters/min_duration",
            "min_duration_s",
        ),
        (
            {"route_deviation": {"parameters": {"min_duration_s": -1}}},
            "/rules/route_deviation/parameters/min_duration_s",
            None,
        ),
        (
            {"forbidden_zone_entry": {"parameters": {"forbidden_kinds": ["restricted", 7]}}},
            "/rules/forbidden_zone_entry/parameters/forbidden_kinds/1",
            None,
        ),
        ({"device_silent": {"parameters": {"factor": 0}}}, "/rules/device_silent/parameters/factor", None),
    ],
)
def test_rules_that_are_changed_exist(rules: Any, pointer: str, meant: str | None):
    (fault,) = check(parse({"legs": [stay("KSCBZ")], "rules": rules}), PLACES)
    assert (fault.pointer, fault.meant, fault.level) == (pointer, meant, "error")


def test_everything_is_told_at_once():
    wrong = found(stay("XX", seal="None"), move("KSCBZ", "SIPCBZ-E", corridor="C-9"), rules={"nothing": {}})
    assert wrong == {
        "/legs/0/zones/0": "error",
        "/legs/0/seal": "error",
        "/legs/1/corridor": "error",
        "/legs/1/from_zones": "error",
        "/rules/nothing": "error",
    }
