"""Terms of custody: those of a shipment, by revisions; templates and the schema for whoever writes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from fastapi import APIRouter, Response

from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import NewTerms
from tracking.api.problems import Problem, not_found
from tracking.api.revisions import IfMatch, expected_by, lost, tag
from tracking.domain.custody.checks import check
from tracking.domain.custody.faults import Fault
from tracking.domain.custody.published import document
from tracking.domain.custody.terms import TermsError, parse
from tracking.store import reading, terms
from tracking.store.database import Connection
from tracking.store.registry import Unknown
from tracking.store.revising import LostUpdate
from tracking.store.templates import templates

router = APIRouter(prefix="/v1", tags=["terms"])


@router.get("/schemas/terms.json")
def schema(_: Authorised) -> dict[str, Any]:
    """The JSON Schema of terms."""
    return document()


@router.get("/terms/templates")
def show_templates(_: Authorised) -> dict[str, Any]:
    """Terms of the usual regimes, to be filled in."""
    return {"templates": [msgspec.to_builtins(template) for template in templates().values()]}


@router.get("/shipments/{number}/terms")
def show(number: str, response: Response, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """The newest revision of a shipment's terms; its ETag is for If-Match."""
    with ctx.pool.connection() as conn:
        row = reading.terms(conn, _shipment_id(conn, number))
    assert row is not None  # a shipment is made with its first terms
    response.headers["ETag"] = tag(row)
    return row


@router.get("/shipments/{number}/terms/revisions")
def show_revisions(number: str, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """Every revision of a shipment's terms, newest first."""
    with ctx.pool.connection() as conn:
        return {"shipment": number, "revisions": terms.revisions(conn, _shipment_id(conn, number))}


@router.put("/shipments/{number}/terms")
def revise(
    number: str,
    body: NewTerms,
    response: Response,
    ctx: Ctx,
    caller: Authorised,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Hold a shipment to new terms from a moment on. What was judged since then is judged again.

    Without If-Match the answer is 428; when somebody else was faster, 412.
    """
    expected = expected_by(if_match)
    now = ctx.now()
    with ctx.pool.connection() as conn:
        _shipment_id(conn, number)
        warnings = checked(conn, body.terms, shipment=number, at=body.valid_from or now)
        try:
            revised = terms.revise(
                conn,
                number,
                expected=expected,
                body=body.terms,
                valid_from=body.valid_from,
                recorded_at=now,
                recorded_by=caller.name,
            )
        except LostUpdate as error:
            raise lost(error) from error
        except Unknown as error:
            raise not_found("shipment", number) from error
    response.headers["ETag"] = tag(revised.row)
    return {**revised.row, "is_new": revised.is_new, "warnings": warnings}


def checked(
    conn: Connection, body: dict[str, Any], *, shipment: str, at: datetime, things: Sequence[str] = ()
) -> list[dict[str, str]]:
    """The warnings about terms of a shipment, new or not.

    Raises:
        Problem: they are none; every fault is listed, and the first one is in ``detail`` and ``pointer``.
    """
    try:
        parsed = parse(body)
    except TermsError as error:
        raise refusal(list(error.faults)) from error
    found = check(parsed, terms.places(conn), reporting=terms.reporting(conn, shipment, at, things))
    if any(fault.level == "error" for fault in found):
        raise refusal(found)
    return [_shown(fault) for fault in found]


def refusal(found: list[Fault], within: str = "/terms") -> Problem:
    """What is wrong, each with its JSON Pointer in the body; ``within``: where the terms stand there."""
    first = next(fault for fault in found if fault.level == "error")
    return Problem(
        422,
        "invalid-terms",
        first.detail,
        pointer=within + first.pointer,
        errors=[_shown(fault, within) for fault in found if fault.level == "error"],
        warnings=[_shown(fault, within) for fault in found if fault.level == "warning"],
    )


def _shown(fault: Fault, within: str = "/terms") -> dict[str, str]:
    meant = {"meant": fault.meant} if fault.meant is not None else {}
    return {"pointer": within + fault.pointer, "detail": fault.detail, **meant}


def _shipment_id(conn: Connection, number: str) -> int:
    row = reading.shipment(conn, number)
    if row is None:
        raise not_found("shipment", number)
    return int(row["shipment_id"])
