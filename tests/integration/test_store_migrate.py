"""The migration runner on a real server: once, in order, and never over a changed history."""

from __future__ import annotations

import threading
from pathlib import Path
from shutil import copy

import pytest

from tests.support.postgres import Server
from tracking.store.database import MIGRATION_LOCK, Connection, connect
from tracking.store.migrate import MIGRATIONS, MigrationError, migrate, pending, variant_of


@pytest.fixture
def empty(postgres: Server) -> str:
    return postgres.create(migrated=False)


def steps(directory: Path, **files: str) -> Path:
    for name, sql in files.items():
        (directory / f"{name.lstrip('_').replace('__', '.')}.sql").write_text(sql)
    return directory


def test_a_new_database_gets_every_file_once(empty: str) -> None:
    with connect(empty) as conn:
        waiting = pending(conn)
        assert migrate(conn) == waiting
        assert waiting[0] == "0001_reference.sql"
        assert "0003_series.native.sql" in waiting
        assert migrate(conn) == []
        assert pending(conn) == []
        assert variant_of(conn) == "native"


def test_two_at_once_do_it_once(empty: str) -> None:
    done: list[list[str]] = []

    def run() -> None:
        with connect(empty) as conn:
            done.append(migrate(conn))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(map(bool, done)) == [False, True]


def test_a_failed_file_leaves_nothing_and_the_lock_is_free(empty: str, tmp_path: Path) -> None:
    steps(
        tmp_path, _0001_good="create table a (x int);", _0002_bad="create table b (x int); select nonsense;"
    )
    with connect(empty) as conn:
        with pytest.raises(
            MigrationError, match=r"0002_bad\.sql failed and was rolled back: column .nonsense."
        ):
            migrate(conn, directory=tmp_path)
        assert conn.execute("select to_regclass('a') is not null, to_regclass('b') is null").fetchone() == (
            True,
            True,
        )
        assert pending(conn, tmp_path) == ["0002_bad.sql"]
    with connect(empty) as other:
        assert other.execute("select pg_try_advisory_lock(%s)", (MIGRATION_LOCK,)).fetchone() == (True,)


def test_history_is_not_edited(empty: str, tmp_path: Path) -> None:
    steps(tmp_path, _0001_one="create table a (x int);", _0002_two="create table b (x int);")
    with connect(empty) as conn:
        migrate(conn, directory=tmp_path)
        (tmp_path / "0001_one.sql").write_text("create table a (x bigint);")
        with pytest.raises(MigrationError, match=r"0001_one\.sql has changed since it was applied"):
            migrate(conn, directory=tmp_path)


def test_a_missing_file_and_a_newer_database_are_told_apart(empty: str, tmp_path: Path) -> None:
    steps(tmp_path, _0001_one="create table a (x int);", _0002_two="create table b (x int);")
    with connect(empty) as conn:
        migrate(conn, directory=tmp_path)
        (tmp_path / "0002_two.sql").unlink()
        with pytest.raises(MigrationError, match=r"0002_two\.sql was applied by a newer version"):
            migrate(conn, directory=tmp_path)
        (tmp_path / "0002_other.sql").write_text("select 1;")
        with pytest.raises(
            MigrationError, match=r"0002_two\.sql was applied to this database, but its file is miss"
        ):
            migrate(conn, directory=tmp_path)


def test_a_hole_a_double_and_a_strange_name_are_refused(empty: str, tmp_path: Path) -> None:
    with connect(empty) as conn:
        steps(tmp_path, _0002_two="select 1;")
        with pytest.raises(MigrationError, match="no migration numbered 0001"):
            migrate(conn, directory=tmp_path)
        steps(tmp_path, _0001_one="select 1;", _0001_uno="select 1;")
        with pytest.raises(MigrationError, match=r"0001_one\.sql has the same number"):
            migrate(conn, directory=tmp_path)
        (tmp_path / "0001_uno.sql").unlink()
        (tmp_path / "1_short.sql").write_text("select 1;")
        with pytest.raises(MigrationError, match="not a migration's name"):
            migrate(conn, directory=tmp_path)


def test_a_database_keeps_its_variant(empty: str, tmp_path: Path) -> None:
    steps(
        tmp_path, _0001_one__native="create table a (x int);", _0001_one__timescale="create table h (x int);"
    )
    with connect(empty) as conn:
        assert migrate(conn, directory=tmp_path, variant="timescale") == ["0001_one.timescale.sql"]
        assert migrate(conn, directory=tmp_path) == []
        assert variant_of(conn) == "timescale"


def test_it_wants_autocommit(conn: Connection) -> None:
    conn.autocommit = False
    with pytest.raises(MigrationError, match="autocommit"):
        migrate(conn)


def test_several_alerts_of_a_cause_become_the_newest_of_them(empty: str, tmp_path: Path) -> None:
    for file in MIGRATIONS.glob("*.sql"):
        if file.name < "0007":
            copy(file, tmp_path)
    with connect(empty) as conn:
        migrate(conn, directory=tmp_path)
        conn.execute("insert into parks (code) values ('SIP')")
        conn.execute("insert into shipments (park_id, number, created_at) values (1, 'S-1', now())")
        for finding, state in (("f1", "resolved"), ("f2", "resolved"), ("f3", "open")):
            conn.execute(
                "insert into alerts"
                " (shipment_id, rule, cause, finding_id, severity, state, opened_at, raised_at)"
                " values (1, 'r', 'c', %s, 'major', %s, now(), now())",
                (finding, state),
            )
        conn.execute("insert into alert_findings values ('f1', 1), ('f2', 2), ('f3', 3)")
        conn.execute("insert into alert_actions (alert_id, action, by, at) values (1, 'resolve', 'x', now())")
        migrate(conn)
        assert conn.execute("select alert_id, state from alerts").fetchall() == [(3, "open")]
        assert conn.execute("select distinct alert_id from alert_findings").fetchall() == [(3,)]
        assert conn.execute("select alert_id, action from alert_actions").fetchall() == [(3, "resolve")]
