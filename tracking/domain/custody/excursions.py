"""Values outside their band: from the first that is out to the first that is back.

A value is *out* when it lies beyond the limit by more than the sensor may err, and *back* when it lies within
by the hysteresis or more. In between it changes nothing: what was out stays out, also while nothing comes.
One value alone is no excursion, and a value that stands far off both its neighbours is implausible and left
out everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from msgspec import Struct

from tracking.domain.custody.facts import Sample
from tracking.domain.custody.intervals import Interval

FLOAT_ERROR: Final = 1e-9
"""Limits and their tolerances are decimals; their sums in binary are not quite."""


class Band(Struct, frozen=True):
    """A range with its tolerances, in the quantity's unit.

    Attributes:
        low: no lower than this; None: no limit.
        high: no higher.
        error: a value is out when it is beyond by more than this.
        hysteresis: and back when it is inside by this much.
        delay_s: how long it may be out.
    """

    low: float | None
    high: float | None
    error: float
    hysteresis: float
    delay_s: float

    def beyond(self, value: float) -> float:
        """How far outside a value lies; negative inside."""
        below = self.low - value if self.low is not None else float("-inf")
        above = value - self.high if self.high is not None else float("-inf")
        return max(below, above)

    @property
    def allowed(self) -> tuple[float, float]:
        """The lowest and the highest value that are not out."""
        error = self.error + FLOAT_ERROR
        return (
            self.low - error if self.low is not None else float("-inf"),
            self.high + error if self.high is not None else float("inf"),
        )

    def is_out(self, value: float) -> bool:
        """Outside, and not for the sensor's error."""
        lowest, highest = self.allowed
        return value < lowest or value > highest

    def is_back(self, value: float) -> bool:
        """Safely inside."""
        return self.beyond(value) <= -self.hysteresis + FLOAT_ERROR


class Piece(Struct, frozen=True):
    """A band that holds during an interval."""

    during: Interval
    band: Band


class Run(Struct, frozen=True):
    """Values out of the band, one after the other.

    Attributes:
        band: that held when it began.
        samples: from the first out on, without the one that was back.
        delay_s: how long the values might have been out.
        ends: when a value was back, or the band held no longer; None while it lasts.
        back: the value that was.
    """

    band: Band
    samples: tuple[Sample, ...]
    delay_s: float
    ends: datetime | None = None
    back: Sample | None = None

    @property
    def begins(self) -> datetime:
        """Of the first value out."""
        return self.samples[0].time

    @property
    def opens(self) -> datetime:
        """When it has lasted for as long as it might."""
        return self.begins + timedelta(seconds=self.delay_s)

    @property
    def known(self) -> datetime | None:
        """When it is known for an excursion; None: not yet, or never."""
        if len(self.samples) < 2:
            return None
        known = max(self.opens, self.samples[1].time)
        return known if self.ends is None or self.opens < self.ends else None

    @property
    def peak(self) -> Sample:
        """The value that lies farthest out; the first of several."""
        return max(self.samples, key=lambda sample: self.band.beyond(sample.value))


def plausible(
    samples: Sequence[Sample], spike: float, within_s: float
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """The values, and those that are implausible: one alone, far off both its neighbours in time."""
    values = [sample.value for sample in samples]
    if not any(abs(other - one) > spike for one, other in pairwise(values)):
        return tuple(samples), ()
    kept: list[Sample] = []
    odd: list[Sample] = []
    for place, sample in enumerate(samples):
        before = kept[-1] if kept else None
        after = samples[place + 1] if place + 1 < len(samples) else None
        if before is not None and after is not None and _is_spike(before, sample, after, spike, within_s):
            odd.append(sample)
        else:
            kept.append(sample)
    return tuple(kept), tuple(odd)


def _is_spike(before: Sample, sample: Sample, after: Sample, spike: float, within_s: float) -> bool:
    near = timedelta(seconds=within_s)
    if sample.time - before.time > near or after.time - sample.time > near:
        return False
    rise, fall = sample.value - before.value, sample.value - after.value
    return min(rise, fall) > spike or max(rise, fall) < -spike


def runs(samples: Sequence[Sample], pieces: Iterable[Piece]) -> list[Run]:
    """Every run of values out of the band, in order.

    Args:
        samples: plausible ones, in order of time.
        pieces: in order, without overlaps; a run goes on from one to the next where they touch.
    """
    found: list[Run] = []
    band: Band | None = None
    out: list[Sample] = []
    reached: datetime | None = None

    def end(moment: datetime, back: Sample | None = None) -> None:
        assert band is not None
        found.append(Run(band, tuple(out), band.delay_s, moment, back))
        out.clear()

    for piece in pieces:
        begins, ends = piece.during
        if out and reached is not None and reached != begins:
            end(reached)
        lowest, highest = piece.band.allowed
        for sample in _within(samples, begins, ends):
            if out and piece.band.is_back(sample.value):
                end(sample.time, sample)
            elif out:
                out.append(sample)
            elif sample.value < lowest or sample.value > highest:
                band = piece.band
                out.append(sample)
        reached = ends
    if out and reached is not None:
        end(reached)
    if out and band is not None:
        found.append(Run(band, tuple(out), band.delay_s))
    return found


def _within(samples: Sequence[Sample], begins: datetime, ends: datetime | None) -> Iterator[Sample]:
    return (s for s in samples if s.time >= begins and (ends is None or s.time < ends))
