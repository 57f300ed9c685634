"""A shipment's certificate as a page to read and to print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from tracking.console import view
from tracking.console.view import mark_of
from tracking.domain.custody.corrections import Correction
from tracking.domain.custody.decisions import Decision, about
from tracking.domain.ledger.certificate import Certificate


def shown(certificate: Certificate) -> dict[str, Any]:
    """What the page says of the document itself. Pure."""
    head: Mapping[str, Any] = msgspec.json.decode(certificate.checkpoint.signed)
    through = certificate.judged_through
    rows = [msgspec.json.decode(row.row) for row in certificate.rows]
    decided = [msgspec.convert(_decision(row), Decision) for row in rows if row["leaf"] == "decision"]
    return {
        "made_at": datetime.fromisoformat(certificate.made_at),
        "judged_through": None if through is None else datetime.fromisoformat(through),
        "ledger_entries": certificate.ledger_entries,
        "rows": len(certificate.rows),
        "events": len(certificate.events),
        "findings": [_finding(row, decided) for row in certificate.findings],
        "corrections": _corrections(rows),
        "devices": certificate.completeness["devices"],
        "log_size": head["size"],
        "public_key": certificate.checkpoint.public_key,
        "signature": certificate.signature,
    }


def _decision(row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(row) | {"entry": row["key"], "finding_id": row["finding"], "kind": row["decision"]}


def _corrections(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Newest first."""
    taken = {row["correction"]: row for row in rows if row["leaf"] == "retraction"}
    found = sorted((row for row in rows if row["leaf"] == "correction"), key=lambda row: -int(row["key"]))
    return [view.correction(_correction(row, taken.get(row["key"]))) for row in found]


def _correction(row: Mapping[str, Any], taken: Mapping[str, Any] | None) -> Correction:
    told = dict(row) | {"entry": row["key"], "observation": row}
    if taken is not None:
        told["retraction"] = dict(taken) | {"entry": taken["key"]}
    return msgspec.convert(told, Correction, strict=False)


def _finding(row: Mapping[str, Any], decided: Sequence[Decision]) -> dict[str, Any]:
    closed_at = row["closed_at"]
    opened_at = datetime.fromisoformat(row["opened_at"])
    return dict(row) | {
        "mark": mark_of(row),
        "decisions": about(decided, row["finding"], row["rule"], row["cause"], opened_at),
        "opened_at": opened_at,
        "closed_at": None if closed_at is None else datetime.fromisoformat(closed_at),
    }
