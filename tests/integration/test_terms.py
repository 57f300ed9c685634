"""Terms over the API and the command line, on a real database, down to what new terms do to findings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from devices.identifiers import parse_thing
from gateway.commands import corridors as corridors_command
from gateway.commands import terms as terms_command
from gateway.commands import zones as zones_command
from gateway.problem import Problem
from tests.support.court import MOVE, WEST, Court
from tests.support.partner import partner
from tests.support.recording import PARK, at
from tests.support.rows import NOON_US
from tests.support.traces import moved
from tracking.domain.custody.templates import Template
from tracking.store import things

NOW = datetime(2026, 3, 10, 0, 30, tzinfo=UTC)
URL = "/v1/shipments/S-1/terms"


@pytest.fixture
def court(database: str) -> Iterator[Court]:
    court = Court(database)
    line = [list(moved(*WEST, east_m, 1900)) for east_m in (-1000, 21_000)]
    court.area("NORTH", "corridor", {"type": "LineString", "coordinates": line}, tolerance_m=800.0)
    yield court
    court.close()


@pytest.fixture
def client(court: Court) -> Iterator[TestClient]:
    with partner(court.dsn, lambda: NOW) as client:
        yield client


def put(client: TestClient, legs: list[dict[str, Any]], tag: str | None = '"1"', **body: Any) -> Any:
    headers = {} if tag is None else {"If-Match": tag}
    terms = {"legs": legs} | ({"rules": body.pop("rules")} if "rules" in body else {})
    return client.put(URL, json={"terms": terms, **body}, headers=headers)


def test_a_corridor_swapped_by_new_terms_closes_and_opens_findings(court: Court, client: TestClient) -> None:
    truck = court.truck().stands(0, 300).drives(0, 5000).drives(5000, 10_000, 1900)
    court.deliver(truck)
    court.judge()
    court.expect_findings(route_deviation=("major", "open"))
    # The road north was allowed all along: the deviation is withdrawn.
    answer = put(client, [MOVE | {"corridor": "NORTH"}], **{"from": at(0).isoformat()})
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
    assert court.judge() == 1
    ((rule, cause, *_),) = court.findings()
    assert (rule, cause) == ("route_deviation", "NORTH")  # from departure until it reached that road
    assert ("S-1", "route_deviation", "WAY", "major", "resolved", 1) in court.alerts()
    # And allowed no longer once it was there, for longer than a leg may begin off its road.
    put(client, [MOVE], '"2"', **{"from": at(600).isoformat()})
    court.judge()
    found = [(cause, state) for _, cause, _, state, *_ in court.findings()]
    assert found == [("NORTH", "closed"), ("WAY", "open")]


def test_a_rule_changed_by_new_terms_changes_the_finding(court: Court, client: TestClient) -> None:
    truck = court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900)
    court.deliver(truck)
    court.judge()
    put(client, [MOVE], rules={"route_deviation": {"severity": "critical"}}, **{"from": at(0).isoformat()})
    court.judge()
    court.expect_findings(route_deviation=("critical", "open"))


def test_a_shorter_silence_set_by_terms_is_measured_in_the_observations(
    court: Court, client: TestClient
) -> None:
    truck = court.truck().stands(0, 300).drives(0, 4000).is_quiet(200).drives(4000, 9000)
    court.deliver(truck)
    court.judge()
    court.expect_findings()
    factor = {"device_silent": {"parameters": {"factor": 2}}}
    put(client, [MOVE], rules=factor, **{"from": at(0).isoformat()})
    court.judge()
    court.expect_findings(device_silent=("major", "closed"))


def test_terms_of_tomorrow_wait_for_tomorrow(court: Court, client: TestClient) -> None:
    truck = court.truck().stands(0, 300).drives(0, 4000)
    court.deliver(truck)
    court.judge()
    put(client, [MOVE | {"corridor": "NORTH"}], **{"from": at(truck.told + 1000).isoformat()})
    court.judge()
    court.expect_findings()
    ((due,),) = court.rows("select due_at from work where kind = 'shipment_due'")
    assert due == at(truck.told + 1000)


def test_an_update_that_somebody_overtook_is_refused(court: Court, client: TestClient) -> None:
    court.truck()
    shown = client.get(URL)
    assert (shown.headers["ETag"], shown.json()["revision"]) == ('"1"', 1)
    missing = put(client, [MOVE], None)
    assert (missing.status_code, missing.json()["type"]) == (
        428,
        "urn:bondwatch:problem:precondition-required",
    )
    assert put(client, [MOVE | {"max_silence_s": 900}]).json()["revision"] == 2
    lost = put(client, [MOVE | {"max_silence_s": 600}])
    assert (lost.status_code, lost.json()["revision"]) == (412, 2)
    assert put(client, [MOVE | {"max_silence_s": 600}], 'W/"2"').status_code == 412
    assert put(client, [MOVE | {"max_silence_s": 600}], '"7", "2"').headers["ETag"] == '"3"'
    assert put(client, [MOVE | {"max_silence_s": 500}], "*").headers["ETag"] == '"4"'
    again = put(client, [MOVE | {"max_silence_s": 500}], '"3"')  # the answer of the first time was lost
    assert (again.status_code, again.headers["ETag"], again.json()["is_new"]) == (200, '"4"', False)
    revisions = client.get(URL + "/revisions").json()["revisions"]
    assert [row["revision"] for row in revisions] == [4, 3, 2, 1]
    assert revisions[0]["body"]["legs"][0]["max_silence_s"] == 500
    assert revisions[0]["recorded_by"] == "tests"


def test_of_two_updates_at_once_one_is_told_that_it_lost(court: Court, client: TestClient) -> None:
    court.truck()
    start = Barrier(4)

    def update(seconds: int) -> int:
        start.wait()
        return int(put(client, [MOVE | {"max_silence_s": seconds}]).status_code)

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(update, (600, 700, 800, 900))) == [200, 412, 412, 412]
    assert len(client.get(URL + "/revisions").json()["revisions"]) == 2


def test_the_creation_said_again_is_the_same_after_new_terms(court: Court, client: TestClient) -> None:
    body = {"number": "S-9", "park": PARK, "things": ["苏E1289K"], "terms": {"legs": [MOVE]}}
    assert client.post("/v1/shipments", json=body).status_code == 201
    other = {"terms": {"legs": [MOVE | {"max_silence_s": 900}]}}
    revised = client.put("/v1/shipments/S-9/terms", json=other, headers={"If-Match": '"1"'})
    assert revised.status_code == 200
    assert client.post("/v1/shipments", json=body).status_code == 200


def test_every_fault_and_warning_is_in_the_answer(court: Court, client: TestClient) -> None:
    court.truck(expected_every_s=60)
    legs = [MOVE | {"corridor": "WAI", "max_silence_s": 30}, {"type": "stay", "zones": ["LAYBY"]}]
    answer = put(client, legs).json()
    assert answer["pointer"] == "/terms/legs/0/corridor"
    assert [(one["pointer"], one.get("meant")) for one in answer["errors"]] == [
        ("/terms/legs/0/corridor", "WAY"),
        ("/terms/legs/1/zones", None),
    ]
    (warning,) = answer["warnings"]
    assert warning["pointer"] == "/terms/legs/0/max_silence_s"
    assert "SIP/TRK-1 reports every 60 s" in warning["detail"]
    taken = put(client, [MOVE | {"max_silence_s": 30}])
    assert taken.status_code == 200
    assert taken.json()["warnings"] == [warning]
    body = {"number": "S-9", "park": PARK, "things": ["box-TRK-1"], "terms": {"legs": legs[:1]}}
    body["terms"]["legs"][0]["corridor"] = "WAY"  # type: ignore[index]
    body["from"] = at(0).isoformat()
    assert client.post("/v1/shipments", json=body).json()["warnings"] == [warning]


def test_a_warning_of_the_tracker_on_whatever_the_goods_are_in(court: Court, client: TestClient) -> None:
    court.truck(expected_every_s=60)
    scan = things.EventRow(parse_thing("P-1"), parse_thing("box-TRK-1"), "ADD", None, NOON_US, by="a partner")
    with court.conn.transaction():
        things.add_events(court.conn, [scan], recorded_at=at(0))
    court.judge()
    body = {
        "number": "S-9",
        "park": PARK,
        "things": ["P-1"],
        "terms": {"legs": [MOVE | {"max_silence_s": 30}]},
    }
    (warning,) = client.post("/v1/shipments", json=body | {"from": at(10).isoformat()}).json()["warnings"]
    assert "SIP/TRK-1 reports every 60 s" in warning["detail"]
    earlier = body | {"number": "S-8", "from": at(-10).isoformat()}
    assert client.post("/v1/shipments", json=earlier).json()["warnings"] == []


def test_terms_of_no_shipment(court: Court, client: TestClient) -> None:
    assert client.get(URL).status_code == 404
    assert client.get(URL + "/revisions").status_code == 404
    assert put(client, [MOVE]).status_code == 404


def test_templates_and_the_schema_are_there_to_read(client: TestClient) -> None:
    templates = client.get("/v1/terms/templates").json()["templates"]
    assert len(templates) == 6
    assert set(templates[0]) == set(Template.__struct_fields__)
    published = Path(__file__).parents[2] / "docs" / "schema" / "terms.json"
    assert client.get("/v1/schemas/terms.json").json() == json.loads(published.read_text("utf-8"))


class TestCommand:
    """What a person sees."""

    @pytest.fixture(autouse=True)
    def here(self, court: Court, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("BONDWATCH_DATABASE_DSN", court.dsn)
        monkeypatch.chdir(tmp_path)

    def validate(self, body: Any, *more: str) -> Any:
        Path("terms.json").write_text(json.dumps(body), "utf-8")
        return CliRunner().invoke(terms_command.app, ["validate", "terms.json", *more])

    def test_what_is_wrong_is_said_with_where_and_what_to_do(self) -> None:
        done = self.validate({"legs": [MOVE | {"corridor": "WEY"}]}, "--park", PARK)
        assert done.exit_code == 1
        assert done.stderr == (
            f'error: terms.json: /legs/0/corridor: no corridor "WEY" in park {PARK}\n'
            f'       did you mean "WAY"?  bondwatch corridors list --park {PARK}\n'
        )

    def test_good_terms_are_said_to_be_good(self) -> None:
        done = self.validate({"legs": [MOVE]}, "--park", PARK)
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout == "terms.json: these terms can be used\n"
        assert json.loads(self.validate({"legs": [MOVE]}, "--json").stdout) == {"ok": True, "problems": []}

    def test_a_park_that_is_not_there(self) -> None:
        done = self.validate({"legs": [MOVE]}, "--park", "NOWHERE")
        assert isinstance(done.exception, Problem)
        assert f"there are: {PARK}" in str(done.exception)

    def test_a_template_goes_through_validation(self) -> None:
        values = ["--set", "from=ORIGIN", "--set", "to=DESTINATION", "--set", "corridor=WAY"]
        done = CliRunner().invoke(terms_command.app, ["template", "bonded-to-bonded", *values])
        assert (done.exit_code, done.stderr) == (0, "")
        assert self.validate(json.loads(done.stdout), "--park", PARK).exit_code == 0

    def test_a_template_says_which_examples_stand_in_it(self) -> None:
        done = CliRunner().invoke(terms_command.app, ["template", "bonded-to-bonded", "--set", "from=ORIGIN"])
        assert "to=SIPCBZ-W" in done.stderr
        assert "from=" not in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["template", "transt"], 'did you mean "transit"?'),
            (["template", "transit", "--set", "seal"], "KEY=VALUE"),
            (["template", "transit", "--set", "deadline=soon"], "/legs/1/deadline"),
            (["validate", "nothing.json"], "can't be read"),
        ],
    )
    def test_what_cannot_be_done(self, arguments: list[str], said: str) -> None:
        done = CliRunner().invoke(terms_command.app, arguments)
        assert isinstance(done.exception, Problem)
        assert said in str(done.exception)

    def test_the_places_are_listed(self) -> None:
        lines = CliRunner().invoke(corridors_command.app, ["list", "--json", "--park", PARK]).stdout
        assert [json.loads(line)["code"] for line in lines.splitlines()] == ["NORTH", "WAY"]
        table = CliRunner().invoke(zones_command.app, ["list"]).stdout
        assert "DESTINATION" in table
        assert "NORTH" not in table
