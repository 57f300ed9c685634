"""How a park changes rules for its shipments, by revisions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import CODE_PATTERN, NewParkRules
from tracking.api.problems import not_found
from tracking.api.revisions import IfMatch, expected_by, lost, tag
from tracking.api.routers.terms import refusal
from tracking.domain.custody.park_rules import parse
from tracking.domain.custody.terms import TermsError
from tracking.store import park_rules, registry
from tracking.store.revising import LostUpdate

router = APIRouter(prefix="/v1/parks/{code}/rules", tags=["parks"])

Park = Annotated[str, Path(pattern=CODE_PATTERN)]


@router.get("")
def show(code: Park, response: Response, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """The newest revision of what a park changes; its ETag is for If-Match. Revision 0: nothing yet."""
    with ctx.pool.connection() as conn:
        try:
            registry.park_id(conn, code)
        except registry.Unknown as error:
            raise not_found("park", code) from error
        row = park_rules.newest(conn, code)
    response.headers["ETag"] = tag(row)
    return row


@router.put("")
def revise(
    code: Park,
    body: NewParkRules,
    response: Response,
    ctx: Ctx,
    caller: Authorised,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Change rules for a park's shipments from a moment on. What was judged since then is judged again.

    Without If-Match the answer is 428; when somebody else was faster, 412.
    """
    expected = expected_by(if_match)
    said = {"rules": body.rules}
    try:
        parse(said)
    except TermsError as error:
        raise refusal(list(error.faults), within="") from error
    with ctx.pool.connection() as conn:
        try:
            revised = park_rules.revise(
                conn,
                code,
                expected=expected,
                body=said,
                valid_from=body.valid_from,
                recorded_at=ctx.now(),
                recorded_by=caller.name,
            )
        except LostUpdate as error:
            raise lost(error) from error
        except registry.Unknown as error:
            raise not_found("park", code) from error
    response.headers["ETag"] = tag(revised.row)
    return {**revised.row, "is_new": revised.is_new}
