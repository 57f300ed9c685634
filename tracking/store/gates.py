"""Gates: who waits to be decided, what was decided, and what the gates did. Decisions are never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tracking.store.database import Connection, queries

SQL: Final = queries("gates")

Row = dict[str, Any]


class ReportRow(NamedTuple):
    """What a gate reported, as recorded; ``body`` decodes to it."""

    device_id: int
    park: str
    device: str
    device_kind: str
    dialect: str
    datum: str
    event_time: datetime
    run: int
    seq: int
    body: bytes


class AboardRow(NamedTuple):
    """A shipment before the barrier, and one of its things there (None: its pass was shown)."""

    shipment_id: int
    number: str
    park: str
    closed_at: datetime | None
    thing: str | None


class ThingRow(NamedTuple):
    """A thing that somebody has named."""

    thing_id: int
    uri: str
    kind: str
    label: str


class DecisionRow(NamedTuple):
    """A decision for the record; ``entry`` is the officer's word that made it, ``unsent`` says why no command
    went to the gate.
    """

    device_id: int
    gate: str
    event_time: datetime
    run: int
    seq: int
    decided_at: datetime
    decision: str
    reasons: Sequence[Mapping[str, Any]]
    pass_number: str | None
    uses_pass: bool
    shipments: Sequence[str]
    decided_by: str
    entry: int | None
    fallback: str
    within_s: float
    command_id: UUID | None
    unsent: str | None


class GateRow(NamedTuple):
    """A gate that has a device, as its area is now."""

    code: str
    device_id: int
    device: str
    zone: str
    properties: Mapping[str, Any]


class PaperRow(NamedTuple):
    """What was said of a pass."""

    entry: int
    kind: str
    number: str
    time: datetime
    body: Mapping[str, Any]
    source: str
    by: str


def undecided(conn: Connection, since: Mapping[int, datetime], *, limit: int) -> list[ReportRow]:
    """The newest reports of these gates that nobody has decided, from their moments on."""
    parameters = {"device_ids": list(since), "froms": list(since.values()), "limit": limit}
    with conn.cursor(binary=True) as cursor:
        return [ReportRow(*row) for row in cursor.execute(SQL["undecided"], parameters)]


def decided_report(conn: Connection, gate: str, decision_id: int) -> ReportRow | None:
    """What a decision is about; None: that gate has no such decision. Locks it until the transaction ends."""
    with conn.cursor(binary=True) as cursor:
        cursor.execute(SQL["decided_report"], {"gate": gate, "decision_id": decision_id})
        row = cursor.fetchone()
    return None if row is None else ReportRow(*row)


def aboard(conn: Connection, uris: Sequence[str], pass_uri: str | None, at: datetime) -> list[AboardRow]:
    """Whose goods are in these things at a moment, or on the pass that was shown."""
    parameters = {"uris": list(uris), "pass_uri": pass_uri, "at": at}
    return [AboardRow(*row) for row in conn.execute(SQL["aboard"], parameters)]


def things_of(conn: Connection, uris: Sequence[str]) -> list[ThingRow]:
    """Those of these things that somebody has named."""
    return [ThingRow(*row) for row in conn.execute(SQL["things_of"], {"uris": list(uris)})]


def add_decision(conn: Connection, row: DecisionRow) -> int | None:
    """Record a decision; None: that report, or that word of an officer, is decided already."""
    parameters = row._asdict() | {"reasons": Jsonb(list(row.reasons)), "shipments": list(row.shipments)}
    found = conn.execute(SQL["add_decision"], parameters).fetchone()
    return None if found is None else int(found[0])


def decisions(
    conn: Connection,
    *,
    gate: str | None = None,
    shipment: str | None = None,
    decision_id: int | None = None,
    entry: int | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Row]:
    """A page of decisions, newest first, with what the gates did.

    Args:
        gate: code of the gate; None: of all.
        shipment: number of one that was aboard; None: whatever was.
        decision_id: this one only.
        entry: the one that an officer's word made only.
        after: number of the last decision of the page before.
        limit: at most so many.
    """
    parameters = {
        "gate": gate, "shipment": shipment, "decision_id": decision_id, "entry": entry, "after": after,
        "limit": limit,
    }  # fmt: skip
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(SQL["decisions"], parameters).fetchall()


def is_gate(conn: Connection, gate: str) -> bool:
    """Whether there is such a gate, or was."""
    row = conn.execute(SQL["is_gate"], {"gate": gate}).fetchone()
    return row is not None and bool(row[0])


def pass_news(conn: Connection) -> tuple[Any, ...]:
    """Another value whenever what gates' lists of passes are made of has changed."""
    row = conn.execute(SQL["pass_news"]).fetchone()
    assert row is not None  # a select without a table always has a row
    return row


def gates_with_devices(conn: Connection, now: datetime) -> list[GateRow]:
    """The gates of zones that somebody can be told to."""
    return [GateRow(*row) for row in conn.execute(SQL["gates_with_devices"], {"now": now})]


def last_commands(
    conn: Connection, device_ids: Sequence[int], command: str
) -> dict[int, tuple[datetime, Mapping[str, Any]]]:
    """When each device was sent this command last, and its arguments."""
    found = conn.execute(SQL["last_commands"], {"device_ids": list(device_ids), "command": command})
    return {device_id: (at, args) for device_id, at, args in found}


def pass_papers(conn: Connection, since: datetime) -> list[PaperRow]:
    """Everything that was said of the passes of which anything was said since."""
    return [PaperRow(*row) for row in conn.execute(SQL["pass_papers"], {"since": since})]


def used_passes(conn: Connection, numbers: Sequence[str]) -> set[str]:
    """Those of these passes that a gate's decision has used."""
    return {number for (number,) in conn.execute(SQL["used_passes"], {"numbers": list(numbers)})}


def uses_of(conn: Connection, number: str) -> list[Row]:
    """The passages that a pass was used for, in order of time: gate, time, decision, decided_by."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(SQL["uses_of"], {"number": number}).fetchall()
