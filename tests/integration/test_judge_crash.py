"""The judge dies between any two of its steps: the round leaves no trace, the next ends the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.court import Court
from tests.support.dying import dies_at
from tracking.domain.errors import Retryable
from tracking.judge import announce, passing
from tracking.judge import judging as judging_task
from tracking.store import (
    carrying,
    concern,
    documents,
    findings,
    history,
    judging,
    outbox,
    record,
    told,
    work,
)
from tracking.store.database import connect

STEPS = [
    (concern, "concerned_shipments"),
    (judging, "lock_shipments"),
    (carrying, "carrying"),
    (judging, "milestones_of"),
    (documents, "concerning"),
    (told, "told_of"),
    (findings, "effective_of"),
    (findings, "replace"),
    (judging_task, "announce"),
    (announce.alerts, "raise_alert"),
    (outbox, "add"),
    (judging, "put_custody_states"),
    (judging, "settle_dues"),
    (work, "finish"),
    (record, "lock_states"),
    (record, "save_states"),
    (record, "add_milestones"),
    (history, "snapshot_before"),
    (history, "supersede_milestones"),
    (passing, "leave_judging"),
]


def story(court: Court) -> None:
    """Strays, an open silence, and a late upload that fills another one."""
    truck = court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900)
    late = truck.drives(9000, 9600).stands(9600, 600).events[-20:-2]
    early = [event for event in truck.events if event not in late]
    court.deliver(truck, early)
    court.judge("judging")
    court.deliver(truck, late)
    court.reached(4000)


def ends(court: Court) -> Any:
    assert court.rows("select kind from work where kind <> 'shipment_due'") == []
    versions = "select count(*), count(distinct finding_id) from findings where superseded_at is null"
    told = [payload for _, payload in court.outbox()]
    return court.milestones(), court.findings(), court.rows(versions), court.alerts(), told


@pytest.fixture(scope="module")
def whole(postgres: Any) -> Iterator[Any]:
    """How it ends when nobody dies."""
    court = Court(postgres.create())
    story(court)
    court.judge()
    yield ends(court)
    court.close()
    postgres.drop(court.dsn)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("module", "step"), STEPS, ids=[step for _, step in STEPS])
def test_dying_there_changes_nothing(
    court: Court, whole: Any, monkeypatch: pytest.MonkeyPatch, module: Any, step: str, after: bool
) -> None:
    story(court)
    deaths = dies_at(monkeypatch, module, step, after=after)
    for _ in range(3):  # it dies whenever it comes to this step
        with connect(court.dsn) as conn, pytest.raises((Retryable, psycopg.OperationalError)):
            court.judge(conn=conn)
    assert deaths
    monkeypatch.undo()
    with connect(court.dsn) as conn:
        court.judge(conn=conn)
    assert ends(court) == whole
