"""The HTTP application: one router a resource, one error body, OpenAPI with examples."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from tracking.api import problems
from tracking.api.context import Context
from tracking.api.live import Hub
from tracking.api.routers import (
    alerts,
    brokers,
    certificates,
    closing,
    corrections,
    coverage,
    decisions,
    devices,
    documents,
    evidence,
    gates,
    health,
    loadings,
    log,
    park_rules,
    parks,
    places,
    positions,
    rehearsals,
    shipments,
    stream,
    temperature,
    terms,
    things,
)
from tracking.domain.ledger.checkpoint import Signer
from tracking.store import database

DESCRIPTION = """
Logistics tracking and custody of bonded goods. Send an API key as `Authorization: Bearer KEY`.

Times go out as RFC 3339 in UTC and come in with any offset. Geometry is GeoJSON (RFC 7946), WGS-84.
Errors are `application/problem+json` (RFC 9457) with a stable `type`. Long lists have a `next` link.
"""


def utc_now() -> datetime:
    """The clock of a live system."""
    return datetime.now(UTC)


def create_app(
    dsn: str,
    *,
    now: Callable[[], datetime] = utc_now,
    pool_size: int = 8,
    signer: Signer | None = None,
) -> FastAPI:
    """The API over a database.

    Args:
        dsn: of a migrated database.
        now: the clock, handed in so that a simulated one can drive everything.
        pool_size: connections at most.
        signer: the log's key, to sign certificates with.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        hub = Hub(dsn)
        with database.pool(dsn, application="bondwatch-api", max_size=pool_size) as pool:
            app.state.context = Context(pool, now, hub, app.version, signer)
            listening = asyncio.create_task(hub.run())
            try:
                yield
            finally:
                listening.cancel()
                with suppress(asyncio.CancelledError):
                    await listening

    app = FastAPI(
        title="Bondwatch",
        version=version("bondwatch"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    problems.install(app)
    for module in (
        health,
        parks,
        park_rules,
        places,
        devices,
        brokers,
        documents,
        gates,
        shipments,
        terms,
        decisions,
        corrections,
        evidence,
        certificates,
        closing,
        coverage,
        temperature,
        loadings,
        rehearsals,
        things,
        positions,
        alerts,
        log,
        stream,
    ):
        app.include_router(described(module.router), responses=problems.RESPONSES)
    return app


def described(router: APIRouter) -> APIRouter:
    """The router whose routes are titled by the first sentence of their docstrings."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            route.summary = route.description.partition(".")[0]
    return router
