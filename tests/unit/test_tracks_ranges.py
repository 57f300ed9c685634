"""Ranges of sequence numbers, against plain sets."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.domain.tracks.ranges import add, contains, gaps

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)), max_size=30)


def in_set(ranges):
    return {n for first, last in ranges for n in range(first, last + 1)}


@given(SPANS)
def test_ranges_are_a_set_kept_short(spans):
    ranges, numbers = [], set()
    for first, more in spans:
        before = list(ranges)
        grown = add(ranges, first, first + more)
        assert ranges == before
        ranges = grown
        numbers |= set(range(first, first + more + 1))
        assert in_set(ranges) == numbers
        assert ranges == sorted(ranges)
        assert all(a[1] + 1 < b[0] for a, b in pairwise(ranges))
    assert [n for n in range(80) if contains(ranges, n)] == sorted(numbers)
    missing = set(range(min(numbers), max(numbers) + 1)) - numbers if numbers else set()
    assert in_set(gaps(ranges)) == missing


def test_one_number_is_a_range():
    assert add([(1, 17)], 19) == [(1, 17), (19, 19)]
    assert add([(1, 17), (19, 19)], 18) == [(1, 19)]
    assert gaps([(1, 17), (19, 19)]) == [(18, 18)]


def test_the_largest_number_fits():
    last = (1 << 63) - 1
    assert contains(add([(0, 5)], last), last)
    assert add([(last, last)], last - 1) == [(last - 1, last)]


def test_a_range_cannot_end_before_it_begins():
    with pytest.raises(ValueError, match="5 to 4"):
        add([], 5, 4)
