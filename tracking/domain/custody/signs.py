"""Signs that goods may have been swapped while they stood: a seal that was silent, light, a blow, another
weight, another box. None of them proves anything by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from devices.identifiers import container_warning
from devices.observation import Gate
from tracking.domain.custody.boxes import normal
from tracking.domain.custody.case import Case
from tracking.domain.custody.documents import GatePass
from tracking.domain.custody.exposures import Exposure, exposures, is_behind
from tracking.domain.custody.facts import Sample, Silence
from tracking.domain.custody.intervals import Interval, overlap
from tracking.domain.custody.sensors import is_of_store
from tracking.domain.custody.told import Document, Report
from tracking.domain.custody.verdicts import (
    Evidence,
    cite_document,
    cite_report,
    cite_sample,
    cite_silence,
)
from tracking.domain.custody.weighing import declared_kg, weighed

SHOCK: Final = "shock_g"


class Sign(Struct, frozen=True):
    """One sign.

    Attributes:
        name: ``silence``, ``light``, ``shock``, ``weight`` or ``container``.
        time: when it was complete; later than now, where it needs more time to pass.
        evidence: what it rests on.
    """

    name: str
    time: datetime
    evidence: tuple[Evidence, ...]


def may_be_told(case: Case) -> bool:
    """Whether anything is there that could tell of a sign; most shipments need no second look."""
    facts = case.facts
    return any(carriage.is_seal or carriage.samples for carriage in facts.carriages) or any(
        isinstance(report.fact, Gate) for report in facts.reports
    )


def silence_signs(
    device: str, silences: list[Silence], within: list[Interval], longer_than_s: float
) -> Iterator[Sign]:
    """A seal said nothing for longer than so many seconds, partly within some time."""
    for silence in silences:
        complete = silence.last_heard + timedelta(seconds=longer_than_s)
        is_long = silence.heard is None or silence.heard > complete
        touches = any(overlap((silence.last_heard, silence.heard), one) is not None for one in within)
        if is_long and touches:
            yield Sign("silence", complete, (cite_silence(device, silence),))


def light_signs(case: Case, within: Interval, lux: float, min_s: float) -> Iterator[Sign]:
    """A door stood open, or light fell in, for so many seconds."""
    long = timedelta(seconds=min_s)
    for exposure in exposures(case.facts, lux):
        during = exposure.within(within)
        if during is None or not _is_on_goods(case, exposure, during[0]):
            continue
        if during[1] is None or during[1] - during[0] >= long:
            device = exposure.carriage.device
            first = next(sample for sample in exposure.samples if sample.time == during[0])
            yield Sign("light", during[0] + long, (cite_sample(device, first),))


def shock_signs(case: Case, within: Interval, shock_g: float) -> Iterator[Sign]:
    """A blow of so many g or more."""
    for carriage in case.facts.carriages:
        if is_of_store(carriage, case.facts):
            continue
        for sample in carriage.samples:
            if sample.quantity == SHOCK and sample.value >= shock_g and _holds(within, sample):
                yield Sign("shock", sample.time, (cite_sample(carriage.device, sample),))


def weight_signs(case: Case, since: datetime, until: datetime | None, pct: float) -> Iterator[Sign]:
    """The next weighing differs by more than so many per cent from the one before, or from the pass."""
    readings = [report for report in _gates(case) if weighed(_gate(report).weight_kg)]
    following = _next(readings, since, until)
    if following is None:
        return
    before = _previous(readings, following, since)
    paper = None if before is not None else _pass(case, following)
    if before is not None:
        expected, source = weighed(_gate(before).weight_kg), cite_report(before)
    elif paper is not None and isinstance(paper.body, GatePass):
        expected, source = declared_kg(paper.body), cite_document(paper)
    else:
        return
    measured = weighed(_gate(following).weight_kg)
    if expected is None or measured is None or abs(measured - expected) * 100 <= pct * expected:
        return
    change: Evidence = {"expected_kg": expected, "measured_kg": measured}
    yield Sign("weight", following.time, (change, source, cite_report(following)))


def container_signs(case: Case, since: datetime, until: datetime | None) -> Iterator[Sign]:
    """The next gate reads another box in place of ours; a number with a wrong check digit is no other box."""
    readings = [report for report in _gates(case) if _boxes(report)]
    following = _next(readings, since, until)
    if following is None:
        return
    before = _previous(readings, following, since)
    ours = {normal(a.label) for a in case.facts.aboard if a.kind == "container"}
    expected = _boxes(before) if before is not None else frozenset(ours)
    read = _boxes(following)
    other = {number for number in read - expected - ours if container_warning(number) is None}
    if expected and expected - read and other:
        change: Evidence = {"expected": sorted(expected), "read": sorted(read)}
        sources = [cite_report(report) for report in (before, following) if report is not None]
        yield Sign("container", following.time, (change, *sources))


def _is_on_goods(case: Case, exposure: Exposure, moment: datetime) -> bool:
    """Whether a sensor is behind some seal; without any seal, every sensor may be."""
    on = case.seals.on(moment)
    return not on or any(is_behind(exposure.carriage, worn) for worn in on)


def _holds(interval: Interval, sample: Sample) -> bool:
    return interval[0] <= sample.time and (interval[1] is None or sample.time < interval[1])


def _gates(case: Case) -> list[Report]:
    return [report for report in case.facts.reports if isinstance(report.fact, Gate)]


def _gate(report: Report) -> Gate:
    assert isinstance(report.fact, Gate)
    return report.fact


def _boxes(report: Report) -> frozenset[str]:
    return frozenset(normal(number) for number in _gate(report).containers if number.strip())


def _next(readings: list[Report], since: datetime, until: datetime | None) -> Report | None:
    after = (report for report in readings if report.time > since)
    return next((report for report in after if until is None or report.time <= until), None)


def _previous(readings: list[Report], following: Report, since: datetime) -> Report | None:
    """The last reading of the same vehicle before a moment."""
    plate = _gate(following).plate
    same = [
        report
        for report in readings
        if report.time <= since
        and (
            _gate(report).plate == plate
            if plate is not None and _gate(report).plate is not None
            else bool(report.things & following.things)
        )
    ]
    return same[-1] if same else None


def _pass(case: Case, report: Report) -> Document | None:
    """The pass that a vehicle came with: the one that it named, else the newest for its plate."""
    gate = _gate(report)
    papers = [
        document
        for document in case.facts.documents
        if isinstance(document.body, GatePass) and document.time <= report.time
    ]
    named = [paper for paper in papers if paper.number == gate.pass_number]
    own = [p for p in papers if isinstance(p.body, GatePass) and p.body.vehicle == gate.plate]
    found = named or own
    return found[-1] if found else None
