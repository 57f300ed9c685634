"""Documents: what people, partners and customs say reaches the shipments that it concerns."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from devices.identifiers import own_thing, pass_uri
from devices.observation import Gate
from tests.support.desk import BOX, TRUCK, Desk
from tests.support.partner import partner
from tests.support.recording import at
from tracking.domain.custody.documents import KINDS

DAY = 86_400
PASS = {"type": 2, "direction": "in", "zone": "DESTINATION", "vehicle": TRUCK, "containers": [BOX]}


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    """P-1 in the box on the truck, S-2 elsewhere."""
    made = Desk(database)
    made.shipment("S-1", "P-1")
    made.shipment("S-2", "P-2")
    made.scans(-600, "packing", "P-1", BOX)
    made.scans(-300, "loading", BOX, TRUCK)
    made.woken()
    yield made
    made.close()


@pytest.fixture
def client(desk: Desk, database: str) -> Iterator[TestClient]:
    with partner(database, lambda: at(3600), name="forwarder") as client:
        yield client


def kinds(desk: Desk, number: str = "S-1") -> list[str]:
    return [document.kind for document in desk.facts(number).documents]


def files_a_pass(desk: Desk, number: str = "Z-1", seconds: float = 0, **about: Any) -> None:
    things = [own_thing("pass", number), TRUCK, BOX]
    desk.files("pass", number, seconds, things=about.pop("things", things), **about, **PASS)


def test_one_that_names_the_shipment(desk: Desk) -> None:
    assert desk.files("release", "R-1", 60, shipments=["S-1"], state="released").is_new
    assert desk.woken() == ["S-1"]
    (document,) = desk.facts().documents
    assert (document.number, document.time, document.source, document.by) == (
        "R-1", at(60), "declared", "a clerk",
    )  # fmt: skip
    assert document.body == KINDS["release"](state="released")
    assert kinds(desk, "S-2") == []


def test_the_same_again_is_one(desk: Desk) -> None:
    said: dict[str, Any] = {"shipments": ["S-1", "S-2"], "things": [BOX], "state": "hold"}
    first = desk.files("release", "R-1", 60, **said)
    desk.woken()
    again = desk.files("release", "R-1", 60, **said | {"shipments": ["S-2", "S-1"]})
    assert (again.entry, again.is_new) == (first.entry, False)
    assert desk.woken() == []
    for other in ({"shipments": ["S-1"]}, {"things": []}, {"state": "released"}, {"source": "reported"}):
        assert desk.files("release", "R-1", 60, **said | other).is_new
    assert desk.files("release", "R-2", 60, **said).is_new
    assert desk.files("release", "R-1", 61, **said).is_new


def test_one_about_the_box_reaches_the_parcel_in_it_for_two_days(desk: Desk) -> None:
    desk.scans(1200, "unpacking", "P-1", BOX)
    desk.woken()
    for seconds in (-600 - 2 * DAY - 1, -600 - 2 * DAY, 0, 1200 + 2 * DAY):
        desk.files("status", "Q", seconds, things=[BOX], status="bonded")
        assert desk.woken() == ["S-1"]
    desk.files("status", "Q", 1200 + 2 * DAY + 1, things=[BOX], status="bonded")
    assert desk.woken() == []
    assert [(one.time - at(0)).total_seconds() for one in desk.facts().documents] == [
        -600 - 2 * DAY, 0, 1200 + 2 * DAY,
    ]  # fmt: skip
    (document, *_) = desk.facts().documents
    assert document.things == {"urn:epc:id:bic:" + BOX}


def test_one_about_what_is_loaded_only_later(desk: Desk) -> None:
    desk.files("status", "Q", 0, things=["P-9"], status="bonded")
    assert desk.woken() == []
    desk.shipment("S-3", "CASE-1")
    desk.scans(60, "loading", "CASE-1", "P-9")
    assert "S-3" in desk.woken()
    assert kinds(desk, "S-3") == ["status"]


def test_a_pass_with_its_states_and_the_gates_that_read_it(desk: Desk) -> None:
    files_a_pass(desk)
    assert desk.woken() == ["S-1"]
    desk.files("pass_state", "Z-1", 60 + 5 * DAY, things=[own_thing("pass", "Z-1")], state="approved")
    assert desk.woken() == ["S-1"]
    assert kinds(desk) == ["pass", "pass_state"]
    assert pass_uri("Z-1") in desk.facts().documents[0].things
    desk.passes(-9 * DAY, plate="沪A12345", **{"pass": "Z-1"})
    assert desk.woken() == ["S-1"]
    (report,) = [one for one in desk.facts().reports if isinstance(one.fact, Gate)]
    assert report.time == at(-9 * DAY)
    assert (kinds(desk, "S-2"), len(desk.facts("S-2").reports)) == ([], 0)


def test_a_pass_that_names_shipments_that_nobody_has_loaded_yet(desk: Desk) -> None:
    files_a_pass(desk, shipments=["S-2"], things=[own_thing("pass", "Z-1"), "沪A12345"])
    assert desk.woken() == ["S-2"]
    desk.passes(60, **{"pass": "Z-1"})
    assert desk.woken() == ["S-2"]
    assert (kinds(desk, "S-2"), kinds(desk)) == (["pass"], [])
    assert len(desk.facts("S-2").reports) == 1


def test_whatever_comes_first_a_pass_ends_the_same(desk: Desk) -> None:
    number = own_thing("pass", "Z-1")
    steps = [
        lambda: files_a_pass(desk),
        lambda: desk.files("pass_state", "Z-1", 60, things=[number], state="approved"),
        lambda: desk.passes(90, **{"pass": "Z-1"}),
        lambda: desk.scans(-200, "packing", "P-2", BOX),
    ]
    found = []
    for order in permutations(steps):
        desk.conn.execute("truncate mentions, documents, document_links, observations, milestones cascade")
        desk.conn.execute("truncate device_tracks, track_snapshots, work, sequence_gaps, rejections")
        desk.conn.execute("delete from containment_events where event_time > %s", (at(-300),))
        desk.conn.execute("delete from containments where valid_from > %s", (at(-300),))
        desk.conn.execute("update containments set superseded_at = null")
        for step in order:
            step()
            desk.judge()
        facts = desk.facts("S-2")
        papers = [(one.number, one.time, one.body) for one in facts.documents]
        found.append((papers, [(one.time, one.device, one.fact) for one in facts.reports]))
    assert all(one == found[0] for one in found)
    assert [len(part) for part in found[0]] == [2, 2]


def test_a_calibration_counts_from_its_moment_on(desk: Desk) -> None:
    probe = desk.station.device("T-1", kind="sensor")
    desk.attach(probe.device_id, BOX, since=at(0), until=at(600))
    desk.woken()
    for seconds, concerned in ((-400 * DAY, ["S-1"]), (600, ["S-1"]), (601, [])):
        desk.files("calibration", "C", seconds, of=probe, device=probe.name)
        assert desk.woken() == concerned
    (carriage,) = desk.facts().carriages
    assert carriage.calibrated_at == at(600)


def test_a_key_counts_for_whatever_was_signed_before_it_was_registered(desk: Desk) -> None:
    hand = {"type": "handover", "from_party": "A", "to_party": "B", "role": "giver", "code": "P-1"}
    desk.hears(desk.scanner, desk.scanner.event(60, signature="x", **hand))
    assert desk.woken() == ["S-1"]
    assert desk.facts().keys == {}
    for byte in (1, 2):
        key = b64encode(bytes([byte] * 32)).decode()
        desk.files("device_key", "K", 1000, of=desk.scanner, device=desk.scanner.name, public_key=key)
        assert desk.woken() == ["S-1"]
    assert desk.facts().keys == {"SIP/SC-1": (bytes([1] * 32), bytes([2] * 32))}
    assert desk.facts("S-2").keys == {}


def confirms(desk: Desk, seconds: float = 120) -> None:
    said = {"device": desk.gate.name, "run": 1, "seq": 1, "plate": TRUCK, "reason": "the picture is clear"}
    desk.files("plate_confirmed", "", seconds, of=desk.gate, observation=(1, 1), things=[TRUCK], **said)


@pytest.mark.parametrize("said_first", [True, False])
def test_a_passage_is_heard_once_an_officer_has_confirmed_the_plate(desk: Desk, said_first: bool) -> None:
    steps = [lambda: desk.passes(60, plate="苏E12B9K"), lambda: confirms(desk)]
    for step in steps[:: -1 if said_first else 1]:
        step()
        woken = desk.woken()
    assert woken == ["S-1"]
    facts = desk.facts()
    assert [type(one.fact) for one in facts.reports][-1] is Gate
    assert [one.kind for one in facts.documents] == ["plate_confirmed"]


@pytest.mark.parametrize("said_first", [True, False])
def test_an_override_at_the_gate_is_heard_with_the_passage(desk: Desk, said_first: bool) -> None:
    said = {"device": desk.gate.name, "run": 1, "seq": 1, "decision": "open", "reason": "by phone"}
    steps = [
        lambda: desk.passes(60, plate=TRUCK),
        lambda: desk.files("gate_override", "", 90, of=desk.gate, observation=(1, 1), **said),
    ]
    for step in steps[:: -1 if said_first else 1]:
        step()
        woken = desk.woken()
    assert woken == ["S-1"]
    assert kinds(desk) == ["gate_override"]
    assert kinds(desk, "S-2") == []


# -- by API


def post(client: TestClient, path: str, kind: str = "release", **more: Any) -> Any:
    body = {"state": "released"} if kind == "release" else {}
    said = {"kind": kind, "number": "R-1", "time": at(60).isoformat(), "body": body}
    return client.post(path, json=said | more)


def test_said_of_a_shipment_and_read_again(desk: Desk, client: TestClient) -> None:
    answer = post(client, "/v1/shipments/S-1/documents", things=["P-1"], source="reported")
    assert (answer.status_code, answer.json()["is_new"]) == (201, True)
    again = post(client, "/v1/shipments/S-1/documents", things=["P-1"], source="reported")
    assert (again.status_code, again.json()["entry"]) == (200, answer.json()["entry"])
    (document,) = client.get("/v1/shipments/S-1/documents").json()["documents"]
    assert document == {
        "entry": document["entry"],
        "kind": "release",
        "number": "R-1",
        "time": "2026-03-04T12:01:00Z",
        "body": {"state": "released", "pass": None},
        "source": "reported",
        "by": "forwarder",
        "recorded_at": "2026-03-04T13:00:00Z",
        "things": ["urn:bondwatch:code:P-1"],
    }
    assert desk.woken() == ["S-1"]


def test_said_of_a_thing_of_a_device_and_of_an_observation(desk: Desk, client: TestClient) -> None:
    assert post(client, f"/v1/things/{BOX}/documents").status_code == 201
    probe = desk.station.device("T-1", kind="sensor")
    desk.attach(probe.device_id, BOX)
    assert post(client, "/v1/devices/SIP/T-1/documents", "calibration").status_code == 201
    desk.passes(60, plate="苏E12B9K")
    said = {"run": 1, "seq": 1, "plate": TRUCK, "reason": "the picture is clear"}
    answer = post(client, "/v1/devices/SIP/G-1/documents", "plate_confirmed", body=said, source="decided")
    assert answer.status_code == 201
    facts = desk.facts()
    assert [one.kind for one in facts.documents] == ["release", "plate_confirmed"]
    assert facts.carriages[0].calibrated_at == at(60)
    listed = client.get("/v1/shipments/S-1/documents").json()["documents"]
    assert [one["entry"] for one in listed] == [one.entry for one in facts.documents]


def test_a_pass_by_api(desk: Desk, client: TestClient) -> None:
    said = {"number": "Z-1", "time": at(0).isoformat(), "body": PASS, "shipments": ["S-2"]}
    answer = client.post("/v1/passes", json=said)
    assert (answer.status_code, answer.headers["location"]) == (201, "/v1/passes/Z-1")
    assert client.post("/v1/passes", json=said).status_code == 200
    moved = {"state": "approved", "time": at(60).isoformat(), "source": "reported"}
    assert client.post("/v1/passes/Z-1/states", json=moved).status_code == 201
    shown = client.get("/v1/passes/Z-1").json()
    assert (shown["state"], shown["since"], shown["shipments"]) == (
        "approved",
        "2026-03-04T12:01:00Z",
        ["S-2"],
    )
    assert shown["pass"]["vehicle"] == TRUCK
    assert [one["kind"] for one in shown["documents"]] == ["pass", "pass_state"]
    assert desk.woken() == ["S-1", "S-2"]
    assert client.get("/v1/passes/Z-2").status_code == 404
    assert client.post("/v1/passes/Z-2/states", json=moved).status_code == 404


@pytest.mark.parametrize("local", ["2026-03-04 20:00:00", "2026-03-04T20:00:00", "2026-03-04T13:00:00+01:00"])
def test_a_customs_time_without_an_offset_is_local(client: TestClient, local: str) -> None:
    """dclTime of customs' messages is Beijing time and doesn't say so."""
    assert (
        client.post("/v1/passes", json={"number": "Z-1", "dclTime": local, "body": PASS}).status_code == 201
    )
    shown = client.get("/v1/passes/Z-1").json()
    assert shown["since"] == shown["documents"][0]["time"] == "2026-03-04T12:00:00Z"


@pytest.mark.parametrize(
    "times",
    [{}, {"time": "2026-03-04T20:00:00"}, {"time": at(0).isoformat(), "dclTime": "2026-03-04 20:00:00"},
     {"dclTime": "at noon"}],
)  # fmt: skip
def test_a_pass_says_once_when_and_only_customs_may_leave_out_the_offset(
    client: TestClient, times: dict[str, str]
) -> None:
    assert client.post("/v1/passes", json={"number": "Z-1", "body": PASS} | times).status_code == 422
    assert client.get("/v1/passes/Z-1").status_code == 404


@pytest.mark.parametrize(
    ("path", "more", "status", "pointer"),
    [
        ("/v1/shipments/S-1/documents", {"kind": "released"}, 422, "/kind"),
        ("/v1/shipments/S-1/documents", {"kind": "calibration"}, 422, "/kind"),
        ("/v1/shipments/S-1/documents", {"kind": "pass"}, 422, "/kind"),
        ("/v1/devices/SIP/G-1/documents", {}, 422, "/kind"),
        ("/v1/shipments/S-1/documents", {"body": {"state": "perhaps"}}, 422, "/body/state"),
        ("/v1/shipments/S-1/documents", {"body": {}}, 422, "/body"),
        ("/v1/shipments/S-1/documents", {"body": {"state": "hold", "x": 1}}, 422, "/body"),
        ("/v1/shipments/S-1/documents", {"kind": "steps", "body": {"steps": ["a", 2]}}, 422, "/body/steps/1"),
        ("/v1/shipments/S-1/documents", {"shipments": ["S-9"]}, 422, "/shipments"),
        ("/v1/shipments/S-1/documents", {"things": ["P-1", " "]}, 422, "/things/1"),
        ("/v1/shipments/S-1/documents", {"source": "gossip"}, 422, "/source"),
        ("/v1/shipments/S-1/documents", {"time": "2026-03-04T12:00:00"}, 422, "/time"),
        ("/v1/shipments/S-9/documents", {}, 404, None),
        ("/v1/devices/SIP/X/documents", {"kind": "calibration", "body": {}}, 404, None),
        (
            "/v1/devices/SIP/G-1/documents",
            {"kind": "calibration", "body": {"device": "SIP/X"}},
            422,
            "/body/device",
        ),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_wrong(
    client: TestClient, path: str, more: dict[str, Any], status: int, pointer: str | None
) -> None:
    answer = post(client, path, **more)
    assert (answer.status_code, answer.json().get("pointer")) == (status, pointer), answer.json()


def test_the_page_tells_every_kind() -> None:
    page = (Path(__file__).parents[2] / "docs" / "custody.md").read_text("utf-8")
    section = page.partition("## Reports and documents")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(KINDS)
