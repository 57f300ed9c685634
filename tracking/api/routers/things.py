"""``/v1/things`` and ``/v1/aggregations``: what is in what, by scans and by what partners report."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from devices.identifiers import Thing, parse_thing
from devices.observation import Scan, micros
from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import Moment, NewAggregation
from tracking.api.pages import decode_cursor, encode_cursor, next_link
from tracking.api.problems import Problem, not_found
from tracking.api.traces import ANSWERS, MOST_POSITIONS, Wanted, answer
from tracking.domain.things.placing import placed
from tracking.judge import decoding
from tracking.store import reading, registry, things, told, traces
from tracking.store.database import Connection

router = APIRouter(prefix="/v1", tags=["things"])

_NEWEST_SCANS: Final = 50
"""So many are looked at for a place; a thing that is scanned more often without one has none."""


@router.post("/aggregations", status_code=201)
def aggregate(body: NewAggregation, response: Response, ctx: Ctx, caller: Authorised) -> dict[str, Any]:
    """Report that things are in another, or are so no longer. Kept as reported by the key's owner, beside
    what was scanned; the same again changes nothing.
    """
    parent = _thing(body.parent, "/parent")
    children = [_thing(text, f"/children/{place}") for place, text in enumerate(body.children)]
    rows = [
        things.EventRow(child, parent, body.action, body.quantity, micros(body.time), by=caller.name)
        for child in children
    ]
    with ctx.pool.connection() as conn, conn.transaction():
        new = things.add_events(conn, rows, recorded_at=ctx.now())
        if new:
            registry.wake_judge(conn)
    response.status_code = 201 if new else 200
    return {
        "action": body.action,
        "parent": parent.uri,
        "children": [child.uri for child in children],
        "time": body.time,
        "new": new,
    }


@router.get("/things/{thing:path}/containments")
def containments(
    thing: str,
    request: Request,
    ctx: Ctx,
    _: Authorised,
    at: Annotated[Moment | None, Query(description="Only what was so at this moment")] = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """What a thing was in, when, and what was in it; and where what is said of it contradicts itself."""
    after = decode_cursor(cursor, tuple[datetime, int])
    with ctx.pool.connection() as conn:
        row = find(conn, thing)
        thing_id = row["thing_id"]
        contents = reading.contents(conn, thing_id, at=at, after=after, limit=limit)
        last = contents[-1] if len(contents) == limit else None
        token = encode_cursor((last["valid_from"], last["containment_id"])) if last else None
        return {
            "thing": row["uri"],
            "inside": [_public(one) for one in reading.parents(conn, thing_id, at=at)],
            "contents": [_public(one) for one in contents],
            "conflicts": reading.containment_conflicts(conn, thing_id),
            "next": next_link(request, token),
        }


@router.get("/things/{thing:path}/trace", response_class=Response, responses=ANSWERS)
def trace(thing: str, ctx: Ctx, _: Authorised, wanted: Wanted) -> Response:
    """Where a thing was: every position of the devices on it, and on whatever carried it, while it did."""
    with ctx.pool.connection() as conn:
        row = find(conn, thing)
        carrying = reading.carriers_of_thing(conn, row["thing_id"], row["uri"])
        rows = traces.positions(conn, carrying, since=wanted.since, until=wanted.until, limit=MOST_POSITIONS)
    return answer(wanted.format, "thing", row["uri"], rows)


@router.get("/things/{thing:path}")
def show(thing: str, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """One thing, by its URI or by what people call it: what it is in now, how much is in it, where it was put
    by a scan, which devices are on it, which shipments it belongs to.
    """
    with ctx.pool.connection() as conn:
        row = find(conn, thing)
        thing_id = row.pop("thing_id")
        inside = [one for one in reading.parents(conn, thing_id, at=None) if one["valid_to"] is None]
        overview = reading.thing_overview(conn, thing_id)
        return row | {"inside": [_public(one) for one in inside], "place": _place(conn, thing_id)} | overview


def find(conn: Connection, text: str) -> dict[str, Any]:
    """The thing that a text names, or a problem that says there is none."""
    try:
        row = reading.thing(conn, parse_thing(text).uri)
    except ValueError as error:
        raise not_found("thing", text) from error
    if row is None:
        raise not_found("thing", text)
    return row


def _place(conn: Connection, thing_id: int) -> dict[str, Any] | None:
    """The zone in which a scan put the thing, and what tells of it."""
    rows = told.scans_of(conn, thing_id, limit=_NEWEST_SCANS)
    reports = (
        (row, report.fact) for row in rows if (report := decoding.report(row, frozenset())) is not None
    )
    found = placed((row, fact) for row, fact in reports if isinstance(fact, Scan))
    if found is None:
        return None
    row, zone = found
    return {"zone": zone, "time": row.event_time, "device": row.device, "run": row.run, "seq": row.seq}


def _thing(text: str, pointer: str) -> Thing:
    try:
        return parse_thing(text)
    except ValueError as error:
        raise Problem(422, "invalid-thing", str(error), pointer=pointer) from error


def _public(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "containment_id"}
