"""``/v1/log``: signed heads of the append-only log, and proofs about what is in it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.pages import decode_cursor, encode_cursor, next_link
from tracking.api.problems import Problem, not_found
from tracking.domain.ledger import proof
from tracking.domain.ledger.checkpoint import Checkpoint
from tracking.store import log
from tracking.store.database import Connection

router = APIRouter(prefix="/v1/log", tags=["log"])

Size = Annotated[
    int, Query(ge=1, le=2**53, description="Leaves in the tree that a checkpoint was signed for")
]


@router.get("/checkpoints")
def checkpoints(
    request: Request,
    ctx: Ctx,
    _: Authorised,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Signed tree heads, newest first. ``signed`` is the exact text under the signature (Ed25519)."""
    with ctx.pool.connection() as conn:
        found = log.checkpoints(conn, below=decode_cursor(cursor, int), limit=limit)
    token = encode_cursor(found[-1].size) if len(found) == limit else None
    return {"checkpoints": [_head(one) for one in found], "next": next_link(request, token)}


@router.get("/keys")
def keys(ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """Public keys that sign, or signed, checkpoints, oldest first. A key's id is the SHA-256 of its bytes."""
    with ctx.pool.connection() as conn:
        found = log.keys(conn)
    return {"keys": [key._asdict() | {"public_key": key.public_key.hex()} for key in found]}


@router.get("/inclusion")
def inclusion(
    ctx: Ctx, _: Authorised, index: Annotated[int, Query(ge=0, le=2**53)], size: Size | None = None
) -> dict[str, Any]:
    """Proof that a leaf is in the log (RFC 9162, 2.1.3), up to a checkpoint; default: the newest."""
    with ctx.pool.connection() as conn:
        newest = _newest(conn)
        entry = log.entry(conn, index)
        if entry is None or not index < (size or newest) <= newest:
            raise not_found("leaf", f"{index} of {size or newest}")
        path = proof.inclusion(index, size or newest, lambda begin, end: log.subtree(conn, begin, end))
    return {
        "index": index,
        "size": size or newest,
        "kind": entry.kind,
        "key": entry.key,
        "leaf_hash": entry.leaf_hash.hex(),
        "path": [hashed.hex() for hashed in path],
    }


@router.get("/consistency")
def consistency(
    ctx: Ctx,
    _: Authorised,
    old: Annotated[Size, Query(alias="from")],
    new: Annotated[Size, Query(alias="to")],
) -> dict[str, Any]:
    """Proof that the log of one size extends the log of a smaller one (RFC 9162, 2.1.4)."""
    with ctx.pool.connection() as conn:
        if not old <= new <= _newest(conn):
            raise not_found("log of sizes", f"{old} to {new}")
        path = proof.consistency(old, new, lambda begin, end: log.subtree(conn, begin, end))
    return {"from": old, "to": new, "path": [hashed.hex() for hashed in path]}


def _newest(conn: Connection) -> int:
    found = log.checkpoints(conn, limit=1)
    if not found:
        raise Problem(404, "no-checkpoint", "nothing has been signed yet; the judge signs within seconds")
    return found[0].size


def _head(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "made_at": checkpoint.made_at,
        "key_id": checkpoint.key_id,
        "signed": checkpoint.text.decode(),
        "signature": checkpoint.signature.hex(),
    }
