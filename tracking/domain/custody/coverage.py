"""Custody coverage: for how much of a shipment's custody time it was measured, controlled and verifiable.

Custody time T runs from the first leg's begin to the last leg's end, or to the watermark. Of it is

measured    (可测) the time between consecutive observations of the speaking device that lie no further apart
            than the leg allows (``max_silence_s``, else five times the expected interval), with no sequence
            number missing between them; time since the newest observation is not measured yet
controlled  (可控) the time within a leg, with a known custodian, no finding of severity major or critical,
            and nothing undetermined
verifiable  (可验) the measured time that stands under a signed checkpoint, of legs that began, and when over
            ended, with a gate's word or a handover that both sides confirm

What is missing is listed with its reasons, each moment once: held and missing add up to T exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from devices.observation import Direction
from tracking.domain.custody.case import Case
from tracking.domain.custody.chain import has_witness
from tracking.domain.custody.course import Stretch
from tracking.domain.custody.custodians import custodians
from tracking.domain.custody.intervals import Interval, earlier, joined, overlap
from tracking.domain.custody.legs import LegState, Span, corridor_of
from tracking.domain.custody.rules.device import TRACK_FACTOR, silences
from tracking.domain.custody.shares import Coverage, LegCoverage, Reason, ShipmentCoverage, part
from tracking.domain.custody.terms import MoveLeg, zone_fields
from tracking.domain.custody.verdicts import Finding, Outcome, Severity

GRAVE: Final = frozenset({Severity.CRITICAL, Severity.MAJOR})


def coverage(case: Case, findings: Sequence[Finding], signed: Sequence[Interval]) -> ShipmentCoverage | None:
    """The numbers of a shipment; None before its first leg has begun.

    Args:
        case: the shipment as of the watermark.
        findings: of the same judging.
        signed: event times whose observations of this shipment's devices stand under a signed checkpoint.
    """
    whole = _custody_time(case)
    if whole is None:
        return None
    measured = list(_unmeasured(case, whole))
    controlled = list(_uncontrolled(case, whole, findings))
    verifiable = [*measured, *_unverified(case, whole, signed)]

    def covered(begins: datetime, ends: datetime) -> Coverage:
        parts = (part(begins, ends, reasons) for reasons in (measured, controlled, verifiable))
        return Coverage(begins, ends, *parts)

    legs = []
    for spans in _legs(case):
        during = overlap((spans[0].begins, spans[-1].ends), whole)
        if during is not None and during[1] is not None:
            leg = spans[-1].leg
            zones = tuple(code for _, codes in zone_fields(leg) for code in codes)
            legs.append(
                LegCoverage(
                    spans[-1].index,
                    leg.custodian,
                    corridor_of(spans[-1]),
                    zones,
                    covered(during[0], during[1]),
                )
            )
    return ShipmentCoverage(covered(*whole), tuple(legs))


def _custody_time(case: Case) -> tuple[datetime, datetime] | None:
    spans = case.legs.spans
    if not spans or spans[0].begins > case.until:
        return None
    ends = [case.until]
    if case.legs.state is LegState.OVER and spans[-1].ends is not None:
        ends.append(spans[-1].ends)
    if case.facts.closed_at is not None:
        ends.append(case.facts.closed_at)
    return (spans[0].begins, max(spans[0].begins, min(ends)))


def _legs(case: Case) -> Iterator[list[Span]]:
    """The spans of each leg."""
    for _, spans in groupby(case.legs.spans, key=lambda span: span.index):
        yield list(spans)


def _unmeasured(case: Case, whole: Interval) -> Iterator[Reason]:
    yield from _outside(whole, [(stretch.begins, stretch.ends) for stretch in case.stretches], "no_device")
    ran: list[tuple[Interval, int | None]] = [
        ((span.begins, span.ends), span.leg.max_silence_s) for span in case.legs.spans
    ]
    between = _uncovered(whole, [during for during, _ in ran])
    pieces = [*ran, *((during, None) for during in between)]
    for stretch in case.stretches:
        for during, allowed_s in pieces:
            shared = overlap(during, (stretch.begins, stretch.ends))
            if shared is not None:
                yield from _silent(stretch, shared, allowed_s, case.until)


def _silent(stretch: Stretch, during: Interval, allowed_s: int | None, until: datetime) -> Iterator[Reason]:
    """Where a device's observations lie too far apart, or some are missing."""
    carriage = stretch.carriage
    if carriage.last_heard is None:
        yield during, "never_heard"
        return
    limit = timedelta(seconds=allowed_s or TRACK_FACTOR * carriage.expected_every_s)
    for silence in silences(carriage):
        ends = silence.heard or earlier(until, stretch.ends) or until
        is_long = ends - silence.last_heard > limit
        if is_long or silence.heard is None:
            shared = overlap((silence.last_heard, silence.heard), during)
            if shared is not None:
                yield shared, "silent" if is_long else "not_heard_since"
    for numbers in carriage.missing:
        ordered = sorted((numbers.after, numbers.before))
        shared = overlap((ordered[0], ordered[1]), during)
        if shared is not None:
            yield shared, "sequence_gap"


def _uncontrolled(case: Case, whole: Interval, findings: Sequence[Finding]) -> Iterator[Reason]:
    yield from _outside(whole, [(span.begins, span.ends) for span in case.legs.spans], "between_legs")
    known = [(k.begins, k.ends) for k in custodians(case) if k.party is not None]
    yield from _outside(whole, known, "no_custodian")
    for finding in findings:
        verdict = finding.verdict
        during = (verdict.opened_at, verdict.closed_at)
        if verdict.outcome is Outcome.UNDETERMINED:
            yield during, f"undetermined {verdict.rule}"
        elif verdict.severity in GRAVE:
            yield during, verdict.rule


def _unverified(case: Case, whole: Interval, signed: Sequence[Interval]) -> Iterator[Reason]:
    yield from _outside(whole, signed, "unsigned")
    yield from _outside(whole, [(span.begins, span.ends) for span in case.legs.spans], "between_legs")
    for spans in _legs(case):
        first, last = spans[0], spans[-1]
        during = (first.begins, last.ends)
        if not _begins_with_witness(case, first):
            yield during, "begun_without_witness"
        is_over = last.ends is not None and (last.index < case.legs.index or case.legs.state is LegState.OVER)
        if is_over and not _ends_with_witness(case, last):
            yield during, "ended_without_witness"


def _begins_with_witness(case: Case, span: Span) -> bool:
    leg = span.leg
    if isinstance(leg, MoveLeg):
        return has_witness(case, Direction.OUT, leg.from_zones, span.begins)
    return has_witness(case, Direction.IN, leg.zones, span.begins)


def _ends_with_witness(case: Case, span: Span) -> bool:
    assert span.ends is not None
    leg = span.leg
    if isinstance(leg, MoveLeg):
        return has_witness(case, Direction.IN, leg.to_zones, span.ends)
    return has_witness(case, Direction.OUT, leg.zones, span.ends)


def _outside(whole: Interval, held: Sequence[Interval], why: str) -> Iterator[Reason]:
    """What of the custody time none of these cover."""
    for during in _uncovered(whole, held):
        yield during, why


def _uncovered(whole: Interval, held: Sequence[Interval]) -> Iterator[Interval]:
    since = whole[0]
    for begins, ends in joined(held):
        if begins > since:
            yield (since, earlier(begins, whole[1]))
        if ends is None:
            return
        since = max(since, ends)
    if whole[1] is None or since < whole[1]:
        yield (since, whole[1])
