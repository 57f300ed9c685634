"""A closed shipment's evidence in files: whole, checked without a database, and only then free to go."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.archive import folder, parquet
from gateway.commands import archive as command
from gateway.problem import Problem
from tests.support.court import Court
from tests.support.recording import at
from tracking.domain.ledger.checkpoint import Signer
from tracking.exchange.certificate import make
from tracking.judge.checkpoints import Checkpointer
from tracking.store import archive, retention, shipments
from tracking.store.archive import ToArchive
from tracking.store.registry import Unknown

SIGNER = Signer(bytes(range(32)))
LATER = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def court(database: str) -> Iterator[Court]:
    """A shipment that strayed and was closed, and one that is still open."""
    court = Court(database)
    for truck in (court.truck(), court.truck("TRK-2", shipment="S-2")):
        court.deliver(truck.stands(0, 300).drives(0, 9000, 1900))
    court.judge()
    shipments.close(court.conn, "S-1", at(5000), now=LATER)
    court.judge()
    checkpoint(court)
    yield court
    court.close()


def checkpoint(court: Court) -> None:
    while Checkpointer(SIGNER, None).advance(court.conn, LATER):
        pass


def write(court: Court, root: Path, shipment: ToArchive) -> folder.Written:
    return folder.write(
        court.conn, root, shipment, lambda: make(court.conn, shipment.number, LATER, SIGNER), LATER
    )


def wrong(root: Path) -> list[str]:
    return list(folder.check(root, SIGNER.public_key))


def test_an_archive_holds_the_evidence_and_checks_without_a_database(court: Court, tmp_path: Path) -> None:
    (one,) = archive.waiting(court.conn, LATER)
    assert one.number == "S-1"
    written = write(court, tmp_path, one)
    assert wrong(written.folder) == []
    ((observed,),) = court.rows(
        "select count(*) from observations join devices using (device_id) where code = 'TRK-1'"
    )
    assert written.events == observed > 0
    names = ("device", "event_time", "run", "seq", "body", "lon", "heading_deg")
    read = list(parquet.read(written.folder / folder.OBSERVATIONS, names))
    stored = court.rows(
        "select 'SIP/TRK-1', (extract(epoch from event_time) * 1000000)::bigint, run, seq, body, lon,"
        " heading_deg"
        " from observations join devices using (device_id) where code = 'TRK-1' order by event_time, run, seq"
    )
    assert read == stored
    findings = list(parquet.read(written.folder / "findings.parquet", ("rule", "state", "number")))
    assert (
        len(findings)
        == court.rows(
            "select count(*) from findings join shipments using (shipment_id) where number = 'S-1'"
        )[0][0]
    )
    archive.add(
        court.conn,
        one.shipment_id,
        digest=written.digest,
        events=observed,
        by="test",
        taken_at=LATER,
        at=LATER,
    )
    checkpoint(court)
    assert archive.waiting(court.conn, LATER) == []
    assert court.rows("select kind from log where kind = 'archive'") == [("archive",)]


def test_a_run_that_was_killed_goes_on(court: Court, tmp_path: Path) -> None:
    (one,) = archive.waiting(court.conn, LATER)
    draft = folder.folder_of(tmp_path, one).parent / f"{folder.DRAFT}S-1"
    draft.mkdir(parents=True)
    (draft / "observations.parquet").write_bytes(b"half of it")
    written = write(court, tmp_path, one)
    assert not draft.exists()
    untouched = {path.name: path.stat().st_mtime_ns for path in written.folder.iterdir()}
    again = write(court, tmp_path, one)  # killed before the database knew of it
    assert again == written
    assert untouched == {path.name: path.stat().st_mtime_ns for path in written.folder.iterdir()}


@pytest.mark.parametrize("name", ["observations.parquet", "certificate.json", "findings.parquet"])
def test_a_changed_file_is_named(court: Court, tmp_path: Path, name: str) -> None:
    (one,) = archive.waiting(court.conn, LATER)
    written = write(court, tmp_path, one)
    content = bytearray((written.folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (written.folder / name).write_bytes(content)
    assert wrong(written.folder) == [f"{name} isn't the file that the manifest names"]
    with pytest.raises(Problem, match="isn't the file"):
        write(court, tmp_path, one)
    (written.folder / name).unlink()
    assert wrong(written.folder) == [f"{name} is missing"]


def test_only_what_an_archive_holds_may_be_dropped(court: Court, tmp_path: Path) -> None:
    (one,) = archive.waiting(court.conn, LATER)
    much_later = LATER + timedelta(days=800)

    def going() -> int:
        weeks = retention.plan(court.conn, before=much_later, evidence_before=much_later, floor=much_later)
        return sum(len(week.going) for week in weeks)

    assert going() == 0
    written = write(court, tmp_path, one)
    assert written.taken_at == LATER
    archive.add(
        court.conn, one.shipment_id, digest=written.digest, events=1, by="test", taken_at=written.taken_at,
        at=much_later,
    )  # fmt: skip
    assert going() == 1
    court.rows("update observations set recorded_at = %s where seq = 3 returning seq", LATER)
    assert going() == 0, "the device sent the third event when the archive had been written"


def test_the_command_writes_checks_and_says_what_is_missing(
    court: Court, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BONDWATCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BONDWATCH_DATABASE_DSN", court.dsn)
    root = tmp_path / "archives"
    runner = CliRunner()
    first = runner.invoke(command.app, [str(root)], catch_exceptions=False)
    assert (first.exit_code, "S-1: " in first.output) == (0, True)
    again = runner.invoke(command.app, [str(root)], catch_exceptions=False)
    assert "no closed shipment waits" in again.output
    checked = runner.invoke(command.app, [str(root), "--check"], catch_exceptions=False)
    assert (checked.exit_code, "1 archives: 0 differences" in checked.output) == (0, True)
    (root / "SIP" / "S-1" / "readings.parquet").write_bytes(b"")
    assert runner.invoke(command.app, [str(root), "--check"], catch_exceptions=False).exit_code == 1
    with pytest.raises(Problem, match="holds no archive"):
        runner.invoke(command.app, [str(tmp_path / "home"), "--check"], catch_exceptions=False)


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "arro3.core", None)
    with pytest.raises(Problem, match="isn't installed") as refused:
        parquet.require()
    assert "bondwatch[archive]" in str(refused.value)


def test_what_is_closed_stays_closed(court: Court) -> None:
    assert shipments.close(court.conn, "S-1", at(9000), now=LATER) == at(5000)
    with pytest.raises(Unknown):
        shipments.close(court.conn, "S-9", None, now=LATER)
    opened = court.findings("S-2")
    shipments.close(court.conn, "S-2", at(450), now=LATER)
    court.judge()
    assert opened != court.findings("S-2")
    assert all(row[6] is None or row[6] <= at(450) for row in court.findings("S-2"))
