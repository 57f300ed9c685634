"""Rules about the thermometers themselves: do they measure often enough, and are they calibrated?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.documents import Calibration
from tracking.domain.custody.facts import Carriage, Sample
from tracking.domain.custody.held import TEMPERATURE, Held, at, held, stretches
from tracking.domain.custody.intervals import Interval, earlier, overlap
from tracking.domain.custody.rules.device import TRACK_FACTOR
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.sensors import Series, cite_sensor, series
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict, cite_sample

Positive = Annotated[float, Meta(gt=0)]


class SamplingLimits(Struct, frozen=True):
    """Parameters of ``cold_sampling_gap``. What is none here is the profile's.

    Attributes:
        transport_min: longest minutes between two values under way.
        storage_min: and in storage.
        major_factor: so many times as long is major.
    """

    transport_min: Positive | None = None
    storage_min: Positive | None = None
    major_factor: Annotated[float, Meta(ge=1)] = 3


class CalibrationLimits(Struct, frozen=True):
    """Parameters of ``calibration_due``.

    Attributes:
        days: that a calibration is good for.
    """

    days: Positive = 365


class _Gap(Struct, frozen=True):
    """Time without a value, as far as one hold reaches."""

    series: Series
    hold: Held
    last: Sample
    following: Sample | None
    begins: datetime
    ends: datetime | None
    longest: timedelta


def sampling_due(case: Case, limits: SamplingLimits) -> datetime | None:
    """When a gap that lasts opens or becomes major, and when a known one is over.

    A device that tells of nothing but values is silent before its gap counts, where its interval is short
    enough: its track watches for that, and we needn't look at each value.
    """
    moments = []
    for gap in _gaps(case, limits, until=None):
        carriage = gap.series.carriage
        silent_at = gap.last.time + timedelta(seconds=TRACK_FACTOR * carriage.expected_every_s)
        opens = gap.begins + gap.longest
        if gap.following is None and carriage.last_heard == gap.last.time and case.until < silent_at <= opens:
            continue
        if gap.ends is not None and gap.ends <= opens:
            continue
        for moment in (opens, gap.begins + limits.major_factor * gap.longest, gap.ends):
            if moment is not None and moment > case.until and (gap.ends is None or moment <= gap.ends):
                moments.append(moment)
    return min(moments, default=None)


@rule(number="F3", code="cold_sampling_gap", severity=Severity.MAJOR, limits=SamplingLimits, due=sampling_due)
def cold_sampling_gap(case: Case, limits: SamplingLimits) -> Iterator[Verdict]:
    """A thermometer said nothing for longer than the record may have gaps (温度记录间断).

    Opens when the time since its last value exceeds the limit: ``transport_min`` on a move, ``storage_min``
    on a stay, else those of the leg's profile. Closes at the next value, or when the leg or the carriage
    ends. Info; major once it is ``major_factor`` times as long.

    Undetermined while sequence numbers of the device are missing within the gap: the values may exist.

    Must not fire before a thermometer's first value; where no leg limits the temperature; for values that
    come late, because they fill the gap; for gaps in other quantities.

    Args:
        case: the shipment as of the watermark; values after that are not read.
        limits: ``transport_min`` (5 for medicine, else 10) and ``storage_min`` (30) in minutes;
            ``major_factor``.

    Evidence: the sensor with its last calibration, its values on both sides of the gap.
    Source: one record in 5 minutes in transport and in 30 in storage, annex of the Chinese GSP (unverified
    here); the 10 minutes for food and the factor are ours.
    """
    for gap in _gaps(case, limits, until=case.until):
        opened_at = gap.begins + gap.longest
        if opened_at > case.until or (gap.ends is not None and gap.ends <= opened_at):
            continue
        lasted = (earlier(gap.ends, case.until) or case.until) - gap.begins
        is_unsure = _is_missing(gap)
        is_major = not is_unsure and lasted >= limits.major_factor * gap.longest
        is_over = gap.ends is not None and gap.ends <= case.until
        carriage = gap.series.carriage
        evidence = [cite_sensor(carriage), {**cite_sample(carriage.device, gap.last), "is": "last"}]
        if gap.following is not None:
            evidence.append({**cite_sample(carriage.device, gap.following), "is": "next"})
        yield Verdict(
            rule="cold_sampling_gap",
            cause=carriage.device,
            outcome=Outcome.UNDETERMINED if is_unsure else Outcome.FINDING,
            severity=Severity.MAJOR if is_major else Severity.INFO,
            opened_at=opened_at,
            closed_at=gap.ends if is_over else None,
            evidence=tuple(evidence),
            parameters={
                "max_gap_min": gap.longest.total_seconds() / 60,
                "major_factor": limits.major_factor,
                "profile": gap.hold.profile_name,
            },
            terms_revision=gap.hold.revision,
        )


def _gaps(case: Case, limits: SamplingLimits, until: datetime | None) -> Iterator[_Gap]:
    """From value to value, as far as each hold reaches. Without ``until`` only what isn't over by then."""
    values = series(case.facts, TEMPERATURE)
    for one in values if until is None else [one.as_of(until) for one in values]:
        if not one.samples:
            continue
        carried = (one.carriage.begins, one.carriage.ends)
        for hold in held(case):
            during = overlap(hold.during, carried)
            if during is None:
                continue
            longest = timedelta(minutes=_longest_min(hold, limits))
            known = one.known
            for place, last in enumerate(known):
                following = known[place + 1] if place + 1 < len(known) else None
                if following is not None and following.time - last.time <= longest and until is not None:
                    continue
                ends = earlier(following.time if following is not None else None, during[1])
                begins = max(last.time, during[0])
                if (ends is None or begins < ends) and (
                    until is not None or ends is None or ends > case.until
                ):
                    yield _Gap(one, hold, last, following, begins, ends, longest)


def _longest_min(hold: Held, limits: SamplingLimits) -> float:
    if hold.is_transport:
        return limits.transport_min or hold.profile.gap_transport_min
    return limits.storage_min or hold.profile.gap_storage_min


def _is_missing(gap: _Gap) -> bool:
    """Whether a number is missing that may have carried a value of this time."""
    return any(
        missing.before > gap.begins and (gap.ends is None or missing.after < gap.ends)
        for missing in gap.series.carriage.missing
    )


def calibration_due_at(case: Case, limits: CalibrationLimits) -> datetime | None:
    """When the next calibration is no longer good."""
    moments = [
        moment
        for carriage in case.facts.carriages
        for begins, _ in _overdue(case, carriage, limits)
        for moment in (begins,)
        if moment > case.until
    ]
    return min(moments, default=None)


@rule(
    number="F7",
    code="calibration_due",
    severity=Severity.MINOR,
    limits=CalibrationLimits,
    due=calibration_due_at,
)
def calibration_due(case: Case, limits: CalibrationLimits) -> Iterator[Verdict]:
    """The calibration of a sensor on the goods is too old (传感器校准逾期).

    Opens when the newest calibration is ``days`` old while a leg limits the temperature and the sensor is on
    the goods or what carries them; at the leg's beginning where it was too old before. Closes with the next
    calibration, or when the limits hold no longer.

    Must not fire for a sensor of which nobody has said when it was calibrated: that is not known, and every
    finding of this family says so in its evidence; where no leg limits the temperature.

    Args:
        case: the shipment as of the watermark.
        limits: ``days``, default 365.

    Evidence: the sensor with its last calibration.
    Source: at least once a year, EU GDP as quoted by vendors (unverified here).
    """
    holds = held(case)
    for carriage in case.facts.carriages:
        for begins, ends in _overdue(case, carriage, limits):
            hold = at(holds, begins)
            if begins > case.until or hold is None:
                continue
            yield Verdict(
                rule="calibration_due",
                cause=carriage.device,
                outcome=Outcome.FINDING,
                severity=Severity.MINOR,
                opened_at=begins,
                closed_at=ends if ends is not None and ends <= case.until else None,
                evidence=(cite_sensor(carriage),),
                parameters=msgspec.structs.asdict(limits),
                terms_revision=hold.revision,
            )


def _overdue(case: Case, carriage: Carriage, limits: CalibrationLimits) -> Iterator[Interval]:
    """While the goods' limits held and the sensor's calibration was too old."""
    known = sorted(
        {document.time for document in case.facts.documents if _is_calibration(document.body, carriage)}
        | ({carriage.calibrated_at} if carriage.calibrated_at is not None else set())
    )
    for during in stretches(held(case), carriage.begins, carriage.ends):
        for place, calibrated in enumerate(known):
            following = known[place + 1] if place + 1 < len(known) else None
            spell = (calibrated + timedelta(days=limits.days), following)
            if following is not None and following <= spell[0]:
                continue
            overdue = overlap(spell, during)
            if overdue is not None and overdue[0] != overdue[1]:
                yield overdue


def _is_calibration(body: object, carriage: Carriage) -> bool:
    return isinstance(body, Calibration) and body.device == carriage.device
