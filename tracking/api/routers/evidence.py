"""From a finding to the raw messages that it rests on."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from msgspec.structs import astuple

from devices.topics import device_name
from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import Moment
from tracking.api.pages import decode_cursor, encode_cursor, next_link
from tracking.api.problems import not_found
from tracking.api.routers.shipments import KnownAt, find
from tracking.domain.custody.corrections import Observed
from tracking.exchange import cases, evidence
from tracking.store import cases as store
from tracking.store import reading

router = APIRouter(prefix="/v1", tags=["evidence"])

Run = Annotated[int, Path(ge=-1, lt=2**31)]
Seq = Annotated[int, Path(ge=0, lt=2**63)]


@router.get("/shipments/{number}/findings/{finding_id}/evidence")
def of_finding(
    number: str,
    finding_id: str,
    request: Request,
    ctx: Ctx,
    _: Authorised,
    known_at: KnownAt = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> dict[str, Any]:
    """A finding with every observation that it cites, as the device sent it, and whether its bytes are still
    those of its batch in the log; with known_at, what it rested on then.

    Beside them those on either side of a silence; ``case`` names the findings that belong to this one.
    ``count`` says how many observations there are on all pages. ``is_whole`` is false when one of this page
    is gone or was changed; null when there is nothing wrong with these, and others stand on other pages.
    """
    after = decode_cursor(cursor, Observed)
    with ctx.pool.connection() as conn:
        shipment_id = find(conn, number)["shipment_id"]
        rows = reading.findings(conn, shipment_id, withdrawn=True, known_at=known_at)
        finding = next((row for row in rows if row["finding_id"] == finding_id), None)
        if finding is None:
            raise not_found("finding", finding_id)
        beside = store.heard_at(conn, set(cases.silences(finding["evidence"])))
        wanted = sorted({*evidence.observed(finding["evidence"]), *beside}, key=astuple)
        left = [one for one in wanted if after is None or astuple(one) > astuple(after)]
        opened = evidence.opened(conn, left[:limit])
        together = cases.case(finding, [row for row in rows if row["state"] != "withdrawn"])
    token = encode_cursor(left[limit - 1]) if len(left) > limit else None
    whole = True if len(opened) == len(wanted) else None
    if not all(one["is_recorded"] and one["is_proven"] for one in opened):
        whole = False
    return {
        "shipment": number,
        "finding": finding,
        "count": len(wanted),
        "observations": opened,
        "is_whole": whole,
        "case": together,
        "next": next_link(request, token),
    }


@router.get("/devices/{park}/{code}/observations/{run}/{seq}")
def show(
    park: str,
    code: str,
    run: Run,
    seq: Seq,
    ctx: Ctx,
    _: Authorised,
    time: Annotated[Moment, Query(description="Event time, as evidence names it")],
) -> dict[str, Any]:
    """One observation as the device sent it, with its corrections."""
    try:
        name = device_name(park, code)
    except ValueError as error:
        raise not_found("device", f"{park}/{code}") from error
    observed = Observed(name, time.astimezone(UTC), run, seq)
    with ctx.pool.connection() as conn:
        (opened,) = evidence.opened(conn, [observed])
    if not opened["is_recorded"]:
        raise not_found("observation", str(observed))
    return opened
