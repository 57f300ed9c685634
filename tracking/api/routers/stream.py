"""``/v1/stream``: what happens, as it happens (server-sent events).

Source: HTML Living Standard, section 9.2, server-sent events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from tracking.api.access import Authorised
from tracking.api.context import Context, Ctx
from tracking.api.live import Event
from tracking.api.routers.shipments import find
from tracking.store import reading

router = APIRouter(prefix="/v1/stream", tags=["stream"])

HEARTBEAT_S: Final = 15.0


def _wanted(ctx: Context, shipment: str | None, park: str | None) -> Callable[[Event], bool]:
    """What a stream lets through: of a shipment, its primary devices of now and what changes its custody."""
    if shipment is None:
        return lambda event: park is None or event.body.get("park", park) == park
    with ctx.pool.connection() as conn:
        carrying = reading.carriers(conn, find(conn, shipment)["shipment_id"])
    devices = {
        carrier["device"]
        for carrier in carrying
        if carrier["valid_to"] is None and carrier["role"] == "primary"
    }

    def wants(event: Event) -> bool:
        if event.name == "position":
            return event.body.get("device") in devices
        return bool(event.body.get("shipment", shipment) == shipment)

    return wants


@router.get("", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def stream(
    request: Request, ctx: Ctx, _: Authorised, shipment: str | None = None, park: str | None = None
) -> StreamingResponse:
    """Events ``position``, ``alert`` and ``custody``; of one shipment, of one park, or all."""
    wants = await run_in_threadpool(_wanted, ctx, shipment, park)

    async def lines() -> AsyncIterator[bytes]:
        async with ctx.hub.reader(wants) as reader:
            yield b"retry: 2000\n\n"
            while not await request.is_disconnected():
                try:
                    event = await asyncio.wait_for(reader.queue.get(), HEARTBEAT_S)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                yield b"event: %s\ndata: %s\n\n" % (event.name.encode(), msgspec.json.encode(event.body))

    return StreamingResponse(
        lines(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
