"""Gates: a vehicle stands before the barrier. Decide, write it down, tell the gate. One transaction.

1. take      the gates whose reports have come; other judges pass them over
2. find      the reports that nobody has decided, the newest first
3. gather    what is recorded of the vehicle, its pass and its goods             (``arrivals``)
4. decide    open, hold or inspect, with reasons                                 pure
5. write     the decision; the command and the message to the gate, unless it is too late for that
6. finish    delete the work

Dying before the commit leaves the work as it was; a report is decided once, because the decision's row says
so. It has a thread and a connection of its own, and waits for no lock of those who judge shipments.

A report that is older than its gate's limit is decided for the record: the gate has followed its fallback and
says so itself. Whoever stands there goes before what an offline gate brings late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from devices.messages import DECISION, ArrivalKey, Command, GateDecision, GateReason, encode
from devices.topics import commands_topic
from tracking.domain.custody.facts import AreaBook
from tracking.domain.custody.passages import gate_of
from tracking.domain.custody.told import Report
from tracking.domain.gates.decide import Decision, decide
from tracking.judge import measures
from tracking.judge.arrivals import Gathered, gather_arrival, report_of, timing_of
from tracking.judge.places import Areas
from tracking.store import commands, gates, outbox, work
from tracking.store.database import GATES_CHANNEL, Connection, notify
from tracking.store.gates import DecisionRow, ReportRow
from tracking.store.outbox import Outgoing
from tracking.store.work import Work, WorkKind

SYSTEM: Final = "system"
LATE: Final = "late"
"""Why nothing was sent: the gate has followed its fallback."""

AT_ONCE: Final = 20
"""Vehicles in one transaction."""

LATE_AT_ONCE: Final = 5
"""Reports that came late in one transaction: someone who has just arrived waits for so many at most."""

OFFICER_WITHIN: Final = timedelta(minutes=10)
"""So long an officer's decision may reach the gate; the vehicle still stands there."""

MOST_TOLD: Final = 50
"""Shipments that a notification names; open pages read the rest."""

ANSWERS: Final = ("hold", "inspect", "open")
"""The gravest first."""


class Word(Struct, frozen=True):
    """What an officer said of a report, recorded already as a document.

    Attributes:
        entry: of the document.
        by: who.
    """

    entry: int
    by: str


class Deciding:
    """The task of deciding at gates.

    Args:
        new_id: where the commands' ids come from.
    """

    name: Final = "gates"
    kinds: Final[tuple[WorkKind, ...]] = ("gate",)
    limit: Final = 500

    def __init__(self, *, new_id: Callable[[], UUID] = uuid4) -> None:
        self._areas = Areas()
        self._new_id = new_id

    def do(self, conn: Connection, taken: Sequence[Work], watermark: datetime | None, now: datetime) -> None:  # noqa: ARG002 - a barrier waits for no watermark
        """Steps 2 to 6, within the transaction that took the work."""
        since: dict[int, datetime] = {}
        for row in taken:
            since[row.key] = min(since.get(row.key, row.changed_from), row.changed_from)
        areas = self._areas.current(conn)
        waiting = [(row, report_of(row)) for row in gates.undecided(conn, since, limit=AT_ONCE + 1)]
        here = [one for one in waiting if not timing_of(one[1], areas).is_over(one[1].time, now)]
        chosen = here[:AT_ONCE] or waiting[:LATE_AT_ONCE]
        for found, report in chosen:
            _decide(conn, areas, found, report, now, self._new_id())
        if len(chosen) == len(waiting):
            work.finish(conn, [row.work_id for row in taken])


def decide_anew(
    conn: Connection,
    areas: AreaBook,
    row: ReportRow,
    now: datetime,
    word: Word,
    *,
    new_id: Callable[[], UUID] = uuid4,
) -> None:
    """Decide about a report again because an officer has spoken, and tell the gate. Within a transaction.

    The same word twice is one decision.
    """
    _decide(conn, areas, row, report_of(row), now, new_id(), word)


def gravest(found: Gathered) -> Decision:
    """The decision under the strictest of the terms aboard."""
    made = [decide(found.arrival, policy) for policy in found.policies]
    return min(made, key=lambda decision: ANSWERS.index(decision.decision))


def _decide(
    conn: Connection,
    areas: AreaBook,
    row: ReportRow,
    report: Report,
    now: datetime,
    command_id: UUID,
    word: Word | None = None,
) -> None:
    found = gather_arrival(conn, row, report, areas)
    decision = gravest(found)
    is_late = word is None and found.timing.is_over(report.time, now)
    decision_id = gates.add_decision(
        conn,
        DecisionRow(
            device_id=row.device_id,
            gate=gate_of(report).gate,
            event_time=report.time,
            run=report.run,
            seq=report.seq,
            decided_at=now,
            decision=decision.decision,
            reasons=[msgspec.to_builtins(reason) for reason in decision.reasons],
            pass_number=decision.pass_number,
            uses_pass=decision.uses_pass,
            shipments=found.shipments,
            decided_by=SYSTEM if word is None else word.by,
            entry=None if word is None else word.entry,
            fallback=found.timing.fallback,
            within_s=found.timing.within_s,
            command_id=None if is_late else command_id,
            unsent=LATE if is_late else None,
        ),
    )
    if decision_id is None:
        return  # another judge was faster
    if not is_late:
        expires = found.timing.ends(report.time) if word is None else now + OFFICER_WITHIN
        _tell_gate(conn, row, decision, now, expires, command_id)
    measures.GATE_DECISIONS.labels(decision.decision, LATE if is_late else "sent").inc()
    news = _news(row, found, decision, decision_id)
    with conn.cursor() as cursor:
        notify(cursor, GATES_CHANNEL, msgspec.json.encode(news).decode())


def _tell_gate(
    conn: Connection, row: ReportRow, decision: Decision, now: datetime, expires: datetime, command_id: UUID
) -> None:
    args = msgspec.to_builtins(
        GateDecision(
            arrival=ArrivalKey(row.run, row.seq),
            decision=decision.decision,
            reasons=[GateReason(one.code, one.text, one.severity.value) for one in decision.reasons],
            pass_number=decision.pass_number,
        )
    )
    commands.add_command(
        conn,
        command_id=command_id,
        device_id=row.device_id,
        command=DECISION,
        args=args,
        created_at=now,
        expires_at=expires,
    )
    measures.COMMANDS_ASKED.labels(DECISION).inc()
    command = Command(id=str(command_id), command=DECISION, args=args, expires=expires)
    outbox.add(conn, [Outgoing(commands_topic(row.device), encode(command))], created_at=now)


def _news(row: ReportRow, found: Gathered, decision: Decision, decision_id: int) -> dict[str, Any]:
    """For open pages. Too many shipments are left out: then it may concern any."""
    gate = gate_of(found.arrival.report)
    news: dict[str, Any] = {
        "decision_id": decision_id,
        "gate": gate.gate,
        "park": row.park,
        "time": row.event_time.isoformat(),
        "plate": gate.plate,
        "decision": decision.decision,
    }
    shipments = list(found.shipments)
    return news | {"shipments": shipments} if len(shipments) <= MOST_TOLD else news
