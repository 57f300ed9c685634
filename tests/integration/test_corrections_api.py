"""Corrections and raw messages through the API and on the pages, on a real database."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.barrier import Barrier
from tests.support.court import Court
from tests.support.partner import partner
from tests.support.recording import at
from tracking.console.pages import SITE_ZONE
from tracking.domain.ledger import certificate as documents
from tracking.domain.ledger.checkpoint import Signer
from tracking.exchange import evidence as opening
from tracking.exchange.verify.run import run
from tracking.judge.checkpoints import Checkpointer
from tracking.store import retention
from tracking.store.database import Connection

SIGNER = Signer(bytes(range(32)))
Row = dict[str, Any]


@pytest.fixture
def client(court: Court) -> Iterator[TestClient]:
    with partner(court.dsn, lambda: moment_of(court), signer=SIGNER) as client:
        yield client


def moment_of(court: Court) -> Any:
    """The API's clock: a second later at each look."""
    court.station.clock_us += 1_000_000
    return at(court.station.clock_us / 1e6 - at(0).timestamp())


@pytest.fixture
def finding(court: Court, client: TestClient) -> Row:
    """A truck has strayed, and is judged and signed."""
    truck = court.truck().stands(0, 300).drives(0, 4000).drives(4000, 8800, 1900).drives(8800, 12_000)
    court.deliver(truck)
    court.judge()
    sign(court)
    (found,) = custody(client)
    return found


def sign(court: Court) -> None:
    Checkpointer(SIGNER).advance(court.conn, moment_of(court))


def custody(client: TestClient, **asked: str) -> list[Row]:
    found: list[Row] = client.get("/v1/shipments/S-1/custody", params=asked).json()["findings"]
    return found


def evidence(client: TestClient, finding: Row, **asked: str) -> Row:
    answer = client.get(f"/v1/shipments/S-1/findings/{finding['finding_id']}/evidence", params=asked)
    assert answer.status_code == 200, answer.text
    told: Row = answer.json()
    return told


def observation(one: Row) -> Row:
    return {field: one[field] for field in ("device", "time", "run", "seq")}


def correction(seen: Row, **said: Any) -> Row:
    told: Row = {
        "observation": seen,
        "reason": "incorrect_data",
        "why": "the antenna was wet",
        "by": "desk 2",
    }
    return told | said


def correct_all(court: Court, client: TestClient, begin: float, end: float) -> list[Row]:
    """Everything that the truck said in [begin, end)."""
    events = court.rows("select event_time, run, seq from observations order by event_time")
    told = []
    for time, run_, seq in events:
        if at(begin) <= time < at(end):
            seen = {"device": "SIP/TRK-1", "time": time.isoformat(), "run": run_, "seq": seq}
            answer = client.post("/v1/corrections", json=correction(seen))
            assert answer.status_code == 201, answer.text
            told.append(answer.json())
    return told


def test_a_finding_opens_to_the_exact_raw_messages(court: Court, client: TestClient, finding: Row) -> None:
    told = evidence(client, finding)
    assert told["is_whole"]
    assert told["finding"]["evidence"] == finding["evidence"]
    cited = {key[1] for key in documents.cited(finding["evidence"])}
    assert {(one["time"], one["run"], one["seq"]) for one in told["observations"]} == {
        (time.replace("+00:00", "Z"), run_, seq) for time, run_, seq in cited
    }
    sent = dict(court.rows("select seq, body from observations"))
    for one in told["observations"]:
        assert b64decode(one["raw"]) == sent[one["seq"]] == one["text"].encode()
        assert json.loads(one["text"])["seq"] == one["seq"]
        assert one["log_index"] is not None
        where = f"/v1/devices/{one['device']}/observations/{one['run']}/{one['seq']}"
        assert client.get(where, params={"time": one["time"]}).json() == one
    page = client.get("/shipments/S-1?lang=zh").text
    assert "原始报文" in page
    assert f"/v1/shipments/S-1/findings/{finding['finding_id']}/evidence" in page


def test_a_long_finding_opens_by_pages_each_of_which_speaks_for_itself(
    court: Court, client: TestClient, finding: Row
) -> None:
    whole = evidence(client, finding)
    assert (whole["count"], whole["next"]) == (len(whole["observations"]), None)
    assert whole["count"] > 1

    def turned() -> list[Row]:
        found = [evidence(client, finding, limit="1")]
        while following := found[-1]["next"]:
            found.append(client.get(following).json())
        return found

    told = turned()
    assert [one for page in told for one in page["observations"]] == whole["observations"]
    assert {(page["count"], page["is_whole"]) for page in told} == {(whole["count"], None)}
    gone = whole["observations"][-1]
    court.conn.execute("delete from observations where run = %s and seq = %s", (gone["run"], gone["seq"]))
    assert turned()[-1]["is_whole"] is False
    assert client.get(told[0]["next"].replace("cursor=", "cursor=x")).status_code == 400


def test_batches_are_hashed_a_few_at_a_time(
    court: Court, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    truck = court.truck().stands(0, 300).drives(0, 4000).drives(4000, 8800, 1900).drives(8800, 12_000)
    court.deliver(truck, size=1)
    court.judge()
    sign(court)
    (finding,) = custody(client)
    asked: list[int] = []
    trees = retention.trees

    def counting(conn: Connection, batches: Sequence[int]) -> Any:
        asked.append(len(batches))
        return trees(conn, batches)

    monkeypatch.setattr(retention, "trees", counting)
    monkeypatch.setattr(opening, "BATCHES", 1)
    told = evidence(client, finding)
    batches = {one["batch"] for one in told["observations"]}
    assert len(batches) > 1
    assert (told["is_whole"], asked) == (True, [1] * len(batches))


def test_deleting_one_raw_message_makes_the_evidence_check_fail(
    court: Court, client: TestClient, finding: Row
) -> None:
    """Opened, verified, and on the certificate that a stranger checks."""
    gone, *others = evidence(client, finding)["observations"]
    court.conn.execute("delete from observations where run = %s and seq = %s", (gone["run"], gone["seq"]))
    told = evidence(client, finding)
    assert not told["is_whole"]
    assert [one["is_recorded"] for one in told["observations"]] == [False, *(True for _ in others)]
    where = f"/v1/devices/{gone['device']}/observations/{gone['run']}/{gone['seq']}"
    assert client.get(where, params={"time": gone["time"]}).status_code == 404
    named = [one.says for one in run(court.dsn, pause_s=0).differences if one.table == "findings"]
    assert any(f"run {gone['run']} seq {gone['seq']}" in says and "is gone" in says for says in named), named
    certificate = documents.read(client.get("/v1/shipments/S-1/certificate").content)
    says = f"the event {gone['device']} run {gone['run']} seq {gone['seq']} is missing"
    assert any(says in fault for fault in documents.check(certificate, SIGNER.public_key))


def test_changing_one_raw_message_makes_the_evidence_check_fail(
    court: Court, client: TestClient, finding: Row
) -> None:
    one = evidence(client, finding)["observations"][0]
    court.conn.execute(
        "update observations set body = set_byte(body, 3, 57) where run = %s and seq = %s",
        (one["run"], one["seq"]),
    )
    told = evidence(client, finding)
    assert not told["is_whole"]
    assert not told["observations"][0]["is_proven"]


def test_what_was_known_before_a_correction_is_still_shown(
    court: Court, client: TestClient, finding: Row
) -> None:
    before = moment_of(court).isoformat()
    (first, *_) = correct_all(court, client, 490, 780)
    assert first["stands"]
    assert first["by"] == "desk 2 (tests)"
    court.judge()
    assert custody(client) == []
    (then,) = custody(client, known_at=before)
    assert then == finding
    assert evidence(client, finding, known_at=before)["is_whole"]
    opened = evidence(client, finding)["observations"]
    assert {len(one["corrections"]) for one in opened} >= {1}
    changes = client.get("/v1/shipments/S-1/history").json()["changes"]
    assert (changes[-1]["change"], changes[-1]["why"]) == ("withdrawn", "correction")
    (because, *_) = changes[-1]["because"]
    assert (because["correction"], because["why"], because["by"]) == (
        first["entry"], "the antenna was wet", "desk 2 (tests)",
    )  # fmt: skip
    assert (because["device"], because["reason"]) == ("SIP/TRK-1", "incorrect_data")


def test_the_page_and_the_certificate_tell_of_it_in_both_languages(
    court: Court, client: TestClient, finding: Row
) -> None:
    told = correct_all(court, client, 490, 780)
    taken = client.post(
        f"/v1/corrections/{told[0]['entry']}/retractions", json={"why": "that one was right", "by": "desk 3"}
    )
    assert (taken.status_code, taken.json()["stands"]) == (201, False)
    court.judge()
    sign(court)
    for language, words in (
        ("en", ("Corrected observations", "incorrect data", "the antenna was wet", "that one was right")),
        ("zh", ("观测更正", "数据有误", "the antenna was wet", "that one was right")),
    ):
        for where in ("/shipments/S-1", "/shipments/S-1/certificate"):
            answer = client.get(where, params={"lang": language})
            assert answer.status_code == 200
            assert [word for word in words if word not in answer.text] == []
    assert f"×{len(told)}" in client.get("/shipments/S-1?lang=en").text  # causes of one sort are one
    certificate = documents.read(client.get("/v1/shipments/S-1/certificate").content)
    assert list(documents.check(certificate, SIGNER.public_key)) == []
    rows = [json.loads(row.row)["leaf"] for row in certificate.rows]
    assert (rows.count("correction"), rows.count("retraction")) == (len(told), 1)
    assert certificate.completeness["devices"][0]["corrected"] == len(told) - 1
    assert finding["rule"] == "route_deviation"


def test_no_certificate_rests_on_what_was_just_corrected(
    court: Court, client: TestClient, finding: Row
) -> None:
    one = evidence(client, finding)["observations"][0]
    assert client.post("/v1/corrections", json=correction(observation(one))).status_code == 201
    answer = client.get("/v1/shipments/S-1/certificate")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bondwatch:problem:not-yet-signed")
    court.judge()
    sign(court)
    assert client.get("/v1/shipments/S-1/certificate").status_code == 200


def test_a_certificate_that_rests_on_what_is_in_error_is_no_good(
    court: Court, client: TestClient, finding: Row
) -> None:
    """As somebody would make it who leaves out that the judge has looked again."""
    one = evidence(client, finding)["observations"][0]
    certificate = documents.read(client.get("/v1/shipments/S-1/certificate").content)
    client.post("/v1/corrections", json=correction(observation(one)))
    sign(court)
    ((row,),) = court.rows(
        "select json_build_object('leaf', 'correction', 'key', entry, 'device', 'SIP/TRK-1', 'run', run,"
        " 'seq', seq)::text from corrections"
    )
    certificate.rows.append(documents.Proven(row, 10**6, []))
    faults = list(documents.check(certificate, SIGNER.public_key))
    assert any("was declared to be in error" in fault for fault in faults), faults


def test_requests_are_answered_as_others_are(court: Court, client: TestClient, finding: Row) -> None:
    one, other = (observation(seen) for seen in evidence(client, finding)["observations"][:2])
    first = client.post("/v1/corrections", json=correction(one, corrective=[other]))
    assert (first.status_code, first.headers["location"]) == (201, "/v1/corrections/1")
    assert first.json()["observation"] == one
    there = one | {"time": datetime.fromisoformat(one["time"]).astimezone(SITE_ZONE).isoformat()}
    again = client.post("/v1/corrections", json=correction(there, corrective=[other]))
    assert (again.status_code, again.json()) == (200, first.json())
    assert client.get("/v1/corrections/1").json() == first.json()
    assert client.get("/v1/corrections", params={"device": "SIP/TRK-1", "limit": 1}).json()[
        "corrections"
    ] == [first.json()]
    assert client.get("/v1/corrections", params={"device": "SIP/TRK-9"}).json()["corrections"] == []
    assert client.get("/v1/shipments/S-1/corrections").json()["corrections"] == [first.json()]
    faults = (
        (correction(one, why="otherwise"), 409, "observation-corrected", None),
        (correction(one | {"seq": 9999}), 404, "observation-not-recorded", "/observation"),
        (correction(one | {"device": "SIP/X"}), 404, "not-found", "/observation/device"),
        (correction(other, corrective=[one]), 422, "invalid-corrective", "/corrective/0"),
        (correction(other, reason="typo"), 422, "invalid", None),
        (correction(other, why=" "), 422, "invalid", None),
    )
    for body, status, kind, pointer in faults:
        answer = client.post("/v1/corrections", json=body)
        assert answer.status_code == status, answer.text
        assert kind in answer.json()["type"]
        assert pointer is None or answer.json()["pointer"] == pointer
    truck = court.station.device("TRK-7")
    impossible = truck.event(100, lat=91)
    court.station.deliver(truck.sends(impossible, received=100))
    seen = {"device": "SIP/TRK-7", "time": at(100).isoformat(), "run": 1, "seq": 1}
    answer = client.post("/v1/corrections", json=correction(seen))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bondwatch:problem:observation-rejected")
    said = {"why": "it was right", "by": "desk 3"}
    for status in (201, 200):
        assert client.post("/v1/corrections/1/retractions", json=said).status_code == status
    answer = client.post("/v1/corrections/1/retractions", json=said | {"by": "desk 4"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bondwatch:problem:correction-retracted")
    answer = client.post("/v1/corrections", json=correction(one, corrective=[other]))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bondwatch:problem:correction-retracted")
    assert client.post("/v1/corrections/9/retractions", json=said).status_code == 404
    assert (
        client.post("/v1/corrections", json=correction(one), headers={"Authorization": ""}).status_code == 401
    )


def test_a_passage_in_error_has_not_used_the_pass(database: str) -> None:
    barrier = Barrier(database)
    try:
        other = barrier.station.device("G-2", kind="gate")
        barrier.files_pass("Z-1", "苏E33D71")
        assert barrier.arrives(0, plate="苏E33D71").uses_pass
        seen = {"device": "SIP/G-1", "time": at(0).isoformat(), "run": 1, "seq": 1}
        with partner(database, lambda: at(300)) as client:
            answer = client.post("/v1/corrections", json=correction(seen, reason="did_not_occur"))
        assert answer.status_code == 201, answer.text
        event = other.event(
            600, type="gate", gate="G-2", lane="1", direction="in", plate="苏E33D71", **{"pass": "Z-1"}
        )
        barrier.clock(600)
        barrier.hears(other, event, at_s=600.1)
        barrier.decides(600.2)
        decided = barrier.rows("select gate, uses_pass from gate_decisions order by decision_id")
        assert decided == [("G-1", True), ("G-2", True)]
    finally:
        barrier.close()
