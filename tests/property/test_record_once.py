"""Whatever a device sends, in whatever batches: an event is recorded once, or kept as refused."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.postgres import Server
from tests.support.recording import Station
from tracking.domain.tracks import DeviceState

NUMBERS = itertools.count(1)

# A number, and which of three contents it is sent with; the last has another time, too.
SENDINGS = st.tuples(st.integers(1, 8), st.sampled_from([0, 0, 0, 1, 2]))
BATCHES = st.lists(st.lists(SENDINGS, min_size=1, max_size=8), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def station(postgres: Server) -> Iterator[Station]:
    station = Station(postgres.create())
    yield station
    station.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
def test_the_first_content_of_a_number_is_recorded_and_every_other_is_kept(
    station: Station, batches: list[list[tuple[int, int]]]
) -> None:
    truck = station.device(f"TRK-{next(NUMBERS)}")
    first: dict[int, int] = {}
    refused: set[tuple[int, int]] = set()

    for batch in batches:
        messages = []
        for number, content in batch:
            at = number + (0.5 if content == 2 else 0)
            messages.append(truck.says(at=at, seq=number, lon=120.7 + content, received=10))
            if first.setdefault(number, content) != content:
                refused.add((number, content))
        station.deliver(*messages)

    def told(query: str) -> list[tuple[int, int]]:
        bodies = [json.loads(bytes(body)) for (body,) in station.rows(query, truck.device_id)]
        return sorted((event["seq"], round(event["lon"] - 120.7)) for event in bodies)

    assert told("select body from observations where device_id = %s") == sorted(first.items())
    assert told("select payload from rejections where device_id = %s") == sorted(refused)
    [(state,)] = station.rows("select state from device_tracks where device_id = %s", truck.device_id)
    heard = {number for low, high in DeviceState.decode(state).ranges[1] for number in range(low, high + 1)}
    assert heard == set(first)
    gaps = station.rows(
        "select first_seq, last_seq from sequence_gaps where device_id = %s and filled_at is null",
        truck.device_id,
    )
    missing = {number for low, high in gaps for number in range(low, high + 1)}
    assert missing == set(range(min(first), max(first) + 1)) - set(first)
