"""Half-open intervals of time. An end of None is not there yet; an interval may be a single instant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias, TypeVar

Interval: TypeAlias = tuple[datetime, datetime | None]
E = TypeVar("E")


def overlap(one: Interval, other: Interval) -> Interval | None:
    """What two intervals share. An instant is shared by an interval that holds it."""
    begins = max(one[0], other[0])
    ends = earlier(one[1], other[1])
    if ends is None or begins < ends:
        return (begins, ends)
    instant = one if one[0] == one[1] else other
    holder = other if instant is one else one
    held = instant[0] == instant[1] and holder[0] <= instant[0] and _touches(holder, instant[0])
    return instant if held else None


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """The earlier end; None is later than any."""
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)


def without(intervals: Iterable[Interval], taken: Interval) -> tuple[Interval, ...]:
    """What is left of intervals when one is taken out of them."""
    found: list[Interval] = []
    for begins, ends in intervals:
        before = earlier(ends, taken[0])
        if before is None or begins < before:
            found.append((begins, before))
        if taken[1] is not None and (ends is None or taken[1] < ends):
            found.append((max(begins, taken[1]), ends))
    return tuple(found)


def united(
    visits: Iterable[tuple[Interval, tuple[E, ...]]],
) -> list[tuple[Interval, tuple[E, ...]]]:
    """Intervals that touch become one, with the evidence of all, each piece once."""
    found: list[tuple[Interval, tuple[E, ...]]] = []
    for (begins, ends), cited in sorted(visits, key=lambda visit: visit[0][0]):
        if found and _touches(found[-1][0], begins):
            (first, last), known = found[-1]
            joined = None if last is None or ends is None else max(last, ends)
            found[-1] = ((first, joined), known + tuple(piece for piece in cited if piece not in known))
        else:
            found.append(((begins, ends), cited))
    return found


def joined(intervals: Iterable[Interval]) -> list[Interval]:
    """Intervals in order; those that touch become one."""
    found: list[Interval] = []
    for begins, ends in sorted(intervals, key=lambda interval: interval[0]):
        if found and _touches(found[-1], begins):
            last = found[-1][1]
            found[-1] = (found[-1][0], None if last is None or ends is None else max(last, ends))
        else:
            found.append((begins, ends))
    return found


def _touches(interval: Interval, moment: datetime) -> bool:
    return interval[1] is None or moment <= interval[1]
