"""``/v1/positions``: where everything is now, for a live map; ``/v1/stream`` tells how it goes on."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.pages import decode_cursor, encode_cursor, next_link
from tracking.api.problems import Problem
from tracking.store import latest
from tracking.store.latest import Box

router = APIRouter(prefix="/v1/positions", tags=["positions"])

MOST_DEVICES = 20_000


@router.get("", response_class=Response, responses={200: {"content": {"application/json": {}}}})
def positions(
    request: Request,
    ctx: Ctx,
    _: Authorised,
    park: str | None = None,
    bbox: Annotated[
        str | None,
        Query(description="west,south,east,north in degrees (RFC 7946)", examples=["120.6,31.2,120.9,31.4"]),
    ] = None,
    cursor: str | None = None,
    limit: Annotated[
        int, Query(ge=1, le=MOST_DEVICES, description="Devices that are looked at")
    ] = MOST_DEVICES,
) -> Response:
    """The last trusted position of every device, with the things that it is on."""
    with ctx.pool.connection() as conn:
        page = latest.latest(
            conn,
            at=ctx.now(),
            park=park,
            box=None if bbox is None else read_box(bbox),
            after=decode_cursor(cursor, int),
            limit=limit,
        )
    token = None if page.after is None else encode_cursor(page.after)
    body = {"positions": page.positions, "next": next_link(request, token)}
    return Response(msgspec.json.encode(body), media_type="application/json")


def read_box(text: str) -> Box:
    """A viewport from its text.

    Raises:
        Problem: it isn't four numbers within their ranges.
    """
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise _no_box(text) from None
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise _no_box(text)
    return Box(west, south, east, north)


def _no_box(text: str) -> Problem:
    return Problem(
        422, "invalid-request", f'bbox "{text}" is not west,south,east,north in degrees', pointer="/bbox"
    )
