"""Plates: the same, a look-alike, or another; never a silent match."""

from __future__ import annotations

import pytest

from tracking.domain.custody.plates import CONFUSED, Likeness, PlateLimits, compare

LIMITS = PlateLimits()


@pytest.mark.parametrize(
    ("read", "confidence", "expected", "said"),
    [
        ("苏E33D71", 0.93, "苏E33D71", Likeness.SAME),
        ("苏E·33D71", 0.93, "苏E33D71", Likeness.SAME),
        ("苏e33d71 ", None, "苏E33D71", Likeness.SAME),
        ("苏E33071", 0.93, "苏E33D71", Likeness.CONFUSABLE),
        ("苏E33O71", 0.99, "苏E33071", Likeness.CONFUSABLE),
        ("沪A12345", 0.99, "沪AI2345", Likeness.CONFUSABLE),
        ("沪BD818N", 0.99, "苏E33D71", Likeness.DIFFERENT),
        ("沪BD818N", 0.89, "苏E33D71", Likeness.CONFUSABLE),
        ("苏E33D71", 0.89, "苏E33D71", Likeness.CONFUSABLE),
        ("苏E33D71", 0.90, "苏E33D71", Likeness.SAME),
        ("苏EF12345", 0.99, "苏E12345", Likeness.DIFFERENT),
        ("沪E33D71", 0.99, "苏E33D71", Likeness.DIFFERENT),
        (None, None, "苏E33D71", Likeness.CONFUSABLE),
        ("", 0.99, "苏E33D71", Likeness.CONFUSABLE),
    ],
)
def test_what_a_reading_says(read: str | None, confidence: float | None, expected: str, said: Likeness):
    assert compare(read, confidence, expected, LIMITS) is said


@pytest.mark.parametrize("pair", ["0D", "8B", "1T", "5S", "2Z"])
def test_every_pair_of_the_catalogue_is_confusable_both_ways(pair: str):
    one, other = (f"沪A1234{character}" for character in pair)
    assert compare(one, 0.99, other, LIMITS) is Likeness.CONFUSABLE
    assert compare(other, 0.99, one, LIMITS) is Likeness.CONFUSABLE


def test_characters_of_two_looks_are_not_confused():
    for one in CONFUSED:
        for other in CONFUSED:
            if one != other:
                said = compare(f"沪A1234{one[0]}", 0.99, f"沪A1234{other[0]}", LIMITS)
                assert said is Likeness.DIFFERENT


def test_one_look_alike_does_not_excuse_another_difference():
    assert compare("苏E33072", 0.99, "苏E33D71", LIMITS) is Likeness.DIFFERENT


def test_how_sure_is_a_parameter():
    assert compare("苏E33D71", 0.80, "苏E33D71", PlateLimits(0.75)) is Likeness.SAME
