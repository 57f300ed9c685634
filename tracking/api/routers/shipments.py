"""``/v1/shipments``: create, search, read; the trace and the milestones of one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import Moment, NewShipment
from tracking.api.pages import decode_cursor, encode_cursor, next_link
from tracking.api.problems import Problem, not_found
from tracking.api.revisions import tag
from tracking.api.routers.terms import checked
from tracking.api.traces import ANSWERS, MOST_POSITIONS, Wanted, answer
from tracking.exchange import account
from tracking.store import reading, registry, shipments, traces
from tracking.store.database import Connection

router = APIRouter(prefix="/v1/shipments", tags=["shipments"])

KnownAt = Annotated[Moment | None, Query(description="As was known at this moment; default: now")]


def public(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the keys that are ours alone."""
    return {name: value for name, value in row.items() if name not in {"shipment_id", "device_id"}}


def find(conn: Connection, number: str) -> dict[str, Any]:
    """The shipment of a number, or a problem that says there is none."""
    row = reading.shipment(conn, number)
    if row is None:
        raise not_found("shipment", number)
    return row


@router.get("")
def search(
    request: Request,
    ctx: Ctx,
    _: Authorised,
    q: Annotated[str, Query(description="Beginning of a number, reference, container, plate or seal")] = "",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Shipments, newest first."""
    after = decode_cursor(cursor, tuple[datetime, int])
    with ctx.pool.connection() as conn:
        rows = reading.shipments(conn, search=q.strip(), after=after, limit=limit)
    last = rows[-1] if len(rows) == limit else None
    token = encode_cursor((last["created_at"], last["shipment_id"])) if last else None
    return {"shipments": [public(row) for row in rows], "next": next_link(request, token)}


@router.post("", status_code=201)
def create(body: NewShipment, response: Response, ctx: Ctx, caller: Authorised) -> dict[str, Any]:
    """Put a shipment under watch. The same body again answers the same; another body is a conflict."""
    now = ctx.now()
    with ctx.pool.connection() as conn:
        valid_from = body.valid_from or now
        warnings = checked(conn, body.terms, shipment=body.number, at=valid_from, things=body.things)
        try:
            outcome = shipments.create(
                conn,
                number=body.number,
                park=body.park,
                reference=body.reference,
                things=body.things,
                terms=body.terms,
                valid_from=valid_from,
                recorded_at=now,
                recorded_by=caller.name,
            )
        except registry.Unknown as error:
            raise Problem(422, "unknown-park", str(error), pointer="/park") from error
        if outcome == "differs":
            raise Problem(
                409, "shipment-exists", f'shipment "{body.number}" exists with other goods, park or terms'
            )
        response.status_code = 201 if outcome == "created" else 200
        response.headers["Location"] = "/v1/shipments/" + quote(body.number, safe="")
        return public(find(conn, body.number)) | {"warnings": warnings}


@router.get("/{number}")
def show(number: str, response: Response, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """One shipment: things, terms, carrying devices, custody."""
    with ctx.pool.connection() as conn:
        row = find(conn, number)
        shipment_id = row["shipment_id"]
        terms = reading.terms(conn, shipment_id)
        if terms:
            response.headers["ETag"] = tag(terms)
        return public(row) | {
            "terms": terms,
            "carriers": [public(carrier) for carrier in reading.carriers(conn, shipment_id)],
            "containments": reading.what_is_in_what(conn, shipment_id),
            "custody": reading.custody_state(conn, shipment_id),
            "findings": reading.findings(conn, shipment_id),
        }


@router.get("/{number}/trace", response_class=Response, responses=ANSWERS)
def trace(number: str, ctx: Ctx, _: Authorised, wanted: Wanted) -> Response:
    """Where the shipment was: every position of the devices on its things, and on whatever carried these."""
    with ctx.pool.connection() as conn:
        carrying = reading.carriers(conn, find(conn, number)["shipment_id"])
        rows = traces.positions(conn, carrying, since=wanted.since, until=wanted.until, limit=MOST_POSITIONS)
    return answer(wanted.format, "shipment", number, rows)


@router.get("/{number}/milestones")
def milestones(number: str, ctx: Ctx, _: Authorised, known_at: KnownAt = None) -> dict[str, Any]:
    """What happened to the shipment, in event-time order; with known_at, as was known then."""
    with ctx.pool.connection() as conn:
        carrying = reading.carriers(conn, find(conn, number)["shipment_id"])
        rows = reading.milestones(conn, carrying, known_at=known_at)
    return {"shipment": number, **_then(known_at), "milestones": rows}


@router.get("/{number}/custody")
def custody(
    number: str, ctx: Ctx, _: Authorised, withdrawn: bool = False, known_at: KnownAt = None
) -> dict[str, Any]:
    """The findings of a shipment and how far it has been judged; with known_at, what was known then.

    Only the newest judging says how far it went: of a moment before it, ``state`` is null.
    """
    with ctx.pool.connection() as conn:
        shipment_id = find(conn, number)["shipment_id"]
        state = reading.custody_state(conn, shipment_id)
        if state is not None and known_at is not None and state["recorded_at"] > known_at:
            state = None
        rows = reading.findings(conn, shipment_id, withdrawn=withdrawn, known_at=known_at)
    return {"shipment": number, **_then(known_at), "state": state, "findings": rows}


@router.get("/{number}/history")
def history(number: str, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """What changed in what is held true of the shipment, oldest first, and why."""
    with ctx.pool.connection() as conn:
        changed = account.of(conn, find(conn, number))
    return {"shipment": number, "changes": [account.shown(one) for one in changed]}


def _then(known_at: datetime | None) -> dict[str, Any]:
    return {} if known_at is None else {"known_at": known_at}
