"""How long a gate waits, and what it does then; the plates that a camera may have read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tracking.api.context import Context
from tracking.api.live import Event
from tracking.api.routers.stream import Concern
from tracking.domain.custody.plates import look_alikes
from tracking.domain.gates.timing import Timing, timing

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize("within", [0, -1, 601, True, "5", None, float("nan")])
@pytest.mark.parametrize("fallback", ["", "OPEN", 3, None, ["open"]])
def test_what_is_no_limit_and_no_fallback_leaves_the_default(within: Any, fallback: Any) -> None:
    assert timing({"decide_within_s": within, "fallback": fallback}) == Timing(10.0, "hold")


def test_a_gate_has_its_own() -> None:
    assert timing({"decide_within_s": 3, "fallback": "passes", "lane": "fast"}) == Timing(3.0, "passes")


def test_a_decision_at_the_last_moment_is_in_time() -> None:
    held = Timing(3.0)
    assert not held.is_over(NOON, NOON + timedelta(seconds=3))
    assert held.is_over(NOON, NOON + timedelta(seconds=3, microseconds=1))
    assert held.ends(NOON) == NOON + timedelta(seconds=3)


def test_look_alikes_are_plates_that_may_be_meant() -> None:
    assert look_alikes("苏E33071") == {"苏E33071", "苏E33D71", "苏E3307T", "苏E33D7T"}
    assert "苏E33D71" in look_alikes("苏 e33O71")
    assert look_alikes("") == look_alikes("TRAILER-NUMBER-1") == frozenset()


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"shipments": ["S-1", "S-2"]}, True),
        ({"shipments": ["S-2"]}, False),
        ({"shipments": []}, False),
        ({}, True),
    ],
)
def test_a_stream_of_a_shipment_hears_of_gates_that_it_is_at(body: dict[str, Any], wanted: bool) -> None:
    nothing: Any = None
    concern = Concern(Context(nothing, lambda: NOON, nothing, ""), "S-1", None)
    assert concern.wants(Event("gate", body)) is wanted
