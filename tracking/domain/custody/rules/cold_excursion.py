"""A rule about the temperature of the goods: out of its band for longer than it may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.excursions import FLOAT_ERROR, Band
from tracking.domain.custody.held import TEMPERATURE, Held, held, profile_name
from tracking.domain.custody.intervals import earlier, overlap
from tracking.domain.custody.outside import Excursion, awaited, cited, clusters, found_in, verdict_of
from tracking.domain.custody.profiles import PROFILES, range_of
from tracking.domain.custody.rules.cold_doors import explained_by
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.sensors import DEFROST, series, spells
from tracking.domain.custody.terms import Limit
from tracking.domain.custody.verdicts import Outcome, Severity, Verdict

Positive = Annotated[float, Meta(ge=0)]


class ExcursionLimits(Struct, frozen=True):
    """Parameters of ``temp_excursion``. What is none here is the leg's own, else the profile's.

    Attributes:
        low: no colder, degrees Celsius.
        high: no warmer, degrees Celsius.
        delay_min: minutes that a value may be outside.
        hysteresis_c: a value is back when it is inside by this, degrees.
        sensor_err_c: a value is out when it is beyond by more than this, degrees.
        return_air_defrost_min: minutes that a rise may last that begins while a unit defrosts, or before its
            delay has passed.
        major_min: minutes outside that make it major.
        major_c: degrees beyond the limit that make it major when exceeded.
        spike_c: a single value that differs from both its neighbours by more degrees is implausible.
        spike_s: where these are no further away than this, seconds.
        unmeasured_min: minutes without any value of any sensor after which the rule can't tell.
    """

    low: float | None = None
    high: float | None = None
    delay_min: Positive | None = None
    hysteresis_c: Positive | None = None
    sensor_err_c: Positive | None = None
    return_air_defrost_min: Positive = 30
    major_min: Positive = 60
    major_c: Positive = 5
    spike_c: Positive = 10
    spike_s: Positive = 300
    unmeasured_min: Positive = 60


def band_of(limit: Limit, limits: ExcursionLimits) -> Band:
    """The band of a leg: what its limit says, else the rule's parameters, else the profile."""
    profile = PROFILES[profile_name(limit)]
    usual_low, usual_high = range_of(None, None, limit.profile)
    return Band(
        low=_first(limit.low, limits.low, usual_low),
        high=_first(limit.high, limits.high, usual_high),
        error=_first(limits.sensor_err_c, profile.sensor_err_c) or 0,
        hysteresis=_first(limits.hysteresis_c, profile.hysteresis_c) or 0,
        delay_s=60 * (_first(limit.tolerated_min, limits.delay_min, profile.delay_min) or 0),
    )


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def excursion_due(case: Case, limits: ExcursionLimits) -> datetime | None:
    """When a run of values opens, is major, or is over although nothing crosses a limit meanwhile."""
    holds = held(case)
    moments = [
        moment
        for one in temperatures(case, holds, limits, until=None)
        for moment in (
            awaited(one, case.until),
            one.run.begins + timedelta(minutes=limits.major_min),
            one.run.ends,
        )
        if moment is not None
    ]
    if not any(one.samples for one in series(case.facts, TEMPERATURE)):
        moments += [hold.begins + timedelta(minutes=limits.unmeasured_min) for hold in holds]
    return min((moment for moment in moments if moment > case.until), default=None)


@rule(
    number="F1", code="temp_excursion", severity=Severity.CRITICAL, limits=ExcursionLimits, due=excursion_due
)
def temp_excursion(case: Case, limits: ExcursionLimits) -> Iterator[Verdict]:
    """The temperature is out of its band for longer than it may be (温度超限).

    Opens when values have been out for the delay; the excursion itself is dated from the first value out,
    which the evidence has. A value is out when it lies beyond ``low`` or ``high`` by more than
    ``sensor_err_c``. Closes at the first value that is inside by ``hysteresis_c`` or more, or when the leg's
    limits hold no longer. Sensors of one thing that are out together are one finding. Minor; major from
    ``major_min`` on or when a value is beyond the limit by more than ``major_c``; critical for medicine,
    except within the range that its profile tolerates.

    What holds is the leg's limit of ``temperature_c``: its own values first, then these parameters, then
    the profile that the limit names or its range tells of. Between two legs the earlier one's limits hold
    on. What a door that stands open explains (F4) is cited; it is one event, not two.

    Undetermined when no sensor has ever said a value, ``unmeasured_min`` after the limits began to hold.

    Must not fire for one value alone, or one that differs from both its neighbours by more than ``spike_c``
    within ``spike_s``; for a rise of up to ``return_air_defrost_min`` while the cooling unit defrosts
    (``defrost`` is 1 on the same thing); for a store's sensor while one on the goods speaks; before the first
    leg, after the last, or on a leg without limits. A good mean kinetic temperature excuses nothing.

    Args:
        case: the shipment as of the watermark; values after that are not read.
        limits: ``low``, ``high``, ``hysteresis_c``, ``sensor_err_c``, ``major_c`` and ``spike_c`` in degrees
            Celsius; ``delay_min`` (30 frozen, 5 medicine, else 10), ``return_air_defrost_min``,
            ``major_min`` and ``unmeasured_min`` in minutes; ``spike_s`` in seconds.

    Evidence: the sensor with its last calibration, the first value out; when it is over the last value and
    the farthest, and how long it was; the door that explains it.
    Source: GB 31605 and GB/T 22918, IIR table for frozen goods, USP for medicine (unverified here; see the
    profiles). Delays, errors, hystereses and grades are ours.
    """
    holds = held(case)
    found = [
        one
        for one in temperatures(case, holds, limits, until=case.until)
        if one.run.known is not None and one.run.known <= case.until
    ]
    for together in clusters(found):
        first = together[0]
        severity = min((_grade(one, limits, case.until) for one in together), key=list(Severity).index)
        evidence = [piece for one in together for piece in cited(one, case.until)]
        evidence += explained_by(case, first.run.begins, first.run.opens)
        yield verdict_of(
            "temp_excursion", together, severity, tuple(evidence), _parameters(first, limits), case.until
        )
    yield from _unmeasured(case, holds, limits)


def temperatures(
    case: Case, holds: Sequence[Held], limits: ExcursionLimits, until: datetime | None
) -> Iterator[Excursion]:
    """Runs of temperatures, up to a moment or in all that is known."""
    defrosts = [
        (one.carriage.thing, during)
        for one in series(case.facts, DEFROST)
        for during, _ in spells(one, when=True)
    ]
    bands = [(hold, band_of(hold.limit, limits)) for hold in holds]
    for one in found_in(case, TEMPERATURE, bands, limits.spike_c, limits.spike_s, until):
        window = (one.run.begins, one.run.opens)
        is_defrost = any(
            thing == one.series.carriage.thing and overlap(during, window) is not None
            for thing, during in defrosts
            if until is None or during[0] <= until
        )
        delay_s = max(one.run.delay_s, 60 * limits.return_air_defrost_min) if is_defrost else one.run.delay_s
        run = msgspec.structs.replace(one.run, delay_s=delay_s)
        yield msgspec.structs.replace(one, run=run, is_defrost=is_defrost)


def _grade(one: Excursion, limits: ExcursionLimits, until: datetime) -> Severity:
    run, profile = one.run, one.hold.profile
    peak = run.peak.value
    if profile.is_medicine:
        low, high = profile.tolerated_low, profile.tolerated_high
        is_tolerated = low is not None and high is not None and low <= peak <= high
        if not is_tolerated:
            return Severity.CRITICAL
    lasted = (earlier(run.ends, until) or until) - run.begins
    is_long = lasted >= timedelta(minutes=limits.major_min)
    is_far = run.band.beyond(peak) > limits.major_c + FLOAT_ERROR and not profile.is_medicine
    return Severity.MAJOR if is_long or is_far else Severity.MINOR


def _parameters(one: Excursion, limits: ExcursionLimits) -> dict[str, Any]:
    band = one.run.band
    return msgspec.structs.asdict(limits) | {
        "profile": one.hold.profile_name,
        "low": band.low,
        "high": band.high,
        "delay_min": band.delay_s / 60,
        "hysteresis_c": band.hysteresis,
        "sensor_err_c": band.error,
    }


def _unmeasured(case: Case, holds: Sequence[Held], limits: ExcursionLimits) -> Iterator[Verdict]:
    """Limits that nobody measures against."""
    values = [one.as_of(case.until) for one in series(case.facts, TEMPERATURE)]
    first = min((one.samples[0].time for one in values if one.samples), default=None)
    if not holds or any(one.before is not None for one in values):
        return
    opened_at = holds[0].begins + timedelta(minutes=limits.unmeasured_min)
    closed_at = earlier(first, holds[-1].ends)
    if opened_at > case.until or (closed_at is not None and closed_at <= opened_at):
        return
    yield Verdict(
        rule="temp_excursion",
        cause=TEMPERATURE,
        outcome=Outcome.UNDETERMINED,
        severity=Severity.INFO,
        opened_at=opened_at,
        closed_at=closed_at,
        evidence=({"missing": TEMPERATURE, "since": holds[0].begins.isoformat()},),
        parameters={"unmeasured_min": limits.unmeasured_min},
        terms_revision=holds[0].revision,
    )
