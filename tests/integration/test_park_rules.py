"""A park changes rules for its shipments: over the API, into findings, on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from devices.observation import moment
from tests.support.court import Court
from tests.support.partner import partner
from tests.support.recording import at
from tracking.domain.ledger.checkpoint import Signer
from tracking.exchange.verify.run import run
from tracking.judge.checkpoints import Checkpointer
from tracking.store import terms

PATH = "/v1/parks/SIP/rules"
CRITICAL = {"route_deviation": {"severity": "critical"}}


@pytest.fixture
def client(court: Court) -> Iterator[TestClient]:
    def now() -> datetime:
        court.station.clock_us += 1
        return moment(court.station.clock_us)

    with partner(court.dsn, now) as client:
        yield client


def put(client: TestClient, rules: dict[str, Any], match: str = "*", since: datetime | None = None) -> Any:
    body = {"rules": rules} | ({} if since is None else {"from": since.isoformat()})
    return client.put(PATH, json=body, headers={"If-Match": match})


def deviation(court: Court) -> tuple[str, str]:
    ((severity, state),) = [(row[4], row[3]) for row in court.findings() if row[0] == "route_deviation"]
    return severity, state


def strayed(court: Court) -> None:
    court.deliver(court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 3000))
    court.judge()
    assert deviation(court) == ("major", "open")


def test_a_new_revision_judges_again_and_the_terms_come_first(court: Court, client: TestClient) -> None:
    strayed(court)
    assert client.get(PATH).headers["ETag"] == '"0"'
    made = put(client, CRITICAL, '"0"', at(-7200))
    assert (made.status_code, made.headers["ETag"]) == (200, '"1"'), made.text
    court.judge()
    assert deviation(court) == ("critical", "open")
    last = client.get("/v1/shipments/S-1/history").json()["changes"][-1]
    assert (last["change"], last["why"]) == ("changed", "park_rules")
    ((body,),) = court.rows("select body from terms")
    terms.revise(
        court.conn,
        "S-1",
        expected=None,
        body=body | {"rules": {"route_deviation": {"severity": "minor"}}},
        valid_from=at(-3600),
        recorded_at=moment(court.station.clock_us),
        recorded_by="test",
    )
    court.judge()
    assert deviation(court) == ("minor", "open")


def test_parameters_change_verdicts_and_taking_them_away_restores_these(
    court: Court, client: TestClient
) -> None:
    truck = court.truck().stands(0, 300).drives(0, 4000).is_quiet(400).drives(12_000, 14_000)
    court.deliver(truck)
    court.judge()
    (before,) = [row for row in court.findings() if row[0] == "device_silent"]
    lenient = {"device_silent": {"parameters": {"factor": 50}}}
    assert put(client, lenient, since=at(-7200)).is_success
    court.judge()
    assert "device_silent" not in {row[0] for row in court.findings()}
    assert put(client, {}, since=at(-7200)).is_success
    court.judge()
    assert before in court.findings()


def test_an_update_is_not_lost_and_the_same_again_is_none(client: TestClient) -> None:
    assert client.put(PATH, json={"rules": {}}).status_code == 428
    assert put(client, CRITICAL, '"0"').json()["is_new"]
    assert put(client, {}, '"0"').status_code == 412
    again = put(client, CRITICAL, '"0"')
    assert (again.status_code, again.json()["is_new"], again.json()["revision"]) == (200, False, 1)
    assert client.get(PATH).json()["body"] == {"rules": CRITICAL}
    assert client.get("/v1/parks/NONE/rules").status_code == 404
    assert (
        client.put("/v1/parks/NONE/rules", json={"rules": {}}, headers={"If-Match": "*"}).status_code == 404
    )


@pytest.mark.parametrize(
    ("rules", "pointer"),
    [
        ({"route_deviaton": {}}, "/rules/route_deviaton"),
        ({"route_deviation": {"parameters": {"min_s": 1}}}, "/rules/route_deviation/parameters/min_s"),
        ({"route_deviation": {"severity": "grave"}}, "/rules/route_deviation/severity"),
        ({"swap_suspected": {"parameters": {"lux": 3.0}}}, "/rules/swap_suspected/parameters/lux"),
        ({"temp_excursion": {"parameters": {"major_c": 3.0}}}, "/rules/temp_excursion/parameters/major_c"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_pointer(
    client: TestClient, rules: dict[str, Any], pointer: str
) -> None:
    answer = put(client, rules)
    assert (answer.status_code, answer.json()["pointer"]) == (422, pointer)


def test_rules_of_a_moment_to_come_wait_for_it(court: Court, client: TestClient) -> None:
    assert put(client, CRITICAL, since=at(450)).is_success
    court.deliver(court.truck().stands(0, 300).drives(0, 4000).drives(4000, 4400, 3000), reaches=False)
    court.reached(440)
    court.judge()
    assert {due for (due,) in court.rows("select due_at from work where kind = 'shipment_due'")} == {at(450)}


def test_verification_derives_with_them_and_names_what_was_changed(court: Court, client: TestClient) -> None:
    strayed(court)
    put(client, CRITICAL, since=at(-7200))
    court.judge()
    Checkpointer(Signer(bytes(32))).advance(court.conn, at(9000))
    assert run(court.dsn, pause_s=0).differences == []
    court.conn.execute("update park_rules set body = '{\"rules\": {}}'")
    named = {difference.table for difference in run(court.dsn, pause_s=0).differences}
    assert {"park_rules", "findings"} <= named
