"""The rule about doors and light behind a seal that says it is locked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from devices.observation import SealState
from tracking.domain.custody.case import Case
from tracking.domain.custody.exposures import Exposure, exposures, is_behind
from tracking.domain.custody.intervals import Interval, joined, overlap
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.seals import Worn, cite_source
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, Verdict, cite_sample


class ExposureLimits(Struct, frozen=True):
    """Parameters of ``door_or_light_while_sealed``.

    Attributes:
        lux: light above this falls in through an opening.
        min_s: seconds that a door must stand open, or light fall in.
    """

    lux: Annotated[float, Meta(ge=0)] = 10
    min_s: Annotated[float, Meta(ge=0, le=86_400)] = 20


def exposure_due(case: Case, limits: ExposureLimits) -> datetime | None:
    """When a door that stands open, or light that falls in, has done so for long enough."""
    long = timedelta(seconds=limits.min_s)
    moments = (
        during[0] + long
        for worn in case.seals.worn
        for _, during in _behind(case, worn, limits)
        if during[1] is None or during[1] - during[0] >= long
    )
    return min((moment for moment in moments if moment > case.until), default=None)


@rule(
    number="C6",
    code="door_or_light_while_sealed",
    severity=Severity.CRITICAL,
    limits=ExposureLimits,
    due=exposure_due,
)
def door_or_light_while_sealed(case: Case, limits: ExposureLimits) -> Iterator[Verdict]:
    """A door stands open, or light falls in, while the seal says that it is locked (施封状态下开门).

    That is how boxes are opened beside their seal: hinges pulled, a panel cut. Opens at the first value that
    says so while the seal is locked and a leg runs, once that has lasted ``min_s``; what a sensor said holds
    until its next value. Several sensors behind one seal are one finding. Closes with the first value that
    says otherwise, or when the seal doesn't say any more that it is locked, or no leg runs.

    Must not fire for a door that was open before the seal was locked, until a value after that says so again;
    nor for a seal that was opened, or is on another box; nor for the doors of a store, nor of a vehicle where
    the seal is on a box; nor while no leg runs. It says nothing of the seal itself: a seal that was opened is
    rule C1.

    Args:
        case: the shipment as of the watermark.
        limits: ``lux``, default 10; ``min_s``, seconds, default 20.

    Evidence: the first value, the greatest, and the one that ended it; what said that the seal is locked.
    Source: rule C6 of our catalogue (back-door opening with the seal intact); both numbers are ours.
    """
    long = timedelta(seconds=limits.min_s)
    for worn in case.seals.worn:
        counted = [
            (exposure, during)
            for exposure, during in _behind(case, worn, limits)
            if (case.until if during[1] is None else during[1]) - during[0] >= long
        ]
        for opened_at, closed_at in joined(during for _, during in counted):
            terms = case.facts.terms_at(opened_at)
            assert terms is not None  # a leg runs
            told = [
                exposure
                for exposure, during in counted
                if during[0] >= opened_at and (closed_at is None or during[0] < closed_at)
            ]
            yield Verdict(
                rule="door_or_light_while_sealed",
                cause=worn.seal,
                outcome=Outcome.FINDING,
                severity=Severity.CRITICAL,
                opened_at=opened_at,
                closed_at=closed_at,
                evidence=(
                    *(piece for exposure in told for piece in cite_exposure(exposure, opened_at)),
                    *(cite_source(mark.told) for mark in [m for m in worn.marks if m.time <= opened_at][-1:]),
                ),
                parameters=msgspec.to_builtins(limits),
                terms_revision=terms.revision,
            )


def cite_exposure(exposure: Exposure, since: datetime) -> Iterator[Evidence]:
    """The first value since a moment, the greatest where that is another, and the one that ended it."""
    device = exposure.carriage.device
    samples = [sample for sample in exposure.samples if sample.time >= since]
    greatest = max(samples, key=lambda sample: sample.value)
    yield cite_sample(device, samples[0])
    if greatest.value > samples[0].value:
        yield cite_sample(device, greatest)
    if exposure.after is not None:
        yield cite_sample(device, exposure.after)


def _behind(case: Case, worn: Worn, limits: ExposureLimits) -> Iterator[tuple[Exposure, Interval]]:
    """The exposures behind a locked seal while a leg runs, however short."""
    shut = [
        shared
        for locked in worn.during(SealState.LOCKED)
        for leg in case.legs.running()
        if (shared := overlap(locked, leg)) is not None
    ]
    for exposure in exposures(case.facts, limits.lux) if shut else ():
        for interval in shut if is_behind(exposure.carriage, worn) else ():
            during = exposure.within(interval)
            if during is not None:
                yield exposure, during
