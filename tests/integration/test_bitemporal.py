"""What was known when, and what changed and why, on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from devices.observation import moment
from tests.support.court import Court
from tests.support.partner import partner
from tests.support.recording import at
from tracking.store import terms


@pytest.fixture
def client(court: Court) -> Iterator[TestClient]:
    with partner(court.dsn, lambda: at(5000)) as client:
        yield client


def changes(client: TestClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/shipments/S-1/history").json()["changes"]
    return found


def summary(client: TestClient) -> list[tuple[str, str, str]]:
    return [(one["change"], one["rule"], one["why"]) for one in changes(client)]


def rules_known(client: TestClient, when: str | None) -> list[tuple[str, str]]:
    asked = {} if when is None else {"known_at": when}
    body = client.get("/v1/shipments/S-1/custody", params=asked).json()
    return sorted((one["rule"], one["state"]) for one in body["findings"])


def test_a_silence_that_late_events_disprove_was_known_then_and_says_why_it_went(
    court: Court, client: TestClient
) -> None:
    truck = court.truck(max_silence_s=120).stands(0, 300).drives(0, 12_000)
    late, truck.events = truck.events[20:40], truck.events[:20] + truck.events[40:]
    court.deliver(truck)
    court.judge()
    assert "device_silent" in {row[0] for row in court.findings()}
    before = rules_known(client, None)
    known = changes(client)[-1]["recorded_at"]
    silences = [row for row in court.milestones() if row[2] == "silent"]
    court.station.clock_us += 60_000_000
    court.deliver(truck, late)
    court.judge()
    assert "device_silent" not in {row[0] for row in court.findings()}
    assert rules_known(client, known) == before != rules_known(client, None)
    assert ("withdrawn", "device_silent", "late_events") in summary(client)
    (because,) = changes(client)[-1]["because"]
    assert (because["device"], because["events"]) == ("SIP/TRK-1", 20)
    then = client.get("/v1/shipments/S-1/milestones", params={"known_at": known}).json()["milestones"]
    now = client.get("/v1/shipments/S-1/milestones").json()["milestones"]
    assert "silent" in {one["kind"] for one in then}
    assert "silent" not in {one["kind"] for one in now}
    assert len([one for one in then if one["kind"] == "silent"]) == len(silences) == 1
    page = client.get("/shipments/S-1", params={"lang": "en"}).text
    assert "What changed" in page
    assert "late events" in page
    assert "迟到事件" in client.get("/shipments/S-1", params={"lang": "zh"}).text


def test_before_anything_was_known_nothing_was(court: Court, client: TestClient) -> None:
    court.deliver(court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 3000))
    court.judge()
    body = client.get("/v1/shipments/S-1/custody", params={"known_at": "2026-01-01T00:00:00Z"}).json()
    assert (body["findings"], body["state"]) == ([], None)
    assert ("opened", "route_deviation", "events") in summary(client)


def test_new_terms_are_the_cause(court: Court, client: TestClient) -> None:
    court.deliver(court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 3000))
    court.judge()
    ((body,),) = court.rows("select body from terms")
    court.station.clock_us += 60_000_000
    terms.revise(
        court.conn,
        "S-1",
        expected=None,
        body=body | {"rules": {"route_deviation": {"severity": "critical"}}},
        valid_from=at(-3600),
        recorded_at=moment(court.station.clock_us - 1),
        recorded_by="test",
    )
    court.judge()
    assert summary(client)[-1] == ("changed", "route_deviation", "terms"), summary(client)
    assert changes(client)[-1]["before"]["severity"] == "major"
