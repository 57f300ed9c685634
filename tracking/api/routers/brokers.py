"""``/v1/brokers``: a broker that asks over HTTP whether a device may connect, and what it may do then."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from devices.rights import Rights, rights
from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import Storable
from tracking.store import access
from tracking.store.credentials import SHA256, matches_sha256

router = APIRouter(prefix="/v1/brokers", tags=["devices"])


class Connecting(Storable):
    """A client that wants to connect, as the broker asks about it."""

    username: str = Field(default="", max_length=200, examples=["SIP/TRK-001"])
    clientid: str = Field(default="", max_length=200, examples=["SIP/TRK-001"])
    password: str = Field(default="", max_length=1000)


@router.post("/emqx/connect")
def connect(body: Connecting, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """Whether a device may connect, with its rights as EMQX wants them.

    ``ignore`` for a name that is no device's: EMQX then asks its next authenticator. A device's client id is
    its name, because under another one it could take over another device's session.
    """
    park, _slash, code = body.username.partition("/")
    if not park or not code:
        return {"result": "ignore"}
    with ctx.pool.connection() as conn:
        login = access.login_of(conn, body.username, SHA256)
    known = login is not None and any(matches_sha256(body.password, hashed) for hashed in login.hashes)
    if login is None or not known or body.clientid != body.username:
        return {"result": "deny"}
    return {"result": "allow", "is_superuser": False, "acl": _rules(rights(body.username, login.kind))}


def _rules(held: Rights) -> list[dict[str, str]]:
    """What it may, then that it may nothing else: EMQX goes on to its other rules where none matches."""
    allowed = [("publish", topic) for topic in held.publish] + [("subscribe", t) for t in held.subscribe]
    return [
        *({"permission": "allow", "action": action, "topic": f"eq {topic}"} for action, topic in allowed),
        {"permission": "deny", "action": "all", "topic": "#"},
    ]
