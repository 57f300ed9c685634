"""Alerts: what a person must handle. A flood of the same finding is one alert with a count.

There is one alert for each shipment, rule and cause. Findings go into it while it is open or acknowledged;
one that comes after a person has resolved it opens it again, and the alert's actions say so. It counts the
findings that hold, so a finding counts once, however often it is judged, and whatever late data make of its
date.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from tracking.store.arrays import texts
from tracking.store.database import Connection, queries

SQL: Final = queries("alerts")

News: TypeAlias = Literal["new", "reopened", "again", "worse", "known"]
"""A new alert; one that was resolved; one more finding in it; a graver severity; nothing new."""


class Raised(NamedTuple):
    """The alert that a finding stands in, and what is new about it."""

    alert_id: int
    news: News


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
    opens: bool,
    by: str,
) -> Raised:
    """Put a finding into the alert of its rule and cause, making it if there is none.

    The caller has locked the shipment, so no other judge does the same at the same time; afterwards it counts
    (``recount``).

    Args:
        opened_at: when the finding began (event time).
        raised_at: now.
        opens: whether a finding that the alert doesn't know opens it again; not so for one that stands for
            another, which late data have dated anew.
        by: who opens it again.
    """
    finding = {"finding_id": finding_id, "severity": severity}
    known = conn.execute(SQL["known"], finding).fetchone()
    if known is not None:
        alert_id, worse = known
        return Raised(alert_id, "worse" if worse else "known")
    row = conn.execute(
        SQL["raise"],
        finding
        | {
            "shipment_id": shipment_id,
            "rule": rule,
            "cause": cause,
            "opened_at": opened_at,
            "raised_at": raised_at,
            "opens": opens,
            "by": by,
        },
    ).fetchone()
    assert row is not None  # made or found, in either case a row
    return Raised(*row)


def reopen_withdrawn(conn: Connection, alert_id: int, *, by: str, comment: str, at: datetime) -> None:
    """Open an alert again that late data had resolved, because its finding holds after all."""
    conn.execute(SQL["reopen_withdrawn"], {"alert_id": alert_id, "by": by, "comment": comment, "at": at})


def recount(
    conn: Connection, finding_ids: Sequence[str], *, by: str, comment: str, at: datetime
) -> list[int]:
    """Count anew what holds in the alerts of these findings; those in which nothing does are resolved.

    Returns:
        The ids of the alerts resolved.
    """
    if not finding_ids:
        return []
    found = conn.execute(
        SQL["recount"], {"finding_ids": texts(finding_ids), "by": by, "comment": comment, "at": at}
    )
    return [alert_id for (alert_id,) in found]
