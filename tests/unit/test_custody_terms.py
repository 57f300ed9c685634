"""Terms: what is taken, and how precisely the rest is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.yard import PVG_TO_SIP
from tracking.domain.custody.terms import MoveLeg, StayLeg, TermsError, encode, parse, problems, schema

KINDS = {"PVGCARGO": "airport", "SIPCBZ-E": "cbz", "C-PVG-SIPE": "corridor"}


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
        ({"legs": [{"type": "stay", "zones": ["A", "A"]}]}, "/legs/0/zones/1"),
        (move(to_zones=...), "/legs/0/to_zones"),
        (move(corridor=7), "/legs/0/corridor"),
        (move(to_zones=["B", "A"]), "/legs/0/to_zones/1"),
        (move(max_silence_s=0), "/legs/0/max_silence_s"),
        (move(deadline="2026-03-10T10:00:00"), "/legs/0/deadline"),
        (move(not_before="2026-03-10T10:00:00Z", deadline="2026-03-10T11:00:00+08:00"), "/legs/0/deadline"),
        (move(spead_limit=80), "/legs/0/spead_limit"),
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


def test_places_that_do_not_exist_are_named_with_what_was_meant():
    assert problems(parse(PVG_TO_SIP), KINDS) == []
    wrong = json.loads(json.dumps(PVG_TO_SIP).replace("C-PVG-SIPE", "C-PVG-SIP").replace("PVGCARGO", "XX"))
    found = {problem.pointer: problem.detail for problem in problems(parse(wrong), KINDS)}
    assert found == {
        "/legs/0/zones/0": 'no zone "XX"',
        "/legs/1/from_zones/0": 'no zone "XX"',
        "/legs/1/corridor": 'no corridor "C-PVG-SIP"; did you mean "C-PVG-SIPE"?',
    }


def test_a_corridor_is_no_zone():
    terms = parse({"legs": [{"type": "stay", "zones": ["C-PVG-SIPE"]}]})
    assert [problem.pointer for problem in problems(terms, KINDS)] == ["/legs/0/zones/0"]


def test_the_schema_names_both_kinds_of_leg():
    text = json.dumps(schema())
    assert "StayLeg" in text
    assert "MoveLeg" in text
