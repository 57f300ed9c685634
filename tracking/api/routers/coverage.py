"""``/v1/shipments/{number}/coverage``, ``/v1/statistics/coverage``: how much of custody time counts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import Moment
from tracking.api.pages import decode_cursor, encode_cursor, next_link
from tracking.api.problems import Problem, not_found
from tracking.domain.custody.shares import Total
from tracking.exchange import coverage
from tracking.exchange.coverage import By

router = APIRouter(prefix="/v1", tags=["coverage"])


@router.get("/shipments/{number}/coverage")
def show(number: str, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """For how much of its custody time a shipment was measured, controlled and verifiable.

    With what is missing and why, of the whole and of each leg, as of `through`; and with the chain of custody
    (`continuity`), including what sensors measured at its points. `whole` is null before the first leg.
    """
    with ctx.pool.connection() as conn, coverage.snapshot(conn):
        found = coverage.shipment(conn, number)
    if found is None:
        raise not_found("shipment", number)
    return {"shipment": number} | coverage.told(found)


@router.get("/statistics/coverage")
def sums(
    request: Request,
    ctx: Ctx,
    _: Authorised,
    by: By,
    since: Moment,
    until: Moment,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Shipments at most")] = 200,
) -> dict[str, Any]:
    """Custody time between two moments and how much of it counts, summed by carrier, park or route.

    Every shipment of the page is judged for it. Follow `next` and add the seconds of each group, they are
    exact; shares follow from them. `name` is null where the terms name no carrier or corridor.
    """
    if since >= until:
        raise Problem(422, "invalid-request", "since must be before until", pointer="/since")
    after = decode_cursor(cursor, tuple[int]) or (0,)
    with ctx.pool.connection() as conn, coverage.snapshot(conn):
        found = coverage.sums(conn, by, (since, until), after=after[0], limit=limit)
    return {
        "by": by,
        "since": since,
        "until": until,
        "through": found.through,
        "shipments": found.shipments,
        "groups": [
            {"name": name, **_seconds(total), "shares": total.shares()}
            for name, total in sorted(found.groups.items(), key=lambda group: (group[0] is None, group[0]))
        ],
        "next": next_link(request, encode_cursor((found.next,)) if found.next else None),
    }


def _seconds(total: Total) -> dict[str, float]:
    return {
        "custody_s": total.custody.total_seconds(),
        "measured_s": total.measured.total_seconds(),
        "controlled_s": total.controlled.total_seconds(),
        "verifiable_s": total.verifiable.total_seconds(),
    }
