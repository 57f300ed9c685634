"""A6 and B10: the lane that the goods took, and the picture that it left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from devices.observation import Gate
from tracking.domain.custody import objections
from tracking.domain.custody.borders import (
    Border,
    blind,
    borders,
    cite_gate,
    fix_gap,
    from_gates_m,
    near,
)
from tracking.domain.custody.case import Case
from tracking.domain.custody.complaints import passing_without, told
from tracking.domain.custody.gatehouse import CONTROLLED_KINDS, next_word
from tracking.domain.custody.passages import Passage, PassBook, PassLimits, gate_of
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict, cite, cite_report


class BypassLimits(PassLimits, frozen=True):
    """Parameters of ``gate_bypass``.

    Attributes:
        zone_kinds: kinds of zones whose border is crossed at gates.
        max_gate_m: metres from the nearest gate within which a crossing is at the gate.
        max_fix_gap_s: seconds between two fixes up to which the straight way between them is the way taken.
        gate_match_window_min: minutes between the crossing of the border and a gate's report of it.
        offline_wait_h: hours that a gate which was offline may take to send what it stored.
    """

    zone_kinds: tuple[str, ...] = CONTROLLED_KINDS
    max_gate_m: Annotated[float, Meta(ge=0)] = 150.0
    max_fix_gap_s: Annotated[float, Meta(gt=0)] = 60.0
    gate_match_window_min: Annotated[float, Meta(ge=0)] = 10.0
    offline_wait_h: Annotated[float, Meta(ge=0)] = 6.0


class VideoLimits(PassLimits, frozen=True):
    """Parameters of ``gate_without_video``.

    Attributes:
        window_s: seconds before and after within which a picture of the lane belongs to the passage.
    """

    window_s: Annotated[float, Meta(ge=0)] = 60.0


def bypass_due(case: Case, limits: BypassLimits) -> datetime | None:
    """When a gate owes word of a crossing far from it, and when the wait for that is over."""
    moments: list[datetime] = []
    for border in _far(case, case.book(limits), limits):
        moments += (border.time, border.time + timedelta(hours=limits.offline_wait_h))
        moments += [look for gate in blind(case, border) if (look := next_word(gate, case.until))]
    return min((moment for moment in moments if moment > case.until), default=None)


@rule(number="A6", code="gate_bypass", severity=Severity.CRITICAL, limits=BypassLimits, due=bypass_due)
def gate_bypass(case: Case, limits: BypassLimits) -> Iterator[Verdict]:
    """The goods took a lane for staff, or no gate at all (载货走非货运通道).

    Opens at the report of a gate whose lane is ``staff_no_goods``, or at the first fix beyond a zone's border
    that was crossed farther than ``max_gate_m`` from every gate. Closes at the next passage of the zone's
    gates through a lane for goods on a good pass, when an officer lets them through, or when the goods cross
    the border again.

    Undetermined while a gate of the zone that may have seen the crossing was offline then or has not spoken
    since, until its backlog comes or ``offline_wait_h`` are over.

    Must not fire where a gate reported the goods within ``gate_match_window_min`` of the crossing; where two
    fixes lie more than ``max_fix_gap_s`` apart, because the way between them may have led through a gate;
    where it isn't known where the gates are; nor within the fix's accuracy.

    Args:
        case: the shipment as of the watermark.
        limits: ``zone_kinds``, default cbz; ``max_gate_m``, metres, default 150; ``max_fix_gap_s``, seconds,
            default 60; ``gate_match_window_min``, minutes, default 10; ``offline_wait_h``, hours, default 6;
            ``min_ocr_conf`` and ``early_tolerance_min`` as in ``wrong_vehicle_at_gate`` and
            ``pass_missing_or_not_approved``, set alike.

    Evidence: the gate's report; or the milestone ``entered`` or ``left`` and how far the gates are.
    Source: goods vehicles and empty goods vehicles use goods lanes only (GACC announcement 2025 no. 19,
    section 1). Metres, seconds, minutes and hours are ours.
    """
    passes = case.book(limits)
    settles = passing_without(passes, objections.no_goods_lane, same_pass=False)
    yield from told(case, passes.passages, objections.no_goods_lane, settles, limits)
    for border in _far(case, passes, limits):
        terms = case.facts.terms_at(border.time)
        if terms is None or border.time > case.until:
            continue
        unheard = blind(case, border)
        is_waited_for = case.until < border.time + timedelta(hours=limits.offline_wait_h)
        outcome = Outcome.UNDETERMINED if unheard and is_waited_for else Outcome.FINDING
        distance: dict[str, object] = {"from_gates_m": round(from_gates_m(case.facts, border) or 0.0, 1)}
        cited = (cite(border.carriage.device, border.milestone), distance, *map(cite_gate, unheard))
        yield Verdict(
            rule="gate_bypass",
            cause=border.zone,
            outcome=outcome,
            severity=Severity.CRITICAL if outcome is Outcome.FINDING else Severity.INFO,
            opened_at=border.time,
            closed_at=border.back,
            evidence=cited,
            parameters=msgspec.to_builtins(limits),
            terms_revision=terms.revision,
        )


def video_due(case: Case, limits: VideoLimits) -> datetime | None:
    """When a picture is missing that may still come."""
    moments = (
        passage.time + timedelta(seconds=limits.window_s)
        for passage in case.book(limits).passages
        if not _has_picture(case, passage, limits)
    )
    return min((moment for moment in moments if moment > case.until), default=None)


@rule(number="B10", code="gate_without_video", severity=Severity.MINOR, limits=VideoLimits, due=video_due)
def gate_without_video(case: Case, limits: VideoLimits) -> Iterator[Verdict]:
    """A gate reported a vehicle with the goods and no picture of it (过卡无影像).

    Opens at the report, once ``window_s`` have passed without a picture from that lane. Closes after
    ``window_s``: what was not taken then is not taken any more.

    Must not fire where another report of the lane within ``window_s`` has a picture.

    Args:
        case: the shipment as of the watermark.
        limits: ``window_s``, seconds, default 60; ``min_ocr_conf`` and ``early_tolerance_min`` as in
            ``wrong_vehicle_at_gate`` and ``pass_missing_or_not_approved``, set alike.

    Evidence: the gate's reports.
    Source: rules for cameras at supervised places (GACC announcement of 2019-04-22, unverified here); the
    seconds are ours.
    """
    for passage in case.book(limits).passages:
        ends = passage.time + timedelta(seconds=limits.window_s)
        terms = case.facts.terms_at(passage.time)
        if ends > case.until or terms is None or _has_picture(case, passage, limits):
            continue
        yield Verdict(
            rule="gate_without_video",
            cause=passage.place.gate,
            outcome=Outcome.FINDING,
            severity=Severity.MINOR,
            opened_at=passage.time,
            closed_at=ends,
            evidence=tuple(cite_report(read) for read in passage.reads),
            parameters=msgspec.to_builtins(limits),
            terms_revision=terms.revision,
        )


def _far(case: Case, passes: PassBook, limits: BypassLimits) -> Iterator[Border]:
    """Crossings of a border that no gate reported, surely far from all of them."""
    for border in borders(case, limits.zone_kinds):
        gap, distance = fix_gap(border), from_gates_m(case.facts, border)
        if gap is None or gap > timedelta(seconds=limits.max_fix_gap_s):
            continue
        if distance is None or distance <= limits.max_gate_m:
            continue
        if not near(passes, border, limits.gate_match_window_min):
            yield border


def _has_picture(case: Case, passage: Passage, limits: VideoLimits) -> bool:
    window = timedelta(seconds=limits.window_s)
    return any(
        gate_of(report).image
        for report in case.facts.reports
        if report.device == passage.report.device
        and isinstance(report.fact, Gate)
        and gate_of(report).lane == passage.gate.lane
        and abs(report.time - passage.time) <= window
    )
