"""The rule about the charge of seals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from devices.observation import BATTERY, Percent, Seal, SealState
from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import Carriage, Sample
from tracking.domain.custody.intervals import Interval, joined
from tracking.domain.custody.legs import Span, corridor_of
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.rules.seal_devices import asked
from tracking.domain.custody.told import Report
from tracking.domain.custody.verdicts import (
    Evidence,
    Outcome,
    Severity,
    Verdict,
    cite_report,
    cite_sample,
)

_MEASURED_OVER: Final = timedelta(hours=1)
"""A shorter time tells nothing of how fast a battery drains."""


class BatteryLimits(Struct, frozen=True):
    """Parameters of ``seal_battery_low``.

    Attributes:
        pct: a charge below this is low, percent.
        hysteresis_pct: so far above ``pct`` it must be to be no longer low, percent.
        min_hours_left: hours beyond the leg's expected end for which the charge must last.
    """

    pct: Percent = 20
    hysteresis_pct: Percent = 3
    min_hours_left: Annotated[float, Meta(ge=0, le=8760)] = 12


class _Word(Struct, frozen=True):
    """What a seal's device said of its charge.

    Attributes:
        time: when.
        sample: the charge; None: it said ``low_battery``.
        report: where it said so.
        first: the charge when it was first measured.
        is_below: it is low by then, by ``pct`` and what it must exceed to be so no longer.
    """

    time: datetime
    sample: Sample | None
    report: Report | None
    first: Sample | None
    is_below: bool

    def empty_at(self) -> datetime | None:
        """When the battery is empty if it drains on as so far; None: nobody can tell."""
        if self.sample is None or self.first is None:
            return None
        took = self.sample.time - self.first.time
        drained = self.first.value - self.sample.value
        if took < _MEASURED_OVER or drained <= 0:
            return None
        return self.sample.time + took * (self.sample.value / drained)


@rule(number="C5", code="seal_battery_low", severity=Severity.MINOR, limits=BatteryLimits)
def seal_battery_low(case: Case, limits: BatteryLimits) -> Iterator[Verdict]:
    """The charge of a seal on the goods is low, or won't last (关锁电量低).

    Opens at the first word, while the seal is on the goods and a leg runs, of a charge below ``pct``, or of
    one that at the pace so far ends earlier than ``min_hours_left`` after the leg's expected end: its
    deadline, else its beginning plus the corridor's ``max_transit_h``. The charge is told by the device's
    readings and by its status alike. What a seal said last before that holds from then on. A seal's own
    ``low_battery`` counts as low, until it says a charge that isn't. Closes with the first charge of
    ``hysteresis_pct`` or more above ``pct`` that will last, or when the seal is opened, replaced or taken
    off, or no leg runs.

    Must not fire for a charge nobody has told of; nor from a pace measured over less than an hour; nor,
    where a leg's end isn't known, for anything but ``pct``; nor again for a charge that wavers about ``pct``.

    Args:
        case: the shipment as of the watermark.
        limits: ``pct``, percent, default 20; ``hysteresis_pct``, percent, default 3; ``min_hours_left``,
            hours, default 12.

    Evidence: the word that was low, with the hours left where they could be told; the one that wasn't again.
    Source: rule C5 of our catalogue; all three numbers are ours.
    """
    for carriage in case.facts.carriages:
        if not carriage.is_seal:
            continue
        words = _words(case, carriage, limits)
        found = [piece for must in asked(case, carriage) for piece in _low(case, words, must, limits)]
        for opened_at, closed_at in joined(during for during, _ in found):
            terms = case.facts.terms_at(opened_at)
            assert terms is not None
            word = next(word for during, word in found if during[0] == opened_at)
            yield Verdict(
                rule="seal_battery_low",
                cause=carriage.device,
                outcome=Outcome.FINDING,
                severity=Severity.MINOR,
                opened_at=opened_at,
                closed_at=closed_at,
                evidence=(
                    *_cited(carriage, word),
                    *(piece for w in words if w.time == closed_at for piece in _cited(carriage, w)),
                ),
                parameters=msgspec.to_builtins(limits),
                terms_revision=terms.revision,
            )


def _words(case: Case, carriage: Carriage, limits: BatteryLimits) -> list[_Word]:
    """What it said of its charge, in order of time; of one moment the charge holds."""
    told: dict[datetime, Report | Sample] = {
        report.time: report
        for report in case.facts.reports
        if report.device == carriage.device
        and isinstance(report.fact, Seal)
        and report.fact.state is SealState.LOW_BATTERY
    }
    measured = [sample for sample in carriage.samples if sample.quantity == BATTERY]
    told |= {sample.time: sample for sample in measured}
    words, is_below = list[_Word](), False
    for time, word in sorted(told.items()):
        if isinstance(word, Report):
            is_below = True
            words.append(_Word(time, None, word, None, is_below))
            continue
        is_below = word.value < limits.pct + (limits.hysteresis_pct if is_below else 0)
        words.append(_Word(time, word, None, measured[0], is_below))
    return words


def _low(
    case: Case, words: list[_Word], must: Interval, limits: BatteryLimits
) -> Iterator[tuple[Interval, _Word]]:
    """The times within an interval in which the charge was low, with the word that said so."""
    begins, ends = must
    edges = {begins, *(span.begins for span in case.legs.spans), *(word.time for word in words)}
    edges = {edge for edge in edges if begins <= edge and (ends is None or edge < ends)}
    since: datetime | None = None
    word: _Word | None = None
    for edge in sorted(edges):
        newest = [word for word in words if word.time <= edge][-1:]
        span = case.legs.at(edge)
        is_low = bool(newest) and span is not None and _is_low(case, newest[0], span, limits)
        if is_low and since is None:
            since, word = edge, newest[0]
        elif not is_low and since is not None and word is not None:
            yield (since, edge), word
            since = None
    if since is not None and word is not None:
        yield (since, ends), word


def _is_low(case: Case, word: _Word, span: Span, limits: BatteryLimits) -> bool:
    if word.is_below:
        return True
    expected, empty = _expected_end(case, span), word.empty_at()
    return (
        expected is not None
        and empty is not None
        and empty < expected + timedelta(hours=limits.min_hours_left)
    )


def _expected_end(case: Case, span: Span) -> datetime | None:
    if span.leg.deadline is not None:
        return span.leg.deadline
    code = corridor_of(span)
    corridor = case.facts.area_at(code, span.begins) if code is not None else None
    hours = corridor.properties.get("max_transit_h") if corridor is not None else None
    return span.begins + timedelta(hours=hours) if isinstance(hours, int | float) else None


def _cited(carriage: Carriage, word: _Word) -> Iterator[Evidence]:
    if word.report is not None:
        yield cite_report(word.report)
    if word.sample is not None:
        yield cite_sample(carriage.device, word.sample)
        empty = word.empty_at()
        if empty is not None:
            yield {"empty_at": empty.replace(microsecond=0).isoformat()}
