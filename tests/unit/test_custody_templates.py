"""Templates: valid as they stand, and filled in as they say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tracking.domain.custody.checks import Place, check
from tracking.domain.custody.templates import Template, TemplateError, fill, read
from tracking.domain.custody.terms import MoveLeg, parse
from tracking.store.templates import templates

ROOT = Path(__file__).parents[2]
RAIL = {"C-SZW-MZL": Place("corridor"), "MZLPORT": Place("rail_port")}
TEMPLATES = templates()


@pytest.fixture(scope="module")
def places() -> Mapping[str, Place]:
    """Those of the simulators, and the railway, which is not theirs."""
    features = json.loads((ROOT / "simulators" / "places.json").read_text("utf-8"))["features"]
    drawn = [feature["properties"] for feature in features]
    return RAIL | {each["code"]: Place(each["kind"], each.get("parent")) for each in drawn}


def test_the_usual_regimes_are_there() -> None:
    assert {template.zh for template in TEMPLATES.values()} == {
        "先入区后报关",
        "转关",
        "保税间结转",
        "货物状态分类监管",
        "中欧班列",
        "指定口岸冷链进口",
    }


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=list(TEMPLATES))
def test_a_template_is_valid_as_it_stands(template: Template, places: Mapping[str, Place]) -> None:
    assert check(parse(fill(template, {})), places) == []
    assert template.en
    assert template.about.strip()
    assert template.source
    assert all(parameter.zh and parameter.en for parameter in template.parameters.values())


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=list(TEMPLATES))
def test_every_parameter_reaches_the_terms(template: Template) -> None:
    other = {
        "zones": "Z-1,Z-2",
        "corridor": "C-9",
        "moment": "2026-03-10T14:41:00+08:00",
        "party": "91310115MA1WDEM06X",
        "text": "ES-9",
        "seconds": "77",
        "number": "7.5",
    }
    for name, parameter in template.parameters.items():
        filled = fill(template, {name: other[parameter.kind]})
        assert filled != fill(template, {}), name
        parse(filled)


def test_values_are_read_by_their_kind() -> None:
    values = {"port": "A, B", "high": "-20", "deadline": "2026-03-10T14:41:00+08:00"}
    way = parse(fill(TEMPLATES["cold-chain-import"], values)).legs[1]
    assert isinstance(way, MoveLeg)
    assert way.from_zones == ("A", "B")
    assert way.limits["temperature_c"].high == -20
    assert way.limits["temperature_c"].low is None
    assert way.deadline is not None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"carier": "x"}, 'no parameter "carier"; did you mean "carrier"?'),
        ({"max_dwell_s": "soon"}, 'max_dwell_s: "soon" is no seconds'),
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, str], message: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(message)):
        fill(TEMPLATES["first-enter-then-declare"], values)


def test_a_template_that_names_what_it_does_not_define_is_none() -> None:
    decoded: dict[str, Any] = {"zh": "x", "en": "x", "about": "x", "source": "x", "parameters": {}}
    with pytest.raises(TemplateError, match="port"):
        read("x", decoded | {"terms": {"legs": [{"zones": "{port}"}]}})
