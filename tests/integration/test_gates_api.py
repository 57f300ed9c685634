"""What officers read of gates and say at them, over the API; S6 and S8c from the report to the command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from devices.observation import moment
from tests.support.barrier import Barrier
from tests.support.partner import partner
from tracking.store import log

RIGHT, MISREAD, OTHER = "苏E33D71", "苏E33071", "沪BD818N"
PASS = "Z2314I260310000000000007"


@pytest.fixture
def barrier(database: str) -> Iterator[Barrier]:
    made = Barrier(database)
    yield made
    made.close()


@pytest.fixture
def api(barrier: Barrier) -> Iterator[TestClient]:
    with partner(barrier.dsn, lambda: moment(barrier.station.clock_us), name="desk") as client:
        yield client


def decisions(api: TestClient, **query: Any) -> list[dict[str, Any]]:
    answer = api.get("/v1/gates/G-1/decisions", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["decisions"])


def says(barrier: Barrier, api: TestClient, decision_id: int, what: str, seconds: float, **body: str) -> Any:
    barrier.clock(seconds)
    return api.post(
        f"/v1/gates/G-1/decisions/{decision_id}/{what}", json={"reason": "looked", "by": "officer 17"} | body
    )


def told(barrier: Barrier) -> list[tuple[int, str]]:
    return [
        (command["args"]["arrival"]["seq"], command["args"]["decision"]) for command in barrier.commands()
    ]


def test_s8c_a_look_alike_is_looked_at_and_another_vehicle_is_held(barrier: Barrier, api: TestClient) -> None:
    barrier.files_pass(PASS, RIGHT)
    first = barrier.arrives(0, plate=MISREAD, plate_confidence=0.93, image="pictures/1.jpg", **{"pass": PASS})
    assert (first.decision, first.codes, first.uses_pass) == ("inspect", ["wrong_vehicle_at_gate"], False)
    (row,) = decisions(api)
    assert row["reasons"][0]["outcome"] == "undetermined"
    assert "pictures/1.jpg" in str(row["reasons"][0]["evidence"])
    other = barrier.arrives(60, plate=OTHER, plate_confidence=0.99, **{"pass": PASS})
    assert (other.decision, other.uses_pass) == ("hold", False)
    answer = says(barrier, api, first.decision_id, "confirm-plate", 90, plate=RIGHT)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["decision"], made["uses_pass"], made["decided_by"]) == ("open", True, "officer 17 (desk)")
    assert api.get(answer.headers["Location"]).json() == made
    assert told(barrier) == [(1, "inspect"), (2, "hold"), (1, "open")]
    assert [row["decision"] for row in decisions(api)] == ["open", "hold", "inspect"]
    assert "pass_reused" in barrier.arrives(200, plate=RIGHT, **{"pass": PASS}).codes


def test_s8c_the_pass_stays_while_others_try_it(barrier: Barrier) -> None:
    barrier.files_pass(PASS, RIGHT)
    for second, plate in ((0, MISREAD), (60, OTHER)):
        assert not barrier.arrives(second, plate=plate, plate_confidence=0.95, **{"pass": PASS}).uses_pass
    assert barrier.arrives(120, plate=RIGHT, plate_confidence=0.95).decision == "open"


def test_s6_a_changed_seal_holds_and_a_recorded_one_opens(barrier: Barrier, api: TestClient) -> None:
    """The van comes in with ES-77099 for ES-77031; the second truck was opened and sealed anew by customs."""
    van, truck = "苏EF12345", "苏E5K302"
    for number, plate, seal in ((1, van, "ES-77031"), (2, truck, "ES-77032")):
        driven = barrier.truck(f"TRK-{number}", shipment=f"S-{number}")
        barrier.scans(-900, "loading", f"box-TRK-{number}", plate)
        barrier.files("seal_record", "R-1", -880, shipments=[f"S-{number}"], seal=seal)
        barrier.files_pass(f"Z-{number}", plate)
        barrier.deliver(driven.stands(0, 300).drives(0, 19_000))
    barrier.files("seal_record", "R-2", 1200, shipments=["S-2"], seal="ES-77033", replaces="ES-77032")
    barrier.judge()
    held = barrier.arrives(1260, plate=van, seals=["ES-77099"])
    assert (held.decision, held.codes) == ("hold", ["seal_id_changed"])
    opened = barrier.arrives(1290, plate=truck, seals=["ES-77033"])
    assert (opened.decision, opened.codes) == ("open", [])
    barrier.judge()
    assert ("seal_id_changed", "open", "critical") in [
        (row[0], row[3], row[4]) for row in barrier.findings("S-1")
    ]
    assert "seal_id_changed" not in [row[0] for row in barrier.findings("S-2")]
    by_shipment = {row["shipments"][0]: row["decision"] for row in decisions(api)}
    assert by_shipment == {"S-1": "hold", "S-2": "open"}


def test_an_override_opens_with_who_and_why(barrier: Barrier, api: TestClient) -> None:
    barrier.files_pass(PASS, RIGHT)
    held = barrier.arrives(0, plate=OTHER, plate_confidence=0.99, **{"pass": PASS})
    answer = says(barrier, api, held.decision_id, "override", 45, decision="open", reason="a relief vehicle")
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["decision"] == "open"
    assert (made["reasons"][0]["code"], made["reasons"][0]["text"]) == ("gate_override", "a relief vehicle")
    assert "wrong_vehicle_at_gate" in [reason["code"] for reason in made["reasons"]]
    assert told(barrier) == [(1, "hold"), (1, "open")]
    assert barrier.commands()[1]["expires"] == "2026-03-04T12:10:45Z"
    assert barrier.rows("select kind, by, source from documents where entry = %s", made["entry"]) == [
        ("gate_override", "officer 17 (desk)", "decided")
    ]
    assert barrier.rows("select count(*) from work where kind = 'document' and key = %s", made["entry"]) == [
        (1,)
    ]


def test_a_first_gate_that_a_paper_tells_of_too_is_no_second_gate(barrier: Barrier, api: TestClient) -> None:
    barrier.files_pass(PASS, RIGHT, two_gates=True)
    assert barrier.arrives(0, plate=RIGHT, **{"pass": PASS}).uses_pass
    barrier.moves_pass(PASS, "first_gate", 120)
    shown = api.get(f"/v1/passes/{PASS}").json()
    assert (shown["state"], shown["since"]) == ("first_gate", "2026-03-04T12:00:00Z")
    assert [use["gate"] for use in shown["uses"]] == ["G-1"]


def test_the_same_word_at_the_same_moment_is_one_decision(barrier: Barrier, api: TestClient) -> None:
    held = barrier.arrives(0, plate=OTHER)
    one, again = (
        says(barrier, api, held.decision_id, "override", 45, decision="inspect").json() for _ in range(2)
    )
    assert one == again
    assert told(barrier) == [(1, "hold"), (1, "inspect")]


def test_late_arrivals_can_still_be_spoken_of(barrier: Barrier, api: TestClient) -> None:
    late = barrier.arrives(0, plate=OTHER, looked_at=3600)
    assert late.unsent == "late"
    made = says(barrier, api, late.decision_id, "override", 3700, decision="open").json()
    assert (made["unsent"], told(barrier)) == (None, [(1, "open")])


def test_pages_newest_first_with_what_the_gate_did(barrier: Barrier, api: TestClient) -> None:
    for number in range(5):
        barrier.arrives(100 * number, plate=OTHER)
    barrier.answers(410, barrier.commands()[4]["id"], "hold")
    first = api.get("/v1/gates/G-1/decisions?limit=2").json()
    second = api.get(first["next"]).json()
    third = api.get(second["next"]).json()
    assert third["next"] is None
    rows = [*first["decisions"], *second["decisions"], *third["decisions"]]
    assert [row["seq"] for row in rows] == [5, 4, 3, 2, 1]
    assert [(action["did"], action["by_fallback"]) for action in rows[0]["actions"]] == [("hold", False)]
    assert rows[1]["actions"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "problem"),
    [
        ("GET", "/v1/gates/G-9/decisions", None, 404, "not-found"),
        ("GET", "/v1/gates/G-1/decisions?cursor=x", None, 400, "invalid-cursor"),
        ("GET", "/v1/gates/G-1/decisions/999", None, 404, "not-found"),
        ("POST", "/v1/gates/G-1/decisions/999/override", {"decision": "open"}, 404, "not-found"),
        ("POST", "/v1/gates/G-2/decisions/{id}/override", {"decision": "open"}, 404, "not-found"),
        ("POST", "/v1/gates/G-1/decisions/{id}/override", {"decision": "wave"}, 422, "invalid-request"),
        ("POST", "/v1/gates/G-1/decisions/{id}/override", {"reason": ""}, 422, "invalid-request"),
        ("POST", "/v1/gates/G-1/decisions/{id}/confirm-plate", {"plate": " "}, 422, "invalid-request"),
    ],
)
def test_refusals(
    barrier: Barrier, api: TestClient, method: str, path: str, body: Any, status: int, problem: str
) -> None:
    stands = barrier.arrives(0, plate=OTHER)
    sent = None if body is None else {"reason": "looked", "by": "officer 17"} | body
    answer = api.request(method, path.replace("{id}", str(stands.decision_id)), json=sent)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:bondwatch:problem:{problem}")
    assert barrier.rows("select count(*) from documents") == [(0,)]


def test_every_decision_is_a_leaf_of_the_log(barrier: Barrier, api: TestClient) -> None:
    held = barrier.arrives(0, plate=OTHER)
    says(barrier, api, held.decision_id, "override", 45, decision="open")
    assert len(log.waiting(barrier.conn, "gate_decision", after=0, limit=10)) == 2
