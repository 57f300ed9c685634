"""Coverage and continuity from the real record: by API, summed, signed, on the certificate."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from tests.support.court import Court
from tests.support.partner import partner
from tests.support.recording import at
from tracking.domain.ledger.checkpoint import Signer
from tracking.exchange import certificate, coverage
from tracking.judge.checkpoints import Checkpointer
from tracking.store import judging
from tracking.store.database import Connection

CARRIER = "91320594MA1WDEM02P"
SIGNER = Signer(bytes(range(32)))


@pytest.fixture
def api(court: Court) -> Iterator[TestClient]:
    with partner(court.dsn, lambda: at(9000)) as client:
        yield client


def signed(court: Court) -> None:
    Checkpointer(SIGNER).advance(court.conn, at(8000))


def journey(court: Court, code: str = "TRK-1", shipment: str = "S-1") -> None:
    """Five minutes in ORIGIN, an hour's way with ten quiet minutes in it, then there."""
    truck = court.truck(code, shipment=shipment, custodian=CARRIER, max_silence_s=120)
    truck.stands(0, 300).drives(0, 8000).is_quiet(600).drives(8000, 20_600)
    court.deliver(truck)
    court.judge()


def covered(api: TestClient, shipment: str = "S-1") -> dict[str, Any]:
    answer = api.get(f"/v1/shipments/{shipment}/coverage")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def reasons(part: dict[str, Any]) -> set[str]:
    return {why for missing in part["missing"] for why in missing["why"]}


def test_the_numbers_of_a_shipment_with_what_is_missing(court: Court, api: TestClient) -> None:
    journey(court)
    told = covered(api)
    whole = told["whole"]
    (silent,) = [m for m in whole["measured"]["missing"] if "silent" in m["why"]]
    assert whole["measured"]["seconds"] < whole["custody_s"] - 600
    assert whole["measured"]["seconds"] + sum(
        (_moment(m["ends"]) - _moment(m["begins"])).total_seconds() for m in whole["measured"]["missing"]
    ) == pytest.approx(whole["custody_s"])
    assert (_moment(silent["ends"]) - _moment(silent["begins"])).total_seconds() == pytest.approx(600, abs=40)
    assert told["legs"][0]["corridor"] == "WAY"
    assert told["legs"][0]["custodian"] == CARRIER
    assert told["continuity"]["verdict"] in {"continuous", "gap"}


def _moment(text: str) -> Any:
    return datetime.fromisoformat(text)


def test_only_what_is_below_a_signed_head_is_verifiable(court: Court, api: TestClient) -> None:
    truck = court.truck(custodian=CARRIER)
    court.deliver(truck.stands(0, 300).drives(0, 8000))
    court.judge()
    assert whole_of(api, "unsigned") == [("all", None)]
    signed(court)
    assert whole_of(api, "unsigned") == []
    last = court.rows("select max(event_time) from observations")[0][0]
    court.deliver(truck.drives(8000, 12_000))
    court.judge()
    assert whole_of(api, "unsigned") == [("since", last)]
    signed(court)
    assert whole_of(api, "unsigned") == []


def whole_of(api: TestClient, why: str) -> list[tuple[str, Any]]:
    """Where a reason begins to hold: from the first moment on, or since when."""
    whole = covered(api)["whole"]
    missing = [m for m in whole["verifiable"]["missing"] if why in m["why"]]
    if not missing:
        return []
    first = missing[0]["begins"]
    assert missing[-1]["ends"] == whole["ends"]
    return [("all", None) if first == whole["begins"] else ("since", _moment(first))]


def test_a_batch_that_is_committed_late_is_unsigned_until_its_leaf(court: Court, api: TestClient) -> None:
    truck = court.truck(custodian=CARRIER)
    court.deliver(truck.stands(0, 300).drives(0, 8000))
    signed(court)
    court.judge()
    court.conn.execute("delete from log where index = (select min(index) from log where kind = 'batch')")
    assert whole_of(api, "unsigned") == [("all", None)]


def test_sums_by_carrier_park_and_route_add_up_over_pages(court: Court, api: TestClient) -> None:
    journey(court)
    journey(court, "TRK-2", "S-2")
    asked = {"since": at(0).isoformat(), "until": at(50_000).isoformat()}
    one = [covered(api, number)["whole"] for number in ("S-1", "S-2")]
    for by, name in (("carrier", CARRIER), ("park", "SIP"), ("route", "WAY")):
        answer = api.get("/v1/statistics/coverage", params={"by": by, **asked}).json()
        ((group),) = answer["groups"]
        assert (group["name"], answer["shipments"], answer["next"]) == (name, 2, None)
        assert group["custody_s"] == sum(whole["custody_s"] for whole in one)
        assert group["measured_s"] == sum(whole["measured"]["seconds"] for whole in one)
        assert group["shares"]["measured"] == pytest.approx(group["measured_s"] / group["custody_s"])
    pages = []
    url: str | None = "/v1/statistics/coverage?by=park&limit=1&" + "&".join(
        f"{key}={value.replace('+', '%2B')}" for key, value in asked.items()
    )
    while url is not None:
        answer = api.get(url).json()
        pages.append(sum(group["custody_s"] for group in answer["groups"]))
        url = answer["next"]
    assert sum(pages) == sum(whole["custody_s"] for whole in one)


def test_only_the_time_between_the_moments_counts(court: Court, api: TestClient) -> None:
    journey(court)
    begins = _moment(covered(api)["whole"]["begins"])
    asked = {"by": "park", "since": begins.isoformat(), "until": (begins + timedelta(minutes=1)).isoformat()}
    (group,) = api.get("/v1/statistics/coverage", params=asked).json()["groups"]
    assert group["custody_s"] == 60
    asked = {"by": "park", "since": at(-9000).isoformat(), "until": at(-7200).isoformat()}
    assert api.get("/v1/statistics/coverage", params=asked).json()["groups"] == []


def test_what_can_t_be_asked_is_refused(api: TestClient) -> None:
    assert api.get("/v1/shipments/NOBODY/coverage").status_code == 404
    asked = {"by": "park", "since": at(9).isoformat(), "until": at(9).isoformat()}
    assert api.get("/v1/statistics/coverage", params=asked).status_code == 422


def test_before_the_first_leg_there_are_no_numbers(court: Court, api: TestClient) -> None:
    court.truck()
    told = covered(api)
    assert (told["whole"], told["legs"]) == (None, [])


def test_the_snapshot_can_t_write(court: Court) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), coverage.snapshot(court.conn) as conn:
        conn.execute("delete from log")


def test_a_page_gathers_what_it_tells_once(
    court: Court, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chain, coverage and temperatures rest on the same facts; those cost most of a page."""
    journey(court)
    asked: list[list[int]] = []
    terms_of = judging.terms_of

    def counting(conn: Connection, ids: list[int]) -> Any:
        asked.append(ids)
        return terms_of(conn, ids)

    monkeypatch.setattr(judging, "terms_of", counting)
    page = api.get("/shipments/S-1?lang=en")
    assert (page.status_code, len(asked)) == (200, 1)
    assert "Custody coverage" in page.text


def test_the_certificate_carries_them(court: Court) -> None:
    journey(court)
    signed(court)
    made = certificate.make(court.conn, "S-1", at(9000), SIGNER)
    told = made.custody["coverage"]
    assert told["whole"]["custody_s"] > 0
    assert "unsigned" not in reasons(told["whole"]["verifiable"])
    assert made.custody["state"]["continuity"]["verdict"] == told["continuity"]["verdict"]
