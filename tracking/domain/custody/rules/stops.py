"""A2: the goods stand still where they may not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from devices.observation import SealState
from tracking.domain.custody.calendar import ZoneName, known_zone, next_night
from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.grounds import Areas, belongs, move_leg, moves
from tracking.domain.custody.intervals import Interval
from tracking.domain.custody.legs import Span, corridor_of
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.seals import cite_source
from tracking.domain.custody.sensors import DOOR, series
from tracking.domain.custody.stops import OPEN, Piece, Place, ends_first, pieces, stops
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, Verdict, cite, cite_sample

RAIL: Final = "rail"
"""Trains wait in yards; their corridors' ``mode``."""

LIGHT: Final = "light_lux"
OPENED: Final = frozenset({SealState.UNLOCKED, SealState.CUT, SealState.TAMPERED})

Minutes = Annotated[float, Meta(gt=0, le=525_600)]
Hour = Annotated[int, Meta(ge=0, le=23)]


class StopLimits(Struct, frozen=True):
    """Parameters of ``unauthorised_stop``.

    Attributes:
        max_stop_min: minutes that the goods may stand outside approved places, where the leg sets none.
        allowed_stops: codes of zones where they may stand, beside those of the corridor.
        rest_kinds: kinds of zones where they may stand.
        allowed_stop_max_min: minutes that they may stand in such a zone, where it sets no limit itself.
        inspection_kinds: kinds of zones where they may stand for as long as it takes.
        major_min: minutes from which on a stop is major.
        night_from_h: local hour at which the night begins.
        night_to_h: local hour at which it ends; the same hour: there is no night.
        time_zone: whose hours they are.
        lux: light above this is a door that was opened, where no seal says that it is locked.
    """

    max_stop_min: Minutes = 15.0
    allowed_stops: tuple[str, ...] = ()
    rest_kinds: tuple[str, ...] = ("rest_allowed",)
    allowed_stop_max_min: Minutes = 45.0
    inspection_kinds: tuple[str, ...] = ("inspection",)
    major_min: Minutes = 30.0
    night_from_h: Hour = 23
    night_to_h: Hour = 5
    time_zone: ZoneName = "Asia/Shanghai"
    lux: Annotated[float, Meta(ge=0)] = 10.0

    def __post_init__(self) -> None:
        known_zone(self.time_zone)


class _Counted(Struct, frozen=True):
    """A piece of a stop with the leg that limits it.

    Attributes:
        piece: of the stop.
        spans: of the leg, by revision of the terms.
        limits: the rule's.
        facts: the shipment's.
    """

    piece: Piece
    spans: tuple[Span, ...]
    limits: StopLimits
    facts: Facts

    def due(self, since: datetime) -> datetime | None:
        """When what has lasted since a moment is too long; terms that come later bring their own limit."""
        for span in self.spans:
            due = max(since + self._limit(span), span.begins)
            if span.ends is None or due < span.ends:
                return due
        return None

    def grave(self) -> list[datetime]:
        """The moments from which on it is major; not all need come."""
        begins = self.piece.during[0]
        extra = timedelta(minutes=max(0.0, self.limits.major_min - self.limits.max_stop_min))
        if self.piece.place != OPEN:
            due = self.due(begins)
            return [] if due is None else [due + extra]
        limits = self.limits
        night = next_night(begins, limits.night_from_h, limits.night_to_h, limits.time_zone)
        return [begins + timedelta(minutes=limits.major_min), *([] if night is None else [night])]

    def _limit(self, span: Span) -> timedelta:
        place = self.piece.place
        if place == OPEN:
            own_s = move_leg(span).max_stop_s
            return timedelta(seconds=own_s if own_s is not None else self.limits.max_stop_min * 60)
        assert place is not None
        area = self.facts.area_at(place, self.piece.during[0])
        own_min = area.properties.get("max_dwell_min") if area is not None else None
        return timedelta(minutes=self.limits.allowed_stop_max_min if own_min is None else float(own_min))


def stop_due(case: Case, limits: StopLimits) -> datetime | None:
    """When a stop that lasts becomes too long, or graver."""
    moments: list[datetime] = []
    for counted in _counted(case, limits):
        piece = counted.piece
        if piece.during[1] is not None and piece.during[1] <= case.until:
            continue
        since = [piece.during[0], *(part[0] for part in piece.known())]
        wanted = [due for one in since if (due := counted.due(one)) is not None] + counted.grave()
        looks = (
            piece.stop.next_look(due, case.until)
            for due in wanted
            if piece.during[1] is None or due < piece.during[1]
        )
        moments += [look for look in looks if look is not None]
    return min(moments, default=None)


@rule(number="A2", code="unauthorised_stop", severity=Severity.CRITICAL, limits=StopLimits, due=stop_due)
def unauthorised_stop(case: Case, limits: StopLimits) -> Iterator[Verdict]:
    """The goods stand still on their way where they may not, or for longer than they may (途中擅自停留).

    Opens as minor when a stop outside every approved place has lasted ``max_stop_min``, counted from the
    first fix of the stop; the leg's ``max_stop_s`` goes before it. Becomes major at ``major_min``, or when
    part of it lies in the night; critical when a seal is unlocked, cut or tampered with while it lasts, or a
    door opens or light falls in while no seal says that it is locked (else that is
    ``door_or_light_while_sealed``). Closes when the goods move on, come to an approved place or the leg ends.

    Approved are the zones that the leg begins and ends in, those within and around them, and zones of
    ``inspection_kinds``, for any time; the corridor's ``allowed_stops``, ``allowed_stops`` and zones of
    ``rest_kinds`` for the zone's ``max_dwell_min``, else ``allowed_stop_max_min``. In these a stop is minor
    when the time is over and major after as much more as lies between ``max_stop_min`` and ``major_min``;
    the night makes no difference.

    Undetermined when sequence numbers of the device are missing in its course: it may have moved between;
    until a part without gaps is too long by itself.

    Must not fire on a corridor of mode rail; while no move runs; in an approved place within its time; for
    traffic lights and jams, which are no stops to the track; for a stop whose end awaits its confirmation.

    Args:
        case: the shipment as of the watermark.
        limits: ``max_stop_min``, default 15; ``allowed_stops``, default none; ``rest_kinds``, default
            rest_allowed; ``allowed_stop_max_min``, default 45; ``inspection_kinds``, default inspection;
            ``major_min``, default 30; ``night_from_h`` and ``night_to_h``, default 23 and 5, hours of
            ``time_zone``, default Asia/Shanghai; ``lux``, default 10. What counts as standing still is the
            track's: 3 km/h, 80 m.

    Evidence: the milestones ``stopped`` and ``moved`` with the place, the nearest zone and how far it is; the
    missing numbers; what seal, door or light said.
    Source: stalled trucks must be noticed and named by their true place (Pakistan, fine by the DGTT, 2025,
    unverified here). All numbers are ours.
    """
    for counted in _counted(case, limits):
        yield from _judged(case, counted)


def _judged(case: Case, counted: _Counted) -> Iterator[Verdict]:
    piece = counted.piece
    surely = piece.surely_until(case.until)
    reached = min(surely, case.until)
    parts = [(part, counted.due(part[0])) for part in piece.known()]
    certain = min(
        (due for part, due in parts if due is not None and due <= ends_first(part[1], reached)), default=None
    )
    at_first = counted.due(piece.during[0])
    if at_first is not None and at_first <= reached and at_first != certain:
        gaps: list[Evidence] = [
            {
                "missing": "sequence",
                "device": piece.stop.carriage.device,
                "run": gap.run,
                "first": gap.first,
                "last": gap.last,
            }
            for gap in piece.missing()
        ]
        ends = certain if certain is not None else piece.during[1]
        yield _verdict(counted, (at_first, ends), Outcome.UNDETERMINED, Severity.INFO, gaps)
    if certain is not None:
        opened = _openings(case, counted)
        is_major = any(grave <= reached for grave in counted.grave())
        severity = Severity.CRITICAL if opened else Severity.MAJOR if is_major else Severity.MINOR
        yield _verdict(counted, (certain, piece.during[1]), Outcome.FINDING, severity, opened)


def _verdict(
    counted: _Counted, during: Interval, outcome: Outcome, severity: Severity, evidence: list[Evidence]
) -> Verdict:
    piece, carriage = counted.piece, counted.piece.stop.carriage
    cited = [
        cite(carriage.device, milestone)
        for milestone in piece.stop.milestones
        if milestone.kind == "stopped" or milestone.time == piece.during[1]
    ]
    counts: Evidence = {
        "stands": carriage.device,
        "place": piece.place or None,
        "since": piece.during[0].isoformat(),
    }
    terms = counted.facts.terms_at(during[0])
    assert terms is not None  # a leg of theirs runs
    return Verdict(
        rule="unauthorised_stop",
        cause=piece.place or carriage.device,
        outcome=outcome,
        severity=severity,
        opened_at=during[0],
        closed_at=during[1],
        evidence=(*cited, counts, *evidence),
        parameters=msgspec.to_builtins(counted.limits),
        terms_revision=terms.revision,
    )


def _counted(case: Case, limits: StopLimits) -> Iterator[_Counted]:
    """The pieces of stops that some leg limits."""
    standing = list(stops(case))
    for spans in moves(case):
        if _corridor(case.facts, spans[0]).get("mode") == RAIL:
            continue
        for stop in standing:
            for piece in pieces(case, stop, (spans[0].begins, spans[-1].ends), _places(case, spans, limits)):
                if piece.place is not None:
                    yield _Counted(piece, spans, limits, case.facts)


def _places(case: Case, spans: tuple[Span, ...], limits: StopLimits) -> Callable[[Areas, datetime], Place]:
    """What being in some areas counts for, on this leg."""
    leg, facts = move_leg(spans[0]), case.facts
    named = {*leg.from_zones, *leg.to_zones}
    listed = {*limits.allowed_stops, *(_corridor(facts, spans[0]).get("allowed_stops") or ())}

    def place(areas: Areas, at: datetime) -> Place:
        kinds = {code: area.kind for code in sorted(areas) if (area := facts.area_at(code, at)) is not None}
        if any(kinds[c] in limits.inspection_kinds or belongs(facts, c, named, at) for c in kinds):
            return None
        return next((c for c in kinds if c in listed or kinds[c] in limits.rest_kinds), OPEN)

    return place


def _corridor(facts: Facts, span: Span) -> Mapping[str, Any]:
    """What is known of the leg's corridor."""
    code = corridor_of(span)
    area = facts.area_at(code, span.begins) if code is not None else None
    return area.properties if area is not None else {}


def _openings(case: Case, counted: _Counted) -> list[Evidence]:
    """What says that the goods may have been got at while they stood."""
    begins, ends = counted.piece.during

    def is_within(moment: datetime) -> bool:
        return begins <= moment <= case.until and (ends is None or moment < ends)

    found: list[tuple[datetime, Evidence]] = [
        (mark.time, cite_source(mark.told))
        for worn in case.seals.worn
        for mark in worn.marks
        if mark.state in OPENED and is_within(mark.time)
    ]
    for values in series(case.facts, DOOR, LIGHT):
        for sample in values.samples:
            limit = counted.limits.lux if sample.quantity == LIGHT else 0.5
            if sample.value > limit and is_within(sample.time) and not _is_locked(case, sample.time):
                found.append((sample.time, cite_sample(values.carriage.device, sample)))
                break
    return [evidence for _, evidence in sorted(found, key=lambda one: one[0])]


def _is_locked(case: Case, moment: datetime) -> bool:
    return any(worn.state_at(moment) is SealState.LOCKED for worn in case.seals.on(moment))
