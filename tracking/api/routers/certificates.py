"""``/v1/shipments/{number}/certificate``: what a stranger can check without us."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Response

from tracking.api.access import Authorised
from tracking.api.context import Context, Ctx
from tracking.api.problems import Problem, not_found
from tracking.domain.ledger.certificate import Certificate
from tracking.exchange import certificate

router = APIRouter(prefix="/v1/shipments", tags=["shipments"])


@router.get("/{number}/certificate")
def show(number: str, ctx: Ctx, _: Authorised) -> Response:
    """The certificate of a shipment: its ledger, the raw events it rests on, proofs up to a signed head.

    `bondwatch verify FILE --key K` checks it without our database. 409 `not-yet-signed` while the newest
    entries stand below no signed head; that takes seconds.
    """
    body = msgspec.json.format(msgspec.json.encode(made(ctx, number)))
    name = f"attachment; filename=\"certificate.json\"; filename*=UTF-8''{quote(number, safe='')}.json"
    return Response(body, media_type="application/json", headers={"Content-Disposition": name})


def made(ctx: Context, number: str) -> Certificate:
    """The certificate as of now.

    Raises:
        Problem: there is no such shipment, or its newest entries aren't signed yet.
    """
    with ctx.pool.connection() as conn:
        try:
            return certificate.make(conn, number, ctx.now(), ctx.signer)
        except certificate.Unknown:
            raise not_found("shipment", number) from None
        except certificate.NotYetSigned as waiting:
            raise Problem(409, "not-yet-signed", f"{waiting}; try again in a few seconds") from None
