"""The pages in a real browser: what staff see, in both languages, live, without internet."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Page, expect
from psycopg.types.json import Jsonb

from devices.observation import Observation, Position, micros
from tests.support import chromium
from tests.support.partner import KEY
from tracking.api.access import key_hash
from tracking.api.app import create_app
from tracking.console import pages
from tracking.domain.custody.corrections import Observed
from tracking.domain.ledger import merkle
from tracking.domain.ledger.certificate import check, read
from tracking.domain.ledger.checkpoint import Signer
from tracking.judge.checkpoints import Checkpointer
from tracking.judge.containing import Containing
from tracking.judge.loop import drain
from tracking.store import correcting, registry, shipments
from tracking.store.database import Connection
from tracking.store.observations import ObservationColumns, insert_observations
from tracking.store.partitions import Partitions

NOW = datetime(2026, 3, 10, 0, 30, tzinfo=UTC)
BEGIN = NOW - timedelta(hours=2)
SIGNER = Signer(bytes(range(32)))


@pytest.fixture(scope="module")
def window() -> Iterator[Any]:
    with chromium.browser() as browser:
        yield browser


@pytest.fixture
def address(database: str, conn: Connection) -> Iterator[str]:
    """A served installation with one shipment that strayed."""
    set_stage(conn)
    app = create_app(database, now=lambda: NOW, signer=SIGNER)
    pages.mount(app)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(10)


@pytest.fixture
def page(window: Any, address: str) -> Iterator[Page]:
    context = window.new_context(
        base_url=address, locale="en-GB", viewport={"width": 1440, "height": 900}, service_workers="block"
    )
    page = context.new_page()
    errors: list[str] = []
    strangers: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: strangers.append(request.url) if address not in request.url else None)
    page.goto(f"/login#{KEY}")
    page.wait_for_url(f"{address}/")
    yield page
    context.close()
    assert errors == []
    assert strangers == [], "the pages must work without internet"


def set_stage(conn: Connection) -> None:
    registry.add_key(conn, "tests", key_hash(KEY), NOW)
    registry.put_park(conn, "SIP", name_en="Suzhou", name_zh="苏州", time_zone="Asia/Shanghai")
    east = [[[120.79, 31.33], [120.82, 31.33], [120.82, 31.35], [120.79, 31.35], [120.79, 31.33]]]
    line = [[120.805, 31.34], [121.2, 31.3], [121.7, 31.15]]
    with conn.transaction():
        registry.lock_reference(conn)
        for code, kind, geometry, tolerance, zh in (
            ("SIPCBZ-E", "cbz", {"type": "Polygon", "coordinates": east}, None, "园区综保区东区"),
            ("C-PVG-SIPE", "corridor", {"type": "LineString", "coordinates": line}, 1500.0, "浦东—园区"),
        ):
            registry.put_area(
                conn, code=code, kind=kind, park="SIP", geometry=geometry, tolerance_m=tolerance,
                properties={"name_en": code, "name_zh": zh}, valid_from=BEGIN, recorded_at=NOW,
                recorded_by="tests",
            )  # fmt: skip
    device = registry.add_device(
        conn,
        park="SIP",
        code="TRK-1",
        kind="tracker",
        name="",
        datum="wgs84",
        expected_every_s=30,
        registered_at=BEGIN,
    )
    assert device is not None
    thing, _ = registry.thing(conn, "沪AD5127")
    registry.attach(
        conn,
        device_id=device,
        thing_id=thing,
        role="primary",
        valid_from=BEGIN,
        valid_to=None,
        recorded_at=NOW,
    )
    leg = {"type": "move", "from_zones": ["SIPCBZ-E"], "corridor": "C-PVG-SIPE", "to_zones": ["SIPCBZ-E"]}
    shipments.create(
        conn, number="SIP-1", park="SIP", reference="QD-123", things=["沪AD5127"], terms={"legs": [leg]},
        valid_from=BEGIN, recorded_at=NOW, recorded_by="tests",
    )  # fmt: skip
    record_drive(conn, device)
    add_finding(conn)
    judged(conn)


def judged(conn: Connection) -> None:
    conn.execute(
        "insert into source_positions (source, partition, through_at) values ('test', 0, %s)", (NOW,)
    )
    conn.execute(
        "insert into custody_states (shipment_id, state, judged_through, rules_version, recorded_at)"
        " select shipment_id, '{}', %s, 1, %s from shipments",
        (NOW, NOW),
    )


def record_drive(conn: Connection, device: int) -> None:
    rows = ObservationColumns()
    for number in range(120):
        at = BEGIN + timedelta(seconds=30 * number)
        off = 0.03 if 60 <= number < 80 else 0.0
        fact = Position(lon=121.7 - number * 0.0075, lat=31.15 + number * 0.0016 + off, accuracy_m=8)
        rows.add(
            device,
            micros(at),
            number,
            Observation(1, number, micros(at), fact, b'{"run":1,"seq":%d}' % number),
        )
    Partitions().ensure(conn, rows.time_us)
    with conn.transaction(), conn.cursor() as cursor:
        root = merkle.root(rows.body)
        cursor.execute(
            "insert into batches (source, worker, recorded_at, events, root) values ('t', 'w', %s, %s, %s)",
            (NOW, len(rows), root),
        )
        insert_observations(cursor, rows, batch_id=1, recorded_at=NOW)
    conn.execute(
        "insert into milestones (device_id, time, kind, area, detail, at_time, at_run, at_seq, fold_version,"
        " recorded_at) values (%s, %s, 'returned', 'C-PVG-SIPE', '{}', %s, 1, 0, 1, %s)",
        (device, BEGIN, BEGIN, NOW),
    )
    strayed = BEGIN + timedelta(seconds=30 * 60)
    conn.execute(
        "insert into milestones (device_id, time, kind, area, detail, at_time, at_run, at_seq, fold_version,"
        " recorded_at) values (%s, %s, 'strayed', 'C-PVG-SIPE', %s, %s, 1, 66, 1, %s)",
        (device, strayed, Jsonb({"distance_m": 3321.4}), strayed + timedelta(seconds=180), NOW),
    )


STRAYED = {
    "milestone": "strayed",
    "device": "SIP/TRK-1",
    "time": "2026-03-09T23:00:00+00:00",
    "known_at": {"time": "2026-03-09T23:03:00+00:00", "run": 1, "seq": 66},
    "detail": {"distance_m": 3321.4},
}


def add_finding(conn: Connection) -> None:
    conn.execute(
        "insert into findings (finding_id, shipment_id, rule, rules_version, cause, verdict, state, severity,"
        " opened_at, evidence, parameters, terms_revision, recorded_at)"
        " select 'f-1', shipment_id, 'route_deviation', 1, 'C-PVG-SIPE', 'finding', 'open', 'major',"
        " %s, %s, %s, 1, %s from shipments",
        (
            BEGIN + timedelta(seconds=1800),
            Jsonb([STRAYED]),
            Jsonb({"tolerance_m": 1500}),
            NOW,
        ),
    )


def test_papers_stand_on_the_page_in_local_time(page: Page) -> None:
    """A customs' time has no offset: 08:15 there is 08:15 here, and a quarter past midnight in UTC."""
    pass_ = {"type": 2, "direction": "in", "zone": "SIPCBZ-E", "vehicle": "沪AD5127"}
    said = {"number": "Z-7", "dclTime": "2026-03-10 08:15:00", "body": pass_, "shipments": ["SIP-1"]}
    assert page.request.post("/v1/passes", data=said).status == 201
    page.goto("/shipments/SIP-1")
    papers = page.locator("details.papers")
    papers.locator("summary").click()
    expect(papers).to_contain_text("gate pass Z-7")
    moment = papers.locator("time")
    expect(moment).to_contain_text("03-10 08:15:00")
    expect(moment).to_have_attribute("title", "2026-03-10 00:15:00 UTC")
    page.goto("/shipments/SIP-1?lang=zh")
    expect(page.locator("details.papers")).to_contain_text("核放单")


def test_what_was_loaded_on_vehicles_is_counted_between_local_moments(page: Page, conn: Connection) -> None:
    for code in ("P-1", "P-2"):
        said = {
            "action": "ADD",
            "parent": "苏E1289K",
            "children": [code],
            "time": "2026-03-10T08:00:00+08:00",
        }
        assert page.request.post("/v1/aggregations", data=said).status == 201
    drain(conn, [Containing()], lambda: NOW)
    page.get_by_role("link", name="Loaded on vehicles").click()
    row = page.locator("tbody tr")
    expect(row).to_contain_text("苏E1289K")
    expect(row.locator("td").nth(1)).to_have_text("2")
    page.locator("input[name=since]").fill("2026-03-10T08:01")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("Nothing was loaded on a vehicle in this time.")).to_be_visible()


def test_a_finding_leads_to_its_raw_messages(page: Page) -> None:
    page.goto("/shipments/SIP-1")
    page.locator("article.finding summary").click()
    address = page.get_by_role("link", name="Raw messages").get_attribute("href") or ""
    (message,) = page.request.get(address).json()["observations"]
    assert (message["device"], message["seq"], message["text"]) == ("SIP/TRK-1", 66, '{"run":1,"seq":66}')


def test_the_list_leads_to_a_shipment_by_keyboard(page: Page) -> None:
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_text("major")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("沪AD5")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=*")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/shipments/SIP-1")


def test_a_search_without_a_match_says_what_to_do(page: Page) -> None:
    page.goto("/?q=NOTHING")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    expect(page.get_by_text("clear the search")).to_be_visible()


def test_a_shipment_shows_trace_milestones_and_why(page: Page) -> None:
    page.goto("/shipments/SIP-1")
    expect(page.locator(".timeline").first).to_contain_text("strayed from C-PVG-SIPE")
    finding = page.locator("article.finding")
    expect(finding).to_contain_text("Off the approved corridor")
    finding.locator("summary").click()
    expect(finding).to_contain_text("SIP/TRK-1 run 1 seq 66")
    expect(finding).to_contain_text("3,321.4")
    expect(page.locator(".head")).to_contain_text("Chain of custody")
    expect(page.locator(".coverage .share")).to_have_count(3)
    expect(page.locator(".coverage")).to_contain_text("measured")
    path = page.locator("#trace").get_attribute("d") or ""
    assert path.count("L") > 3
    expect(page.locator("#map .event")).to_have_count(1)


def test_times_are_local_and_utc_on_hover(page: Page) -> None:
    page.goto("/shipments/SIP-1")
    time_of_finding = page.locator("article.finding time").first
    expect(time_of_finding).to_have_text("03-10 07:00:00")
    expect(time_of_finding).to_have_attribute("title", "2026-03-09 23:00:00 UTC")


def test_a_live_position_moves_the_mark_and_a_change_of_custody_renews_the_page(
    page: Page, conn: Connection
) -> None:
    page.goto("/shipments/SIP-1")
    expect(page.locator("#status")).to_have_text("live")
    before = page.locator("#here").get_attribute("cx")
    position = ["SIP/TRK-1", micros(NOW - timedelta(minutes=1)) // 1000, 120.9, 31.4, 12.5, None]
    until_changed(
        page,
        conn,
        "bw_positions",
        {"positions": [position]},
        lambda: page.locator("#here").get_attribute("cx") != before,
    )
    conn.execute("update findings set state = 'closed', closed_at = opened_at + interval '9 minutes'")
    closed = page.locator("article.finding.closed")
    until_changed(page, conn, "bw_alerts", {"shipment": "SIP-1"}, lambda: closed.count() == 1)
    expect(closed).to_contain_text("07:09:00")


def until_changed(page: Page, conn: Connection, channel: str, body: Any, changed: Any) -> None:
    """Notify until the page shows it: what was sent before its stream was open is not repeated to it."""
    deadline = time.monotonic() + 10
    while not changed():
        assert time.monotonic() < deadline, "the page did not change"
        conn.execute("select pg_notify(%s, %s)", (channel, json.dumps(body)))
        page.wait_for_timeout(100)


def test_chinese_is_whole(page: Page) -> None:
    page.goto("/shipments/SIP-1?lang=zh")
    expect(page.locator("article.finding")).to_contain_text("偏离指定路线")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator(".coverage")).to_contain_text("可测")
    expect(page.locator(".coverage")).to_contain_text("可控")
    expect(page.locator(".coverage")).to_contain_text("可验")
    page.goto("/")
    expect(page.get_by_role("heading", name="监管货物")).to_be_visible()


def test_the_view_is_in_the_address(page: Page) -> None:
    page.goto("/shipments/SIP-1")
    page.get_by_role("button", name="Zoom in").click()
    assert "view=" in page.url
    before = [float(part) for part in (page.locator("#map").get_attribute("viewBox") or "").split()]
    page.reload()
    expect(page.locator("#map")).not_to_have_attribute("viewBox", "0 0 1000 640")
    after = [float(part) for part in (page.locator("#map").get_attribute("viewBox") or "").split()]
    assert after == pytest.approx(before, abs=0.1)


def test_a_certificate_is_there_to_read_and_to_print(page: Page, conn: Connection) -> None:
    page.goto("/shipments/SIP-1/certificate")
    expect(page.get_by_text("Not yet signed.")).to_be_visible()
    Checkpointer(SIGNER).advance(conn, NOW)
    page.goto("/shipments/SIP-1")
    page.get_by_role("link", name="Certificate").click()
    expect(page.get_by_role("heading", name="Certificate SIP-1")).to_be_visible()
    expect(page.get_by_role("cell", name="Off the approved corridor")).to_be_visible()
    expect(page.get_by_text(f"--key {SIGNER.public_key.hex()}")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    page.emulate_media(media="screen")
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON").click()
    assert list(check(read(download.value.path().read_bytes()), SIGNER.public_key)) == []
    page.goto("/shipments/SIP-1/certificate?lang=zh")
    expect(page.get_by_role("heading", name="监管凭证 SIP-1")).to_be_visible()


def test_what_was_in_error_is_told_with_who_and_why(page: Page, conn: Connection) -> None:
    seen = [Observed("SIP/TRK-1", BEGIN + timedelta(seconds=30 * number), 1, number) for number in (66, 67)]
    for one in seen:
        correcting.correct(
            conn, one, reason="incorrect_data", why="the antenna was wet", by="desk 2", recorded_at=NOW,
            corrective=[Observed("SIP/TRK-1", BEGIN, 1, 0)],
        )  # fmt: skip
    correcting.retract(conn, 2, why="that one was right", by="desk 3", recorded_at=NOW)
    page.goto("/shipments/SIP-1?lang=en")
    expect(page.get_by_text("119 positions")).to_be_visible()
    page.get_by_text("Corrected observations 2").click()
    row = page.locator("tr", has_text="SIP/TRK-1 1/66")
    expect(row).to_contain_text("incorrect data")
    expect(row).to_contain_text("the antenna was wet")
    expect(row).to_contain_text("desk 2")
    expect(page.locator("tr.retracted")).to_contain_text("that one was right")
    row.get_by_role("link").click()
    told = json.loads(page.locator("body").inner_text())
    assert (told["text"], told["corrections"][0]["why"]) == ('{"run":1,"seq":66}', "the antenna was wet")
    page.goto("/shipments/SIP-1?lang=zh")
    page.get_by_text("观测更正 2").click()
    expect(page.locator("tr", has_text="SIP/TRK-1 1/66")).to_contain_text("数据有误")
