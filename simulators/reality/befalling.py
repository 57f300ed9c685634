"""What befalls a truck, drawn by the shares of its fleet: stretches of its road, whiles of its time."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from shapely.geometry import Polygon

from simulators.geo import Line, Point
from simulators.places import Places
from simulators.reality.format import Deeds
from simulators.reality.windows import Window
from simulators.vehicles import Beside, Halt

MIN: Final = 60.0


def draw(deeds: Deeds, rng: random.Random) -> frozenset[str]:
    """What this one does; always the same numbers drawn, so that a changed share moves nothing else."""
    drawn = {name: rng.random() for name in deeds.__struct_fields__}
    return frozenset(name for name, at in drawn.items() if at < getattr(deeds, name))


def halts(
    deeds: frozenset[str], line: Line, places: Places, corridor: str, rng: random.Random
) -> Iterable[Halt]:
    """Where it stands on the way."""
    if "stop" in deeds:
        at = rng.uniform(0.15, 0.45) * line.length_m
        yield Halt(at, line.point(at), rng.uniform(18, 45) * MIN)
    if "short_stop" in deeds:
        at = rng.uniform(0.5, 0.7) * line.length_m
        yield Halt(at, line.point(at), rng.uniform(4, 12) * MIN)
    rests = places.features[corridor]["properties"].get("allowed_stops", ())
    for zone in rests if "rest" in deeds else ():
        place = places.middle(zone)
        yield Halt(line.nearest_m(place), place, rng.uniform(15, 35) * MIN)
    if "lay_by" in deeds:
        for code, feature in places.features.items():
            if feature["properties"]["kind"] == "layby_forbidden":
                place = places.middle(code)
                at = line.nearest_m(place)
                if abs(complex(*line.point(at).to(place))) < 1000:
                    yield Halt(at, place, rng.uniform(3, 25) * MIN)


def besides(deeds: frozenset[str], line: Line, tolerance_m: float, rng: random.Random) -> Iterable[Beside]:
    """Where it drives beside its road."""
    side = rng.choice([-1, 1])
    length = line.length_m
    if "stray" in deeds:
        begins = rng.uniform(0.2, 0.4) * length
        for_m = min(rng.uniform(7000, 11000), 0.45 * length)
        yield Beside(begins, begins + for_m, side * (tolerance_m + rng.uniform(300, 1000)))
    if "near_stray" in deeds:
        begins = rng.uniform(0.55, 0.65) * length
        for_m = min(rng.uniform(6000, 9000), 0.25 * length)
        yield Beside(begins, begins + for_m, -side * (tolerance_m - rng.uniform(300, 450)))


def gate(places: Places, zone: str, direction: str, line: Line) -> tuple[str, float] | None:
    """The gate of a zone by which a road leads in or out, and where on it; None: the zone has none."""
    found = []
    for code, feature in places.features.items():
        told = feature["properties"]
        if told["kind"] == "gate" and told["parent"] == zone and told["direction"] in (direction, "both"):
            at = line.nearest_m(places.middle(code))
            found.append((abs(complex(*line.point(at).to(places.middle(code)))), code, at))
    return min(found)[1:] if found else None


def at_fence(places: Places, zone: str, rng: random.Random) -> Point:
    """A place 35 to 60 m inside a zone's border."""
    middle = places.middle(zone)
    ring = [middle.to(Point(*corner)) for corner in places.features[zone]["geometry"]["coordinates"][0]]
    inner = Polygon(ring).buffer(-rng.uniform(35, 60)).exterior
    spot = inner.interpolate(rng.random(), normalized=True)
    return middle.moved(spot.x, spot.y)


def window(rng: random.Random, way_out: Window, least_min: float, most_min: float) -> Window:
    """Some while on the way; from four minutes after the gate on, so that the leg surely runs."""
    begins, lasts = way_out[0] + 4 * MIN, rng.uniform(least_min, most_min) * MIN
    since = rng.uniform(begins, max(begins, way_out[1] - lasts))
    return since, since + lasts


def tracker_off(deeds: frozenset[str], rng: random.Random, way_out: Window, ends: float) -> Iterable[Window]:
    """When its tracker is dead."""
    for name, least, most in (("tracker_off", 20, 45), ("tracker_quiet", 5, 11)):
        if name in deeds:
            yield window(rng, way_out, least, most)
    if "border_silence" in deeds:
        yield window(rng, way_out, 54 * 60, 80 * 60)
    if "battery" in deeds:
        yield rng.uniform(way_out[0] + 4 * MIN, way_out[1]), ends + 1


def seal_off(deeds: frozenset[str], rng: random.Random, way_out: Window) -> Iterable[Window]:
    """When its seal is."""
    for name, least, most in (("seal_off", 18, 40), ("seal_quiet", 3, 6)):
        if name in deeds:
            yield window(rng, way_out, least, most)


def doors(
    deeds: frozenset[str], rng: random.Random, way_out: Window, unlocked: float | None
) -> Iterable[Window]:
    """When its door stands open."""
    if "door" in deeds:
        yield window(rng, way_out, 1, 4)
    if "door_at_dock" in deeds and unlocked is not None:
        at = unlocked + rng.uniform(1, 3) * MIN
        yield at, at + rng.uniform(8, 20) * MIN


def failures(deeds: frozenset[str], rng: random.Random, way_out: Window) -> Iterable[Window]:
    """When its cooling unit has no power."""
    for name, least, most in (("compressor", 50, 140), ("hiccup", 3, 7)):
        if name in deeds:
            at = rng.uniform(*way_out)
            yield at, at + rng.uniform(least, most) * MIN


def stretches(
    rng: random.Random, line: Line, how_many: int, long_m: float, *, within: Window
) -> list[Window]:
    """Parts of the road, metres along it; they begin within two shares of it."""
    begins = [rng.uniform(*within) * line.length_m for _ in range(how_many)]
    return [(at, at + long_m) for at in begins]
