"""A9: the goods are delivered elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from devices.observation import Action, Scan, SealState
from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.grounds import Areas, areas_at, belongs, move_leg, moves, presence
from tracking.domain.custody.legs import Span
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.seals import cite_source
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, Verdict, cite_report

OPENED: Final = frozenset({SealState.UNLOCKED, SealState.CUT})
NO_PLACES: Final = frozenset({"corridor", "gate"})
"""Kinds of areas to which nothing is delivered."""

CITED: Final = 5
"""Of a thousand scans so many are named; how many there were is said."""


class DeliveryLimits(Struct, frozen=True):
    """Parameters of ``wrong_destination``.

    Attributes:
        unload_actions: what a scanner does when goods leave their vehicle or container.
        inspection_kinds: kinds of zones where goods may be unloaded and seals opened on the way.
    """

    unload_actions: tuple[Action, ...] = (Action.UNLOADING, Action.UNSTUFFING)
    inspection_kinds: tuple[str, ...] = ("inspection",)


@rule(number="A9", code="wrong_destination", severity=Severity.CRITICAL, limits=DeliveryLimits)
def wrong_destination(case: Case, limits: DeliveryLimits) -> Iterator[Verdict]:
    """The goods were delivered to another place than their destination (运抵地不符).

    Opens when, while a move runs, goods are scanned with one of ``unload_actions`` or a seal is unlocked or
    cut in a zone that isn't the destination: the zone that the scan names, else where the device that speaks
    for the goods is. Further events in that zone are the same finding. Closes when the leg is over.

    Must not fire in a zone of the destination, within one or around one; in a zone of ``inspection_kinds``;
    at the origin, where goods that come back are in the custody that they left; outside every zone, where a
    seal that opens is ``seal_broken_in_transit`` alone; before the leg begins and after it.

    Args:
        case: the shipment as of the watermark.
        limits: ``unload_actions``, default unloading and unstuffing; ``inspection_kinds``, default
            inspection.

    Evidence: the first scans and openings, how many there were, and the zone.
    Source: goods under customs control are delivered to the designated place (Customs Law, article 37,
    unverified here). The actions are ours.
    """
    parts = presence(case)
    for spans in moves(case):
        found: dict[str, list[tuple[datetime, Evidence]]] = {}
        for time, place, evidence in _deliveries(case, limits):
            span = next((one for one in spans if one.covers(time)), None)
            if span is None or time > case.until:
                continue
            zone = _foreign(case.facts, place or areas_at(parts, time), span, time, limits)
            if zone is not None:
                found.setdefault(zone, []).append((time, evidence))
        for zone, events in sorted(found.items()):
            opened_at = events[0][0]
            revision = case.facts.terms_at(opened_at)
            assert revision is not None  # a leg of its terms runs
            summary: Evidence = {"zone": zone, "leg": spans[0].index, "events": len(events)}
            yield Verdict(
                rule="wrong_destination",
                cause=zone,
                outcome=Outcome.FINDING,
                severity=Severity.CRITICAL,
                opened_at=opened_at,
                closed_at=spans[-1].ends,
                evidence=(*(evidence for _, evidence in events[:CITED]), summary),
                parameters=msgspec.to_builtins(limits),
                terms_revision=revision.revision,
            )


def _deliveries(case: Case, limits: DeliveryLimits) -> list[tuple[datetime, Areas, Evidence]]:
    """Every unloading and opening in order, with the zone that it names itself."""
    found: list[tuple[datetime, tuple[object, ...], Areas, Evidence]] = []
    for report in case.facts.reports:
        if isinstance(report.fact, Scan) and report.fact.action in limits.unload_actions:
            named = report.fact.location
            known = named is not None and case.facts.area_at(named, report.time) is not None
            places = frozenset({named}) if named is not None and known else frozenset()
            found.append((report.time, report.order, places, cite_report(report)))
    for worn in case.seals.worn:
        for mark in worn.marks:
            if mark.state in OPENED:
                found.append((mark.time, (mark.time, worn.seal), frozenset(), cite_source(mark.told)))
    ordered = sorted(found, key=lambda one: (one[0], str(one[1])))
    return [(time, places, evidence) for time, _, places, evidence in ordered]


def _foreign(facts: Facts, places: Areas, span: Span, at: datetime, limits: DeliveryLimits) -> str | None:
    """The zone in which the goods are and nothing of theirs may be opened; the innermost of several."""
    leg = move_leg(span)
    named = {*leg.from_zones, *leg.to_zones}
    kinds = {code: area.kind for code in places if (area := facts.area_at(code, at)) is not None}
    zones = [code for code, kind in kinds.items() if kind not in NO_PLACES]
    if any(kinds[code] in limits.inspection_kinds or belongs(facts, code, named, at) for code in zones):
        return None
    return min(zones, key=lambda code: (-len(facts.around(code, at)), code), default=None)
