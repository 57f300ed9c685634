"""Alerts: what a person must handle. A flood of the same finding is one alert with a count.

While an alert is not resolved, further findings of the same shipment, rule and cause go into it. After it is
resolved a further one opens a new alert. A finding is counted once, however often it is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from tracking.store.arrays import texts
from tracking.store.database import Connection, queries

SQL: Final = queries("alerts")

News: TypeAlias = Literal["new", "again", "worse", "known"]
"""A new alert; one more finding in it; a graver severity; nothing that a person should hear again."""


class Raised(NamedTuple):
    """The alert that a finding stands in, and what is new about it."""

    alert_id: int
    news: News
    occurrences: int


def raise_alert(
    conn: Connection,
    *,
    shipment_id: int,
    rule: str,
    cause: str,
    finding_id: str,
    severity: str,
    opened_at: datetime,
    raised_at: datetime,
) -> Raised:
    """Put a finding into its alert, making one if there is none that is not resolved.

    The caller has locked the shipment, so no other judge does the same at the same time.

    Args:
        opened_at: when the finding began (event time).
        raised_at: now.
    """
    finding = {"finding_id": finding_id, "severity": severity}
    known = conn.execute(SQL["worsen_known"], finding).fetchone()
    if known is not None:
        alert_id, occurrences, worse = known
        return Raised(alert_id, "worse" if worse else "known", occurrences)
    row = conn.execute(
        SQL["raise"],
        finding
        | {
            "shipment_id": shipment_id,
            "rule": rule,
            "cause": cause,
            "opened_at": opened_at,
            "raised_at": raised_at,
        },
    ).fetchone()
    assert row is not None  # inserted or updated, in either case a row
    alert_id, occurrences, worse = row
    if occurrences == 1:
        return Raised(alert_id, "new", occurrences)
    return Raised(alert_id, "worse" if worse else "again", occurrences)


def resolve_withdrawn(
    conn: Connection, finding_ids: Sequence[str], *, by: str, comment: str, at: datetime
) -> list[int]:
    """Resolve the alerts of these findings of which every finding is withdrawn now; returns their ids."""
    if not finding_ids:
        return []
    found = conn.execute(
        SQL["resolve_withdrawn"], {"finding_ids": texts(finding_ids), "by": by, "comment": comment, "at": at}
    )
    return [alert_id for (alert_id,) in found]
