"""One truck with one box, from its first to its last moment: everything that truly happens to it."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shapely.geometry import Polygon
from stdnum import iso6346

from simulators.geo import Line, Point
from simulators.places import Places
from simulators.reality.climate import BANDS, Band, Climate, climate
from simulators.reality.driving import Drive, drive
from simulators.reality.format import Deeds, Fleet
from simulators.reality.speech import Radio, Window
from simulators.scripts.motion import way
from simulators.vehicles import Beside, Halt

MIN: Final = 60.0
GUARDED: Final = "cbz"
"""Kind of the zones that are entered and left with a gate pass."""

_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True)
class Haul:
    """What truly happens. Moments are seconds of the world.

    Attributes:
        number: of the truck.
        fleet: it belongs to.
        deeds: what it does and suffers, by name.
        origin: zone.
        destination: zone.
        plate: of the vehicle.
        container: number of the box.
        weight_kg: of everything.
        drive: where it is.
        line: its road.
        locked: when the seal was locked.
        cut: when it was cut; None: never.
        ordered: when customs ordered it to be opened.
        unlocked: when it was opened; None: it was cut.
        out: when it passed the origin's gate, and which that is; None: no gate saw it.
        into: when it passed the destination's gate, and which; None: it has none of ours.
        has_pass_out: whether it has a pass to leave, where one is needed.
        band: what the goods need; None: they are dry, and nobody measures how warm it is.
        climate: of the box, and its door.
        tracker_off: when the tracker was dead.
        seal_off: when the seal was.
        urban: where the road leads among buildings, metres along it.
        tunnels: where it leads under ground.
        radio: of its devices.
        tracker_radio: of its tracker.
    """

    number: int
    fleet: Fleet
    deeds: frozenset[str]
    origin: str
    destination: str
    plate: str
    container: str
    weight_kg: int
    drive: Drive
    line: Line
    locked: float
    cut: float | None
    ordered: float
    unlocked: float | None
    out: tuple[float, str] | None
    into: tuple[float, str] | None
    has_pass_out: bool
    band: Band | None
    climate: Climate
    tracker_off: list[Window]
    seal_off: list[Window]
    urban: list[Window]
    tunnels: list[Window]
    radio: Radio
    tracker_radio: Radio

    @property
    def begins(self) -> float:
        """Its first moment."""
        return self.drive.course.begins

    @property
    def ends(self) -> float:
        """Its last."""
        return self.drive.course.ends

    @property
    def shipment(self) -> str:
        """Number of its shipment."""
        return f"{self.fleet.name}-{self.number:03d}"

    @property
    def tracker(self) -> str:
        """Name of the device."""
        return f"{self.fleet.park}/TRK-W{self.number:03d}"

    @property
    def seal(self) -> str:
        """Name of the device; its number is the code."""
        return f"{self.fleet.park}/ES-W{self.number:03d}"

    @property
    def sensor(self) -> str:
        """Name of the device in the box."""
        return f"{self.fleet.park}/T-W{self.number:03d}"

    @property
    def pass_in(self) -> str:
        """Number of the pass to enter the destination."""
        return f"ZI{self.number:012d}"

    @property
    def pass_out(self) -> str:
        """Number of the pass to leave the origin."""
        return f"ZE{self.number:012d}"


def haul(
    number: int,
    fleet: Fleet,
    places: Places,
    rng: random.Random,
    *,
    serial: int,
    begins: float,
    ambient_c: tuple[float, float],
    local_h: float,
) -> Haul:
    """Let it happen.

    Args:
        number: of the truck.
        fleet: it belongs to.
        places: where.
        rng: of this truck alone.
        serial: of its box.
        begins: its first moment.
        ambient_c: outdoors, lowest and highest.
        local_h: local hour of the world's first moment.
    """
    deeds = _draw(fleet.deeds, rng)
    line = way(places, fleet.corridor, backwards=False)
    origin, destination = places.ends(fleet.corridor)
    tolerance_m = float(places.features[fleet.corridor]["properties"]["tolerance_m"])
    spot = line.points[0].moved(rng.uniform(-30, 30), rng.uniform(-30, 30))
    waits = [(spot, rng.uniform(20, 35) * MIN)]
    if "border_parking" in deeds:
        waits.append((_at_fence(places, origin, rng), rng.uniform(30, 70) * MIN))
    driven = drive(
        line,
        rng,
        begins=begins,
        waits=waits,
        cruise_mps=rng.uniform(*fleet.speed_kmh) / 3.6,
        halts=list(_halts(deeds, line, places, fleet.corridor, rng)),
        is_rail=places.features[fleet.corridor]["properties"]["mode"] == "rail",
        besides=list(_besides(deeds, line, tolerance_m, rng)),
        stays_s=rng.uniform(40, 55) * MIN,
    )
    leaves, arrives = _gate(places, origin, "out", line), _gate(places, destination, "in", line)
    arrived = driven.passages[-1][0]
    out_at = driven.when(leaves[1]) if leaves is not None else driven.passages[0][0]
    in_at = driven.when(arrives[1]) if arrives is not None else arrived
    is_let_out = "no_pass" not in deeds
    box = f"BNDU{serial:06d}"
    cut = rng.uniform(out_at + 5 * MIN, in_at - 2 * MIN) if "seal_cut" in deeds else None
    ordered = arrived + rng.uniform(2, 4) * MIN
    waited = (-rng.uniform(0.5, 1.5) if "early_unlock" in deeds else rng.uniform(3, 10)) * MIN
    unlocked = None if cut is not None else ordered + waited
    offline = [_window(rng, (out_at, in_at), 20, 90)] if "offline" in deeds else []
    doubled = 0.1 if "duplicates" in deeds else 0.0
    skew = rng.uniform(-45, 45) if "skew" in deeds else 0.0
    return Haul(
        number=number,
        fleet=fleet,
        deeds=deeds,
        origin=origin,
        destination=destination,
        plate=f"苏E{rng.choice(_LETTERS)}{number:04d}",
        container=box + iso6346.calc_check_digit(box),
        weight_kg=rng.randrange(24_000, 41_000, 20),
        drive=driven,
        line=line,
        locked=begins + rng.uniform(6, 10) * MIN,
        cut=cut,
        ordered=ordered,
        unlocked=unlocked,
        out=(out_at, leaves[0]) if is_let_out and leaves is not None else None,
        into=(in_at, arrives[0]) if arrives is not None else None,
        has_pass_out=is_let_out,
        band=BANDS.get(fleet.cargo),
        climate=climate(
            BANDS.get(fleet.cargo) or BANDS["pharma"],
            rng,
            begins=driven.course.begins,
            ends=driven.course.ends,
            ambient_c=ambient_c,
            local_h=local_h,
            doors=list(_doors(deeds, rng, (out_at, in_at), unlocked)),
            failures=list(_failures(deeds, rng, (out_at, in_at))),
        ),
        tracker_off=list(_tracker_off(deeds, rng, (out_at, in_at), driven.course.ends)),
        seal_off=[one for one in _seal_off(deeds, rng, (out_at, in_at)) if not _covers(one, cut)],
        urban=_stretches(rng, line, 4 if "urban" in deeds else 1, 0.125 * line.length_m, within=(0, 1)),
        tunnels=_stretches(rng, line, rng.choice([0, 0, 1, 2]), rng.uniform(300, 2500), within=(0.1, 0.8)),
        radio=Radio(offline, 0.0, doubled),
        tracker_radio=Radio(offline, skew, doubled, 0.03 if "rubbish" in deeds else 0.0),
    )


def _draw(deeds: Deeds, rng: random.Random) -> frozenset[str]:
    """What this one does; always the same numbers drawn, so that a changed share moves nothing else."""
    drawn = {name: rng.random() for name in deeds.__struct_fields__}
    return frozenset(name for name, at in drawn.items() if at < getattr(deeds, name))


def _halts(
    deeds: frozenset[str], line: Line, places: Places, corridor: str, rng: random.Random
) -> Iterable[Halt]:
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


def _besides(deeds: frozenset[str], line: Line, tolerance_m: float, rng: random.Random) -> Iterable[Beside]:
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


def _gate(places: Places, zone: str, direction: str, line: Line) -> tuple[str, float] | None:
    """The gate of a zone by which a road leads in or out, and where on it; None: the zone has none."""
    found = []
    for code, feature in places.features.items():
        told = feature["properties"]
        if told["kind"] == "gate" and told["parent"] == zone and told["direction"] in (direction, "both"):
            at = line.nearest_m(places.middle(code))
            found.append((abs(complex(*line.point(at).to(places.middle(code)))), code, at))
    return min(found)[1:] if found else None


def _at_fence(places: Places, zone: str, rng: random.Random) -> Point:
    """A place 35 to 60 m inside a zone's border."""
    middle = places.middle(zone)
    ring = [middle.to(Point(*corner)) for corner in places.features[zone]["geometry"]["coordinates"][0]]
    inner = Polygon(ring).buffer(-rng.uniform(35, 60)).exterior
    spot = inner.interpolate(rng.random(), normalized=True)
    return middle.moved(spot.x, spot.y)


def _window(rng: random.Random, way_out: Window, least_min: float, most_min: float) -> Window:
    """Some while on the way; from four minutes after the gate on, so that the leg surely runs."""
    begins, lasts = way_out[0] + 4 * MIN, rng.uniform(least_min, most_min) * MIN
    since = rng.uniform(begins, max(begins, way_out[1] - lasts))
    return since, since + lasts


def _covers(window: Window, moment: float | None) -> bool:
    return moment is not None and window[0] <= moment < window[1]


def _tracker_off(deeds: frozenset[str], rng: random.Random, way_out: Window, ends: float) -> Iterable[Window]:
    for name, least, most in (("tracker_off", 20, 45), ("tracker_quiet", 5, 11)):
        if name in deeds:
            yield _window(rng, way_out, least, most)
    if "border_silence" in deeds:
        yield _window(rng, way_out, 54 * 60, 80 * 60)
    if "battery" in deeds:
        yield rng.uniform(way_out[0] + 4 * MIN, way_out[1]), ends + 1


def _seal_off(deeds: frozenset[str], rng: random.Random, way_out: Window) -> Iterable[Window]:
    for name, least, most in (("seal_off", 18, 40), ("seal_quiet", 4, 9)):
        if name in deeds:
            yield _window(rng, way_out, least, most)


def _doors(
    deeds: frozenset[str], rng: random.Random, way_out: Window, unlocked: float | None
) -> Iterable[Window]:
    if "door" in deeds:
        yield _window(rng, way_out, 1, 4)
    if "door_at_dock" in deeds and unlocked is not None:
        at = unlocked + rng.uniform(1, 3) * MIN
        yield at, at + rng.uniform(8, 20) * MIN


def _failures(deeds: frozenset[str], rng: random.Random, way_out: Window) -> Iterable[Window]:
    for name, least, most in (("compressor", 50, 140), ("hiccup", 3, 7)):
        if name in deeds:
            at = rng.uniform(*way_out)
            yield at, at + rng.uniform(least, most) * MIN


def _stretches(
    rng: random.Random, line: Line, how_many: int, long_m: float, *, within: Window
) -> list[Window]:
    """Parts of the road, metres along it; they begin within two shares of it."""
    begins = [rng.uniform(*within) * line.length_m for _ in range(how_many)]
    return [(at, at + long_m) for at in begins]
