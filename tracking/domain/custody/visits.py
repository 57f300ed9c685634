"""Visits: each device's times in each zone, and for how long it surely was there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from devices.observation import moment
from tracking.domain.custody.facts import Carriage, Facts, Milestone
from tracking.domain.custody.intervals import Interval, overlap, united

UNHEARD: Final = 10
"""A device that has said nothing for so many of its expected intervals is no longer looked at: by then its
silence has been told, and its next word will be, and either is work for the judge.
"""


class Visit(Struct, frozen=True):
    """One device in one zone, or across it.

    Attributes:
        carriage: of the device.
        zone: code.
        during: as far as the device carried the goods; an end of None: it is there still.
        certain: False: the way between two fixes touches the zone, but may have led around it.
        milestones: what tells of it.
        last_within: the last fix known to lie within; None: whichever is the device's newest.
    """

    carriage: Carriage
    zone: str
    during: Interval
    certain: bool
    milestones: tuple[Milestone, ...]
    last_within: datetime | None = None

    def stays(self, seconds: int, begins: datetime, until: datetime) -> bool:
        """Whether it has lasted so long, counted from a moment on.

        Args:
            seconds: the least that is a stay.
            begins: from when on it counts.
            until: the watermark.
        """
        return self._within_until(until) - begins >= timedelta(seconds=seconds)

    def next_look(self, seconds: int, begins: datetime, until: datetime) -> datetime | None:
        """When this may have become a stay of so long without a milestone; None: never, or it is one."""
        carriage, ends = self.carriage, self.during[1]
        is_over = ends is not None and self.last_within is not None and ends <= until
        if is_over or self._is_crossing() or self.stays(seconds, begins, until):
            return None
        counts = begins + timedelta(seconds=seconds)
        if ends is not None and ends < counts:
            return None
        if self.last_within is None:
            overdue = counts + timedelta(seconds=carriage.expected_every_s)
            return next((look for look in (counts, overdue) if look > until), None)
        # It may come back within, which no milestone tells.
        heard = carriage.last_heard or until
        is_heard = until < heard + timedelta(seconds=UNHEARD * carriage.expected_every_s)
        return until + timedelta(seconds=seconds) if is_heard else None

    def _is_crossing(self) -> bool:
        return self.milestones[0].kind == "crossed"

    def _within_until(self, until: datetime) -> datetime:
        """Up to when it surely was there. A device that owes no report yet may be gone already."""
        begins, ends = self.during
        if self._is_crossing():
            return begins
        last = self.last_within
        if last is None:
            overdue = until - timedelta(seconds=self.carriage.expected_every_s)
            last = max(self.carriage.last_fix or overdue, overdue)
        return last if ends is None else min(last, ends)


def visits(facts: Facts) -> Iterator[Visit]:
    """Every visit of every carrying device to every zone, within its carriage."""
    for carriage in facts.carriages:
        carried: Interval = (carriage.begins, carriage.ends)
        inside: dict[str, Milestone] = {}
        for milestone in carriage.milestones:
            zone = milestone.area
            if zone is None:
                continue
            if milestone.kind == "entered":
                inside.setdefault(zone, milestone)
            elif milestone.kind == "left" and zone in inside:
                entered = inside.pop(zone)
                during = overlap((entered.time, milestone.time), carried)
                if during is not None:
                    cited = (entered, milestone) if during[1] == milestone.time else (entered,)
                    yield Visit(carriage, zone, during, True, cited, _last_within(milestone))
            elif milestone.kind == "crossed":
                during = overlap(_crossing(milestone), carried)
                if during is not None:
                    certain = bool(milestone.detail.get("certain"))
                    yield Visit(carriage, zone, during, certain, (milestone,))
        for zone, entered in inside.items():
            during = overlap((entered.time, None), carried)
            if during is not None:
                yield Visit(carriage, zone, during, True, (entered,), carriage.leaving.get(zone))


def together(
    zone: str, counted: Sequence[tuple[Visit, Interval]], *, certain: bool
) -> list[tuple[Interval, tuple[tuple[str, Milestone], ...]]]:
    """The times at which any device was in a zone, with the milestones of all."""
    return united(
        (during, tuple((visit.carriage.device, milestone) for milestone in visit.milestones))
        for visit, during in counted
        if visit.zone == zone and visit.certain is certain
    )


def _last_within(left: Milestone) -> datetime:
    """The last fix before those that told of the departure."""
    before = left.detail.get("before")
    return moment(before[0]) if before else left.time


def _crossing(milestone: Milestone) -> Interval:
    """From the last fix before the zone to the first one behind it."""
    return (moment(milestone.detail["before"][0]), moment(milestone.detail["after"][0]))
