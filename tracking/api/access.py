"""Who may ask: an API key, as a bearer token or as the console's cookie.

Keys are 256 random bits, so one SHA-256 is a sound hash: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from msgspec import Struct

from tracking.api.context import Context, context
from tracking.api.problems import Problem
from tracking.store import registry
from tracking.store.database import Connection

COOKIE = "bondwatch_key"
BEARER = HTTPBearer(auto_error=False, description="An API key. The pages send theirs as a cookie.")


class Caller(Struct, frozen=True):
    """Who asks, as the log will name them."""

    name: str


def key_hash(key: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).digest()


def caller_of(connection: Connection, key: str | None) -> Caller | None:
    """The caller of a key, or None when the key is unknown or revoked."""
    if not key:
        return None
    name = registry.key_name(connection, key_hash(key))
    return Caller(name) if name else None


def presented_key(request: Request) -> str | None:
    """The key that a request carries: the Authorization header before the cookie."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return request.cookies.get(COOKIE)


def authorised(
    request: Request,
    ctx: Annotated[Context, Depends(context)],
    _: Annotated[object, Depends(BEARER)],  # says in OpenAPI what ``presented_key`` reads
) -> Caller:
    """Refuse what carries no valid key."""
    key = presented_key(request)
    with ctx.pool.connection() as connection:
        caller = caller_of(connection, key)
    if caller is None:
        wrong = "this key is unknown or revoked; " if key else ""
        detail = f"{wrong}send “Authorization: Bearer KEY”; the first start wrote a key to the data directory"
        raise Problem(401, "unauthorised", detail)
    return caller


Authorised = Annotated[Caller, Depends(authorised)]
