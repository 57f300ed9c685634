"""Rules about the seal on the goods: whole, the same everywhere, and there at departure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from devices.identifiers import container_warning
from devices.observation import Gate, SealState
from tracking.domain.custody.case import Case
from tracking.domain.custody.intervals import earlier, overlap
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.seals import Mark, Reading, Worn, cite_source
from tracking.domain.custody.terms import NO_SEAL
from tracking.domain.custody.unlocking import DESTINATION, is_ordered, orders
from tracking.domain.custody.verdicts import (
    Evidence,
    Outcome,
    Severity,
    Verdict,
    cite_document,
    cite_report,
)
from tracking.domain.custody.whereabouts import zones_at

Minutes = Annotated[float, Meta(ge=0, le=525_600)]


class BreakLimits(Struct, frozen=True):
    """Parameters of ``seal_broken_in_transit``.

    Attributes:
        allowed_zones: where an order lets a seal be opened: kinds of zones, codes of zones, and
            ``destination`` for the zones in which the terms' moves end.
        order_window_min: minutes from the order within which the seal may be opened.
    """

    allowed_zones: tuple[str, ...] = (DESTINATION, "inspection")
    order_window_min: Minutes = 30


@rule(number="C1", code="seal_broken_in_transit", severity=Severity.CRITICAL, limits=BreakLimits)
def seal_broken_in_transit(case: Case, limits: BreakLimits) -> Iterator[Verdict]:
    """A seal was opened, cut or tampered with where or when it might not be (途中关锁非法开启).

    Opens at the first word of a locked seal, its own or a reader's, that it is unlocked, cut or tampered
    with, while a leg runs. It might be when customs ordered it: at most ``order_window_min`` before, for that
    seal or whichever is on, and with the goods in the order's zone, or in a zone within it, and that in one
    of ``allowed_zones``. What is said again, or worse, before the seal is locked again belongs to the same
    finding. Closes when the seal is locked again, when a re-seal is recorded in its place, or when no leg
    runs any more.

    Undetermined when an order was given in time but no device on the goods then had told of any place, or all
    that had were silent: for five of their intervals, as the track tells it, or until that very word.

    Must not fire for a seal that says it is unlocked and was never locked; nor for a seal that was replaced;
    nor for anything said of it after it was opened under an order, until it is locked again; nor on a leg
    whose terms allow no seal; nor for silence, which is rule C4, nor for light behind a seal that says it is
    locked, which is rule C6.

    Args:
        case: the shipment as of the watermark.
        limits: ``allowed_zones``, default destination and inspection; ``order_window_min``, minutes, default
            30.

    Evidence: what was said of the seal, each state once; where the goods were; the seal's last order.
    Source: Customs Law, article 37: goods under supervision may not be opened, delivered or swapped, and the
    seals on them are kept whole; unlock orders to e-seals (施解封指令). The minutes are ours.
    """
    for worn in case.seals.worn:
        for marks, ended in worn.openings():
            found = _broken(case, worn, marks, limits)
            if found is None:
                continue
            outcome, told = found
            opened_at = told[0].time
            during = next(
                (
                    overlap(span, (opened_at, ended))
                    for span in case.legs.running()
                    if _holds(span, opened_at)
                ),
                None,
            )
            terms = case.facts.terms_at(opened_at)
            if during is None or terms is None:
                continue
            zones = zones_at(case.facts, opened_at)
            last = orders(case, worn, opened_at)[-1:]
            yield Verdict(
                rule="seal_broken_in_transit",
                cause=worn.seal,
                outcome=outcome,
                severity=Severity.CRITICAL if outcome is Outcome.FINDING else Severity.INFO,
                opened_at=opened_at,
                closed_at=during[1],
                evidence=(
                    *(cite_source(mark.told) for mark in told),
                    {"place": sorted(zones)} if zones is not None else {"missing": "place"},
                    *(cite_document(order) for order in last),
                ),
                parameters=msgspec.to_builtins(limits),
                terms_revision=terms.revision,
            )


def _holds(interval: tuple[datetime, datetime | None], moment: datetime) -> bool:
    return interval[0] <= moment and (interval[1] is None or moment < interval[1])


def _broken(
    case: Case, worn: Worn, marks: tuple[Mark, ...], limits: BreakLimits
) -> tuple[Outcome, tuple[Mark, ...]] | None:
    """From which word on an opening is a break; None: it is none."""
    for place, mark in enumerate(marks):
        span = case.legs.at(mark.time)
        if span is None or span.leg.seal == NO_SEAL or not worn.covers(mark.time):
            continue
        window = timedelta(minutes=limits.order_window_min)
        was_ordered = is_ordered(case, worn, mark.time, window, limits.allowed_zones)
        if was_ordered:
            return None
        return (Outcome.FINDING if was_ordered is False else Outcome.UNDETERMINED), marks[place:]
    return None


class NumberLimits(Struct, frozen=True):
    """Parameters of ``seal_id_changed``.

    Attributes:
        arrival_min: minutes after the last leg's end within which a gate still tells of the arrival.
    """

    arrival_min: Minutes = 10


@rule(number="C2", code="seal_id_changed", severity=Severity.CRITICAL, limits=NumberLimits)
def seal_id_changed(case: Case, limits: NumberLimits) -> Iterator[Verdict]:
    """A gate or reader met another seal than the one that is on the goods (关锁号不一致).

    Which seal should be on is what its own device, the first gate or reader, or a recorded re-seal told;
    before anybody has, the number that the terms name. Opens at the reading that meets a number not known to
    be on the goods and misses one that is; one finding for the missing seal, however often it is missed.
    Closes when that seal is read again, when a re-seal is recorded in its place, or when no leg runs any
    more and ``arrival_min`` have passed.

    Undetermined when the gate read a container of others beside ours: the strange seal may be on that.

    Must not fire after a re-seal that was recorded, for the new number; nor for a gate that read no seals,
    because a gate without a reader says the same; nor for a seal that was only missed, with no other in its
    place; nor for seals of others on the same vehicle while ours is read; nor outside the legs; nor on the
    last leg for a seal that has been opened.

    Args:
        case: the shipment as of the watermark.
        limits: ``arrival_min``, minutes, default 10.

    Evidence: what put the expected seal on the goods; the readings that met another.
    Source: continuity of seal numbers catches swaps without opening boxes (practice of seal makers and
    customs). The minutes are ours.
    """
    seals = case.seals
    for worn in seals.worn:
        missed: list[Reading] = []
        for reading in (*seals.readings, None):
            if reading is not None:
                if worn.seal not in reading.expected or not worn.covers(reading.report.time):
                    continue
                if worn.seal in reading.missing:
                    if reading.foreign and _is_compared(case, worn, reading.report.time, limits):
                        missed.append(reading)
                    continue
            if missed:
                ended = reading.report.time if reading is not None else worn.ends
                yield from _changed(case, worn, missed, ended, limits)
            missed = []


def _changed(
    case: Case, worn: Worn, missed: list[Reading], ended: datetime | None, limits: NumberLimits
) -> Iterator[Verdict]:
    """A finding from the first reading that is sure; undetermined from the first, until then."""
    sure = next((place for place, reading in enumerate(missed) if not _others_aboard(case, reading)), None)
    parts = [(Outcome.FINDING, missed[sure:], ended)] if sure is not None else []
    if sure != 0:
        until = missed[sure].report.time if sure is not None else ended
        parts.insert(0, (Outcome.UNDETERMINED, missed[:sure], until))
    put_on = [cite_source(mark.told) for mark in worn.marks[:1]] or [_named(worn)]
    for outcome, readings, until in parts:
        opened_at = readings[0].report.time
        terms = case.facts.terms_at(opened_at)
        assert terms is not None
        yield Verdict(
            rule="seal_id_changed",
            cause=worn.seal,
            outcome=outcome,
            severity=Severity.CRITICAL if outcome is Outcome.FINDING else Severity.INFO,
            opened_at=opened_at,
            closed_at=earlier(until, _way_ends(case, opened_at, limits)),
            evidence=(
                {"expected": worn.seal, "read": sorted(readings[0].read)},
                *put_on,
                *(cite_report(reading.report) for reading in readings),
            ),
            parameters=msgspec.to_builtins(limits),
            terms_revision=terms.revision,
        )


def _named(worn: Worn) -> Evidence:
    return {"terms": worn.seal, "since": worn.begins.isoformat()}


def _others_aboard(case: Case, reading: Reading) -> bool:
    """Whether the gate read one of our containers and beside it one that isn't ours."""
    fact = reading.report.fact
    read = set(fact.containers) if isinstance(fact, Gate) else set()
    ours = {aboard.label for aboard in case.facts.aboard}
    return bool(read & ours) and any(container_warning(number) is None for number in read - ours)


def _is_done(case: Case, worn: Worn, moment: datetime) -> bool:
    """Whether it was opened where the terms end."""
    marks = [mark for mark in worn.marks if mark.time <= moment]
    terms = case.facts.terms_at(moment)
    span = case.legs.at(marks[-1].time) if marks and marks[-1].state is SealState.UNLOCKED else None
    return terms is not None and span is not None and span.index == len(terms.terms.legs) - 1


def _is_compared(case: Case, worn: Worn, moment: datetime, limits: NumberLimits) -> bool:
    """Whether the goods are on their way, or arriving, and the seal's work isn't done."""
    if _is_done(case, worn, moment):
        return False
    late = timedelta(minutes=limits.arrival_min)
    return any(
        begins <= moment and (ends is None or moment < ends + late) for begins, ends in case.legs.running()
    )


def _way_ends(case: Case, moment: datetime, limits: NumberLimits) -> datetime | None:
    """When the legs that run at a moment are over for the gates, too."""
    late = timedelta(minutes=limits.arrival_min)
    ends = [end for begins, end in case.legs.running() if begins <= moment]
    return ends[-1] + late if ends and ends[-1] is not None else None
