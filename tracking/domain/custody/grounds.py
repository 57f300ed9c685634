"""On whose ground the goods were: the areas at a moment, and which of them belong to a leg's own zones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import groupby, pairwise
from typing import TypeAlias

from tracking.domain.custody.case import Case
from tracking.domain.custody.course import steps
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.intervals import Interval
from tracking.domain.custody.legs import Span
from tracking.domain.custody.terms import MoveLeg

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


def moves(case: Case) -> Iterator[tuple[Span, ...]]:
    """Each move, as the spans of the revisions of the terms under which it ran; at least one."""
    for _, group in groupby(case.legs.spans, key=lambda span: span.index):
        spans = tuple(span for span in group if isinstance(span.leg, MoveLeg))
        if spans:
            yield spans


def move_leg(span: Span) -> MoveLeg:
    """The leg of a move's span."""
    assert isinstance(span.leg, MoveLeg)
    return span.leg
