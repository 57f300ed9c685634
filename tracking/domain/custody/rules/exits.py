"""A5: the goods left a zone that needs a pass, and no gate saw one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from devices.observation import Direction
from tracking.domain.custody.borders import (
    Border,
    blind,
    borders,
    cite_gate,
    has_gates,
    is_told_of,
    near,
)
from tracking.domain.custody.case import Case
from tracking.domain.custody.gatehouse import CONTROLLED_KINDS, next_word
from tracking.domain.custody.passages import Passage, PassBook, PassLimits, Refusal
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, Verdict, cite, cite_report


class ExitLimits(PassLimits, frozen=True):
    """Parameters of ``zone_exit_without_release``.

    Attributes:
        zone_kinds: kinds of zones that are left with a gate pass.
        gate_match_window_min: minutes between the crossing of the border and the gate's report of it.
        offline_wait_h: hours that a gate which was offline may take to send what it stored.
    """

    zone_kinds: tuple[str, ...] = CONTROLLED_KINDS
    gate_match_window_min: Annotated[float, Meta(ge=0)] = 10.0
    offline_wait_h: Annotated[float, Meta(ge=0)] = 6.0


class _Exit(Struct, frozen=True):
    """What is known of one exit: nothing against it, a breach, or what is missing."""

    outcome: Outcome | None
    evidence: tuple[Evidence, ...] = ()


def exit_due(case: Case, limits: ExitLimits) -> datetime | None:
    """When the road is emptied as far as an exit, when a gate owes word of it, when the wait is over."""
    passes = case.book(limits)
    moments: list[datetime] = []
    for border in _exits(case, limits):
        if border.time > case.until:
            moments.append(border.time)
        elif _judged(case, passes, border, limits).outcome is Outcome.UNDETERMINED:
            moments.append(border.time + timedelta(hours=limits.offline_wait_h))
            moments += [look for gate in blind(case, border) if (look := next_word(gate, case.until))]
    return min((moment for moment in moments if moment > case.until), default=None)


@rule(
    number="A5",
    code="zone_exit_without_release",
    severity=Severity.CRITICAL,
    limits=ExitLimits,
    due=exit_due,
)
def zone_exit_without_release(case: Case, limits: ExitLimits) -> Iterator[Verdict]:
    """The goods left a zone, and no gate let them out on a pass (未放行出区).

    Opens at the first fix outside, once enough of them in a row have confirmed the exit and the road has
    been emptied as far: no gate of the zone reported them out, on a pass that it used, within
    ``gate_match_window_min`` of it. Closes when they are in a zone of these kinds again. The terms need not
    ask for it: whoever leaves such a zone needs a pass; ``needs_release`` is asked at the gate.

    Undetermined while a gate that leads out was offline then, or has not spoken since, until its backlog
    comes or ``offline_wait_h`` are over; while an officer has yet to say which plate the picture shows; where
    no gate of the zone reports to us at all; and while the fixes outside lie just where another datum would
    put a vehicle that stands.

    Must not fire where an officer let the vehicle through, or others say that the pass was used; nor for a
    zone of other kinds, a port's or an airport's, which is left without a pass; nor for drift at the border:
    whether the goods are outside is the track's verdict, with buffer, accuracy and debounce.

    Args:
        case: the shipment as of the watermark.
        limits: ``zone_kinds``, default cbz; ``gate_match_window_min``, minutes, default 10;
            ``offline_wait_h``, hours, default 6; ``min_ocr_conf`` and ``early_tolerance_min`` as in
            ``wrong_vehicle_at_gate`` and ``pass_missing_or_not_approved``, set alike.

    Evidence: the milestone ``left``; the gate's reports of the vehicle; the silences of the gates.
    Source: closed management of customs special supervision areas (State Council decree 256, article 3); pass
    states 2, 3 and 4 as in the bonded-zone system. Minutes and hours are ours.
    """
    passes = case.book(limits)
    for border in _exits(case, limits):
        found = _judged(case, passes, border, limits)
        if found.outcome is not None and border.time <= case.until:
            cited = (cite(border.carriage.device, border.milestone), *found.evidence)
            yield from _verdict(case, limits, border.zone, (border.time, border.back), found.outcome, cited)
    yield from _in_doubt(case, limits)


def _exits(case: Case, limits: ExitLimits) -> list[Border]:
    return [border for border in borders(case, limits.zone_kinds) if border.direction is Direction.OUT]


def _judged(case: Case, passes: PassBook, border: Border, limits: ExitLimits) -> _Exit:
    """Seen with a pass, seen without one, or not seen: by gates that could see, or could not."""
    seen = near(passes, border, limits.gate_match_window_min)
    was_let_out = any(passage.used_at or passage.let_through for passage in seen)
    if was_let_out or is_told_of(passes, border, limits.gate_match_window_min):
        return _Exit(None)
    reports = tuple(cite_report(read) for passage in seen for read in passage.reads)
    if any(_awaits_a_look(passage) for passage in seen):
        return _Exit(Outcome.UNDETERMINED, (*reports, {"missing": "plate_confirmed"}))
    if seen:
        return _Exit(Outcome.FINDING, reports)
    if not has_gates(case, border):
        return _Exit(Outcome.UNDETERMINED, ({"missing": "gates", "area": border.zone},))
    unheard = tuple(cite_gate(gate) for gate in blind(case, border))
    is_waited_for = case.until < border.time + timedelta(hours=limits.offline_wait_h)
    if unheard and is_waited_for:
        return _Exit(Outcome.UNDETERMINED, unheard)
    return _Exit(Outcome.FINDING, unheard)


def _awaits_a_look(passage: Passage) -> bool:
    return passage.refusals == {Refusal.DOUBTFUL_VEHICLE}


def _in_doubt(case: Case, limits: ExitLimits) -> Iterator[Verdict]:
    """Exits that only fixes in another datum tell of; where those are believed, the track tells ``left``."""
    for stretch in case.stretches:
        told = stretch.carriage.milestones
        for milestone in told:
            during = stretch.begins <= milestone.time and (
                stretch.ends is None or milestone.time < stretch.ends
            )
            if milestone.kind != "datum_undetermined" or not during:
                continue
            cleared = next((m for m in told if m.kind == "datum_cleared" and m.time > milestone.time), None)
            if cleared is not None and cleared.detail.get("believed"):
                continue
            cited = [cite(stretch.carriage.device, m) for m in (milestone, cleared) if m is not None]
            ends = cleared.time if cleared is not None else None
            for zone in milestone.detail.get("leaves", ()):
                area = case.facts.area_at(zone, milestone.time)
                if area is not None and area.kind in limits.zone_kinds:
                    span = (milestone.time, ends)
                    yield from _verdict(case, limits, zone, span, Outcome.UNDETERMINED, tuple(cited))


def _verdict(
    case: Case,
    limits: ExitLimits,
    zone: str,
    during: tuple[datetime, datetime | None],
    outcome: Outcome,
    evidence: tuple[Evidence, ...],
) -> Iterator[Verdict]:
    terms = case.facts.terms_at(during[0])
    if terms is None:
        return
    yield Verdict(
        rule="zone_exit_without_release",
        cause=zone,
        outcome=outcome,
        severity=Severity.CRITICAL if outcome is Outcome.FINDING else Severity.INFO,
        opened_at=during[0],
        closed_at=during[1],
        evidence=evidence,
        parameters=msgspec.to_builtins(limits),
        terms_revision=terms.revision,
    )
