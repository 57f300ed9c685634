"""How a truck drives a road: cruising speed, traffic, lights, jams, stops, and beside its road."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from simulators.geo import Line, Point, distance_m
from simulators.reality.course import Course
from simulators.vehicles import CREEP_MPS, Beside, Halt, limit_mps, smooth

STEP_S: Final = 5.0
RAIL_STEP_S: Final = 30.0
_TURN_OFF_M: Final = 600.0
_LIGHTS_KM: Final = 4.0


class Jam(NamedTuple):
    """A stretch of road on which everybody creeps."""

    begins_m: float
    ends_m: float
    mps: float


class Drive(NamedTuple):
    """A course along a road, and when it came by where.

    Attributes:
        course: the truth.
        passages: (moment, metres along the road), in order.
    """

    course: Course
    passages: list[tuple[float, float]]

    def when(self, along_m: float) -> float:
        """The first moment at which it was so far along."""
        for (before, one), (after, other) in zip(self.passages, self.passages[1:], strict=False):
            if one <= along_m <= other and other > one:
                return before + (after - before) * (along_m - one) / (other - one)
        return self.passages[-1][0]


def drive(
    line: Line,
    rng: random.Random,
    *,
    begins: float,
    waits: Sequence[tuple[Point, float]],
    cruise_mps: float,
    halts: Sequence[Halt],
    besides: Sequence[Beside],
    stays_s: float,
    is_rail: bool,
) -> Drive:
    """Drive a road from end to end.

    Args:
        line: the road.
        rng: of this truck.
        begins: its first moment.
        waits: where it stands before it leaves, and for how long; it drives from one to the next.
        cruise_mps: on a free road.
        halts: where it stands on the way.
        besides: where it drives beside the road.
        stays_s: how long it stands at the end.
        is_rail: there are no lights and no jams.
    """
    knots: list[tuple[float, Point]] = []
    stands: list[tuple[float, float]] = []
    now = begins
    for place, seconds in waits:
        if knots:
            before = knots[-1][1]
            now += max(60.0, abs(complex(*before.to(place))) / 5.0)
        stands.append((now, now + seconds))
        knots += [(now, place), (now + seconds, place)]
        now += seconds
    if abs(complex(*knots[-1][1].to(line.points[0]))) > 1:
        now += max(60.0, abs(complex(*knots[-1][1].to(line.points[0]))) / 5.0)
        knots.append((now, line.points[0]))
    passages = [(now, 0.0)]
    jams = [] if is_rail else _jams(line, rng)
    lights = [] if is_rail else _lights(line, rng)
    left = sorted([*halts, *lights], key=lambda halt: halt.at_m)
    ends = [0.0, line.length_m, *(halt.at_m for halt in left)]
    along, mood = 0.0, 0.0
    while along < line.length_m:
        mood = 0.95 * mood + rng.gauss(0, 0.03)
        jam = next((jam.mps for jam in jams if jam.begins_m <= along < jam.ends_m), cruise_mps)
        mps = min(jam, cruise_mps * (1 + mood), *(limit_mps(abs(along - end)) for end in ends))
        mps = max(mps, CREEP_MPS)
        step_s = RAIL_STEP_S if is_rail else STEP_S
        if left and along + mps * step_s >= left[0].at_m:
            step_s = max((left[0].at_m - along) / mps, 0.001)
        along = min(along + mps * step_s, line.length_m)
        place = _place(line, along, besides, halts)
        # Beside a bend the way is longer than along it.
        now += max(step_s, distance_m(knots[-1][1], place) / (1.1 * mps))
        knots.append((now, place))
        passages.append((now, along))
        while left and along >= left[0].at_m - 1e-6:
            halt = left.pop(0)
            stands.append((now, now + halt.seconds))
            now += halt.seconds
            knots.append((now, place))
            passages.append((now, along))
    stands.append((now, now + stays_s))
    knots.append((now + stays_s, line.points[-1]))
    return Drive(Course(knots, stands), passages)


def _place(line: Line, along: float, besides: Sequence[Beside], halts: Sequence[Halt]) -> Point:
    place = line.beside(along, sum(beside.offset_m(along) for beside in besides))
    for halt in halts:
        place = place.between(halt.place, smooth(1 - abs(along - halt.at_m) / _TURN_OFF_M))
    return place


def _jams(line: Line, rng: random.Random) -> list[Jam]:
    """Nothing or two of them; nobody stands still in one for long."""
    found = []
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        begins = rng.uniform(0.1, 0.9) * line.length_m
        found.append(Jam(begins, begins + rng.uniform(300, 1500), rng.uniform(3.5, 7.0)))
    return found


def _lights(line: Line, rng: random.Random) -> list[Halt]:
    """Red lights in the first and the last kilometres."""
    spots = [rng.uniform(0.2, _LIGHTS_KM) * 1000 for _ in range(rng.randint(0, 3))]
    spots += [line.length_m - rng.uniform(0.2, _LIGHTS_KM) * 1000 for _ in range(rng.randint(0, 3))]
    return [Halt(at, line.point(at), rng.uniform(15, 90)) for at in spots if 0 < at < line.length_m]
