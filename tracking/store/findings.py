"""Findings in versions: the effective one of each, superseded and never rewritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from tracking.store.arrays import int4s, int8s, moments, texts
from tracking.store.database import Connection, queries

SQL: Final = queries("findings")


class FindingRow(NamedTuple):
    """One version of a finding. ``evidence`` and ``parameters`` are JSON values."""

    finding_id: str
    rule: str
    rules_version: int
    cause: str
    verdict: str
    state: str
    severity: str
    opened_at: datetime
    closed_at: datetime | None
    evidence: Sequence[Mapping[str, Any]]
    parameters: Mapping[str, Any]
    terms_revision: int
    place: Mapping[str, Any] | None = None


def effective(conn: Connection, shipment_id: int) -> dict[str, FindingRow]:
    """What we hold true of a shipment now, withdrawn findings included, by finding id."""
    found = conn.execute(SQL["effective"], {"shipment_id": shipment_id})
    return {row[0]: FindingRow._make(row) for row in found}


def effective_of(conn: Connection, shipment_ids: Sequence[int]) -> dict[int, dict[str, FindingRow]]:
    """The same of many shipments in one statement, by shipment; each of them is there."""
    held: dict[int, dict[str, FindingRow]] = {shipment_id: {} for shipment_id in shipment_ids}
    for shipment_id, *row in conn.execute(SQL["effective_of"], {"shipment_ids": int8s(shipment_ids)}):
        held[shipment_id][row[0]] = FindingRow._make(row)
    return held


def replace(conn: Connection, shipment_id: int, rows: Sequence[FindingRow], *, recorded_at: datetime) -> None:
    """Let these versions hold from now on, each in place of the one before it. The caller has locked the
    shipment.
    """
    if not rows:
        return
    ids = texts([row.finding_id for row in rows])
    conn.execute(SQL["supersede"], {"finding_ids": ids, "at": recorded_at})
    conn.execute(
        SQL["insert"],
        {
            "shipment_id": shipment_id,
            "recorded_at": recorded_at,
            "finding_ids": ids,
            "rules": texts([row.rule for row in rows]),
            "rules_versions": int4s([row.rules_version for row in rows]),
            "causes": texts([row.cause for row in rows]),
            "verdicts": texts([row.verdict for row in rows]),
            "states": texts([row.state for row in rows]),
            "severities": texts([row.severity for row in rows]),
            "opened_at": moments([row.opened_at for row in rows]),
            "closed_at": moments([row.closed_at for row in rows]),
            "evidence": texts([_json(row.evidence) for row in rows]),
            "parameters": texts([_json(row.parameters) for row in rows]),
            "terms_revisions": int4s([row.terms_revision for row in rows]),
            "places": texts([_json(row.place) if row.place is not None else None for row in rows]),
        },
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
