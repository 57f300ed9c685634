"""A rule about the humidity around goods, in stores for medicine above all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.excursions import Band
from tracking.domain.custody.held import HUMIDITY, held
from tracking.domain.custody.outside import Excursion, awaited, cited, clusters, found_in, verdict_of
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.terms import Limit, StayLeg
from tracking.domain.custody.verdicts import Severity, Verdict

Positive = Annotated[float, Meta(ge=0)]


class HumidityLimits(Struct, frozen=True):
    """Parameters of ``humidity_excursion``. The leg's own limits of ``humidity_pct`` go before.

    Attributes:
        low: no drier, percent.
        high: no damper, percent.
        delay_min: minutes that a value may be outside.
        hysteresis_pct: a value is back when it is inside by this, percent.
        spike_pct: a single value that differs from both its neighbours by more is implausible, percent.
        spike_s: where these are no further away than this, seconds.
    """

    low: float | None = 35
    high: float | None = 75
    delay_min: Positive = 10
    hysteresis_pct: Positive = 2
    spike_pct: Positive = 30
    spike_s: Positive = 300


def humidity_band(limit: Limit | None, limits: HumidityLimits) -> Band:
    """The band of humidity: the leg's limit where it sets one, else that of stores for medicine."""
    low, high, delay = limits.low, limits.high, limits.delay_min
    if limit is not None:
        low, high = limit.low, limit.high
        delay = delay if limit.tolerated_min is None else limit.tolerated_min
    return Band(low, high, 0, limits.hysteresis_pct, 60 * delay)


def humidity_due(case: Case, limits: HumidityLimits) -> datetime | None:
    """When a run of values opens or is over."""
    moments = [
        moment
        for one in _humid(case, limits, until=None)
        for moment in (awaited(one, case.until), one.run.ends)
        if moment is not None and moment > case.until
    ]
    return min(moments, default=None)


@rule(
    number="F8", code="humidity_excursion", severity=Severity.MINOR, limits=HumidityLimits, due=humidity_due
)
def humidity_excursion(case: Case, limits: HumidityLimits) -> Iterator[Verdict]:
    """A store for medicine is too dry or too damp, or any leg that limits humidity is (湿度超限).

    Opens when values have been out for ``delay_min``; the evidence has the first value out. Closes at the
    first value inside by ``hysteresis_pct`` or more, or when the leg ends. A leg's own limit of
    ``humidity_pct`` goes before ``low`` and ``high``; these hold for stays under a profile of medicine.

    Must not fire for one value alone, or one that differs from both its neighbours by more than
    ``spike_pct`` within ``spike_s``; under way, or for other goods, unless the leg limits humidity itself;
    for a store's sensor while one on the goods speaks.

    Args:
        case: the shipment as of the watermark; values after that are not read.
        limits: ``low`` 35, ``high`` 75, ``hysteresis_pct`` and ``spike_pct`` in percent of relative
            humidity; ``delay_min`` in minutes; ``spike_s`` in seconds.

    Evidence: the sensor with its last calibration, the first value out; when it is over the last value, the
    farthest, and how long it was.
    Source: Chinese GSP for stores of medicine, 35 to 75 % (unverified here). Minutes and hysteresis are ours.
    """
    found = [
        one
        for one in _humid(case, limits, until=case.until)
        if one.run.known is not None and one.run.known <= case.until
    ]
    for together in clusters(found):
        evidence = tuple(piece for one in together for piece in cited(one, case.until))
        band = together[0].run.band
        parameters = msgspec.structs.asdict(limits) | {
            "low": band.low, "high": band.high, "delay_min": band.delay_s / 60,
        }  # fmt: skip
        yield verdict_of("humidity_excursion", together, Severity.MINOR, evidence, parameters, case.until)


def _humid(case: Case, limits: HumidityLimits, until: datetime | None) -> Iterator[Excursion]:
    """Runs of humidities."""
    dry = [
        hold
        for hold in held(case)
        if HUMIDITY not in hold.leg.limits and hold.profile.is_medicine and isinstance(hold.leg, StayLeg)
    ]
    holds = sorted([*dry, *held(case, HUMIDITY)], key=lambda hold: hold.begins)
    bands = [(hold, humidity_band(hold.leg.limits.get(HUMIDITY), limits)) for hold in holds]
    return found_in(case, HUMIDITY, bands, limits.spike_pct, limits.spike_s, until)
