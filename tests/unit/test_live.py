"""What the database's notifications become on the wire."""

from __future__ import annotations

import pytest

from tracking.api.live import QUEUE_SIZE, Event, Reader, events_of


def test_positions_come_one_by_one() -> None:
    one, two = '["SIP/TRK-1", 1773100800000, 120.8, 31.3, 12.5, null]', '["SIP/TRK-2", 0, 1, 2, null, 9]'
    payload = f'{{"positions": [{one}, {two}]}}'
    first, second = events_of("bw_positions", payload)
    assert first == Event(
        "position",
        {
            "device": "SIP/TRK-1",
            "park": "SIP",
            "time": "2026-03-10T00:00:00Z",
            "lon": 120.8,
            "lat": 31.3,
            "speed_mps": 12.5,
            "heading_deg": None,
        },
    )
    assert second.body["device"] == "SIP/TRK-2"


def test_alerts_and_custody_keep_their_names() -> None:
    assert events_of("bw_alerts", '{"shipment": "S-1"}') == [Event("alert", {"shipment": "S-1"})]
    assert events_of("bw_custody", "") == [Event("custody", {})]


@pytest.mark.parametrize("payload", ["{", "[1]", '{"positions": [[1]]}', '{"other": 1}', '{"positions": 7}'])
def test_what_can_not_be_read_asks_to_read_anew(payload: str) -> None:
    assert events_of("bw_positions", payload) == [Event("custody", {"reload": True})]


def test_a_reader_that_is_too_slow_is_told_to_reload() -> None:
    reader = Reader(lambda event: event.name == "alert")
    reader.offer(Event("position", {}))
    assert reader.queue.empty()
    for number in range(QUEUE_SIZE + 1):
        reader.offer(Event("alert", {"number": number}))
    assert reader.queue.get_nowait() == Event("custody", {"reload": True})
    assert reader.queue.empty()
