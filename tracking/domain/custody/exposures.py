"""Doors that stand open and light that falls in, as sensors on the goods tell."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Final

from msgspec import Struct

from devices.identifiers import parse_thing
from tracking.domain.custody.facts import Carriage, Facts, Sample
from tracking.domain.custody.intervals import Interval
from tracking.domain.custody.seals import Worn
from tracking.domain.custody.sensors import DOOR, is_of_store, series

LIGHT: Final = "light_lux"
_VEHICLE: Final = "vehicle"


class Exposure(Struct, frozen=True):
    """A door stood open, or light fell in, from one value to the first that says otherwise.

    Attributes:
        carriage: of the sensor.
        samples: the values that say so, at least one.
        ends: when a value said otherwise, or the sensor was taken off; None: it lasts.
        after: the value that said otherwise.
    """

    carriage: Carriage
    samples: tuple[Sample, ...]
    ends: datetime | None
    after: Sample | None

    def within(self, interval: Interval) -> Interval | None:
        """As far as it lies in an interval, counted from the first value within that."""
        begins, ends = interval
        first = next(
            (s.time for s in self.samples if begins <= s.time and (ends is None or s.time < ends)), None
        )
        if first is None:
            return None
        return (first, self.ends if ends is None else min(ends, self.ends or ends))


def exposures(facts: Facts, lux: float) -> list[Exposure]:
    """Every exposure that a sensor on the goods tells of; those of stores are about something else.

    Args:
        facts: the shipment's.
        lux: light above this.
    """
    found = []
    for values in series(facts, DOOR, LIGHT):
        if is_of_store(values.carriage, facts):
            continue
        run: list[Sample] = []
        for sample in values.samples:
            if sample.value > (0.5 if sample.quantity == DOOR else lux):
                run.append(sample)
            elif run:
                found.append(Exposure(values.carriage, tuple(run), sample.time, sample))
                run = []
        if run:
            found.append(Exposure(values.carriage, tuple(run), values.carriage.ends, None))
    return sorted(found, key=lambda exposure: (exposure.samples[0].time, exposure.carriage.device))


def is_behind(carriage: Carriage, worn: Worn) -> bool:
    """Whether a sensor is behind a seal, as far as is known what both are on.

    Not behind it is a sensor on another thing of the same kind, another box, nor one on the vehicle when the
    seal is on something else: that may be the cab's door.
    """
    if not worn.things or not carriage.thing or carriage.thing in worn.things:
        return True
    kind = _kind(carriage.thing)
    return kind != _VEHICLE and all(_kind(thing) != kind for thing in worn.things)


@lru_cache(maxsize=4096)
def _kind(thing: str) -> str:
    return parse_thing(thing).kind
