"""What people say was observed wrongly: EPCIS error declarations, under our own word."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import NewCorrection, NewRetraction, ObservationName
from tracking.api.pages import decode_cursor, encode_cursor, next_link
from tracking.api.problems import Problem, not_found
from tracking.api.routers.shipments import find
from tracking.domain.custody.corrections import Observed
from tracking.exchange.evidence import shown
from tracking.store import correcting, corrections
from tracking.store.registry import Unknown

router = APIRouter(prefix="/v1", tags=["corrections"])


@router.post("/corrections", status_code=201)
def correct(body: NewCorrection, response: Response, ctx: Ctx, caller: Authorised) -> dict[str, Any]:
    """Declare a recorded observation to be in error. It stays as it is and is counted as heard, and no
    finding rests on it any more.

    The answer is 200 when the same is said already; 409 while another correction of it stands, when the same
    was said and taken back, or when what was sent under this number was rejected: nothing rests on that.
    """
    with ctx.pool.connection() as conn:
        try:
            declared = correcting.correct(
                conn,
                _observed(body.observation),
                reason=body.reason,
                why=body.why,
                by=f"{body.by} ({caller.name})",
                recorded_at=ctx.now(),
                corrective=[_observed(one) for one in body.corrective],
            )
        except Unknown as error:
            raise Problem(404, "not-found", str(error), pointer="/observation/device") from error
        except correcting.WasRejected as error:
            raise Problem(409, "observation-rejected", str(error), pointer="/observation") from error
        except correcting.Unrecorded as error:
            raise Problem(404, "observation-not-recorded", str(error), pointer="/observation") from error
        except correcting.TakenBack as error:
            raise Problem(409, "correction-retracted", str(error), correction=error.entry) from error
        except correcting.Stands as error:
            raise Problem(409, "observation-corrected", str(error), correction=error.entry) from error
        except correcting.BadCorrective as error:
            pointer = f"/corrective/{error.place}"
            raise Problem(422, "invalid-corrective", str(error), pointer=pointer) from error
    response.status_code = 201 if declared.is_new else 200
    response.headers["Location"] = f"/v1/corrections/{declared.correction.entry}"
    return shown(declared.correction)


@router.post("/corrections/{entry}/retractions", status_code=201)
def retract(
    entry: int, body: NewRetraction, response: Response, ctx: Ctx, caller: Authorised
) -> dict[str, Any]:
    """Take a correction back: its observation counts again. Both stay on record.

    The answer is 200 when the same is said already, 409 when it was taken back in other words.
    """
    with ctx.pool.connection() as conn:
        try:
            declared = correcting.retract(
                conn, entry, why=body.why, by=f"{body.by} ({caller.name})", recorded_at=ctx.now()
            )
        except Unknown as error:
            raise not_found(error.what, error.code) from error
        except correcting.Stands as error:
            raise Problem(409, "correction-retracted", str(error), retraction=error.entry) from error
    response.status_code = 201 if declared.is_new else 200
    return shown(declared.correction)


@router.get("/corrections")
def search(
    request: Request,
    ctx: Ctx,
    _: Authorised,
    device: Annotated[str | None, Query(description="Only of this device's observations")] = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Corrections, newest first, with what took them back."""
    before = decode_cursor(cursor, int)
    with ctx.pool.connection() as conn:
        found = corrections.listed(conn, device=device, before=before, limit=limit)
    token = encode_cursor(found[-1].entry) if len(found) == limit else None
    return {"corrections": [shown(one) for one in found], "next": next_link(request, token)}


@router.get("/corrections/{entry}")
def show(entry: int, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """One correction, with what took it back."""
    with ctx.pool.connection() as conn:
        try:
            return shown(corrections.one(conn, entry))
        except Unknown as error:
            raise not_found(error.what, error.code) from error


@router.get("/shipments/{number}/corrections")
def of_shipment(number: str, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """The corrections that concern a shipment, newest first: of what devices said while they carried it, and
    of what was said of its things.
    """
    with ctx.pool.connection() as conn:
        found = corrections.of_shipment(conn, find(conn, number)["shipment_id"])
    return {"shipment": number, "corrections": [shown(one) for one in found]}


def _observed(name: ObservationName) -> Observed:
    return Observed(name.device, name.time.astimezone(UTC), name.run, name.seq)
