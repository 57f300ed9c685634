"""Which limits hold for what is measured of the goods, and when.

A leg's limits hold while it runs. Between two legs the limits of the earlier one hold on: frozen goods stay
frozen on their way from the gate to the store. Before the first leg and after the last nothing holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Final

from msgspec import Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.intervals import Interval, overlap
from tracking.domain.custody.legs import LegState, Span
from tracking.domain.custody.profiles import PROFILES, Profile, likely
from tracking.domain.custody.terms import Leg, Limit, MoveLeg

TEMPERATURE: Final = "temperature_c"
HUMIDITY: Final = "humidity_pct"


class Held(Struct, frozen=True):
    """A leg's limits during [begins, ends).

    Attributes:
        begins: from this moment on.
        ends: until this one; None: it isn't over.
        leg: whose limits they are.
        limit: of the quantity that was asked for.
        revision: number of the terms' revision.
    """

    begins: datetime
    ends: datetime | None
    leg: Leg
    limit: Limit
    revision: int

    @property
    def during(self) -> Interval:
        """The interval."""
        return (self.begins, self.ends)

    @property
    def profile_name(self) -> str:
        """The profile that the terms name, else the one that the range tells of."""
        return profile_name(self.limit)

    @property
    def profile(self) -> Profile:
        """That profile."""
        return PROFILES[self.profile_name]

    @property
    def is_transport(self) -> bool:
        """Under way, or between a way and the next place: not yet in storage."""
        return isinstance(self.leg, MoveLeg)


def profile_name(limit: Limit) -> str:
    """The profile that a limit names, else the one that its range tells of."""
    return limit.profile or likely(limit.low, limit.high)


def held(case: Case, quantity: str = TEMPERATURE) -> tuple[Held, ...]:
    """Where the terms limit a quantity, in order of time, without overlaps."""
    found = []
    for begins, ends, leg, revision in _legs(case):
        limit = leg.limits.get(quantity)
        if limit is not None and begins != ends:
            found.append(Held(begins, ends, leg, limit, revision))
    return tuple(found)


def stretches(holds: Sequence[Held], begins: datetime, ends: datetime | None) -> tuple[Interval, ...]:
    """As far as limits hold within [begins, ends); what touches is one."""
    found: list[Interval] = []
    for hold in holds:
        shared = overlap(hold.during, (begins, ends))
        if shared is None or shared[0] == shared[1]:
            continue
        if found and found[-1][1] == shared[0]:
            found[-1] = (found[-1][0], shared[1])
        else:
            found.append(shared)
    return tuple(found)


def at(holds: Sequence[Held], moment: datetime) -> Held | None:
    """What holds at a moment."""
    return next(
        (hold for hold in holds if hold.begins <= moment and (hold.ends is None or moment < hold.ends)), None
    )


def _legs(case: Case) -> Iterator[tuple[datetime, datetime | None, Leg, int]]:
    """Each leg while it runs, and on until the next begins."""
    spans = case.legs.spans
    for span, following in zip_longest(spans, spans[1:]):
        yield span.begins, span.ends, span.leg, span.revision
        if span.ends is None:
            continue
        if following is not None:
            yield from _between(case, span, span.ends, following.begins)
        elif case.legs.state is not LegState.OVER:
            yield from _between(case, span, span.ends, None)


def _between(
    case: Case, span: Span, begins: datetime, ends: datetime | None
) -> Iterator[tuple[datetime, datetime | None, Leg, int]]:
    """A leg's limits after it, as each revision of the terms has them."""
    changes = [
        revision.valid_from
        for revision in case.facts.terms
        if revision.valid_from > begins and (ends is None or revision.valid_from < ends)
    ]
    edges = [begins, *sorted(set(changes))]
    for first, last in zip_longest(edges, edges[1:]):
        terms = case.facts.terms_at(first)
        if terms is not None and span.index < len(terms.terms.legs):
            yield first, last if last is not None else ends, terms.terms.legs[span.index], terms.revision
