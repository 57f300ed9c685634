"""``/health`` and ``/metrics``: for whoever watches the process. No key, no secrets, no shipment data."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from tracking.api.context import Ctx

router = APIRouter(tags=["health"])


@router.get("/health/live")
def live(ctx: Ctx) -> dict[str, Any]:
    """The process answers."""
    return {"status": "live", "version": ctx.version}


@router.get("/health/ready")
def ready(ctx: Ctx) -> dict[str, Any]:
    """The database answers too; 503 while it doesn't."""
    with ctx.pool.connection(timeout=2) as conn:
        conn.execute("select")
    return {"status": "ready", "version": ctx.version}


@router.get("/metrics", response_class=Response)
def metrics() -> Response:
    """Prometheus metrics of this process."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
