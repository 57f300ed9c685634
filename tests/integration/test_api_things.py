"""Containment by API: reported aggregations, a thing's history in both directions, its trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from tests.support.court import Court
from tests.support.partner import partner
from tests.support.recording import TestDevice, at

BOX = "BNDU1000010"
TRUCK = "苏E1289K"


@pytest.fixture
def client(court: Court, database: str) -> Iterator[TestClient]:
    with partner(database, lambda: at(3600), name="forwarder") as client:
        yield client


@pytest.fixture
def tracker(court: Court) -> TestDevice:
    device = court.station.device("TRK-1")
    court.attach(device.device_id, TRUCK)
    fixes = [device.event(t, lon=120.70 + t / 10_000, lat=31.3) for t in range(0, 600, 60)]
    court.station.deliver(device.sends(*fixes, received=600))
    return device


def report(
    client: TestClient, minutes: float, action: str, parent: str = TRUCK, *children: str, **more: Any
) -> Any:
    body = {
        "action": action,
        "parent": parent,
        "children": children or [BOX],
        "time": at(minutes * 60).isoformat(),
        **more,
    }
    return client.post("/v1/aggregations", json=body)


def test_reported_and_read_in_both_directions(court: Court, client: TestClient) -> None:
    assert report(client, 0, "ADD").status_code == 201
    assert report(client, 5, "DELETE").status_code == 201
    assert report(client, 5, "DELETE").json()["new"] == 0
    court.judge()
    (stay,) = client.get(f"/v1/things/{BOX}/containments").json()["inside"]
    assert (stay["label"], stay["valid_from"], stay["valid_to"]) == (
        TRUCK,
        "2026-03-04T12:00:00Z",
        "2026-03-04T12:05:00Z",
    )
    assert (stay["began"]["action"], stay["began"]["by"], stay["began"]["device"]) == ("ADD", "forwarder", "")
    assert [row["label"] for row in client.get(f"/v1/things/{TRUCK}/containments").json()["contents"]] == [
        BOX
    ]
    at_six = client.get(f"/v1/things/{TRUCK}/containments", params={"at": at(360).isoformat()}).json()
    assert at_six["contents"] == []


def test_contents_come_in_pages(court: Court, client: TestClient) -> None:
    report(client, 0, "ADD", BOX, *(f"P-{n}" for n in range(5)))
    court.judge()
    found, page = [], f"/v1/things/{BOX}/containments?limit=2"
    while page:
        body = client.get(page).json()
        found += [row["label"] for row in body["contents"]]
        page = body["next"]
    assert sorted(found) == [f"P-{n}" for n in range(5)]


def test_a_thing_by_its_uri_and_by_its_label(court: Court, client: TestClient, tracker: TestDevice) -> None:
    report(client, 0, "ADD")
    court.judge()
    by_label = client.get(f"/v1/things/{BOX}").json()
    assert by_label == client.get("/v1/things/" + quote(by_label["uri"], safe="")).json()
    assert [row["label"] for row in by_label["inside"]] == [TRUCK]
    truck = client.get(f"/v1/things/{TRUCK}").json()
    assert (truck["contents"], truck["devices"]) == (1, ["SIP/TRK-1"])
    sscc = "https://id.gs1.org/00/340123453111111115"
    report(client, 1, "ADD", BOX, sscc)
    assert client.get("/v1/things/" + quote(sscc, safe="")).json()["uri"] == sscc
    answer = client.get("/v1/things/nobody")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:bondwatch:problem:not-found")


def test_a_scan_puts_a_thing_in_a_place_until_one_takes_it_away(court: Court, client: TestClient) -> None:
    scanner = court.station.device("SC-1", kind="scanner")

    def scans(minute: int, action: str, **more: Any) -> Any:
        event = scanner.event(minute * 60, type="scan", code="P-1", action=action, **more)
        court.station.deliver(scanner.sends(event, received=3600))
        return client.get("/v1/things/P-1").json()["place"]

    shelved = scans(1, "storing", location="WHMIX01-B")
    assert shelved | {"run": 0} == {
        "zone": "WHMIX01-B", "time": "2026-03-04T12:01:00Z", "device": "SIP/SC-1", "run": 0, "seq": 1,
    }  # fmt: skip
    assert scans(2, "cycle_counting") == shelved
    assert client.get("/v1/things/P-1").json()["inside"] == []
    assert scans(3, "picking", location="WHMIX01-B") is None


def test_a_trace_is_that_of_whatever_carried_it(
    court: Court, client: TestClient, tracker: TestDevice
) -> None:
    report(client, 2, "ADD")
    report(client, 5, "DELETE")
    court.judge()
    trace = client.get(f"/v1/things/{BOX}/trace").json()
    assert [row["event_time"] for row in trace["positions"]] == [
        f"2026-03-04T12:0{minute}:00Z" for minute in (2, 3, 4)
    ]
    line = client.get(f"/v1/things/{BOX}/trace?format=geojson").json()["features"][0]
    assert len(line["geometry"]["coordinates"]) == 3
    assert line["properties"]["thing"] == trace["thing"]
    assert len(client.get(f"/v1/things/{BOX}/trace?format=csv").text.splitlines()) == 4


def test_a_shipment_shows_what_is_in_what_and_its_trace_follows(
    court: Court, client: TestClient, tracker: TestDevice
) -> None:
    body = {
        "number": "S-1",
        "park": "SIP",
        "things": [BOX],
        "from": at(-3600).isoformat(),
        "terms": {"legs": [{"type": "stay", "zones": ["ORIGIN"]}]},
    }
    client.post("/v1/shipments", json=body).raise_for_status()
    report(client, 2, "ADD")
    court.judge()
    shown = client.get("/v1/shipments/S-1").json()
    assert [(row["child_label"], row["parent_label"]) for row in shown["containments"]] == [(BOX, TRUCK)]
    assert [carrier["device"] for carrier in shown["carriers"]] == ["SIP/TRK-1"]
    assert (shown["inside"], shown["last_seen"]) == ([TRUCK], "2026-03-04T12:09:00Z")
    for text, found in ((TRUCK, 1), (TRUCK[:4], 1), (TRUCK[1:], 0), (BOX, 1)):
        assert len(client.get("/v1/shipments", params={"q": text}).json()["shipments"]) == found, text
    assert len(client.get("/v1/shipments/S-1/trace").json()["positions"]) == 8
    assert client.get("/v1/shipments/S-1/milestones").status_code == 200
    report(client, 7, "DELETE")
    court.judge()
    after = client.get("/v1/shipments/S-1").json()
    assert (after["inside"], after["last_seen"]) == ([], "2026-03-04T12:07:00Z")


@pytest.mark.parametrize(
    "wrong", [{"children": []}, {"action": "MOVE"}, {"quantity": -1}, {"children": [" "]}]
)
def test_what_cannot_be_is_refused(client: TestClient, wrong: dict[str, Any]) -> None:
    body = {"action": "ADD", "parent": TRUCK, "children": [BOX], "time": at(0).isoformat()}
    assert client.post("/v1/aggregations", json=body).status_code == 201
    assert client.post("/v1/aggregations", json=body | wrong).status_code == 422
