"""Rules about declarations and their time limits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from devices.observation import Direction
from tracking.domain.custody.calendar import ZoneName, known_zone, local_date, midnight, rolled
from tracking.domain.custody.case import Case
from tracking.domain.custody.documents import (
    Conveyance,
    Declaration,
    GatePass,
    PassMoved,
    PassState,
    PassType,
)
from tracking.domain.custody.facts import Facts
from tracking.domain.custody.intervals import Interval, earlier
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.told import Document
from tracking.domain.custody.verdicts import (
    Evidence,
    Outcome,
    Severity,
    Verdict,
    cite_document,
    cite_report,
)
from tracking.domain.custody.whereabouts import last_place

Days = Annotated[int, Meta(ge=1, le=3650)]


class EnterFirstLimits(Struct, frozen=True):
    """Parameters of ``enter_first_declare_late``.

    Attributes:
        limit_days: days within which the goods must be declared, calendar days.
        warn_days: on which of these days to warn.
        count_arrival_day: the day of the conveyance's declaration is the first day; else the day after it.
        holiday_roll: a last day on which offices don't work moves to the first on which they do.
        holidays: days on which offices don't work, beside Saturdays and Sundays; dates.
        workdays: Saturdays and Sundays on which they do; dates.
        time_zone: whose days are counted.
    """

    limit_days: Days = 14
    warn_days: Days = 10
    count_arrival_day: bool = False
    holiday_roll: bool = True
    holidays: tuple[date, ...] = ()
    workdays: tuple[date, ...] = ()
    time_zone: ZoneName = "Asia/Shanghai"

    def __post_init__(self) -> None:
        known_zone(self.time_zone)


class _Clock(Struct, frozen=True):
    """The period for one conveyance's goods.

    Attributes:
        conveyance: the declaration that began it.
        last_day: the last day on which to declare.
        warns: when the warning's day begins.
        is_late: when the day after the last begins.
    """

    conveyance: Document
    last_day: date
    warns: datetime
    is_late: datetime


def declaration_due(case: Case, limits: EnterFirstLimits) -> datetime | None:
    """The warning, or the end of the last day, while nothing is declared."""
    clock, regime = _clock(case.facts, limits), _regime(case.facts)
    if regime is None:
        return None
    ends = _ends(case.facts, regime)
    marks = (clock.warns, clock.is_late) if clock is not None else (regime[0],)
    looks = (max(mark, regime[0]) for mark in marks)
    return next((look for look in looks if look > case.until and (ends is None or look < ends)), None)


@rule(
    number="D1",
    code="enter_first_declare_late",
    severity=Severity.MAJOR,
    limits=EnterFirstLimits,
    due=declaration_due,
)
def enter_first_declare_late(case: Case, limits: EnterFirstLimits) -> Iterator[Verdict]:
    """Goods that entered the zone before their declaration are not declared in time (先入区后报关逾期未申报).

    The period runs from the day on which the conveyance declared its entry, never from the gate. Opens as
    minor at the beginning of day ``warn_days``, local time; becomes major when day ``limit_days`` is over,
    or the working day that it moves to. Closes when the goods are declared, or when the last of their
    passes is deleted or void. The first declaration of the shipment counts.

    Undetermined from the pass on while nobody has said when the conveyance declared its entry.

    Must not fire for shipments without a pass of type 1 (先入区后报关) into the zone; nor when the goods were
    declared before; nor at a gate: goods under such a pass need no declaration to enter.

    Args:
        case: the shipment as of the watermark.
        limits: ``limit_days``, default 14; ``warn_days``, default 10; ``count_arrival_day``, default false;
            ``holiday_roll``, default true; ``holidays`` and ``workdays``, dates, default none: weekends are
            days off; ``time_zone``, default Asia/Shanghai.

    Evidence: the conveyance's declaration, the passes, the last day of the period and, once declared, the
    days late; where the goods were last scanned; the declaration.
    Source: 14 days and their counting for goods that enter first are common knowledge (unverified here:
    confirm with the customs of the zone); the general limit is 14 days after the conveyance's declaration.
    The warning is ours.
    """
    regime = _regime(case.facts)
    if regime is None:
        return
    clock = _clock(case.facts, limits)
    ends = _ends(case.facts, regime)
    opened_at = regime[0] if clock is None else max(clock.warns, regime[0])
    terms = case.facts.terms_at(opened_at)
    if terms is None or opened_at > case.until or (ends is not None and ends <= opened_at):
        return
    is_late = clock is not None and clock.is_late <= (earlier(ends, case.until) or case.until)
    yield Verdict(
        rule="enter_first_declare_late",
        cause="declaration",
        outcome=Outcome.UNDETERMINED if clock is None else Outcome.FINDING,
        severity=Severity.MAJOR if is_late else Severity.MINOR if clock is not None else Severity.INFO,
        opened_at=opened_at,
        closed_at=ends,
        evidence=_evidence(case.facts, clock, ends, limits),
        parameters=msgspec.to_builtins(limits),
        terms_revision=terms.revision,
    )


def _clock(facts: Facts, limits: EnterFirstLimits) -> _Clock | None:
    """The period, from the earliest conveyance; of several words about one voyage the last holds."""
    said = {
        d.body.voyage or d.number: d
        for d in sorted(facts.documents, key=lambda d: d.entry)
        if isinstance(d.body, Conveyance)
    }
    if not said:
        return None
    conveyance = min(said.values(), key=lambda d: (d.time, d.entry))
    arrived = local_date(conveyance.time, limits.time_zone)
    day_zero = arrived - timedelta(days=1) if limits.count_arrival_day else arrived
    last_day = day_zero + timedelta(days=limits.limit_days)
    if limits.holiday_roll:
        last_day = rolled(last_day, limits.holidays, limits.workdays)
    is_late = midnight(last_day + timedelta(days=1), limits.time_zone)
    warns = midnight(day_zero + timedelta(days=limits.warn_days), limits.time_zone)
    return _Clock(conveyance, last_day, min(warns, is_late), is_late)


def _regime(facts: Facts) -> Interval | None:
    """From the first pass to enter first, until the last of them is deleted or void."""
    passes = _passes(facts)
    if not passes:
        return None
    ended = {
        d.number: d.time
        for d in facts.documents
        if isinstance(d.body, PassMoved) and d.body.state in {PassState.DELETED, PassState.VOID}
    }
    ends = [ended.get(held.number) for held in passes]
    known = [end for end in ends if end is not None]
    return (passes[0].time, max(known) if len(known) == len(ends) else None)


def _passes(facts: Facts) -> list[Document]:
    return [
        d
        for d in facts.documents
        if isinstance(d.body, GatePass)
        and d.body.type is PassType.ENTER_FIRST
        and d.body.direction is Direction.IN
    ]


def _ends(facts: Facts, regime: Interval) -> datetime | None:
    declared = _declared(facts)
    return earlier(declared.time if declared is not None else None, regime[1])


def _declared(facts: Facts) -> Document | None:
    return next((d for d in facts.documents if isinstance(d.body, Declaration)), None)


def _evidence(
    facts: Facts, clock: _Clock | None, ends: datetime | None, limits: EnterFirstLimits
) -> tuple[Evidence, ...]:
    found: list[Evidence] = []
    if clock is None:
        found.append({"missing": "conveyance"})
    else:
        period: dict[str, object] = {"last_day": clock.last_day.isoformat()}
        if ends is not None:
            days_late = (local_date(ends, limits.time_zone) - clock.last_day).days
            period["days_late"] = max(days_late, 0)
        found += [period, cite_document(clock.conveyance)]
    found += [cite_document(held) for held in _passes(facts)]
    place = last_place(facts, ends)
    if place is not None:
        found.append(cite_report(place))
    declared = _declared(facts)
    if declared is not None:
        found.append(cite_document(declared))
    return tuple(found)
