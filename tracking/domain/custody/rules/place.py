"""Rules about where the goods are: the route, and the areas they may not enter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.course import IN, ON, Stretch
from tracking.domain.custody.facts import FORBIDDEN_KINDS, Facts
from tracking.domain.custody.intervals import Interval, earlier, overlap
from tracking.domain.custody.legs import Span, corridor_of
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, Verdict, cite
from tracking.domain.custody.visits import Visit, together, visits

LAYBY: Final = "layby_"
"""How the kinds of zones begin through which one drives without a halt."""


class RouteLimits(Struct, frozen=True):
    """Parameters of ``route_deviation``.

    Attributes:
        min_duration_s: seconds off the corridor at the start of the leg that are no deviation yet.
    """

    min_duration_s: Annotated[int, Meta(ge=0)] = 180


class ForbiddenLimits(Struct, frozen=True):
    """Parameters of ``forbidden_zone_entry``.

    Attributes:
        forbidden_kinds: kinds of zones that are forbidden unless the terms name the zone.
        layby_min_stay_s: seconds in a zone of a kind ``layby_…`` that are a stay; less is driving past.
    """

    forbidden_kinds: tuple[str, ...] = tuple(sorted(FORBIDDEN_KINDS))
    layby_min_stay_s: Annotated[int, Meta(ge=0)] = 60


@rule(number="A1", code="route_deviation", severity=Severity.MAJOR, limits=RouteLimits)
def route_deviation(case: Case, limits: RouteLimits) -> Iterator[Verdict]:
    """The goods are off the corridor that the leg prescribes (偏离指定路线).

    Opens when the primary device strays from the leg's corridor, dated at the first fix off it. If it is
    off the corridor when the leg begins, or was never on it, opens at the leg's beginning, once
    ``min_duration_s`` has passed and a fix after that has confirmed it. Closes on the return to the
    corridor, or when the leg or the carriage ends.

    Undetermined while the corridor that the terms name doesn't exist.

    Must not fire before the leg begins or after it ends; on a leg without a corridor; for fixes within the
    corridor's tolerance, too inaccurate, or too few in a row (the track decides that, with hysteresis and
    debounce); before the device's first word of any place.

    Args:
        case: the shipment as of the watermark.
        limits: ``min_duration_s``, seconds, default 180. The tolerance is the corridor's own, in metres.

    Evidence: the milestones ``strayed`` and ``returned``; at a leg's start, those that began the leg.
    Source: carriers keep to the route and time that customs set (GACC decrees 88 and 121, unverified here);
    geo-fenced transit routes with every violation reported (Rwanda RRA; Pakistan SRO 413(I)/2012). The
    minutes are ours.
    """
    parameters = msgspec.structs.asdict(limits)
    for span in case.legs.moves():
        corridor = corridor_of(span)
        assert corridor is not None
        if case.facts.area_at(corridor, span.begins) is None:
            yield Verdict(
                rule="route_deviation",
                cause=corridor,
                outcome=Outcome.UNDETERMINED,
                severity=Severity.INFO,
                opened_at=span.begins,
                closed_at=span.ends,
                evidence=({"missing": "corridor", "area": corridor},),
                parameters=parameters,
                terms_revision=span.revision,
            )
            continue
        for stretch in case.stretches:
            during = overlap((span.begins, span.ends), (stretch.begins, stretch.ends))
            if during is None:
                continue
            for off, cited in _deviations(stretch, corridor, during, span, limits):
                yield Verdict(
                    rule="route_deviation",
                    cause=corridor,
                    outcome=Outcome.FINDING,
                    severity=Severity.MAJOR,
                    opened_at=off[0],
                    closed_at=off[1],
                    evidence=cited,
                    parameters=parameters,
                    terms_revision=span.revision,
                )


def _deviations(
    stretch: Stretch, corridor: str, during: Interval, span: Span, limits: RouteLimits
) -> Iterator[tuple[Interval, tuple[Evidence, ...]]]:
    """The intervals off the corridor, with what they rest on."""
    carriage = stretch.carriage
    places = [m for m in carriage.milestones if m.kind in IN or m.kind in ON]
    if not places:
        return
    begins, ends = max(during[0], places[0].time), during[1]
    told = [m for m in places if m.area == corridor]
    before = next((m for m in reversed(told) if m.time <= begins), None)
    later = [m for m in told if m.time > begins and (ends is None or m.time < ends)]
    since: datetime | None = None
    cited: tuple[Evidence, ...] = ()
    if before is not None and before.time == begins and not ON[before.kind]:
        since, cited = begins, (cite(carriage.device, before),)
    elif before is None or not ON[before.kind]:
        back = next((m.time for m in later if ON[m.kind]), None)
        confirmed = back if back is not None else earlier(ends, carriage.last_fix)
        if confirmed is not None and confirmed - begins >= timedelta(seconds=limits.min_duration_s):
            begun = [*span.milestones, *([before] if before is not None else [])]
            cited = (_cite_leg(span), *(cite(carriage.device, milestone) for milestone in begun))
            since = begins
    for milestone in later:
        piece = cite(carriage.device, milestone)
        if ON[milestone.kind]:
            if since is not None:
                yield (since, milestone.time), (*cited, piece)
            since = None
        elif since is None:
            since, cited = milestone.time, (piece,)
    if since is not None:
        yield (since, ends), cited


def _cite_leg(span: Span) -> Evidence:
    return {"leg": span.index, "begins": span.begins.isoformat()}


def lay_by_due(case: Case, limits: ForbiddenLimits) -> datetime | None:
    """When a visit to a lay-by may have become a stay although nothing that is told has happened."""
    moments = [
        due
        for visit, begins, kind in _forbidden_visits(case, limits)
        if kind.startswith(LAYBY)
        and (due := visit.next_look(limits.layby_min_stay_s, begins, case.until)) is not None
    ]
    return min(moments, default=None)


@rule(
    number="A4",
    code="forbidden_zone_entry",
    severity=Severity.MAJOR,
    limits=ForbiddenLimits,
    due=lay_by_due,
)
def forbidden_zone_entry(case: Case, limits: ForbiddenLimits) -> Iterator[Verdict]:
    """The goods entered an area where they may not be (进入禁入区域).

    Forbidden is a zone of a forbidden kind, and a bonded zone that has nothing to do with the terms. Opens
    when any device on the goods enters it while a leg runs, or when a leg begins inside it; closes when the
    last of them leaves. Several devices in one zone are one finding.

    A lay-by lies beside the road or across it, so there only a stay counts, of ``layby_min_stay_s`` or more
    from the first fix within to the last. It opens at the entry, as soon as a fix within tells of a stay that
    long, or the device's next report is overdue after it; while the departure awaits its confirmation,
    nothing opens.

    Undetermined when the line between two sparse fixes touches the zone but the goods may have gone around
    it.

    Must not fire for zones that the terms name, or that lie around a zone they name; nor for bonded zones
    within a named one; nor while no leg runs; nor, not even undetermined, for a lay-by that lies on the way
    between two fixes.

    Args:
        case: the shipment as of the watermark.
        limits: ``forbidden_kinds``, default layby_forbidden and restricted; ``layby_min_stay_s``, seconds,
            default 60.

    Evidence: the milestones ``entered`` and ``left``, or ``crossed``.
    Source: closed management of customs special supervision areas (State Council decree 256, article 3);
    designated stopping places in transit rules. The kinds and the seconds are ours.
    """
    parameters = msgspec.to_builtins(limits)
    counted = [
        (visit, (begins, visit.during[1]))
        for visit, begins, kind in _forbidden_visits(case, limits)
        if not kind.startswith(LAYBY) or visit.stays(limits.layby_min_stay_s, begins, case.until)
    ]
    for zone in sorted({visit.zone for visit, _ in counted}):
        sure = together(zone, counted, certain=True)
        unsure = [
            (during, cited)
            for during, cited in together(zone, counted, certain=False)
            if all(overlap(during, known) is None for known, _ in sure)
        ]
        for outcome, united_visits in ((Outcome.FINDING, sure), (Outcome.UNDETERMINED, unsure)):
            for (opened_at, closed_at), cited in united_visits:
                terms = case.facts.terms_at(opened_at)
                assert terms is not None
                yield Verdict(
                    rule="forbidden_zone_entry",
                    cause=zone,
                    outcome=outcome,
                    severity=Severity.MAJOR if outcome is Outcome.FINDING else Severity.INFO,
                    opened_at=opened_at,
                    closed_at=closed_at,
                    evidence=tuple(cite(device, milestone) for device, milestone in cited),
                    parameters=parameters,
                    terms_revision=terms.revision,
                )


def _forbidden_visits(case: Case, limits: ForbiddenLimits) -> Iterator[tuple[Visit, datetime, str]]:
    """Each visit to a forbidden zone while a leg runs, from when on it counts, and the zone's kind."""
    for visit in visits(case.facts):
        for span in case.legs.spans:
            during = overlap((span.begins, span.ends), visit.during)
            if during is None:
                continue
            kind = _forbidden_kind(visit.zone, during[0], case.facts, limits)
            if kind is not None:
                yield visit, during[0], kind


def _forbidden_kind(zone: str, at: datetime, facts: Facts, limits: ForbiddenLimits) -> str | None:
    """The kind of a zone in which the goods may not be under the terms that hold; None: they may."""
    area = facts.area_at(zone, at)
    terms = facts.terms_at(at)
    if area is None or terms is None:
        return None
    named = terms.terms.zones()
    if zone in named or any(zone in facts.around(code, at) for code in named):
        return None
    is_forbidden = area.kind in limits.forbidden_kinds or (area.bonded and not facts.around(zone, at) & named)
    return area.kind if is_forbidden else None
