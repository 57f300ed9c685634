"""The outbox alone: numbers, durability of what was promised, refusals that lose nothing."""

from __future__ import annotations

import json
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devices.client.facts import Invalid, milliseconds, tail
from devices.client.outbox import Outbox, OutboxError, OutboxFull
from devices.messages import Refusal
from devices.observation import Action, Direction, Gate, Position, Scan

NAME = "SIP/SC-01"


def some(count: int, first: int = 0) -> list[tuple[int, bytes]]:
    return [(1_700_000_000_000 + n, b'"type":"status","queued":%d}' % n) for n in range(first, first + count)]


def opened(path: Path, **how: object) -> Outbox:
    return Outbox(path / "o", NAME, synchronous="NORMAL", **how)  # type: ignore[arg-type]


def test_numbers_count_up_by_one_and_go_on_after_reopening(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    assert outbox.append(some(3)) == range(1, 4)
    assert outbox.append(some(1)) == range(4, 5)
    run = outbox.run
    outbox.close()
    again = opened(tmp_path)
    assert (again.run, again.last_seq, again.waiting) == (run, 4, 4)
    assert again.append(some(1)) == range(5, 6)


def test_a_number_is_not_used_again_even_when_every_row_is_gone(tmp_path: Path) -> None:
    outbox = opened(tmp_path, keep=0)
    outbox.append(some(5))
    outbox.settle([(1, 5)], [], 0)
    assert outbox.read(1, 5, 10) == []
    outbox.close()
    assert opened(tmp_path).append(some(1)) == range(6, 7)


def test_each_outbox_draws_its_own_run(tmp_path: Path) -> None:
    runs = {Outbox(tmp_path / str(n), NAME, synchronous="NORMAL").run for n in range(20)}
    assert len(runs) == 20
    assert all(0 < run < 2**31 for run in runs)


def test_the_bytes_are_the_event_and_do_not_change(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.append(some(1))
    (event,) = outbox.after(0, 10)
    said = json.loads(event.body)
    assert said == {"run": outbox.run, "seq": 1, "time": 1_700_000_000_000, "type": "status", "queued": 0}
    outbox.close()
    assert opened(tmp_path).after(0, 10) == [event]


def test_a_receipt_confirms_ranges_and_sets_refusals_aside(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.append(some(6))
    settled = outbox.settle([(1, 2), (4, 4)], [Refusal("schema", seq=3, detail="lat 91")], at_ms=5)
    assert (settled.confirmed, settled.rejected, outbox.waiting) == (3, 1, 2)
    assert [event.seq for event in outbox.after(0, 10)] == [5, 6]
    assert [(row.seq, row.reason, row.detail) for row in outbox.rejected()] == [(3, "schema", "lat 91")]
    assert outbox.settle([(1, 4)], [Refusal("schema", seq=3)], 6) == (0, 0), "a receipt repeated says nothing"
    assert [event.seq for event in outbox.pick([1, 5, 6, 9])] == [5, 6]


def test_confirmed_events_are_kept_for_a_while(tmp_path: Path) -> None:
    outbox = opened(tmp_path, keep=10)
    outbox.append(some(100))
    outbox.settle([(1, 95)], [], 0)
    assert [event.seq for event in outbox.read(1, 1000, 100)] == list(range(91, 101))
    assert outbox.held(1, 93) == 3


def test_full_means_full_and_stores_nothing(tmp_path: Path) -> None:
    outbox = opened(tmp_path, capacity=4)
    outbox.append(some(3))
    with pytest.raises(OutboxFull, match="3 events wait"):
        outbox.append(some(2))
    assert (outbox.waiting, outbox.last_seq) == (3, 3)
    assert outbox.append(some(1)) == range(4, 5)
    assert outbox.answer("c", 0, b'"type":"result","command":"c","ok":true}') == 5, "answers always fit"


def test_waiting_for_room_ends_when_a_receipt_makes_it(tmp_path: Path) -> None:
    outbox = opened(tmp_path, capacity=1)
    outbox.append(some(1))
    threading.Timer(0.05, outbox.settle, ([(1, 1)], [], 0)).start()
    assert outbox.append(some(1), wait_s=10) == range(2, 3)


def test_a_failed_write_gives_no_number(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.append(some(2))
    outbox._db.execute("create trigger no before insert on events begin select raise(abort, 'disk'); end")
    with pytest.raises(sqlite3.DatabaseError, match="disk"):
        outbox.append(some(2))
    outbox._db.execute("drop trigger no")
    assert (outbox.waiting, outbox.last_seq) == (2, 2)
    assert outbox.append(some(1)) == range(3, 4)


def test_one_process_and_one_device_per_file(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    with pytest.raises(OutboxError, match="does another process use it"):
        opened(tmp_path)
    outbox.close()
    with pytest.raises(OutboxError, match="belongs to SIP/SC-01, not to SIP/SC-02"):
        Outbox(tmp_path / "o", "SIP/SC-02")


def test_commands_are_known_until_long_after_they_are_done(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    assert outbox.accept("a", b"A", 1)
    assert outbox.accept("b", b"B", 2)
    assert not outbox.accept("a", b"A", 3)
    outbox.answer("a", 0, b'"type":"result","command":"a","ok":true}')
    assert outbox.undone() == [b"B"]
    assert not outbox.accept("a", b"A", 4)


def test_a_fact_is_written_without_what_is_not_known() -> None:
    assert tail(Position(lon=120.5, lat=31.25)) == b'"type":"position","lon":120.5,"lat":31.25}'
    fact = Gate("G-SIPE-N1", "1", direction=Direction.IN, plate="苏E1289K", pass_number="Z1")
    assert json.loads(b"{" + tail(fact)) == {
        "type": "gate", "gate": "G-SIPE-N1", "lane": "1", "direction": "in",
        "plate": "苏E1289K", "pass": "Z1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fact", "says"),
    [
        (Position(lon=120.5, lat=91), "position: .*lat"),
        (Scan("", action=Action.STORING), "scan: .*code"),
        (Scan("x", action="stolen"), "scan: .*action"),  # type: ignore[arg-type] # as an untyped caller may
    ],
)
def test_what_cannot_be_true_is_refused_before_it_is_stored(fact: Position | Scan, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        tail(fact)


def test_a_time_needs_its_offset() -> None:
    assert milliseconds(datetime(2026, 3, 10, 8, 30, tzinfo=UTC)) == 1_773_131_400_000
    with pytest.raises(Invalid, match="no offset"):
        milliseconds(datetime(2026, 3, 10, 8, 30))  # noqa: DTZ001 - what a caller may do wrong
