"""A10 and A11: goods are kept longer, or set out or come earlier, than their leg allows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from devices.observation import Direction
from tracking.domain.custody.case import Case
from tracking.domain.custody.grounds import cite_beginning, runs, unheard
from tracking.domain.custody.intervals import Interval, united
from tracking.domain.custody.legs import Span
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.terms import StayLeg
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict


class DwellLimits(Struct, frozen=True):
    """Parameters of ``dwell_exceeded``.

    Attributes:
        major_at_pct: per cent of the leg's ``max_dwell_s`` at which it becomes major.
    """

    major_at_pct: Annotated[float, Meta(ge=100, le=1000)] = 150.0


class BeginningLimits(Struct, frozen=True):
    """``begun_too_early`` has no parameters."""


class _Overstay(Struct, frozen=True):
    """The goods are kept too long under one revision of the terms.

    Attributes:
        during: from the moment at which it opens.
        span: of the leg, under that revision.
        due: when the goods were to have left.
        grave: when it becomes major.
    """

    during: Interval
    span: Span
    due: datetime
    grave: datetime

    def is_major(self, until: datetime) -> bool:
        """Whether it has lasted so long while that revision held."""
        return self.grave <= until and _precedes(self.grave, self.during[1])


class _Early(Struct, frozen=True):
    """A leg runs that should not have begun yet, under one revision of the terms.

    Attributes:
        during: up to the moment at which it may begin, or its end; None: neither has come.
        span: of the leg, under that revision.
        not_before: when it may begin.
    """

    during: Interval
    span: Span
    not_before: datetime


def dwell_due(case: Case, limits: DwellLimits) -> datetime | None:
    """When goods that are kept have been so for too long, or graver so."""
    moments = [
        moment
        for run in runs(case)
        for overstay in _overstays(run, limits)
        for moment in (overstay.during[0], overstay.grave)
        if moment > case.until and _precedes(moment, overstay.during[1])
    ]
    return min(moments, default=None)


@rule(number="A10", code="dwell_exceeded", severity=Severity.MAJOR, limits=DwellLimits, due=dwell_due)
def dwell_exceeded(case: Case, limits: DwellLimits) -> Iterator[Verdict]:
    """The goods are kept in the zones of a stay for longer than its ``max_dwell_s`` (超期存放).

    Time runs from the stay's beginning: the milestone by which the goods were within one of its zones. If
    they were there already when the terms took effect or a device came onto the goods, it runs from that
    moment: what they lay there before is not counted. Opens as minor exactly when ``max_dwell_s`` has
    passed, becomes major at ``major_at_pct`` of it. Closes when the last of the zones is left, or the leg is
    over. Once no device is on the goods any more, their last known place counts. New terms count from their
    moment on, and the time before it is part of the stay.

    Undetermined while both the devices on the goods had been silent and a gate out of the zones offline
    before it was to open: they may have left.

    Must not fire before the stay began, nor on a leg without ``max_dwell_s``; when the goods move from one
    of the stay's zones to another, the time goes on and doesn't begin anew.

    Args:
        case: the shipment as of the watermark.
        limits: ``major_at_pct``, default 150.

    Evidence: the milestones that began the stay, when the goods were to have left, and when they did.
    Source: the rule and its per cents are ours; the seconds are the terms' own.
    """
    for run in runs(case):
        ends = run[-1].ends
        judged = [one for one in _overstays(run, limits) if one.during[0] <= case.until]
        for during, pieces in united((one.during, (one,)) for one in judged):
            last = pieces[-1]
            zones = last.span.leg.zones if isinstance(last.span.leg, StayLeg) else ()
            silent = unheard(case, zones, Direction.OUT, during[0]) if ends is None else []
            is_major = any(piece.is_major(case.until) for piece in pieces)
            yield Verdict(
                rule="dwell_exceeded",
                cause=f"leg {run[0].index}",
                outcome=Outcome.UNDETERMINED if silent else Outcome.FINDING,
                severity=Severity.INFO if silent else Severity.MAJOR if is_major else Severity.MINOR,
                opened_at=during[0],
                closed_at=during[1],
                evidence=(
                    *cite_beginning(case, run[0]),
                    {
                        "leg": run[0].index,
                        "begins": run[0].begins.isoformat(),
                        "due": last.due.isoformat(),
                        "ends": ends.isoformat() if ends is not None else None,
                    },
                    *silent,
                ),
                parameters=msgspec.to_builtins(limits),
                terms_revision=last.span.revision,
            )


def _overstays(run: tuple[Span, ...], limits: DwellLimits) -> Iterator[_Overstay]:
    """When the goods are or would be kept too long, under each revision of the terms."""
    begins = run[0].begins
    for span in run:
        if not isinstance(span.leg, StayLeg) or span.leg.max_dwell_s is None:
            continue
        allowed = timedelta(seconds=span.leg.max_dwell_s)
        opens = max(begins + allowed, span.begins)
        if _precedes(opens, span.ends):
            grave = begins + allowed * limits.major_at_pct / 100
            yield _Overstay((opens, span.ends), span, begins + allowed, grave)


def early_due(case: Case, _limits: BeginningLimits) -> datetime | None:
    """When a leg that began too early may begin."""
    moments = (
        early.not_before
        for run in runs(case)
        for early in _early(run, case.until)
        if early.not_before > case.until and early.during[1] is None
    )
    return min(moments, default=None)


@rule(number="A11", code="begun_too_early", severity=Severity.MINOR, limits=BeginningLimits, due=early_due)
def begun_too_early(case: Case, _limits: BeginningLimits) -> Iterator[Verdict]:
    """A leg began before its ``not_before`` (提前起运或入区).

    A move's origin was left, or the goods were met on its corridor; a stay's zone was entered. Opens at the
    milestone that began the leg; closes at ``not_before``, or when the leg is over. New terms count from
    their moment on: of a leg that runs already, a later ``not_before`` opens it no earlier than they hold.

    Undetermined when no milestone began the leg, but how things stood when the terms took effect or a device
    came onto the goods: nobody saw it begin.

    Must not fire at ``not_before`` itself or later; on a leg without it; while the leg is awaited.

    Args:
        case: the shipment as of the watermark.
        _limits: none.

    Evidence: the milestones that began the leg, and when it was allowed to.
    Source: the rule is ours; the moment is the terms' own.
    """
    for run in runs(case):
        first = run[0]
        judged = [one for one in _early(run, case.until) if one.during[0] <= case.until]
        for during, pieces in united((one.during, (one,)) for one in judged):
            is_seen = bool(first.milestones)
            yield Verdict(
                rule="begun_too_early",
                cause=f"leg {first.index}",
                outcome=Outcome.FINDING if is_seen else Outcome.UNDETERMINED,
                severity=Severity.MINOR if is_seen else Severity.INFO,
                opened_at=during[0],
                closed_at=during[1],
                evidence=(
                    *cite_beginning(case, first),
                    {
                        "leg": first.index,
                        "begins": first.begins.isoformat(),
                        "not_before": pieces[-1].not_before.isoformat(),
                    },
                ),
                parameters={},
                terms_revision=pieces[-1].span.revision,
            )


def _early(run: tuple[Span, ...], until: datetime) -> Iterator[_Early]:
    """While a leg runs that should not have begun yet, under each revision of the terms."""
    for span in run:
        moment = span.leg.not_before
        if moment is None or moment <= span.begins:
            continue
        ends = span.ends
        if ends is None or moment < ends:
            ends = moment if moment <= until else None
        yield _Early((span.begins, ends), span, moment)


def _precedes(moment: datetime, ends: datetime | None) -> bool:
    return ends is None or moment < ends
