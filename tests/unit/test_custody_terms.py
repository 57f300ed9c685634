"""Terms: what is taken, and how precisely the rest is refused."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.yard import PVG_TO_SIP
from tracking.domain.custody.faults import faults
from tracking.domain.custody.published import document
from tracking.domain.custody.rules import RULES
from tracking.domain.custody.terms import MoveLeg, StayLeg, Terms, TermsError, decode, encode, parse

SCHEMA = Path(__file__).parents[2] / "docs" / "schema" / "terms.json"
EVERYTHING: dict[str, Any] = {
    "legs": [
        {
            "type": "stay",
            "zones": ["A", "B"],
            "not_before": "2026-03-10T08:00:00+08:00",
            "deadline": "2026-03-11T08:00:00+08:00",
            "custodian": "91310115MA1WDEM06X",
            "seal": "none",
            "limits": {"temperature_c": {"low": 2, "high": 8, "tolerated_min": 5, "mean_kinetic_c": 8}},
            "max_silence_s": 900,
            "max_dwell_s": 86400,
            "needs_release": True,
            "mixing": "by_status",
        },
        {
            "type": "move",
            "from_zones": ["A", "B"],
            "corridor": "C-1",
            "to_zones": ["D"],
            "seal": "ES-77001",
            "max_stop_s": 900,
        },
    ],
    "rules": {"route_deviation": {"severity": "critical", "parameters": {"min_duration_s": 60}}},
}


def move(**changes: Any) -> dict[str, Any]:
    leg = {"type": "move", "from_zones": ["A"], "corridor": "C", "to_zones": ["B"], **changes}
    return {"legs": [{name: value for name, value in leg.items() if value is not ...}]}


def test_terms_are_read_from_text_and_from_json_alike():
    terms = parse(json.dumps(PVG_TO_SIP))
    assert terms == parse(PVG_TO_SIP) == parse(encode(terms))
    stay, way, _ = terms.legs
    assert isinstance(stay, StayLeg)
    assert isinstance(way, MoveLeg)
    assert terms.zones() == {"PVGCARGO", "SIPCBZ-E"}
    assert terms.corridors() == {"C-PVG-SIPE"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/legs"),
        ({"legs": []}, "/legs"),
        ({"legs": [{"type": "fly"}]}, "/legs/0/type"),
        ({"legs": [{"zones": ["A"]}]}, "/legs/0/type"),
        ({"legs": [{"type": "stay", "zones": []}]}, "/legs/0/zones"),
        ({"legs": [{"type": "stay", "zones": ["A", "no way"]}]}, "/legs/0/zones/1"),
        (move(to_zones=...), "/legs/0/to_zones"),
        (move(corridor=7), "/legs/0/corridor"),
        (move(max_silence_s=0), "/legs/0/max_silence_s"),
        (move(deadline="2026-03-10T10:00:00"), "/legs/0/deadline"),
        (move(spead_limit=80), "/legs/0/spead_limit"),
        (move(max_dwell_s=80), "/legs/0/max_dwell_s"),
        (move(seal=""), "/legs/0/seal"),
        (move(seal="x" * 33), "/legs/0/seal"),
        (move(limits={"temperature_c": {"hi": 8}}), "/legs/0/limits/temperature_c/hi"),
        (move(limits={"Temp/C": {"high": 8}}), "/legs/0/limits/Temp~1C"),
        (move(mixing="by_status"), "/legs/0/mixing"),
        ({"legs": [{"type": "stay", "zones": ["A"], "mixing": "yes"}]}, "/legs/0/mixing"),
        (move() | {"rules": {"route_deviation": {"severity": "bad"}}}, "/rules/route_deviation/severity"),
        ([], ""),
    ],
)
def test_the_refusal_points_at_the_wrong_field(body: dict[str, Any], pointer: str):
    for form in (body, json.dumps(body)):
        with pytest.raises(TermsError) as refused:
            parse(form)
        assert refused.value.pointer == pointer
        assert refused.value.detail


def test_what_is_no_json_is_refused_as_a_whole():
    with pytest.raises(TermsError) as refused:
        parse(b"legs: []")
    assert refused.value.pointer == ""


def test_every_fault_is_told_at_once_with_what_was_meant():
    wrong = {
        "legs": [
            {"type": "stay", "zones": ["no way", 3], "sael": "any", "max_dwell_s": -1},
            {"type": "mvoe"},
            {"type": "move", "from_zones": ["A"]},
        ],
        "ruels": {},
    }
    with pytest.raises(TermsError) as refused:
        parse(wrong)
    assert {fault.pointer: fault.meant for fault in refused.value.faults} == {
        "/ruels": "rules",
        "/legs/0/sael": "seal",
        "/legs/0/zones/0": None,
        "/legs/0/zones/1": None,
        "/legs/0/max_dwell_s": None,
        "/legs/1/type": "move",
        "/legs/2/to_zones": None,
    }


def test_every_field_is_taken_and_kept():
    terms = parse(EVERYTHING)
    assert decode(encode(terms)) == parse(encode(terms)) == terms
    stay, way = terms.legs
    assert isinstance(stay, StayLeg)
    assert isinstance(way, MoveLeg)
    assert (stay.max_dwell_s, stay.needs_release, stay.mixing, stay.seal) == (
        86400,
        True,
        "by_status",
        "none",
    )
    assert (stay.limits["temperature_c"].high, way.seal, way.max_stop_s) == (8, "ES-77001", 900)
    assert terms.rules["route_deviation"].parameters == {"min_duration_s": 60}


def paths(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [at, *(path for name, part in parts for path in paths(part, (*at, name)))]


JUNK = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(-9, 9)
    | st.sampled_from(
        [
            "",
            "A",
            "any",
            "stay",
            "2026-03-10T10:00:00Z",
            [],
            ["A"],
            {},
            {"x": 1},
            {"type": "stay"},
            [{}],
            "x" * 70,
        ]
    )
)


@settings(max_examples=600, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(paths(EVERYTHING)[1:]), JUNK), min_size=1, max_size=4))
def test_who_names_the_faults_and_who_decodes_are_of_one_mind(changes: list[tuple[tuple[Any, ...], Any]]):
    body = json.loads(json.dumps(EVERYTHING))
    for (*way, last), junk in changes:
        node: Any = body
        try:
            for name in way:
                node = node[name]
            node[last] = deepcopy(junk)  # else a later change would change what is drawn next
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    try:
        msgspec.convert(body, Terms)
        decodes = True
    except msgspec.ValidationError:
        decodes = False
    assert (not list(faults(body, Terms))) is decodes


def test_the_published_schema_is_current():
    made = json.loads(msgspec.json.encode(document()))
    hint = "python -m tracking.domain.custody.published > docs/schema/terms.json"
    assert json.loads(SCHEMA.read_text("utf-8")) == made, hint
    assert {"StayLeg", "MoveLeg", "Limit", "route_deviation"} <= made["$defs"].keys()
    assert made["properties"]["rules"]["properties"].keys() == RULES.keys()
    limits = made["$defs"]["route_deviation"]["properties"]["parameters"]
    assert limits["properties"]["min_duration_s"]["default"] == 180
