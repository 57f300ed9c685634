"""What sensors say of the goods: values as they stand, and what is on or off.

The nearest sensor speaks. A probe on the goods, or on the box or vehicle that they are in, goes before those
of a store (an ``asset``) for as long as it is there; a store's sensors reach a shipment because its goods are
contained in that asset.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from tracking.domain.custody.facts import Carriage, Facts, Sample
from tracking.domain.custody.intervals import Interval, without

DOOR: Final = "door_open"
DEFROST: Final = "defrost"
POWER: Final = ("power_on", "mains_on")
"""1 while a cooling unit has power (``mains_on``: from the place where it is plugged in)."""

ASSET: Final = "asset"
_ASSET_URN: Final = "urn:bondwatch:asset:"


class Series(Struct, frozen=True):
    """One device's values of one quantity.

    Attributes:
        carriage: of the device.
        samples: in order of time while it carried, one a moment.
        before: the newest value from before it carried.
    """

    carriage: Carriage
    samples: tuple[Sample, ...]
    before: Sample | None = None

    @property
    def known(self) -> tuple[Sample, ...]:
        """With the value from before, where there is one."""
        return self.samples if self.before is None else (self.before, *self.samples)

    def at(self, moment: datetime) -> Sample | None:
        """The newest value no later than a moment."""
        place = bisect_right(self.samples, moment, key=lambda sample: sample.time)
        return self.samples[place - 1] if place else self.before

    def within(self, begins: datetime, ends: datetime | None) -> tuple[Sample, ...]:
        """The values of [begins, ends)."""
        first = bisect_left(self.samples, begins, key=lambda sample: sample.time)
        last = len(self.samples) if ends is None else bisect_left(self.samples, ends, key=lambda s: s.time)
        return self.samples[first:last]

    def as_of(self, until: datetime) -> Series:
        """Without what was measured later than that."""
        kept = bisect_right(self.samples, until, key=lambda sample: sample.time)
        return Series(self.carriage, self.samples[:kept], self.before)


def series(facts: Facts, *quantities: str) -> list[Series]:
    """The values of a quantity, device by device; devices that never did are left out."""
    found = []
    for carriage in facts.carriages:
        for quantity in quantities:
            values = carriage.measured.get(quantity, ())
            first = bisect_left(values, carriage.begins, key=lambda sample: sample.time)
            within, before = values[first:], values[first - 1] if first else None
            if within or before is not None:
                found.append(Series(carriage, within, before))
    return found


def spells(values: Series, *, when: bool) -> list[tuple[Interval, Sample]]:
    """While something that is 1 or 0 was on (``when``) or off, with the value that began it."""
    found: list[tuple[Interval, Sample]] = []
    since: Sample | None = None
    ends = values.carriage.ends
    begun = values.carriage.begins
    for sample in values.known:
        if (sample.value > 0.5) is when:
            since = since or sample
        elif since is not None:
            if sample.time > begun:
                found.append(((max(since.time, begun), sample.time), since))
            since = None
    if since is not None:
        found.append(((max(since.time, begun), ends), since))
    return found


def is_of_store(carriage: Carriage, facts: Facts) -> bool:
    """Whether a device stands in a store rather than on the goods or on what carries them."""
    return carriage.thing.startswith(_ASSET_URN) or any(
        aboard.thing == carriage.thing and aboard.kind == ASSET for aboard in facts.aboard
    )


def speaking(values: Sequence[Series], facts: Facts) -> list[tuple[Series, tuple[Interval, ...]]]:
    """The sensors that speak for the goods, and when: a store's are silent while a nearer one is there."""
    near = [one for one in values if one.samples and not is_of_store(one.carriage, facts)]
    found: list[tuple[Series, tuple[Interval, ...]]] = [
        (one, ((one.carriage.begins, one.carriage.ends),)) for one in near
    ]
    for one in values:
        if one.samples and is_of_store(one.carriage, facts):
            left: tuple[Interval, ...] = ((one.carriage.begins, one.carriage.ends),)
            for nearer in near:
                left = without(left, (nearer.carriage.begins, nearer.carriage.ends))
            found.append((one, left))
    return found


def cite_sensor(carriage: Carriage) -> dict[str, Any]:
    """A sensor as evidence, with the day of its calibration: unknown where nobody has said."""
    calibrated = carriage.calibrated_at.isoformat() if carriage.calibrated_at is not None else None
    return {"sensor": carriage.device, "thing": carriage.thing, "calibrated_at": calibrated}
