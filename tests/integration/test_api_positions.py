"""Where everything is now: the last trusted positions, by viewport and by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.court import Court
from tests.support.partner import partner
from tests.support.recording import TestDevice, at

TRUCK = "苏E1289K"


@pytest.fixture
def client(court: Court, database: str) -> Iterator[TestClient]:
    with partner(database, lambda: at(3600), name="desk") as client:
        yield client


@pytest.fixture
def trackers(court: Court) -> list[TestDevice]:
    """One that drives east on a truck, one that stands far north, one that has said nothing of a place."""
    east, north, mute = (court.station.device(code) for code in ("TRK-1", "TRK-2", "TRK-3"))
    court.attach(east.device_id, TRUCK)
    court.station.deliver(
        east.sends(
            *(east.event(t, lon=120.70 + t / 100_000, lat=31.3) for t in range(0, 601, 60)), received=600
        )
    )
    court.station.deliver(north.sends(north.event(30, lon=120.7, lat=40.0), received=600))
    court.station.deliver(mute.sends(mute.event(30, type="status", battery_pct=80), received=600))
    return [east, north, mute]


def asked(client: TestClient, **query: Any) -> dict[str, Any]:
    answer = client.get("/v1/positions", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.usefixtures("trackers")
def test_each_device_stands_where_it_was_last_with_what_it_is_on(client: TestClient) -> None:
    body = asked(client)
    first, second = body["positions"]
    assert first == {
        "device": "SIP/TRK-1",
        "park": "SIP",
        "kind": "tracker",
        "things": [TRUCK],
        "time": at(600).isoformat().replace("+00:00", "Z"),
        "lon": pytest.approx(120.706),
        "lat": 31.3,
        "accuracy_m": first["accuracy_m"],
    }
    assert (second["device"], second["things"]) == ("SIP/TRK-2", [])
    assert body["next"] is None


@pytest.mark.usefixtures("trackers")
def test_a_viewport_shows_what_lies_in_it(client: TestClient) -> None:
    seen = asked(client, bbox="120.6,31.2,120.8,31.4")["positions"]
    assert [one["device"] for one in seen] == ["SIP/TRK-1"]
    assert asked(client, bbox="170,31,-170,32")["positions"] == []
    across = asked(client, bbox="120.6,-90,-170,90")["positions"]
    assert [one["device"] for one in across] == ["SIP/TRK-1", "SIP/TRK-2"]
    assert asked(client, park="ELSEWHERE")["positions"] == []


@pytest.mark.usefixtures("trackers")
def test_pages_follow_each_other(client: TestClient) -> None:
    seen, address = [], "/v1/positions?limit=1"
    while address:
        body = client.get(address).json()
        seen += [one["device"] for one in body["positions"]]
        address = body["next"]
    assert seen == ["SIP/TRK-1", "SIP/TRK-2"]


@pytest.mark.parametrize("bbox", ["1,2,3", "a,b,c,d", "0,50,10,40", "0,0,200,10", "nan,0,1,1"])
def test_what_is_no_viewport_is_refused(client: TestClient, bbox: str) -> None:
    answer = client.get("/v1/positions", params={"bbox": bbox})
    assert answer.status_code == 422
    assert answer.json()["pointer"] == "/bbox"
