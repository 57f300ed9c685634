"""``/v1/rehearsals``: proposed terms, rules or places against the recorded past. Nothing is written."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter
from pydantic import Field

from tracking.api.access import Authorised
from tracking.api.context import Ctx
from tracking.api.models import Body, FeatureCollection, Moment
from tracking.api.problems import Problem, not_found
from tracking.domain.custody.terms import TermsError
from tracking.exchange.rehearsal.proposal import Proposal, ProposalError, areas_of
from tracking.exchange.rehearsal.run import NoShipment, rehearse

router = APIRouter(prefix="/v1", tags=["rehearsals"])

RULES = {"rules": {"unauthorised_stop": {"parameters": {"max_stop_min": 40}}}}


class Rehearsal(Body):
    """What is proposed."""

    since: Annotated[Moment, Field(description="From when on it would have held")]
    shipments: Annotated[
        list[str],
        Field(default_factory=list, max_length=1000, description="Numbers; empty: all under custody since"),
    ]
    terms: Annotated[
        dict[str, Any] | None,
        Field(description="Whole terms, or a merge patch of each shipment's own", examples=[RULES]),
    ] = None
    places: Annotated[FeatureCollection | None, Field(description="Zones and corridors, GeoJSON")] = None


@router.post("/rehearsals")
def run(body: Rehearsal, ctx: Ctx, _: Authorised) -> dict[str, Any]:
    """The alerts that would appear, vanish or change if this had held since then. Nothing is written.

    `terms` with `legs` replaces the terms; without, it changes those that each shipment has (RFC 7396), so
    that a rule's parameter can be tried on all. `places` stand in for those of the same code.
    """
    if (body.terms is None) == (body.places is None):
        raise Problem(422, "invalid-request", "propose either terms or places", pointer="/terms")
    try:
        areas = () if body.places is None else areas_of(body.places.model_dump(), body.since)
    except ProposalError as error:
        raise Problem(422, "invalid-area", str(error), pointer="/places") from None
    if body.terms is not None and "legs" in body.terms and not body.shipments:
        detail = "whole terms are one shipment's: name it, or leave out `legs` to change all"
        raise Problem(422, "invalid-request", detail, pointer="/shipments")
    with ctx.pool.connection() as conn:
        try:
            found = rehearse(conn, Proposal(body.since, body.terms, areas), body.shipments)
        except NoShipment as error:
            raise not_found("shipment", str(error)) from None
        except TermsError as error:
            raise Problem(422, "invalid-terms", error.detail, pointer="/terms" + error.pointer) from None
    answer: dict[str, Any] = msgspec.to_builtins(found)
    return answer
