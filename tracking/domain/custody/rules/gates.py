"""B1, B2, B3 and B8: a vehicle at a gate, and the pass that should be there for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from devices.observation import Direction
from tracking.domain.custody import objections
from tracking.domain.custody.borders import Border, blind, borders, cite_gate, near
from tracking.domain.custody.case import Case
from tracking.domain.custody.complaints import passing_in_order, told, uses_of_its_pass
from tracking.domain.custody.gatehouse import CONTROLLED_KINDS, Sight, Watching
from tracking.domain.custody.passages import PassBook, PassLimits
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict, cite


class MissingLimits(PassLimits, frozen=True):
    """Parameters of ``pass_missing_or_not_approved``.

    Attributes:
        zone_kinds: kinds of zones that are entered and left with a gate pass.
        gate_match_window_min: minutes between the crossing of the border and the gate's report of it.
        offline_wait_h: hours that a gate which was offline may take to send what it stored.
    """

    zone_kinds: tuple[str, ...] = CONTROLLED_KINDS
    gate_match_window_min: Annotated[float, Meta(ge=0)] = 10.0
    offline_wait_h: Annotated[float, Meta(ge=0)] = 6.0


def unseen_entry_due(case: Case, limits: MissingLimits) -> datetime | None:
    """When an entry that an offline gate may have seen is waited for no more."""
    passes = case.book(limits)
    moments = [border.time + _wait(limits) for border, _ in _unseen(case, passes, limits)]
    return min((moment for moment in moments if moment > case.until), default=None)


@rule(
    number="B1",
    code="pass_missing_or_not_approved",
    severity=Severity.CRITICAL,
    limits=MissingLimits,
    due=unseen_entry_due,
)
def pass_missing_or_not_approved(case: Case, limits: MissingLimits) -> Iterator[Verdict]:
    """A vehicle with the goods is at a gate, and no approved pass permits it (无有效核放单过卡).

    Opens at the gate's report: there is no pass for vehicle, zone and direction, or only one that is applied
    for, deleted or void, or one for another zone or the other direction is shown. Reports of one vehicle that
    tries again are one finding. Closes when the goods next pass a gate of the zone on a good pass, or when
    an officer lets them through.

    Undetermined, from the moment the goods entered, while no gate reported it and one that leads in was
    offline then; until its backlog comes, for at most ``offline_wait_h``.

    Must not fire at gates of zones of other kinds; for a pass whose declaration is still to come (type 1,
    先入区后报关, needs none at the gate); for vehicles that had unloaded the goods before; nor where a
    pass is there but another vehicle, container or a second use speaks against it, which are rules of their
    own.

    Args:
        case: the shipment as of the watermark.
        limits: ``zone_kinds``, default cbz; ``early_tolerance_min``, minutes that a vehicle may come before
            its pass is approved, default 0; ``min_ocr_conf`` as in ``wrong_vehicle_at_gate``, set alike;
            ``gate_match_window_min``, minutes, default 10; ``offline_wait_h``, hours, default 6.

    Evidence: the gate's report; the pass that it tried; officers' words; the gates' silences.
    Source: pass states (stucd) of the bonded-zone system; only 1, approved, opens a gate, or 3, past the
    first of two. The kinds of zones, minutes and hours are ours.
    """
    passes = case.book(limits)
    yield from told(
        case,
        passes.passages,
        lambda passage: objections.without_pass(passage, limits.zone_kinds),
        passing_in_order(passes),
        limits,
    )
    for border, gates in _unseen(case, passes, limits):
        terms = case.facts.terms_at(border.time)
        if terms is None:
            continue
        waited = border.time + _wait(limits)
        yield Verdict(
            rule="pass_missing_or_not_approved",
            cause=border.zone,
            outcome=Outcome.UNDETERMINED,
            severity=Severity.INFO,
            opened_at=border.time,
            closed_at=waited if waited <= case.until else None,
            evidence=(cite(border.carriage.device, border.milestone), *map(cite_gate, gates)),
            parameters=msgspec.to_builtins(limits),
            terms_revision=terms.revision,
        )


@rule(number="B2", code="wrong_vehicle_at_gate", severity=Severity.CRITICAL, limits=PassLimits)
def wrong_vehicle_at_gate(case: Case, limits: PassLimits) -> Iterator[Verdict]:
    """Another vehicle came with the pass than the one on it (车牌与核放单不符).

    Opens at the gate's report: the plate that the camera is sure of is not the pass's. The pass is not used
    by it. Closes when the pass's own vehicle uses it, or when an officer lets this one through.

    Undetermined, and a person is asked to look at the picture, where the camera read a look-alike (0 for D or
    O, 8 for B, 1 for T or I, 5 for S, 2 for Z), was less sure than ``min_ocr_conf``, or read nothing; closes
    when an officer has said which plate it is.

    Must not fire for plates that differ in look-alikes alone; for the trailer's plate, only the tractor's
    counts; nor for a pass that is not for this zone.

    Args:
        case: the shipment as of the watermark.
        limits: ``min_ocr_conf``, 0 to 1, default 0.9, a camera that states none is sure;
            ``early_tolerance_min`` as in ``pass_missing_or_not_approved``, set alike.

    Evidence: the gate's report with its picture; the pass; the officer's word.
    Source: the pass names the vehicle (vehicleNo). Confidence and table are ours.
    """
    passes = case.book(limits)
    settles = uses_of_its_pass(passes)
    yield from told(case, passes.passages, objections.wrong_vehicle, settles, limits)


@rule(number="B3", code="wrong_container_at_gate", severity=Severity.CRITICAL, limits=PassLimits)
def wrong_container_at_gate(case: Case, limits: PassLimits) -> Iterator[Verdict]:
    """Another container is at the gate than those on the pass, or its number can't be right (箱号不符).

    Opens at the gate's report: critical for a good number that is not on the pass, which it does not use
    then; minor for a number whose check digit fails. Closes when the pass is used, or when an officer lets
    the vehicle through.

    Undetermined where some containers of the pass were read and others not.

    Must not fire where the gate read no container at all, because many don't; where the pass names none; nor
    for the order of the numbers, front and rear.

    Args:
        case: the shipment as of the watermark.
        limits: ``min_ocr_conf`` and ``early_tolerance_min`` as in ``wrong_vehicle_at_gate`` and
            ``pass_missing_or_not_approved``, set alike.

    Evidence: the gate's report; the pass.
    Source: ISO 6346 check digit; gate platforms report front and rear numbers (CONTA_ID_F, CONTA_ID_B).
    """
    passes = case.book(limits)
    settles = uses_of_its_pass(passes)
    yield from told(case, passes.passages, objections.wrong_container, settles, limits)


@rule(number="B8", code="direction_mismatch", severity=Severity.MAJOR, limits=PassLimits)
def direction_mismatch(case: Case, limits: PassLimits) -> Iterator[Verdict]:
    """The pass is for the other direction than the lane, or the gate is built for the other (进出标志不符).

    Opens at the gate's report. Closes when the goods next pass a gate of the zone on a good pass, or when an
    officer lets them through. Without a pass for the direction it stands beside
    ``pass_missing_or_not_approved``.

    Must not fire where the report names no pass and one for its direction fits; nor at gates that are built
    for both directions.

    Args:
        case: the shipment as of the watermark.
        limits: ``min_ocr_conf`` and ``early_tolerance_min`` as in ``wrong_vehicle_at_gate`` and
            ``pass_missing_or_not_approved``, set alike.

    Evidence: the gate's report; the pass.
    Source: I/E flag of the pass (ioTypecd) and of the lane (I_E_TYPE).
    """
    passes = case.book(limits)
    settles = passing_in_order(passes)
    yield from told(case, passes.passages, objections.wrong_direction, settles, limits)


def _wait(limits: MissingLimits) -> timedelta:
    return timedelta(hours=limits.offline_wait_h)


def _unseen(case: Case, passes: PassBook, limits: MissingLimits) -> Iterator[tuple[Border, list[Watching]]]:
    """Entries that no gate reported, while one that could have was offline."""
    for border in borders(case, limits.zone_kinds):
        if border.direction is not Direction.IN or border.time > case.until:
            continue
        if near(passes, border, limits.gate_match_window_min):
            continue
        offline = [gate for gate in blind(case, border) if gate.sight is Sight.OFFLINE]
        if offline:
            yield border, offline
