"""Where the goods stood still: stops as the track tells them, cut by what was allowed there.

A stop is counted in pieces: while the goods are outside every approved place, and in each approved place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, TypeAlias

from msgspec import Struct

from devices.observation import moment
from tracking.domain.custody.case import Case
from tracking.domain.custody.course import Stretch
from tracking.domain.custody.facts import Carriage, Milestone, MissingNumbers
from tracking.domain.custody.grounds import Areas, presence
from tracking.domain.custody.intervals import Interval, earlier, overlap, without
from tracking.domain.custody.visits import UNHEARD

Place: TypeAlias = str | None
"""What a piece of a stop counts for: a zone that limits it, ``OPEN`` outside of all; None: no limit."""

OPEN: Final = ""


class Stop(Struct, frozen=True):
    """The goods stood still.

    Attributes:
        carriage: of the device that spoke for them.
        during: from the first fix to the first one beyond; an end of None: it lasts.
        milestones: ``stopped`` and, where it has ended by itself, ``moved``.
        last_still: the last fix known to lie within it; None: whichever is the device's newest.
    """

    carriage: Carriage
    during: Interval
    milestones: tuple[Milestone, ...]
    last_still: datetime | None = None

    def surely_until(self, until: datetime) -> datetime:
        """Up to when they surely stood there. A device that owes no report yet may be gone already."""
        last = self.last_still
        if last is None:
            overdue = until - timedelta(seconds=self.carriage.expected_every_s)
            last = max(self.carriage.last_fix or overdue, overdue)
        return last if self.during[1] is None else min(last, self.during[1])

    def next_look(self, due: datetime, until: datetime) -> datetime | None:
        """When it may have lasted until a moment without a milestone; None: never, or it has."""
        if self.surely_until(until) >= due:
            return due if due > until else None
        carriage, ends = self.carriage, self.during[1]
        if ends is not None and (ends <= due or self.last_still is not None):
            return None
        if self.last_still is None:
            overdue = due + timedelta(seconds=carriage.expected_every_s)
            return next((look for look in (due, overdue) if look > until), None)
        # It may come back to where it stood, which no milestone tells.
        heard = carriage.last_heard or until
        is_heard = until < heard + timedelta(seconds=UNHEARD * carriage.expected_every_s)
        return until + timedelta(seconds=carriage.expected_every_s) if is_heard else None


class Piece(Struct, frozen=True):
    """A part of a stop that is counted by itself.

    Attributes:
        stop: the whole of it.
        place: what it counts for.
        during: within the stop.
    """

    stop: Stop
    place: Place
    during: Interval

    def surely_until(self, until: datetime) -> datetime:
        """Up to when they surely stood there."""
        surely = self.stop.surely_until(until)
        return surely if self.during[1] is None else min(surely, self.during[1])

    def missing(self) -> list[MissingNumbers]:
        """Numbers that the device never sent in its course, in order of time."""
        found = [gap for gap in self.stop.carriage.missing if overlap(_span(gap), self.during) is not None]
        return sorted(found, key=lambda gap: (_span(gap)[0], gap.run, gap.first))

    def known(self) -> tuple[Interval, ...]:
        """The parts between missing numbers, in which nothing is unknown."""
        parts: tuple[Interval, ...] = (self.during,)
        for gap in self.missing():
            parts = without(parts, _span(gap))
        return tuple(sorted(parts, key=lambda part: part[0]))


def stops(case: Case) -> Iterator[Stop]:
    """The stops of the devices that speak for the goods, while they speak."""
    for stretch in case.stretches:
        since: Milestone | None = None
        for milestone in stretch.carriage.milestones:
            if milestone.kind == "stopped":
                since = milestone
            elif milestone.kind == "moved" and since is not None:
                yield from _stop(stretch, since, milestone)
                since = None
        if since is not None:
            yield from _stop(stretch, since, None)


def pieces(
    case: Case, stop: Stop, during: Interval, place: Callable[[Areas, datetime], Place]
) -> list[Piece]:
    """The pieces of a stop within some time.

    Args:
        case: the shipment.
        stop: one of its stops.
        during: what counts.
        place: what being in these areas at that moment counts for.
    """
    found: list[Piece] = []
    counted = overlap(stop.during, during)
    if counted is None:
        return found
    courses = [
        (shared, place(areas, shared[0]))
        for time, areas in presence(case)
        if (shared := overlap(time, counted)) is not None
    ]
    for at, group in groupby(courses, key=lambda part: part[1]):
        times = [time for time, _ in group]
        found.append(Piece(stop, at, (times[0][0], times[-1][1])))
    return found


def _stop(stretch: Stretch, stopped: Milestone, moved: Milestone | None) -> Iterator[Stop]:
    carriage = stretch.carriage
    during = overlap(
        (stopped.time, moved.time if moved is not None else None), (stretch.begins, stretch.ends)
    )
    if during is None:
        return
    if moved is None:
        yield Stop(carriage, during, (stopped,), carriage.moving_off)
    elif during[1] == moved.time:
        before = moved.detail.get("before")
        yield Stop(carriage, during, (stopped, moved), moment(before[0]) if before else moved.time)
    else:
        yield Stop(carriage, during, (stopped,), during[1])


def _span(gap: MissingNumbers) -> Interval:
    """The time in which what is missing happened; clocks may run back between the two."""
    return (min(gap.after, gap.before), max(gap.after, gap.before))


def ends_first(one: datetime | None, other: datetime) -> datetime:
    """The earlier of an end that may not be there yet and a moment."""
    ends = earlier(one, other)
    assert ends is not None
    return ends
