"""What the sensors of a shipment measured, for people: how warm it was, and what no finding tells.

A defrosting that stayed within its time is no finding, but it is marked; so is a value that can't be true.
The mean kinetic temperature is shown whatever it is.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from tracking.domain.custody.case import open_case
from tracking.domain.custody.excursions import plausible
from tracking.domain.custody.facts import Facts, Sample
from tracking.domain.custody.held import TEMPERATURE, at, held
from tracking.domain.custody.kinetic import over
from tracking.domain.custody.profiles import PROFILES
from tracking.domain.custody.rules.cold_excursion import ExcursionLimits, temperatures
from tracking.domain.custody.sensors import series


class Defrost(Struct, frozen=True):
    """A rise while the cooling unit defrosted, no longer than it may take.

    Attributes:
        begins: of the first value out.
        ends: when a value was back.
        farthest_c: the warmest, degrees Celsius.
    """

    begins: datetime
    ends: datetime
    farthest_c: float


class Thermometer(Struct, frozen=True):
    """One sensor's record of the goods' temperature.

    Attributes:
        device: its name.
        thing: URI of what it is attached to.
        calibrated_at: None: nobody has said.
        profile: what its values are held to at the end; None: no leg limits the temperature.
        values: how many.
        lowest_c: degrees Celsius.
        highest_c: degrees Celsius.
        mean_kinetic_c: over the last ``mean_kinetic_h`` hours.
        mean_kinetic_h: as the profile has it.
        defrosts: marked, not judged.
        implausible: values that were left out.
    """

    device: str
    thing: str
    calibrated_at: datetime | None
    profile: str | None
    values: int
    lowest_c: float
    highest_c: float
    mean_kinetic_c: float | None
    mean_kinetic_h: float
    defrosts: tuple[Defrost, ...]
    implausible: tuple[Sample, ...]


def cold_report(
    facts: Facts,
    until: datetime,
    limits: ExcursionLimits = ExcursionLimits(),  # noqa: B008 - frozen
) -> tuple[Thermometer, ...]:
    """The record of every thermometer on the goods or around them, up to a moment.

    Args:
        facts: everything recorded of the shipment.
        until: values after that are not read.
        limits: parameters of ``temp_excursion``, for what counts as implausible or as defrosting.
    """
    case = open_case(facts, until)
    holds = held(case)
    runs = list(temperatures(case, holds, limits, until))
    found = []
    for one in series(case.facts, TEMPERATURE):
        kept, odd = plausible(one.as_of(until).samples, limits.spike_c, limits.spike_s)
        if not kept:
            continue
        hold = at(holds, kept[-1].time)
        profile = hold.profile if hold is not None else PROFILES["other"]
        begins = max(one.carriage.begins, until - timedelta(hours=profile.mean_kinetic_h))
        longest = timedelta(minutes=profile.gap_storage_min)
        found.append(
            Thermometer(
                device=one.carriage.device,
                thing=one.carriage.thing,
                calibrated_at=one.carriage.calibrated_at,
                profile=hold.profile_name if hold is not None else None,
                values=len(kept),
                lowest_c=min(sample.value for sample in kept),
                highest_c=max(sample.value for sample in kept),
                mean_kinetic_c=over(kept, begins, until, longest),
                mean_kinetic_h=profile.mean_kinetic_h,
                defrosts=tuple(
                    Defrost(run.run.begins, run.run.ends, run.run.peak.value)
                    for run in runs
                    if run.is_defrost and run.series.carriage == one.carriage
                    if run.run.ends is not None and run.run.known is None
                ),
                implausible=odd,
            )
        )
    return tuple(found)
