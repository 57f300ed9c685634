"""The search for the limit, against systems whose limit is known."""

from __future__ import annotations

import pytest

from simulators.load_knee import MOST_STEPS, PRECISION, Bounds, Step, fault, knee, next_rate

BOUNDS = Bounds(p99_ms=1000, backlog_s=1)


def step(rate: float, limit: float) -> Step:
    """What a system with that limit does: beyond it the backlog of a ten-second step grows."""
    behind_s = max(0.0, 10 * (1 - limit / rate))
    return Step(rate, min(rate, limit), 50 + behind_s * 1000, behind_s)


def search(limit: float, first: float) -> list[Step]:
    steps: list[Step] = []
    while (rate := next_rate(steps, first, BOUNDS)) is not None:
        assert rate not in [one.rate for one in steps]
        steps.append(step(rate, limit))
    return steps


@pytest.mark.parametrize("limit", [900.0, 5000.0, 21_000.0, 100_000.0])
@pytest.mark.parametrize("first", [1000.0, 3000.0])
def test_the_knee_is_found(limit: float, first: float) -> None:
    steps = search(limit, first)
    found = knee(steps, BOUNDS)
    assert found.broke_at is not None
    assert found.broke_at / found.rate - 1 <= PRECISION
    assert found.rate <= limit * 1.1
    assert found.broke_at > limit
    assert len(steps) <= MOST_STEPS


def test_a_first_rate_far_too_high_is_halved() -> None:
    rates = [one.rate for one in search(1000, 20_000)]
    assert rates[:5] == [20_000, 10_000, 5_000, 2_500, 1_250]
    assert rates[5] == 625


def test_it_ends_with_a_system_without_limit_and_with_a_dead_one() -> None:
    steps = search(float("inf"), 1000)
    assert len(steps) == MOST_STEPS
    assert knee(steps, BOUNDS) == (max(one.rate for one in steps), None, None)
    dead: list[Step] = []
    while (rate := next_rate(dead, 1000, BOUNDS)) is not None:
        dead.append(Step(rate, 0, float("inf"), 10))
    assert knee(dead, BOUNDS).rate == 0


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (Step(1000, 1000, 999, 0.9), None),
        (Step(1000, 1000, 1001, 0.9), "p99"),
        (Step(1000, 850, 999, 1.1), "backlog"),
        (Step(1000, 850, 5000, 1.1, own_fault=True), "generator"),
    ],
)
def test_what_breaks_is_named(told: Step, why: str | None) -> None:
    assert fault(told, BOUNDS) == why


def test_a_rate_that_held_above_one_that_broke_does_not_count() -> None:
    steps = [Step(1000, 1000, 10, 0), Step(2000, 1500, 5000, 3), Step(3000, 3000, 10, 0)]
    assert knee(steps, BOUNDS) == (1000, 2000, "backlog")
