"""Which sequence numbers of a run are in: sorted, disjoint, closed ranges that never touch. Pure.

``[(1, 17), (19, 19)]`` says: 1 to 17 and 19; 18 is missing.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TypeAlias

Ranges: TypeAlias = list[tuple[int, int]]

_HUGE = (1 << 63) + 1


def contains(ranges: Ranges, seq: int) -> bool:
    """Whether a number is in."""
    if not ranges:
        return False
    first, last = ranges[-1]
    if seq >= first:
        return seq <= last
    at = bisect_right(ranges, (seq, _HUGE)) - 1
    return at >= 0 and seq <= ranges[at][1]


def add(ranges: Ranges, first: int, last: int | None = None) -> Ranges:
    """The ranges with ``first`` to ``last`` (default: ``first`` alone) in as well. The argument stays.

    Raises:
        ValueError: when ``last`` lies before ``first``.
    """
    last = first if last is None else last
    if last < first:
        raise ValueError(f"a range ends before it begins: {first} to {last}")
    if not ranges:
        return [(first, last)]
    low, high = ranges[-1]
    if first > high + 1:
        return [*ranges, (first, last)]
    if first >= low:
        return [*ranges[:-1], (low, max(high, last))]
    begin = bisect_right(ranges, (first, _HUGE)) - 1
    if begin < 0 or ranges[begin][1] < first - 1:
        begin += 1
    end = bisect_right(ranges, (last + 1, _HUGE))
    if begin < end:
        first, last = min(first, ranges[begin][0]), max(last, ranges[end - 1][1])
    return [*ranges[:begin], (first, last), *ranges[end:]]


def gaps(ranges: Ranges) -> Ranges:
    """The numbers that are missing between the ranges, as ranges."""
    return [(a[1] + 1, b[0] - 1) for a, b in pairwise(ranges)]
