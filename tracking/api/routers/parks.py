"""``/v1/parks``: the parks that share this installation (one zone, many parks)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import CODE_PATTERN, Park
from tracking.store import registry

router = APIRouter(prefix="/v1/parks", tags=["parks"])


@router.get("")
def show(ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """All parks."""
    with ctx.pool.connection() as conn:
        return {"parks": registry.parks(conn)}


@router.put("/{code}")
def put(
    code: Annotated[str, Path(pattern=CODE_PATTERN)], body: Park, ctx: Ctx, _: Authorised
) -> dict[str, Any]:
    """Make a park, or rename it."""
    with ctx.pool.connection() as conn:
        registry.put_park(conn, code, name_en=body.name_en, name_zh=body.name_zh, time_zone=body.time_zone)
    return {"code": code, **body.model_dump()}
