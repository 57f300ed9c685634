"""Upkeep, commands for skipped numbers, and work that fails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import pytest

from devices.messages import decode_command
from tests.support.recording import at
from tests.support.rows import NOON, add_devices
from tracking.judge.loop import PUT_OFF, do_round, drain
from tracking.judge.resend import ask_for_missing
from tracking.judge.upkeep import TURN_LOCK, Upkeep
from tracking.store import outbox, work
from tracking.store.database import Connection, connect
from tracking.store.outbox import Outgoing
from tracking.store.work import Work, WorkKind

MINUTE = timedelta(minutes=1)


def gap(conn: Connection, device_id: int, first: int, last: int, run: int = 7, seen: datetime = NOON) -> None:
    conn.execute(
        "insert into sequence_gaps (device_id, run, first_seq, last_seq, seen_at)"
        " values (%s, %s, %s, %s, %s)",
        (device_id, run, first, last, seen),
    )


class TestResend:
    def test_a_gap_is_asked_for_after_half_a_minute(self, conn: Connection) -> None:
        device, other = add_devices(conn, 2)
        gap(conn, device, 3, 5)
        gap(conn, device, 9, 9)
        gap(conn, other, 1, 1, seen=at(25))
        assert ask_for_missing(conn, at(29)) == 0
        assert ask_for_missing(conn, at(30)) == 1
        ((topic, payload),) = conn.execute("select topic, payload from outbox").fetchall()
        command = decode_command(payload)
        assert topic == "bw/v1/SIP/D-1/commands"
        assert (command.command, command.args) == ("resend", {"run": 7, "missing": [[3, 5], [9, 9]]})
        assert command.expires == at(30 + 600)
        ((stored, args),) = conn.execute("select command_id, args from commands").fetchall()
        assert (str(stored), args) == (command.id, command.args)

    def test_at_most_once_a_minute_and_ever_more_rarely(self, conn: Connection) -> None:
        (device,) = add_devices(conn)
        gap(conn, device, 3, 5)
        asked = [second for second in range(0, 900, 10) if ask_for_missing(conn, at(second))]
        assert asked == [30, 90, 180, 360, 720]

    def test_one_command_a_minute_whatever_the_gaps(self, conn: Connection) -> None:
        (device,) = add_devices(conn)
        gap(conn, device, 3, 5, run=7)
        gap(conn, device, 1, 2, run=8)
        assert [ask_for_missing(conn, at(second)) for second in (30, 60, 90)] == [1, 0, 1]
        runs = [
            decode_command(payload).args["run"]
            for (payload,) in conn.execute("select payload from outbox order by outbox_id")
        ]
        assert runs[0] == 8

    def test_what_is_filled_is_not_asked_for(self, conn: Connection) -> None:
        (device,) = add_devices(conn)
        gap(conn, device, 3, 5)
        conn.execute("update sequence_gaps set filled_at = seen_at")
        assert ask_for_missing(conn, at(60)) == 0

    def test_two_at_once_ask_once(self, database: str, conn: Connection) -> None:
        (device,) = add_devices(conn)
        gap(conn, device, 3, 5)
        with connect(database) as other, other.transaction():
            assert ask_for_missing(other, at(30)) == 1
            assert ask_for_missing(conn, at(30)) == 0
        assert ask_for_missing(conn, at(31)) == 0


class TestUpkeep:
    def test_partitions_stand_ready(self, conn: Connection) -> None:
        Upkeep().look_after(conn, NOON)
        weeks = conn.execute(
            "select count(*) from pg_inherits where inhparent = 'observations'::regclass"
        ).fetchone()
        assert weeks is not None
        assert weeks[0] >= 5

    def test_old_rows_go_and_young_ones_stay(self, conn: Connection) -> None:
        (device,) = add_devices(conn)
        for age in (1, 40):
            sent = NOON - timedelta(days=age)
            outbox.add(conn, [Outgoing("t", b"%d" % age)], created_at=sent)
            conn.execute("update outbox set sent_at = %s where sent_at is null", (sent,))
            conn.execute(
                "insert into event_ids (device_id, id, seq, event_time, recorded_at)"
                " values (%s, %s, 1, %s, %s)",
                (device, str(age), sent, sent),
            )
        outbox.add(conn, [Outgoing("t", b"unsent")], created_at=NOON - timedelta(days=400))
        Upkeep().look_after(conn, NOON)
        assert conn.execute("select payload from outbox order by 1").fetchall() == [(b"1",), (b"unsent",)]
        assert conn.execute("select id from event_ids").fetchall() == [("1",)]

    def test_one_at_a_time(self, database: str, conn: Connection) -> None:
        (device,) = add_devices(conn)
        gap(conn, device, 3, 5)
        with connect(database) as other, other.transaction():
            other.execute("select pg_advisory_xact_lock(%s)", (TURN_LOCK,))
            Upkeep().look_after(conn, at(30))
            assert conn.execute("select count(*) from outbox").fetchone() == (0,)
        Upkeep().look_after(conn, at(30))
        assert conn.execute("select count(*) from outbox").fetchone() == (1,)


class Faulty:
    """A task that can't do some keys."""

    name: Final = "faulty"
    kinds: Final[tuple[WorkKind, ...]] = ("shipment",)
    limit: Final = 10

    def __init__(self, *bad: int) -> None:
        self.bad, self.did = bad, list[int]()

    def do(self, conn: Connection, taken: Sequence[Work], *_moments: datetime | None) -> None:
        for row in taken:
            if row.key in self.bad:
                raise ZeroDivisionError(row.key)
        work.finish(conn, [row.work_id for row in taken])
        self.did += [row.key for row in taken]


class TestFailingWork:
    def test_neighbours_are_done_and_the_failing_one_is_put_off(self, conn: Connection) -> None:
        for key in range(5):
            conn.execute(
                "insert into work (kind, key, changed_from) values ('shipment', %s, %s)", (key, NOON)
            )
        conn.execute(
            "insert into source_positions (source, partition, through_at) values ('t', 0, %s)", (NOON,)
        )
        task = Faulty(2)
        drain(conn, [task], lambda: NOON)
        assert sorted(task.did) == [0, 1, 3, 4]
        assert conn.execute("select key, due_at from work").fetchall() == [(2, NOON + PUT_OFF)]
        task.bad = ()
        assert drain(conn, [task], lambda: NOON) == 0
        conn.execute("update source_positions set through_at = %s", (NOON + PUT_OFF,))
        assert drain(conn, [task], lambda: NOON) == 1
        assert task.did[-1] == 2

    def test_a_failed_round_leaves_everything_as_it_was(self, conn: Connection) -> None:
        conn.execute("insert into work (kind, key, changed_from) values ('shipment', 1, %s)", (NOON,))
        with pytest.raises(ZeroDivisionError):
            do_round(conn, Faulty(1), NOON)
        assert conn.execute("select count(*) from work").fetchone() == (1,)
