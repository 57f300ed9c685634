"""What changed in what is held true of a shipment, and why: read from the record, told to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tracking.domain.custody.account import Changed, Happening, account
from tracking.domain.custody.corrections import Correction
from tracking.domain.custody.terms import decode
from tracking.store import account as store
from tracking.store import corrections, reading, terms
from tracking.store.database import Connection


def of(conn: Connection, shipment: Mapping[str, Any]) -> list[Changed]:
    """Every change, oldest first.

    Args:
        conn: any connection.
        shipment: a row of ``reading.shipment``.
    """
    shipment_id = shipment["shipment_id"]
    versions = store.versions(conn, shipment_id)
    if not versions:
        return []
    areas = {version.cause for version in versions}
    for revision in terms.revisions(conn, shipment_id):
        named = decode(msgspec.json.encode(revision["body"]))
        areas |= named.zones() | named.corridors()
    carrying = reading.carriers(conn, shipment_id)
    happenings = store.happenings(conn, shipment_id, carrying, areas)
    for correction in corrections.of_shipment(conn, shipment_id):
        happenings += _corrected(correction)
    return account(versions, happenings, shipment["created_at"])


def _corrected(correction: Correction) -> list[Happening]:
    """What a correction did, and what taking it back did."""
    seen = correction.observation
    named = {"device": seen.device, "time": seen.time, "run": seen.run, "seq": seen.seq}
    said = named | {"correction": correction.entry, "reason": correction.reason}
    taken = correction.retraction
    found = [
        Happening(
            "correction",
            correction.recorded_at,
            seen.time,
            said | {"why": correction.why, "by": correction.by},
        )
    ]
    if taken is not None:
        found.append(
            Happening("retraction", taken.recorded_at, seen.time, said | {"why": taken.why, "by": taken.by})
        )
    return found


def shown(changed: Changed) -> dict[str, Any]:
    """A change as the API tells it."""
    version, before = changed.version, changed.before
    return {
        "recorded_at": version.recorded_at,
        "change": changed.what,
        "finding_id": version.finding_id,
        "rule": version.rule,
        "cause": version.cause,
        "verdict": version.verdict,
        "state": version.state,
        "severity": version.severity,
        "opened_at": version.opened_at,
        "closed_at": version.closed_at,
        "rules_version": version.rules_version,
        "terms_revision": version.terms_revision,
        "before": None
        if before is None
        else {
            "finding_id": before.finding_id,
            "state": before.state,
            "severity": before.severity,
            "opened_at": before.opened_at,
            "closed_at": before.closed_at,
        },
        "why": changed.why,
        "because": [
            {"kind": one.kind, "recorded_at": one.recorded_at, "since": one.since, **one.detail}
            for one in changed.because
        ],
    }
