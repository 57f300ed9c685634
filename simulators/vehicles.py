"""Trucks on their corridors: believable speed, GPS error, gates, seals, stops, detours.

A truck is a generator of reports in the order of their times, for itself and for whoever sees it pass. All
randomness comes from the generator that it is given, one per truck, so that a truck drives the same way
however many others there are.
"""

from __future__ import annotations

import math
import random
from collections.abc import Generator, Iterator, Sequence
from itertools import count
from typing import NamedTuple, TypeAlias

from devices.observation import Direction, Gate, Position, Seal, SealState
from simulators.geo import Line, Point
from simulators.reports import Report
from simulators.scenario import Fleet

_EASY_M_S2 = 0.5
"""Braking and starting of a loaded truck."""

_CREEP_MPS = 3.0
_RAMP_M = 2_000.0
_TURN_OFF_M = 600.0
_SEAL_EVERY_MS = 600_000


Telling: TypeAlias = Generator[Report, None, int]
"""Tells reports and ends with the moment that it has come to."""


class Beside(NamedTuple):
    """The truck drives beside its corridor from ``begins_m`` to ``ends_m``."""

    begins_m: float
    ends_m: float
    left_m: float

    def offset_m(self, along_m: float) -> float:
        """How far to the left there; it leaves and comes back over two kilometres."""
        inside = min(along_m - self.begins_m, self.ends_m - along_m)
        return self.left_m * _smooth(inside / _RAMP_M)


class Halt(NamedTuple):
    """The truck turns off the road at ``at_m`` and stands in a place."""

    at_m: float
    place: Point
    seconds: float


class GatePost(NamedTuple):
    """A gate on the road."""

    device: str
    code: str
    at_m: float


class Gps:
    """The error of a receiver: it wanders, it doesn't jump."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._accuracy, self._east, self._north = rng.uniform(8.0, 15.0), 0.0, 0.0

    def fix(self, true: Point, speed_mps: float, heading_deg: float) -> Position:
        """What the receiver says of a true place."""
        rng = self._rng
        self._accuracy = min(max(self._accuracy + rng.gauss(0, 0.4), 8.0), 15.0)
        step = self._accuracy / 2 * 0.6
        self._east = 0.8 * self._east + rng.gauss(0, step)
        self._north = 0.8 * self._north + rng.gauss(0, step)
        seen = true.moved(self._east, self._north)
        return Position(
            lon=round(seen.lon, 6),
            lat=round(seen.lat, 6),
            accuracy_m=round(self._accuracy, 1),
            speed_mps=round(max(speed_mps + rng.gauss(0, 0.2), 0.0), 1),
            heading_deg=round(heading_deg, 1) % 360,
            satellites=rng.randint(9, 16),
        )


class Truck:
    """One truck with its tracker, perhaps with an e-seal.

    Args:
        tracker: name of the tracker.
        seal: name of the e-seal, or None.
        plate: as the gates read it.
        container: as the gates read it.
        line: the road, from the place of loading.
        fleet: how the trucks of its fleet behave.
        posts: gates on the road.
        events: detours and halts of its first way there.
        rng: its own randomness.
    """

    def __init__(
        self,
        *,
        tracker: str,
        seal: str | None,
        plate: str,
        container: str,
        line: Line,
        fleet: Fleet,
        posts: Sequence[GatePost],
        events: Sequence[Beside | Halt],
        rng: random.Random,
    ) -> None:
        self.tracker, self.seal, self.plate, self.container = tracker, seal, plate, container
        self._line, self._fleet, self._posts, self._events = line, fleet, posts, events
        self._rng, self._gps = rng, Gps(rng)
        self._cruise_mps = rng.uniform(*fleet.speed_kmh) / 3.6
        self._weight_kg = rng.randrange(24_000, 41_000, 20)

    def reports(self, begins_ms: int, leaves_ms: int) -> Iterator[Report]:
        """What is reported of this truck from the story's beginning, without end."""
        now = yield from self._stand(self._line.point(0), begins_ms, leaves_ms)
        for trip in count():
            there = trip % 2 == 0
            line = self._line if there else self._line.reversed()
            events = self._events if trip == 0 else ()
            now = yield from self._drive(line, now, there=there, events=events)
            now = yield from self._stand(line.point(line.length_m), now, now + self._fleet.stay_s * 1000)

    def _stand(self, place: Point, now: int, until: int) -> Telling:
        while now < until:
            yield Report(now, self.tracker, self._gps.fix(place, 0.0, 0.0))
            now += round(self._fleet.parked_every_s * 1000)
        return until

    def _drive(self, line: Line, now: int, *, there: bool, events: Sequence[Beside | Halt]) -> Telling:
        beside = [event for event in events if isinstance(event, Beside)]
        halts = sorted((event for event in events if isinstance(event, Halt)), key=lambda halt: halt.at_m)
        along, mood, every_s = 0.0, 0.0, self._fleet.report_every_s
        posts = [post if there else post._replace(at_m=line.length_m - post.at_m) for post in self._posts]
        sealed = self.seal is not None and there
        seal_due = now
        while along < line.length_m:
            mood = 0.9 * mood + self._rng.gauss(0, 0.04)
            ends_m = [0.0, line.length_m, *(halt.at_m for halt in halts)]
            speed = min(self._cruise_mps * (1 + mood), *(_limit(abs(along - end)) for end in ends_m))
            speed = max(speed, _CREEP_MPS)
            step_s = every_s
            reached = along + speed * step_s
            halt = halts.pop(0) if halts and reached >= halts[0].at_m else None
            if halt is not None:
                step_s, reached = max((halt.at_m - along) / speed, 0.001), halt.at_m
            if sealed and seal_due <= now:
                yield self._sealed(now, SealState.LOCKED)
                seal_due += _SEAL_EVERY_MS
            for post in posts:
                if along < post.at_m <= reached:
                    yield self._passes(post, now + round((post.at_m - along) / speed * 1000), there=there)
            along, now = reached, now + round(step_s * 1000)
            if halt is not None:
                now = yield from self._halted(halt, now)
            place = line.beside(along, sum(event.offset_m(along) for event in beside))
            for event in events:
                if isinstance(event, Halt):
                    place = place.between(event.place, _smooth(1 - abs(along - event.at_m) / _TURN_OFF_M))
            yield Report(now, self.tracker, self._gps.fix(place, speed, line.heading_deg(along)))
        if sealed:
            yield self._sealed(now, SealState.UNLOCKED)
        return now + round(every_s * 1000)

    def _halted(self, halt: Halt, now: int) -> Telling:
        until = now + round(halt.seconds * 1000)
        while now < until:
            yield Report(now, self.tracker, self._gps.fix(halt.place, 0.0, 0.0))
            now += round(min(self._fleet.parked_every_s, 30.0) * 1000)
        return until

    def _passes(self, post: GatePost, now: int, *, there: bool) -> Report:
        first_half = post.at_m < self._line.length_m / 2
        loaded = Gate(
            gate=post.code,
            lane=str(self._rng.randint(1, 3)),
            direction=Direction.OUT if first_half else Direction.IN,
            plate=self.plate,
            plate_confidence=round(self._rng.uniform(0.95, 0.995), 3),
            containers=[self.container],
            weight_kg=float(self._weight_kg + self._rng.randrange(-100, 101, 20)) if there else None,
        )
        return Report(now, post.device, loaded)

    def _sealed(self, now: int, state: SealState) -> Report:
        assert self.seal is not None
        number = self.seal.partition("/")[2]
        return Report(now, self.seal, Seal(seal=number, state=state))


def _limit(distance_m: float) -> float:
    """The speed from which one comes to a stand within a distance."""
    return math.sqrt(2 * _EASY_M_S2 * distance_m) + _CREEP_MPS


def _smooth(share: float) -> float:
    """0 to 1 without corners."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)
