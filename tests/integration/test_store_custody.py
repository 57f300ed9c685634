"""What the judge takes, reads and writes: work, findings in versions, grouped alerts, the outbox, a track's
history.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import psycopg
import pytest

from tests.support.rows import NOON, add_devices
from tracking.store import alerts, findings, history, outbox, work
from tracking.store.database import OUTBOX_CHANNEL, Connection, connect
from tracking.store.findings import FindingRow
from tracking.store.observations import Key
from tracking.store.outbox import Outgoing

MINUTE = timedelta(minutes=1)


@pytest.fixture
def shipment(conn: Connection) -> int:
    add_devices(conn)
    row = conn.execute(
        "insert into shipments (park_id, number, created_at)"
        " select park_id, 'S-1', %s from parks returning shipment_id",
        (NOON,),
    ).fetchone()
    assert row is not None
    return int(row[0])


def finding(
    name: str, severity: str = "minor", state: str = "open", closed_at: datetime | None = None
) -> FindingRow:
    return FindingRow(
        name, "route_deviation", 1, "C-1", "finding", state, severity, NOON, closed_at,
        [{"milestone": "strayed", "area": "苏州"}], {"min_points": 3}, 1,
    )  # fmt: skip


class TestWork:
    def add(
        self,
        conn: Connection,
        key: int,
        *,
        kind: str = "device",
        due: str = "-infinity",
        urgent: bool = False,
    ) -> None:
        conn.execute(
            "insert into work (kind, key, changed_from, due_at, urgent) values (%s, %s, %s, %s, %s)",
            (kind, key, NOON, due, urgent),
        )

    def test_urgent_first_then_in_order(self, conn: Connection) -> None:
        for key in (1, 2):
            self.add(conn, key)
        self.add(conn, 3, urgent=True)
        with conn.transaction():
            taken = work.take(conn, None)
            assert [row.key for row in taken] == [3, 1, 2]
            assert taken[0] == work.Work(taken[0].work_id, "device", 3, NOON, None, True)
            work.finish(conn, [row.work_id for row in taken])
        assert work.backlog(conn, None) == work.Backlog(0, 0)

    def test_what_is_due_waits_for_the_watermark(self, conn: Connection) -> None:
        self.add(conn, 7, kind="device_due", due=NOON.isoformat())
        with conn.transaction():
            assert work.take(conn, None) == []
            assert work.take(conn, NOON - MINUTE) == []
            (row,) = work.take(conn, NOON)
        assert (row.kind, row.key, row.changed_from, row.due_at) == ("device_due", 7, NOON, NOON)

    def test_a_device_has_one_due_row(self, conn: Connection) -> None:
        self.add(conn, 7, kind="device_due", due=NOON.isoformat())
        with pytest.raises(psycopg.errors.UniqueViolation):
            self.add(conn, 7, kind="device_due", due=NOON.isoformat())
        assert work.backlog(conn, NOON - MINUTE) == work.Backlog(0, 0)
        assert work.backlog(conn, NOON) == work.Backlog(1, 0)

    def test_two_judges_never_have_the_same_row(self, conn: Connection, database: str) -> None:
        for key in range(4):
            self.add(conn, key)
        with connect(database) as other, conn.transaction(), other.transaction():
            mine = work.take(conn, None, limit=2)
            theirs = work.take(other, None, limit=9)
        assert [row.key for row in mine] == [0, 1]
        assert [row.key for row in theirs] == [2, 3]

    def test_all_changes_of_one_come_together(self, conn: Connection) -> None:
        for key in (1, 2, 1, 1):
            self.add(conn, key)
        with conn.transaction():
            assert [row.key for row in work.take(conn, None, limit=1)] == [1, 1, 1]

    def test_a_change_is_owed_whatever_it_waits_for(self, conn: Connection) -> None:
        assert work.unfinished(conn, None) == 0
        self.add(conn, 1)
        self.add(conn, 2, kind="refold", due=(NOON - MINUTE).isoformat())  # late, from a minute before
        self.add(conn, 3, kind="refold", due=(NOON + MINUTE).isoformat())  # late, from a fast clock
        self.add(conn, 4, kind="shipment")
        with conn.transaction():
            work.put_off(conn, [row.work_id for row in work.take(conn, None, limit=9)], NOON + MINUTE)
        assert work.unfinished(conn, None) == 4
        assert work.unfinished(conn, NOON) == 4

    def test_a_watch_is_owed_once_its_moment_has_passed(self, conn: Connection) -> None:
        self.add(conn, 1, kind="device_due", due=NOON.isoformat())
        self.add(conn, 1, kind="shipment_due", due=(NOON + MINUTE).isoformat())
        assert work.unfinished(conn, None) == 0
        assert work.unfinished(conn, NOON - MINUTE) == 0
        assert work.unfinished(conn, NOON) == 1
        assert work.unfinished(conn, NOON + MINUTE) == 2

    def test_what_a_dead_judge_held_is_free_again(self, conn: Connection, database: str) -> None:
        self.add(conn, 1)
        dead = connect(database)
        dead.execute("begin")
        assert len(work.take(dead, None)) == 1
        dead.close()
        assert work.backlog(conn, None).ready == 1


class TestFindings:
    def test_a_version_follows_the_other(self, conn: Connection, shipment: int) -> None:
        closed = finding("f1", state="closed", closed_at=NOON + MINUTE)
        findings.replace(conn, [(shipment, finding("f1")), (shipment, finding("f2"))], recorded_at=NOON)
        findings.replace(conn, [(shipment, closed)], recorded_at=NOON + MINUTE)
        assert findings.effective(conn, shipment) == {"f1": closed, "f2": finding("f2")}
        past = conn.execute(
            "select finding_id, state, recorded_at from findings where superseded_at = %s", (NOON + MINUTE,)
        )
        assert past.fetchall() == [("f1", "open", NOON)]

    def test_nothing_to_replace_is_nothing(self, conn: Connection, shipment: int) -> None:
        findings.replace(conn, [], recorded_at=NOON)
        assert findings.effective(conn, shipment) == {}


class TestAlerts:
    def raise_(
        self, conn: Connection, shipment: int, name: str, severity: str = "minor", *, opens: bool = True
    ) -> alerts.Raised:
        findings.replace(conn, [(shipment, finding(name, severity))], recorded_at=NOON)
        raised = alerts.raise_alert(
            conn,
            shipment_id=shipment,
            rule="route_deviation",
            cause="C-1",
            finding_id=name,
            severity=severity,
            opened_at=NOON,
            raised_at=NOON,
            opens=opens,
            by="judge",
        )
        self.recount(conn, name)
        return raised

    def recount(self, conn: Connection, *names: str) -> list[int]:
        return alerts.recount(conn, names, by="judge", comment="late data", at=NOON + MINUTE)

    def stand(self, conn: Connection) -> list[tuple[object, ...]]:
        return conn.execute("select state, severity, occurrences from alerts").fetchall()

    def actions(self, conn: Connection) -> list[tuple[object, ...]]:
        found = conn.execute("select action, by, comment from alert_actions order by action_id")
        return found.fetchall()

    def test_a_flood_is_one_alert_with_a_count(self, conn: Connection, shipment: int) -> None:
        assert [self.raise_(conn, shipment, name).news for name in ("f1", "f2", "f3")] == [
            "new", "again", "again"
        ]  # fmt: skip
        assert self.stand(conn) == [("open", "minor", 3)]

    def test_judging_again_counts_nothing_twice(self, conn: Connection, shipment: int) -> None:
        first = self.raise_(conn, shipment, "f1")
        assert self.raise_(conn, shipment, "f1") == (first.alert_id, "known")
        assert self.stand(conn) == [("open", "minor", 1)]

    def test_a_graver_severity_is_news_a_lesser_is_not(self, conn: Connection, shipment: int) -> None:
        self.raise_(conn, shipment, "f1")
        assert self.raise_(conn, shipment, "f1", "major").news == "worse"
        assert self.raise_(conn, shipment, "f1", "minor").news == "known"
        assert self.raise_(conn, shipment, "f2", "minor").news == "again"
        assert self.raise_(conn, shipment, "f3", "critical").news == "worse"
        assert self.stand(conn) == [("open", "critical", 3)]

    def test_after_it_is_resolved_a_new_finding_opens_it_again(self, conn: Connection, shipment: int) -> None:
        first = self.raise_(conn, shipment, "f1", "critical")
        conn.execute("update alerts set state = 'resolved'")
        assert self.raise_(conn, shipment, "f1", "critical") == (first.alert_id, "known")
        assert self.raise_(conn, shipment, "f2", "major") == (first.alert_id, "reopened")
        assert self.stand(conn) == [("open", "major", 2)]
        assert self.actions(conn) == [("reopen", "judge", "another finding of this rule and cause")]

    def test_a_finding_dated_anew_opens_nothing(self, conn: Connection, shipment: int) -> None:
        self.raise_(conn, shipment, "f1")
        conn.execute("update alerts set state = 'resolved'")
        findings.replace(conn, [(shipment, finding("f1", state="withdrawn"))], recorded_at=NOON)
        self.raise_(conn, shipment, "f2", opens=False)
        assert self.stand(conn) == [("resolved", "minor", 1)]
        assert self.actions(conn) == []

    def test_an_alert_goes_when_late_data_withdraws_all_its_findings(
        self, conn: Connection, shipment: int
    ) -> None:
        alert_id = self.raise_(conn, shipment, "f1").alert_id
        self.raise_(conn, shipment, "f2")

        def withdraw(name: str) -> list[int]:
            findings.replace(conn, [(shipment, finding(name, state="withdrawn"))], recorded_at=NOON + MINUTE)
            return self.recount(conn, name)

        assert withdraw("f1") == []
        assert self.stand(conn) == [("open", "minor", 1)]
        assert withdraw("f2") == [alert_id]
        assert self.actions(conn) == [("withdraw", "judge", "late data")]

    def test_a_finding_that_is_information_now_holds_no_alert(self, conn: Connection, shipment: int) -> None:
        alert_id = self.raise_(conn, shipment, "f1", "major").alert_id
        findings.replace(conn, [(shipment, finding("f1", "info"))], recorded_at=NOON)
        assert self.recount(conn, "f1") == [alert_id]


class TestOutbox:
    def test_it_is_relayed_in_order_and_once_marked_never_again(self, conn: Connection) -> None:
        outbox.add(conn, [Outgoing("a", b"\x00\xff"), Outgoing("b", b"2", 0)], created_at=NOON)
        with conn.transaction():
            first, second = outbox.take(conn)
            assert (first.topic, first.payload, first.qos) == ("a", b"\x00\xff", 1)
            assert (second.topic, second.payload, second.qos) == ("b", b"2", 0)
            outbox.mark_sent(conn, [first.outbox_id], sent_at=NOON)
        assert outbox.take(conn) == [second]
        assert outbox.age(conn) == outbox.Age(1, NOON)
        assert outbox.prune(conn, NOON + MINUTE) == 1

    def test_many_relays_share(self, conn: Connection, database: str) -> None:
        outbox.add(conn, [Outgoing(str(n), b"") for n in range(4)], created_at=NOON)
        with connect(database) as other, conn.transaction(), other.transaction():
            assert [message.topic for message in outbox.take(conn, limit=2)] == ["0", "1"]
            assert [message.topic for message in outbox.take(other)] == ["2", "3"]

    def test_the_relay_is_woken_by_the_commit_and_not_before(self, conn: Connection, database: str) -> None:
        with connect(database) as relay:
            relay.execute(f"listen {OUTBOX_CHANNEL}".encode())
            with conn.transaction():
                outbox.add(conn, [Outgoing("a", b"")], created_at=NOON)
                assert list(relay.notifies(timeout=0.05)) == []
            (woken,) = relay.notifies(timeout=5, stop_after=1)
            assert woken.channel == OUTBOX_CHANNEL


class TestHistory:
    @pytest.fixture
    def device(self, conn: Connection) -> int:
        device_id = add_devices(conn)[0]
        for seq in range(5):
            conn.execute(
                "insert into track_snapshots values (%s, %s, 1, %s, %s)",
                (device_id, NOON + seq * MINUTE, seq, bytes([seq])),
            )
            conn.execute(
                "insert into milestones"
                " (device_id, time, kind, at_time, at_run, at_seq, fold_version, recorded_at)"
                " values (%s, %s, 'entered', %s, 1, %s, 1, %s)",
                (device_id, NOON, NOON + seq * MINUTE, seq, NOON),
            )
        return device_id

    def key(self, seq: int) -> Key:
        return (NOON + seq * MINUTE, 1, seq)

    def test_snapshots_around_a_key(self, conn: Connection, device: int) -> None:
        before = history.snapshot_before(conn, device, self.key(2))
        assert before is not None
        assert (before.key, before.state) == (self.key(1), b"\x01")
        assert history.snapshot_before(conn, device, self.key(0)) is None
        assert [one.seq for one in history.snapshots_from(conn, device, self.key(3))] == [3, 4]
        assert [one.seq for one in history.snapshots_from(conn, device, self.key(0), limit=2)] == [0, 1]

    def test_milestones_are_superseded_and_kept(self, conn: Connection, device: int) -> None:
        between = history.milestones_between(conn, device, self.key(1), self.key(3))
        assert [one.at_seq for one in between] == [2, 3]
        history.supersede_milestones(conn, [between[0].milestone_id], at=NOON)
        assert [one.at_seq for one in history.milestones_between(conn, device, self.key(1), self.key(3))] == [
            3
        ]
        assert conn.execute("select count(*) from milestones").fetchone() == (5,)
