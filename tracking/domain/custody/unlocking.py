"""Customs' orders that a seal be opened (施解封指令): for which seal, where, and how long they hold."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from tracking.domain.custody.case import Case
from tracking.domain.custody.documents import Order
from tracking.domain.custody.seals import Worn
from tracking.domain.custody.terms import MoveLeg, Terms, zone_fields
from tracking.domain.custody.told import Document
from tracking.domain.custody.whereabouts import zones_at

DESTINATION: Final = "destination"
"""The zones in which the moves of the terms end."""


def is_ordered(
    case: Case, worn: Worn, moment: datetime, window: timedelta, allowed: Collection[str]
) -> bool | None:
    """Whether customs had ordered a seal to be opened, there and then; None: nobody knows where it was.

    Args:
        case: the shipment.
        worn: the seal.
        moment: when it was opened.
        window: how long an order holds.
        allowed: where an order lets a seal be opened: kinds of zones, codes of zones, ``destination``.
    """
    zones = {
        order.body.zone
        for order in orders(case, worn, moment)
        if isinstance(order.body, Order) and moment - order.time <= window
    }
    if not zones:
        return False
    where = zones_at(case.facts, moment)
    if where is None:
        return None
    return bool(zones & where) and any(_is_allowed(case, zone, moment, allowed) for zone in where)


def orders(case: Case, worn: Worn, moment: datetime) -> list[Document]:
    """The orders given for a seal up to a moment, in order."""
    others = [other for other in case.seals.on(moment) if other.seal != worn.seal]
    return [
        document
        for document in case.facts.documents
        if isinstance(document.body, Order)
        and document.time <= moment
        and _is_for(document, document.body, worn, others)
    ]


def _is_for(document: Document, order: Order, worn: Worn, others: list[Worn]) -> bool:
    """An order is for the seal it names; else for those on the things it names, unless others' they are."""
    if order.seal is not None:
        return order.seal == worn.seal
    is_of_other = any(document.things & other.things for other in others)
    return bool(document.things & worn.things) or not is_of_other


def _is_allowed(case: Case, zone: str, moment: datetime, allowed: Collection[str]) -> bool:
    area, terms = case.facts.area_at(zone, moment), case.facts.terms_at(moment)
    names = {zone} | ({area.kind} if area is not None else set())
    if terms is not None and zone in _destinations(terms.terms):
        names.add(DESTINATION)
    return not names.isdisjoint(allowed)


def _destinations(terms: Terms) -> frozenset[str]:
    """Where the moves end; of terms without any, where the goods stay."""
    moves = [leg for leg in terms.legs if isinstance(leg, MoveLeg)]
    if moves:
        return frozenset(zone for leg in moves for zone in leg.to_zones)
    return frozenset(zone for leg in terms.legs for _, zones in zone_fields(leg) for zone in zones)
