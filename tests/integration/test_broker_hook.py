"""What EMQX is told about a device that wants to connect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from tests.support.partner import partner

NOW = datetime(2026, 3, 10, 0, 30, tzinfo=UTC)
ASK = "/v1/brokers/emqx/connect"
TRUCK, SIREN = "SIP/TRK-001", "SIP/SIREN"


@pytest.fixture
def client(database: str) -> Iterator[TestClient]:
    with partner(database, lambda: NOW, name="emqx") as client:
        client.put("/v1/parks/SIP", json={"name_en": "SIP"})
        yield client


def register(client: TestClient, code: str, kind: str) -> str:
    return str(client.post("/v1/devices", json={"park": "SIP", "code": code, "kind": kind}).json()["secret"])


def asked(client: TestClient, name: str, secret: str, client_id: str | None = None) -> dict[str, object]:
    body = {"username": name, "clientid": name if client_id is None else client_id, "password": secret}
    answer = client.post(ASK, json=body)
    assert answer.status_code == 200
    return dict(answer.json())


def test_a_device_gets_its_own_topics_and_no_others(client: TestClient) -> None:
    answer = asked(client, TRUCK, register(client, "TRK-001", "tracker"))
    assert answer["result"] == "allow"
    assert answer["is_superuser"] is False
    assert answer["acl"] == [
        {"permission": "allow", "action": "publish", "topic": f"eq bw/v1/{TRUCK}/events"},
        {"permission": "allow", "action": "publish", "topic": f"eq bw/v1/{TRUCK}/presence"},
        {"permission": "allow", "action": "subscribe", "topic": f"eq bw/v1/{TRUCK}/receipts"},
        {"permission": "allow", "action": "subscribe", "topic": f"eq bw/v1/{TRUCK}/commands"},
        {"permission": "deny", "action": "all", "topic": "#"},
    ]


def test_a_siren_hears_its_park_and_says_nothing(client: TestClient) -> None:
    rules = asked(client, SIREN, register(client, "SIREN", "siren"))["acl"]
    assert isinstance(rules, list)
    assert [rule["action"] for rule in rules] == ["subscribe"] * 4 + ["all"]
    assert {rule["topic"] for rule in rules[:4]} == {
        f"eq bw/v1/SIP/alerts/{severity}" for severity in ("critical", "major", "minor", "info")
    }


def test_who_is_not_let_in(client: TestClient) -> None:
    secret = register(client, "TRK-001", "tracker")
    assert asked(client, TRUCK, "another") == {"result": "deny"}
    assert asked(client, "SIP/NOBODY", secret) == {"result": "deny"}
    assert asked(client, TRUCK, secret, client_id="SIP/TRK-002") == {"result": "deny"}
    assert asked(client, "bondwatch-gateway", "x") == {"result": "ignore"}
    client.delete(f"/v1/devices/{TRUCK}").raise_for_status()
    assert asked(client, TRUCK, secret) == {"result": "deny"}


def test_nobody_asks_without_a_key(client: TestClient) -> None:
    body = {"username": TRUCK, "clientid": TRUCK, "password": "x"}
    assert client.post(ASK, json=body, headers={"Authorization": ""}).status_code == 401
