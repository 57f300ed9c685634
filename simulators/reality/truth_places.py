"""The truth about places: off the corridor, standing, where goods may not be, out without a pass. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import shapely

from simulators.geo import Point, distance_m
from simulators.reality.befalling import MIN
from simulators.reality.course import off_m, runs
from simulators.reality.hauls import GUARDED, Haul
from simulators.reality.seen import SAMPLED_S, Incident, Seen, outline, with_hysteresis

NEAR_STAND_M: Final = 100.0
"""Within these a slow fix may be the first of a stop: docs/tracks.md, ``stop_radius_m`` and an accuracy."""


def route_deviation(one: Seen) -> Iterator[Incident]:
    """A1: off the corridor by more than its tolerance, as three fixes over 180 s show; until 100 m within it.

    Sure: truly beyond the tolerance by 120 m (twice a bad fix's accuracy), three fixes and 180 s long. From
    60 m within the tolerance on it may be found, and open.
    """
    haul = one.haul
    tolerance = float(one.places.features[haul.fleet.corridor]["properties"]["tolerance_m"])
    t, lon, lat = haul.drive.course.sampled(SAMPLED_S)
    on_the_way = (t >= one.left) & (t <= one.entered)
    t, off = t[on_the_way], off_m(one.places.corridor(haul.fleet.corridor), lon[on_the_way], lat[on_the_way])
    far = runs(off > tolerance + 120, t)
    for begins, ends in with_hysteresis(off - tolerance, t, out=-60.0, back=-160.0):
        beyond = runs((off > tolerance) & (t >= begins) & (t <= ends), t)
        since = beyond[0][0] if beyond else begins
        told = [fix for a, b in far if begins <= a and b <= ends for fix in one.heard.fixes if a <= fix <= b]
        sure = len(told) >= 3 and told[-1] - told[0] >= 180
        if sure or ends - begins >= 120:
            most = float(off[(t >= begins) & (t <= ends)].max())
            why = f"up to {most:.0f} m from a corridor of {tolerance:.0f} m"
            yield Incident(
                "route_deviation",
                haul.shipment,
                since,
                ends,
                since + 180,
                sure,
                why,
                early_s=since - begins,
                closes=one.seen_after(ends),
            )


def unauthorised_stop(one: Seen) -> Iterator[Incident]:
    """A2: stood still outside approved places for 15 minutes; trains wait in yards.

    Sure: for 16 minutes from the first fix of it to the last. From 14 minutes on it may be found. It may open
    earlier by the time that the truck crept, or waited at a light, within 100 m of where it then stood.
    """
    haul = one.haul
    if one.is_rail:
        return
    allowed = one.places.features[haul.fleet.corridor]["properties"].get("allowed_stops", ())
    for begins, ends in haul.drive.course.stands:
        if not one.left < begins < one.entered or ends - begins < 14 * MIN:
            continue
        place = haul.drive.course.at((begins + ends) / 2)
        if any(shapely.contains_xy(outline(one.places, zone), *place) for zone in allowed):
            continue
        sure = one.seen_for(begins, ends) >= 16 * MIN
        why = f"stood for {(ends - begins) / 60:.0f} minutes"
        yield Incident(
            "unauthorised_stop",
            haul.shipment,
            begins + 15 * MIN,
            ends,
            begins + 15 * MIN,
            sure,
            why,
            early_s=_creeping_s(haul, begins),
            closes=one.seen_after(ends),
        )


def forbidden_zone_entry(one: Seen) -> Iterator[Incident]:
    """A4: stayed in a forbidden lay-by for 60 s.

    Sure: for two minutes from the first fix within to the last.
    """
    haul = one.haul
    t, lon, lat = haul.drive.course.sampled(SAMPLED_S)
    for code, feature in one.places.features.items():
        if feature["properties"]["kind"] != "layby_forbidden":
            continue
        for begins, ends in runs(shapely.contains_xy(outline(one.places, code), lon, lat), t):
            if ends - begins < 45:
                continue
            sure = one.seen_for(begins, ends) >= 120
            why = f"in {code} for {(ends - begins) / 60:.1f} minutes"
            yield Incident(
                "forbidden_zone_entry",
                haul.shipment,
                begins,
                ends,
                begins + 60,
                sure,
                why,
                closes=one.seen_after(ends),
            )


def zone_exit_without_release(one: Seen) -> Iterator[Incident]:
    """A5: left a zone that needs a pass, and no gate let it out on one; three fixes over 120 s confirm it.

    The last fix within may err to the outside: so much earlier it may open. It closes in such a zone alone.
    """
    haul = one.haul
    guarded = [
        zone
        for zone in (haul.origin, haul.destination)
        if one.places.features[zone]["properties"]["kind"] == GUARDED
    ]
    if haul.origin in guarded and not haul.has_pass_out:
        why = f"left {haul.origin} without a pass"
        yield Incident(
            "zone_exit_without_release",
            haul.shipment,
            one.left,
            one.entered,
            one.left + 120,
            not one.blind((one.left, one.left + 240)),
            why,
            early_s=one.unseen_before(one.left),
            closes=haul.destination in guarded and one.seen_after(one.entered),
        )


def _creeping_s(haul: Haul, stands: float) -> float:
    """Seconds for which it was near the place of a stand before it stood."""
    t, lon, lat = haul.drive.course.sampled(SAMPLED_S)
    place = haul.drive.course.at(stands)
    for moment, x, y in zip(t[::-1].tolist(), lon[::-1].tolist(), lat[::-1].tolist(), strict=True):
        if moment < stands and distance_m(place, Point(x, y)) > NEAR_STAND_M:
            return stands - float(moment)
    return 0.0
