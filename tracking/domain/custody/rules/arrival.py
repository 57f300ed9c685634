"""A3: the goods arrive late, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from devices.observation import Direction, Gate
from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.gatehouse import place_of
from tracking.domain.custody.grounds import belongs, cite_beginning, move_leg, moves, unheard
from tracking.domain.custody.intervals import Interval, earlier, united
from tracking.domain.custody.legs import Span
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.told import Report
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, Verdict, cite_report

Hours = Annotated[float, Meta(gt=0, le=8760)]
Percent = Annotated[float, Meta(gt=0, le=1000)]


class ArrivalLimits(Struct, frozen=True):
    """Parameters of ``overdue_arrival``.

    Attributes:
        max_transit_h: hours from departure to arrival, where neither the leg nor its corridor says.
        warn_at_pct: per cent of the time allowed at which it opens.
        major_at_pct: per cent of the time allowed at which it becomes major.
        gate_match_min: minutes between the leg's beginning and the gate's report of the departure.
    """

    max_transit_h: Hours | None = None
    warn_at_pct: Percent = 100.0
    major_at_pct: Percent = 150.0
    gate_match_min: Annotated[float, Meta(ge=0)] = 60.0


class _Transit(Struct, frozen=True):
    """One move, from its departure to its arrival.

    Attributes:
        spans: of the leg, by revision of the terms.
        departed: when.
        arrived: when; None: not yet.
        gates: the gates' reports of both.
    """

    spans: tuple[Span, ...]
    departed: datetime
    arrived: datetime | None
    gates: tuple[Report, ...]


class _Late(Struct, frozen=True):
    """The goods are late under one revision of the terms.

    Attributes:
        during: from the moment at which it opens.
        due: when they were to arrive.
        grave: when it becomes major.
        revision: of the terms.
    """

    during: Interval
    due: datetime
    grave: datetime
    revision: int


def arrival_due(case: Case, limits: ArrivalLimits) -> datetime | None:
    """When goods that are under way become late, or graver so."""
    moments = [
        moment
        for transit in _transits(case, limits)
        for late in _late(case.facts, transit, limits)
        for moment in (late.during[0], late.grave)
        if moment > case.until and (late.during[1] is None or moment < late.during[1])
    ]
    return min(moments, default=None)


@rule(number="A3", code="overdue_arrival", severity=Severity.MAJOR, limits=ArrivalLimits, due=arrival_due)
def overdue_arrival(case: Case, limits: ArrivalLimits) -> Iterator[Verdict]:
    """The goods are not at the destination within their time (逾期未运抵).

    Time runs from the departure: a gate of the origin reports the goods out within ``gate_match_min`` of the
    leg's beginning, else from that beginning. Allowed is what the leg's ``deadline`` leaves, else the
    corridor's ``max_transit_h``, else ``max_transit_h``. Opens as minor at ``warn_at_pct`` of it, becomes
    major at ``major_at_pct``. Closes on arrival: in a zone of the destination, or reported in by a gate of
    one.

    Undetermined while both the device had been silent and a gate of the destination offline before it was to
    open: they may have arrived.

    Must not fire before departure; on a leg for which nobody has set a time; for goods that a gate of the
    destination saw in time although the position came late.

    Args:
        case: the shipment as of the watermark.
        limits: ``max_transit_h``, hours, default none; ``warn_at_pct``, default 100 (80 warns early);
            ``major_at_pct``, default 150; ``gate_match_min``, minutes, default 60.

    Evidence: the departure, the arrival if there is one, and the time allowed.
    Source: arrival within the set time (GACC decrees 88 and 89, unverified here). Hours and per cents are
    ours.
    """
    for transit in _transits(case, limits):
        judged = [late for late in _late(case.facts, transit, limits) if late.during[0] <= case.until]
        for during, pieces in united((late.during, (late,)) for late in judged):
            last = pieces[-1]
            reached = earlier(during[1], case.until)
            to_zones = move_leg(transit.spans[-1]).to_zones
            silent = unheard(case, to_zones, Direction.IN, during[0]) if transit.arrived is None else []
            is_major = reached is not None and last.grave <= reached
            yield Verdict(
                rule="overdue_arrival",
                cause=f"leg {transit.spans[0].index}",
                outcome=Outcome.UNDETERMINED if silent else Outcome.FINDING,
                severity=Severity.INFO if silent else Severity.MAJOR if is_major else Severity.MINOR,
                opened_at=during[0],
                closed_at=during[1],
                evidence=(*_cite_transit(case, transit, last), *silent),
                parameters=msgspec.to_builtins(limits),
                terms_revision=last.revision,
            )


def _transits(case: Case, limits: ArrivalLimits) -> Iterator[_Transit]:
    window = timedelta(minutes=limits.gate_match_min)
    for spans in moves(case):
        leg, begins, ends = move_leg(spans[0]), spans[0].begins, spans[-1].ends
        out = [
            report
            for report in _passages(case.facts, Direction.OUT, leg.from_zones)
            if abs(report.time - begins) <= window
        ]
        gate_out = min(out, key=lambda report: (abs(report.time - begins), report.order), default=None)
        departed = gate_out.time if gate_out is not None else begins
        to_zones = move_leg(spans[-1]).to_zones
        gate_in = next(
            (report for report in _passages(case.facts, Direction.IN, to_zones) if report.time > departed),
            None,
        )
        if gate_in is not None and ends is not None and gate_in.time > ends:
            gate_in = None
        yield _Transit(
            spans,
            departed,
            earlier(ends, gate_in.time if gate_in is not None else None),
            tuple(report for report in (gate_out, gate_in) if report is not None),
        )


def _passages(facts: Facts, direction: Direction, zones: tuple[str, ...]) -> Iterator[Report]:
    """What gates of these zones reported in a direction, in order."""
    for report in facts.reports:
        if isinstance(report.fact, Gate) and report.fact.direction is direction:
            zone = place_of(facts, report).zone
            if zone is not None and belongs(facts, zone, zones, report.time):
                yield report


def _late(facts: Facts, transit: _Transit, limits: ArrivalLimits) -> Iterator[_Late]:
    """When the goods are or would be late, under each revision of the terms."""
    for span in transit.spans:
        due = _due(facts, span, transit.departed, limits)
        ends = earlier(span.ends, transit.arrived)
        if due is None:
            continue
        allowed = due - transit.departed
        opens = max(transit.departed + allowed * limits.warn_at_pct / 100, span.begins)
        if ends is None or opens < ends:
            yield _Late(
                (opens, ends), due, transit.departed + allowed * limits.major_at_pct / 100, span.revision
            )


def _due(facts: Facts, span: Span, departed: datetime, limits: ArrivalLimits) -> datetime | None:
    leg = move_leg(span)
    if leg.deadline is not None:
        return leg.deadline
    corridor = facts.area_at(leg.corridor, span.begins) if leg.corridor is not None else None
    hours = corridor.properties.get("max_transit_h") if corridor is not None else None
    if hours is None:
        hours = limits.max_transit_h
    return None if hours is None else departed + timedelta(hours=float(hours))


def _cite_transit(case: Case, transit: _Transit, late: _Late) -> Iterator[Evidence]:
    yield from (cite_report(report) for report in transit.gates)
    yield from cite_beginning(case, transit.spans[0])
    yield {
        "leg": transit.spans[0].index,
        "departed": transit.departed.isoformat(),
        "due": late.due.isoformat(),
        "arrived": transit.arrived.isoformat() if transit.arrived is not None else None,
    }
