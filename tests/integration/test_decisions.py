"""What people decide about findings, on a real database: facts beside findings, never in their place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from devices.messages import decode_alert
from tests.support.court import Court, Truck
from tests.support.partner import partner
from tests.support.recording import at
from tracking.domain.ledger.checkpoint import Signer
from tracking.judge.checkpoints import Checkpointer


@pytest.fixture
def client(court: Court) -> Iterator[TestClient]:
    with partner(court.dsn, lambda: at(5000), signer=Signer(bytes(32))) as client:
        yield client


@pytest.fixture
def strayed(court: Court) -> Truck:
    """A truck that is off its way and silent for a while, and comes back."""
    truck = court.truck(max_silence_s=120).stands(0, 300).drives(0, 4000).is_quiet(400)
    court.deliver(truck.drives(12_000, 14_000))
    court.judge()
    return truck


def silence(client: TestClient) -> dict[str, Any]:
    found = client.get("/v1/shipments/S-1/custody").json()["findings"]
    return next(one for one in found if one["rule"] == "device_silent")


def decide(client: TestClient, finding_id: str, **body: Any) -> Any:
    said = {"reason": "a tunnel", "by": "desk 2"} | body
    return client.post(f"/v1/shipments/S-1/findings/{finding_id}/decisions", json=said)


def silent_alerts(court: Court) -> list[tuple[str, int]]:
    return [(row[4], row[5]) for row in court.alerts() if row[1] == "device_silent"]


def told(court: Court) -> list[str]:
    alerts = [decode_alert(payload) for _, payload in court.outbox()]
    return [alert.state for alert in alerts if alert.rule == "device_silent"]


@pytest.mark.usefixtures("strayed")
def test_an_explained_finding_stays_one_and_its_alert_is_resolved(court: Court, client: TestClient) -> None:
    finding = silence(client)
    assert (finding["decided"], finding["decisions"], silent_alerts(court)) == (None, [], [("open", 1)])
    answer = decide(client, finding["finding_id"], kind="explain")
    assert (answer.status_code, answer.json()["alert_resolved"]) == (201, True)
    again = decide(client, finding["finding_id"], kind="explain")
    assert (again.status_code, again.json()["entry"]) == (200, answer.json()["entry"])
    now = silence(client)
    assert (now["state"], now["decided"]) == (finding["state"], "explained")
    assert [(one["reason"], one["by"]) for one in now["decisions"]] == [("a tunnel", "desk 2 (tests)")]
    assert silent_alerts(court) == [("resolved", 1)]
    assert len(client.get("/v1/shipments/S-1/decisions").json()["decisions"]) == 1
    page = client.get("/shipments/S-1?lang=en").text
    assert "explained" in page
    assert "a tunnel" in page
    before = client.get("/v1/shipments/S-1/custody", params={"known_at": at(4999).isoformat()}).json()
    assert {one["decided"] for one in before["findings"]} == {None}


def test_the_next_one_is_an_alert_after_an_explanation_and_none_after_a_waiver(
    court: Court, client: TestClient, strayed: Truck
) -> None:
    decide(client, silence(client)["finding_id"], kind="explain")
    court.deliver(strayed.is_quiet(400).drives(14_000, 15_000))
    court.judge()
    assert silent_alerts(court) == [("open", 2)]
    second = silence(client)
    assert second["decided"] is None
    assert decide(client, second["finding_id"], kind="waive", until="2026-12-01T00:00:00Z").json()[
        "alert_resolved"
    ]
    heard = told(court)
    court.deliver(strayed.is_quiet(400).drives(15_000, 16_000))
    court.judge()
    third = silence(client)
    assert third["finding_id"] != second["finding_id"]
    assert third["decided"] == "waived"
    assert silent_alerts(court) == [("resolved", 2)]
    assert told(court) == heard


def test_a_waiver_of_one_finding_or_of_another_time_silences_no_other(
    court: Court, client: TestClient, strayed: Truck
) -> None:
    first = silence(client)["finding_id"]
    decide(client, first, kind="waive")
    decide(client, first, kind="waive", until="2020-01-01T00:00:00Z")
    court.deliver(strayed.is_quiet(400).drives(14_000, 15_000))
    court.judge()
    assert silence(client)["decided"] is None
    assert silent_alerts(court) == [("open", 2)]


def test_a_waived_finding_that_was_told_is_told_to_its_end(court: Court, client: TestClient) -> None:
    truck = court.truck(max_silence_s=120).stands(0, 300).drives(0, 4000)
    court.deliver(truck)
    court.reached(900)
    court.judge()
    assert told(court) == ["open"]
    decide(client, silence(client)["finding_id"], kind="waive", until="2026-12-01T00:00:00Z")
    court.deliver(truck.is_quiet(400).drives(12_000, 14_000))
    court.judge()
    assert told(court) == ["open", "closed"]
    assert silent_alerts(court) == [("resolved", 1)]


@pytest.mark.usefixtures("strayed")
def test_what_cannot_be_decided_is_refused(court: Court, client: TestClient) -> None:
    assert decide(client, "nothing", kind="waive").status_code == 404
    finding_id = silence(client)["finding_id"]
    assert decide(client, finding_id, kind="explain", until="2026-12-01T00:00:00Z").status_code == 422
    assert decide(client, finding_id, kind="waive", reason=" ").status_code == 422
    assert client.post(f"/v1/shipments/S-9/findings/{finding_id}/decisions", json={}).status_code == 422
    court.conn.execute("update findings set state = 'withdrawn'")
    answer = decide(client, finding_id, kind="waive")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bondwatch:problem:finding-withdrawn")
    assert court.rows("select * from decisions") == []


@pytest.mark.usefixtures("strayed")
def test_the_certificate_shows_it_under_a_signed_head(court: Court, client: TestClient) -> None:
    decide(client, silence(client)["finding_id"], kind="waive", reason="a long tunnel")
    Checkpointer(Signer(bytes(32))).advance(court.conn, at(5000))
    rows = client.get("/v1/shipments/S-1/certificate").json()["rows"]
    assert [row for row in rows if '"leaf":"decision"' in row["row"] and "a long tunnel" in row["row"]]
    assert "a long tunnel" in client.get("/shipments/S-1/certificate?lang=en").text
