"""The rules explain themselves, and docs/rules.md says what they say."""

from __future__ import annotations

import inspect
from pathlib import Path

import msgspec
import pytest

from tracking.domain.custody.catalogue import render
from tracking.domain.custody.facts import READ_KINDS
from tracking.domain.custody.rules import RULES, Rule
from tracking.domain.custody.rules.device import SilenceLimits
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.verdicts import Severity
from tracking.domain.tracks import DEFAULTS, KINDS

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def test_the_page_is_current() -> None:
    hint = "python -m tracking.domain.custody.catalogue > docs/rules.md"
    assert PAGE.read_text(encoding="utf-8") == render(), hint


def test_every_number_is_one_rules() -> None:
    numbers = [rule.number for rule in RULES.values()]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_every_rule_explains_itself(rule: Rule) -> None:
    doc = inspect.getdoc(rule.evaluate) or ""
    for part in ("Must not fire", "Args:", "Evidence:", "Source:", "Opens", "loses"):
        assert part in doc, part
    for name in msgspec.structs.asdict(rule.limits):
        assert f"``{name}``" in doc, name


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two rules are called route_deviation"):
        rule(number="A1", code="route_deviation", severity=Severity.MAJOR, limits=SilenceLimits)(
            lambda _case, _limits: iter(())
        )


def test_the_rule_and_the_track_agree_when_a_device_is_silent() -> None:
    assert SilenceLimits().factor == DEFAULTS.silence_factor


def test_the_rules_read_milestones_that_tracks_tell() -> None:
    assert set(READ_KINDS) <= KINDS.keys()
