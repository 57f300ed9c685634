"""From a finding to the raw messages that it rests on."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from devices.topics import device_name
from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import Moment
from tracking.api.problems import not_found
from tracking.api.routers.shipments import KnownAt, find
from tracking.domain.custody.corrections import Observed
from tracking.exchange import cases, evidence
from tracking.store import cases as store
from tracking.store import reading

router = APIRouter(prefix="/v1", tags=["evidence"])

Run = Annotated[int, Path(ge=-1, lt=2**31)]
Seq = Annotated[int, Path(ge=0, lt=2**63)]


@router.get("/shipments/{number}/findings/{finding_id}/evidence")
def of_finding(
    number: str, finding_id: str, ctx: Ctx, _: Authorised, known_at: KnownAt = None
) -> dict[str, Any]:
    """A finding with every observation that it cites, as the device sent it, and whether its bytes are still
    those of its batch in the log; with known_at, what it rested on then.

    Beside them those on either side of a silence; ``case`` names the findings that belong to this one.
    ``is_whole`` is false when one of them is gone or was changed.
    """
    with ctx.pool.connection() as conn:
        shipment_id = find(conn, number)["shipment_id"]
        rows = reading.findings(conn, shipment_id, withdrawn=True, known_at=known_at)
        finding = next((row for row in rows if row["finding_id"] == finding_id), None)
        if finding is None:
            raise not_found("finding", finding_id)
        beside = store.heard_at(conn, set(cases.silences(finding["evidence"])))
        cited = evidence.observed(finding["evidence"])
        opened = evidence.opened(conn, [*cited, *(one for one in beside if one not in cited)])
        together = cases.case(finding, [row for row in rows if row["state"] != "withdrawn"])
    whole = all(one["is_recorded"] and one["is_proven"] for one in opened)
    return {
        "shipment": number,
        "finding": finding,
        "observations": opened,
        "is_whole": whole,
        "case": together,
    }


@router.get("/devices/{park}/{code}/observations/{run}/{seq}")
def show(
    park: str,
    code: str,
    run: Run,
    seq: Seq,
    ctx: Ctx,
    _: Authorised,
    time: Annotated[Moment, Query(description="Event time, as evidence names it")],
) -> dict[str, Any]:
    """One observation as the device sent it, with its corrections."""
    try:
        name = device_name(park, code)
    except ValueError as error:
        raise not_found("device", f"{park}/{code}") from error
    observed = Observed(name, time.astimezone(UTC), run, seq)
    with ctx.pool.connection() as conn:
        (opened,) = evidence.opened(conn, [observed])
    if not opened["is_recorded"]:
        raise not_found("observation", str(observed))
    return opened
