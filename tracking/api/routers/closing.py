"""``/v1/shipments/{number}/closing``: customs supervision of a shipment has ended."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import Body, Moment
from tracking.api.problems import Problem, not_found
from tracking.store import registry, shipments

router = APIRouter(prefix="/v1/shipments", tags=["shipments"])


class Closing(Body):
    """When the shipment left custody."""

    closed_at: Moment | None = Field(
        None, alias="at", description="Default: now", examples=["2026-03-10T18:00:00+08:00"]
    )


@router.post("/{number}/closing")
def close(number: str, body: Closing, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """End the custody of a shipment. Findings end with it, nothing later is judged; it may be archived then.

    The same moment again answers the same; another one is a conflict: what is closed stays closed.
    """
    now = ctx.now()
    if body.closed_at is not None and body.closed_at > now:
        raise Problem(422, "future-closing", "a shipment isn't closed ahead of time", pointer="/at")
    with ctx.pool.connection() as conn:
        try:
            closed_at = shipments.close(conn, number, body.closed_at, now=now)
        except registry.Unknown:
            raise not_found("shipment", number) from None
    if body.closed_at is not None and closed_at != body.closed_at:
        raise Problem(409, "shipment-closed", f'shipment "{number}" was closed at {closed_at.isoformat()}')
    return {"number": number, "state": "closed", "closed_at": closed_at}
