"""People's decisions about findings: added to and never changed. A decision resolves the finding's alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from tracking.domain.custody.decisions import DECIDED, Decision, Kind, about
from tracking.store.database import CUSTODY_CHANNEL, Connection, notify, queries
from tracking.store.registry import Unknown

SQL: Final = queries("decisions")


class Withdrawn(Exception):
    """The finding holds no longer: there is nothing to decide."""


class Decided(NamedTuple):
    """What a request for a decision came to."""

    decision: Decision
    is_new: bool
    resolved: bool


def of_shipments(
    conn: Connection, ids: Sequence[int], *, known_at: datetime | None = None
) -> dict[int, list[Decision]]:
    """Every decision about these shipments' findings, oldest first; those taken by a moment, or all."""
    found: dict[int, list[Decision]] = {}
    for shipment_id, *row in conn.execute(SQL["of_shipments"], {"ids": list(ids), "known_at": known_at}):
        found.setdefault(shipment_id, []).append(Decision(*row))
    return found


def decide(
    conn: Connection,
    number: str,
    finding_id: str,
    *,
    kind: Kind,
    until: datetime | None,
    reason: str,
    by: str,
    recorded_at: datetime,
) -> Decided:
    """Write down a decision, and resolve the alert that it settles; all of it or nothing.

    Said again, nothing changes: the answer of the first time may have been lost. The shipment is locked, so
    its judging sees the decision, or this sees what the judging found.

    Args:
        conn: outside a transaction, or within the caller's.
        number: of the shipment.
        finding_id: one of its findings.
        kind: what is decided.
        until: of a waiver: it holds for the rule and cause of the finding, up to this moment.
        reason: why.
        by: who.
        recorded_at: now.

    Raises:
        Unknown: there is no such shipment, or it has no such finding.
        Withdrawn: the finding holds no longer.
    """
    with conn.transaction():
        locked = conn.execute(SQL["lock_shipment"], {"number": number}).fetchone()
        if locked is None:
            raise Unknown("shipment", number)
        shipment_id, park = locked
        stands = conn.execute(
            SQL["finding"], {"shipment_id": shipment_id, "finding_id": finding_id}
        ).fetchone()
        if stands is None:
            raise Unknown("finding", finding_id)
        rule, cause, state = stands
        if state == "withdrawn":
            raise Withdrawn(finding_id)
        before = [
            one
            for one in of_shipments(conn, [shipment_id]).get(shipment_id, ())
            if one.finding_id == finding_id
        ]
        decision = Decision(0, finding_id, kind, rule, cause, until, reason, by, recorded_at)
        if before and _content(before[-1]) == _content(decision):
            return Decided(before[-1], is_new=False, resolved=False)
        named = msgspec.structs.asdict(decision) | {"shipment_id": shipment_id, "at": recorded_at}
        added = conn.execute(SQL["add"], named).fetchone()
        assert added is not None  # an insert that returns its row
        comment = {"comment": f"{DECIDED[kind]}: {reason}"}
        resolved = conn.execute(SQL["settle"], named | comment).fetchall()
        with conn.cursor() as cursor:  # open pages read the shipment again
            news = msgspec.json.encode({"shipment": number, "park": park})
            notify(cursor, CUSTODY_CHANNEL, news.decode())
        return Decided(msgspec.structs.replace(decision, entry=added[0]), True, bool(resolved))


def _content(decision: Decision) -> tuple[object, ...]:
    """A decision without its place and time."""
    return (decision.finding_id, decision.kind, decision.until, decision.reason, decision.by)


def shown(taken: Sequence[Decision], finding: Mapping[str, Any]) -> dict[str, Any]:
    """What people decided on a finding, beside which it is shown: ``decided`` and ``decisions``.

    Args:
        taken: the decisions about the shipment's findings.
        finding: with finding_id, rule, cause and opened_at.
    """
    names = ("finding_id", "rule", "cause", "opened_at")
    spoken = about(taken, *(finding[name] for name in names))
    return {
        "decided": DECIDED[spoken[-1].kind] if spoken else None,
        "decisions": [msgspec.structs.asdict(one) for one in spoken],
    }
