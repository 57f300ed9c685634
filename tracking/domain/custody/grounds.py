"""On whose ground the goods were: the areas at a moment, which of them belong to a leg's own zones; what
began a leg, and who could have told of its end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import TypeAlias

from devices.observation import Direction
from tracking.domain.custody.case import Case
from tracking.domain.custody.course import steps
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.gatehouse import SILENT_AFTER, watching
from tracking.domain.custody.intervals import Interval
from tracking.domain.custody.legs import Span
from tracking.domain.custody.terms import MoveLeg
from tracking.domain.custody.verdicts import Evidence, cite

Areas: TypeAlias = frozenset[str]


def presence(case: Case) -> list[tuple[Interval, Areas]]:
    """Which areas the goods were in, when; one part after the other."""
    told = list(steps(case.stretches))
    found: list[tuple[Interval, Areas]] = [
        ((one.time, following.time), one.areas) for one, following in pairwise(told)
    ]
    return [*found, ((told[-1].time, None), told[-1].areas)] if told else found


def areas_at(parts: Iterable[tuple[Interval, Areas]], moment: datetime) -> Areas:
    """The areas at a moment; none where nothing is known."""
    for (begins, ends), areas in parts:
        if begins <= moment and (ends is None or moment < ends):
            return areas
    return frozenset()


def belongs(facts: Facts, zone: str, named: Collection[str], at: datetime) -> bool:
    """Whether a zone is one of those that are named, lies within one, or around one."""
    own = set(named)
    return (
        zone in own
        or not own.isdisjoint(facts.around(zone, at))
        or any(zone in facts.around(code, at) for code in own)
    )


def runs(case: Case) -> Iterator[tuple[Span, ...]]:
    """Each leg that began, as the spans of the revisions of the terms under which it ran; at least one."""
    for _, group in groupby(case.legs.spans, key=lambda span: span.index):
        yield tuple(group)


def moves(case: Case) -> Iterator[tuple[Span, ...]]:
    """Each move, as the spans of the revisions of the terms under which it ran; at least one."""
    for run in runs(case):
        spans = tuple(span for span in run if isinstance(span.leg, MoveLeg))
        if spans:
            yield spans


def move_leg(span: Span) -> MoveLeg:
    """The leg of a move's span."""
    assert isinstance(span.leg, MoveLeg)
    return span.leg


def cite_beginning(case: Case, span: Span) -> Iterator[Evidence]:
    """The milestones that began a leg, of the device that spoke for the goods at that moment."""
    for stretch in case.stretches:
        if stretch.begins <= span.begins and (stretch.ends is None or span.begins < stretch.ends):
            yield from (cite(stretch.carriage.device, milestone) for milestone in span.milestones)


def unheard(case: Case, zones: Iterable[str], direction: Direction, at: datetime) -> list[Evidence]:
    """Who could have told by a moment that the goods went into, or out of, zones, and has been silent since:
    the devices on the goods and a gate; empty: somebody could.
    """
    speaking = [s.carriage for s in case.stretches if s.begins <= at and (s.ends is None or at < s.ends)]
    silent = [c for c in speaking if _is_silent(c.last_heard, c.expected_every_s, at)]
    offline = [
        one.watch
        for zone in zones
        for one in watching(case.facts, zone, direction, at, case.until)
        if _is_silent(one.watch.last_heard, one.watch.expected_every_s, at)
    ]
    if len(silent) < len(speaking) or not offline:
        return []
    heard = [*((c.device, c.last_heard) for c in silent), *((w.device, w.last_heard) for w in offline)]
    return [{"silence": name, "last_heard": last.isoformat()} for name, last in heard if last is not None]


def _is_silent(last_heard: datetime | None, every_s: int, at: datetime) -> bool:
    """Whether a device that once spoke had been silent by a moment, and has been since."""
    return last_heard is not None and last_heard + timedelta(seconds=SILENT_AFTER * every_s) <= at
