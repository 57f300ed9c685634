"""A finding opened to its messages, by API, from the real record; and what happens when one is taken away."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.court import Court
from tests.support.recording import at
from tracking.api.access import key_hash
from tracking.api.app import create_app
from tracking.store import registry

KEY = "bwk_a-key-of-this-test"


@pytest.fixture
def court(database: str) -> Iterator[Court]:
    court = Court(database)
    yield court
    court.close()


@pytest.fixture
def api(court: Court) -> Iterator[TestClient]:
    registry.add_key(court.conn, "tests", key_hash(KEY), at(0))
    with TestClient(
        create_app(court.dsn, now=lambda: at(9000)), headers={"Authorization": f"Bearer {KEY}"}
    ) as client:
        yield client


def opened(api: TestClient, rule: str) -> dict[str, Any]:
    findings = api.get("/v1/shipments/S-1/custody").json()["findings"]
    (found,) = [one for one in findings if one["rule"] == rule]
    answer = api.get(f"/v1/shipments/S-1/findings/{found['finding_id']}/evidence")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def silent_truck(court: Court) -> None:
    truck = court.truck("TRK-1", shipment="S-1", max_silence_s=120)
    truck.stands(0, 300).drives(0, 8000).is_quiet(600).drives(8000, 20_600)
    court.deliver(truck)
    court.judge()


def test_a_finding_opens_to_the_bytes_that_came(court: Court, api: TestClient) -> None:
    silent_truck(court)
    told = opened(api, "device_silent")
    (silence,) = [piece for piece in told["finding"]["evidence"] if "silence" in piece]
    assert [message["time"] for message in told["messages"]] == [
        moment.replace("+00:00", "Z") for moment in (silence["last_heard"], silence["heard"])
    ]
    assert told["missing"] == []
    for message in told["messages"]:
        raw = b64decode(message["raw"])
        assert message["text"] == raw.decode()
        assert json.loads(raw)["seq"] == message["seq"]
        key = f"run = {message['run']} and seq = {message['seq']}"
        (stored,) = court.rows(f"select body, batch_id, leaf from observations where {key}")
        assert stored == (raw, message["batch"], message["leaf"])


def test_a_message_that_is_gone_is_named(court: Court, api: TestClient) -> None:
    silent_truck(court)
    first, second = opened(api, "device_silent")["messages"]
    court.conn.execute("delete from observations where seq = %s and run = %s", [first["seq"], first["run"]])
    told = opened(api, "device_silent")
    assert [message["seq"] for message in told["messages"]] == [second["seq"]]
    assert told["missing"] == [{"device": first["device"], "time": first["time"]}]


def test_no_such_finding(court: Court, api: TestClient) -> None:
    silent_truck(court)
    assert api.get("/v1/shipments/S-1/findings/none/evidence").status_code == 404
