"""What went onto vehicles, counted by API from scans and papers."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.desk import TRUCK, Desk
from tests.support.partner import partner
from tests.support.recording import at
from tracking.store import loadings
from tracking.store.database import Connection

OTHER = "苏E33D71"


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    """S-1 has three parcels and S-2 one; D-1 and D-2 are nobody's."""
    made = Desk(database)
    made.shipment("S-1", "P-1", "P-2", "P-3")
    made.shipment("S-2", "P-4")
    made.files("release", "R-1", -60, shipments=["S-1"], state="released")
    for place, code in enumerate(("P-1", "P-2", "P-3", "P-4", "D-1")):
        made.scans(60 * place, "loading", code, TRUCK)
    made.scans(300, "loading", "D-2", OTHER)
    made.judge()
    yield made
    made.close()


@pytest.fixture
def client(desk: Desk, database: str) -> Iterator[TestClient]:
    with partner(database, lambda: at(3600), name="yard") as client:
        yield client


def counted(client: TestClient, since: float = 0, until: float = 600, **asked: Any) -> dict[str, Any]:
    between = {"since": at(since).isoformat(), "until": at(until).isoformat()}
    answer = client.get("/v1/statistics/loadings", params=between | asked)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def of(told: dict[str, Any], vehicle: str = TRUCK) -> dict[str, int]:
    (row,) = [row for row in told["vehicles"] if row["vehicle"] == vehicle]
    return {name: count for name, count in row.items() if name not in {"vehicle", "uri"} and count}


def test_things_are_counted_by_vehicle_and_in_all(client: TestClient) -> None:
    told = counted(client)
    released = {"released": 3, "may_leave": 4}
    assert of(told) == {"loaded": 5, "aboard": 5, "under_custody": 4, "others": 1} | released
    assert of(told, OTHER) == {"loaded": 1, "aboard": 1, "others": 1, "may_leave": 1}
    assert told["total"]["loaded"] == 6
    assert told["total"]["may_leave"] == 5
    assert of(counted(client, vehicle=OTHER), OTHER)["loaded"] == 1
    assert len(counted(client, vehicle=OTHER)["vehicles"]) == 1


def test_scanned_again_is_loaded_once(desk: Desk, client: TestClient) -> None:
    for seconds in (400, 410, 420):
        desk.scans(seconds, "loading", "P-1", TRUCK)
    desk.judge()
    assert of(counted(client))["loaded"] == 5


def test_a_hold_of_a_parcel_goes_before_the_release_of_its_shipment(desk: Desk, client: TestClient) -> None:
    desk.files("release", "H-1", -30, things=["P-2"], state="hold")
    assert of(counted(client)).items() >= {"released": 2, "held": 1, "may_leave": 3}.items()
    desk.files("release", "R-2", 30, things=["P-2"], state="released")
    assert of(counted(client)).items() >= {"released": 3, "may_leave": 4}.items()


def test_what_comes_off_is_pulled_back_from_then_on(desk: Desk, client: TestClient) -> None:
    desk.scans(400, "unloading", "P-2", TRUCK)
    desk.judge()
    assert of(counted(client, until=399)).items() >= {"loaded": 5, "aboard": 5}.items()
    assert of(counted(client)).items() >= {"loaded": 5, "aboard": 4, "pulled_back": 1, "released": 2}.items()


def test_only_what_was_loaded_between_the_moments_counts(client: TestClient) -> None:
    assert of(counted(client, since=100, until=200)) == {
        "loaded": 2, "aboard": 2, "under_custody": 2, "released": 1, "may_leave": 1
    }  # fmt: skip


@pytest.mark.parametrize("asked", [{"since": 600, "until": 0}, {"vehicle": " "}])
def test_what_makes_no_sense_is_refused(client: TestClient, asked: dict[str, Any]) -> None:
    between = {
        "since": at(asked.get("since", 0)).isoformat(),
        "until": at(asked.get("until", 600)).isoformat(),
    }
    more = {"vehicle": asked["vehicle"]} if "vehicle" in asked else {}
    assert client.get("/v1/statistics/loadings", params=between | more).status_code == 422


def test_the_total_counts_the_vehicles_of_all_pages(client: TestClient, desk: Desk) -> None:
    whole = counted(client)
    assert (whole["count"], len(whole["vehicles"]), whole["next"]) == (2, 2, None)
    first = counted(client, limit=1)
    assert (len(first["vehicles"]), first["count"], first["total"]) == (1, 2, whole["total"])
    second = client.get(first["next"]).json()
    assert (len(second["vehicles"]), second["count"], second["total"]) == (1, 2, whole["total"])
    assert [*first["vehicles"], *second["vehicles"]] == whole["vehicles"]
    last = client.get(second["next"]).json()
    assert (last["vehicles"], last["total"], last["next"]) == ([], whole["total"], None)
    nothing = counted(client, since=-7200, until=-3600)
    assert (nothing["vehicles"], nothing["count"], set(nothing["total"].values())) == ([], 0, {0})


def test_the_page_says_when_it_lists_some_only(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    between = {"since": at(0).isoformat(), "until": at(600).isoformat(), "lang": "en"}
    assert "are listed" not in client.get("/loadings", params=between).text
    cut = functools.partial(loadings.loadings, limit=1)
    monkeypatch.setattr(loadings, "loadings", cut)
    shown = client.get("/loadings", params=between)
    assert "1 of 2 vehicles are listed; the total counts all of them." in shown.text
    assert '<th class="num">6</th>' in shown.text


def test_a_day_s_loadings_are_found_by_their_time(conn: Connection) -> None:
    """Among those of a hundred days; a plan that reads them all would read years."""
    conn.execute(
        "insert into things (uri, kind, label)"
        " select 'urn:test:' || n, case when n <= 100 then 'vehicle' else 'parcel' end, 'T' || n"
        " from generate_series(1, 20100) n"
    )
    conn.execute(
        "insert into containments (child_id, parent_id, valid_from, began, recorded_at)"
        " select c.thing_id, v.thing_id, %(noon)s + n * interval '432 seconds', '{}', %(noon)s"
        " from generate_series(1, 20000) n join things c on c.uri = 'urn:test:' || (100 + n)"
        " join things v on v.uri = 'urn:test:' || (1 + n %% 100)",
        {"noon": at(0)},
    )
    conn.execute("analyze things, containments")
    asked: dict[str, Any] = {
        "since": at(86_400),
        "until": at(2 * 86_400),
        "vehicles": None,
        "label": None,
        "uri": None,
    }
    plan = conn.execute(b"explain " + loadings.SQL["loadings"], asked | {"limit": 10}).fetchall()
    assert any("containments_begun" in line for (line,) in plan), plan
    assert loadings.loadings(conn, since=asked["since"], until=asked["until"]).total["loaded"] == 200
