"""``/v1/devices`` and ``/v1/attachments``: who may speak, and about which thing."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from devices.topics import device_name
from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import NewAttachment, NewDevice
from tracking.api.pages import decode_cursor, encode_cursor, next_link
from tracking.api.problems import Problem, not_found
from tracking.store import credentials, reading, registry

router = APIRouter(prefix="/v1", tags=["devices"])


@router.get("/devices")
def search(
    request: Request,
    ctx: Ctx,
    _: Authorised,
    park: str | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """Registered devices, in the order of their registration."""
    with ctx.pool.connection() as conn:
        rows = reading.devices(conn, park=park, after=decode_cursor(cursor, int), limit=limit)
    token = encode_cursor(rows[-1]["device_id"]) if len(rows) == limit else None
    for row in rows:
        del row["device_id"]
    return {"devices": rows, "next": next_link(request, token)}


@router.post("/devices", status_code=201)
def register(body: NewDevice, response: Response, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """Register a device. The answer holds its secret, which is shown this once and kept only as a hash."""
    name = device_name(body.park, body.code)
    now = ctx.now()
    with ctx.pool.connection() as conn, conn.transaction():
        try:
            device_id = registry.add_device(conn, **body.model_dump(), registered_at=now)
        except registry.Unknown as error:
            raise Problem(422, "unknown-park", str(error), pointer="/park") from error
        if device_id is None:
            raise Problem(
                409, "device-exists", f'device "{name}" is registered; rotate its secret if you lost it'
            )
        secret = credentials.issue(conn, device_id, now)
    response.headers["Location"] = f"/v1/devices/{name}"
    return {"name": name, "secret": secret}


@router.get("/devices/{park}/{code}")
def show(park: str, code: str, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """One device: its registration, when it was last heard, and what was odd about how its events arrived.

    `arrivals` has one line a kind, however many events it is about: it is never part of custody.
    """
    with ctx.pool.connection() as conn:
        try:
            row = registry.device(conn, device_name(park, code))
        except (registry.Unknown, ValueError) as error:
            raise not_found("device", f"{park}/{code}") from error
        return {name: value for name, value in row.items() if name != "device_id"} | {
            "arrivals": registry.arrivals(conn, row["device_id"])
        }


@router.post("/devices/{park}/{code}/secret", status_code=201)
def rotate(park: str, code: str, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """Give a device a new secret; the old one no longer holds."""
    with ctx.pool.connection() as conn, conn.transaction():
        try:
            row = registry.device(conn, device_name(park, code))
        except (registry.Unknown, ValueError) as error:
            raise not_found("device", f"{park}/{code}") from error
        if row["revoked_at"] is not None:
            raise Problem(
                409, "device-revoked", f'device "{park}/{code}" was revoked and can\'t speak any more'
            )
        registry.lock_reference(conn)
        return {"name": f"{park}/{code}", "secret": credentials.issue(conn, row["device_id"], ctx.now())}


@router.delete("/devices/{park}/{code}")
def revoke(park: str, code: str, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """Take a device's right to speak. What it said stays."""
    with ctx.pool.connection() as conn, conn.transaction():
        try:
            row = registry.device(conn, device_name(park, code))
        except (registry.Unknown, ValueError) as error:
            raise not_found("device", f"{park}/{code}") from error
        registry.revoke_device(conn, row["device_id"], ctx.now())
    return {"name": f"{park}/{code}", "revoked": True}


@router.post("/attachments", status_code=201)
def attach(body: NewAttachment, response: Response, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """Say which thing a device is on, from when, and until when where that is known.

    The same again changes nothing. Another ``to`` of the same ``from`` takes the place of the one before.
    """
    with ctx.pool.connection() as conn, conn.transaction():
        try:
            device = registry.device(conn, body.device)
        except registry.Unknown as error:
            raise Problem(422, "unknown-device", str(error), pointer="/device") from error
        thing_id, thing = registry.thing(conn, body.thing)
        new = registry.attach(
            conn,
            device_id=device["device_id"],
            thing_id=thing_id,
            role=body.role,
            valid_from=body.valid_from,
            valid_to=body.valid_to,
            recorded_at=ctx.now(),
        )
    response.status_code = 201 if new else 200
    return {"device": body.device, "thing": thing.uri, "label": thing.label, "role": body.role}
