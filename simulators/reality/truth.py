"""What the rules promise to find, from what truly happened. No finding of ours is looked at here.

Each rule's docstring (docs/rules.md) says when it opens; here the same is asked of true places, temperatures
and states instead of what devices say of them. Where an incident is so near to a limit, or so badly seen,
that the rule's own tolerances let it answer either way, it is not *sure*: a finding of it is neither right
nor wrong, and its absence is no miss. How near is near stands with each rule, and how many incidents were
left out is part of every score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import shapely
from shapely.geometry import Polygon

from simulators.places import Places
from simulators.reality.course import Floats, off_m, runs
from simulators.reality.hauls import GUARDED, MIN, Haul
from simulators.reality.noticing import PARKED_EVERY_S, tracker_every_s
from simulators.reality.speech import Window

SAMPLED_S: Final = 5.0
SEAL_SILENCE_S: Final = 900.0
"""Fifteen minutes, or two of its intervals, rule C4, where the terms say nothing."""

SILENT_AFTER: Final = 5
"""So many of the intervals that a tracker's registration states, rule G1."""


BLIND_S: Final = PARKED_EVERY_S + 20.0
"""Longer between two fixes than a parked tracker takes."""


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
    """

    rule: str
    shipment: str
    begins: float
    ends: float
    due: float
    sure: bool
    why: str


class Heard(NamedTuple):
    """When the devices of a haul noticed anything, seconds of the world, in order."""

    tracker: Sequence[float]
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

    def blind(self, window: Window) -> bool:
        """Whether nobody could see where it was for part of a time: for longer than trackers are parked."""
        fixes = [self.haul.begins, *self.heard.fixes, self.haul.ends]
        return any(
            other - one > BLIND_S and one < window[1] and window[0] < other for one, other in pairwise(fixes)
        )


def seen(haul: Haul, heard: Heard, places: Places) -> Seen:
    """Where it truly crossed its zones' borders."""
    t, lon, lat = haul.drive.course.sampled(1.0)
    outside = ~shapely.contains_xy(_zone(places, haul.origin), lon, lat)
    inside = shapely.contains_xy(_zone(places, haul.destination), lon, lat)
    left = float(t[np.flatnonzero(outside)[0]])
    return Seen(haul, heard, places, left, float(t[np.flatnonzero(inside & (t > left))[0]]))


def incidents(one: Seen) -> list[Incident]:
    """Everything that must or may be found of a haul."""
    return [incident for rule in RULES.values() for incident in rule(one)]


def route_deviation(one: Seen) -> Iterator[Incident]:
    """A1: off the corridor by more than its tolerance, as three fixes over 180 s show; until 100 m within it.

    Sure: truly beyond the tolerance by 120 m (twice a bad fix's accuracy), three fixes and 180 s long. From
    60 m within the tolerance on it may be found.
    """
    haul = one.haul
    tolerance = float(one.places.features[haul.fleet.corridor]["properties"]["tolerance_m"])
    t, lon, lat = haul.drive.course.sampled(SAMPLED_S)
    on_the_way = (t >= one.left) & (t <= one.entered)
    t, off = t[on_the_way], off_m(one.places.corridor(haul.fleet.corridor), lon[on_the_way], lat[on_the_way])
    far = runs(off > tolerance + 120, t)
    for begins, ends in _with_hysteresis(off - tolerance, t, out=-60.0, back=-160.0):
        beyond = runs((off > tolerance) & (t >= begins) & (t <= ends), t)
        since = beyond[0][0] if beyond else begins
        told = [fix for a, b in far if begins <= a and b <= ends for fix in one.heard.fixes if a <= fix <= b]
        sure = len(told) >= 3 and told[-1] - told[0] >= 180
        if sure or ends - begins >= 120:
            most = float(off[(t >= begins) & (t <= ends)].max())
            why = f"up to {most:.0f} m from a corridor of {tolerance:.0f} m"
            yield Incident("route_deviation", haul.shipment, since, ends, since + 180, sure, why)


def unauthorised_stop(one: Seen) -> Iterator[Incident]:
    """A2: stood still outside approved places for 15 minutes; trains wait in yards.

    Sure: for 16 minutes, with the tracker alive. From 14 minutes on it may be found.
    """
    haul = one.haul
    if one.is_rail:
        return
    allowed = one.places.features[haul.fleet.corridor]["properties"].get("allowed_stops", ())
    for begins, ends in haul.drive.course.stands:
        if not one.left < begins < one.entered or ends - begins < 14 * MIN:
            continue
        place = haul.drive.course.at((begins + ends) / 2)
        if any(shapely.contains_xy(_zone(one.places, zone), *place) for zone in allowed):
            continue
        sure = ends - begins >= 16 * MIN and not one.blind((begins - 60, ends + 60))
        why = f"stood for {(ends - begins) / 60:.0f} minutes"
        yield Incident(
            "unauthorised_stop", haul.shipment, begins + 15 * MIN, ends, begins + 15 * MIN, sure, why
        )


def forbidden_zone_entry(one: Seen) -> Iterator[Incident]:
    """A4: stayed in a forbidden lay-by for 60 s.

    Sure: for two minutes, with the tracker alive.
    """
    haul = one.haul
    t, lon, lat = haul.drive.course.sampled(SAMPLED_S)
    for code, feature in one.places.features.items():
        if feature["properties"]["kind"] != "layby_forbidden":
            continue
        for begins, ends in runs(shapely.contains_xy(_zone(one.places, code), lon, lat), t):
            if ends - begins < 45:
                continue
            sure = ends - begins >= 120 and not one.blind((begins, ends))
            why = f"in {code} for {(ends - begins) / 60:.1f} minutes"
            yield Incident("forbidden_zone_entry", haul.shipment, begins, ends, begins + 60, sure, why)


def zone_exit_without_release(one: Seen) -> Iterator[Incident]:
    """A5: left a zone that needs a pass, and no gate let it out on one; three fixes over 120 s confirm it."""
    haul = one.haul
    kind = one.places.features[haul.origin]["properties"]["kind"]
    if kind == GUARDED and not haul.has_pass_out:
        why = f"left {haul.origin} without a pass"
        yield Incident(
            "zone_exit_without_release",
            haul.shipment,
            one.left,
            one.entered,
            one.left + 120,
            not one.blind((one.left, one.left + 240)),
            why,
        )


def seal_broken_in_transit(one: Seen) -> Iterator[Incident]:
    """C1: the seal was cut on the way, or opened before customs ordered it.

    It may be found of one that was opened on an order where nobody could see that it was there.
    """
    haul = one.haul
    opened = haul.cut if haul.cut is not None else haul.unlocked
    if opened is None:
        return
    is_ordered = haul.cut is None and opened >= haul.ordered
    if is_ordered and not one.blind((opened - 1, opened + 1)):
        return
    why = "cut" if haul.cut is not None else "opened without an order"
    why = "opened on an order, unseen" if is_ordered else why
    yield Incident("seal_broken_in_transit", haul.shipment, opened, haul.ends, opened, not is_ordered, why)


def wrong_destination(one: Seen) -> Iterator[Incident]:
    """A9: the seal was cut on the way, in a zone that is not of its way and not for inspections."""
    haul = one.haul
    if haul.cut is None:
        return
    place = haul.drive.course.at(haul.cut)
    for code, feature in one.places.features.items():
        kind = feature["properties"]["kind"]
        if kind in {"corridor", "gate", "inspection"} or code in {haul.origin, haul.destination}:
            continue
        if shapely.contains_xy(_zone(one.places, code), *place):
            sure = not one.blind((haul.cut - 120, haul.cut + 120))
            why = f"cut in {code}"
            yield Incident("wrong_destination", haul.shipment, haul.cut, one.entered, haul.cut, sure, why)


def door_or_light_while_sealed(one: Seen) -> Iterator[Incident]:
    """C6: the door stood open for 20 s while the seal was locked."""
    haul = one.haul
    opened = haul.cut if haul.cut is not None else haul.unlocked
    for begins, ends in haul.climate.doors:
        if begins > haul.locked and (opened is None or begins < opened) and ends - begins >= 20:
            until = ends if opened is None else min(ends, opened)
            why = f"door open for {(until - begins) / 60:.1f} minutes"
            sure, due = until - begins > 21, begins + 20
            yield Incident("door_or_light_while_sealed", haul.shipment, begins, until, due, sure, why)


def seal_silent(one: Seen) -> Iterator[Incident]:
    """C4: a seal that is on the goods and not opened said nothing for 15 minutes, or what the terms allow.

    On rails it is told after 15 minutes all the same, as information.
    """
    haul = one.haul
    opened = haul.unlocked if haul.unlocked is not None else haul.ends
    usual = max(SEAL_SILENCE_S, 2.0 * haul.fleet.seal_every_s)
    for last, heard in _gaps(one.heard.seal, haul.ends, SEAL_SILENCE_S):
        is_on_road = not one.is_rail and one.left <= last < one.entered
        due = last + (haul.fleet.max_silence_s if is_on_road else usual)
        if haul.locked <= last and due < min(opened, heard):
            sure = bool(heard - due > 5)
            yield Incident("seal_silent", haul.shipment, due, heard, due, sure, _silence(last, heard))


def device_silent(one: Seen) -> Iterator[Incident]:
    """G1: the tracker said nothing for longer than the leg allows, else five times what is expected of it."""
    haul = one.haul
    usual = SILENT_AFTER * tracker_every_s(haul.fleet)
    least = min(haul.fleet.max_silence_s, usual)
    for last, heard in _gaps(one.heard.tracker, haul.ends, least):
        limit = haul.fleet.max_silence_s if one.left <= last < one.entered else usual
        is_near_border = min(abs(last - one.left), abs(last - one.entered)) < 180
        if heard - last > limit:
            due = last + limit
            sure = heard - due > 5 and not (is_near_border and heard - last < usual + 5)
            yield Incident("device_silent", haul.shipment, due, heard, due, sure, _silence(last, heard))


def temp_excursion(one: Seen) -> Iterator[Incident]:
    """F1: the air out of its band by more than the sensor's error for longer than the delay.

    Sure: also if it were 0.2 degrees nearer to the band (four times the sensor's noise), and two minutes (two
    readings) longer than the delay; may: if it were 0.2 degrees farther, and two minutes shorter. A run that
    begins while the unit defrosts, or before its delay is over, has 30 minutes.
    """
    haul, band = one.haul, one.haul.band
    if band is None:
        return
    t, air = haul.climate.t, haul.climate.air_c
    held = t >= one.left
    t, beyond = t[held], np.maximum(air - band.high, (band.low if band.low is not None else -1e9) - air)[held]
    sure_runs = _excursions(beyond - 0.2, t, haul, 120.0)
    for begins, ends in _excursions(beyond + 0.2, t, haul, -120.0):
        sure = [run for run in sure_runs if run[0] < ends and begins < run[1]]
        since = sure[0][0] if sure else begins
        due = since + _delay_s(haul, since)
        most = float(beyond[(t >= begins) & (t <= ends)].max())
        why = f"{most:.1f} degrees beyond for {(ends - since) / 60:.0f} minutes"
        yield Incident("temp_excursion", haul.shipment, due, max(ends, due), due, bool(sure), why)


def door_open_warming(one: Seen) -> Iterator[Incident]:
    """F4: a door open for five minutes while the temperature rose by 0.2 degrees a minute.

    Sure: by 1.25 degrees in five minutes; may: by 0.75.
    """
    haul = one.haul
    if haul.band is None:
        return
    for begins, ends in haul.climate.doors:
        marks = [begins + 5 * MIN * count for count in range(1, 13) if begins + 5 * MIN * count < ends]
        rises = [haul.climate.at(mark) - haul.climate.at(mark - 5 * MIN) for mark in marks]
        if begins >= one.left and rises and max(rises) >= 0.75:
            why = f"open for {(ends - begins) / 60:.1f} minutes, {max(rises):.1f} degrees in five"
            sure = rises[0] >= 1.25 and ends - marks[0] > 30
            yield Incident("door_open_warming", haul.shipment, marks[0], ends, marks[0], sure, why)


def power_loss(one: Seen) -> Iterator[Incident]:
    """F5: the unit without power for ten minutes. Sure: for twelve, two readings more; may: for nine."""
    haul = one.haul
    for begins, ends in haul.climate.failures if haul.band is not None else ():
        if ends - begins >= 9 * MIN and ends > one.left:
            due = max(begins, one.left) + 10 * MIN
            sure = ends - due > 2 * MIN
            why = f"for {(ends - begins) / 60:.0f} minutes"
            yield Incident("power_loss", haul.shipment, due, ends, due, sure, why)


RULES: Final[dict[str, Callable[[Seen], Iterator[Incident]]]] = {
    rule.__name__: rule
    for rule in (
        route_deviation,
        unauthorised_stop,
        forbidden_zone_entry,
        zone_exit_without_release,
        seal_broken_in_transit,
        wrong_destination,
        door_or_light_while_sealed,
        seal_silent,
        device_silent,
        temp_excursion,
        door_open_warming,
        power_loss,
    )
}
"""What the truth is told of, by the rule's code."""


def _zone(places: Places, code: str) -> Polygon:
    return Polygon(places.features[code]["geometry"]["coordinates"][0])


def _gaps(times: Sequence[float], ends: float, least_s: float) -> Iterator[Window]:
    """Silences longer than so many seconds, the one until the end too."""
    for one, other in zip(times, [*times[1:], ends], strict=True):
        if other - one > least_s:
            yield one, other


def _silence(last: float, heard: float) -> str:
    return f"silent for {(heard - last) / 60:.0f} minutes"


def _with_hysteresis(values: Floats, t: Floats, *, out: float, back: float) -> Iterator[Window]:
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


def _excursions(beyond: Floats, t: Floats, haul: Haul, longer_s: float) -> list[Window]:
    band = haul.band
    assert band is not None
    return [
        run
        for run in _with_hysteresis(beyond, t, out=band.error, back=-band.hysteresis)
        if run[1] - run[0] >= _delay_s(haul, run[0]) + longer_s
    ]


def _delay_s(haul: Haul, begins: float) -> float:
    assert haul.band is not None
    until = begins + haul.band.delay_s
    defrosts = any(since < until and begins < ends for since, ends in haul.climate.defrosts)
    return max(haul.band.delay_s, 1800.0) if defrosts else haul.band.delay_s
