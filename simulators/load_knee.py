"""Where the limit is: which rate to try next, and where the knee lies between good and bad ones. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

GROWTH: Final = 1.5
PRECISION: Final = 0.08
MOST_STEPS: Final = 16


class Step(NamedTuple):
    """One rate that was tried.

    Attributes:
        rate: events a second, intended.
        achieved: events a second that got their last answer within the step.
        p99_ms: of the last answer.
        backlog_s: events without it at the end, in seconds of the rate.
        own_fault: the generator was late itself.
    """

    rate: float
    achieved: float
    p99_ms: float
    backlog_s: float
    own_fault: bool = False


class Bounds(NamedTuple):
    """What a step must hold.

    Attributes:
        p99_ms: the 99th percentile of the last answer, milliseconds.
        backlog_s: what may be on its way at the end, in seconds of the rate.
    """

    p99_ms: float = 1000.0
    backlog_s: float = 1.0


class Knee(NamedTuple):
    """The limit that was found.

    Attributes:
        rate: the highest rate that held; 0 when none did.
        broke_at: the lowest that didn't; None: every one held.
        why: what broke there: ``p99``, ``backlog`` or ``generator``.
    """

    rate: float
    broke_at: float | None
    why: str | None


def fault(step: Step, bounds: Bounds) -> str | None:
    """Why a step doesn't hold; None: it does."""
    if step.own_fault:
        return "generator"
    if step.backlog_s > bounds.backlog_s:
        return "backlog"
    if step.p99_ms > bounds.p99_ms:
        return "p99"
    return None


def next_rate(steps: Sequence[Step], first: float, bounds: Bounds) -> float | None:
    """The rate to try next; None: the knee is known well enough.

    Half as much again until one breaks, then the middle between the best and the worst, until they are
    within 8 %. When the first one breaks already: half of it.
    """
    if not steps:
        return first
    found = knee(steps, bounds)
    if len(steps) >= MOST_STEPS:
        return None
    if found.broke_at is None:
        return found.rate * GROWTH
    if found.rate == 0:
        return found.broke_at / 2 if found.broke_at > 1 else None
    if found.broke_at / found.rate - 1 <= PRECISION:
        return None
    return (found.rate + found.broke_at) / 2


def knee(steps: Sequence[Step], bounds: Bounds) -> Knee:
    """The knee by these steps: a rate above one that broke doesn't count as held."""
    broken = [(step.rate, why) for step in steps if (why := fault(step, bounds)) is not None]
    broke_at, why = min(broken, default=(None, None))
    held = [
        step.rate
        for step in steps
        if fault(step, bounds) is None and (broke_at is None or step.rate < broke_at)
    ]
    return Knee(max(held, default=0.0), broke_at, why)
