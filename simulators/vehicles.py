"""Trucks on their corridors: believable speed, GPS error, gates, seals, papers, stops, detours.

A truck is a generator of reports and papers in the order of their times, for itself and for whoever sees it
pass or answers for what it carries. All randomness comes from the generator that it is given, one per truck,
so that a truck drives the same way however many others there are.
"""

from __future__ import annotations

import math
import random
from collections.abc import Generator, Iterator, Sequence
from itertools import count
from typing import NamedTuple, TypeAlias

from devices.observation import Direction, Gate, Position, Seal, SealState
from simulators.geo import Line, Point
from simulators.papers import Goods
from simulators.reports import Paper, Report
from simulators.scenario import Fleet

_EASY_M_S2 = 0.5
"""Braking and starting of a loaded truck."""

CREEP_MPS = 3.0
_RAMP_M = 2_000.0
_TURN_OFF_M = 600.0
_SEAL_EVERY_MS = 600_000
_ORDERED_MS = 120_000
_OPENED_MS = 240_000
_UNLOADED_MS = 420_000


Telling: TypeAlias = Generator[Report | Paper, None, int]
"""Tells reports and ends with the moment that it has come to."""


class Beside(NamedTuple):
    """The truck drives beside its corridor from ``begins_m`` to ``ends_m``."""

    begins_m: float
    ends_m: float
    left_m: float

    def offset_m(self, along_m: float) -> float:
        """How far to the left there; it leaves and comes back over two kilometres."""
        inside = min(along_m - self.begins_m, self.ends_m - along_m)
        return self.left_m * smooth(inside / _RAMP_M)


class Halt(NamedTuple):
    """The truck turns off the road at ``at_m`` and stands in a place."""

    at_m: float
    place: Point
    seconds: float


class Cut(NamedTuple):
    """Somebody cuts the truck's seal at ``at_m``."""

    at_m: float


class GatePost(NamedTuple):
    """A gate on the road; ``zone`` is the one that it leads into, where that is passed with a gate pass."""

    device: str
    code: str
    at_m: float
    zone: str | None


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
    """One truck with its tracker; on its first way it carries goods, perhaps under an e-seal.

    Args:
        tracker: name of the tracker.
        plate: as the gates read it.
        goods: what it carries, with their papers.
        line: the road, from the place of loading.
        fleet: how the trucks of its fleet behave.
        posts: gates on the road there.
        posts_back: gates on the road back; ``at_m`` as on the road there.
        events: detours, halts and cuts of its first way there.
        rng: its own randomness.
    """

    def __init__(
        self,
        *,
        tracker: str,
        plate: str,
        goods: Goods,
        line: Line,
        fleet: Fleet,
        posts: Sequence[GatePost],
        posts_back: Sequence[GatePost],
        events: Sequence[Beside | Halt | Cut],
        rng: random.Random,
    ) -> None:
        self.tracker, self.plate, self.goods = tracker, plate, goods
        self._line, self._fleet, self._events = line, fleet, events
        self._posts, self._posts_back = posts, posts_back
        self._rng, self._gps = rng, Gps(rng)
        self._cruise_mps = rng.uniform(*fleet.speed_kmh) / 3.6
        self._said: SealState | None = None  # of the seal, where it still has something to say
        self._seal_due = 0

    def reports(self, begins_ms: int, leaves_ms: int) -> Iterator[Report | Paper]:
        """What is reported of this truck, and said of its goods, from the story's beginning, without end."""
        yield from self.goods.loaded(begins_ms, self.plate)
        yield from self._applied(0, begins_ms)
        now = yield from self._stand(self._line.point(0), begins_ms, leaves_ms)
        for trip in count():
            line = self._line if trip % 2 == 0 else self._line.reversed()
            if trip > 0:
                yield from self._applied(trip, now)
            now = yield from self._drive(line, now, trip)
            then = self._delivered(now) if trip == 0 else ()
            until = max([now + self._fleet.stay_s * 1000, *(one.time_ms + 1 for one in then)])
            now = yield from self._stand(line.point(line.length_m), now, until, then)

    def _stand(self, place: Point, now: int, until: int, then: Sequence[Report | Paper] = ()) -> Telling:
        while now < until:
            yield from (one for one in then if one.time_ms <= now)
            then = [one for one in then if one.time_ms > now]
            yield from self._sealed(now)
            yield Report(now, self.tracker, self._gps.fix(place, 0.0, 0.0))
            now += round(self._fleet.parked_every_s * 1000)
        yield from then
        return max(until, *(one.time_ms for one in then), 0)

    def _drive(self, line: Line, now: int, trip: int) -> Telling:
        events = self._events if trip == 0 else ()
        beside = [event for event in events if isinstance(event, Beside)]
        halts = sorted((event for event in events if isinstance(event, Halt)), key=lambda halt: halt.at_m)
        cuts = [event.at_m for event in events if isinstance(event, Cut)]
        along, mood, every_s = 0.0, 0.0, self._fleet.report_every_s
        posts = self._on_the_way(trip)
        if trip == 0 and self.goods.seal is not None:
            self._said, self._seal_due = SealState.LOCKED, now
        while along < line.length_m:
            mood = 0.9 * mood + self._rng.gauss(0, 0.04)
            ends_m = [0.0, line.length_m, *(halt.at_m for halt in halts)]
            speed = min(self._cruise_mps * (1 + mood), *(limit_mps(abs(along - end)) for end in ends_m))
            speed = max(speed, CREEP_MPS)
            step_s = every_s
            reached = along + speed * step_s
            halt = halts.pop(0) if halts and reached >= halts[0].at_m else None
            if halt is not None:
                step_s, reached = max((halt.at_m - along) / speed, 0.001), halt.at_m
            if any(along < at_m <= reached for at_m in cuts):
                self._said, self._seal_due = SealState.CUT, now
            yield from self._sealed(now)
            for post in posts:
                if along < post.at_m <= reached:
                    yield self._passes(post, now + round((post.at_m - along) / speed * 1000), trip)
            along, now = reached, now + round(step_s * 1000)
            if halt is not None:
                now = yield from self._halted(halt, now)
            place = line.beside(along, sum(event.offset_m(along) for event in beside))
            for event in events:
                if isinstance(event, Halt):
                    place = place.between(event.place, smooth(1 - abs(along - event.at_m) / _TURN_OFF_M))
            yield Report(now, self.tracker, self._gps.fix(place, speed, line.heading_deg(along)))
        return now + round(every_s * 1000)

    def _halted(self, halt: Halt, now: int) -> Telling:
        until = now + round(halt.seconds * 1000)
        while now < until:
            yield from self._sealed(now)
            yield Report(now, self.tracker, self._gps.fix(halt.place, 0.0, 0.0))
            now += round(min(self._fleet.parked_every_s, 30.0) * 1000)
        return until

    def _delivered(self, now: int) -> list[Report | Paper]:
        """What follows the arrival: customs order the seal opened, it is opened, the goods are unloaded."""
        _, destination = self.goods.ends
        then: list[Report | Paper] = []
        if self.goods.seal is not None and self._said is SealState.LOCKED:
            then.append(self.goods.may_be_opened(now + _ORDERED_MS, destination))
            then.append(self._seal_says(now + _OPENED_MS, SealState.UNLOCKED))
            self._said = None
        return [*then, self.goods.unloaded(now + _UNLOADED_MS, self.plate)]

    def _applied(self, trip: int, now: int) -> Iterator[Paper]:
        """The gate passes of a way, approved before it begins."""
        for post in self._on_the_way(trip):
            if post.zone is not None:
                yield from self.goods.gate_pass(now, trip, self._direction(post), post.zone, self.plate)

    def _on_the_way(self, trip: int) -> list[GatePost]:
        if trip % 2 == 0:
            return list(self._posts)
        return [post._replace(at_m=self._line.length_m - post.at_m) for post in self._posts_back]

    def _direction(self, post: GatePost) -> Direction:
        return Direction.OUT if post.at_m < self._line.length_m / 2 else Direction.IN

    def _passes(self, post: GatePost, now: int, trip: int) -> Report:
        is_loaded, direction = trip == 0, self._direction(post)
        weight_kg = self.goods.weight_kg(is_loaded=is_loaded) + self._rng.randrange(-100, 101, 20)
        seen = Gate(
            gate=post.code,
            lane=str(self._rng.randint(1, 3)),
            direction=direction,
            plate=self.plate,
            plate_confidence=round(self._rng.uniform(0.95, 0.995), 3),
            containers=[self.goods.container] if is_loaded else [],
            seals=[self.goods.seal_number] if is_loaded and self._said is SealState.LOCKED else [],
            weight_kg=float(weight_kg),
            pass_number=self.goods.pass_number(trip, direction) if post.zone is not None else None,
            image=f"{post.code}/{now}.jpg",
        )
        return Report(now, post.device, seen)

    def _sealed(self, now: int) -> Iterator[Report]:
        """The seal's regular word, when it is due."""
        if self._said is not None and self._seal_due <= now:
            yield self._seal_says(now, self._said)
            self._seal_due += _SEAL_EVERY_MS

    def _seal_says(self, now: int, state: SealState) -> Report:
        assert self.goods.seal is not None
        return Report(now, self.goods.seal, Seal(seal=self.goods.seal_number, state=state))


def limit_mps(distance_m: float) -> float:
    """The speed from which one comes to a stand within a distance."""
    return math.sqrt(2 * _EASY_M_S2 * distance_m) + CREEP_MPS


def smooth(share: float) -> float:
    """0 to 1 without corners."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)
