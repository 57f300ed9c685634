"""The road of a batch against a real database: what stands in the record, and what devices are told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.recording import Station
from tracking.domain.ledger import merkle


@pytest.fixture
def station(database: str) -> Iterator[Station]:
    station = Station(database)
    yield station
    station.close()


def test_a_batch_is_recorded_acknowledged_and_answered(station: Station) -> None:
    truck, van = station.device("TRK-1"), station.device("VAN-1")

    load = station.deliver(truck.says(at=0), van.says(at=1), truck.says(at=10))

    assert station.recorded(truck) == [(1, 1), (1, 2)]
    assert station.recorded(van) == [(1, 1)]
    assert load.batch.acknowledged == 1
    assert station.receipts() == {
        "SIP/TRK-1": [{"run": 1, "committed": [[1, 2]], "rejected": []}],
        "SIP/VAN-1": [{"run": 1, "committed": [[1, 1]], "rejected": []}],
    }


def test_the_batch_has_the_root_over_its_raw_events(station: Station) -> None:
    truck = station.device("TRK-1")
    station.deliver(truck.says(at=0), truck.sends(truck.event(at=5), truck.event(at=6)))

    [(events, root)] = station.rows("select events, root from batches")
    bodies = [body for (body,) in station.rows("select body from observations order by leaf")]
    assert events == 3
    assert root == merkle.root(bodies)
