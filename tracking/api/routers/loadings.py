"""``/v1/statistics/loadings``: what went onto vehicles, thing by thing counted."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from devices.identifiers import parse_thing
from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import Moment
from tracking.api.pages import decode_cursor, encode_cursor, next_link
from tracking.api.problems import Problem
from tracking.store import loadings

router = APIRouter(prefix="/v1/statistics", tags=["statistics"])


@router.get("/loadings")
def count(
    request: Request,
    ctx: Ctx,
    _: Authorised,
    since: Moment,
    until: Moment,
    vehicle: Annotated[list[str] | None, Query(description="Plates; default: all", max_length=100)] = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=loadings.MOST_VEHICLES)] = loadings.MOST_VEHICLES,
) -> dict[str, Any]:
    """How many things were loaded on each vehicle between two moments, and how they stand at the second.

    `loaded` counts things, not scans: what is scanned twice is one. `pulled_back` came off again; of those
    `aboard`, some are `under_custody` (of shipments), the `others` are nobody's; `released` and `held` are
    customs' newest word on them; what is released, or is nobody's and not held, `may_leave`. `count` and
    `total` are those of all vehicles, on whichever page.
    """
    if since >= until:
        raise Problem(422, "invalid-request", "since must be before until", pointer="/since")
    uris = None if vehicle is None else [_uri(text, place) for place, text in enumerate(vehicle)]
    after = decode_cursor(cursor, tuple[str, str])
    with ctx.pool.connection() as conn:
        found = loadings.loadings(conn, since=since, until=until, vehicles=uris, after=after, limit=limit)
    token = encode_cursor(found.last) if len(found.vehicles) == limit else None
    return {
        "since": since,
        "until": until,
        "vehicles": found.vehicles,
        "count": found.count,
        "total": found.total,
        "next": next_link(request, token),
    }


def _uri(text: str, place: int) -> str:
    try:
        return parse_thing(text).uri
    except ValueError as error:
        raise Problem(422, "invalid-thing", str(error), pointer=f"/vehicle/{place}") from error
