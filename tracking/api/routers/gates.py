"""``/v1/gates``: what barriers were told and why, and what officers say of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from devices.identifiers import parse_thing
from tracking.api.access import Authorised, Caller
from tracking.api.context import Context, Ctx
from tracking.api.models import GateOverride, PlateConfirmation
from tracking.api.pages import decode_cursor, encode_cursor, next_link
from tracking.api.problems import not_found
from tracking.domain.custody import documents as bodies
from tracking.judge.deciding import Word, decide_anew
from tracking.judge.places import Areas
from tracking.store import documents, gates
from tracking.store.documents import About
from tracking.store.gates import ReportRow

router = APIRouter(prefix="/v1/gates", tags=["gates"])


@router.get("/{gate}/decisions")
def search(
    gate: str,
    request: Request,
    ctx: Ctx,
    _: Authorised,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """What a gate was told, newest first, with reasons and evidence, and what it did."""
    after = decode_cursor(cursor, int)
    with ctx.pool.connection() as conn:
        if not gates.is_gate(conn, gate):
            raise not_found("gate", gate)
        rows = gates.decisions(conn, gate=gate, after=after, limit=limit)
    token = encode_cursor(rows[-1]["decision_id"]) if len(rows) == limit else None
    return {"gate": gate, "decisions": rows, "next": next_link(request, token)}


@router.get("/{gate}/decisions/{decision_id}")
def show(gate: str, decision_id: int, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """One decision."""
    with ctx.pool.connection() as conn:
        rows = gates.decisions(conn, gate=gate, decision_id=decision_id)
    if not rows:
        raise not_found("decision", str(decision_id))
    return rows[0]


@router.post("/{gate}/decisions/{decision_id}/override", status_code=201)
def override(
    gate: str, decision_id: int, body: GateOverride, response: Response, ctx: Ctx, caller: Authorised
) -> dict[str, Any]:
    """Decide otherwise, as an officer with a reason. The gate is told, and the word is a fact of the log."""

    def word(row: ReportRow) -> bodies.Body:
        return bodies.GateOverride(row.device, row.run, row.seq, body.decision, body.reason)

    return _speak(ctx, caller, response, gate, decision_id, body.by, word)


@router.post("/{gate}/decisions/{decision_id}/confirm-plate", status_code=201)
def confirm_plate(
    gate: str, decision_id: int, body: PlateConfirmation, response: Response, ctx: Ctx, caller: Authorised
) -> dict[str, Any]:
    """Say which plate the gate's picture shows. It is decided again by that, and the gate is told."""

    def word(row: ReportRow) -> bodies.Body:
        return bodies.PlateConfirmed(row.device, row.run, row.seq, body.plate, body.reason)

    return _speak(ctx, caller, response, gate, decision_id, body.by, word)


def _speak(
    ctx: Context,
    caller: Caller,
    response: Response,
    gate: str,
    decision_id: int,
    officer: str,
    word: Callable[[ReportRow], bodies.Body],
) -> dict[str, Any]:
    """The word, the decision that it makes and the command to the gate: all or nothing."""
    now, by = ctx.now(), f"{officer} ({caller.name})"
    with ctx.pool.connection() as conn, conn.transaction():
        row = gates.decided_report(conn, gate, decision_id)
        if row is None:
            raise not_found("decision", str(decision_id))
        said = word(row)
        plates = [parse_thing(said.plate)] if isinstance(said, bodies.PlateConfirmed) else []
        added = documents.add(
            conn,
            number="",
            time=now,
            body=said,
            source="decided",
            about=About((), plates, row.device_id, (row.run, row.seq)),
            by=by,
            recorded_at=now,
        )
        decide_anew(conn, Areas().current(conn), row, now, Word(added.entry, by))
        (made,) = gates.decisions(conn, entry=added.entry)
    response.headers["Location"] = f"/v1/gates/{gate}/decisions/{made['decision_id']}"
    return made
