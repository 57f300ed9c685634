"""The judge of gates dies between any two of its steps, or at any moment: a vehicle is decided once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devices.observation import moment
from tests.support.barrier import Barrier
from tests.support.dying import dies_at
from tracking.domain.errors import Retryable
from tracking.judge import arrivals
from tracking.store import carrying, commands, documents, gates, outbox, told, work
from tracking.store.database import connect

TRUCK = "苏E33D71"
BOX = "BNDU1000010"
STEPS = [
    (gates, "undecided"),
    (documents, "about_observations"),
    (gates, "aboard"),
    (carrying, "carrying"),
    (told, "told_of"),
    (arrivals, "outline"),
    (gates, "add_decision"),
    (commands, "add_command"),
    (outbox, "add"),
    (work, "finish"),
]


@pytest.fixture
def barrier(database: str) -> Iterator[Barrier]:
    made = Barrier(database)
    made.shipment("S-1", BOX)
    made.scans(-900, "loading", BOX, TRUCK)
    made.files_pass("Z-1", TRUCK, containers=[BOX])
    made.judge()
    made.reports(0, plate=TRUCK, containers=[BOX])
    yield made
    made.close()


def expect_decided_once(barrier: Barrier) -> None:
    assert barrier.rows("select decision, pass_number, uses_pass, shipments from gate_decisions") == [
        ("open", "Z-1", True, ["S-1"])
    ]
    (command,) = barrier.commands()
    assert command["args"]["decision"] == "open"
    assert barrier.rows("select command_id::text from commands") == [(command["id"],)]
    assert barrier.rows("select kind from work where kind = 'gate'") == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("module", "step"), STEPS, ids=[step for _, step in STEPS])
def test_dying_there_changes_nothing(
    barrier: Barrier, monkeypatch: pytest.MonkeyPatch, module: Any, step: str, after: bool
) -> None:
    deaths = dies_at(monkeypatch, module, step, after=after)
    for _ in range(2):
        with connect(barrier.dsn) as conn, pytest.raises((Retryable, psycopg.OperationalError)):
            barrier.decides(0.2, conn)
    assert deaths
    monkeypatch.undo()
    assert barrier.rows("select count(*) from gate_decisions") == [(0,)]
    assert barrier.commands() == []
    with connect(barrier.dsn) as conn:
        barrier.decides(0.4, conn)
    expect_decided_once(barrier)


JUDGE = """
import sys
from datetime import UTC, datetime
from threading import Event
from tracking.judge import loop
from tracking.judge.deciding import Deciding
from tracking.store.database import connect
dsn = sys.argv[1]
now = datetime(2026, 3, 4, 12, 0, 1, tzinfo=UTC)
loop.run(lambda: connect(dsn, application="under-test"), [Deciding()], Event(), lambda: now)
"""


def test_killed_in_the_middle_of_writing(barrier: Barrier) -> None:
    """The decision is written and the command is not; then the process is killed."""
    with connect(barrier.dsn) as other, other.transaction():
        other.execute("lock table outbox in exclusive mode")
        process = start(barrier)
        until(
            lambda: (
                barrier.rows(
                    "select 1 from pg_stat_activity where application_name = 'under-test'"
                    " and wait_event_type = 'Lock' and query ilike '%%insert into outbox%%'"
                )
                != []
            )
        )
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert barrier.rows("select count(*) from gate_decisions") == [(0,)]
    process = start(barrier)
    until(lambda: barrier.rows("select count(*) from gate_decisions") == [(1,)])
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    expect_decided_once(barrier)


def test_two_judges_decide_once(barrier: Barrier) -> None:
    """The second has a row of work of its own about the same report."""
    again = (
        "insert into work (kind, key, changed_from, urgent) values ('gate', %s, '2026-03-04T11:00Z', true)"
    )
    with connect(barrier.dsn) as first, connect(barrier.dsn) as second:
        with first.transaction():
            barrier.deciding.do(first, work.take(first, None, kinds=("gate",)), None, now(barrier))
            barrier.conn.execute(again, (barrier.gate.device_id,))
            process = start(barrier)  # it waits for the first at the decision's row
            until(
                lambda: (
                    barrier.rows(
                        "select 1 from pg_stat_activity where application_name = 'under-test'"
                        " and wait_event_type = 'Lock' and query ilike '%%insert into gate_decisions%%'"
                    )
                    != []
                )
            )
        until(lambda: barrier.rows("select 1 from work where kind = 'gate'") == [])
        process.kill()
        process.wait()
        assert second.execute("select count(*) from gate_decisions").fetchone() == (1,)
    expect_decided_once(barrier)


def now(barrier: Barrier) -> datetime:
    return moment(barrier.station.clock_us)


def start(barrier: Barrier) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", JUDGE, barrier.dsn], cwd=Path(__file__).parents[2])


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
