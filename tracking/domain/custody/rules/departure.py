"""The rule about departure under seal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from devices.observation import Direction, Seal, SealState
from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import Carriage
from tracking.domain.custody.gatehouse import Sight, watching
from tracking.domain.custody.intervals import overlap
from tracking.domain.custody.legs import Span
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.seals import Worn, cite_source
from tracking.domain.custody.terms import ANY_SEAL, NO_SEAL, MoveLeg
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, Verdict, cite


class DepartureLimits(Struct, frozen=True):
    """Parameters of ``seal_missing_at_departure``.

    Attributes:
        required_classes: classes of ISO 17712 that a seal may have, where its class is known.
        max_after_gate_min: minutes after the departure within which the seal may still be put on.
    """

    required_classes: tuple[str, ...] = ("H",)
    max_after_gate_min: Annotated[float, Meta(ge=0, le=1440)] = 0


class _Departure(Struct, frozen=True):
    """A move that begins under seal.

    Attributes:
        span: as it began.
        ends: when the move was over.
        number: of the seal that must be on; None: any will do.
        is_electronic: the corridor asks for a seal that speaks.
    """

    span: Span
    ends: datetime | None
    number: str | None
    is_electronic: bool


def departure_due(case: Case, limits: DepartureLimits) -> datetime | None:
    """When a seal that may be put on a little later is missing."""
    late = timedelta(minutes=limits.max_after_gate_min)
    moments = (departure.span.begins + late for departure in _departures(case))
    return min((moment for moment in moments if moment > case.until), default=None)


@rule(
    number="C3",
    code="seal_missing_at_departure",
    severity=Severity.MAJOR,
    limits=DepartureLimits,
    due=departure_due,
)
def seal_missing_at_departure(case: Case, limits: DepartureLimits) -> Iterator[Verdict]:
    """The goods left without the seal that they must travel under (未施封启运).

    Asked of moves whose terms want a seal, any or a number, and of corridors with the property
    ``requires_eseal``, whose seal must speak for itself. Opens ``max_after_gate_min`` after the departure
    when by then no such seal is known to be locked on the goods: by its own word, by a gate or reader that
    met it, or by a record. Closes when one is, or when the move is over.

    The class by ISO 17712 is judged only where a seal's record tells it; no device does. A seal of another
    class than ``required_classes`` is as good as none; of a seal of unknown class the evidence says so.

    Undetermined while a seal's device on the goods has not told its state by then, or numbers are missing
    since it did; or, where no such device is on the goods, while a gate out of the origin was offline.

    Must not fire on moves that want no seal; nor for a seal that was broken later, which is rule C1; nor
    again when new terms take effect under way.

    Args:
        case: the shipment as of the watermark.
        limits: ``required_classes``, default H; ``max_after_gate_min``, minutes, default 0.

    Evidence: the departure; the seals that were on, with their class and what told of them; the device or
    gate that could not tell.
    Source: ISO 17712 for the classes I, S and H; ISO 18185 for e-seals (unverified here). The minutes are
    ours.
    """
    for departure in _departures(case):
        moment = departure.span.begins + timedelta(minutes=limits.max_after_gate_min)
        during = overlap((moment, None), (departure.span.begins, departure.ends))
        terms = case.facts.terms_at(moment)
        if (
            during is None
            or moment > case.until
            or terms is None
            or _is_sealed(case, departure, moment, limits)
        ):
            continue
        blind = list(_blind(case, departure, moment))
        outcome = Outcome.UNDETERMINED if blind else Outcome.FINDING
        yield Verdict(
            rule="seal_missing_at_departure",
            cause=f"leg {departure.span.index}",
            outcome=outcome,
            severity=Severity.INFO if blind else Severity.MAJOR,
            opened_at=moment,
            closed_at=_sealed_later(case, departure, moment, limits) or departure.ends,
            evidence=(
                _wanted(departure),
                *(cite(_speaker(case, moment), milestone) for milestone in departure.span.milestones),
                *(piece for worn in case.seals.on(moment) for piece in _seen(worn, moment)),
                *blind,
            ),
            parameters=msgspec.to_builtins(limits),
            terms_revision=terms.revision,
        )


def _departures(case: Case) -> Iterator[_Departure]:
    """The moves that must begin under seal; revisions of one move are one departure."""
    for _, group in groupby(case.legs.spans, key=lambda span: span.index):
        spans = list(group)
        span, leg = spans[0], spans[0].leg
        if not isinstance(leg, MoveLeg):
            continue
        corridor = case.facts.area_at(leg.corridor, span.begins) if leg.corridor is not None else None
        is_electronic = corridor is not None and corridor.properties.get("requires_eseal") is True
        wants = leg.seal not in {None, NO_SEAL}
        if wants or is_electronic:
            number = leg.seal if wants and leg.seal != ANY_SEAL else None
            yield _Departure(span, spans[-1].ends, number, is_electronic)


def _is_sealed(case: Case, departure: _Departure, moment: datetime, limits: DepartureLimits) -> bool:
    return any(
        worn.state_at(moment) is SealState.LOCKED
        and departure.number in {None, worn.seal}
        and (not departure.is_electronic or bool(worn.devices))
        and (worn.iso_class is None or worn.iso_class in limits.required_classes)
        for worn in case.seals.on(moment)
    )


def _sealed_later(
    case: Case, departure: _Departure, moment: datetime, limits: DepartureLimits
) -> datetime | None:
    """When it was put on after all, before the move was over."""
    told = sorted({mark.time for worn in case.seals.worn for mark in worn.marks if mark.time > moment})
    ends = departure.ends
    return next(
        (
            time
            for time in told
            if (ends is None or time < ends) and _is_sealed(case, departure, time, limits)
        ),
        None,
    )


def _blind(case: Case, departure: _Departure, moment: datetime) -> Iterator[Evidence]:
    """Who could have told of a seal, and didn't."""
    devices = [
        carriage
        for carriage in case.facts.carriages
        if carriage.is_seal
        and carriage.begins <= moment
        and (carriage.ends is None or moment < carriage.ends)
    ]
    for carriage in devices:
        last = _last_word(case, carriage, moment)
        if last is None:
            yield {"unheard": carriage.device}
        elif any(gap.after <= moment and gap.before > last for gap in carriage.missing):
            yield {"numbers_missing": carriage.device}
    leg = departure.span.leg
    if devices or not isinstance(leg, MoveLeg):
        return
    for zone in leg.from_zones:
        for found in watching(case.facts, zone, Direction.OUT, departure.span.begins, case.until):
            if found.sight is Sight.OFFLINE:
                since = found.last_heard.isoformat() if found.last_heard is not None else None
                yield {"gate_offline": found.watch.gate, "last_heard": since}


def _last_word(case: Case, carriage: Carriage, moment: datetime) -> datetime | None:
    """When a seal's device last said its state, up to a moment."""
    told = [
        report.time
        for report in case.facts.reports
        if report.device == carriage.device and isinstance(report.fact, Seal) and report.time <= moment
    ]
    return told[-1] if told else None


def _wanted(departure: _Departure) -> Evidence:
    return {
        "departure": departure.span.begins.isoformat(),
        "seal": departure.number or ANY_SEAL,
        "electronic": departure.is_electronic,
    }


def _speaker(case: Case, moment: datetime) -> str:
    """The device that told of the departure."""
    held = [s for s in case.stretches if s.begins <= moment and (s.ends is None or moment < s.ends)]
    return held[0].carriage.device if held else ""


def _seen(worn: Worn, moment: datetime) -> Iterator[Evidence]:
    """A seal that was on, and what was said of it last."""
    yield {"seal": worn.seal, "iso_class": worn.iso_class or "unknown"}
    last = [mark for mark in worn.marks if mark.time <= moment][-1:]
    yield from (cite_source(mark.told) for mark in last)
