"""``/v1/shipments/{number}/temperature``: how warm the goods were, and what no finding tells."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.problems import not_found
from tracking.exchange import temperature
from tracking.exchange.coverage import snapshot

router = APIRouter(prefix="/v1/shipments", tags=["shipments"])


@router.get("/{number}/temperature")
def show(number: str, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """What each thermometer on the goods or around them measured, as of `through`.

    With its calibration, the mean kinetic temperature, the rises while a unit defrosted, which are marked and
    not judged, and values that can't be true.
    """
    with ctx.pool.connection() as conn, snapshot(conn):
        found = temperature.shipment(conn, number)
    if found is None:
        raise not_found("shipment", number)
    return {"shipment": number} | temperature.told(found)
