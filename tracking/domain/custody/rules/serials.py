"""One serial number in two places."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from devices.observation import Gate
from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.items import named
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.told import Report
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict, cite_report
from tracking.domain.places.geodesy import distance_m
from tracking.domain.things.subject import thing_uri

MPS_PER_KMH: Final = 1 / 3.6
KIND_OF_GOODS: Final = "product"
"""A code that many things share."""


class SerialLimits(Struct, frozen=True):
    """Parameters of ``duplicate_scan_conflict``.

    Attributes:
        min_gap_s: seconds within which nothing gets from one place to another that is apart.
        min_dist_m: metres from which on two places are apart.
        max_speed_kmh: kilometres per hour that goods travel at most, where both places are known to lie
            somewhere.
    """

    min_gap_s: Annotated[int, Meta(ge=0, le=86_400)] = 60
    min_dist_m: Annotated[float, Meta(ge=0)] = 200
    max_speed_kmh: Annotated[float, Meta(gt=0, le=2_000)] = 350


class _Sighting(NamedTuple):
    """A serial number at a place."""

    place: str
    report: Report


@rule(
    number="E7",
    code="duplicate_scan_conflict",
    severity=Severity.MAJOR,
    limits=SerialLimits,
)
def duplicate_scan_conflict(case: Case, limits: SerialLimits) -> Iterator[Verdict]:
    """One serial number was seen in two places within a time in which nothing gets there (同码异地).

    Opens at the second sighting; closes at the next one that the goods could have reached from the one
    before it. Sightings are scans that name a location, and gates that read a container's number.

    Two places are apart when they lie ``min_dist_m`` or more from each other; where nobody knows how far,
    when neither lies in the other nor both in a third. Between places that are apart nothing gets in under
    ``min_gap_s``, nor faster than ``max_speed_kmh`` where the distance is known.

    Must not fire for the same scan sent again, or an item scanned twice in one place; between a zone and
    what lies in it, nor between two places of one zone; for codes of a kind of goods, or scans of a
    quantity; for vehicles; nor for places that nobody has drawn.

    Args:
        case: the shipment as of the watermark.
        limits: ``min_gap_s``, seconds, default 60; ``min_dist_m``, metres, default 200;
            ``max_speed_kmh``, default 350.

    Evidence: the sightings, from the last that was possible.
    Source: rule E7 of our catalogue; the numbers are ours.
    """
    for item, sightings in _sightings(case).items():
        conflict: list[Report] = []
        for one, other in pairwise(sightings):
            if _is_impossible(case.facts, one, other, limits):
                conflict = conflict or [one.report]
                conflict.append(other.report)
            elif conflict and other.report.time > conflict[-1].time:
                yield from _verdict(case, limits, item, conflict, other.report)
                conflict = []
        if conflict:
            yield from _verdict(case, limits, item, conflict, None)


def _sightings(case: Case) -> dict[str, list[_Sighting]]:
    found: dict[str, list[_Sighting]] = {}
    for thing, report, scan in case.scanned:
        if scan.location is not None and (scan.quantity or 1) <= 1:
            found.setdefault(thing, []).append(_Sighting(scan.location, report))
    for report in case.facts.reports:
        if isinstance(report.fact, Gate):
            for thing in filter(None, map(thing_uri, report.fact.containers)):
                found.setdefault(thing, []).append(_Sighting(report.fact.gate, report))
    return {
        thing: sorted(seen, key=lambda sighting: sighting.report.order)
        for thing, seen in found.items()
        if len(seen) > 1 and named(thing).kind != KIND_OF_GOODS
    }


def _is_impossible(facts: Facts, one: _Sighting, other: _Sighting, limits: SerialLimits) -> bool:
    """Whether nothing gets from one sighting to the next in the time between."""
    if one.place == other.place:
        return False
    begins, ends = one.report.time, other.report.time
    here, there = facts.area_at(one.place, begins), facts.area_at(other.place, ends)
    if here is None or there is None:
        return False
    within_s = (ends - begins).total_seconds()
    if here.lon is None or here.lat is None or there.lon is None or there.lat is None:
        return within_s < limits.min_gap_s and not _are_related(facts, one.place, other.place, ends)
    metres = distance_m(here.lon, here.lat, there.lon, there.lat)
    if metres < limits.min_dist_m:
        return False
    return within_s < limits.min_gap_s or metres > within_s * limits.max_speed_kmh * MPS_PER_KMH


def _are_related(facts: Facts, one: str, other: str, moment: datetime) -> bool:
    """Whether one place lies in the other, or both in a third."""
    return bool(({one} | facts.around(one, moment)) & ({other} | facts.around(other, moment)))


def _verdict(
    case: Case, limits: SerialLimits, item: str, conflict: list[Report], then: Report | None
) -> Iterator[Verdict]:
    opened_at = conflict[1].time
    terms = case.facts.terms_at(opened_at)
    if terms is not None:
        seen = [*conflict, then] if then is not None else conflict
        yield Verdict(
            rule="duplicate_scan_conflict",
            cause=named(item).label,
            outcome=Outcome.FINDING,
            severity=Severity.MAJOR,
            opened_at=opened_at,
            closed_at=then.time if then is not None else None,
            evidence=tuple(cite_report(report) for report in seen),
            parameters=msgspec.structs.asdict(limits),
            terms_revision=terms.revision,
        )
