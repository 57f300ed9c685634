"""``/v1/alerts``: findings that a person must handle."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import AlertAction
from tracking.api.pages import decode_cursor, encode_cursor, next_link
from tracking.api.problems import Problem, not_found
from tracking.store import reading

router = APIRouter(prefix="/v1/alerts", tags=["alerts"])


@router.get("")
def search(
    request: Request,
    ctx: Ctx,
    _: Authorised,
    state: Literal["open", "acknowledged", "resolved"] | None = None,
    shipment: str | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Alerts, newest first."""
    after = decode_cursor(cursor, tuple[datetime, int])
    with ctx.pool.connection() as conn:
        rows = reading.alerts(conn, state=state, shipment_number=shipment, after=after, limit=limit)
    last = rows[-1] if len(rows) == limit else None
    token = encode_cursor((last["raised_at"], last["alert_id"])) if last else None
    return {"alerts": rows, "next": next_link(request, token)}


@router.post("/{alert_id}/actions", status_code=201)
def act(alert_id: int, body: AlertAction, ctx: Ctx, caller: Authorised) -> dict[str, Any]:
    """Acknowledge, resolve or comment on an alert; who, when and why are kept."""
    by = f"{body.by} ({caller.name})"
    with ctx.pool.connection() as conn:
        outcome = reading.act_on_alert(conn, alert_id, body.action, by, body.comment, ctx.now())
    if outcome == "unknown":
        raise not_found("alert", str(alert_id))
    if outcome == "resolved":
        raise Problem(409, "alert-resolved", f"alert {alert_id} is resolved already")
    return {"alert_id": alert_id, "action": body.action, "by": by}
