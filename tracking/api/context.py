"""What every route needs: the database pool, the clock, the hub of live events."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from msgspec import Struct
from psycopg_pool import ConnectionPool

from tracking.api.live import Hub
from tracking.domain.ledger.checkpoint import Signer
from tracking.store.database import Connection


class Context(Struct, frozen=True):
    """Handed in by whoever starts the process; nothing here is global.

    Attributes:
        now: the clock (aware UTC); recorded facts take their moments from it, never from SQL.
        signer: the log's key, where it is at hand: certificates are signed with it.
    """

    pool: ConnectionPool[Connection]
    now: Callable[[], datetime]
    hub: Hub
    version: str
    signer: Signer | None = None


def context(request: Request) -> Context:
    """The context of the application that serves this request."""
    ctx: Context = request.app.state.context
    return ctx


Ctx = Annotated[Context, Depends(context)]
