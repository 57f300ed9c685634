"""The API over a real database: what goes in comes out, and errors say what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi.testclient import TestClient

from tests.support.partner import KEY, partner
from tracking.api.live import Event
from tracking.api.routers.stream import Concern
from tracking.domain.ledger import proof
from tracking.domain.ledger.checkpoint import Signer
from tracking.judge.checkpoints import Checkpointer
from tracking.store.database import Connection

NOW = datetime(2026, 3, 10, 0, 30, tzinfo=UTC)
NAN = float("nan")
LINE = [[120.8, 31.34], [121.7, 31.15]]
SQUARE = [[[120.79, 31.33], [120.82, 31.33], [120.82, 31.35], [120.79, 31.35], [120.79, 31.33]]]


def feature(code: str, kind: str, geometry: dict[str, Any], **more: Any) -> dict[str, Any]:
    properties = {"code": code, "kind": kind, "park": "SIP", "valid_from": "2026-03-01T00:00:00Z", **more}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def collection(*features: dict[str, Any]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


@pytest.fixture
def client(database: str) -> Iterator[TestClient]:
    with partner(database, lambda: NOW) as client:
        client.put("/v1/parks/SIP", json={"name_en": "Suzhou Industrial Park", "name_zh": "苏州工业园区"})
        zone = feature("SIPCBZ-E", "cbz", {"type": "Polygon", "coordinates": SQUARE}, name_zh="东区")
        line = {"type": "LineString", "coordinates": [[120.8, 31.34], [121.7, 31.15]]}
        client.post("/v1/zones", json=collection(zone)).raise_for_status()
        client.post(
            "/v1/corridors", json=collection(feature("C-PVG-SIPE", "corridor", line, tolerance_m=1500))
        ).raise_for_status()
        yield client


def shipment(**changes: Any) -> dict[str, Any]:
    terms = {"legs": [{"type": "stay", "zones": ["SIPCBZ-E"]}]}
    return {"number": "SIP-1", "park": "SIP", "things": ["苏E1289K"], "terms": terms, **changes}


def test_what_is_closed_stays_closed(client: TestClient) -> None:
    client.post("/v1/shipments", json=shipment()).raise_for_status()
    ahead = client.post("/v1/shipments/SIP-1/closing", json={"at": "2026-03-11T00:00:00Z"})
    problem(ahead, 422, "future-closing")
    closed = client.post("/v1/shipments/SIP-1/closing", json={"at": "2026-03-09T00:00:00Z"})
    assert closed.json() == {"number": "SIP-1", "state": "closed", "closed_at": "2026-03-09T00:00:00Z"}
    assert client.post("/v1/shipments/SIP-1/closing", json={}).json() == closed.json()
    other = client.post("/v1/shipments/SIP-1/closing", json={"at": "2026-03-08T00:00:00Z"})
    problem(other, 409, "shipment-closed")
    problem(client.post("/v1/shipments/SIP-9/closing", json={}), 404, "not-found")
    assert client.get("/v1/shipments/SIP-1").json()["state"] == "closed"


def problem(answer: Any, status: int, name: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"urn:bondwatch:problem:{name}"
    return body


def test_a_wrong_body_says_which_field_and_a_torn_one_says_where(client: TestClient) -> None:
    answer = problem(client.post("/v1/shipments", json=shipment(thing=[])), 422, "invalid-request")
    assert answer["pointer"] == "/thing"
    assert [one["pointer"] for one in answer["errors"]] == ["/thing"]
    torn = client.post(
        "/v1/shipments", content=b'{"number": "S', headers={"Content-Type": "application/json"}
    )
    answer = problem(torn, 422, "invalid-request")
    assert "not JSON" in answer["detail"]
    assert "pointer" not in answer


def test_no_key_no_answer(client: TestClient) -> None:
    for path in ("/v1/shipments", "/v1/alerts", "/v1/zones", "/v1/devices", "/v1/stream"):
        answer = client.get(path, headers={"Authorization": "Bearer wrong"})
        problem(answer, 401, "unauthorised")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_health_and_metrics_need_no_key(client: TestClient) -> None:
    client.headers.pop("Authorization")
    assert client.get("/health/live").json()["status"] == "live"
    assert client.get("/health/ready").json()["status"] == "ready"
    assert "python_info" in client.get("/metrics").text


def test_a_zone_comes_back_as_geojson_and_the_same_again_is_no_revision(client: TestClient) -> None:
    found = client.get("/v1/zones").json()["features"]
    assert [zone["id"] for zone in found] == ["SIPCBZ-E"]
    assert found[0]["geometry"] == {"type": "Polygon", "coordinates": SQUARE}
    assert found[0]["properties"]["revision"] == 1
    again = feature("SIPCBZ-E", "cbz", {"type": "Polygon", "coordinates": SQUARE}, name_zh="东区")
    assert client.post("/v1/zones", json=collection(again)).json() == {"areas": {"SIPCBZ-E": "unchanged"}}


def test_a_moved_zone_is_a_new_revision_and_the_past_keeps_the_old(client: TestClient) -> None:
    moved = [[[lon + 0.01, lat] for lon, lat in SQUARE[0]]]
    zone = feature(
        "SIPCBZ-E", "cbz", {"type": "Polygon", "coordinates": moved}, valid_from="2026-03-05T00:00:00Z"
    )
    assert client.post("/v1/zones", json=collection(zone)).json() == {"areas": {"SIPCBZ-E": "revised"}}
    then = client.get("/v1/zones", params={"at": "2026-03-04T12:00:00+08:00"}).json()["features"][0]
    assert then["geometry"]["coordinates"] == SQUARE
    assert client.get("/v1/zones").json()["features"][0]["geometry"]["coordinates"] == moved


def test_bad_geometry_names_the_feature(client: TestClient) -> None:
    bow_tie = [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]
    bad = feature("X", "cbz", {"type": "Polygon", "coordinates": bow_tie})
    body = problem(client.post("/v1/zones", json=collection(bad)), 422, "invalid-area")
    assert body["pointer"] == "/features/0/geometry"
    misplaced = feature(
        "C", "corridor", {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, tolerance_m=5
    )
    body = problem(client.post("/v1/zones", json=collection(misplaced)), 422, "invalid-area")
    assert "/v1/corridors" in body["detail"]


def test_a_device_gets_its_secret_once(client: TestClient, conn: Connection) -> None:
    body = {"park": "SIP", "code": "TRK-1", "expected_every_s": 30}
    made = client.post("/v1/devices", json=body)
    assert made.status_code == 201
    assert made.json()["name"] == "SIP/TRK-1"
    secret = made.json()["secret"]
    problem(client.post("/v1/devices", json=body), 409, "device-exists")
    stored = [row[0] for row in conn.execute("select hash from device_credentials")]
    assert len(stored) == 2
    assert all(secret not in hashed for hashed in stored)
    assert client.get("/v1/devices/SIP/TRK-1").json()["expected_every_s"] == 30
    assert client.delete("/v1/devices/SIP/TRK-1").json()["revoked"] is True
    assert conn.execute("select count(*) from device_credentials where revoked_at is null").fetchone() == (0,)


def test_unknown_parks_and_devices_are_named(client: TestClient) -> None:
    problem(client.post("/v1/devices", json={"park": "NONE", "code": "A"}), 422, "unknown-park")
    body = {"device": "SIP/NONE", "thing": "苏E1289K", "from": "2026-03-10T08:00:00+08:00"}
    assert problem(client.post("/v1/attachments", json=body), 422, "unknown-device")["pointer"] == "/device"
    problem(client.get("/v1/shipments/NONE"), 404, "not-found")


def test_an_attachment_needs_an_offset(client: TestClient) -> None:
    body = {"device": "SIP/TRK-1", "thing": "苏E1289K", "from": "2026-03-10T08:00:00"}
    answer = problem(client.post("/v1/attachments", json=body), 422, "invalid-request")
    assert answer["pointer"] == "/from"


def test_a_shipment_is_created_once_and_leaves_work(client: TestClient, conn: Connection) -> None:
    assert client.post("/v1/shipments", json=shipment()).status_code == 201
    assert client.post("/v1/shipments", json=shipment()).status_code == 200
    problem(client.post("/v1/shipments", json=shipment(reference="other")), 409, "shipment-exists")
    assert conn.execute("select kind from work").fetchall() == [("shipment",)]
    shown = client.get("/v1/shipments/SIP-1").json()
    assert shown["things"] == ["苏E1289K"]
    assert shown["terms"]["body"]["legs"][0]["zones"] == ["SIPCBZ-E"]


@pytest.mark.parametrize(
    ("leg", "pointer"),
    [
        ({"type": "stay", "zones": ["SIPCBZ-F"]}, "/terms/legs/0/zones/0"),
        ({"type": "stay", "zones": []}, "/terms/legs/0/zones"),
        ({"type": "move", "from_zones": ["SIPCBZ-E"]}, "/terms/legs/0/to_zones"),
    ],
)
def test_wrong_terms_name_the_field(client: TestClient, leg: dict[str, Any], pointer: str) -> None:
    answer = client.post("/v1/shipments", json=shipment(terms={"legs": [leg]}))
    assert problem(answer, 422, "invalid-terms")["pointer"] == pointer


def test_search_finds_the_beginning_of_number_and_plate(client: TestClient) -> None:
    client.post("/v1/shipments", json=shipment())
    client.post("/v1/shipments", json=shipment(number="KS-9", things=["BNDU1000010"]))
    for query, found in (("sip-", ["SIP-1"]), ("苏E12", ["SIP-1"]), ("bndu1", ["KS-9"]), ("100%", [])):
        answer = client.get("/v1/shipments", params={"q": query}).json()
        assert [row["number"] for row in answer["shipments"]] == found, query


def test_long_lists_come_in_pages(client: TestClient) -> None:
    for number in range(5):
        client.post("/v1/shipments", json=shipment(number=f"SIP-{number}"))
    seen: list[str] = []
    address: str | None = "/v1/shipments?limit=2"
    while address:
        page = client.get(address).json()
        seen += [row["number"] for row in page["shipments"]]
        address = page["next"]
    assert seen == [f"SIP-{number}" for number in range(4, -1, -1)]
    problem(client.get("/v1/shipments?cursor=rubbish"), 400, "invalid-cursor")


def test_the_openapi_document_has_examples_and_no_route_without_words(client: TestClient) -> None:
    document = client.get("/v1/openapi.json").json()
    assert document["components"]["schemas"]["NewShipment"]["properties"]["number"]["examples"]
    silent = [
        f"{method} {path}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if not operation.get("description")
    ]
    assert silent == []


def test_a_device_attached_while_a_page_is_open_is_heard_after_the_next_judging(client: TestClient) -> None:
    client.post("/v1/shipments", json=shipment())
    client.post("/v1/devices", json={"park": "SIP", "code": "TRK-1"})
    concern = Concern(client.app.state.context, "SIP-1", None)
    concern.refresh()
    position = Event("position", {"device": "SIP/TRK-1", "park": "SIP"})
    assert not concern.wants(position)
    body = {"device": "SIP/TRK-1", "thing": "苏E1289K", "from": "2026-03-10T08:00:00+08:00"}
    client.post("/v1/attachments", json=body).raise_for_status()
    concern.refresh()
    assert concern.wants(position)
    assert not concern.wants(Event("alert", {"shipment": "SIP-2"}))
    assert not Concern(client.app.state.context, None, "KS").wants(position)


def test_the_end_of_an_attachment_takes_the_place_of_what_was_said_before(client: TestClient) -> None:
    client.post("/v1/shipments", json=shipment())
    client.post("/v1/devices", json={"park": "SIP", "code": "TRK-1"})
    body = {"device": "SIP/TRK-1", "thing": "苏E1289K", "from": "2026-03-10T08:00:00+08:00"}
    ended = body | {"to": "2026-03-11T08:00:00+08:00"}
    said = [client.post("/v1/attachments", json=one).status_code for one in (body, body, ended, ended, body)]
    assert said == [201, 200, 201, 200, 200]
    (carrier,) = client.get("/v1/shipments/SIP-1").json()["carriers"]
    assert (carrier["device"], carrier["valid_to"]) == ("SIP/TRK-1", "2026-03-11T00:00:00Z")


def test_of_ends_that_are_said_at_once_one_stands(client: TestClient, conn: Connection) -> None:
    client.post("/v1/devices", json={"park": "SIP", "code": "TRK-1"})
    body = {"device": "SIP/TRK-1", "thing": "苏E1289K", "from": "2026-03-10T08:00:00+08:00"}
    ends = [body | {"to": f"2026-03-11T08:{minute:02}:00+08:00"} for minute in range(16)]
    with ThreadPoolExecutor(8) as threads:
        said = list(threads.map(lambda one: client.post("/v1/attachments", json=one).status_code, ends))
    assert set(said) == {201}
    (standing,) = (
        conn.execute("select count(*) from attachments where superseded_at is null").fetchone() or ()
    )
    assert standing == 1


def test_an_empty_trace_in_every_format(client: TestClient) -> None:
    client.post("/v1/shipments", json=shipment())
    assert client.get("/v1/shipments/SIP-1/trace").json()["positions"] == []
    lines = client.get("/v1/shipments/SIP-1/trace?format=csv").text.splitlines()
    assert lines == ["event_time,device,lon,lat,accuracy_m,speed_mps,heading_deg,run,seq"]
    geojson = client.get("/v1/shipments/SIP-1/trace", headers={"Accept": "application/geo+json"})
    assert geojson.json() == {"type": "FeatureCollection", "features": []}


def test_the_pages_need_a_key_and_speak_both_languages(client: TestClient) -> None:
    client.post("/v1/shipments", json=shipment())
    client.headers.pop("Authorization")
    turned_away = client.get("/shipments/SIP-1", follow_redirects=False)
    assert turned_away.status_code == 303
    assert client.post("/login", data={"key": "wrong"}).status_code == 403
    logged_in = client.post(
        "/login", data={"key": KEY, "next": "//elsewhere.example"}, follow_redirects=False
    )
    assert logged_in.headers["location"] == "/"
    assert "httponly" in logged_in.headers["set-cookie"].lower()
    assert "SIP-1" in client.get("/?lang=en").text
    page = client.get("/shipments/SIP-1?lang=zh").text
    assert "轨迹" in page
    assert "东区" in page
    assert client.get("/shipments/NONE").status_code == 404


def test_alerts_are_listed_by_their_last_opening_and_a_resolved_one_is_nobody_s_to_acknowledge(
    client: TestClient, conn: Connection
) -> None:
    client.post("/v1/shipments", json=shipment()).raise_for_status()
    for cause, minute in (("A", 3), ("B", 1), ("C", 2)):
        conn.execute(
            "insert into alerts (shipment_id, rule, cause, finding_id, severity, opened_at, raised_at)"
            " select shipment_id, 'route_deviation', %s, %s, 'major', %s, %s from shipments",
            (cause, cause, NOW, NOW.replace(minute=minute)),
        )
    page = client.get("/v1/alerts", params={"limit": 2}).json()
    assert [alert["cause"] for alert in page["alerts"]] == ["A", "C"]
    assert [alert["cause"] for alert in client.get(page["next"]).json()["alerts"]] == ["B"]
    path = f"/v1/alerts/{page['alerts'][0]['alert_id']}/actions"
    assert client.post(path, json={"action": "resolve", "by": "desk 1"}).status_code == 201
    problem(client.post(path, json={"action": "acknowledge", "by": "desk 2"}), 409, "alert-resolved")
    assert client.get("/v1/alerts", params={"state": "resolved"}).json()["alerts"][0]["cause"] == "A"
    problem(client.post("/v1/alerts/999/actions", json={"action": "comment", "by": "x"}), 404, "not-found")


ODD_BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "a zone with a latitude of 120": (
        "zones",
        {"coordinates": [[[31, 120], [32, 120], [32, 121], [31, 120]]]},
    ),
    "a zone that is not a number": ("zones", {"coordinates": [[[NAN, 1], [1, 1], [1, 2], [NAN, 1]]]}),
    "a line of one point": ("corridors", {"coordinates": [[1, 1]], "tolerance_m": 5}),
    "a tolerance without end": ("corridors", {"coordinates": LINE, "tolerance_m": float("inf")}),
    "a tolerance of half the earth": ("corridors", {"coordinates": LINE, "tolerance_m": 2e7}),
    "a tolerance of true": ("corridors", {"coordinates": LINE, "tolerance_m": True}),
    "a zone that is perhaps bonded": ("zones", {"coordinates": SQUARE, "bonded": "perhaps"}),
    "a property that is not a number": ("zones", {"coordinates": SQUARE, "height": NAN}),
    "a property with a NUL": ("zones", {"coordinates": SQUARE, "note": "a\0b"}),
    "a property with half a character": ("zones", {"coordinates": SQUARE, "note": "\ud800"}),
    "a zone since the year 1": ("zones", {"coordinates": SQUARE, "valid_from": "0001-01-01T00:00:00+14:00"}),
    "a number with a NUL": ("shipments", shipment(number="a\0b")),
    "a number that no address can hold": ("shipments", shipment(number="..")),
    "a thing of blanks": ("shipments", shipment(things=["  "])),
    "a thing with a NUL": ("shipments", shipment(things=["a\0"])),
    "a shipment since the year 1": ("shipments", shipment(**{"from": "0001-01-01T00:00:00+14:00"})),
    "an attachment that ends first": (
        "attachments",
        {"device": "SIP/T", "thing": "x", "from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
    ),
    "a device with a NUL": ("devices", {"park": "SIP", "code": "T", "name": "\0"}),
}


@pytest.mark.parametrize("name", ODD_BODIES)
def test_what_nobody_could_use_is_refused_and_leaves_nothing(
    client: TestClient, conn: Connection, name: str
) -> None:
    where, body = ODD_BODIES[name]
    if "coordinates" in body:
        geometry = {
            "type": "Polygon" if where == "zones" else "LineString",
            "coordinates": body["coordinates"],
        }
        more = {key: value for key, value in body.items() if key != "coordinates"}
        body = collection(feature("ODD", "cbz" if where == "zones" else "corridor", geometry, **more))
    before = conn.execute("select count(*) from areas").fetchone()
    content = json.dumps(body)
    answer = client.post(f"/v1/{where}", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert conn.execute("select count(*) from areas").fetchone() == before
    assert client.get("/v1/zones").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/shipments?q=%00",
        "/v1/shipments/%00",
        "/v1/alerts?shipment=%00",
        "/v1/zones?park=%00",
        "/v1/zones?at=0001-01-01T00:00:00%2B14:00",
        "/v1/devices?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk",
        "/?q=%00",
    ],
)
def test_odd_questions_have_an_answer(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 422


@pytest.mark.parametrize("number", ["货-1", 'a"b', "a%b", "a#b?c", "<script>", "...", ".a"])
def test_a_number_may_be_written_with_anything_but_slashes_and_blanks(
    client: TestClient, number: str
) -> None:
    made = client.post("/v1/shipments", json=shipment(number=number))
    assert made.status_code == 201, made.text
    path = made.headers["location"]
    assert client.get(path).json()["number"] == number
    assert client.get(f"{path}/trace?format=csv").status_code == 200
    page = client.get(path.removeprefix("/v1"))
    assert page.status_code == 200
    assert "<script>" not in page.text.replace("<script type=", "")


def test_readiness_counts_nothing(client: TestClient) -> None:
    """It is asked every few seconds, by anybody."""
    assert client.get("/health/ready").json().keys() == {"status", "version"}


def test_the_log_proves_what_is_in_it(client: TestClient, conn: Connection) -> None:
    problem(client.get("/v1/log/inclusion?index=0"), 404, "no-checkpoint")
    client.post("/v1/shipments", json=shipment()).raise_for_status()
    signer = Signer(bytes(range(32)))
    Checkpointer(signer).advance(conn, NOW)
    client.post("/v1/shipments", json=shipment(number="SIP-2")).raise_for_status()
    Checkpointer(signer).advance(conn, NOW)
    newest, oldest = client.get("/v1/log/checkpoints").json()["checkpoints"]
    (key,) = client.get("/v1/log/keys").json()["keys"]
    public_key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key["public_key"]))
    public_key.verify(bytes.fromhex(newest["signature"]), newest["signed"].encode())
    shown = client.get("/v1/log/inclusion?index=2").json()
    path = [bytes.fromhex(hashed) for hashed in shown["path"]]
    root, leaf = bytes.fromhex(newest["root"]), bytes.fromhex(shown["leaf_hash"])
    assert proof.includes(leaf, 2, newest["size"], path, root)
    sizes = {"from": oldest["size"], "to": newest["size"]}
    shown = client.get("/v1/log/consistency", params=sizes).json()
    path = [bytes.fromhex(hashed) for hashed in shown["path"]]
    assert proof.extends(oldest["size"], bytes.fromhex(oldest["root"]), newest["size"], root, path)
    problem(client.get(f"/v1/log/inclusion?index={newest['size']}"), 404, "not-found")
    problem(client.get("/v1/log/consistency", params={**sizes, "to": newest["size"] + 1}), 404, "not-found")
    assert client.get("/v1/log/checkpoints?limit=1").json()["next"] is not None
