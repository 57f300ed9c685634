"""Alerts: for people in the inbox, for sirens and displays over MQTT, for open pages through NOTIFY.

All of it is written in the judging's transaction; the relay carries the messages out, at least once.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

import msgspec

from devices.messages import Alert, Severity, encode
from devices.topics import alerts_topic
from tracking.domain.custody.decisions import Decision
from tracking.domain.custody.rules import RULES
from tracking.judge.outcome import WITHDRAWN, Change
from tracking.store import alerts, decisions, judging, outbox
from tracking.store.database import ALERTS_CHANNEL, Connection, notify
from tracking.store.findings import FindingRow
from tracking.store.judging import ShipmentRow
from tracking.store.outbox import Outgoing

JUDGE: Final = "judge"
HEADLINES: Final = {
    code: (inspect.getdoc(rule.evaluate) or code).splitlines()[0] for code, rule in RULES.items()
}
"""What each rule says in one sentence: the first line of its docstring."""


def announce(conn: Connection, shipment: ShipmentRow, changes: Sequence[Change], now: datetime) -> None:
    """Raise, update or resolve the alerts of a shipment whose findings have changed.

    Args:
        conn: within the judging's transaction; the findings are written already, the shipment is locked.
        shipment: whose findings they are.
        changes: all of them; those that no person must hear of are passed over.
        now: for ``raised_at`` and the outbox.
    """
    heard = [change for change in changes if change.concerns_people]
    if any(change.is_news for change in heard):
        taken = decisions.of_shipments(conn, [shipment.shipment_id]).get(shipment.shipment_id, [])
        heard = [change for change in heard if not _is_waived(change, taken)]
    if not heard:
        return
    withdrawn = [change for change in heard if change.is_withdrawn]
    news: list[str] = []
    for change in heard:
        if change.is_withdrawn:
            news.append(_news(shipment, None, change.after, WITHDRAWN))
            continue
        row = change.after
        raised = alerts.raise_alert(
            conn,
            shipment_id=shipment.shipment_id,
            rule=row.rule,
            cause=row.cause,
            finding_id=row.finding_id,
            severity=row.severity,
            opened_at=row.opened_at,
            raised_at=now,
            opens=not any(change.is_of_the_same_event_as(gone) for gone in withdrawn),
            by=JUDGE,
        )
        if change.is_news and raised.news == "known":
            alerts.reopen_withdrawn(conn, raised.alert_id, by=JUDGE, comment="holds after all", at=now)
        news.append(_news(shipment, raised.alert_id, row, row.state))
    told = [change.after.finding_id for change in heard]
    alerts.recount(conn, told, by=JUDGE, comment="withdrawn by late or corrected data", at=now)
    outbox.add(conn, [_message(shipment, change) for change in heard], created_at=now)
    with conn.cursor() as cursor:
        for payload in news:
            notify(cursor, ALERTS_CHANNEL, payload)


def _is_waived(change: Change, taken: Sequence[Decision]) -> bool:
    """Whether it would be news, but somebody has let it pass. What people have heard of is told to its
    end.
    """
    row = change.after
    return change.is_news and any(
        one.kind == "waive" and one.covers(row.finding_id, row.rule, row.cause, row.opened_at)
        for one in taken
    )


def tell_judged(conn: Connection, shipments: Sequence[ShipmentRow]) -> None:
    """Let open pages know which shipments have been judged anew."""
    judging.tell_custody(
        conn, [_json({"shipment": shipment.number, "park": shipment.park}) for shipment in shipments]
    )


def _message(shipment: ShipmentRow, change: Change) -> Outgoing:
    row = change.after
    state = WITHDRAWN if change.is_withdrawn else row.state
    alert = Alert(
        id=row.finding_id,
        rule=row.rule,
        severity=cast("Severity", row.severity),
        state=state,  # type: ignore[arg-type]  # FindingState's own words
        park=shipment.park,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        shipment=shipment.number,
        device=_device(row),
        text=f"{shipment.number}: {HEADLINES.get(row.rule, row.rule)} [{row.cause}]",
        detail={"cause": row.cause, "evidence": list(row.evidence), "parameters": dict(row.parameters)},
    )
    return Outgoing(alerts_topic(shipment.park, row.severity), encode(alert))


def _device(row: FindingRow) -> str | None:
    for piece in row.evidence:
        named = piece.get("device") or piece.get("silence")
        if isinstance(named, str):
            return named
    return None


def _news(shipment: ShipmentRow, alert_id: int | None, row: FindingRow, state: str) -> str:
    return _json(
        {
            "alert_id": alert_id,
            "shipment": shipment.number,
            "park": shipment.park,
            "rule": row.rule,
            "cause": row.cause,
            "severity": row.severity,
            "state": state,
            "opened_at": row.opened_at.isoformat(),
        }
    )


def _json(value: dict[str, object]) -> str:
    return msgspec.json.encode(value).decode()
