"""B5, B6, B7 and A7: the pass itself, used twice, never, not by all of its vehicles, or by halves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from tracking.domain.custody import objections
from tracking.domain.custody.case import Case
from tracking.domain.custody.complaints import passing_in_order, told
from tracking.domain.custody.documents import Binding, PassState
from tracking.domain.custody.objections import cite_change
from tracking.domain.custody.passages import PassBook, PassLimits
from tracking.domain.custody.passes import DEAD, USED, Change, Pass
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.verdicts import (
    Evidence,
    Outcome,
    Severity,
    Verdict,
    cite_document,
)

L = TypeVar("L", bound=PassLimits)


class UnusedLimits(PassLimits, frozen=True):
    """Parameters of ``pass_expired_unused``.

    Attributes:
        valid_h: hours that an approved pass may wait for its vehicle.
    """

    valid_h: Annotated[float, Meta(gt=0)] = 24.0


class CompleteLimits(PassLimits, frozen=True):
    """Parameters of ``multi_truck_incomplete``.

    Attributes:
        complete_within_h: hours from the first vehicle of a bill to the last.
    """

    complete_within_h: Annotated[float, Meta(gt=0)] = 48.0


class BetweenLimits(PassLimits, frozen=True):
    """Parameters of ``two_gate_sequence``.

    Attributes:
        max_between_min: minutes from the first gate to the second.
    """

    max_between_min: Annotated[float, Meta(gt=0)] = 120.0


class _Wait(Struct, frozen=True):
    """Something is expected of passes until a moment; ``ends``: when it came; None: not yet."""

    cause: str
    due: datetime
    ends: datetime | None
    evidence: tuple[Evidence, ...]


@rule(number="B5", code="pass_reused", severity=Severity.CRITICAL, limits=PassLimits)
def pass_reused(case: Case, limits: PassLimits) -> Iterator[Verdict]:
    """A vehicle comes with a pass that was used already (核放单重复使用).

    Opens at the gate's report of the second use. Closes when the goods next pass a gate of the zone on a good
    pass, or when an officer lets them through.

    Must not fire for the second of two gates where the pass is for two; for another vehicle's try, which is
    ``wrong_vehicle_at_gate``; for a vehicle that stands in its lane and is read again within a minute; for
    what a device sends twice; nor where others' word of the passage precedes the gate's report of it.

    Args:
        case: the shipment as of the watermark.
        limits: ``min_ocr_conf`` and ``early_tolerance_min`` as in ``wrong_vehicle_at_gate`` and
            ``pass_missing_or_not_approved``, set alike.

    Evidence: the gate's report; the pass; the report or the word of its first use.
    Source: pass states 2 and 4 of the bonded-zone system: passed. The minute is ours.
    """
    passes = case.book(limits)
    settles = passing_in_order(passes)
    yield from told(case, passes.passages, objections.used_again, settles, limits)


def unused_due(case: Case, limits: UnusedLimits) -> datetime | None:
    """When the next approved pass has waited long enough."""
    return _next(case, _unused(case.book(limits), limits))


@rule(number="B6", code="pass_expired_unused", severity=Severity.MINOR, limits=UnusedLimits, due=unused_due)
def pass_expired_unused(case: Case, limits: UnusedLimits) -> Iterator[Verdict]:
    """An approved pass was not used in time; ask to have it made void (核放单逾期未过卡).

    Opens ``valid_h`` after the approval. Closes when the pass is used, deleted, void, or applied for anew.

    Must not fire for passes that are not approved; nor for one that a gate refused to another vehicle and
    that its own vehicle uses in time.

    Args:
        case: the shipment as of the watermark.
        limits: ``valid_h``, hours, default 24; ``min_ocr_conf`` and ``early_tolerance_min`` as in
            ``wrong_vehicle_at_gate`` and ``pass_missing_or_not_approved``, set alike.

    Evidence: the pass and its approval.
    Source: rule B6 of our catalogue; the hours are ours, parks differ.
    """
    yield from _overdue(case, "pass_expired_unused", Severity.MINOR, _unused, limits)


def complete_due(case: Case, limits: CompleteLimits) -> datetime | None:
    """When the next bill's vehicles should all be through."""
    return _next(case, _incomplete(case.book(limits), limits))


@rule(
    number="B7",
    code="multi_truck_incomplete",
    severity=Severity.MAJOR,
    limits=CompleteLimits,
    due=complete_due,
)
def multi_truck_incomplete(case: Case, limits: CompleteLimits) -> Iterator[Verdict]:
    """A bill goes on several vehicles, and not all of them passed in time (一票多车未齐).

    Opens ``complete_within_h`` after the first of the passes that relate to one bill was used. Closes when
    the last of them is used, deleted or void.

    Must not fire before the first vehicle has passed; for passes of other bindings; nor for passes that are
    deleted or void.

    Args:
        case: the shipment as of the watermark.
        limits: ``complete_within_h``, hours, default 48; ``min_ocr_conf`` and ``early_tolerance_min`` as in
            ``wrong_vehicle_at_gate`` and ``pass_missing_or_not_approved``, set alike.

    Evidence: the first use; the passes that are missing.
    Source: a list is deducted when the declaration is released and all goods have passed the gate
    (bindTypecd 3). The hours are ours.
    """
    yield from _overdue(case, "multi_truck_incomplete", Severity.MAJOR, _incomplete, limits)


def between_due(case: Case, limits: BetweenLimits) -> datetime | None:
    """When the next vehicle between two gates should have passed the second."""
    return _next(case, _between(case.book(limits), limits))


@rule(number="A7", code="two_gate_sequence", severity=Severity.MAJOR, limits=BetweenLimits, due=between_due)
def two_gate_sequence(case: Case, limits: BetweenLimits) -> Iterator[Verdict]:
    """A vehicle passed the first of two gates and not the second (双卡口未过二卡).

    Opens ``max_between_min`` after the first gate. Closes at the second, or when the pass is void.

    Must not fire for passes for one gate; nor for the vehicle's repeated reading at the first.

    Args:
        case: the shipment as of the watermark.
        limits: ``max_between_min``, minutes, default 120; ``min_ocr_conf`` and ``early_tolerance_min`` as in
            ``wrong_vehicle_at_gate`` and ``pass_missing_or_not_approved``, set alike.

    Evidence: the pass; the report of the first gate, and of the second.
    Source: pass states 3 and 4 of the bonded-zone system. The minutes are ours.
    """
    yield from _overdue(case, "two_gate_sequence", Severity.MAJOR, _between, limits)


def _unused(passes: PassBook, limits: UnusedLimits) -> Iterator[_Wait]:
    for paper in passes.passes.values():
        for change, ended in _in_state(paper, PassState.APPROVED):
            due = change.time + timedelta(hours=limits.valid_h)
            yield _Wait(paper.number, due, ended, (cite_document(paper.paper), cite_change(change)))


def _incomplete(passes: PassBook, limits: CompleteLimits) -> Iterator[_Wait]:
    """The passes of every bill that goes on several vehicles, from the first that was used."""
    bound = [p for p in passes.passes.values() if p.body.binding is Binding.ONE_BILL_MANY_VEHICLES]
    for bill in sorted({number for paper in bound for number in paper.body.relates}):
        group = [paper for paper in bound if bill in paper.body.relates]
        uses = [change for paper in group for change in paper.changes if change.state in USED]
        if not uses:
            continue
        first = min(uses, key=lambda change: change.time)
        settled = [_settled(paper) for paper in group]
        ended = None if None in settled else max(moment for moment in settled if moment is not None)
        missing = [cite_document(p.paper) for p, moment in zip(group, settled, strict=True) if moment is None]
        due = first.time + timedelta(hours=limits.complete_within_h)
        yield _Wait(bill, due, ended, (cite_change(first), *missing))


def _between(passes: PassBook, limits: BetweenLimits) -> Iterator[_Wait]:
    for paper in passes.passes.values():
        for change, ended in _in_state(paper, PassState.FIRST_GATE):
            due = change.time + timedelta(minutes=limits.max_between_min)
            after = [cite_change(later) for later in paper.changes if later.time == ended]
            yield _Wait(paper.number, due, ended, (cite_document(paper.paper), cite_change(change), *after))


def _in_state(paper: Pass, state: PassState) -> Iterator[tuple[Change, datetime | None]]:
    """Each time a pass was in a state, and until when."""
    for at, change in enumerate(paper.changes):
        if change.state is state:
            later = paper.changes[at + 1 :]
            yield change, later[0].time if later else None


def _settled(paper: Pass) -> datetime | None:
    """When nothing more was expected of a pass."""
    return next((change.time for change in paper.changes if change.state in USED | DEAD), None)


def _next(case: Case, waits: Iterator[_Wait]) -> datetime | None:
    moments = [w.due for w in waits if w.due > case.until and (w.ends is None or w.due < w.ends)]
    return min(moments, default=None)


def _overdue(
    case: Case, code: str, severity: Severity, waits: Callable[[PassBook, L], Iterator[_Wait]], limits: L
) -> Iterator[Verdict]:
    """What was expected and did not come in time."""
    for wait in waits(case.book(limits), limits):
        terms = case.facts.terms_at(wait.due)
        if wait.due > case.until or terms is None or (wait.ends is not None and wait.ends <= wait.due):
            continue
        yield Verdict(
            rule=code,
            cause=wait.cause,
            outcome=Outcome.FINDING,
            severity=severity,
            opened_at=wait.due,
            closed_at=wait.ends,
            evidence=wait.evidence,
            parameters=msgspec.to_builtins(limits),
            terms_revision=terms.revision,
        )
