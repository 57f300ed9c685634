"""What a recording carries besides messages: every table is either carried, derived, or a database's own."""
# ruff: noqa: E501 - lists of tables

from __future__ import annotations

from datetime import UTC, datetime

from tests.support.court import Court
from tests.support.postgres import Server
from tracking.store import reference
from tracking.store.database import Connection, connect

NOW = datetime(2026, 3, 10, tzinfo=UTC)

DERIVED = {
    "alert_actions", "alert_findings", "alerts", "arrival_notes", "batches", "containment_conflicts", "containments",
    "custody_states", "device_tracks", "event_ids", "findings", "gate_actions", "ledger", "mentions", "milestones",
    "observations", "readings", "rejections", "sequence_gaps", "track_snapshots",
}  # fmt: skip
"""They follow from messages and from what is carried."""

OWN = {
    "api_keys", "archives", "checkpoints", "device_credentials", "dropped", "dropped_devices", "log", "log_keys",
    "log_nodes", "mqtt_sessions", "observation_kinds", "outbox", "reference_state", "retentions", "retired_sources",
    "schema_migrations", "source_positions", "source_workers", "work",
}  # fmt: skip
"""Secrets, plumbing, and what only this database has done."""


def test_a_new_table_is_carried_or_says_why_not(conn_once: Connection) -> None:
    tables = {
        name
        for (name,) in conn_once.execute(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition"
        )
    }
    carried = {table.name for table in reference.TABLES}
    assert tables == carried | DERIVED | OWN
    assert not carried & (DERIVED | OWN)


def test_keys_are_translated_and_what_is_there_stays(postgres: Server, database: str) -> None:
    court = Court(database)
    court.truck()
    court.truck("TRK-2", shipment="S-2")
    rows: dict[str, list[reference.Row]] = {}
    for table, row in reference.read(court.conn):
        rows.setdefault(table, []).append(row)
    other = postgres.create()
    try:
        with connect(other) as conn:
            conn.execute("insert into parks (code, name_en) values ('OTHER', 'Other')")
            conn.execute("insert into things (uri, kind, label) values ('urn:x:1', 'vehicle', 'X')")
            conn.execute("insert into parks (code, name_en) values ('SIP', 'as it is called here')")
            with conn.transaction():
                added = reference.put(conn, rows)
            assert (added["parks"], added["devices"], added["shipments"], added["terms"]) == (0, 2, 2, 2)
            with conn.transaction():
                assert set(reference.put(conn, rows).values()) == {0}
            query = (
                b"select d.code, t.uri, s.number, a.valid_from from attachments a join devices d using (device_id)"
                b" join things t using (thing_id) join shipment_things st using (thing_id)"
                b" join shipments s using (shipment_id) order by 1"
            )
            assert conn.execute(query).fetchall() == court.conn.execute(query).fetchall()
            assert conn.execute("select name_en from parks where code = 'SIP'").fetchone() == (
                "as it is called here",
            )
            assert conn.execute("select count(*) from work where kind = 'shipment'").fetchone() == (4,)
    finally:
        court.close()
        postgres.drop(other)
