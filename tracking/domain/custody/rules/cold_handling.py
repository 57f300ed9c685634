"""A rule about handling: goods that warm while they are loaded, unloaded or handed over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from devices.observation import Action, Handover, Scan
from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import Sample
from tracking.domain.custody.held import TEMPERATURE, at, held
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.sensors import Series, cite_sensor, is_of_store, series
from tracking.domain.custody.told import Report
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict, cite_report, cite_sample

HANDLING: Final = frozenset({Action.LOADING, Action.UNLOADING, Action.STUFFING, Action.UNSTUFFING})
"""What a scanner does when goods go into a vehicle or box, or come out."""

Positive = Annotated[float, Meta(ge=0)]


class HandlingLimits(Struct, frozen=True):
    """Parameters of ``temp_rise_on_handover``.

    Attributes:
        max_rise_c: degrees Celsius that the goods may become warmer.
        within_min: minutes after a scan or a handover that belong to the handling.
        known_min: minutes before it from which a value still tells how warm the goods were.
    """

    max_rise_c: Positive = 3
    within_min: Positive = 15
    known_min: Positive = 60


class Handling(Struct, frozen=True):
    """Scans and handovers that follow each other closely.

    Attributes:
        first: the first of them.
        begins: its moment.
        ends: when the last of them is over.
    """

    first: Report
    begins: datetime
    ends: datetime


def handling_due(case: Case, limits: HandlingLimits) -> datetime | None:
    """When the next handling is over."""
    moments = [one.ends for one in _handlings(case, limits) if one.ends > case.until]
    return min(moments, default=None)


@rule(
    number="F2",
    code="temp_rise_on_handover",
    severity=Severity.MAJOR,
    limits=HandlingLimits,
    due=handling_due,
)
def temp_rise_on_handover(case: Case, limits: HandlingLimits) -> Iterator[Verdict]:
    """The goods became too warm while they were loaded, unloaded or handed over (装卸升温).

    Opens at the first value that is more than ``max_rise_c`` above the last one from before the handling.
    Closes at the first that is no longer, at the latest when the handling is over. A handling is a scan
    (loading, unloading, stuffing, unstuffing) or a handover with the ``within_min`` after it; those that
    touch are one.

    Must not fire where no leg limits the temperature; for sensors of a store, which measure its air; without
    a value of the last ``known_min`` before the handling; for what warms later, which is F1's and F4's.

    Args:
        case: the shipment as of the watermark; values after that are not read.
        limits: ``max_rise_c`` in degrees Celsius; ``within_min`` and ``known_min`` in minutes.

    Evidence: the scan or handover, the sensor with its last calibration, its value before, the first that
    was too warm.
    Source: a rise of 3 °C allowed during loading and unloading, IIR table for deep-frozen goods (unverified
    here). The minutes are ours.
    """
    holds = held(case)
    for handling in _handlings(case, limits):
        for one in series(case.facts, TEMPERATURE):
            if is_of_store(one.carriage, case.facts):
                continue
            before, risen, back = _rise(one.as_of(case.until), handling, limits)
            if before is None or risen is None or (hold := at(holds, risen.time)) is None:
                continue
            closed_at = back.time if back is not None else handling.ends
            device = one.carriage.device
            yield Verdict(
                rule="temp_rise_on_handover",
                cause=device,
                outcome=Outcome.FINDING,
                severity=Severity.MAJOR,
                opened_at=risen.time,
                closed_at=closed_at if closed_at <= case.until else None,
                evidence=(
                    cite_report(handling.first),
                    cite_sensor(one.carriage),
                    {**cite_sample(device, before), "is": "before"},
                    {**cite_sample(device, risen), "is": "risen"},
                ),
                parameters=msgspec.structs.asdict(limits),
                terms_revision=hold.revision,
            )


def _handlings(case: Case, limits: HandlingLimits) -> list[Handling]:
    within = timedelta(minutes=limits.within_min)
    found: list[Handling] = []
    for report in case.facts.reports:
        fact = report.fact
        if not (isinstance(fact, Handover) or (isinstance(fact, Scan) and fact.action in HANDLING)):
            continue
        if found and report.time <= found[-1].ends:
            found[-1] = msgspec.structs.replace(found[-1], ends=report.time + within)
        else:
            found.append(Handling(report, report.time, report.time + within))
    return found


def _rise(
    one: Series, handling: Handling, limits: HandlingLimits
) -> tuple[Sample | None, Sample | None, Sample | None]:
    """The value before, the first that is too warm, and the first that is no longer."""
    before = one.at(handling.begins)
    if before is None or handling.begins - before.time > timedelta(minutes=limits.known_min):
        return None, None, None
    risen: Sample | None = None
    for sample in one.samples:
        if not handling.begins < sample.time <= handling.ends:
            continue
        is_warm = sample.value > before.value + limits.max_rise_c + 1e-9
        if risen is None and is_warm:
            risen = sample
        elif risen is not None and not is_warm:
            return before, risen, sample
    return before, risen, None
