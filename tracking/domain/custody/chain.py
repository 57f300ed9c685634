"""The chain of custody: every point where the goods passed from one place or hand to another, and its gaps.

A move's departure and arrival are such points, and so are handovers and new seals. A departure or arrival
needs a witness besides the track wherever a gate stands that should have told of it: the gate's report, or a
handover that both sides confirm. Trains pass no such gates. Where the terms give the goods into other hands
without any witness, custody has a gap too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Final

from msgspec import Struct

from devices.observation import Action, Direction, Gate
from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.gatehouse import CONTROLLED_KINDS, Sight, Watching, next_word, place_of, watching
from tracking.domain.custody.handovers import Handing
from tracking.domain.custody.intervals import earlier
from tracking.domain.custody.legs import Span, corridor_of
from tracking.domain.custody.terms import MoveLeg
from tracking.domain.custody.told import Report
from tracking.domain.custody.verdicts import Evidence, cite_report

RAIL: Final = "rail"
WITNESSES_WITHIN: Final = timedelta(minutes=60)
"""So far from a departure or arrival, as the track tells it, its witnesses may lie."""

CHANGES_HANDS: Final = frozenset(
    {
        Action.ACCEPTING, Action.ARRIVING, Action.COLLECTING, Action.CONSIGNING, Action.DEPARTING,
        Action.LOADING, Action.RECEIVING, Action.SHIPPING, Action.UNLOADING,
    }
)  # fmt: skip
"""Scans that witness that goods came into other hands."""


class Witness(StrEnum):
    """How a point of the chain is known, the surest first."""

    GATE = "gate"
    HANDOVER = "handover"
    TRACK = "track"


class Crossing(Struct, frozen=True):
    """The goods set out on a move, or arrived.

    Attributes:
        span: of the move.
        direction: out of its origin, or into its destination.
        zone: which was left or entered.
        zone_kind: of it; None: nobody has drawn it.
        time: as the track tells it.
        gate: the report of the gate that they passed.
        handing: the handover around it.
        watchers: the gates that should have told of it, as far as one knows.
    """

    span: Span
    direction: Direction
    zone: str
    zone_kind: str | None
    time: datetime
    gate: Report | None
    handing: Handing | None
    watchers: tuple[Watching, ...]

    @property
    def witness(self) -> Witness:
        """How it is known."""
        if self.gate is not None:
            return Witness.GATE
        if self.handing is not None:
            return Witness.HANDOVER
        return Witness.TRACK

    @property
    def is_confirmed(self) -> bool:
        """By a gate, or by both sides of a handover."""
        return self.witness in {Witness.GATE, Witness.HANDOVER}

    @property
    def cited(self) -> tuple[Evidence, ...]:
        """What tells of it."""
        told = [self.gate, *(self.handing.words if self.handing is not None else ())]
        known = tuple(cite_report(report) for report in told if report is not None)
        return known or ({"leg": self.span.index, "time": self.time.isoformat(), "zone": self.zone},)


class Gap(Struct, frozen=True):
    """Custody from here on rests on nobody's word.

    Attributes:
        kind: ``passage``: no gate told of a departure or arrival; ``custodian``: other hands without a
            witness.
        crossing: where.
        ends: the next point with a witness; None: there is none yet.
        is_certain: False: the gate was offline, or may still tell.
    """

    kind: str
    crossing: Crossing
    ends: datetime | None
    is_certain: bool

    @property
    def begins(self) -> datetime:
        """When custody was last certain."""
        return self.crossing.time

    @property
    def is_an_exit(self) -> bool:
        """Out of a zone of closed management without a gate's word: another rule's to tell."""
        watched = self.kind == "passage" and self.crossing.direction is Direction.OUT
        return watched and self.crossing.zone_kind in CONTROLLED_KINDS

    @property
    def cause(self) -> str:
        """``out PVGCARGO``, ``in SIPCBZ-E``."""
        return f"{self.crossing.direction.value} {self.crossing.zone}"


def crossings(case: Case, within: timedelta = WITNESSES_WITHIN) -> tuple[Crossing, ...]:
    """Every departure and arrival of a move, in order."""
    given = [handing for handing in case.handovers if handing.is_sound]
    moves = (span for span in case.legs.spans if isinstance(span.leg, MoveLeg))
    found = []
    for index, group in groupby(moves, key=lambda span: span.index):
        spans = list(group)
        first, last = spans[0], spans[-1]
        found.append(_crossing(case, first, Direction.OUT, first.begins, given, within))
        if last.ends is not None and index < case.legs.index:
            found.append(_crossing(case, last, Direction.IN, last.ends, given, within))
    return tuple(found)


def gaps(case: Case, found: Sequence[Crossing], within: timedelta = WITNESSES_WITHIN) -> tuple[Gap, ...]:
    """Where the chain has gaps, in order; what may still be told within its time is none."""
    sure = [crossing.time for crossing in found if crossing.is_confirmed]
    sure += [handing.words[-1].time for handing in case.handovers if handing.is_sound]
    missing = []
    for crossing in found:
        if crossing.is_confirmed or crossing.time + within > case.until:
            continue
        ends = min((time for time in sure if time > crossing.time), default=None)
        if crossing.watchers:
            missing.append(Gap("passage", crossing, ends, _is_certain(crossing)))
        elif _changes_hands(case, crossing):
            scan = _scan(case, crossing, within)
            if scan is None or scan.time > crossing.time + within:
                told = earlier(ends, scan.time if scan is not None else None)
                missing.append(Gap("custodian", crossing, told, is_certain=True))
    return tuple(missing)


def has_witness(
    case: Case,
    direction: Direction,
    zones: Sequence[str],
    time: datetime,
    within: timedelta = WITNESSES_WITHIN,
) -> bool:
    """Whether a gate of one of these zones, or both sides of a handover, told of a moment."""
    near = {zone for code in zones for zone in (code, *case.facts.around(code, time))}
    return _passage(case.facts, direction, frozenset(near), time, within) is not None or any(
        handing.is_sound and abs(handing.words[-1].time - time) <= within for handing in case.handovers
    )


def next_look(case: Case, found: Sequence[Crossing], within: timedelta = WITNESSES_WITHIN) -> datetime | None:
    """When a witness's time is over, or a gate that owes a report may be offline."""
    doubtful = [c for c in found if not c.is_confirmed and (c.watchers or _changes_hands(case, c))]
    looks = [crossing.time + within for crossing in doubtful]
    looks += [look for c in doubtful for w in c.watchers if (look := next_word(w, case.until)) is not None]
    return min((look for look in looks if look > case.until), default=None)


def _crossing(
    case: Case, span: Span, direction: Direction, time: datetime, given: Sequence[Handing], within: timedelta
) -> Crossing:
    zone, zones = _zones(case, span, direction, time)
    area = case.facts.area_at(zone, time)
    watchers: tuple[Watching, ...] = ()
    if not _is_rail(case.facts, span):
        watchers = tuple(
            w for code in sorted(zones) for w in watching(case.facts, code, direction, time, case.until)
        )
    return Crossing(
        span=span,
        direction=direction,
        zone=zone,
        zone_kind=area.kind if area is not None else None,
        time=time,
        gate=_passage(case.facts, direction, zones, time, within),
        handing=min(
            (handing for handing in given if abs(handing.words[-1].time - time) <= within),
            key=lambda handing: abs(handing.words[-1].time - time),
            default=None,
        ),
        watchers=watchers,
    )


def _zones(case: Case, span: Span, direction: Direction, time: datetime) -> tuple[str, frozenset[str]]:
    """The zone that was left or entered, and with it those whose gates lead there."""
    assert isinstance(span.leg, MoveLeg)
    codes = span.leg.from_zones if direction is Direction.OUT else span.leg.to_zones
    kind = "left" if direction is Direction.OUT else "entered"
    told = {
        milestone.area
        for stretch in case.stretches
        for milestone in stretch.carriage.milestones
        if milestone.time == time and milestone.kind == kind
    }
    zone = next((code for code in codes if code in told), codes[0])
    return zone, frozenset({zone}) | case.facts.around(zone, time)


def _is_rail(facts: Facts, span: Span) -> bool:
    corridor = corridor_of(span)
    area = facts.area_at(corridor, span.begins) if corridor is not None else None
    return area is not None and area.properties.get("mode") == RAIL


def _passage(
    facts: Facts, direction: Direction, zones: frozenset[str], time: datetime, within: timedelta
) -> Report | None:
    """The report of a gate of these zones, nearest to the moment."""
    reports = (
        report
        for report in facts.reports
        if isinstance(report.fact, Gate)
        and report.fact.direction is direction
        and abs(report.time - time) <= within
        and place_of(facts, report).zone in zones
    )
    return min(reports, key=lambda report: (abs(report.time - time), report.order), default=None)


def _scan(case: Case, crossing: Crossing, within: timedelta) -> Report | None:
    """The first scan that witnesses other hands: loaded since the leg before began, or received since."""
    since = crossing.time - within
    if crossing.direction is Direction.OUT:
        before = [span.begins for span in case.legs.spans if span.begins < crossing.time]
        since = min(since, before[-1]) if before else since
    scans = (r for _, r, scan in case.scanned if scan.action in CHANGES_HANDS and r.time >= since)
    return next(scans, None)


def _is_certain(crossing: Crossing) -> bool:
    """Every gate that leads there has spoken since."""
    return all(watcher.sight is Sight.HEARD for watcher in crossing.watchers)


def _changes_hands(case: Case, crossing: Crossing) -> bool:
    """Whether the terms give the goods into other hands there."""
    spans = case.legs.spans
    others: list[Span | None] = [None]
    if crossing.direction is Direction.OUT:
        others += [span for span in spans if span.ends is not None and span.ends <= crossing.time]
    else:
        others += reversed([span for span in spans if span.begins >= crossing.time])
    parties = {span.leg.custodian for span in (crossing.span, others[-1]) if span is not None}
    return len(parties - {None}) > 1
