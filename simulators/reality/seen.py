"""A haul as the truth is told of it, and what is told: incidents. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import shapely
from shapely.geometry import Polygon

from simulators.places import Places
from simulators.reality.course import Floats
from simulators.reality.hauls import Haul
from simulators.reality.noticing import PARKED_EVERY_S
from simulators.reality.windows import Window

SAMPLED_S: Final = 5.0
BLIND_S: Final = PARKED_EVERY_S + 20.0
"""Longer between two fixes than a parked tracker takes."""

CONFIRMING: Final = 3
"""So many fixes in a row show a place."""


class Incident(NamedTuple):
    """Something that a rule promises to find.

    Attributes:
        rule: its code.
        shipment: number.
        begins: when it truly began, seconds of the world.
        ends: when it truly ended.
        due: from when on the rule says that it should be told.
        sure: whether it must be found; else it may.
        why: in words.
        early_s: how much earlier than it began the rule's own tolerances let a finding of it open.
        closes: whether a finding of it must have closed by the end, as the rule says and the devices saw.
    """

    rule: str
    shipment: str
    begins: float
    ends: float
    due: float
    sure: bool
    why: str
    early_s: float = 0.0
    closes: bool = True


class Heard(NamedTuple):
    """When the devices of a haul noticed anything, seconds of the world, in order."""

    fixes: Sequence[float]
    seal: Sequence[float]


class Seen(NamedTuple):
    """A haul with what every rule asks about it.

    Attributes:
        haul: the truck.
        heard: its devices.
        places: where zones are.
        left: when it truly left its origin.
        entered: when it truly entered its destination.
    """

    haul: Haul
    heard: Heard
    places: Places
    left: float
    entered: float

    @property
    def is_rail(self) -> bool:
        """Whether it goes by rail."""
        return bool(self.places.features[self.haul.fleet.corridor]["properties"]["mode"] == "rail")

    def seen_for(self, begins: float, ends: float) -> float:
        """Seconds from the first fix of a time to its last."""
        fixes = [fix for fix in self.heard.fixes if begins <= fix <= ends]
        return fixes[-1] - fixes[0] if fixes else 0.0

    def unseen_before(self, t: float) -> float:
        """Seconds from the last fix before a moment to it."""
        return t - max((fix for fix in self.heard.fixes if fix < t), default=self.haul.begins)

    def seen_after(self, t: float) -> bool:
        """Whether enough fixes follow a moment for a track to believe them."""
        return sum(fix > t for fix in self.heard.fixes) >= CONFIRMING

    def blind(self, window: Window) -> bool:
        """Whether nobody could see where it was for part of a time: for longer than trackers are parked."""
        fixes = [self.haul.begins, *self.heard.fixes, self.haul.ends]
        return any(
            other - one > BLIND_S and one < window[1] and window[0] < other for one, other in pairwise(fixes)
        )


def seen(haul: Haul, heard: Heard, places: Places) -> Seen:
    """Where it truly crossed its zones' borders."""
    t, lon, lat = haul.drive.course.sampled(1.0)
    outside = ~shapely.contains_xy(outline(places, haul.origin), lon, lat)
    inside = shapely.contains_xy(outline(places, haul.destination), lon, lat)
    left = float(t[np.flatnonzero(outside)[0]])
    return Seen(haul, heard, places, left, float(t[np.flatnonzero(inside & (t > left))[0]]))


def outline(places: Places, code: str) -> Polygon:
    """A zone's outline, WGS-84 degrees."""
    return Polygon(places.features[code]["geometry"]["coordinates"][0])


def with_hysteresis(values: Floats, t: Floats, *, out: float, back: float) -> Iterator[Window]:
    """From the first value above ``out`` to the first that is below ``back``."""
    since: float | None = None
    for moment, value in zip(t.tolist(), values.tolist(), strict=True):
        if since is None and value > out:
            since = moment
        elif since is not None and value < back:
            yield since, moment
            since = None
    if since is not None:
        yield since, float(t[-1])
