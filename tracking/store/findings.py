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


def replace(conn: Connection, rows: Sequence[tuple[int, FindingRow]], *, recorded_at: datetime) -> None:
    """Let these versions, each with its shipment, hold from now on in place of the ones before them.

    The caller has locked the shipments.
    """
    if not rows:
        return
    columns = dict(zip(FindingRow._fields, zip(*(row for _, row in rows), strict=True), strict=True))
    ids = texts(columns["finding_id"])
    conn.execute(SQL["supersede"], {"finding_ids": ids, "at": recorded_at})
    conn.execute(
        SQL["insert"],
        {
            "recorded_at": recorded_at,
            "shipment_ids": int8s([shipment_id for shipment_id, _ in rows]),
            "finding_ids": ids,
            "rules": texts(columns["rule"]),
            "rules_versions": int4s(columns["rules_version"]),
            "causes": texts(columns["cause"]),
            "verdicts": texts(columns["verdict"]),
            "states": texts(columns["state"]),
            "severities": texts(columns["severity"]),
            "opened_at": moments(columns["opened_at"]),
            "closed_at": moments(columns["closed_at"]),
            "evidence": texts([_json(value) for value in columns["evidence"]]),
            "parameters": texts([_json(value) for value in columns["parameters"]]),
            "terms_revisions": int4s(columns["terms_revision"]),
            "places": texts([None if place is None else _json(place) for place in columns["place"]]),
        },
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
