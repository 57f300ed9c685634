"""``/v1/stream``: what happens, as it happens (server-sent events).

Source: HTML Living Standard, section 9.2, server-sent events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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


class Concern:
    """What a stream lets through: everything, a park's, or a shipment's with the positions of its devices.

    Which devices speak for a shipment is read again whenever its custody was judged: attachments change.
    """

    def __init__(self, ctx: Context, shipment: str | None, park: str | None) -> None:
        self._ctx = ctx
        self._shipment = shipment
        self._park = park
        self._devices: frozenset[str] = frozenset()

    def refresh(self) -> None:
        """Read the devices that speak for the shipment now. Blocks on the database.

        Raises:
            Problem: there is no such shipment.
        """
        if self._shipment is None:
            return
        with self._ctx.pool.connection() as conn:
            carrying = reading.carriers(conn, find(conn, self._shipment)["shipment_id"])
        self._devices = frozenset(
            carrier["device"]
            for carrier in carrying
            if carrier["valid_to"] is None and carrier["role"] == "primary"
        )

    def wants(self, event: Event) -> bool:
        """Whether an event concerns this stream."""
        if self._shipment is None:
            return self._park is None or event.body.get("park", self._park) == self._park
        if event.name == "position":
            return event.body.get("device") in self._devices
        if event.name == "gate":
            return self._shipment in event.body.get("shipments", (self._shipment,))
        return bool(event.body.get("shipment", self._shipment) == self._shipment)


@router.get("", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def stream(
    request: Request, ctx: Ctx, _: Authorised, shipment: str | None = None, park: str | None = None
) -> StreamingResponse:
    """Events ``position``, ``alert``, ``custody`` and ``gate``; of one shipment, of one park, or all."""
    concern = Concern(ctx, shipment, park)
    await run_in_threadpool(concern.refresh)

    async def lines() -> AsyncIterator[bytes]:
        async with ctx.hub.reader(concern.wants) as reader:
            yield b"retry: 2000\n\n"
            while not await request.is_disconnected():
                try:
                    event = await asyncio.wait_for(reader.queue.get(), HEARTBEAT_S)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if event.name == "custody":
                    await run_in_threadpool(concern.refresh)
                yield b"event: %s\ndata: %s\n\n" % (event.name.encode(), msgspec.json.encode(event.body))

    return StreamingResponse(
        lines(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
