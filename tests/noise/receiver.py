"""What a receiver says of a true path. ``docs/noise.md`` gives every number."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from msgspec import Struct

from devices.observation import Observation, Position
from simulators.reality.sky import Sky
from tests.noise.ground import Ground
from tests.noise.journeys import Path

START_US: Final = 1_773_100_800_000_000
PARKED_AFTER_S: Final = 300.0
HONESTY: Final = {True: [0.8, 0.2], False: [0.7, 0.2, 0.1]}
IN_RUNS: Final = 0.33
"""Of the reflections; the others are isolated."""


class Receiver(Struct, frozen=True):
    """One device.

    Attributes:
        moving_s: between reports while it moves, and for five minutes after.
        parked_s: between reports while it is parked.
        accuracy_m: that it typically states, the radius of 68 %.
        honesty: its error over what it states: 1 is honest, 2 errs twice as far as it says.
        is_urban: among buildings: reflections are frequent, errors last longer.
        says_speed: whether it reports a speed.
        says_accuracy: whether it reports an accuracy.
    """

    moving_s: float
    parked_s: float
    accuracy_m: float
    honesty: float
    is_urban: bool
    says_speed: bool
    says_accuracy: bool


def draw(rng: np.random.Generator) -> Receiver:
    """A receiver, from the mix that is on the road."""
    is_urban = bool(rng.random() < 0.3)
    moving_s = float(rng.choice([5, 10, 15, 20, 30, 60], p=[0.1, 0.2, 0.2, 0.15, 0.25, 0.1]))
    return Receiver(
        moving_s=moving_s,
        parked_s=max(moving_s, float(rng.uniform(60, 300))),
        accuracy_m=float(rng.uniform(15, 40) if is_urban else rng.uniform(5, 15)),
        honesty=float(rng.choice([1.0, 1.25] if is_urban else [1.0, 1.5, 2.0], p=HONESTY[is_urban])),
        is_urban=is_urban,
        says_speed=bool(rng.random() < 0.85),
        says_accuracy=bool(rng.random() < 0.95),
    )


def report(path: Path, ground: Ground, receiver: Receiver, rng: np.random.Generator) -> list[Observation]:
    """What the device sends, in order of time."""
    sky = Sky(rng.standard_normal, rng.uniform, in_runs=IN_RUNS)
    times, tunnels, standing = _moments(path, receiver, rng)
    x, y = path.at(np.array(times))
    ahead_x, ahead_y = path.at(np.array(times) + 1.0)
    speeds = np.hypot(ahead_x - x, ahead_y - y)
    errors, before = [], 0.0
    for time, tunnel, is_standing in zip(times, tunnels, standing, strict=True):
        correlated_s = (300.0 if receiver.is_urban else 120.0) if is_standing else 40.0
        sky.passes(
            time - before,
            time,
            correlated_s=correlated_s,
            is_standing=is_standing,
            urban=receiver.is_urban,
        )
        errors.append(sky.error(receiver.accuracy_m, receiver.honesty, worse_m=tunnel))
        before = time
    ex, ey, stated = np.array(errors).T
    lon, lat = ground.degrees(x + ex, y + ey)
    said = np.abs(speeds + rng.normal(0, 0.15, len(speeds)))
    return [
        Observation(
            1,
            number,
            START_US + round(times[number] * 1e6),
            Position(
                float(lon[number]),
                float(lat[number]),
                accuracy_m=round(float(stated[number]), 1) if receiver.says_accuracy else None,
                speed_mps=round(float(said[number]), 1) if receiver.says_speed else None,
            ),
            b"",
        )
        for number in range(len(times))
    ]


def _moments(
    path: Path, receiver: Receiver, rng: np.random.Generator
) -> tuple[list[float], list[float], list[bool]]:
    """When it reports, how much worse for having come out of a tunnel, whether it stands then."""
    times, tunnels, standing = [], [], []
    now, worse, stops = float(rng.uniform(0, receiver.moving_s)), 0.0, [*path.stops, (math.inf, math.inf)]
    at = 0
    while now < path.ends_s:
        while stops[at][1] <= now:
            at += 1
        begins, ends = stops[at]
        is_standing = begins <= now
        times.append(now)
        tunnels.append(worse)
        standing.append(is_standing)
        worse *= 0.3 if worse > 5 else 0.0
        if is_standing and now - begins > PARKED_AFTER_S:
            ahead = now + receiver.parked_s * rng.uniform(0.95, 1.05)
            now = min(ahead, ends + rng.uniform(1, receiver.moving_s))  # a motion sensor wakes it
            continue
        now += receiver.moving_s * rng.uniform(0.95, 1.05)
        lasts = rng.uniform(60, 360)
        is_clear = any(since < now + lasts and now < until for since, until in path.open_sky)
        if not is_standing and rng.random() < receiver.moving_s / 1200 and not is_clear:
            now += lasts
            worse = rng.uniform(20, 50)
    return times, tunnels, standing
