"""What the devices of a haul notice of the truth: facts with their true moments, before any radio."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from simulators.reality.format import Fleet
from simulators.reality.hauls import GUARDED, Haul
from simulators.reality.receiver import Receiver
from simulators.reality.speech import Fact
from simulators.reality.windows import Window, within

PARKED_EVERY_S: Final = 300.0
_SETTLING_S: Final = 300.0
_SETTLING_EVERY_S: Final = 60.0

Noticed = list[tuple[float, Fact]]


def tracker_every_s(fleet: Fleet) -> int:
    """The interval that a tracker's registration states."""
    return round(max(PARKED_EVERY_S, fleet.report_every_s))


def tracker(haul: Haul, rng: random.Random) -> Noticed:
    """Positions: often while it moves and just after, seldom while parked; a motion sensor tells both."""
    course, receiver = haul.drive.course, Receiver(rng)
    times = np.array([t for t, _ in haul.drive.passages])
    alongs = np.array([along for _, along in haul.drive.passages])
    found: Noticed = []
    now = course.begins + rng.uniform(0, 5)
    while now < course.ends:
        along = float(np.interp(now, times, alongs)) if now >= times[0] else -1.0
        if not within(haul.tunnels, along):
            fix = receiver.fix(now, course.at(now), course.speed_mps(now), urban=within(haul.urban, along))
            found.append((now, fix))
        stand = next((one for one in course.stands if one[0] <= now < one[1]), None)
        if stand is None:
            halt = min((begins for begins, _ in course.stands if begins > now), default=course.ends)
            now = min(now + haul.fleet.report_every_s * rng.uniform(0.95, 1.05), halt + rng.uniform(0.5, 3))
        else:
            every = _SETTLING_EVERY_S if now < stand[0] + _SETTLING_S else PARKED_EVERY_S
            now = min(now + every, stand[1] + rng.uniform(1, 5))
    return _alive(found, haul.tracker_off)


def seal(haul: Haul, rng: random.Random) -> Noticed:
    """Its battery now and then, and its state when that changes."""
    number = haul.seal.partition("/")[2]
    battery = rng.uniform(60, 95)
    found: Noticed = [
        (t, {"type": "reading", "values": {"battery_pct": round(battery - (t - haul.begins) / 36_000, 1)}})
        for t in _ticks(haul, haul.fleet.seal_every_s, rng)
    ]
    states = [(haul.locked, "locked"), (haul.cut, "cut"), (haul.unlocked, "unlocked")]
    found += [(t, {"type": "seal", "seal": number, "state": state}) for t, state in states if t is not None]
    return _alive(sorted(found, key=lambda one: one[0]), haul.seal_off)


def sensor(haul: Haul, rng: random.Random) -> Noticed:
    """What is measured in the box: the door always, and at once; the rest where the goods need it."""
    times = [(t, True) for t in _ticks(haul, haul.fleet.reading_every_s, rng)]
    times += [(edge + 0.2, False) for door in haul.climate.doors for edge in door if edge < haul.ends]
    found: Noticed = []
    for t, is_regular in sorted(times):
        values: dict[str, Any] = {"door_open": int(within(haul.climate.doors, t))}
        if haul.band is not None and is_regular:
            values |= {
                "temperature_c": round(haul.climate.at(t) + rng.gauss(0, 0.05), 2),
                "defrost": int(within(haul.climate.defrosts, t)),
                "power_on": int(not within(haul.climate.failures, t)),
            }
        found.append((t, {"type": "reading", "values": values}))
    return found


def passages(haul: Haul, rng: random.Random, kinds: dict[str, str]) -> Iterator[tuple[str, float, Fact]]:
    """What the gates see of it: the gate's code, the moment, and what it says.

    Args:
        haul: the truck.
        rng: of its gates.
        kinds: of zones, by their code.
    """
    for direction, seen, zone, number in (
        ("out", haul.out, haul.origin, haul.pass_out),
        ("in", haul.into, haul.destination, haul.pass_in),
    ):
        if seen is None:
            continue
        t, gate = seen
        fact: dict[str, Any] = {
            "type": "gate",
            "gate": gate,
            "lane": "1",
            "direction": direction,
            "plate": haul.plate,
            "plate_confidence": round(rng.uniform(0.95, 0.995), 3),
            "containers": [haul.container],
            "seals": [haul.seal.partition("/")[2]],
            "weight_kg": haul.weight_kg + rng.randrange(-100, 101, 20),
            "image": f"{gate}/{haul.number}.jpg",
        }
        if kinds[zone] == GUARDED:
            fact["pass"] = number
        yield gate, t, fact


def _ticks(haul: Haul, every_s: float, rng: random.Random) -> list[float]:
    return list(np.arange(haul.begins + rng.uniform(1, 20), haul.ends, every_s))


def _alive(found: Noticed, dead: Sequence[Window]) -> Noticed:
    """Without what it would have noticed while it was dead."""
    return [(t, fact) for t, fact in found if not within(dead, t)]
