"""What old movement leaves behind: evidence stays, roots hold, and verification tells dropped from lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from devices.observation import micros
from gateway.clock import set_forward
from gateway.commands.retention import app
from gateway.problem import Problem
from tests.support.court import Court
from tests.support.recording import PARK, at
from tracking.domain.custody.corrections import Observed
from tracking.domain.ledger.checkpoint import Signer
from tracking.exchange.verify.report import Report
from tracking.exchange.verify.run import run
from tracking.judge.checkpoints import Checkpointer
from tracking.store import carrying, partitions, retention
from tracking.store.correcting import correct
from tracking.store.database import Connection
from tracking.store.retention import WEEK

LATER = datetime(2027, 12, 1, tzinfo=UTC)
FLOOR = LATER - timedelta(days=400)


@pytest.fixture
def court(database: str) -> Iterator[Court]:
    """A shipment's truck, and a van of the yard that carries nobody's goods, in the same batches."""
    court = Court(database)
    truck = court.truck().stands(0, 300).drives(0, 9000, 1900)
    van = court.station.device("VAN-1")
    for number in range(0, len(truck.events), 10):
        events = truck.events[number : number + 10]
        second = 20.0 * number
        court.station.deliver(
            truck.device.sends(*events, received=second + 400),
            van.sends(*[van.event(second + n, lon=120.6, lat=31.2) for n in range(7)], received=second + 400),
        )
    court.reached(5000)
    court.judge()
    checkpoint(court)
    yield court
    court.close()


def checkpoint(court: Court) -> None:
    while Checkpointer(Signer(bytes(range(32))), None).advance(court.conn, at(6000)):
        pass


def verified(court: Court) -> Report:
    return run(court.dsn, pause_s=0)


def drop(court: Court, *, evidence_before: datetime | None = None) -> int:
    weeks = retention.plan(court.conn, before=FLOOR, evidence_before=evidence_before, floor=FLOOR)
    events = sum(retention.drop(court.conn, week, by="an operator", now=LATER) for week in weeks)
    checkpoint(court)
    return events


def observations(court: Court, device: str) -> int:
    ((count,),) = court.rows(
        "select count(*) from observations join devices using (device_id) where code = %s", device
    )
    return int(count)


def test_evidence_of_an_open_shipment_stays_and_the_rest_goes(court: Court) -> None:
    trucks, vans = observations(court, "TRK-1"), observations(court, "VAN-1")
    assert trucks > 20
    assert vans > 20
    before = court.findings()
    assert before
    assert drop(court, evidence_before=FLOOR) == vans
    assert (observations(court, "TRK-1"), observations(court, "VAN-1")) == (trucks, 0)
    report = verified(court)
    assert report.differences == []
    assert (report.observations, report.dropped, report.underived) == (trucks, vans, 1)
    assert report.shipments == 1
    assert court.findings() == before
    assert drop(court) == 0


def test_what_others_told_of_an_open_shipment_stays(court: Court) -> None:
    """A scanner carries nobody's goods; what it said of them is evidence all the same, and so is an error."""
    scanner = court.station.device("SC-1", kind="scanner")
    yard = court.station.device("SC-2", kind="scanner")
    for second, device, code, parent in (
        (50, scanner, "P-1", "box-TRK-1"), (60, yard, "P-9", "shelf-1"), (70, yard, "P-8", "shelf-1"),
    ):  # fmt: skip
        scan = device.event(second, type="scan", action="packing", code=code, parent=parent)
        court.station.deliver(device.sends(scan, received=5000))
    court.judge()
    drop(court)
    assert (observations(court, "SC-1"), observations(court, "SC-2")) == (1, 0)
    assert verified(court).differences == []


def test_what_was_declared_to_be_in_error_stays(court: Court) -> None:
    ((time, run_, seq),) = court.rows(
        "select event_time, run, seq from observations join devices using (device_id)"
        " where code = 'VAN-1' order by event_time limit 1"
    )
    observed = Observed(f"{PARK}/VAN-1", time, run_, seq)
    correct(
        court.conn, observed, reason="incorrect_data", why="wet antenna", by="desk 2", recorded_at=at(5500)
    )
    court.judge()
    drop(court)
    assert observations(court, "VAN-1") > 0
    assert verified(court).differences == []


def test_a_row_that_was_lost_is_not_called_dropped(court: Court) -> None:
    drop(court)
    court.conn.execute(
        "delete from observations where (batch_id, leaf) = (select batch_id, min(leaf) from observations"
        " group by batch_id order by batch_id limit 1)"
    )
    (difference, *_) = [one for one in verified(court).differences if one.table == "observations"]
    assert "is missing" in difference.says


def test_whoever_drops_by_hand_is_found_out(court: Court) -> None:
    drop(court)
    ((batch, root, events),) = court.rows(
        "select batch_id, root, events from batches order by batch_id limit 1"
    )
    court.conn.execute("delete from observations where batch_id = %s", (batch,))
    court.conn.execute("delete from dropped where batch_id = %s", (batch,))
    court.conn.execute("insert into dropped values (%s, 0, %s, %s)", (batch, events, root))
    assert any(
        one.table == "dropped" and "the entries of the log" in one.says for one in verified(court).differences
    )
    court.conn.execute("update retentions set events = events + 10")
    assert any("retention" in one.key or one.table == "retentions" for one in verified(court).differences)


def test_an_archived_shipment_may_go_and_is_judged_no_more(court: Court) -> None:
    court.conn.execute("update shipments set state = 'closed', closed_at = %s", (at(4000),))
    court.conn.execute(
        "insert into archives (shipment_id, digest, events, by, taken_at, recorded_at)"
        " select shipment_id, '\\x00', 0, 'test', %(at)s, %(at)s from shipments",
        {"at": LATER},
    )
    court.judge()
    before = court.findings()
    trucks = observations(court, "TRK-1")
    vans = observations(court, "VAN-1")
    assert drop(court) == vans
    assert drop(court, evidence_before=FLOOR) == trucks
    court.conn.execute(
        "insert into work (kind, key, changed_from) select 'shipment', shipment_id, %s from shipments",
        (at(0),),
    )
    court.conn.execute(
        "insert into work (kind, key, changed_from) select 'refold', device_id, %s from devices", (at(0),)
    )
    milestones = court.milestones()
    court.judge()
    assert court.findings() == before
    assert court.milestones() == milestones
    report = verified(court)
    assert report.differences == []
    assert (report.observations, report.dropped) == (0, trucks + vans)
    assert partitions.drop_empty(court.conn, FLOOR)
    assert verified(court).differences == []


def test_evidence_is_read_by_pages_and_nothing_of_it_is_lost(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all shipments there is more than fits; so it is of a week's events."""
    court.deliver(court.truck("TRK-2", shipment="S-2").stands(0, 300))
    court.judge()
    checkpoint(court)
    vans = observations(court, "VAN-1")
    whole = list(retention.evidence(court.conn))
    for name in ("SHIPMENTS", "BATCHES", "LEAVES"):
        monkeypatch.setattr(retention, name, 1)
    asked: list[list[int]] = []
    goods_of = carrying.goods_of

    def counting(conn: Connection, ids: list[int]) -> Any:
        asked.append(ids)
        return goods_of(conn, ids)

    monkeypatch.setattr(carrying, "goods_of", counting)
    reading = retention.evidence(court.conn)
    first = next(reading)
    assert len(asked) == 1
    assert [first, *reading] == whole
    assert [len(ids) for ids in asked] == [1, 1]
    assert drop(court) == vans
    assert verified(court).differences == []


def test_what_a_fold_may_still_need_stays(court: Court) -> None:
    """The van still speaks, and no snapshot of it lies between: a late event would be folded from before."""
    court.conn.execute(
        "update device_tracks set head_time = %s"
        " where device_id = (select device_id from devices where code = 'VAN-1')",
        (LATER,),
    )
    assert drop(court) == 0
    assert observations(court, "VAN-1") > 0


def test_the_week_that_the_moment_lies_in_stays(court: Court) -> None:
    planned = retention.plan(court.conn, before=at(0) + timedelta(hours=1), evidence_before=None, floor=FLOOR)
    assert planned == []
    (week,) = retention.plan(court.conn, before=at(0) + WEEK, evidence_before=None, floor=FLOOR)
    assert week.begins == datetime(2026, 3, 2, tzinfo=UTC)
    assert len(week.going) == len(week.evidence) == 1


def test_the_command_says_what_would_go_and_does_it_only_when_told(
    court: Court, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = tmp_path / "clock"
    set_forward(clock, micros(LATER))
    monkeypatch.setenv("BONDWATCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BONDWATCH_DATABASE_DSN", court.dsn)
    monkeypatch.setenv("BONDWATCH_CLOCK_FILE", str(clock))
    runner, vans = CliRunner(), observations(court, "VAN-1")

    def ask(*arguments: str) -> str:
        return runner.invoke(app, list(arguments), catch_exceptions=False).output

    assert "2026-03-02" in ask("--before", "2026-06-01")
    assert observations(court, "VAN-1") == vans
    with pytest.raises(Problem, match="can't be dropped"):
        ask("--before", "2027-11-01", "--drop")
    with pytest.raises(Problem, match="is no moment"):
        ask("--before", "yesterday")
    assert str(vans) in ask("--before", "2026-06-01", "--drop", "--by", "the operator")
    assert observations(court, "VAN-1") == 0
    assert court.rows("select by, events from retentions") == [("the operator", vans)]
    checkpoint(court)
    assert verified(court).differences == []
