"""What people decide about a shipment's findings: to explain one, or to let it pass."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Response

from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import NewDecision
from tracking.api.problems import Problem, not_found
from tracking.api.routers.shipments import find
from tracking.store import decisions
from tracking.store.registry import Unknown

router = APIRouter(prefix="/v1/shipments/{number}", tags=["decisions"])


@router.post("/findings/{finding_id}/decisions", status_code=201)
def decide(
    number: str, finding_id: str, body: NewDecision, response: Response, ctx: Ctx, caller: Authorised
) -> dict[str, Any]:
    """Explain or waive a finding. It stays one, with who and why beside it; its alert is resolved.

    The answer is 200 when the newest decision on it says the same already.
    """
    with ctx.pool.connection() as conn:
        try:
            decided = decisions.decide(
                conn,
                number,
                finding_id,
                kind=body.kind,
                until=body.until,
                reason=body.reason,
                by=f"{body.by} ({caller.name})",
                recorded_at=ctx.now(),
            )
        except Unknown as error:
            raise not_found(error.what, error.code) from error
        except decisions.Withdrawn as error:
            detail = f"finding {finding_id} holds no longer; there is nothing to decide"
            raise Problem(409, "finding-withdrawn", detail) from error
    response.status_code = 201 if decided.is_new else 200
    return msgspec.structs.asdict(decided.decision) | {"alert_resolved": decided.resolved}


@router.get("/decisions")
def search(number: str, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """Everything that was decided on the shipment's findings, oldest first."""
    with ctx.pool.connection() as conn:
        shipment_id = find(conn, number)["shipment_id"]
        taken = decisions.of_shipments(conn, [shipment_id]).get(shipment_id, [])
    return {"shipment": number, "decisions": [msgspec.structs.asdict(one) for one in taken]}
