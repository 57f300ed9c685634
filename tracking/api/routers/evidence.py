"""``/v1/shipments/{number}/findings/{finding_id}/evidence``: a finding opened to the messages it rests on."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.problems import not_found
from tracking.api.routers.shipments import find
from tracking.exchange import evidence
from tracking.exchange.coverage import snapshot

router = APIRouter(prefix="/v1/shipments", tags=["shipments"])


@router.get("/{number}/findings/{finding_id}/evidence")
def show(number: str, finding_id: str, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """Every message that the finding cites, as it came (`raw` in base64, `text` where it is one).

    `missing` names what is cited and isn't recorded any more; `case` has the findings that rest on the same
    messages, or cite each other.
    """
    with ctx.pool.connection() as conn, snapshot(conn):
        found = evidence.of(conn, find(conn, number)["shipment_id"], finding_id)
    if found is None:
        raise not_found("finding", finding_id)
    return {"shipment": number} | found
