"""Verification on a real database: untouched it is in order, and whatever is changed is named."""
# ruff: noqa: E501 - a table of statements, a line each

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest

from devices.identifiers import parse_thing
from tests.support.court import Court
from tests.support.recording import at
from tests.support.rows import NOON_US
from tracking.domain.custody.corrections import Observed
from tracking.domain.custody.documents import Calibration, Release
from tracking.domain.ledger.checkpoint import Signer
from tracking.exchange.verify.report import Report
from tracking.exchange.verify.run import run
from tracking.judge.checkpoints import Checkpointer
from tracking.judge.loop import drain
from tracking.judge.places import replan_after_place_change
from tracking.store import correcting, decisions, documents, reading, registry, things
from tracking.store.database import connect
from tracking.store.documents import About

SEED = bytes(range(32))


@pytest.fixture
def recorded(court: Court, tmp_path: Path) -> Court:
    """A strayed truck with readings, a second shipment, a late stretch, an alert that a person closed."""
    truck = court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900)
    other = court.truck("TRK-2", shipment="S-2")
    truck.events += [
        truck.device.event(
            second, type="reading", values={"temperature_c": -18.5, "humidity_pct": 40 + second}
        )
        for second in range(3)
    ]
    court.deliver(truck)
    other.stands(0, 1000).drives(0, 3000)
    late, other.events = other.events[10:40], other.events[:10] + other.events[40:]
    court.deliver(other)
    court.deliver(other, late)
    court.judge()
    court.area(
        "LAYBY",
        "layby_forbidden",
        {"type": "Polygon", "coordinates": [SQUARE]},
        since=at(-7200),
        then=lambda conn: replan_after_place_change(conn, at(-7200)),
    )
    with court.conn.transaction():
        registry.revoke_device(court.conn, other.device.device_id, at(5000))
        ((alert_id,), *_) = court.rows("select alert_id from alerts")
        reading.act_on_alert(court.conn, alert_id, "resolve", "an officer", "looked at", at(5000))
        ((finding_id,), *_) = court.rows(
            "select finding_id from findings where superseded_at is null and state <> 'withdrawn'"
        )
        decisions.decide(
            court.conn, "S-1", finding_id,
            kind="waive", until=at(9000), reason="road closed", by="an officer", recorded_at=at(5000),
        )  # fmt: skip
    checkpoint(court, tmp_path)
    court.deliver(truck.drives(9000, 20_600))
    load(court)
    file(court)
    err(court)
    court.judge()
    checkpoint(court, tmp_path)
    return court


def load(court: Court) -> None:
    """A parcel into the truck's box, then into another without leaving it; a pallet that a partner reports."""
    scanner = court.station.device("SC-1", kind="scanner")
    scans = [
        scanner.event(second, type="scan", code="P-1", parent=parent, action="loading", quantity=quantity)
        for second, parent, quantity in ((10, "box-TRK-1", 5), (500, "box-TRK-2", None))
    ]
    court.station.deliver(scanner.sends(*scans, received=1040))
    pallet, parcel = parse_thing("PAL-1"), parse_thing("P-1")
    with court.conn.transaction():
        things.add_events(
            court.conn,
            [things.EventRow(parcel, pallet, "ADD", None, NOON_US, by="a partner")],
            recorded_at=at(5000),
        )


def file(court: Court) -> None:
    """A seal and a passage that name things, a release of the box, a calibration of the tracker."""
    gate, box = court.station.device("G-1", kind="gate"), parse_thing("box-TRK-1")
    passage = gate.event(700, type="gate", gate="G-1", lane="1", direction="in", containers=["box-TRK-1"])
    court.station.deliver(gate.sends(passage | {"pass": "Z-1", "seals": ["ES-1"]}, received=1040))
    for body, about in (
        (Release("released"), About(["S-1"], [box])),
        (Calibration("SIP/TRK-1"), About(device_id=1)),
    ):
        documents.add(
            court.conn,
            number="R-1",
            time=at(300),
            body=body,
            source="reported",
            about=about,
            by="customs",
            recorded_at=at(5000),
        )


def err(court: Court) -> None:
    """Some positions and a scan were in error; of one of them that was a mistake."""
    for device, wanted in (
        ("SIP/TRK-1", "device_id = 1 and kind = 1 and seq in (20, 21, 22)"),
        ("SIP/SC-1", "kind = 2"),
    ):
        seen = court.rows(f"select event_time, run, seq from observations where {wanted} order by seq")
        for time, run_, seq in seen:
            correcting.correct(
                court.conn, Observed(device, time, run_, seq),
                reason="incorrect_data", why="a wet antenna", by="an officer", recorded_at=at(5000),
            )  # fmt: skip
    correcting.retract(court.conn, 2, why="it was dry", by="an officer", recorded_at=at(5000))
    correcting.retract(court.conn, 4, why="the right box", by="an officer", recorded_at=at(5000))


SQUARE = [[120.9, 31.3], [120.91, 31.3], [120.91, 31.31], [120.9, 31.31], [120.9, 31.3]]


SCANNED = "(select max(event_id) from containment_events where device_id is not null)"
REPORTED = "(select event_id from containment_events where device_id is null)"


def checkpoint(court: Court, folder: Path | None = None) -> None:
    Checkpointer(Signer(SEED), folder).advance(court.conn, at(5000))


def tables(report: Report) -> set[str]:
    return {difference.table for difference in report.differences}


def test_an_untouched_database_is_in_order(recorded: Court, tmp_path: Path) -> None:
    report = run(recorded.dsn, kept=tmp_path, trusted=[Signer(SEED).public_key])
    assert report.differences == []
    ((observations,),) = recorded.rows("select count(*) from observations")
    ((findings,),) = recorded.rows("select count(*) from findings")
    assert (report.observations, report.shipments, report.checkpoints) == (observations, 2, 2)
    assert findings > 1
    assert (report.waiting, report.unlogged, report.other_version) == (0, 0, 0)


def test_several_processes_find_the_same(recorded: Court) -> None:
    assert run(recorded.dsn, processes=2).differences == []
    recorded.conn.execute("update terms set recorded_by = 'x'")
    recorded.conn.execute("delete from containments")
    assert sorted(run(recorded.dsn, processes=2).differences) == sorted(run(recorded.dsn).differences) != []


ONE_BODY = "(select min(seq) from observations where kind = 1 and device_id = 1)"
TAMPERED = {
    "a byte of an event": (
        f"update observations set body = set_byte(body, 30, 57) where device_id = 1 and seq = {ONE_BODY}",
        "observations",
    ),
    "a column of an event": ("update observations set lon = lon + 1e-7 where seq = 5", "observations"),
    "the time of an event": ("update observations set recorded_at = recorded_at - '1s'::interval where seq = 5", "observations"),
    "an event is gone": ("delete from observations where seq = 7 and device_id = 1", "observations"),
    "two events swapped": (
        "update observations o set body = p.body from observations p where o.device_id = 1 and p.device_id = 1"
        " and (o.seq, p.seq) in ((5, 6), (6, 5))",
        "observations",
    ),
    "a reading": ("update readings set value = value + 1 where seq = (select min(seq) from readings)", "readings"),
    "a reading is gone": ("delete from readings where seq = (select min(seq) from readings)", "readings"),
    "a batch": ("update batches set source = 'x' where batch_id = 1", "batches"),
    "a batch's root": ("update batches set root = set_byte(root, 0, get_byte(root, 0) # 1) where batch_id = 1", "batches"),
    "a batch is gone": ("delete from batches where batch_id = 2", "batches"),
    "terms": ("update terms set body = jsonb_set(body, '{legs,0,max_silence_s}', '901') where shipment_id = 2", "terms"),
    "terms are gone": ("delete from terms where shipment_id = 2", "terms"),
    "two terms swapped": (
        "update terms t set shipment_id = 3 - shipment_id, revision = revision + 10",
        "terms",
    ),
    "an area": ("update area_revisions set tolerance_m = 801 where tolerance_m is not null", "area_revisions"),
    "an area's end": ("update area_revisions set valid_to = valid_to - '1s'::interval", "area_revisions"),
    "an area is gone": ("delete from area_revisions where revision = 2", "area_revisions"),
    "a device": ("update devices set expected_every_s = 61 where device_id = 2", "devices"),
    "a revocation": ("update devices set revoked_at = null", "devices"),
    "an attachment": ("update attachments set valid_from = valid_from + '1s'::interval where attachment_id = 2", "attachments"),
    "a shipment": ("update shipments set reference = 'QD1' where shipment_id = 1", "shipments"),
    "the goods": ("update shipment_things set thing_id = (select min(thing_id) from things) where shipment_id = 2", "shipment_things"),
    "a finding": ("update findings set severity = 'minor' where severity = 'major'", "findings"),
    "a finding's end": ("update findings set superseded_at = superseded_at + '1s'::interval", "findings"),
    "a finding is gone": (
        "delete from ledger where finding_version = 1; delete from findings where finding_version = 1",
        "findings",
    ),
    "two entries swapped": ("update ledger set number = -number; update ledger set number = case number when -1 then 2 when -2 then 1 else -number end", "ledger"),
    "a decision": ("update decisions set reason = 'no reason'", "decisions"),
    "how far a waiver reaches": ("update decisions set until = until + '1s'::interval", "decisions"),
    "a decision is gone": ("delete from decisions", "decisions"),
    "an alert that is open": ("update alerts set state = 'resolved' where state = 'open'", "alerts"),
    "an alert that was resolved": ("update alerts set state = 'open' where state = 'resolved'", "alerts"),
    "how often an alert was": ("update alerts set occurrences = occurrences + 1", "alerts"),
    "an alert is gone": ("delete from alert_findings where alert_id = (select max(alert_id) from alerts); delete from alerts where alert_id = (select max(alert_id) from alerts)", "alert_findings"),
    "what an alert is about": ("delete from alert_findings", "alert_findings"),
    "an attachment is gone": ("delete from attachments where attachment_id = 2", "attachments"),
    "the goods are gone": ("delete from shipment_things where shipment_id = 2", "shipment_things"),
    "a ledger entry is gone": ("delete from ledger where number = 2", "ledger"),
    "a track is gone": ("delete from device_tracks where device_id = 2", "device_tracks"),
    "how a shipment stands is gone": ("delete from custody_states", "custody_states"),
    "an area's kind": ("update areas set kind = 'cbz' where kind = 'layby_forbidden'", "area_revisions"),
    "a thing's URI": ("update things set uri = uri || 'x' where label = 'box-TRK-1'", "attachments"),
    "which observation is in error": ("update corrections set seq = 23 where entry = 1", "corrections"),
    "which observation is in error, seen in what follows": ("update corrections set seq = 3, event_time = (select event_time from observations where device_id = 1 and seq = 3) where entry = 1", "milestones"),
    "why an observation is in error": ("update corrections set why = 'no reason' where entry = 1", "corrections"),
    "what tells it right": ("update corrections set corrective = '[1]' where entry = 1", "corrections"),
    "a correction is gone": ("delete from corrections where entry = 1", "corrections"),
    "a correction is gone, with its leaf": ("delete from corrections where entry = 1; delete from log where kind = 'correction' and key = 1", "log"),
    "a correction of what isn't there": ("delete from observations where device_id = 1 and seq = 20", "corrections"),
    "a correction that nobody declared": (
        "insert into corrections (device_id, event_time, run, seq, reason, why, corrective, by, recorded_at)"
        " select device_id, event_time, run, seq, 'did_not_occur', 'x', '[]', 'x', recorded_at from observations"
        " where kind = 2 order by seq limit 1",
        "containments",
    ),
    "a retraction": ("update retractions set by = 'x' where entry = 1", "retractions"),
    "a retraction is gone": ("delete from retractions where entry = 2", "retractions"),
    "a retraction is gone, seen in what follows": ("delete from retractions where entry = 2", "containments"),
    "a retraction of another": ("update retractions set correction = 3 where entry = 1", "retractions"),
    "an event that a finding rests on is gone": (
        "delete from observations o using"
        " (select piece -> 'known_at' as k from findings, jsonb_array_elements(evidence) as piece"
        " where superseded_at is null and state <> 'withdrawn' and piece ->> 'device' = 'SIP/TRK-1') c"
        " where o.device_id = 1 and o.event_time = (k ->> 'time')::timestamptz and o.seq = (k ->> 'seq')::bigint",
        "findings",
    ),
    "an action": ("update alert_actions set comment = 'didn''t look'", "alert_actions"),
    "an action is gone": ("delete from alert_actions", "alert_actions"),
    "a leaf": ("update log set leaf_hash = set_byte(leaf_hash, 3, get_byte(leaf_hash, 3) # 1) where index = 4", "checkpoints"),
    "a leaf is gone": ("delete from log where index = 4", "log"),
    "the last leaf is gone": ("delete from log where index = (select max(index) from log)", "checkpoints"),
    "two leaves swapped": (
        "update log set index = -index where index in (4, 5); update log set index = 9 + index where index < 0",
        "checkpoints",
    ),
    "a checkpoint's root": ("update checkpoints set root = set_byte(root, 0, get_byte(root, 0) # 1)", "checkpoints"),
    "a checkpoint's time": ("update checkpoints set made_at = made_at + '1s'::interval", "checkpoints"),
    "a checkpoint's signature": ("update checkpoints set signature = set_byte(signature, 0, get_byte(signature, 0) # 1)", "checkpoints"),
    "a checkpoint's frontier": ("update checkpoints set frontier[1] = set_byte(frontier[1], 0, get_byte(frontier[1], 0) # 1)", "checkpoints"),
    "the last checkpoint is gone": ("delete from checkpoints where size = (select max(size) from checkpoints)", "checkpoints"),
    "the log's end is gone, with its checkpoint": (
        "delete from log where index >= (select min(size) from checkpoints);"
        " delete from checkpoints where size > (select min(size) from checkpoints)",
        "log",
    ),
    "a key": ("update log_keys set valid_from = valid_from + '1s'::interval", "log_keys"),
    "what a scan said": (f"update containment_events set quantity = 4 where event_id = {SCANNED}", "containment_events"),
    "what a scan said is gone": (f"delete from containment_events where event_id = {SCANNED}", "containment_events"),
    "who scanned": (f"update containment_events set device_id = 1 where event_id = {SCANNED}", "containment_events"),
    "what was reported": (f"update containment_events set reported_by = 'x' where event_id = {REPORTED}", "containment_events"),
    "what was reported is gone": (f"delete from containment_events where event_id = {REPORTED}", "containment_events"),
    "what a gate named": ("update mentions set thing_id = (select thing_id from things where label = 'P-1') where kind = 5 and thing_id = (select thing_id from things where kind = 'pass')", "mentions"),
    "what a gate named is gone": ("delete from mentions where kind = 5 and thing_id = (select thing_id from things where kind = 'seal')", "mentions"),
    "who named it": ("update mentions set device_id = 1 where kind = 5", "mentions"),
    "how a scan named it": ("update mentions set is_parent = not is_parent where kind = 2", "mentions"),
    "a gate's event": ("update observations set body = convert_to(replace(convert_from(body, 'utf8'), 'box-TRK-1', 'box-TRK-2'), 'utf8') where kind = 5", "mentions"),
    "a gate's event can't be read": ("update observations set body = '{' where kind = 5", "observations"),
    "a document": ("update documents set body = '{\"state\": \"hold\"}' where kind = 'release'", "documents"),
    "a document of no kind": ("update documents set kind = 'x' where kind = 'release'", "documents"),
    "when a document took effect": ("update documents set time = time + '1s'::interval where kind = 'release'", "documents"),
    "who said a document": ("update documents set by = 'x' where kind = 'release'", "documents"),
    "what a document is about": ("update document_links set thing_id = (select max(thing_id) from things) where thing_id is not null", "documents"),
    "whom a document concerns": ("delete from document_links where shipment_id is not null", "documents"),
    "which device a document is about": ("update document_links set device_id = 2 where device_id is not null", "documents"),
    "a document is gone": ("delete from document_links where entry = 1; delete from documents where entry = 1", "documents"),
    "what a gate was told": ("update gate_decisions set decision = 'hold'", "gate_decisions"),
    "why a gate was told": ("update gate_decisions set reasons = '[1]'", "gate_decisions"),
    "a decision at a gate is gone": ("delete from gate_decisions", "gate_decisions"),
    "a stay": ("update containments set valid_to = valid_to + '1s'::interval where valid_to is not null", "containments"),
    "a stay is gone": ("delete from containments where valid_to is null", "containments"),
    "a stay is said to hold no longer": ("update containments set superseded_at = recorded_at where valid_to is null", "containments"),
    "a contradiction": ("update containment_conflicts set valid_to = valid_to + '1s'::interval, kind = 'cycle'", "containment_conflicts"),
    "a contradiction is gone": ("delete from containment_conflicts", "containment_conflicts"),
    "a milestone": ("update milestones set area = 'X' where milestone_id = (select min(milestone_id) from milestones where superseded_at is null and area is not null)", "milestones"),
    "a milestone is gone": ("delete from milestones where milestone_id = (select min(milestone_id) from milestones where superseded_at is null)", "milestones"),
    "a track": ("update device_tracks t set state = o.state from device_tracks o where o.device_id = 3 - t.device_id", "device_tracks"),
    "how a shipment stands": ("update custody_states set state = jsonb_set(state, '{leg}', '7')", "custody_states"),
}  # fmt: skip


@pytest.mark.parametrize("what", list(TAMPERED))
def test_what_is_changed_is_named(recorded: Court, tmp_path: Path, what: str) -> None:
    statements, table = TAMPERED[what]
    for statement in statements.split("; "):
        assert recorded.conn.execute(statement).rowcount > 0
    report = run(recorded.dsn, kept=tmp_path, pause_s=0)
    assert table in tables(report), report.differences


def test_another_key_that_signs_everything_again_is_not_trusted(recorded: Court) -> None:
    report = run(recorded.dsn, trusted=[Signer(bytes(32)).public_key])
    assert tables(report) == {"checkpoints"}


def test_a_system_that_runs_verifies(court: Court) -> None:
    """Trucks report, boxes change trucks, the judge judges, the log grows; every look in between finds all in
    order.
    """
    scanner = court.station.device("SC-1", kind="scanner")
    trucks = [court.truck(f"TRK-{n}", shipment=f"S-{n}", max_silence_s=90) for n in range(4)]
    for truck in trucks:
        truck.stands(0, 300).drives(0, 4000).is_quiet(400).drives(4000, 9000, 1900).stands(9000, 120)
    errors: list[BaseException] = []
    done = Event()

    def judging() -> None:
        try:
            with connect(court.dsn) as conn:
                checkpointer = Checkpointer(Signer(SEED))
                while not done.is_set():
                    drain(conn, list(court.tasks.values()), lambda: at(1000))
                    checkpointer.advance(conn, at(1000))
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    def verifying() -> None:
        try:
            while not done.is_set():
                assert run(court.dsn).differences == []
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    threads = [Thread(target=judging), Thread(target=verifying)]
    for thread in threads:
        thread.start()
    turn = 0
    while any(truck.events for truck in trucks):
        for truck in trucks:
            part, truck.events = truck.events[:7], truck.events[7:]
            court.deliver(truck, part, reaches=False)
        told = min(truck.told for truck in trucks)
        turn += 1
        code, parent = f"box-TRK-{turn % 4}", f"box-TRK-{turn * 7 % 4}"
        scan = scanner.event(
            told, type="scan", code=code, parent=parent, action=("loading", "unloading")[turn % 2]
        )
        court.station.deliver(scanner.sends(scan, received=told + 1))
        court.reached(told)
    done.set()
    for thread in threads:
        thread.join()
    assert errors == []
    court.judge()
    checkpoint(court)
    report = run(court.dsn)
    assert (report.differences, report.waiting, report.unlogged) == ([], 0, 0)


def test_a_row_that_was_slipped_in_is_named(recorded: Court) -> None:
    """It stands under no leaf yet; what the scanner's own bytes say is enough."""
    recorded.conn.execute(
        "insert into containment_events (child_id, action, event_time, device_id, run, seq, recorded_at)"
        " select child_id, 'unloading', event_time + '1s'::interval, device_id, run, seq, recorded_at"
        f" from containment_events where event_id = {SCANNED}"
    )
    report = run(recorded.dsn, pause_s=0)
    assert {"containment_events", "containments"} <= tables(report)


def test_things_that_wait_for_their_fold_are_left_out(recorded: Court) -> None:
    """And so are the shipments in them: P-1 is in the box of S-1, whatever is said of that box next."""
    box, wagon = parse_thing("box-TRK-1"), parse_thing("WAGON-1")
    with recorded.conn.transaction():
        rows = [things.EventRow(box, wagon, "ADD", None, NOON_US, by="a partner")]
        things.add_events(recorded.conn, rows, recorded_at=at(5000))
    report = run(recorded.dsn)
    assert (report.differences, report.waiting) == ([], 2)
    recorded.judge("containing")
    report = run(recorded.dsn)
    assert (report.differences, report.waiting) == ([], 1)
    recorded.judge()
    report = run(recorded.dsn)
    assert (report.differences, report.waiting) == ([], 0)
