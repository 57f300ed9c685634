"""Which numbers are new, known or reused, and which gaps they open: pure, against a plain model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.observation import ID_RUN, Datum
from gateway.pipeline.batch import Message
from gateway.pipeline.identity import claims, counts_on, hear, sort_out, stretches
from gateway.pipeline.load import Heard, Load, Refused
from gateway.pipeline.reference import Device, Reference
from tests.support.recording import MemoryBatch
from tests.support.rows import NOON_US, SECOND_US, position
from tracking.domain.places import PlaceIndex
from tracking.domain.tracks import DeviceState, Profile
from tracking.store.record import Precedent

TRUCK = Device(1, "SIP/TRK-1", "native", Datum.WGS84, Profile(60))


def heard(*seqs: int, ranges: dict[int, list[tuple[int, int]]] | None = None) -> Heard:
    events = [position(seq, NOON_US + seq * SECOND_US) for seq in seqs]
    return Heard(TRUCK, events, [0] * len(events), state=DeviceState(ranges=ranges or {}))


def load(*devices: Heard) -> Load:
    messages = [Message("bw/v1/SIP/TRK-1/events", b"", NOON_US)]
    known = Reference(1, {}, PlaceIndex([], 1))
    heard_of = {one.device.device_id: one for one in devices}
    return Load(MemoryBatch(messages), messages, known, NOON_US, heard=heard_of)


@pytest.mark.parametrize(
    ("seqs", "ranges", "expected"),
    [
        ((), {}, True),
        ((1, 2, 3), {}, True),
        ((5, 6), {1: [(1, 4)]}, True),
        ((5, 9), {1: [(1, 2), (4, 4)]}, True),  # a gap is new, too
        ((4, 5), {1: [(1, 4)]}, False),
        ((6, 5), {1: [(1, 4)]}, False),
        ((5, 5), {1: [(1, 4)]}, False),
        ((3,), {1: [(1, 2), (4, 4)]}, False),
        ((1,), {2: [(1, 9)]}, True),  # another run counts by itself
    ],
)
def test_counting_on(seqs: tuple[int, ...], ranges: dict[int, Any], expected: bool) -> None:
    assert counts_on(heard(*seqs, ranges=ranges)) is expected


def test_only_numbers_that_are_in_are_looked_up() -> None:
    doubtful = heard(5, 3, 4, 9, ranges={1: [(1, 2), (4, 5)]})

    assert [(claim.place, claim.seq) for claim in claims(load(), [doubtful])] == [(0, 5), (2, 4)]


def test_every_precedent_has_its_verdict() -> None:
    doubtful = heard(1, 2, 3, 4, 5, ranges={1: [(1, 4)]})
    one = load(doubtful)
    precedents = [
        Precedent(0, True, False, None),
        Precedent(1, False, True, None),
        Precedent(2, False, False, "future"),
        Precedent(3, False, False, None),
    ]

    sort_out(one, [doubtful], {found.place: found for found in precedents}, None)

    assert [event.seq for event in doubtful.events] == [5]
    assert [event.seq for event in doubtful.again] == [1]
    assert [(refused.seq, refused.reason) for refused in doubtful.refused] == [
        (2, "seq_reused"),
        (3, "future"),
        (4, "seq_reused"),
    ]
    assert sorted(row.seq for row in one.rejections.values() if row.seq) == [2, 4]


def test_a_replay_takes_what_only_its_own_rejection_is_against() -> None:
    doubtful = heard(1, 2, ranges={1: [(1, 2)]})
    precedents = {0: Precedent(0, False, False, "future"), 1: Precedent(1, False, False, "future")}

    sort_out(load(doubtful), [doubtful], precedents, {1})

    assert [event.seq for event in doubtful.events] == [1]
    assert [refused.reason for refused in doubtful.refused] == ["seq_reused"]


NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=12)


@given(batches=st.lists(NUMBERS, min_size=1, max_size=6))
def test_ranges_and_gaps_are_those_of_a_plain_set(batches: list[list[int]]) -> None:
    """Whatever the batches: the ranges hold what was heard, and the open gaps are what lies between."""
    known: set[int] = set()
    state = DeviceState()
    gaps: dict[int, int] = {}
    for numbers in batches:
        one = load()
        fresh = [number for number in dict.fromkeys(numbers) if number not in known]
        refused = [Refused(1, number, None, "schema", "", 0) for number in fresh[::3]]
        taken = [number for index, number in enumerate(fresh) if index % 3]
        device = heard(*taken)
        device.state, device.refused = state, refused
        hear(one, device)
        known |= set(fresh)
        for row in one.filled_gaps:
            del gaps[row.first]
        gaps |= {row.first: row.last for row in one.opened_gaps}

        missing = set(range(min(known), max(known) + 1)) - known
        spread = [number for low, high in gaps.items() for number in range(low, high + 1)]
        held = [number for low, high in state.ranges[1] for number in range(low, high + 1)]
        assert sorted(held) == sorted(known)
        assert sorted(spread) == sorted(missing)


def test_ids_are_no_numbers() -> None:
    scanner = heard(1)
    scanner.events = [position(12345, NOON_US, run=ID_RUN)]

    hear(load(), scanner)

    assert scanner.state.ranges == {}


def test_stretches() -> None:
    assert stretches([3, 1, 2, 7, 9, 8, 12]) == [(1, 3), (7, 9), (12, 12)]
