"""One truck with one box, from its first to its last moment: everything that truly happens to it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from stdnum import iso6346

from simulators.geo import Line
from simulators.places import Places
from simulators.reality.befalling import (
    MIN,
    at_fence,
    besides,
    doors,
    draw,
    failures,
    gate,
    halts,
    seal_off,
    stretches,
    tracker_off,
    window,
)
from simulators.reality.climate import BANDS, Band, Climate, climate
from simulators.reality.driving import Drive, drive
from simulators.reality.format import Fleet
from simulators.reality.speech import Radio
from simulators.reality.windows import Window, within
from simulators.scripts.motion import way

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
    deeds = draw(fleet.deeds, rng)
    line = way(places, fleet.corridor, backwards=False)
    origin, destination = places.ends(fleet.corridor)
    tolerance_m = float(places.features[fleet.corridor]["properties"]["tolerance_m"])
    spot = line.points[0].moved(rng.uniform(-30, 30), rng.uniform(-30, 30))
    waits = [(spot, rng.uniform(20, 35) * MIN)]
    if "border_parking" in deeds:
        waits.append((at_fence(places, origin, rng), rng.uniform(30, 70) * MIN))
    driven = drive(
        line,
        rng,
        begins=begins,
        waits=waits,
        cruise_mps=rng.uniform(*fleet.speed_kmh) / 3.6,
        halts=list(halts(deeds, line, places, fleet.corridor, rng)),
        is_rail=places.features[fleet.corridor]["properties"]["mode"] == "rail",
        besides=list(besides(deeds, line, tolerance_m, rng)),
        stays_s=rng.uniform(40, 55) * MIN,
    )
    leaves, arrives = gate(places, origin, "out", line), gate(places, destination, "in", line)
    arrived = driven.passages[-1][0]
    out_at = driven.when(leaves[1]) if leaves is not None else driven.passages[0][0]
    in_at = driven.when(arrives[1]) if arrives is not None else arrived
    is_let_out = "no_pass" not in deeds
    box = f"BNDU{serial:06d}"
    cut = rng.uniform(out_at + 5 * MIN, in_at - 2 * MIN) if "seal_cut" in deeds else None
    ordered = arrived + rng.uniform(2, 4) * MIN
    waited = (-rng.uniform(0.5, 1.5) if "early_unlock" in deeds else rng.uniform(3, 10)) * MIN
    unlocked = None if cut is not None else ordered + waited
    offline = [window(rng, (out_at, in_at), 20, 90)] if "offline" in deeds else []
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
            doors=list(doors(deeds, rng, (out_at, in_at), unlocked)),
            failures=list(failures(deeds, rng, (out_at, in_at))),
        ),
        tracker_off=list(tracker_off(deeds, rng, (out_at, in_at), driven.course.ends)),
        seal_off=[
            one for one in seal_off(deeds, rng, (out_at, in_at)) if cut is None or not within([one], cut)
        ],
        urban=stretches(rng, line, 4 if "urban" in deeds else 1, 0.125 * line.length_m, within=(0, 1)),
        tunnels=stretches(rng, line, rng.choice([0, 0, 1, 2]), rng.uniform(300, 2500), within=(0.1, 0.8)),
        radio=Radio(offline, 0.0, doubled),
        tracker_radio=Radio(offline, skew, doubled, 0.03 if "rubbish" in deeds else 0.0),
    )
