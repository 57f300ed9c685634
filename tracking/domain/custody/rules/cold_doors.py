"""Rules about what makes goods warm: a door that stands open, a cooling unit without power."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tracking.domain.custody.case import Case
from tracking.domain.custody.facts import Sample
from tracking.domain.custody.held import TEMPERATURE, at, held, stretches
from tracking.domain.custody.intervals import Interval, overlap
from tracking.domain.custody.rules.registry import rule
from tracking.domain.custody.sensors import DOOR, POWER, Series, cite_sensor, series, spells
from tracking.domain.custody.verdicts import Evidence, Outcome, Severity, Verdict, cite_sample

Positive = Annotated[float, Meta(ge=0)]


class DoorLimits(Struct, frozen=True):
    """Parameters of ``door_open_warming``.

    Attributes:
        door_open_min: minutes that a door may stand open; the temperature is looked at after each so many.
        slope_c_per_min: degrees a minute, over that time, that are warming.
        watch_min: minutes after the opening in which it is looked at; what warms later isn't the door.
    """

    door_open_min: Annotated[float, Meta(ge=0.1)] = 5
    slope_c_per_min: Positive = 0.2
    watch_min: Positive = 60


class PowerLimits(Struct, frozen=True):
    """Parameters of ``power_loss``.

    Attributes:
        delay_min: minutes that a cooling unit may be without power.
    """

    delay_min: Positive = 10


class Warming(Struct, frozen=True):
    """A door that stands open, and a temperature that rises meanwhile.

    Attributes:
        door: the sensor of the door.
        opened: the value that said so.
        during: from the door's opening to its closing.
        mark: when the door had been open for so long that it counts, and the temperature was seen to rise.
        sensor: that measured the rise; None: none has, as far as is known.
        before: the temperature at the last mark.
        after: and at this one.
    """

    door: Series
    opened: Sample
    during: Interval
    mark: datetime
    sensor: Series
    before: Sample
    after: Sample


def warmings(case: Case, limits: DoorLimits) -> Iterator[Warming]:
    """Each door's spells of standing open in which something warmed, up to the watermark."""
    holds = held(case)
    temperatures = [one.as_of(case.until) for one in series(case.facts, TEMPERATURE)]
    for door, during, opened in _open_doors(case):
        for before_mark, mark in _marks(during, limits):
            if mark > case.until:
                break
            if at(holds, mark) is None:
                continue
            risen = [
                Warming(door, opened, during, mark, one, before, after)
                for one in temperatures
                if (before := one.at(before_mark)) is not None
                and (after := one.at(mark)) is not None
                and after.time > before_mark
                and _rises(before, after, limits)
            ]
            if risen:
                yield risen[0]
                break


def explained_by(case: Case, begins: datetime, opens: datetime) -> list[Evidence]:
    """The doors whose standing open explains an excursion: open when it began, and warming by its opening."""
    limits = DoorLimits()
    override = case.facts.overrides_at(opens).get("door_open_warming")
    if override is not None and override.parameters:
        changed = msgspec.structs.asdict(limits) | override.parameters
        limits = msgspec.convert(changed, DoorLimits)
    return [
        {
            "caused_by": "door_open_warming",
            "cause": one.door.carriage.device,
            "opened_at": one.mark.isoformat(),
            "door_open_since": one.during[0].isoformat(),
        }
        for one in warmings(case, limits)
        if one.mark <= opens and overlap(one.during, (begins, begins)) is not None
    ]


def door_due(case: Case, limits: DoorLimits) -> datetime | None:
    """When to look at the temperature again, while a door stands open; and when it is known to close."""
    if not held(case):
        return None
    moments = [
        moment
        for _, during, _ in _open_doors(case)
        for moment in (*(mark for _, mark in _marks(during, limits)), during[1])
        if moment is not None and moment > case.until
    ]
    return min(moments, default=None)


@rule(number="F4", code="door_open_warming", severity=Severity.MAJOR, limits=DoorLimits, due=door_due)
def door_open_warming(case: Case, limits: DoorLimits) -> Iterator[Verdict]:
    """A door stands open and the temperature rises (开门升温).

    Opens when the door has been open for ``door_open_min`` and a temperature rose over that time by
    ``slope_c_per_min`` or more; if it did not, it is looked at again after each further ``door_open_min``, up
    to ``watch_min``. Closes when the door does. An excursion (F1) that began meanwhile cites this finding as
    its cause: one event, not two.

    Must not fire for a door that closes earlier; for an open door without warming; where no leg limits the
    temperature; for a temperature that wasn't measured in that time.

    Args:
        case: the shipment as of the watermark; values after that are not read.
        limits: ``door_open_min`` and ``watch_min`` in minutes; ``slope_c_per_min`` in degrees a minute.

    Evidence: the door's sensor and the value that it opened; the thermometer with its last calibration, and
    its values at both ends of the rise.
    Source: rule F4 of our catalogue; all numbers are ours.
    """
    holds = held(case)
    for one in warmings(case, limits):
        hold = at(holds, one.mark)
        assert hold is not None  # else it were no warming
        closed_at = one.during[1]
        yield Verdict(
            rule="door_open_warming",
            cause=one.door.carriage.device,
            outcome=Outcome.FINDING,
            severity=Severity.MAJOR,
            opened_at=one.mark,
            closed_at=closed_at if closed_at is not None and closed_at <= case.until else None,
            evidence=(
                {**cite_sample(one.door.carriage.device, one.opened), "is": "opened"},
                cite_sensor(one.sensor.carriage),
                {**cite_sample(one.sensor.carriage.device, one.before), "is": "before"},
                {**cite_sample(one.sensor.carriage.device, one.after), "is": "risen"},
            ),
            parameters=msgspec.structs.asdict(limits),
            terms_revision=hold.revision,
        )


def power_due(case: Case, limits: PowerLimits) -> datetime | None:
    """When a loss of power becomes a finding, and when it is known to end."""
    moments = [
        moment
        for _, during, _ in _without_power(case)
        for moment in (during[0] + timedelta(minutes=limits.delay_min), during[1])
        if moment is not None and moment > case.until and (during[1] is None or moment <= during[1])
    ]
    return min(moments, default=None)


@rule(number="F5", code="power_loss", severity=Severity.MAJOR, limits=PowerLimits, due=power_due)
def power_loss(case: Case, limits: PowerLimits) -> Iterator[Verdict]:
    """A cooling unit has no power: unplugged, or its supply failed (断电).

    Opens when ``power_on`` (or ``mains_on``) has been 0 for ``delay_min`` while a leg limits the temperature.
    Closes when it is 1 again, or when the limits hold no longer.

    Must not fire for an interruption shorter than that; for a unit that says nothing of its power; where no
    leg limits the temperature.

    Args:
        case: the shipment as of the watermark; values after that are not read.
        limits: ``delay_min``, minutes, default 10.

    Evidence: the value that said so, and the one that said that it was over.
    Source: annex of the Chinese GSP: alarm on a limit and on the interruption of power, on the spot and at
    the named place (unverified here). The minutes are ours.
    """
    holds = held(case)
    for one, during, lost in _without_power(case):
        opened_at = during[0] + timedelta(minutes=limits.delay_min)
        if opened_at > case.until or (during[1] is not None and during[1] <= opened_at):
            continue
        hold = at(holds, opened_at)
        assert hold is not None  # it is within
        device, closed_at = one.carriage.device, during[1]
        evidence = [{**cite_sample(device, lost), "is": "lost"}]
        is_over = closed_at is not None and closed_at <= case.until
        back = next((sample for sample in one.samples if sample.time == closed_at), None)
        if is_over and back is not None:
            evidence.append({**cite_sample(device, back), "is": "back"})
        yield Verdict(
            rule="power_loss",
            cause=device,
            outcome=Outcome.FINDING,
            severity=Severity.MAJOR,
            opened_at=opened_at,
            closed_at=closed_at if is_over else None,
            evidence=tuple(evidence),
            parameters=msgspec.structs.asdict(limits),
            terms_revision=hold.revision,
        )


def _open_doors(case: Case) -> Iterator[tuple[Series, Interval, Sample]]:
    for door in series(case.facts, DOOR):
        for during, opened in spells(door, when=True):
            yield door, during, opened


def _marks(during: Interval, limits: DoorLimits) -> Iterator[tuple[datetime, datetime]]:
    """The moments at which the temperature is looked at, each with the one before."""
    every = timedelta(minutes=limits.door_open_min)
    before = during[0]
    for _ in range(int(max(limits.watch_min, limits.door_open_min) / limits.door_open_min)):
        mark = before + every
        if during[1] is not None and mark >= during[1]:
            return
        yield before, mark
        before = mark


def _rises(before: Sample, after: Sample, limits: DoorLimits) -> bool:
    lasted = (after.time - before.time).total_seconds() / 60
    return lasted > 0 and (after.value - before.value) / lasted >= limits.slope_c_per_min - 1e-9


def _without_power(case: Case) -> Iterator[tuple[Series, Interval, Sample]]:
    """Spells without power while a temperature is limited."""
    holds = held(case)
    for one in series(case.facts, *POWER):
        for during, lost in spells(one, when=False):
            for shared in stretches(holds, *during):
                yield one, shared, lost
